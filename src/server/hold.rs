//! Calls that wait for a person (the AxonFlow contract, section 1.5): the first request opens a ticket, the repeated one
//! redeems it. A grant is for exactly one call, is used once, and is given by somebody other than the caller.

use super::context::floor;
use super::judge::Judged;
use super::limits::{APPROVAL_LIFE, SHOWN_QUERY_BYTES};
use super::reply::Refusal;
use super::state::App;
use crate::policy::authority::Matched;
use crate::policy::model::Action;
use crate::store::Ticket;
use axum::http::HeaderMap;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The header that redeems a grant.
pub(super) const APPROVAL_HEADER: &str = "x-axonflow-approval-id";

/// The call that is held.
pub(super) struct Held<'a> {
    /// `decide` or `mcp:request`.
    pub(super) plane: &'static str,
    /// Who asks.
    pub(super) client: &'a str,
    /// The person for whom, asserted; may be empty.
    pub(super) person: &'a str,
    /// Backend, or connector.
    pub(super) backend: &'a str,
    /// Tool; may be empty.
    pub(super) tool: &'a str,
    /// Everything that the grant is bound to.
    pub(super) bound: &'a str,
    /// The call as a person may see it: masked.
    pub(super) shown: String,
}

/// What becomes of it.
pub(super) enum Hold {
    /// This grant paid for it.
    Paid(String),
    /// It waits: the reason, and the ticket that can still be decided or redeemed.
    Waits { reason: String, pending: Option<Box<Ticket>> },
}

/// The approval that a request redeems; header and body may both name it.
///
/// # Errors
/// The two differ, which redeems nothing.
pub(super) fn named(headers: &HeaderMap, body: Option<&str>) -> Result<Option<String>, ()> {
    let header = headers.get(APPROVAL_HEADER).map(|value| value.to_str().unwrap_or_default().trim());
    let body = body.map(str::trim).filter(|id| !id.is_empty());
    match (header.filter(|id| !id.is_empty()), body) {
        (Some(one), Some(other)) if one != other => Err(()),
        (one, other) => Ok(one.or(other).map(str::to_owned)),
    }
}

impl App {
    /// Redeems the named approval, or opens a ticket.
    pub(super) async fn hold(
        &self,
        judged: &Judged,
        held: Held<'_>,
        named: Result<Option<String>, ()>,
    ) -> Result<Hold, Refusal> {
        let ticket = self.ticket_for(judged, held);
        match named {
            Err(()) => Ok(waits("approval_not_found: header and body name different approvals", None)),
            Ok(None) => self.open(ticket).await,
            Ok(Some(id)) => self.redeem(id, ticket).await,
        }
    }

    async fn open(&self, ticket: Ticket) -> Result<Hold, Refusal> {
        let open = self.open_ticket(ticket).await?;
        let what = if open.status == "approved" { "approval_pending" } else { "approval_required" };
        let reason = format!("{what}: {}", open.trigger_reason);
        Ok(Hold::Waits { reason, pending: Some(Box::new(open)) })
    }

    async fn redeem(&self, id: String, asked: Ticket) -> Result<Hold, Refusal> {
        let (digest, version, person) = (asked.digest, asked.policy_version, asked.user_id);
        self.stored(move |store, tenant| {
            let Some(ticket) = store.ticket(tenant, &id)? else {
                return Ok(waits("approval_not_found", None));
            };
            if ticket.digest != digest {
                return Ok(waits("bound_input_changed: the approval is for another call", None));
            }
            let used = "approval_already_consumed";
            Ok(match ticket.status.as_str() {
                _ if ticket.consumed_at.is_some() => waits(used, None),
                "pending" => waits("approval_pending", Some(Box::new(ticket))),
                "rejected" => waits("approval_rejected", None),
                "approved" | "overridden" => match reviewer_fault(&ticket, &person) {
                    Some(fault) => waits(fault, None),
                    None if store.consume_ticket(tenant, &id, &digest, &version)? => Hold::Paid(id),
                    None if ticket.policy_version != version => {
                        waits("bound_input_changed: the policies that ask for approval have changed", None)
                    }
                    None if ticket.expires_at <= Timestamp::now() => waits("approval_expired", None),
                    None => waits(used, None),
                },
                _ => waits("approval_expired", None),
            })
        })
        .await
    }

