//! The queue of calls that wait for a person: human in the loop (the AxonFlow contract, section 3.2).

use super::auth;
use super::body::Input;
use super::hold::reviewer_fault;
use super::limits::{APPROVAL_LIFE, SHOWN_QUERY_BYTES};
use super::reply::Refusal;
use super::state::{App, Shared};
use crate::store::{Review, Ticket, TicketFilter};
use axum::Json;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Rows of one page when nothing else is asked.
const DEFAULT_LIMIT: u32 = 50;
/// Most rows of one page.
const MAX_LIMIT: u32 = 1000;
/// Longest comment or name of a reviewer.
const TEXT_CHARACTERS: usize = 2000;
/// Longest address of a webhook.
const URL_BYTES: usize = 2048;
/// Bounds of `expires_in_seconds`: a minute to thirty days.
const EXPIRY: (i64, i64) = (60, 30 * 24 * 60 * 60);

/// What the list is asked for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    status: Option<String>,
    severity: Option<String>,
    policy_id: Option<String>,
    client_id: Option<String>,
    user_id: Option<String>,
    limit: Option<u32>,
    offset: Option<u32>,
    order_by: Option<String>,
    order_dir: Option<String>,
}

/// Lists the queue.
pub(super) async fn list(state: Shared, Query(wanted): Query<Wanted>) -> Result<Json<Value>, Refusal> {
    let words = |text: Option<String>| -> Vec<String> {
        let text = text.unwrap_or_default();
        text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    if wanted.order_by.as_deref().is_some_and(|by| by != "created_at") {
        return Err(Refusal::malformed("order_by: only created_at is known"));
    }
    let (limit, offset) =
        (wanted.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT), wanted.offset.unwrap_or(0));
    let filter = TicketFilter {
        statuses: words(wanted.status),
        severities: words(wanted.severity),
        policy_id: wanted.policy_id,
        client_id: wanted.client_id,
        user_id: wanted.user_id,
        limit,
        offset,
        oldest_first: wanted.order_dir.as_deref().is_some_and(|dir| dir.eq_ignore_ascii_case("asc")),
        ..TicketFilter::default()
    };
    let (tickets, total) = state.0.stored(move |store, tenant| store.tickets(tenant, &filter)).await?;
    let items: Vec<Value> = tickets.iter().map(item).collect();
    let meta = json!({"total": total, "limit": limit, "offset": offset});
    Ok(Json(json!({"success": true, "data": items, "meta": meta})))
}

/// A ticket as it is answered: without what binds the grant, and without empty members.
fn item(ticket: &Ticket) -> Value {
    let mut value = serde_json::to_value(ticket).unwrap_or_default();
    if let Value::Object(members) = &mut value {
        for hidden in ["digest", "policy_version"] {
            members.remove(hidden);
        }
        members.retain(|_, member| !member.is_null());
    }
    value
}

fn enveloped(ticket: &Ticket) -> Value {
    json!({"success": true, "status": ticket.status, "data": item(ticket)})
}

/// One item.
pub(super) async fn get(state: Shared, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    let found = state.0.stored(move |store, tenant| store.ticket(tenant, &id)).await?;
    let ticket = found.ok_or_else(unknown)?;
    Ok(Json(json!({"success": true, "data": item(&ticket)})))
}

fn unknown() -> Refusal {
    Refusal::unknown("request: there is none with this id")
}

/// What a caller wants a person to decide.
#[derive(Debug, Deserialize)]
pub(super) struct Fields {
    client_id: Option<String>,
    original_query: Option<String>,
    request_type: Option<String>,
    #[serde(default)]
    user_id: Option<String>,
    #[serde(default)]
    request_context: Option<Map<String, Value>>,
    #[serde(default)]
    triggered_policy_id: Option<String>,
    #[serde(default)]
    triggered_policy_name: Option<String>,
    #[serde(default)]
    trigger_reason: Option<String>,
    #[serde(default)]
    severity: Option<String>,
    #[serde(default)]
    notify_url: Option<String>,
    #[serde(default)]
    expires_in_seconds: Option<i64>,
}

