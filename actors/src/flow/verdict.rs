//! What the client is told of a decision. The message itself carries the reason and the ids, because clients drop
//! `error.data`; `data` says the same for machines.

use crate::ports::{
    AuditVerdict, Decision, MatchedPolicy, PolicyInfo, Ticket, Verdict, Withheld, Would, millis,
};
use crate::seat::AskError;
use crate::wire::codes::{ErrorObject, UNAVAILABLE, VerdictCodes};
use bytes::Bytes;

/// The verdict of an audit row, and the error for the client when the call must not run.
pub(super) fn judge(
    decision: &Decision,
    fail_open: bool,
    codes: VerdictCodes,
) -> (AuditVerdict, Option<Bytes>) {
    let reason = decision.reasons.first().map(String::as_str).unwrap_or_default();
    match &decision.verdict {
        Verdict::Allow { .. } => (AuditVerdict::Allow, None),
        Verdict::Deny => {
            let message = with_reason("blocked by policy", reason, "the policy gave no reason");
            (AuditVerdict::Deny, Some(object(codes.denied, &message, "deny", decision).into_bytes()))
        }
        Verdict::NeedsApproval => (AuditVerdict::NeedsApproval, Some(held(decision, None, "", codes))),
        Verdict::Unavailable { outage: true, .. } if fail_open => (AuditVerdict::AllowFailopen, None),
        Verdict::Unavailable { retry_after, .. } => {
            let message = with_reason(
                "no policy decision, so the call was not run",
                reason,
                "the decision service is away",
            );
            let error = object(codes.undecided, &message, "unavailable", decision).retry_after(*retry_after);
            (AuditVerdict::Deny, Some(error.flag("retryable", true).into_bytes()))
        }
    }
}

/// The call is held: by this ticket, and why it was not decided, where that is known.
pub(super) fn held(decision: &Decision, ticket: Option<&Ticket>, why: &str, codes: VerdictCodes) -> Bytes {
    let reason = decision.reasons.first().map(String::as_str).unwrap_or_default();
    let mut message =
        with_reason("approval needed before this call may run", reason, "ask whoever approves calls");
    for part in [why, &ticket.map(Ticket::how_to_decide).unwrap_or_default()] {
        if !part.is_empty() {
            message.push_str("; ");
            message.push_str(part);
        }
    }
    let error = object(codes.needs_approval, &message, "needs_approval", decision);
    with_ticket(error, ticket).flag("retryable", ticket.is_some()).into_bytes()
}

/// A person refused, or nobody decided in time.
pub(super) fn not_approved(decision: &Decision, ticket: &Ticket, why: &str, codes: VerdictCodes) -> Bytes {
    let message = format!("not approved, so the call was not run: {why}");
    let error = object(codes.not_approved, &message, "deny", decision);
    with_ticket(error, Some(ticket)).flag("retryable", false).into_bytes()
}

fn with_ticket(error: ErrorObject, ticket: Option<&Ticket>) -> ErrorObject {
    let error = error.text("outcome", "not_forwarded");
    match ticket {
        Some(ticket) => error
            .text("approval_id", &ticket.id)
            .text("approval_url", &ticket.url)
            .text("expires_at", &ticket.expires_at),
        None => error,
    }
}

/// There is no decision because the question went astray.
pub(super) fn no_decision(cause: AskError, codes: VerdictCodes) -> Bytes {
    let message = format!("no policy decision, so the call was not run: {}", astray(cause));
    ErrorObject::new(codes.undecided, message)
        .text("origin", "policy")
        .text("verdict", "unavailable")
        .flag("retryable", true)
        .into_bytes()
}

/// In monitor mode a call runs without a decision, and its row says so. Its arguments stay as the client sent them, names
/// that stand for values included: who turns them back was not heard.
pub(super) fn undecided(cause: AskError) -> Decision {
    Decision {
        reasons: vec![astray(cause).to_owned()],
        would: Some(Would::Unavailable),
        ..Decision::of(Verdict::Allow { arguments: None, redact: true })
    }
}

fn astray(cause: AskError) -> &'static str {
    match cause {
        AskError::Busy => "too many decisions are open; try again",
        AskError::Gone => "the decision point failed on this call",
        AskError::Deadline => "the decision took too long",
    }
}

/// There is no record.
pub(super) fn no_record(why: &str, has_run: bool) -> Bytes {
    let message = if has_run {
        format!(
            "the tool was executed, but its audit record could not be written, so its answer is withheld: {why}"
        )
    } else {
        format!("the audit record cannot be written, so the call was not run: {why}")
    };
    ErrorObject::new(UNAVAILABLE, message)
        .text("origin", "audit")
        .text("outcome", if has_run { "withheld" } else { "not_forwarded" })
        .flag("retryable", !has_run)
        .into_bytes()
}

