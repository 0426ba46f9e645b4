//! Monitor mode: everything is decided and recorded, nothing is blocked.
//!
//! What would have stopped a call stands in [`Decision::would`], and the call runs with the arguments that the client
//! sent. Pseudonyms in them are still turned back: they are names of values, and no verdict.

use crate::pdp::around::restored;
use crate::redact::pseudonyms::Pseudonyms;
use callgate_actors::call::Call;
use callgate_actors::ports::{Decide, Decision, Verdict, Would};
use std::sync::Arc;
use std::time::Instant;

/// A decision point that stops nothing.
pub struct Monitored {
    inner: Arc<dyn Decide>,
    pseudonyms: Option<Arc<Pseudonyms>>,
    fail_open: bool,
}

impl Monitored {
    /// Around `inner`. With `fail_open` an outage of the decision point would not have stopped the call anyway.
    pub fn new(inner: Arc<dyn Decide>, pseudonyms: Option<Arc<Pseudonyms>>, fail_open: bool) -> Self {
        Self { inner, pseudonyms, fail_open }
    }
}

impl Decide for Monitored {
    fn is_quick(&self, call: &Call) -> bool {
        self.inner.is_quick(call)
    }

    fn decide(&self, call: &Call, deadline: Instant) -> Decision {
        let mut decision = self.inner.decide(call, deadline);
        let (arguments, names) = match restored(self.pseudonyms.as_deref(), call) {
            Some((restored, names)) => (restored.arguments, names),
            None => (None, Vec::new()),
        };
        let (would, redact) = match &decision.verdict {
            Verdict::Unavailable { outage: true, .. } if self.fail_open => return decision,
            Verdict::Allow { arguments: changed, redact } => {
                ((changed.is_some() && *changed != arguments).then_some(Would::Redact), *redact)
            }
            // Nobody said how its answer is to be treated, as there was to be none.
            Verdict::Deny => (Some(Would::Deny), true),
            Verdict::NeedsApproval => (Some(Would::NeedsApproval), true),
            Verdict::Unavailable { .. } => (Some(Would::Unavailable), true),
        };
        decision.verdict = Verdict::Allow { arguments, redact };
        decision.restored = names;
        decision.would = would;
        decision
    }

    fn warm(&self) {
        self.inner.warm();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use callgate_actors::call::Hints;
    use std::time::SystemTime;

    struct Says(Verdict);

    impl Decide for Says {
        fn is_quick(&self, _: &Call) -> bool {
            true
        }

        fn decide(&self, _: &Call, _: Instant) -> Decision {
            Decision {
                decision_id: "d-1".into(),
                reasons: vec!["why".into()],
                ..Decision::of(self.0.clone())
            }
        }
    }

    fn decide(verdict: Verdict, fail_open: bool) -> Decision {
        let call = Call {
            number: 1,
            received_at: SystemTime::now(),
            backend: "crm".into(),
            tool: "mail".into(),
            exposed: "mail".into(),
            arguments: Some(Bytes::from_static(b"{}")),
            meta: None,
            hints: Hints::default(),
        };
        Monitored::new(Arc::new(Says(verdict)), None, fail_open).decide(&call, Instant::now())
    }

    fn away(outage: bool) -> Verdict {
        Verdict::Unavailable { outage, retry_after: None }
    }

    #[test]
    fn every_verdict_lets_the_call_run_as_it_came_and_is_kept() {
        let changed = || Verdict::Allow { arguments: Some(Bytes::from_static(b"[]")), redact: true };
        for (verdict, would) in [
            (Verdict::Deny, Would::Deny),
            (Verdict::NeedsApproval, Would::NeedsApproval),
            (away(true), Would::Unavailable),
            (away(false), Would::Unavailable),
            (changed(), Would::Redact),
        ] {
            let decision = decide(verdict, false);
            assert!(
                matches!(decision.verdict, Verdict::Allow { arguments: None, redact: true }),
                "{would:?}: {:?}",
                decision.verdict
            );
            assert_eq!(decision.would, Some(would));
            assert_eq!((decision.decision_id.as_str(), decision.reasons.len()), ("d-1", 1));
        }
        let allowed = decide(Verdict::Allow { arguments: None, redact: false }, false);
        assert!(matches!(allowed.verdict, Verdict::Allow { redact: false, .. }) && allowed.would.is_none());
    }

    #[test]
    fn an_outage_that_opens_the_gate_anyway_stays_one() {
        let decision = decide(away(true), true);
        assert!(matches!(decision.verdict, Verdict::Unavailable { .. }) && decision.would.is_none());
        assert_eq!(decide(away(false), true).would, Some(Would::Unavailable));
    }
}
