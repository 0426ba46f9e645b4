//! The three planes and what each says of a content.
//!
//! | content | decide | check-input | check-output |
//! |---|---|---|---|
//! | `DROP TABLE` | deny | 403 | – |
//! | `NEEDS_APPROVAL` | needs_approval until it is paid for | – | – |
//! | `HAS_PII` | allow with `redact_pii` | `[MASKED]` in its place | – |
//! | `ENGINE_SECRET` | – | – | `[MASKED]` in its place |
//! | `BLOCK_OUTPUT` | – | – | 403 with `allowed:false` |

use crate::State;
use crate::approvals::Redemption;
use crate::mode::Mode;
use callgate_stubs::http::{Request, Response};
use serde_json::{Value, json};

/// One of the three endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Plane {
    /// `POST /api/v1/decide`
    Decide,
    /// `POST /api/v1/mcp/check-input`
    CheckInput,
    /// `POST /api/v1/mcp/check-output`
    CheckOutput,
}

impl Plane {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Decide, Self::CheckInput, Self::CheckOutput];

    /// The plane of a path.
    pub(crate) fn of(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plane| path.trim_end_matches('/').ends_with(plane.path()))
    }

    /// The plane of a name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plane| plane.path().ends_with(name))
    }

    fn path(self) -> &'static str {
        match self {
            Self::Decide => "/api/v1/decide",
            Self::CheckInput => "/api/v1/mcp/check-input",
            Self::CheckOutput => "/api/v1/mcp/check-output",
        }
    }
}

/// A healthy answer.
pub(crate) fn answer(state: &mut State, plane: Plane, request: &Request, mode: &Mode) -> Response {
    let Ok(body) = serde_json::from_str::<Value>(&request.text()) else {
        return Response::json(400, r#"{"error":"bad JSON","verdict":"deny"}"#);
    };
    state.decisions += 1;
    let id = format!("00000000-0000-4000-8000-{:012}", state.decisions);
    match plane {
        Plane::Decide => decide(state, &body, request, mode, &id),
        Plane::CheckInput => check_input(&body, &id),
        Plane::CheckOutput => check_output(&body, mode, &id),
    }
}

fn decide(state: &mut State, body: &Value, request: &Request, mode: &Mode, id: &str) -> Response {
    let query = body["query"].as_str().unwrap_or_default();
    if query.is_empty() || body["stage"].as_str().is_none() {
        return Response::json(400, r#"{"error":"stage and query are required","verdict":"deny"}"#);
    }
    let trace = format!("{:032x}", 0xabc0_0000_u64 + state.decisions);
    let mut answer = json!({
        "verdict": "allow", "decision_id": id, "trace_id": trace, "reasons": [], "obligations": [],
        "evaluated_policies": ["stub_policy"], "stage": "tool", "expires_at": "2100-01-01T00:00:00Z",
    });
    if query.contains("DROP TABLE") {
        answer["verdict"] = "deny".into();
        answer["reasons"] = json!(["stacked SQL is not allowed", "a second reason"]);
        answer["evaluated_policies"] = json!(["sqli_drop", "stub_policy"]);
    } else if query.contains("NEEDS_APPROVAL") {
        let paid = request.header("x-axonflow-approval-id").or(body["approval_id"].as_str());
        hold(&mut answer, state.approvals.redeem(paid, query));
    }
    if query.contains("HAS_PII") || mode.is_on("obligation") {
        answer["obligations"] = json!([{"type": "redact_pii", "detail": "personal data", "fulfillment":
            {"endpoint": "/api/v1/mcp/check-input", "method": "POST", "phase": "request", "content_types": ["text/plain"]}}]);
    }
    for key in ["verdict", "reasons", "obligations", "decision_id"] {
        if let Some(value) = mode.get(key) {
            answer[key] = value.clone();
        }
    }
    Response::json(200, answer.to_string())
}

fn hold(answer: &mut Value, redemption: Redemption) {
    match redemption {
        Redemption::Paid(id) => answer["approval_id"] = id.into(),
        Redemption::Held(id, reason) => {
            answer["verdict"] = "needs_approval".into();
            answer["reasons"] = json!([reason]);
            answer["pending_approval"] = json!({"approval_id": id, "status": "pending", "plane": "decide",
                "expires_at": "2100-01-01T00:00:00Z", "retry": {"header": "X-Axonflow-Approval-Id", "body_field": "approval_id"}});
        }
    }
}

fn check_input(body: &Value, id: &str) -> Response {
    let Some(statement) = body["statement"].as_str() else {
        return Response::json(400, r#"{"error":"statement is required"}"#);
    };
    if statement.contains("DROP TABLE") {
        return blocked("Request blocked: stacked SQL", id);
    }
    let mut answer =
        json!({"allowed": true, "policies_evaluated": 1, "decision_id": id, "redaction_evaluated": true});
    if statement.contains("HAS_PII") {
        answer["redacted"] = true.into();
        answer["redacted_statement"] = statement.replace("HAS_PII", "[MASKED]").into();
    }
    Response::json(200, answer.to_string())
}

fn check_output(body: &Value, mode: &Mode, id: &str) -> Response {
    let Some(message) = body["message"].as_str() else {
        return Response::json(400, r#"{"error":"message is required"}"#);
    };
    if message.contains("BLOCK_OUTPUT") {
        return blocked("Response blocked: potential exfiltration", id);
    }
    let mut answer =
        json!({"allowed": true, "policies_evaluated": 1, "decision_id": id, "redaction_evaluated": true});
    if message.contains("ENGINE_SECRET") {
        answer["redacted_data"] = message.replace("ENGINE_SECRET", "[MASKED]").into();
    }
    for key in ["redacted_data", "redaction_evaluated"] {
        if let Some(value) = mode.get(key) {
            answer[key] = value.clone();
        }
    }
    Response::json(200, answer.to_string())
}

fn blocked(reason: &str, id: &str) -> Response {
    let answer =
        json!({"allowed": false, "block_reason": reason, "policies_evaluated": 1, "decision_id": id});
    Response::json(403, answer.to_string())
}