/// Puts something into the queue that another gate holds. Its grant redeems nothing here.
pub(super) async fn create(
    state: Shared,
    Input(fields): Input<Fields>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let app = &state.0;
    let needed = |value: Option<String>, name: &str| {
        let value = value.filter(|value| !value.is_empty());
        value.ok_or_else(|| Refusal::malformed(format!("{name}: missing or empty")))
    };
    let severity = fields.severity.unwrap_or_else(|| "high".to_owned());
    if !["low", "medium", "high", "critical"].contains(&severity.as_str()) {
        return Err(Refusal::malformed("severity: must be low, medium, high or critical"));
    }
    let web = |url: &String| url.starts_with("https://") || url.starts_with("http://");
    if fields.notify_url.as_ref().is_some_and(|url| !web(url) || url.len() > URL_BYTES) {
        return Err(Refusal::malformed("notify_url: must be an http or https address"));
    }
    let life = fields.expires_in_seconds.map(|seconds| seconds.clamp(EXPIRY.0, EXPIRY.1));
    let life = life.map_or_else(
        || SignedDuration::try_from(APPROVAL_LIFE).unwrap_or_default(),
        SignedDuration::from_secs,
    );
    let mut query = needed(fields.original_query, "original_query")?;
    query.truncate(super::context::floor(&query, SHOWN_QUERY_BYTES));
    let now = Timestamp::now();
    let request_id = uuid::Uuid::new_v4().to_string();
    let ticket = Ticket {
        org_id: app.organization.clone(),
        tenant_id: app.tenant.clone(),
        client_id: auth::plain(&needed(fields.client_id, "client_id")?),
        user_id: fields.user_id.as_deref().map(auth::plain).unwrap_or_default(),
        original_query: query,
        request_type: auth::plain(&needed(fields.request_type, "request_type")?),
        request_context: Value::Object(fields.request_context.unwrap_or_default()),
        triggered_policy_id: fields.triggered_policy_id.unwrap_or_default(),
        triggered_policy_name: fields.triggered_policy_name.unwrap_or_default(),
        trigger_reason: fields.trigger_reason.unwrap_or_default(),
        severity,
        status: "pending".to_owned(),
        reviewer_id: None,
        reviewer_email: None,
        review_comment: None,
        reviewed_at: None,
        notify_url: fields.notify_url,
        expires_at: now + life,
        created_at: now,
        updated_at: now,
        // Bound to nothing but itself: every request is one of its own.
        digest: format!("external:{request_id}"),
        policy_version: String::new(),
        consumed_at: None,
        request_id,
    };
    let opened = app.open_ticket(ticket).await?;
    Ok((StatusCode::CREATED, Json(json!({"success": true, "data": item(&opened)}))))
}

/// A person's word. The override form names its people `authorized_by_…` and its comment `justification`.
#[derive(Debug, Deserialize)]
pub(super) struct Word {
    #[serde(default, alias = "authorized_by_id", alias = "authorized_by")]
    reviewer_id: Option<String>,
    #[serde(default, alias = "authorized_by_email")]
    reviewer_email: Option<String>,
    #[serde(default, alias = "justification")]
    comment: Option<String>,
}

pub(super) async fn approve(
    state: Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
    Input(word): Input<Word>,
) -> Result<Json<Value>, Refusal> {
    decide(&state.0, id, "approved", word, &headers).await
}

pub(super) async fn reject(
    state: Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
    Input(word): Input<Word>,
) -> Result<Json<Value>, Refusal> {
    decide(&state.0, id, "rejected", word, &headers).await
}

pub(super) async fn overrule(
    state: Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
    Input(word): Input<Word>,
) -> Result<Json<Value>, Refusal> {
    if word.comment.as_deref().is_none_or(str::is_empty) {
        return Err(Refusal::malformed("justification: missing or empty"));
    }
    decide(&state.0, id, "overridden", word, &headers).await
}

