//! Rows for tests.

use super::{DecisionRow, Review, StoredOverride, StoredPolicy, Ticket};
use jiff::{Timestamp, ToSpan};
use serde_json::json;

/// Now, in microseconds as the stores keep it.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_microsecond(Timestamp::now().as_microsecond()).expect("in range")
}

/// In an hour.
pub(crate) fn soon() -> Timestamp {
    now() + 1.hours()
}

/// A second ago.
pub(crate) fn ended() -> Timestamp {
    now() - 1.seconds()
}

fn id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// A policy that finds `forbidden word`.
pub(crate) fn policy(tenant: &str, policy_id: &str) -> StoredPolicy {
    StoredPolicy {
        id: id(),
        policy_id: policy_id.into(),
        name: format!("Policy {policy_id}"),
        category: "security-dangerous".into(),
        pattern: "forbidden word".into(),
        severity: "high".into(),
        description: Some("for tests".into()),
        action: "block".into(),
        phase: "request".into(),
        action_request: None,
        action_response: None,
        enabled: true,
        tier: "tenant".into(),
        priority: 50,
        org_id: String::new(),
        tenant_id: tenant.into(),
        tags: vec!["one".into(), "two".into()],
        metadata: json!({"owner": "tests"}),
        version: 1,
        created_at: now(),
        updated_at: now(),
        created_by: "maker".into(),
        updated_by: "maker".into(),
    }
}

/// An override that only logs, for ever.
pub(crate) fn override_of(tenant: &str, policy_id: &str) -> StoredOverride {
    StoredOverride {
        id: id(),
        policy_id: policy_id.into(),
        policy_type: "static".into(),
        action_override: Some("log".into()),
        enabled_override: None,
        tool_signature: None,
        override_reason: "migration week".into(),
        tenant_id: tenant.into(),
        created_by: "maker".into(),
        created_at: now(),
        expires_at: None,
    }
}

/// A decision that allowed.
pub(crate) fn decision(tenant: &str) -> DecisionRow {
    DecisionRow {
        decision_id: id(),
        trace_id: "0af7651916cd43dd8448eb211c80319c".into(),
        timestamp: now(),
        verdict: "allow".into(),
        plane: "gate".into(),
        tenant_id: tenant.into(),
        tool_signature: "crm/lookup".into(),
        client_id: "agent".into(),
        reasons: Vec::new(),
        matched: Vec::new(),
        policy_version: "v1".into(),
        context: json!({}),
        redactions: json!({}),
    }
}

/// A ticket of policy version `v1` that waits for an hour.
pub(crate) fn ticket(tenant: &str, digest: &str) -> Ticket {
    Ticket {
        request_id: id(),
        org_id: "org".into(),
        tenant_id: tenant.into(),
        client_id: "agent".into(),
        user_id: "person".into(),
        original_query: "crm/drop {\"table\": \"a\"}".into(),
        request_type: "mcp_tool_call".into(),
        request_context: json!({"backend": "crm"}),
        triggered_policy_id: "p".into(),
        triggered_policy_name: "Policy p".into(),
        trigger_reason: "because".into(),
        severity: "high".into(),
        status: "pending".into(),
        reviewer_id: None,
        reviewer_email: None,
        review_comment: None,
        reviewed_at: None,
        notify_url: Some("https://example.com/told".into()),
        expires_at: soon(),
        created_at: now(),
        updated_at: now(),
        digest: digest.into(),
        policy_version: "v1".into(),
        consumed_at: None,
    }
}

/// A person who agrees.
pub(crate) fn yes() -> Review {
    Review {
        status: "approved".into(),
        reviewer_id: "boss".into(),
        reviewer_email: "boss@example.com".into(),
        comment: "go on".into(),
    }
}
