//! Reads the answer of `POST /v1/actions` into a verdict and what goes with it (the Agent Action Firewall contract,
//! section 8.2).
//!
//! The decision is a text, or a text in an object, or only told by the status. Whatever says something must be known, and
//! the strictest of what is said holds: a gate opens on an explicit yes that nothing contradicts.

use super::reading::{self, Object};
use crate::pdp::text::clean;
use callgate_actors::ports::{Decision, MatchedPolicy, Verdict};
use jiff::Timestamp;
use serde_json::Value;

/// Members of a decision that are known to hold it.
const DECISIONS: [&str; 3] = ["decision", "action", "result"];
/// Statuses that an allowed action goes through later and that contradict nothing.
const LATER: [&str; 2] = ["queued", "succeeded"];
const RISKS: [&str; 4] = ["low", "medium", "high", "critical"];

/// An answer that says something.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) decision: Decision,
    /// What a person was asked, when the call is held.
    pub(super) pending: Option<Pending>,
}

/// What a person was asked, as far as the answer tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pending {
    /// The action that waits; may be empty.
    pub(super) action_id: String,
    /// Its approval; empty when the answer does not name it.
    pub(super) approval_id: String,
    /// Where a person decides; may be empty.
    pub(super) url: String,
    /// Until when.
    pub(super) expires_at: Option<Timestamp>,
}

