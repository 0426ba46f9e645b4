//! The endpoints of the connector plane.

use super::backends::{Connectors, NoAnswer};
use super::fields;
use super::mapping::{self, Mapped, ToolResult};
use crate::policy::model::{Action, Phase};
use crate::server::body::Input;
use crate::server::check::{block_reason, response_block};
use crate::server::hold::{self, Held, Hold};
use crate::server::judge::{Asked, Judged, Text};
use crate::server::reply::Refusal;
use crate::server::state::{App, Shared};
use crate::server::{auth, decide, rows};
use axum::Json;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::time::Instant;

/// A statement to run.
#[derive(Debug, Deserialize)]
pub(in crate::server) struct Query {
    #[serde(alias = "connector_name", alias = "connector_type")]
    connector: Option<String>,
    statement: Option<String>,
    #[serde(default)]
    options: Option<Map<String, Value>>,
    #[serde(default)]
    parameters: Option<Map<String, Value>>,
    #[serde(default)]
    tenant_id: Option<String>,
    #[serde(default)]
    approval_id: Option<String>,
}

/// What came of a statement.
enum Ran {
    /// It ran, or its tool told an error; `data` is JSON text as it may be seen.
    Answered { data: String, error: Option<String>, fields: Vec<String>, meta: Value },
    /// A policy stops it, before or after it ran.
    Blocked { reason: String, pending: Option<Value> },
}

struct Told {
    ran: Ran,
    info: Value,
    decision_id: String,
}

/// `POST /mcp/resources/query`
pub(in crate::server) async fn query(
    state: Shared,
    headers: HeaderMap,
    Input(asked): Input<Query>,
) -> Result<Response, Refusal> {
    let told = run(&state.0, &headers, asked).await?;
    Ok(answer(told))
}

fn answer(told: Told) -> Response {
    let Told { ran, info, decision_id } = told;
    match ran {
        Ran::Blocked { reason, pending } => {
            let mut body = json!({
                "success": false, "error": reason, "message": reason, "blocked": true, "block_reason": reason,
                "redacted": false, "redacted_fields": [], "policy_info": info, "decision_id": decision_id,
            });
            if let Some(pending) = pending {
                body["pending_approval"] = pending;
            }
            (StatusCode::FORBIDDEN, Json(body)).into_response()
        }
        Ran::Answered { data, error, fields, meta } => {
            let mut body = json!({
                "success": error.is_none(), "redacted": !fields.is_empty(), "redacted_fields": fields,
                "policy_info": info, "decision_id": decision_id, "meta": meta,
            });
            if let Some(error) = error {
                body["error"] = error.into();
            }
            // The rows go in as they are: writing them anew could change their numbers.
            let mut text = body.to_string();
            text.pop();
            text.push_str(",\"data\":");
            text.push_str(&data);
            text.push('}');
            ([(header::CONTENT_TYPE, "application/json")], text).into_response()
        }
    }
}

fn connectors(app: &App) -> Result<&Connectors, Refusal> {
    let none = "connectors: none are served here; start the server with --backends FILE";
    app.connectors.as_ref().ok_or_else(|| Refusal::unknown(none))
}

async fn run(app: &App, headers: &HeaderMap, asked: Query) -> Result<Told, Refusal> {
    let connectors = connectors(app)?;
    app.check_tenant(asked.tenant_id.as_deref(), None)?;
    let needed = |value: Option<String>, name: &str| {
        let value = value.filter(|value| !value.trim().is_empty());
        value.ok_or_else(|| Refusal::malformed(format!("{name}: missing or empty")))
    };
    let connector = needed(asked.connector, "connector")?;
    let statement = needed(asked.statement, "statement")?;
    known(connectors, &connector)?;
    let mut options = asked.options.unwrap_or_default();
    if let Some(parameters) = asked.parameters {
        options.entry("parameters").or_insert(Value::Object(parameters));
    }
    let tools = connectors.tools(&connector).await;
    if let (true, Some(why)) = (tools.is_empty(), connectors.trouble(&connector)) {
        return Err(Refusal::unavailable(format!("connector {connector:?} is not available: {why}")));
    }
    let mapped = mapping::map(&tools, &statement, &options).map_err(Refusal::malformed)?;
    let mut trip = Trip {
        app,
        connectors,
        connector: &connector,
        client: auth::client(headers),
        trace: decide::trace(headers),
        decision_id: uuid::Uuid::new_v4().to_string(),
        mapped,
        started: Instant::now(),
    };
    let request = trip.judge_request().await?;
    match trip.permitted(headers, &request, asked.approval_id.as_deref()).await? {
        Some(blocked) => trip.stopped(&request, blocked).await,
        None => trip.run(request).await,
    }
}