/// Decides a pending item: 404 when there is none, 409 when it is decided or expired, 403 when the caller decides.
async fn decide(
    app: &App,
    id: String,
    status: &str,
    word: Word,
    headers: &HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let cut =
        |text: Option<String>| text.unwrap_or_default().chars().take(TEXT_CHARACTERS).collect::<String>();
    let review = Review {
        status: status.to_owned(),
        reviewer_id: cut(word.reviewer_id).trim().to_owned(),
        reviewer_email: cut(word.reviewer_email).trim().to_owned(),
        comment: cut(word.comment),
    };
    if review.reviewer_id.is_empty() && review.reviewer_email.is_empty() {
        return Err(Refusal::malformed("reviewer_id: missing or empty"));
    }
    let person = auth::person(headers);
    let asked = id.clone();
    let held = app.stored(move |store, tenant| store.ticket(tenant, &asked)).await?.ok_or_else(unknown)?;
    let as_reviewed = Ticket {
        reviewer_id: Some(review.reviewer_id.clone()),
        reviewer_email: Some(review.reviewer_email.clone()),
        ..held.clone()
    };
    let grants = status != "rejected";
    // Whom the request itself names, where it names somebody, must not be the one who asked.
    let asks_for_itself = !person.is_empty() && person.eq_ignore_ascii_case(&held.user_id);
    if grants && (reviewer_fault(&as_reviewed, "").is_some() || asks_for_itself) {
        let text = "approval_reviewer_excluded: the one who asks cannot say yes";
        return Err(Refusal::forbidden(text));
    }
    let ticket = app.stored(move |store, tenant| store.decide_ticket(tenant, &id, &review)).await?;
    tracing::info!(request = ticket.request_id, status = ticket.status, "a held call was decided");
    Ok(Json(enveloped(&ticket)))
}

/// What happened to an item, the oldest first.
pub(super) async fn history(state: Shared, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    let events = state
        .0
        .stored(move |store, tenant| match store.ticket(tenant, &id)? {
            Some(_) => store.ticket_history(tenant, &id).map(Some),
            None => Ok(None),
        })
        .await?
        .ok_or_else(unknown)?;
    let shown: Vec<Value> = events
        .iter()
        .map(|event| {
            json!({"action": event.event, "timestamp": event.at.to_string(), "actor": event.by, "comment": event.comment})
        })
        .collect();
    Ok(Json(json!({"success": true, "data": shown})))
}

/// How the queue stands.
pub(super) async fn stats(state: Shared) -> Result<Json<Value>, Refusal> {
    let stats = state.0.stored(|store, tenant| store.ticket_stats(tenant)).await?;
    let count = |map: &std::collections::BTreeMap<String, u64>, key: &str| map.get(key).copied().unwrap_or(0);
    let mut data = json!({
        "total_pending": count(&stats.by_status, "pending"),
        "high_priority": count(&stats.pending_by_severity, "high"),
        "critical_priority": count(&stats.pending_by_severity, "critical"),
        "by_status": stats.by_status,
    });
    if let Some(oldest) = stats.oldest_pending {
        let seconds = Timestamp::now().duration_since(oldest).as_secs_f64();
        data["oldest_pending_hours"] = (seconds.max(0.0) / 3600.0).into();
    }
    Ok(Json(json!({"success": true, "data": data})))
}

/// Whether calls can be held here: they can.
pub(super) async fn status() -> Json<Value> {
    Json(json!({"success": true, "data": {"enabled": true, "status": "active"}}))
}

/// Writes down which items have run out of time.
pub(super) async fn expire(state: Shared) -> Result<Json<Value>, Refusal> {
    let expired = state.0.stored(|store, tenant| store.expire_tickets(tenant)).await?;
    Ok(Json(json!({"success": true, "data": {"expired": expired, "expired_count": expired}})))
}
