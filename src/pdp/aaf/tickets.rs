//! Which actions of the service wait for a person, and for which calls: kept in the embedded store, so that a call that is
//! repeated finds its action again, in this process, the next one or another one beside it, and a grant is used once
//! among all of them.
//!
//! The rows stand under a tenant of their own, which no command and no page shows: the service decides, and nothing that
//! is written here is a yes.

use super::answer::Pending;
use super::approval::ends;
use super::options::AafOptions;
use crate::store::{LazyStore, Review, StoreError, Ticket as Row, TicketFilter};
use callgate_actors::call::Call;
use callgate_actors::ports::Decision;
use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use std::time::Duration;

/// Stands in the place of a policy version: the service tells none.
const VERSION: &str = "aaf";
/// `request_type` of the rows.
const REQUEST_TYPE: &str = "aaf_action";
/// Rows of one call that are looked at: the open one is the newest.
const NEWEST: u32 = 4;

/// The actions that wait.
pub(super) struct Tickets {
    store: Arc<LazyStore>,
    /// One service and one agent at it.
    tenant: String,
    agent: String,
    lifetime: Duration,
}

/// What became of a yes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Redeemed {
    /// This caller, and nobody else, runs the call.
    Once,
    /// Another call that is the same has run.
    Used,
    /// It came too late.
    Late,
}

/// How a row ends without a grant.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// Somebody said no: final for the same call as long as the row lives.
    Refused,
    /// Nobody decided, or the service has forgotten it: the same call may ask again.
    Void,
}

impl Tickets {
    pub(super) fn new(options: &AafOptions, store: Arc<LazyStore>) -> Self {
        let place = Sha256::digest(format!("{}\n{}", options.url.trim_end_matches('/'), options.agent_id));
        let place: String = place.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self {
            store,
            tenant: format!("aaf:{place}"),
            agent: options.ai_agent.clone(),
            lifetime: options.approval_lifetime,
        }
    }

    /// The row of this very call that is open, or was refused, while its time lasts.
    pub(super) fn find(&self, digest: &str) -> Result<Option<Row>, StoreError> {
        let Some(store) = self.store.existing()? else { return Ok(None) };
        let filter = TicketFilter {
            statuses: ["pending", "approved", "rejected"].map(String::from).into(),
            digest: Some(digest.into()),
            limit: NEWEST,
            ..TicketFilter::default()
        };
        let (rows, _) = store.tickets(&self.tenant, &filter)?;
        let now = Timestamp::now();
        Ok(rows.into_iter().find(|row| row.consumed_at.is_none() && row.expires_at > now))
    }

    /// Keeps that this call waits. The one of another process that was first for the same call stands.
    pub(super) fn keep(
        &self,
        call: &Call,
        digest: String,
        decision: &Decision,
        pending: &Pending,
    ) -> Result<Row, StoreError> {
        let now = Timestamp::now();
        let matched = decision.matched.first().cloned().unwrap_or_default();
        self.store.get()?.open_ticket(&Row {
            request_id: key(&pending.action_id, &pending.approval_id).to_owned(),
            org_id: String::new(),
            tenant_id: self.tenant.clone(),
            client_id: self.agent.clone(),
            user_id: String::new(),
            original_query: format!("{}/{}", call.backend, call.tool),
            request_type: REQUEST_TYPE.into(),
            request_context: json!({
                "action_id": pending.action_id,
                "approval_id": pending.approval_id,
                "approval_url": pending.url,
                "trace_id": decision.trace_id,
            }),
            triggered_policy_id: matched.policy_id,
            triggered_policy_name: matched.policy_name,
            trigger_reason: decision.reasons.first().cloned().unwrap_or_default(),
            severity: if matched.severity.is_empty() { "high".into() } else { matched.severity },
            status: "pending".into(),
            reviewer_id: None,
            reviewer_email: None,
            review_comment: None,
            reviewed_at: None,
            notify_url: None,
            expires_at: ends(now, self.lifetime, pending.expires_at),
            created_at: now,
            updated_at: now,
            digest,
            policy_version: VERSION.into(),
            consumed_at: None,
        })
    }

    /// The row of an action or, where that has no id, of an approval.
    pub(super) fn get(&self, key: &str) -> Result<Option<Row>, StoreError> {
        self.store.get()?.ticket(&self.tenant, key)
    }

    /// Writes down that `who` said no, or that nobody will say anything any more.
    pub(super) fn end(&self, row: &Row, end: End, who: &str, comment: &str) {
        let status = match end {
            End::Refused => "rejected",
            // A word of the store for "decided otherwise", which opens nothing and refuses nothing.
            End::Void => "overridden",
        };
        if let Err(error) = self.decide(row, status, who, comment) {
            // Then the next look finds out again.
            tracing::debug!("the end of approval {} was not written down: {error}", row.request_id);
        }
    }

    /// Uses the yes of `who` up.
    pub(super) fn redeem(
        &self,
        row: &Row,
        digest: &str,
        who: &str,
        comment: &str,
    ) -> Result<Redeemed, StoreError> {
        match self.decide(row, "approved", who, comment) {
            // Decided already: by another process, on its way to the next line.
            Ok(()) | Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error),
        }
        if self.store.get()?.consume_ticket(&self.tenant, &row.request_id, digest, VERSION)? {
            return Ok(Redeemed::Once);
        }
        Ok(if row.expires_at <= Timestamp::now() { Redeemed::Late } else { Redeemed::Used })
    }

    fn decide(&self, row: &Row, status: &str, who: &str, comment: &str) -> Result<(), StoreError> {
        let review = Review {
            status: status.into(),
            reviewer_id: if who.is_empty() { "somebody".into() } else { who.into() },
            reviewer_email: String::new(),
            comment: comment.into(),
        };
        self.store.get()?.decide_ticket(&self.tenant, &row.request_id, &review).map(|_| ())
    }
}

/// The key of a row: the action's id, or the approval's where the action has none.
pub(super) fn key<'a>(action_id: &'a str, approval_id: &'a str) -> &'a str {
    if action_id.is_empty() { approval_id } else { action_id }
}

/// What a row remembers of what was asked.
pub(super) fn pending_of(row: &Row) -> Pending {
    let text = |key: &str| row.request_context[key].as_str().unwrap_or_default().to_owned();
    Pending {
        action_id: text("action_id"),
        approval_id: text("approval_id"),
        url: text("approval_url"),
        expires_at: Some(row.expires_at),
    }
}
