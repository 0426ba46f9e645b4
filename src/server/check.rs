//! `POST /api/v1/mcp/check-input` and `/api/v1/mcp/check-output`: what may pass, and with what masked (the AxonFlow
//! contract, section 2).

use super::body::{Raw, parse};
use super::hold::{self, Held, Hold};
use super::judge::{Asked, Judged, Text};
use super::reply::Refusal;
use super::state::{App, Shared};
use super::{auth, decide, handshake, idempotency, judge, rows};
use crate::policy::model::{Action, Phase};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::sync::PoisonError;
use std::time::Instant;

/// Connectors that enforcement points name when they fulfil an obligation to mask.
const FULFILLING: [&str; 2] = ["gateway", "claude-desktop-proxy"];

#[derive(Deserialize)]
struct Input {
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    tenant_id: Option<String>,
    connector_type: Option<String>,
    statement: Option<String>,
    #[serde(default)]
    parameters: Option<Map<String, Value>>,
    #[serde(default)]
    tool: Option<String>,
    #[serde(default)]
    content_type: Option<String>,
    #[serde(default)]
    approval_id: Option<String>,
}

#[derive(Deserialize)]
struct Output<'a> {
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    tenant_id: Option<String>,
    connector_type: Option<String>,
    #[serde(default)]
    tool: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default, borrow)]
    response_data: Option<&'a RawValue>,
    #[serde(default, borrow)]
    metadata: Option<&'a RawValue>,
}

/// Checks what goes to a connector. A request that is repeated with its `Idempotency-Key` gets its first answer.
pub(super) async fn input(state: Shared, headers: HeaderMap, Raw(body): Raw) -> Result<Response, Refusal> {
    let app = &state.0;
    let kept = || app.idempotency.lock().unwrap_or_else(PoisonError::into_inner);
    let key = idempotency::key(&auth::client(&headers), &headers)?;
    if let Some(key) = &key
        && let Some((status, answer)) = kept().find(key, &body, Instant::now())?
    {
        return Ok(([("idempotency-replayed", "true")], json_response(status, answer)).into_response());
    }
    let (status, answer) = checked_input(app, &headers, &body).await?;
    let answer = Bytes::from(answer.to_string());
    if let Some(key) = key {
        kept().keep(key, &body, status, answer.clone(), Instant::now());
    }
    Ok(json_response(status, answer))
}

async fn checked_input(app: &App, headers: &HeaderMap, body: &[u8]) -> Result<(StatusCode, Value), Refusal> {
    let request: Input = parse(body)?;
    handshake::read(headers)?;
    app.check_tenant(request.tenant_id.as_deref(), None)?;
    let connector = required(request.connector_type, "connector_type")?;
    let statement = required(request.statement, "statement")?;
    let fulfils = fulfils(request.content_type.as_deref(), &connector)?;
    let parameters = request.parameters.filter(|parameters| !parameters.is_empty());
    let with_parameters = parameters.is_some();
    let bound = json!([statement, parameters]).to_string();
    let content = match parameters {
        Some(parameters) => {
            Text::Object(json!({"statement": statement, "parameters": parameters}).to_string())
        }
        None => Text::of(statement.clone()),
    };
    let tool = request.tool.unwrap_or_default();
    let asked = Asked {
        phase: Phase::Request,
        content,
        backend: connector.clone(),
        tool: tool.clone(),
        agent: String::new(),
        hints: callgate_actors::call::Hints::default(),
        decided: fulfils,
    };
    let judged = app.judge(asked).await?;
    let client = request.client_id.filter(|id| !id.is_empty()).unwrap_or_else(|| auth::client(headers));
    let masked = masked_statement(&judged, fulfils, with_parameters);
    let mut more = Map::new();
    let blocked = match judged.judgement.action {
        Some(Action::Block) => Some(block_reason(&judged)),
        // The decision plane has held this very call already; here its data is masked.
        Some(Action::RequireApproval) if fulfils => None,
        Some(Action::RequireApproval) => {
            let person = auth::person(headers);
            let held = Held {
                plane: "mcp:request",
                client: &client,
                person: &person,
                backend: &connector,
                tool: &tool,
                bound: &bound,
                shown: any_masked(&judged, with_parameters).unwrap_or_else(|| statement.clone()),
            };
            match app.hold(&judged, held, hold::named(headers, request.approval_id.as_deref())).await? {
                Hold::Paid(id) => {
                    more.insert("approval_id".into(), id.into());
                    None
                }
                Hold::Waits { reason, pending } => {
                    if let Some(ticket) = pending {
                        more.insert("pending_approval".into(), hold::pending(&ticket));
                    }
                    Some(reason)
                }
            }
        }
        // What should be masked and cannot be must not pass.
        Some(Action::Redact) if masked.is_none() => Some(block_reason(&judged)),
        _ => None,
    };
    let finding = Finding { plane: "check_input", client: &client, connector: &connector, tool: &tool };
    let masked = masked.filter(|_| blocked.is_none());
    let mut answer = finding.answer(app, headers, &judged, blocked.as_deref(), masked.is_some()).await;
    if let Value::Object(members) = &mut answer {
        members.insert("redacted".into(), masked.is_some().into());
        if let Some(masked) = masked {
            members.insert("redacted_statement".into(), masked.into());
        }
        members
            .insert("override_available".into(), (blocked.is_some() && judged.override_available()).into());
        members.extend(more);
    }
    Ok((status(blocked.as_deref()), answer))
}

