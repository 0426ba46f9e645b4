//! Reads a 200 of the decision plane into a verdict and what goes with it.

use super::approvals::approval_id;
use super::wire::{DecideAnswer, Obligation, PendingApproval};
use crate::pdp::text::{clean, identifier};
use crate::pdp::trace::is_hex;
use callgate_actors::ports::{Decision, Verdict};

/// Reasons kept of one decision.
const REASONS: usize = 3;
/// Longest reason.
const REASON_BYTES: usize = 512;
/// Policy ids kept of one decision.
const POLICIES: usize = 32;
/// Longest decision or policy id.
const ID_BYTES: usize = 128;

/// An answer that says something.
#[derive(Debug)]
pub(super) struct Answer {
    /// Complete but for the obligations: an allow stands with no change and no redaction.
    pub(super) decision: Decision,
    /// What an allow obliges to.
    pub(super) obligations: Vec<Obligation>,
    /// What a person was asked.
    pub(super) pending: Option<PendingApproval>,
}

impl Answer {
    /// An answer without obligations and approvals.
    pub(super) fn bare(decision: Decision) -> Self {
        Self { decision, obligations: Vec::new(), pending: None }
    }
}

/// Reads the body of a 200. `our_trace` stands where the service names none.
pub(super) fn read(body: &[u8], our_trace: &str) -> Answer {
    let Ok(answer) = serde_json::from_slice::<DecideAnswer>(body) else {
        let text = "policy service unavailable: its answer is not a decision that can be read".to_owned();
        return Answer::bare(no_decision(false, text, our_trace));
    };
    let mut reasons: Vec<String> =
        answer.reasons.unwrap_or_default().iter().map(|r| clean(r, REASON_BYTES)).collect();
    reasons.retain(|reason| !reason.is_empty());
    reasons.truncate(REASONS);
    let verdict = match answer.verdict.as_str() {
        "allow" => Verdict::Allow { arguments: None, redact: false },
        "deny" => {
            default_reason(&mut reasons, "request blocked by policy");
            Verdict::Deny
        }
        "needs_approval" => {
            default_reason(&mut reasons, "tool call requires approval");
            if let Some(pending) = &answer.pending_approval {
                say_what_is_pending(&mut reasons[0], pending);
            }
            Verdict::NeedsApproval
        }
        unknown => {
            let text = format!("policy service gave an unknown verdict \"{}\"", clean(unknown, 32));
            reasons.insert(0, text);
            Verdict::Unavailable { outage: false, retry_after: None }
        }
    };
    let policies = answer.evaluated_policies.unwrap_or_default();
    let policies = policies.iter().map(|id| identifier(id, ID_BYTES)).filter(|id| !id.is_empty());
    let decision = Decision {
        decision_id: identifier(&answer.decision_id.unwrap_or_default(), ID_BYTES),
        trace_id: trace_id(answer.trace_id.as_deref(), our_trace),
        reasons,
        evaluated_policies: policies.take(POLICIES).collect(),
        ..Decision::of(verdict)
    };
    Answer { decision, obligations: answer.obligations.unwrap_or_default(), pending: answer.pending_approval }
}

/// A decision that is none.
pub(super) fn no_decision(outage: bool, reason: String, our_trace: &str) -> Decision {
    Decision {
        trace_id: our_trace.to_owned(),
        reasons: vec![reason],
        ..Decision::of(Verdict::Unavailable { outage, retry_after: None })
    }
}

/// The service's trace id where it is one.
pub(super) fn trace_id(given: Option<&str>, ours: &str) -> String {
    given.filter(|id| is_hex(id, 32)).unwrap_or(ours).to_owned()
}

/// A decision id as it may be shown and kept.
pub(super) fn decision_id(given: &str) -> String {
    identifier(given, ID_BYTES)
}

/// A reason as it may be shown.
pub(super) fn reason(given: &str) -> String {
    clean(given, REASON_BYTES)
}

fn default_reason(reasons: &mut Vec<String>, text: &str) {
    if reasons.is_empty() {
        reasons.push(text.to_owned());
    }
}

fn say_what_is_pending(reason: &mut String, pending: &PendingApproval) {
    let id = approval_id(pending);
    if id.is_empty() {
        return;
    }
    let status = match pending.status.as_deref() {
        Some("approved") => "approved",
        _ => "pending",
    };
    let then =
        if status == "approved" { "repeat the same call" } else { "once approved, repeat the same call" };
    reason.push_str(&format!(" (approval {id} is {status}; {then})"));
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn decision(body: &str) -> Decision {
        read(body.as_bytes(), OURS).decision
    }

    fn is_closed(decision: &Decision) -> bool {
        matches!(decision.verdict, Verdict::Unavailable { outage: false, .. })
    }

    #[test]
    fn w34_unreadable_bodies_never_open_the_gate() {
        for body in [
            "",
            "allow",
            "{}",
            "[]",
            "null",
            r#"{"verdict":null}"#,
            r#"{"verdict":true}"#,
            r#"{"verdict":"allow""#,
            r#"{"verdict":"allow"} trailing"#,
            r#"{"verdict":"allow","verdict":"deny"}"#,
            r#"{"verdict":"allow","obligations":"redact_pii"}"#,
            r#"{"verdict":"allow","obligations":[{"detail":"no type"}]}"#,
            r#"{"verdict":"allow","reasons":"text"}"#,
        ] {
            assert!(is_closed(&decision(body)), "{body}");
        }
    }

    #[test]
    fn w34_an_unknown_verdict_is_closed_and_named() {
        for verdict in ["ALLOW", "allow ", "allowed", "permit", ""] {
            let decision = decision(&format!(r#"{{"verdict":"{verdict}","decision_id":"d-1"}}"#));
            assert!(is_closed(&decision), "{verdict}");
            assert!(decision.reasons[0].contains("unknown verdict"), "{:?}", decision.reasons);
            assert_eq!(decision.decision_id, "d-1");
        }
    }

    #[test]
    fn w50_reasons_are_few_bounded_and_clean() {
        let many = vec!["line\nbreak and more ".repeat(100); 9];
        let body = serde_json::json!({"verdict": "deny", "reasons": many}).to_string();
        let reasons = decision(&body).reasons;
        assert_eq!(reasons.len(), REASONS);
        assert!(reasons.iter().all(|r| r.len() <= REASON_BYTES && !r.contains('\n')), "{reasons:?}");
        assert_eq!(decision(r#"{"verdict":"deny","reasons":["\n"]}"#).reasons, ["request blocked by policy"]);
    }

    #[test]
    fn ids_are_ids_or_nothing() {
        let body = r#"{"verdict":"allow","decision_id":"a b","trace_id":"short","evaluated_policies":["p1","p\n2"]}"#;
        let decision = decision(body);
        assert_eq!((decision.decision_id.as_str(), decision.trace_id.as_str()), ("", OURS));
        assert_eq!(decision.evaluated_policies, ["p1"]);
    }

    #[test]
    fn w36_a_hold_names_the_approval_and_its_state() {
        let body = r#"{"verdict":"needs_approval","reasons":["approval_required"],
            "pending_approval":{"approval_id":"ap-7","status":"pending"}}"#;
        let decision = decision(body);
        assert!(matches!(decision.verdict, Verdict::NeedsApproval));
        let expected = "approval_required (approval ap-7 is pending; once approved, repeat the same call)";
        assert_eq!(decision.reasons, [expected]);
    }
}
