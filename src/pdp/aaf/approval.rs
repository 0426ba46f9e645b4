//! Reads how an approval stands: from the approval itself, from its action, and finds it in a list (the Agent Action
//! Firewall contract, section 8.2).

use super::reading::{self, Object};
use callgate_actors::ports::millis;
use jiff::Timestamp;
use serde_json::Value;
use std::time::Duration;

/// How an approval stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Nobody has decided.
    Waiting,
    /// Yes.
    Approved(Person),
    /// No.
    Denied(Person),
    /// Too late.
    Expired,
    /// The service does not know it.
    Missing,
    /// It cannot be told; never a yes.
    Unclear(String),
}

/// Who decided, and what they said; both may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) comment: String,
}

/// What was asked about.
#[derive(Clone, Copy, Debug)]
pub(super) struct About<'a> {
    /// May be empty.
    pub(super) action_id: &'a str,
    /// The approval's id; the action's where nobody knows the approval's.
    pub(super) approval_id: &'a str,
}

/// Reads the answer of `GET /v1/approvals/{id}`. An approval of another action pays for nothing.
pub(super) fn read(body: &[u8], about: About<'_>, now: Timestamp) -> Said {
    let Some(approval) = reading::object(body) else {
        return Said::Unclear("its answer about the approval cannot be read".into());
    };
    if !is_about(&approval, about) {
        return Said::Unclear("its answer is about another approval".into());
    }
    standing(&approval, now)
}

/// Reads the answer of `GET /v1/actions/{id}`, where the service shows no approval by itself.
pub(super) fn read_action(action: &Object, action_id: &str, now: Timestamp) -> Said {
    if reading::id(action, &["id", "action_id"]) != action_id {
        return Said::Unclear("its answer is about another action".into());
    }
    let of_approval = reading::inner(action, "approval").map(|approval| standing(approval, now));
    let of_action = match (reading::text(action, "status").unwrap_or_default(), &of_approval) {
        ("allowed", _) => Said::Approved(Person::default()),
        ("pending_approval", _) => Said::Waiting,
        ("denied", _) => Said::Denied(person(action)),
        ("expired", _) => Said::Expired,
        // What an action goes through once it was approved.
        ("queued" | "succeeded", Some(said)) => said.clone(),
        (unknown, _) => unclear(unknown),
    };
    match of_approval {
        Some(of_approval) => stricter(of_approval, of_action),
        None => of_action,
    }
}

/// The id of the approval of `action_id` in the answer of `GET /v1/approvals`.
pub(super) fn find(body: &[u8], action_id: &str) -> Option<String> {
    let list = reading::object(body)?;
    let approvals = list.get("data").or_else(|| list.get("approvals")).and_then(Value::as_array)?;
    let mut ids = approvals.iter().filter_map(Value::as_object).filter(|of| action_of(of) == action_id);
    ids.next().map(|approval| reading::id(approval, &["id", "approval_id"])).filter(|id| !id.is_empty())
}

fn is_about(approval: &Object, about: About<'_>) -> bool {
    let (id, action) = (reading::id(approval, &["id", "approval_id"]), action_of(approval));
    let names_action = !action.is_empty() && !about.action_id.is_empty();
    if names_action && action != about.action_id {
        return false;
    }
    names_action || id == about.approval_id
}

fn action_of(approval: &Object) -> String {
    reading::id(approval, &["action_id", "action_request_id"])
}

fn standing(approval: &Object, now: Timestamp) -> Said {
    let expires_at: Option<Timestamp> = reading::text(approval, "expires_at").and_then(|at| at.parse().ok());
    match reading::text(approval, "status").unwrap_or_default() {
        "approved" => Said::Approved(person(approval)),
        "denied" | "rejected" => Said::Denied(person(approval)),
        "expired" => Said::Expired,
        "pending" if expires_at.is_some_and(|at| at <= now) => Said::Expired,
        "pending" => Said::Waiting,
        unknown => unclear(unknown),
    }
}

fn person(of: &Object) -> Person {
    Person {
        name: reading::who(of, &["decided_by", "approved_by", "denied_by", "reviewer"]),
        comment: reading::sentence(of, &["decision_reason", "comment", "reason"]),
    }
}

fn unclear(status: &str) -> Said {
    Said::Unclear(format!("it gave an unknown status \"{}\"", crate::pdp::text::clean(status, 32)))
}

fn stricter(one: Said, other: Said) -> Said {
    let rank = |said: &Said| match said {
        Said::Denied(_) => 4,
        Said::Expired | Said::Missing => 3,
        Said::Unclear(_) => 2,
        Said::Waiting => 1,
        Said::Approved(_) => 0,
    };
    if rank(&other) > rank(&one) { other } else { one }
}