/// The statement with what must be masked. Who fulfils an obligation gets everything masked that was found: the rule
/// that obliged it may look at a tool that is not named here.
fn masked_statement(judged: &Judged, fulfils: bool, with_parameters: bool) -> Option<String> {
    if fulfils || judged.masks() { any_masked(judged, with_parameters) } else { None }
}

fn any_masked(judged: &Judged, with_parameters: bool) -> Option<String> {
    let masked = String::from_utf8_lossy(judged.judgement.masked.as_deref()?).into_owned();
    if !with_parameters {
        return Some(masked);
    }
    #[derive(Deserialize)]
    struct Statement {
        statement: String,
    }
    serde_json::from_str::<Statement>(&masked).ok().map(|masked| masked.statement)
}

/// Whether the caller fulfils an obligation; 415 for a content that cannot be masked.
fn fulfils(content_type: Option<&str>, connector: &str) -> Result<bool, Refusal> {
    let Some(given) = content_type.map(str::trim).filter(|given| !given.is_empty()) else {
        return Ok(FULFILLING.contains(&connector));
    };
    let kind = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind == "text/plain" || kind == "application/json" {
        return Ok(true);
    }
    let text = "content_type: only text/plain and application/json can be checked";
    Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text))
}

/// Checks what comes from a connector: a text, or rows.
pub(super) async fn output(state: Shared, headers: HeaderMap, Raw(body): Raw) -> Result<Response, Refusal> {
    let app = &state.0;
    let request: Output<'_> = parse(&body)?;
    handshake::read(&headers)?;
    app.check_tenant(request.tenant_id.as_deref(), None)?;
    let connector = required(request.connector_type, "connector_type")?;
    let tool = request.tool.unwrap_or_default();
    let rows = request.response_data.filter(|rows| rows.get() != "null").map(RawValue::get);
    let content = match (&rows, request.message) {
        (Some(rows), message) => {
            if !rows.starts_with('[') {
                return Err(Refusal::malformed("response_data: must be an array of rows"));
            }
            Text::Object(envelope(rows, message.as_deref(), request.metadata.map(RawValue::get)))
        }
        (None, Some(message)) => Text::of(message),
        (None, None) => return Err(Refusal::malformed("response_data or message: one of them is needed")),
    };
    let asked = Asked {
        phase: Phase::Response,
        content,
        backend: connector.clone(),
        tool: tool.clone(),
        agent: String::new(),
        hints: callgate_actors::call::Hints::default(),
        decided: false,
    };
    let judged = app.judge(asked).await?;
    let masked = judged.masked();
    let blocked = response_block(&judged, masked.is_some());
    let client = request.client_id.filter(|id| !id.is_empty()).unwrap_or_else(|| auth::client(&headers));
    let finding = Finding { plane: "check_output", client: &client, connector: &connector, tool: &tool };
    let masked = masked.filter(|_| blocked.is_none());
    let answer = finding.answer(app, &headers, &judged, blocked.as_deref(), masked.is_some()).await;
    let mut text = answer.to_string();
    if let Some(masked) = masked {
        append(&mut text, &masked_members(rows.is_some(), &masked)?);
    }
    Ok(json_response(status(blocked.as_deref()), Bytes::from(text)))
}

/// Why an answer must not pass. Nobody can be asked about an answer that is here already, so an approval blocks.
pub(super) fn response_block(judged: &Judged, masked: bool) -> Option<String> {
    match judged.judgement.action? {
        Action::Block => Some(format!("Response blocked: {}", block_reason(judged))),
        Action::RequireApproval => {
            Some(format!("Response blocked: approval_required: {}", block_reason(judged)))
        }
        Action::Redact if !masked => Some(format!("Response blocked: {}", block_reason(judged))),
        Action::Redact | Action::Warn | Action::Log => None,
    }
}

