//! What the page is told of tickets: everything as plain text, which it shows as text.

use crate::server::limits::{PAGE_DECIDED, PAGE_WAITING};
use crate::store::{Store, StoreError, Ticket, TicketFilter};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;

/// Everything that is shown.
#[derive(Debug, Serialize)]
struct Desk<'a> {
    waiting: Vec<Shown<'a>>,
    /// How many wait, those that are not shown included.
    total: u64,
    decided: Vec<Shown<'a>>,
}

/// One ticket.
#[derive(Debug, Serialize)]
pub(super) struct Shown<'a> {
    id: &'a str,
    /// `pending`, `approved`, `rejected`, `expired`, `overridden`; an approval that was used is `used`.
    state: &'a str,
    backend: &'a str,
    tool: &'a str,
    agent: &'a str,
    user: &'a str,
    /// The call in one text, for what has no arguments of its own.
    call: &'a str,
    /// The arguments, masked; `None` for what has none of its own.
    arguments: Option<Vec<Argument<'a>>>,
    read_only: bool,
    severity: &'a str,
    policies: Vec<Policy<'a>>,
    reason: &'a str,
    policy_version: &'a str,
    /// Milliseconds since 1970, as all times here.
    created: i64,
    expires: i64,
    reviewer: &'a str,
    comment: &'a str,
    reviewed: Option<i64>,
    used: Option<i64>,
}

/// One argument, written out here: a browser would read large numbers as others.
#[derive(Debug, Serialize)]
struct Argument<'a> {
    /// `None` for arguments that are no object: they were cut.
    name: Option<&'a str>,
    /// `text` or `json`
    kind: &'static str,
    text: Cow<'a, str>,
}

impl<'a> Argument<'a> {
    fn of(name: Option<&'a str>, value: &'a Value) -> Self {
        match value {
            Value::String(text) => Self { name, kind: "text", text: Cow::Borrowed(text) },
            value => {
                let text = serde_json::to_string_pretty(value).unwrap_or_default();
                Self { name, kind: "json", text: Cow::Owned(text) }
            }
        }
    }

    fn all(arguments: &'a Value) -> Vec<Self> {
        match arguments {
            Value::Object(members) => {
                members.iter().map(|(name, value)| Self::of(Some(name), value)).collect()
            }
            other => vec![Self::of(None, other)],
        }
    }
}

/// A policy that spoke.
#[derive(Debug, Serialize)]
struct Policy<'a> {
    id: &'a str,
    name: &'a str,
    action: &'a str,
}

impl<'a> Shown<'a> {
    pub(super) fn of(ticket: &'a Ticket) -> Self {
        let context = &ticket.request_context;
        let text = |key: &str| context[key].as_str().unwrap_or_default();
        let backend = if text("backend").is_empty() { text("server") } else { text("backend") };
        let time = |time: Option<Timestamp>| time.map(Timestamp::as_millisecond);
        Self {
            id: &ticket.request_id,
            state: if ticket.consumed_at.is_some() { "used" } else { &ticket.status },
            backend,
            tool: if text("tool").is_empty() { &ticket.request_type } else { text("tool") },
            agent: &ticket.client_id,
            user: &ticket.user_id,
            call: &ticket.original_query,
            arguments: context.get("arguments").map(Argument::all),
            read_only: context["read_only"].as_bool().unwrap_or_default(),
            severity: &ticket.severity,
            policies: policies(ticket),
            reason: &ticket.trigger_reason,
            policy_version: &ticket.policy_version,
            created: ticket.created_at.as_millisecond(),
            expires: ticket.expires_at.as_millisecond(),
            reviewer: ticket
                .reviewer_id
                .as_deref()
                .filter(|id| !id.is_empty())
                .or(ticket.reviewer_email.as_deref())
                .unwrap_or_default(),
            comment: ticket.review_comment.as_deref().unwrap_or_default(),
            reviewed: time(ticket.reviewed_at),
            used: time(ticket.consumed_at),
        }
    }
}

