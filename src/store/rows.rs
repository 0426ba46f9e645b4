//! The rows of a store, as its callers see them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A row of `static_policies`: the AxonFlow contract, section 4.1. `pattern` is a regular expression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredPolicy {
    /// UUID.
    pub id: String,
    /// Unique within a tenant; at most 100 characters.
    pub policy_id: String,
    /// At most 255 characters.
    pub name: String,
    /// A category of the contract.
    pub category: String,
    /// What it finds.
    pub pattern: String,
    /// `low`, `medium`, `high`, `critical`
    pub severity: String,
    /// For people.
    pub description: Option<String>,
    /// `block`, `require_approval`, `redact`, `warn`, `log`
    pub action: String,
    /// `request`, `response`, `both`
    pub phase: String,
    /// As `action`; wins in the request phase.
    pub action_request: Option<String>,
    /// As `action`; wins in the response phase.
    pub action_response: Option<String>,
    /// Whether it is asked.
    pub enabled: bool,
    /// `system`, `organization`, `tenant`
    pub tier: String,
    /// The higher one is named first.
    pub priority: i32,
    /// Organisation; may be empty.
    pub org_id: String,
    /// Tenant, or `global`.
    pub tenant_id: String,
    /// Free words.
    pub tags: Vec<String>,
    /// Free members.
    pub metadata: Value,
    /// Counts from 1.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed.
    pub updated_at: Timestamp,
    /// By whom it was made; may be empty.
    pub created_by: String,
    /// By whom it was changed; may be empty.
    pub updated_by: String,
}

/// A row of `policy_overrides`: the AxonFlow contract, section 3.3.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredOverride {
    /// UUID.
    pub id: String,
    /// The policy that is treated differently.
    pub policy_id: String,
    /// `static` or `dynamic`
    pub policy_type: String,
    /// What is done instead; `None` leaves the action and only switches.
    pub action_override: Option<String>,
    /// `Some(false)` switches the policy off.
    pub enabled_override: Option<bool>,
    /// Only for this tool; `None` for all.
    pub tool_signature: Option<String>,
    /// Why: 1 to 500 characters.
    pub override_reason: String,
    /// Tenant.
    pub tenant_id: String,
    /// By whom; may be empty.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// Until when; `None` is for ever.
    pub expires_at: Option<Timestamp>,
}

/// One decision, as it can be explained later. Never holds a value of the call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecisionRow {
    /// UUID.
    pub decision_id: String,
    /// 32 hex digits; may be empty.
    pub trace_id: String,
    /// When.
    pub timestamp: Timestamp,
    /// `allow`, `deny`, `needs_approval`
    pub verdict: String,
    /// `decide`, `check_input`, `check_output`, `gate`
    pub plane: String,
    /// Tenant.
    pub tenant_id: String,
    /// The tool, with its backend before it where that is known: `backend/tool`.
    pub tool_signature: String,
    /// Who called.
    pub client_id: String,
    /// Reasons in words.
    pub reasons: Vec<String>,
    /// Every policy that spoke.
    pub matched: Vec<MatchedRow>,
    /// Which set decided.
    pub policy_version: String,
    /// Context that the caller gave, as it is allowed to be kept.
    pub context: Value,
    /// What was masked: type and count.
    pub redactions: Value,
}

/// A policy that spoke, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchedRow {
    /// Its id.
    pub policy_id: String,
    /// Its name then.
    pub policy_name: String,
    /// Its category then.
    pub category: String,
    /// Its severity then.
    pub severity: String,
    /// What was done about it.
    pub action: String,
}

/// Which decisions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DecisionFilter {
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// With this verdict.
    pub verdict: Option<String>,
    /// In which this policy spoke.
    pub policy_id: Option<String>,
    /// Of this tool.
    pub tool_signature: Option<String>,
    /// At most so many.
    pub limit: u32,
}

/// A call that waits for a person: an item of the queue of the AxonFlow contract, section 3.2, and what binds a grant
/// to exactly one call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    /// UUID.
    pub request_id: String,
    /// Organisation; may be empty.
    pub org_id: String,
    /// Tenant; may be empty.
    pub tenant_id: String,
    /// Who asks: agent or client.
    pub client_id: String,
    /// The person for whom; may be empty.
    pub user_id: String,
    /// The call as a person reads it, masked.
    pub original_query: String,
    /// `mcp_tool_call` for calls of the gate.
    pub request_type: String,
    /// More that a person may want to see, masked: backend, tool, arguments, hints.
    pub request_context: Value,
    /// The policy that asks for a person.
    pub triggered_policy_id: String,
    /// Its name.
    pub triggered_policy_name: String,
    /// Why.
    pub trigger_reason: String,
    /// `low`, `medium`, `high`, `critical`
    pub severity: String,
    /// `pending`, `approved`, `rejected`, `expired`, `overridden`
    pub status: String,
    /// Who decided.
    pub reviewer_id: Option<String>,
    /// Their address.
    pub reviewer_email: Option<String>,
    /// What they said.
    pub review_comment: Option<String>,
    /// When.
    pub reviewed_at: Option<Timestamp>,
    /// A webhook that is told of the decision.
    pub notify_url: Option<String>,
    /// Until when it can be decided, and used.
    pub expires_at: Timestamp,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was changed.
    pub updated_at: Timestamp,
    /// What the grant is bound to: a digest of backend, tool and arguments.
    pub digest: String,
    /// What the grant is bound to: the set of policies that asked for it.
    pub policy_version: String,
    /// When the grant was used; it is used once.
    pub consumed_at: Option<Timestamp>,
}

/// Which tickets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TicketFilter {
    /// With one of these; empty for all.
    pub statuses: Vec<String>,
    /// With one of these; empty for all.
    pub severities: Vec<String>,
    /// Of this policy.
    pub policy_id: Option<String>,
    /// Of this client.
    pub client_id: Option<String>,
    /// Of this person.
    pub user_id: Option<String>,
    /// For this call.
    pub digest: Option<String>,
    /// At most so many.
    pub limit: u32,
    /// Behind so many.
    pub offset: u32,
    /// The oldest first.
    pub oldest_first: bool,
}

/// A person's word on a ticket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Review {
    /// `approved`, `rejected` or `overridden`
    pub status: String,
    /// Who.
    pub reviewer_id: String,
    /// Their address; may be empty.
    pub reviewer_email: String,
    /// What they say; may be empty.
    pub comment: String,
}

/// Something that happened to a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketEvent {
    /// When.
    pub at: Timestamp,
    /// `created`, `approved`, `rejected`, `overridden`, `expired`, `consumed`
    pub event: String,
    /// Who; empty when nobody in particular.
    pub by: String,
    /// What they said; may be empty.
    pub comment: String,
}

/// How many tickets of a tenant stand where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketStats {
    /// Tickets by status; one that ran out while it was pending counts as expired.
    pub by_status: BTreeMap<String, u64>,
    /// Pending tickets by severity.
    pub pending_by_severity: BTreeMap<String, u64>,
    /// When the oldest pending one was opened.
    pub oldest_pending: Option<Timestamp>,
}