/// One object that holds the rows byte for byte, and what is looked at beside them.
fn envelope(rows: &str, message: Option<&str>, metadata: Option<&str>) -> String {
    let message = Value::from(message.unwrap_or_default());
    format!(r#"{{"data":{rows},"message":{message},"metadata":{}}}"#, metadata.unwrap_or("null"))
}

/// The masked content as it is answered: rows as rows, with every number as it was written; a text under both names
/// that clients read.
fn masked_members(is_rows: bool, masked: &str) -> Result<String, Refusal> {
    #[derive(Deserialize)]
    struct Rows<'a> {
        #[serde(borrow)]
        data: &'a RawValue,
    }
    if is_rows {
        let rows: Rows<'_> = serde_json::from_str(masked)
            .map_err(|_| Refusal::unavailable("the masked rows cannot be written"))?;
        return Ok(format!(r#","redacted_data":{}"#, rows.data.get()));
    }
    let text = Value::from(masked);
    Ok(format!(r#","redacted_data":{text},"redacted_message":{text}"#))
}

/// Puts members before the last brace of an object that is not empty.
fn append(object: &mut String, members: &str) {
    object.pop();
    object.push_str(members);
    object.push('}');
}

/// Where a finding belongs.
struct Finding<'a> {
    plane: &'a str,
    client: &'a str,
    connector: &'a str,
    tool: &'a str,
}

impl Finding<'_> {
    /// What both planes answer, and the record of it.
    async fn answer(
        &self,
        app: &App,
        headers: &HeaderMap,
        judged: &Judged,
        blocked: Option<&str>,
        masked: bool,
    ) -> Value {
        let decision_id = uuid::Uuid::new_v4().to_string();
        let reasons: Vec<String> = blocked
            .map(str::to_owned)
            .into_iter()
            .chain(judged.reasons())
            .take(super::limits::REASONS)
            .collect();
        let row = rows::Row {
            decision_id: &decision_id,
            trace_id: &decide::trace(headers),
            verdict: if blocked.is_some() { "deny" } else { "allow" },
            plane: self.plane,
            client: self.client,
            backend: self.connector,
            tool: self.tool,
            reasons: &reasons,
            context: Value::Object(Map::new()),
            masked,
        };
        app.recorder.record(row.of(app, judged, Timestamp::now())).await;
        let mut answer = json!({
            "allowed": blocked.is_none(),
            "policies_evaluated": judged.judgement.evaluated,
            "policy_info": judged.policy_info(blocked, usize::from(masked)),
            "policy_matches": judged.policy_matches(),
            "decision_id": decision_id,
            "redaction_evaluated": true,
        });
        if let Some(reason) = blocked {
            answer["block_reason"] = reason.into();
        }
        if let Some(risk) = judged.risk() {
            answer["risk_level"] = judge::severity(risk).into();
        }
        answer
    }
}

/// The first reason.
pub(super) fn block_reason(judged: &Judged) -> String {
    judged.reasons().into_iter().next().unwrap_or_else(|| "blocked by policy".to_owned())
}

fn status(blocked: Option<&str>) -> StatusCode {
    if blocked.is_some() { StatusCode::FORBIDDEN } else { StatusCode::OK }
}

fn required(value: Option<String>, name: &str) -> Result<String, Refusal> {
    value
        .filter(|value| !value.is_empty())
        .ok_or_else(|| Refusal::malformed(format!("{name}: missing or empty")))
}

fn json_response(status: StatusCode, body: Bytes) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_their_numbers_and_come_back_as_rows() {
        let rows = r#"[{"id":12345678901234567890,"rate":1.50}]"#;
        let envelope = envelope(rows, None, Some(r#"{"a":1}"#));
        let members = masked_members(true, &envelope).expect("rows");
        assert_eq!(members, format!(r#","redacted_data":{rows}"#));
        let mut answer = r#"{"allowed":true}"#.to_owned();
        append(&mut answer, &members);
        assert!(serde_json::from_str::<Value>(&answer).is_ok(), "{answer}");
    }

    #[test]
    fn only_text_can_be_masked() {
        assert!(matches!(fulfils(None, "postgres"), Ok(false)));
        assert!(matches!(fulfils(None, "gateway"), Ok(true)));
        assert!(matches!(fulfils(Some("text/plain; charset=utf-8"), "postgres"), Ok(true)));
        assert!(fulfils(Some("image/png"), "gateway").is_err());
    }
}