fn policies(ticket: &Ticket) -> Vec<Policy<'_>> {
    let context = &ticket.request_context;
    let matched = context["matched_policies"].as_array().map(Vec::as_slice).unwrap_or_default();
    let named = matched.iter().map(|policy| {
        let text = |key: &str| policy[key].as_str().unwrap_or_default();
        Policy { id: text("policy_id"), name: text("policy_name"), action: text("action") }
    });
    let named: Vec<Policy<'_>> = named.collect();
    if named.is_empty() && !ticket.triggered_policy_id.is_empty() {
        let (id, name) = (&ticket.triggered_policy_id, &ticket.triggered_policy_name);
        return vec![Policy { id, name, action: "require_approval" }];
    }
    named
}

/// Everything that is shown of a tenant, as one line of JSON.
pub(super) fn read(store: &dyn Store, tenant: &str) -> Result<String, StoreError> {
    let of = |statuses: &[&str], limit: u32, oldest_first: bool| {
        let statuses = statuses.iter().map(|status| (*status).to_owned()).collect();
        store.tickets(tenant, &TicketFilter { statuses, limit, oldest_first, ..TicketFilter::default() })
    };
    let (waiting, total) = of(&["pending"], PAGE_WAITING, true)?;
    // Listed by their opening; what was decided last stands first.
    let (mut decided, _) = of(&["approved", "rejected", "overridden", "expired"], PAGE_DECIDED * 4, false)?;
    decided.sort_by_key(|ticket| std::cmp::Reverse(ticket.reviewed_at.unwrap_or(ticket.expires_at)));
    decided.truncate(PAGE_DECIDED as usize);
    let desk = Desk {
        waiting: waiting.iter().map(Shown::of).collect(),
        total,
        decided: decided.iter().map(Shown::of).collect(),
    };
    serde_json::to_string(&desk).map_err(|error| StoreError::Failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::samples;
    use serde_json::json;

    #[test]
    fn a_ticket_of_the_gate_shows_the_call_and_who_spoke() {
        let mut ticket = samples::ticket("t", "d");
        ticket.request_context = json!({"backend": "crm", "tool": "drop", "arguments": {"table": "a", "id": 18446744073709551615_u64}, "read_only": false,
            "matched_policies": [{"policy_id": "p", "policy_name": "P", "action": "require_approval"}]});
        let shown = json!(Shown::of(&ticket));
        assert_eq!((&shown["backend"], &shown["tool"]), (&json!("crm"), &json!("drop")));
        let arguments = shown["arguments"].as_array().expect("a list");
        assert!(arguments.contains(&json!({"name": "table", "kind": "text", "text": "a"})));
        assert!(arguments.contains(&json!({"name": "id", "kind": "json", "text": "18446744073709551615"})));
        assert_eq!(shown["policies"], json!([{"id": "p", "name": "P", "action": "require_approval"}]));
        assert_eq!(shown["state"], "pending");
        ticket.consumed_at = Some(Timestamp::now());
        assert_eq!(Shown::of(&ticket).state, "used");
    }

    #[test]
    fn a_ticket_of_the_service_shows_what_there_is() {
        let mut ticket = samples::ticket("t", "d");
        ticket.request_context = json!({"server": "crm", "tool": "", "plane": "mcp:request"});
        let shown = json!(Shown::of(&ticket));
        assert_eq!((&shown["backend"], &shown["tool"]), (&json!("crm"), &json!("mcp_tool_call")));
        assert_eq!((&shown["arguments"], &shown["policies"][0]["id"]), (&Value::Null, &json!("p")));
    }

    #[test]
    fn it_is_one_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = crate::store::SqliteStore::open(folder.path()).expect("opened");
        let mut ticket = samples::ticket("t", "d");
        ticket.original_query = "one\ntwo\r\nthree".into();
        store.open_ticket(&ticket).expect("opened");
        let text = read(&store, "t").expect("read");
        assert!(!text.contains(['\n', '\r']), "{text}");
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((&value["total"], value["waiting"].as_array().map(Vec::len)), (&json!(1), Some(1)));
        store.decide_ticket("t", &ticket.request_id, &samples::yes()).expect("decided");
        let value: Value = serde_json::from_str(&read(&store, "t").expect("read")).expect("JSON");
        assert_eq!(value["decided"][0]["reviewer"], "boss");
        assert_eq!(value["waiting"], json!([]));
    }
}