impl Pending {
    /// The approval's id, or the action's where that is not known.
    pub(super) fn shown_id(&self) -> &str {
        if self.approval_id.is_empty() { &self.action_id } else { &self.approval_id }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Word {
    Allow,
    Ask,
    Deny,
}

/// Reads the body of an answer. `trace` stands in the decision.
pub(super) fn read(body: &[u8], trace: &str) -> Answer {
    let Some(action) = reading::object(body) else {
        let text = "policy service unavailable: its answer is not a decision that can be read";
        return Answer { decision: no_decision(false, text.into(), trace), pending: None };
    };
    let mut decision = match said(&action) {
        Ok(word) => spoken(word, &action),
        Err(unknown) => {
            let reason = format!("policy service gave an unknown decision \"{}\"", clean(unknown, 32));
            no_decision(false, reason, trace)
        }
    };
    decision.decision_id = reading::id(&action, &["id", "action_id"]);
    trace.clone_into(&mut decision.trace_id);
    let pending = matches!(decision.verdict, Verdict::NeedsApproval).then(|| pending(&action));
    if let Some(pending) = &pending {
        pending.shown_id().clone_into(&mut decision.approval_id);
        if decision.approval_id.is_empty() {
            let reason = "policy service wants an approval, but names neither the action nor the approval";
            return Answer { decision: no_decision(false, reason.into(), trace), pending: None };
        }
    }
    Answer { decision, pending }
}

/// A decision that is none.
pub(super) fn no_decision(outage: bool, reason: String, trace: &str) -> Decision {
    Decision {
        trace_id: trace.to_owned(),
        reasons: vec![reason],
        ..Decision::of(Verdict::Unavailable { outage, retry_after: None })
    }
}

/// What the answer says, the strictest word of it; `Err` quotes what is not known.
fn said(action: &Object) -> Result<Word, &str> {
    let mut words = Vec::new();
    match action.get("decision") {
        Some(Value::String(text)) => words.push(text.as_str()),
        Some(Value::Object(decision)) => {
            words.extend(DECISIONS.iter().filter_map(|key| reading::text(decision, key)));
        }
        None | Some(Value::Null) => {}
        // A truth value or a list may mean anything.
        Some(_) => return Err("in a form of its own"),
    }
    let status = reading::text(action, "status");
    if words.is_empty() {
        return word(status.unwrap_or_default());
    }
    if let Some(status) = status.filter(|status| !LATER.contains(status)) {
        words.push(status);
    }
    words.into_iter().map(word).try_fold(Word::Allow, |strictest, word| Ok(strictest.max(word?)))
}

fn word(text: &str) -> Result<Word, &str> {
    match text {
        "allow" | "allowed" => Ok(Word::Allow),
        "require_approval" | "pending_approval" => Ok(Word::Ask),
        "deny" | "denied" => Ok(Word::Deny),
        unknown => Err(unknown),
    }
}

fn spoken(word: Word, action: &Object) -> Decision {
    let nothing = Object::new();
    let details = reading::inner(action, "decision").unwrap_or(&nothing);
    let either = |keys: &[&str]| {
        let inside = reading::sentence(details, keys);
        if inside.is_empty() { reading::sentence(action, keys) } else { inside }
    };
    let (verdict, done, default) = match word {
        Word::Allow => (Verdict::Allow { arguments: None, redact: false }, "log", ""),
        Word::Ask => (Verdict::NeedsApproval, "require_approval", "tool call requires approval"),
        Word::Deny => (Verdict::Deny, "block", "request blocked by policy"),
    };
    let reason = either(&["reason", "message"]);
    let reason = if reason.is_empty() { default.to_owned() } else { reason };
    // A level that is not known says nothing about the decision.
    let risk = either(&["risk_level"]);
    let risk = RISKS.iter().find(|known| **known == risk).map_or(String::new(), |risk| (*risk).to_owned());
    let mut reasons: Vec<String> = vec![reason];
    if !risk.is_empty() && word != Word::Allow {
        reasons.push(format!("risk level {risk}"));
    }
    reasons.retain(|reason| !reason.is_empty());
    let inside = reading::id(details, &["policy_id"]);
    let policy = if inside.is_empty() { reading::id(action, &["policy_id"]) } else { inside };
    let mut decision = Decision { reasons, ..Decision::of(verdict) };
    if !policy.is_empty() {
        decision.evaluated_policies.push(policy.clone());
        let action = done.to_owned();
        let matched = MatchedPolicy { policy_id: policy, severity: risk, action, ..MatchedPolicy::default() };
        decision.matched.push(matched);
    }
    decision
}

/// What the answer tells of the approval: `approval.id`, `approval_id`, or the end of `approval_url`.
pub(super) fn pending(action: &Object) -> Pending {
    let nothing = Object::new();
    let approval = reading::inner(action, "approval").unwrap_or(&nothing);
    let details = reading::inner(action, "decision").unwrap_or(&nothing);
    let url =
        [(action, "approval_url"), (approval, "approval_url"), (approval, "url"), (details, "approval_url")];
    let url =
        url.iter().map(|(of, key)| reading::page(of, key)).find(|url| !url.is_empty()).unwrap_or_default();
    let named = [
        reading::id(approval, &["id", "approval_id"]),
        reading::id(action, &["approval_id"]),
        reading::id(details, &["approval_id"]),
        reading::tail(&url),
    ];
    let expires_at = [(approval, "expires_at"), (action, "expires_at")];
    Pending {
        action_id: reading::id(action, &["id", "action_id"]),
        approval_id: named.into_iter().find(|id| !id.is_empty()).unwrap_or_default(),
        url,
        expires_at: expires_at.iter().find_map(|(of, key)| reading::text(of, key)?.parse().ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(body: &str) -> &'static str {
        match read(body.as_bytes(), "t").decision.verdict {
            Verdict::Allow { .. } => "allow",
            Verdict::Deny => "deny",
            Verdict::NeedsApproval => "ask",
            Verdict::Unavailable { outage: true, .. } => "outage",
            Verdict::Unavailable { .. } => "none",
        }
    }

    #[test]
    fn a_decision_is_a_text_or_in_an_object_or_the_status() {
        for (body, expected) in [
            (r#"{"id":"act_1","decision":"allow"}"#, "allow"),
            (r#"{"id":"act_1","decision":"deny"}"#, "deny"),
            (r#"{"id":"act_1","decision":"require_approval"}"#, "ask"),
            (
                r#"{"id":"act_1","status":"allowed","decision":{"decision":"allow","risk_level":"low"}}"#,
                "allow",
            ),
            (r#"{"id":"act_1","status":"denied","decision":{"decision":"deny"}}"#, "deny"),
            (
                r#"{"id":"act_1","status":"pending_approval","decision":{"decision":"require_approval"}}"#,
                "ask",
            ),
            (r#"{"id":"act_1","decision":{"action":"allow"}}"#, "allow"),
            (r#"{"id":"act_1","decision":{"result":"deny"}}"#, "deny"),
            (r#"{"id":"act_1","decision":{"action":"require_approval","decision":null}}"#, "ask"),
            (r#"{"id":"act_1","status":"allowed"}"#, "allow"),
            (r#"{"id":"act_1","status":"denied","decision":null}"#, "deny"),
            (r#"{"id":"act_1","status":"pending_approval","decision":{}}"#, "ask"),
            (r#"{"id":"act_1","status":"queued","decision":"allow"}"#, "allow"),
            (r#"{"data":{"id":"act_1","status":"allowed"}}"#, "allow"),
            (r#"{"status":"allowed","decision":{"decision":"allow","risk_level":"apocalyptic"}}"#, "allow"),
            (r#"{"status":"allowed","decision":{"decision":"allow","risk_level":7}}"#, "allow"),
        ] {
            assert_eq!(verdict(body), expected, "{body}");
        }
    }

    #[test]
    fn of_contradictions_the_strictest_holds() {
        for (body, expected) in [
            (r#"{"id":"a","status":"denied","decision":"allow"}"#, "deny"),
            (r#"{"id":"a","status":"pending_approval","decision":{"decision":"allow"}}"#, "ask"),
            (r#"{"id":"a","status":"allowed","decision":"deny"}"#, "deny"),
            (r#"{"id":"a","status":"allowed","decision":{"action":"require_approval"}}"#, "ask"),
            (r#"{"id":"a","decision":{"action":"allow","decision":"deny"}}"#, "deny"),
            (r#"{"id":"a","decision":{"decision":"allow","result":"require_approval"}}"#, "ask"),
            (r#"{"id":"a","status":"queued","decision":"deny"}"#, "deny"),
        ] {
            assert_eq!(verdict(body), expected, "{body}");
        }
    }

    #[test]
    fn what_is_not_known_is_no_decision() {
        for body in [
            "",
            "allow",
            "null",
            "[]",
            "{}",
            r#"{"decision":null}"#,
            r#"{"decision":true}"#,
            r#"{"decision":["allow"]}"#,
            r#"{"decision":"ALLOW"}"#,
            r#"{"decision":"allow "}"#,
            r#"{"decision":"permit"}"#,
            r#"{"decision":""}"#,
            r#"{"decision":{"decision":"maybe"},"status":"allowed"}"#,
            r#"{"decision":{"decision":"allow","action":"perhaps"}}"#,
            r#"{"decision":"allow","status":"on fire"}"#,
            r#"{"status":"queued"}"#,
            r#"{"status":"succeeded"}"#,
            r#"{"status":true}"#,
            r#"{"decision":"deny","decision":"allow"}"#,
            r#"{"decision":{"decision":"deny","decision":"allow"}}"#,
            r#"{"decision":"allow""#,
            r#"{"decision":"allow"} trailing"#,
            // Nobody could be asked.
            r#"{"decision":"require_approval"}"#,
            r#"{"id":"a b","decision":"require_approval"}"#,
        ] {
            assert_eq!(verdict(body), "none", "{body}");
        }
    }

    #[test]
    fn a_denial_says_why_and_who() {
        let body = br#"{"id":"act_1","status":"denied","decision":{"decision":"deny","reason":"no\nway",
            "risk_level":"high","policy_id":"pol_1"}}"#;
        let decision = read(body, "t").decision;
        assert_eq!(decision.reasons, ["no way", "risk level high"]);
        assert_eq!((decision.decision_id.as_str(), decision.trace_id.as_str()), ("act_1", "t"));
        assert_eq!(decision.evaluated_policies, ["pol_1"]);
        assert_eq!(
            (decision.matched[0].severity.as_str(), decision.matched[0].action.as_str()),
            ("high", "block")
        );
        let bare = read(br#"{"decision":"deny","reason":"out here"}"#, "t").decision;
        assert_eq!(bare.reasons, ["out here"]);
        assert_eq!(read(br#"{"decision":"deny"}"#, "t").decision.reasons, ["request blocked by policy"]);
    }

    #[test]
    fn the_approval_is_found_wherever_it_stands() {
        let asked = |members: &str| {
            let answer =
                read(format!(r#"{{"id":"act_1","decision":"require_approval",{members}}}"#).as_bytes(), "t");
            (answer.pending.expect("held").approval_id, answer.decision.approval_id)
        };
        for members in [
            r#""approval":{"id":"apr_1"}"#,
            r#""approval_id":"apr_1""#,
            r#""approval":{"approval_id":"apr_1"},"approval_url":"https://x/approvals/apr_9""#,
            r#""approval_url":"https://x.example/approvals/apr_1""#,
            r#""approval":{"url":"https://x.example/approvals/apr_1?x=1"}"#,
            r#""approval":null,"approval_id":"apr_1""#,
        ] {
            assert_eq!(asked(members), ("apr_1".into(), "apr_1".into()), "{members}");
        }
        assert_eq!(asked(r#""approval":null"#), (String::new(), "act_1".into()));
        assert_eq!(asked(r#""approval_id":"../../admin""#), (String::new(), "act_1".into()));
    }
}