fn known(connectors: &Connectors, connector: &str) -> Result<(), Refusal> {
    if connectors.ids().any(|id| id == connector) {
        return Ok(());
    }
    let ids: Vec<&str> = connectors.ids().collect();
    let asked = crate::fault::quoted(connector);
    Err(Refusal::unknown(format!("connector: there is no {asked}; there are {}", ids.join(", "))))
}

/// One statement on its way.
struct Trip<'a> {
    app: &'a App,
    connectors: &'a Connectors,
    connector: &'a str,
    client: String,
    trace: String,
    decision_id: String,
    mapped: Mapped,
    started: Instant,
}

/// Why it stops, and what can be decided about it.
struct Stopped {
    verdict: &'static str,
    reason: String,
    pending: Option<Value>,
}

impl Trip<'_> {
    async fn judge_request(&self) -> Result<Judged, Refusal> {
        let Mapped { own, exposed, .. } = &self.mapped;
        if let Some(denial) = self.connectors.denial(self.connector, own, exposed) {
            return Ok(Judged::blocked(denial.into()));
        }
        let arguments = Value::Object(self.mapped.arguments.clone()).to_string();
        self.judge(Phase::Request, arguments).await
    }

    async fn judge(&self, phase: Phase, object: String) -> Result<Judged, Refusal> {
        let asked = Asked {
            phase,
            content: Text::Object(object),
            backend: self.connector.to_owned(),
            tool: self.mapped.own.clone(),
            agent: String::new(),
            hints: self.connectors.hints(&self.mapped.exposed),
            decided: false,
        };
        self.app.judge(asked).await
    }

    /// Whether the statement may run; puts the masked arguments in place where a policy wants them masked.
    async fn permitted(
        &mut self,
        headers: &HeaderMap,
        judged: &Judged,
        approval: Option<&str>,
    ) -> Result<Option<Stopped>, Refusal> {
        let denied = || Stopped { verdict: "deny", reason: block_reason(judged), pending: None };
        match judged.judgement.action {
            Some(Action::Block) => return Ok(Some(denied())),
            Some(Action::RequireApproval) => {
                let person = auth::person(headers);
                let bound = Value::Object(self.mapped.arguments.clone()).to_string();
                let masked = judged.judgement.masked.as_deref().map(String::from_utf8_lossy);
                let held = Held {
                    plane: "mcp:request",
                    client: &self.client,
                    person: &person,
                    backend: self.connector,
                    tool: &self.mapped.own,
                    shown: masked.map_or_else(|| bound.clone(), std::borrow::Cow::into_owned),
                    bound: &bound,
                };
                match self.app.hold(judged, held, hold::named(headers, approval)).await? {
                    Hold::Paid(_) => {}
                    Hold::Waits { reason, pending } => {
                        let pending = pending.map(|ticket| hold::pending(&ticket));
                        return Ok(Some(Stopped { verdict: "needs_approval", reason, pending }));
                    }
                }
            }
            _ => {}
        }
        match judged.masked() {
            Some(masked) => match serde_json::from_str(&masked) {
                Ok(arguments) => self.mapped.arguments = arguments,
                Err(_) => return Ok(Some(denied())),
            },
            None if judged.judgement.action == Some(Action::Redact) => return Ok(Some(denied())),
            None => {}
        }
        Ok(None)
    }

    async fn stopped(self, judged: &Judged, stopped: Stopped) -> Result<Told, Refusal> {
        let Stopped { verdict, reason, pending } = stopped;
        self.record(judged, verdict, &reason, false).await;
        let info = judged.policy_info(Some(&reason), 0);
        Ok(Told { ran: Ran::Blocked { reason, pending }, info, decision_id: self.decision_id })
    }

    async fn run(self, request: Judged) -> Result<Told, Refusal> {
        let result = match self.call(&request).await? {
            Ok(result) => result,
            Err(error) => return Err(self.failed(&error).await),
        };
        let result: ToolResult<'_> =
            serde_json::from_str(result.get()).map_err(|_| bad("the backend's answer is no tool result"))?;
        let (rows, error) = match result.is_error {
            true => ("[]".to_owned(), Some(result.text())),
            false => (result.data(), None),
        };
        let object = format!(r#"{{"data":{rows},"error":{}}}"#, Value::from(error.clone()));
        let response = self.judge(Phase::Response, object.clone()).await?;
        let masked = response.masked();
        let merged = |blocked: Option<&str>, count| merged(&request, &response, blocked, count);
        if let Some(reason) = response_block(&response, masked.is_some()) {
            self.record(&response, "deny", &reason, false).await;
            let info = merged(Some(&reason), 0);
            return Ok(Told {
                ran: Ran::Blocked { reason, pending: None },
                info,
                decision_id: self.decision_id,
            });
        }
        let (data, error, fields) = match &masked {
            None => (rows, error, Vec::new()),
            Some(masked) => shown(&object, masked)?,
        };
        let told = if response.judgement.matched.is_empty() { &request } else { &response };
        self.record(told, "allow", "", masked.is_some()).await;
        let meta = json!({
            "connector": self.connector,
            "tool": self.mapped.own,
            "duration_ms": u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
        let info = merged(None, fields.len());
        Ok(Told { ran: Ran::Answered { data, error, fields, meta }, info, decision_id: self.decision_id })
    }

    async fn call(&self, judged: &Judged) -> Result<Result<Box<RawValue>, Box<RawValue>>, Refusal> {
        // A trace of its own, so that no caller can name the one of another call.
        let trace = uuid::Uuid::new_v4().simple().to_string();
        let span = &uuid::Uuid::new_v4().simple().to_string()[..16];
        self.connectors.decided.allow(&trace, &self.decision_id, judged.named());
        let params = json!({
            "name": self.mapped.exposed,
            "arguments": self.mapped.arguments,
            "_meta": {"traceparent": format!("00-{trace}-{span}-01")},
        });
        let answered = self.connectors.call(params.to_string()).await;
        self.connectors.decided.take_back(&trace);
        answered.map_err(|why| match why {
            NoAnswer::Busy => Refusal::busy(),
            NoAnswer::Gone => Refusal::unavailable("the backends do not answer"),
        })
    }

    /// The machine's or the backend's error, with personal data masked.
    async fn failed(self, error: &RawValue) -> Refusal {
        #[derive(Deserialize)]
        struct Message {
            #[serde(default)]
            message: String,
        }
        let message =
            serde_json::from_str::<Message>(error.get()).map(|error| error.message).unwrap_or_default();
        let object = json!({"error": message}).to_string();
        let Ok(judged) = self.judge(Phase::Response, object).await else {
            return bad("the backend failed");
        };
        let masked = judged.judgement.masked.as_deref().and_then(|masked| {
            serde_json::from_slice::<Value>(masked).ok()?["error"].as_str().map(str::to_owned)
        });
        bad(&format!("the backend failed: {}", masked.unwrap_or(message)))
    }

    async fn record(&self, judged: &Judged, verdict: &str, reason: &str, masked: bool) {
        let reasons: Vec<String> = if reason.is_empty() { judged.reasons() } else { vec![reason.to_owned()] };
        let row = rows::Row {
            decision_id: &self.decision_id,
            trace_id: &self.trace,
            verdict,
            plane: "mcp_query",
            client: &self.client,
            backend: self.connector,
            tool: &self.mapped.own,
            reasons: &reasons,
            context: json!({}),
            masked,
        };
        self.app.recorder.record(row.of(self.app, judged, Timestamp::now())).await;
    }
}

fn bad(text: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_GATEWAY, text)
}

/// Rows and error as they may be seen, and the places that were masked.
fn shown(before: &str, after: &str) -> Result<(String, Option<String>, Vec<String>), Refusal> {
    #[derive(Deserialize)]
    struct Seen<'a> {
        #[serde(borrow)]
        data: &'a RawValue,
        error: Option<String>,
    }
    let unreadable = |_| bad("the masked answer cannot be read");
    let seen: Seen<'_> = serde_json::from_str(after).map_err(unreadable)?;
    let value = |json: &str| serde_json::from_str::<Value>(json).map_err(unreadable);
    let (old, new) = (value(before)?, value(after)?);
    let mut paths = fields::redacted(&old["data"], &new["data"], "data");
    paths.extend(fields::redacted(&old["error"], &new["error"], "error"));
    Ok((seen.data.get().to_owned(), seen.error, paths))
}

