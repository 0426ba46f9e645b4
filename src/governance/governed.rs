//! Local governance in front of a decision point: what the rules about tools deny is never asked about.

use super::judge::{Denial, Governance, Tool};
use crate::pdp::trace::Trace;
use crate::policy::authority::Matched;
use crate::policy::model::{Action, Severity};
use callgate_actors::call::Call;
use callgate_actors::ports::{Decide, Decision, MatchedPolicy, Verdict};
use std::sync::Arc;
use std::time::Instant;

/// A decision point behind the rules about tools.
pub struct Governed {
    inner: Arc<dyn Decide>,
    governance: Arc<Governance>,
}

impl Governed {
    /// In front of `inner`.
    pub fn new(inner: Arc<dyn Decide>, governance: Arc<Governance>) -> Self {
        Self { inner, governance }
    }

    fn denial(&self, call: &Call) -> Option<Denial> {
        self.governance.judge(&tool(call))
    }
}

impl Decide for Governed {
    fn is_quick(&self, call: &Call) -> bool {
        self.inner.is_quick(call) || self.denial(call).is_some()
    }

    fn decide(&self, call: &Call, deadline: Instant) -> Decision {
        let begun = Instant::now();
        match self.denial(call) {
            None => self.inner.decide(call, deadline),
            Some(denial) => Decision { took: begun.elapsed(), ..denied(denial, call) },
        }
    }

    fn warm(&self) {
        self.inner.warm();
    }
}

/// The tool of a call.
fn tool(call: &Call) -> Tool<'_> {
    Tool {
        backend: &call.backend,
        own: &call.tool,
        exposed: &call.exposed,
        is_annotated: call.hints.told.read_only == Some(true),
    }
}

fn denied(denial: Denial, call: &Call) -> Decision {
    let matched = Matched::from(denial);
    Decision {
        decision_id: uuid::Uuid::new_v4().to_string(),
        trace_id: Trace::of(call.meta.as_deref()).id,
        reasons: vec![matched.reason()],
        evaluated_policies: vec![matched.policy_id.clone()],
        matched: vec![MatchedPolicy::from(&matched)],
        evaluated: 1,
        ..Decision::of(Verdict::Deny)
    }
}

impl From<Denial> for Matched {
    /// The denial as a policy that spoke.
    fn from(denial: Denial) -> Self {
        let Denial { policy_id, name, reason } = denial;
        Self {
            policy_id,
            policy_name: format!("Local governance: {name}"),
            category: "custom".into(),
            severity: Severity::High,
            action: Action::Block,
            message: Some(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::governance::{Limits, Profile, ToolRules};
    use callgate_actors::call::{Hints, ToldHints};
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::SystemTime;

    /// Allows everything, slowly, and counts how often it was asked.
    #[derive(Default)]
    struct Counting(AtomicU32);

    impl Decide for Counting {
        fn is_quick(&self, _: &Call) -> bool {
            false
        }

        fn decide(&self, _: &Call, _: Instant) -> Decision {
            self.0.fetch_add(1, Ordering::Relaxed);
            Decision::of(Verdict::Allow { arguments: None, redact: false })
        }
    }

    fn call(read_only: Option<bool>) -> Call {
        Call {
            number: 1,
            received_at: SystemTime::now(),
            backend: "crm".into(),
            tool: "get".into(),
            exposed: "get".into(),
            arguments: None,
            meta: None,
            hints: Hints::from(ToldHints { read_only, ..ToldHints::default() }),
        }
    }

    #[test]
    fn what_is_denied_here_is_not_asked_about() {
        let limits = Limits { profile: Profile::ReadOnly, ..Limits::default() };
        let governance = Governance::new(&ToolRules { limits, ..ToolRules::default() }, [], "a");
        let inner = Arc::new(Counting::default());
        let governed = Governed::new(inner.clone(), Arc::new(governance));
        for told in [None, Some(false)] {
            let decision = governed.decide(&call(told), Instant::now());
            assert!(matches!(decision.verdict, Verdict::Deny));
            assert_eq!(decision.evaluated_policies, ["governance:profile:read_only"]);
            assert!(!decision.decision_id.is_empty() && decision.trace_id.len() == 32);
            assert!(governed.is_quick(&call(told)), "no thread is needed for it");
        }
        assert_eq!(inner.0.load(Ordering::Relaxed), 0);
        let decision = governed.decide(&call(Some(true)), Instant::now());
        assert!(matches!(decision.verdict, Verdict::Allow { .. }));
        assert!(!governed.is_quick(&call(Some(true))));
        assert_eq!(inner.0.load(Ordering::Relaxed), 1);
    }
}