/// The earliest of the two ends of a ticket: the service's, and ours.
pub(super) fn ends(now: Timestamp, lifetime: Duration, told: Option<Timestamp>) -> Timestamp {
    let lifetime = jiff::SignedDuration::from_millis(i64::try_from(millis(lifetime)).unwrap_or(i64::MAX));
    let ours = now.checked_add(lifetime).unwrap_or(Timestamp::MAX);
    told.map_or(ours, |told| told.min(ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-20T12:00:00Z".parse().unwrap()
    }

    const ABOUT: About<'static> = About { action_id: "act_1", approval_id: "apr_1" };

    fn said(body: &str) -> Said {
        read(body.as_bytes(), ABOUT, now())
    }

    fn person(name: &str, comment: &str) -> Person {
        Person { name: name.into(), comment: comment.into() }
    }

    #[test]
    fn every_documented_status_is_known() {
        let of = |rest: &str| said(&format!(r#"{{"id":"apr_1","action_id":"act_1",{rest}}}"#));
        assert_eq!(of(r#""status":"pending""#), Said::Waiting);
        assert_eq!(of(r#""status":"pending","expires_at":"2026-11-20T11:59:59Z""#), Said::Expired);
        assert_eq!(of(r#""status":"pending","expires_at":"2026-11-20T12:00:01Z""#), Said::Waiting);
        assert_eq!(of(r#""status":"expired""#), Said::Expired);
        assert_eq!(
            of(r#""status":"approved","decided_by":"ann","decision_reason":"fine""#),
            Said::Approved(person("ann", "fine"))
        );
        assert_eq!(
            of(r#""status":"approved","approved_by":{"id":"u","email":"b@x.example"},"comment":"go""#),
            Said::Approved(person("b@x.example", "go"))
        );
        assert_eq!(of(r#""status":"denied","reason":"no""#), Said::Denied(person("", "no")));
    }

    #[test]
    fn nothing_else_is_a_yes() {
        for body in [
            "",
            "[]",
            "approved",
            r#"{"id":"apr_1"}"#,
            r#"{"id":"apr_1","status":true}"#,
            r#"{"id":"apr_1","status":"APPROVED"}"#,
            r#"{"id":"apr_1","status":"approve"}"#,
            r#"{"id":"apr_1","status":"denied","status":"approved"}"#,
            // Somebody else's.
            r#"{"id":"apr_2","status":"approved"}"#,
            r#"{"id":"apr_1","action_id":"act_2","status":"approved"}"#,
            r#"{"id":"apr_1","action_request_id":"act_2","status":"approved"}"#,
            r#"{"status":"approved"}"#,
        ] {
            assert!(matches!(said(body), Said::Unclear(_)), "{body}: {:?}", said(body));
        }
        for yes in [
            r#"{"id":"apr_1","status":"approved"}"#,
            r#"{"action_request_id":"act_1","status":"approved"}"#,
            r#"{"data":{"id":"apr_1","status":"approved"}}"#,
        ] {
            assert!(matches!(said(yes), Said::Approved(_)), "{yes}");
        }
    }

    #[test]
    fn an_action_tells_of_its_approval() {
        let of = |body: &str| read_action(&reading::object(body.as_bytes()).unwrap(), "act_1", now());
        for (body, expected) in [
            (r#"{"id":"act_1","status":"allowed","approval":null}"#, Said::Approved(Person::default())),
            (r#"{"id":"act_1","status":"pending_approval"}"#, Said::Waiting),
            (r#"{"id":"act_1","status":"denied","reason":"no"}"#, Said::Denied(person("", "no"))),
            (
                r#"{"id":"act_1","status":"queued","approval":{"status":"approved"}}"#,
                Said::Approved(Person::default()),
            ),
            (r#"{"id":"act_1","status":"allowed","approval":{"status":"pending"}}"#, Said::Waiting),
            (
                r#"{"id":"act_1","status":"denied","approval":{"status":"approved"}}"#,
                Said::Denied(Person::default()),
            ),
        ] {
            assert_eq!(of(body), expected, "{body}");
        }
        for body in [
            r#"{"id":"act_2","status":"allowed"}"#,
            r#"{"status":"allowed"}"#,
            r#"{"id":"act_1","status":"queued"}"#,
            r#"{"id":"act_1"}"#,
        ] {
            assert!(matches!(of(body), Said::Unclear(_)), "{body}");
        }
    }

    #[test]
    fn a_list_is_searched_by_action() {
        let list =
            br#"{"data":[{"id":"apr_0","action_id":"act_0"},{"id":"apr_1","action_request_id":"act_1"}],
            "pagination":{"total":2}}"#;
        assert_eq!(find(list, "act_1").as_deref(), Some("apr_1"));
        assert_eq!(find(list, "act_2"), None);
        assert_eq!(find(br#"{"data":{}}"#, "act_1"), None);
        assert_eq!(find(b"[]", "act_1"), None);
    }

    #[test]
    fn the_earlier_end_holds() {
        let hour = Duration::from_secs(3600);
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(ends(now(), hour, None), at("2026-11-20T13:00:00Z"));
        assert_eq!(ends(now(), hour, Some(at("2026-11-21T12:00:00Z"))), at("2026-11-20T13:00:00Z"));
        assert_eq!(ends(now(), hour, Some(at("2026-11-20T12:30:00Z"))), at("2026-11-20T12:30:00Z"));
    }
}
