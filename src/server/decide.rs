//! `POST /api/v1/decide`: may this call run? (The AxonFlow contract, section 1.)

use super::body::Input;
use super::handshake::{self, Declared};
use super::hold::{self, Held, Hold};
use super::judge::{Asked, Judged, Text};
use super::limits::DECISION_LIFE;
use super::query::Query;
use super::reply::Refusal;
use super::state::{App, Shared};
use super::{auth, context, rows};
use crate::pdp::trace::Trace;
use crate::policy::model::{Action, Phase};
use axum::Json;
use axum::http::HeaderMap;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The body. `null` counts as absent.
#[derive(Debug, Deserialize)]
pub(super) struct Request {
    stage: Option<String>,
    #[serde(default)]
    caller_identity: Option<Caller>,
    #[serde(default)]
    target: Option<Target>,
    query: Option<String>,
    #[serde(default)]
    context: Option<Map<String, Value>>,
    #[serde(default)]
    fulfillment_capabilities: Option<Vec<String>>,
    #[serde(default)]
    approval_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Caller {
    #[serde(default)]
    org_id: Option<String>,
    #[serde(default)]
    tenant_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Target {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    tool: Option<String>,
    #[serde(default)]
    server: Option<String>,
}

/// A decision on its way out.
struct Outcome {
    verdict: &'static str,
    reasons: Vec<String>,
    obligations: Vec<Value>,
    more: Map<String, Value>,
}

/// Answers with a verdict; 200 for every one.
pub(super) async fn decide(
    state: Shared,
    headers: HeaderMap,
    Input(request): Input<Request>,
) -> Result<Json<Value>, Refusal> {
    let app = &state.0;
    let stage = stage(request.stage.as_deref())?;
    let query = request.query.as_deref().filter(|query| !query.is_empty());
    let query = query.ok_or_else(|| Refusal::malformed("query: missing or empty"))?;
    let caller = request.caller_identity.as_ref();
    app.check_tenant(
        caller.and_then(|caller| caller.tenant_id.as_deref()),
        caller.and_then(|caller| caller.org_id.as_deref()),
    )?;
    let declared = handshake::read(&headers)?;
    let place = place(&request, query);
    let asked = Asked {
        phase: Phase::Request,
        content: Text::Query(query.to_owned()),
        backend: place.backend.clone(),
        tool: place.tool.clone(),
        agent: context::text(request.context.as_ref(), "x-ai-agent"),
        hints: callgate_actors::call::Hints::default(),
        decided: false,
    };
    let judged = app.judge(asked).await?;
    let client = auth::client(&headers);
    let outcome = match judged.judgement.action {
        Some(Action::Block) => denied(judged.reasons()),
        Some(Action::RequireApproval) => held(app, &headers, &request, &judged, &place, &client).await?,
        _ => allowed(&judged),
    };
    let outcome = fulfillable(outcome, request.fulfillment_capabilities.as_deref(), &declared);
    let trace = trace(&headers);
    let decision_id = uuid::Uuid::new_v4().to_string();
    let now = Timestamp::now();
    let row = rows::Row {
        decision_id: &decision_id,
        trace_id: &trace,
        verdict: outcome.verdict,
        plane: "decide",
        client: &client,
        backend: &place.backend,
        tool: &place.tool,
        reasons: &outcome.reasons,
        context: context::kept(request.context.as_ref()),
        masked: !outcome.obligations.is_empty(),
    };
    app.recorder.record(row.of(app, &judged, now)).await;
    Ok(Json(answer(outcome, &judged, stage, (&decision_id, &trace, now))))
}

fn answer(
    outcome: Outcome,
    judged: &Judged,
    stage: &str,
    (id, trace, now): (&str, &str, Timestamp),
) -> Value {
    let expires = now + jiff::SignedDuration::try_from(DECISION_LIFE).unwrap_or_default();
    let mut identities: Vec<Value> = judged
        .judgement
        .matched
        .iter()
        .map(|matched| json!({"id": matched.policy_id, "name": matched.policy_name}))
        .collect();
    identities.dedup();
    let mut answer = json!({
        "verdict": outcome.verdict,
        "decision_id": id,
        "trace_id": trace,
        "obligations": outcome.obligations,
        "evaluated_policies": judged.named(),
        "stage": stage,
        "expires_at": expires.to_string(),
        "engine": "callgate",
    });
    if let Value::Object(members) = &mut answer {
        if !outcome.reasons.is_empty() {
            members.insert("reasons".into(), outcome.reasons.into());
        }
        if !judged.tier().is_empty() {
            members.insert("tier".into(), judged.tier().into());
        }
        if !identities.is_empty() {
            members.insert("policy_identities".into(), identities.into());
        }
        members.extend(outcome.more);
    }
    answer
}

fn stage(given: Option<&str>) -> Result<&'static str, Refusal> {
    let word = given.unwrap_or_default().trim().to_ascii_lowercase();
    ["llm", "tool", "agent"]
        .into_iter()
        .find(|known| *known == word)
        .ok_or_else(|| Refusal::malformed("stage: must be llm, tool or agent"))
}

/// Backend and tool, as far as the request tells.
struct Place {
    backend: String,
    tool: String,
}

fn place(request: &Request, query: &str) -> Place {
    let target = request.target.as_ref();
    let is_tool = target.and_then(|target| target.kind.as_deref()).is_some_and(|kind| kind == "tool");
    let named = target.filter(|_| is_tool).and_then(|target| target.tool.clone());
    let parsed = || match Query::read(query) {
        Query::Call { tool, .. } => tool.to_owned(),
        Query::Text(_) => String::new(),
    };
    let server = target.and_then(|target| target.server.clone()).filter(|server| !server.is_empty());
    Place {
        backend: server.unwrap_or_else(|| context::text(request.context.as_ref(), "backend")),
        tool: named.filter(|tool| !tool.is_empty()).unwrap_or_else(parsed),
    }
}

fn denied(mut reasons: Vec<String>) -> Outcome {
    if reasons.is_empty() {
        reasons.push("request blocked by policy".to_owned());
    }
    Outcome { verdict: "deny", reasons, obligations: Vec::new(), more: Map::new() }
}

fn allowed(judged: &Judged) -> Outcome {
    let redacts = judged.judgement.action == Some(Action::Redact);
    // What should be masked and cannot be must not pass.
    if redacts && judged.judgement.masked.is_none() {
        return denied(judged.reasons());
    }
    let obligations = if redacts && judged.masks() { vec![redact_pii()] } else { Vec::new() };
    Outcome { verdict: "allow", reasons: judged.reasons(), obligations, more: Map::new() }
}

fn redact_pii() -> Value {
    json!({
        "type": "redact_pii",
        "detail": "personal data in the request must be masked before it is forwarded",
        "fulfillment": {
            "endpoint": "/api/v1/mcp/check-input",
            "method": "POST",
            "phase": "request",
            "content_types": ["text/plain"],
        },
    })
}

/// An obligation that the caller has said it cannot fulfil blocks. A caller that says nothing is an older one, which
/// can.
fn fulfillable(outcome: Outcome, capabilities: Option<&[String]>, declared: &Declared) -> Outcome {
    if outcome.obligations.is_empty() {
        return outcome;
    }
    let listed = capabilities.filter(|list| !list.is_empty());
    let lacks = listed.is_some_and(|list| !list.iter().any(|can| can == "request_body_redaction"));
    if lacks || *declared == Declared::CannotRedact {
        let mut outcome = denied(outcome.reasons);
        let reason =
            "unsupported_obligation: personal data must be masked, and the caller declares that it cannot";
        outcome.reasons.insert(0, reason.to_owned());
        return outcome;
    }
    outcome
}

async fn held(
    app: &App,
    headers: &HeaderMap,
    request: &Request,
    judged: &Judged,
    place: &Place,
    client: &str,
) -> Result<Outcome, Refusal> {
    let query = request.query.as_deref().unwrap_or_default();
    let person = auth::person(headers);
    let masked = judged.judgement.masked.as_deref().map(String::from_utf8_lossy);
    let held = Held {
        plane: "decide",
        client,
        person: &person,
        backend: &place.backend,
        tool: &place.tool,
        bound: query,
        shown: masked.map_or_else(|| query.to_owned(), |masked| Query::read(query).with(&masked)),
    };
    let hold = app.hold(judged, held, hold::named(headers, request.approval_id.as_deref())).await?;
    Ok(match hold {
        Hold::Paid(id) => {
            let mut outcome = allowed(judged);
            let redacts = judged.judgement.matched.iter().any(|matched| matched.action == Action::Redact);
            if redacts && judged.masks() {
                outcome.obligations = vec![redact_pii()];
            }
            outcome.more.insert("approval_id".into(), id.into());
            outcome
        }
        Hold::Waits { reason, pending } => {
            let mut reasons = judged.reasons();
            reasons.insert(0, reason);
            let mut more = Map::new();
            if let Some(ticket) = pending {
                more.insert("pending_approval".into(), hold::pending(&ticket));
            }
            Outcome { verdict: "needs_approval", reasons, obligations: Vec::new(), more }
        }
    })
}

/// The caller's trace, or a new one.
pub(super) fn trace(headers: &HeaderMap) -> String {
    let given = headers.get("traceparent").and_then(|value| value.to_str().ok());
    given.and_then(Trace::parse).unwrap_or_else(|| Trace::of(None)).id
}
