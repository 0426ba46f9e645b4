//! Decisions that were made before the call reaches the machine: each is used once, by the call with its trace.

use crate::pdp::trace::Trace;
use callgate_actors::call::Call;
use callgate_actors::ports::{Decide, Decision, Verdict};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Decisions by trace id.
#[derive(Default)]
pub(super) struct Decided {
    open: Mutex<BTreeMap<String, Decision>>,
}

impl Decided {
    /// The call with this trace may run, once.
    pub(super) fn allow(&self, trace_id: &str, decision_id: &str, policies: Vec<String>) {
        let decision = Decision {
            decision_id: decision_id.to_owned(),
            trace_id: trace_id.to_owned(),
            evaluated_policies: policies,
            ..Decision::of(Verdict::Allow { arguments: None, redact: false })
        };
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(trace_id.to_owned(), decision);
    }

    /// It never reached the machine.
    pub(super) fn take_back(&self, trace_id: &str) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(trace_id);
    }
}

impl Decide for Decided {
    fn is_quick(&self, _: &Call) -> bool {
        true
    }

    fn decide(&self, call: &Call, _: Instant) -> Decision {
        let trace = Trace::of(call.meta.as_deref()).id;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.remove(&trace).unwrap_or_else(|| Decision {
            reasons: vec!["nothing was decided about this call".to_owned()],
            trace_id: trace,
            ..Decision::of(Verdict::Deny)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use callgate_actors::call::Hints;
    use std::sync::Arc;
    use std::time::SystemTime;

    fn call(meta: Option<&str>) -> Call {
        let nobody: Arc<str> = Arc::from("");
        Call {
            number: 0,
            received_at: SystemTime::now(),
            backend: nobody.clone(),
            tool: nobody.clone(),
            exposed: nobody,
            arguments: None,
            meta: meta.map(|meta| Bytes::from(meta.to_owned())),
            hints: Hints::default(),
        }
    }

    #[test]
    fn a_decision_is_used_once_and_only_by_its_call() {
        let decided = Decided::default();
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let meta = format!(r#"{{"traceparent":"00-{trace}-00f067aa0ba902b7-01"}}"#);
        let allowed = |meta: Option<&str>| {
            matches!(decided.decide(&call(meta), Instant::now()).verdict, Verdict::Allow { .. })
        };
        assert!(!allowed(Some(&meta)), "nothing was decided");
        decided.allow(trace, "d-1", Vec::new());
        assert!(!allowed(None));
        assert!(allowed(Some(&meta)));
        assert!(!allowed(Some(&meta)), "used");
        decided.allow(trace, "d-2", Vec::new());
        decided.take_back(trace);
        assert!(!allowed(Some(&meta)), "taken back");
    }
}