/// `policy_info` of both phases together.
fn merged(request: &Judged, response: &Judged, blocked: Option<&str>, redactions: usize) -> Value {
    let mut info = response.policy_info(blocked, redactions);
    let first = request.policy_info(None, 0);
    for number in ["policies_evaluated", "processing_time_ms"] {
        let sum = first[number].as_u64().unwrap_or(0) + info[number].as_u64().unwrap_or(0);
        info[number] = sum.into();
    }
    let matched = [&first["matched_policies"], &info["matched_policies"]];
    info["matched_policies"] = matched.into_iter().filter_map(Value::as_array).flatten().cloned().collect();
    info
}

/// `POST /api/request`, of which only connector queries are served: the way of clients that know no other.
#[derive(Debug, Deserialize)]
pub(in crate::server) struct Proxied {
    query: Option<String>,
    request_type: Option<String>,
    #[serde(default)]
    context: Option<Map<String, Value>>,
}

/// Runs a connector query in the older form: the operation stands in `query`, connector and parameters in `context`.
pub(in crate::server) async fn request(
    state: Shared,
    headers: HeaderMap,
    Input(asked): Input<Proxied>,
) -> Result<Response, Refusal> {
    let app = &state.0;
    if asked.request_type.as_deref() != Some("mcp-query") {
        return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "request_type: only mcp-query is served here"));
    }
    let mut context = asked.context.unwrap_or_default();
    let connector = context.get("connector").and_then(Value::as_str).map(str::to_owned);
    let params = context.remove("params").and_then(|params| match params {
        Value::Object(params) => Some(params),
        _ => None,
    });
    let query = Query {
        connector,
        statement: asked.query,
        options: Some(options_of(params.unwrap_or_default())),
        parameters: None,
        tenant_id: None,
        approval_id: None,
    };
    let Told { ran, info, decision_id } = run(app, &headers, query).await?;
    let ids: Vec<&Value> = info["matched_policies"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|matched| &matched["policy_id"])
        .collect();
    let info = json!({
        "policies_evaluated": ids,
        "static_checks": [],
        "processing_time": format!("{}ms", info["processing_time_ms"]),
        "tenant_id": app.tenant,
    });
    Ok(match ran {
        Ran::Blocked { reason, .. } => {
            let body = json!({"success": false, "blocked": true, "block_reason": reason, "error": reason,
                "message": reason, "policy_info": info, "request_id": decision_id});
            (StatusCode::FORBIDDEN, Json(body)).into_response()
        }
        Ran::Answered { data, error, fields, mut meta } => {
            meta["redacted_fields"] = fields.into();
            let data: Value = serde_json::from_str(&data).unwrap_or_default();
            let mut body = json!({"success": error.is_none(), "blocked": false, "data": data, "metadata": meta,
                "policy_info": info, "request_id": decision_id});
            if let Some(error) = error {
                body["error"] = error.into();
            }
            Json(body).into_response()
        }
    })
}