/// The tool has run and its answer must not be passed on.
pub(super) fn withheld(withheld: &Withheld, decision: Option<&Decision>, codes: VerdictCodes) -> Bytes {
    let ids = decision.map(|decision| (decision.decision_id.as_str(), decision.trace_id.as_str()));
    let (decided, trace) = ids.unwrap_or_default();
    let decision_id = if withheld.decision_id.is_empty() { decided } else { &withheld.decision_id };
    let code = if withheld.blocked { codes.denied } else { UNAVAILABLE };
    let message = with_ids(
        &format!("the tool was executed, its answer is withheld: {}", withheld.reason),
        decision_id,
        trace,
    );
    let error = ErrorObject::new(code, message)
        .text("origin", "policy")
        .text("verdict", if withheld.blocked { "deny" } else { "unavailable" })
        .text("outcome", "withheld")
        .text("decision_id", decision_id)
        .text("call_decision_id", decided)
        .text("trace_id", trace)
        .flag("retryable", false);
    if withheld.matched.is_empty() {
        return error.into_bytes();
    }
    error.raw("policy_info", &policy_info(decision, &withheld.matched, &withheld.reason)).into_bytes()
}

fn object(code: i64, message: &str, verdict: &str, decision: &Decision) -> ErrorObject {
    let error = ErrorObject::new(code, with_ids(message, &decision.decision_id, &decision.trace_id))
        .text("origin", "policy")
        .text("verdict", verdict)
        .text("decision_id", &decision.decision_id)
        .text("trace_id", &decision.trace_id)
        .text("tier", decision.tier)
        .texts("evaluated_policies", &decision.evaluated_policies)
        .texts("reasons", &decision.reasons);
    if decision.evaluated == 0 {
        return error;
    }
    let reason = decision.reasons.first().map_or(message, String::as_str);
    error.raw("policy_info", &policy_info(Some(decision), &[], reason))
}

/// Who spoke about a call or an answer that is blocked.
fn policy_info(decision: Option<&Decision>, of_the_answer: &[MatchedPolicy], reason: &str) -> Vec<u8> {
    let of_the_call = decision.into_iter().flat_map(|decision| &decision.matched);
    let info = PolicyInfo {
        policies_evaluated: decision.map_or(0, |decision| decision.evaluated),
        blocked: true,
        block_reason: Some(reason),
        redactions_applied: 0,
        processing_time_ms: decision.map_or(0, |decision| millis(decision.took)),
        matched_policies: of_the_call.chain(of_the_answer).collect(),
    };
    // Texts and numbers under text keys always serialize.
    serde_json::to_vec(&info).unwrap_or_default()
}

fn with_reason(what: &str, reason: &str, without: &str) -> String {
    let begins = |text: &str| text.get(..what.len()).is_some_and(|start| start.eq_ignore_ascii_case(what));
    match reason {
        "" => format!("{what}: {without}"),
        // Some decision points say themselves that it is blocked by policy.
        reason if begins(reason) => reason.to_owned(),
        reason => format!("{what}: {reason}"),
    }
}

fn with_ids(message: &str, decision_id: &str, trace_id: &str) -> String {
    match (decision_id, trace_id) {
        ("", "") => message.to_owned(),
        (decision_id, "") => format!("{message} (decision_id={decision_id})"),
        ("", trace_id) => format!("{message} (trace_id={trace_id})"),
        (decision_id, trace_id) => format!("{message} (decision_id={decision_id}, trace_id={trace_id})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(verdict: Verdict) -> Decision {
        Decision {
            decision_id: "d-1".into(),
            trace_id: "t-1".into(),
            reasons: vec!["stacked\nSQL".into(), "second".into()],
            evaluated_policies: vec!["p".into()],
            tier: "rego",
            ..Decision::of(verdict)
        }
    }

    fn value(error: Option<Bytes>) -> serde_json::Value {
        serde_json::from_slice(&error.expect("an error")).expect("JSON")
    }

    #[test]
    fn the_message_carries_reason_and_ids() {
        let (verdict, error) = judge(&decision(Verdict::Deny), true, VerdictCodes::default());
        assert_eq!(verdict, AuditVerdict::Deny);
        let error = value(error);
        assert_eq!(error["message"], "blocked by policy: stacked SQL (decision_id=d-1, trace_id=t-1)");
        assert_eq!(error["data"]["reasons"][1], "second");
        assert_eq!(error["data"]["tier"], "rego");
    }

    #[test]
    fn in_monitor_mode_a_question_that_went_astray_stops_nothing() {
        for cause in [AskError::Busy, AskError::Gone, AskError::Deadline] {
            let decision = undecided(cause);
            assert!(judge(&decision, false, VerdictCodes::default()).1.is_none());
            assert_eq!((decision.would, decision.reasons.len()), (Some(Would::Unavailable), 1));
        }
    }

    #[test]
    fn w34_only_a_true_outage_opens_and_only_when_told_to() {
        let away = |outage| decision(Verdict::Unavailable { outage, retry_after: None });
        assert_eq!(judge(&away(true), true, VerdictCodes::default()).0, AuditVerdict::AllowFailopen);
        assert!(judge(&away(true), true, VerdictCodes::default()).1.is_none());
        for (outage, fail_open) in [(false, true), (true, false), (false, false)] {
            let (verdict, error) = judge(&away(outage), fail_open, VerdictCodes::default());
            assert_eq!(verdict, AuditVerdict::Deny);
            assert_eq!(value(error)["code"], UNAVAILABLE);
        }
    }
}
