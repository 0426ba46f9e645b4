//! The JSON of the decision plane and of check-input, as the service writes and reads it.

use serde::{Deserialize, Serialize};

/// Body of `POST /api/v1/decide` (the AxonFlow contract, section 1.1).
#[derive(Debug, Serialize)]
pub(super) struct DecideRequest<'a> {
    pub(super) stage: &'static str,
    pub(super) caller_identity: CallerIdentity<'a>,
    pub(super) target: Target<'a>,
    pub(super) query: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) user_token: &'a str,
    pub(super) context: Context<'a>,
    pub(super) fulfillment_capabilities: &'static [&'static str],
}

#[derive(Debug, Serialize)]
pub(super) struct CallerIdentity<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) gateway_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) org_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) tenant_id: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct Target<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) tool: &'a str,
    pub(super) server: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct Context<'a> {
    pub(super) tool_name: &'a str,
    pub(super) exposed_name: &'a str,
    pub(super) backend: &'a str,
    pub(super) protocol: &'static str,
    pub(super) surface: &'static str,
    #[serde(rename = "x-ai-agent", skip_serializing_if = "str::is_empty")]
    pub(super) ai_agent: &'a str,
    #[serde(rename = "x-session-id", skip_serializing_if = "str::is_empty")]
    pub(super) session_id: &'a str,
    #[serde(rename = "x-leader-identity", skip_serializing_if = "str::is_empty")]
    pub(super) leader_identity: &'a str,
}

/// Body of a 200 (the AxonFlow contract, section 1.5). Members that are not known are ignored; a known one of the
/// wrong type makes the whole answer unreadable.
#[derive(Debug, Deserialize)]
pub(super) struct DecideAnswer {
    pub(super) verdict: String,
    pub(super) decision_id: Option<String>,
    pub(super) trace_id: Option<String>,
    pub(super) reasons: Option<Vec<String>>,
    pub(super) obligations: Option<Vec<Obligation>>,
    pub(super) evaluated_policies: Option<Vec<String>>,
    pub(super) pending_approval: Option<PendingApproval>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Obligation {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) fulfillment: Option<Fulfillment>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Fulfillment {
    pub(super) endpoint: Option<String>,
    pub(super) method: Option<String>,
    pub(super) phase: Option<String>,
    pub(super) content_types: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct PendingApproval {
    pub(super) approval_id: Option<String>,
    pub(super) status: Option<String>,
    pub(super) plane: Option<String>,
    pub(super) expires_at: Option<String>,
    pub(super) retry: Option<Retry>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Retry {
    pub(super) header: Option<String>,
}

/// Body of `POST /api/v1/mcp/check-input` (the AxonFlow contract, section 2.2).
#[derive(Debug, Serialize)]
pub(super) struct CheckInputRequest<'a> {
    pub(super) client_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) user_token: &'a str,
    pub(super) tenant_id: &'a str,
    pub(super) connector_type: &'static str,
    pub(super) statement: &'a str,
}

#[derive(Debug, Deserialize)]
pub(super) struct CheckInputAnswer {
    pub(super) allowed: bool,
    pub(super) block_reason: Option<String>,
    pub(super) redacted: Option<bool>,
    pub(super) redacted_statement: Option<String>,
    pub(super) redaction_evaluated: Option<bool>,
}

/// Body of `POST /api/v1/mcp/check-output` (the AxonFlow contract, section 2.1).
#[derive(Debug, Serialize)]
pub(super) struct CheckOutputRequest<'a> {
    pub(super) client_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) user_token: &'a str,
    pub(super) tenant_id: &'a str,
    pub(super) connector_type: &'static str,
    pub(super) message: &'a str,
}

#[derive(Debug, Deserialize)]
pub(super) struct CheckOutputAnswer {
    pub(super) allowed: bool,
    pub(super) block_reason: Option<String>,
    /// A string when a `message` was sent; anything else is refused, `null` is absent.
    pub(super) redacted_data: Option<serde_json::Value>,
    pub(super) decision_id: Option<String>,
    pub(super) redaction_evaluated: Option<bool>,
}