/// The parameters are further arguments, but for the names that steer.
fn options_of(mut params: Map<String, Value>) -> Map<String, Value> {
    let mut options = Map::new();
    for name in ["tool", "argument"] {
        if let Some(value) = params.remove(name) {
            options.insert(name.to_owned(), value);
        }
    }
    options.insert("arguments".to_owned(), Value::Object(params));
    options
}

fn described(connectors: &Connectors, id: &str) -> Value {
    let trouble = connectors.trouble(id);
    json!({
        "id": id, "name": id, "type": "mcp", "version": "", "description": "", "category": "mcp", "icon": "",
        "tags": [], "capabilities": ["query"], "config_schema": {}, "installed": true,
        "healthy": trouble.is_none(), "last_check": Timestamp::now().to_string(),
    })
}

/// The connectors.
pub(in crate::server) async fn list(state: Shared) -> Result<Json<Value>, Refusal> {
    let connectors = connectors(&state.0)?;
    let all: Vec<Value> = connectors.ids().map(|id| described(connectors, id)).collect();
    Ok(Json(json!({"total": all.len(), "connectors": all})))
}

/// One connector.
pub(in crate::server) async fn show(state: Shared, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    let connectors = connectors(&state.0)?;
    known(connectors, &id)?;
    Ok(Json(described(connectors, &id)))
}

/// Whether a connector takes statements.
pub(in crate::server) async fn health(state: Shared, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    let connectors = connectors(&state.0)?;
    known(connectors, &id)?;
    let trouble = connectors.trouble(&id);
    let now = Timestamp::now().to_string();
    let mut health = json!({"healthy": trouble.is_none(), "latency": 0, "details": {}, "timestamp": now});
    if let Some(trouble) = trouble {
        health["error"] = trouble.into();
    }
    Ok(Json(health))
}