    fn ticket_for(&self, judged: &Judged, held: Held<'_>) -> Ticket {
        let now = Timestamp::now();
        let asks = |matched: &&Matched| matched.action == Action::RequireApproval;
        let trigger = judged.judgement.matched.iter().find(asks);
        let cut = floor(&held.shown, SHOWN_QUERY_BYTES);
        Ticket {
            request_id: uuid::Uuid::new_v4().to_string(),
            org_id: self.organization.clone(),
            tenant_id: self.tenant.clone(),
            client_id: held.client.to_owned(),
            user_id: held.person.to_owned(),
            original_query: held.shown[..cut].to_owned(),
            request_type: if held.tool.is_empty() { "mcp_statement" } else { "mcp_tool_call" }.to_owned(),
            request_context: json!({"server": held.backend, "tool": held.tool, "plane": held.plane}),
            triggered_policy_id: trigger.map(|t| t.policy_id.clone()).unwrap_or_default(),
            triggered_policy_name: trigger.map(|t| t.policy_name.clone()).unwrap_or_default(),
            trigger_reason: trigger.map(Matched::reason).unwrap_or_default(),
            severity: trigger.map_or("high", |t| super::judge::severity(t.severity)).to_owned(),
            status: "pending".to_owned(),
            reviewer_id: None,
            reviewer_email: None,
            review_comment: None,
            reviewed_at: None,
            notify_url: None,
            expires_at: now + jiff::SignedDuration::try_from(APPROVAL_LIFE).unwrap_or_default(),
            created_at: now,
            updated_at: now,
            digest: digest(&[held.plane, held.client, held.backend, held.tool, held.bound]),
            policy_version: version(&judged.judgement.matched),
            consumed_at: None,
        }
    }
}

fn waits(reason: &str, pending: Option<Box<Ticket>>) -> Hold {
    Hold::Waits { reason: reason.to_owned(), pending }
}

/// Whether the person who said yes may have done so.
pub(super) fn reviewer_fault(ticket: &Ticket, person: &str) -> Option<&'static str> {
    let reviewers = [ticket.reviewer_id.as_deref(), ticket.reviewer_email.as_deref()];
    let named = || reviewers.into_iter().flatten().filter(|name| !name.is_empty());
    if named().next().is_none() {
        return Some("approval_reviewer_unattributed");
    }
    let callers = [ticket.client_id.as_str(), ticket.user_id.as_str(), person];
    let is_caller =
        |name: &str| callers.iter().any(|caller| !caller.is_empty() && caller.eq_ignore_ascii_case(name));
    named().any(is_caller).then_some("approval_reviewer_excluded")
}

/// `pending_approval` (the AxonFlow contract, section 1.5).
pub(super) fn pending(ticket: &Ticket) -> Value {
    let plane = ticket.request_context["plane"].as_str().unwrap_or("decide");
    json!({
        "approval_id": ticket.request_id,
        "status": ticket.status,
        "plane": plane,
        "expires_at": ticket.expires_at.to_string(),
        "retry": {"header": "X-Axonflow-Approval-Id", "body_field": "approval_id"},
    })
}

/// Hex of SHA-256 over the parts with their lengths, so that no two lists share one text.
fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Which policies asked for a person. Another policy that changes meanwhile does not spoil the grant: the call is judged
/// anew when it is redeemed.
fn version(matched: &[Matched]) -> String {
    let mut ids: Vec<&str> = matched
        .iter()
        .filter(|matched| matched.action == Action::RequireApproval)
        .map(|matched| matched.policy_id.as_str())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    digest(&ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_and_body_must_agree() {
        let mut headers = HeaderMap::new();
        assert_eq!(named(&headers, None), Ok(None));
        assert_eq!(named(&headers, Some(" a ")), Ok(Some("a".into())));
        headers.insert(APPROVAL_HEADER, "a".parse().expect("value"));
        assert_eq!(named(&headers, Some("a")), Ok(Some("a".into())));
        assert_eq!(named(&headers, Some("b")), Err(()));
    }

    #[test]
    fn parts_cannot_be_shifted_into_each_other() {
        assert_ne!(digest(&["ab", "c"]), digest(&["a", "bc"]));
        assert_eq!(digest(&["a"]).len(), 64);
    }
}
