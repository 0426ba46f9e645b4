//! What was decided: one decision explained, the list, and the search of the audit plane (the AxonFlow contract,
//! sections 3.1 and 3.4). No answer holds a value of a call.

use super::body::Input;
use super::judge::may_be_overridden;
use super::reply::Refusal;
use super::state::{App, Shared};
use crate::policy::model::Severity;
use crate::store::{DecisionFilter, DecisionRow, MatchedRow, StoredOverride};
use axum::Json;
use axum::extract::{Path, Query};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Rows of one answer when nothing else is asked.
const DEFAULT_LIMIT: u32 = 100;
/// Most rows of one answer.
const MAX_LIMIT: u32 = 1000;
/// The window of `historical_hit_count_session`.
const SESSION: SignedDuration = SignedDuration::from_hours(24);

/// Explains one decision.
pub(super) async fn explain(state: Shared, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    let app = &state.0;
    app.recorder.settle().await;
    let asked = id.clone();
    let found = app
        .stored(move |store, tenant| {
            let Some(row) = store.decision(tenant, &asked)? else { return Ok(None) };
            let first = row.matched.first().map(|matched| matched.policy_id.clone());
            let since = Some(Timestamp::now() - SESSION);
            let hits = match &first {
                None => 0,
                Some(_) => {
                    store.decision_count(tenant, &DecisionFilter { since, policy_id: first, ..all() })?
                }
            };
            Ok(Some((row, hits, store.overrides(tenant)?)))
        })
        .await?;
    let (row, hits, overrides) =
        found.ok_or_else(|| Refusal::unknown("decision: there is none with this id"))?;
    Ok(Json(explanation(&row, hits, &overrides)))
}

fn explanation(row: &DecisionRow, hits: u64, overrides: &[StoredOverride]) -> Value {
    let matches: Vec<Value> = row.matched.iter().map(policy_match).collect();
    let existing = row.matched.iter().find_map(|matched| {
        overrides.iter().find(|row| row.policy_id == matched.policy_id).map(|row| row.id.clone())
    });
    let mut out = json!({
        "decision_id": row.decision_id,
        "timestamp": row.timestamp.to_string(),
        "policy_matches": matches,
        "decision": word(row),
        "verdict": row.verdict,
        "reason": row.reasons.first().cloned().unwrap_or_default(),
        "reasons": row.reasons,
        "override_available": row.verdict == "deny" && row.matched.iter().any(is_open_to_override),
        "historical_hit_count_session": hits,
        "plane": row.plane,
        "trace_id": row.trace_id,
        "policy_version_at_decision": row.policy_version,
    });
    let Value::Object(members) = &mut out else { return out };
    if let Some(worst) = row.matched.iter().map(|matched| rank(&matched.severity)).max() {
        members.insert("risk_level".into(), super::judge::severity(worst).into());
    }
    if let Some(id) = existing {
        members.insert("override_existing_id".into(), id.into());
    }
    if !row.tool_signature.is_empty() {
        members.insert("tool_signature".into(), row.tool_signature.clone().into());
    }
    let (context, truncated) = context(row);
    if !context.is_empty() {
        members.insert("context".into(), context.into());
        members.insert("context_truncated".into(), truncated.into());
    }
    out
}

fn policy_match(matched: &MatchedRow) -> Value {
    json!({
        "policy_id": matched.policy_id,
        "policy_name": matched.policy_name,
        "action": matched.action,
        "risk_level": matched.severity,
        "allow_override": may_be_overridden(rank(&matched.severity)),
    })
}

fn is_open_to_override(matched: &MatchedRow) -> bool {
    matched.action == "block" && may_be_overridden(rank(&matched.severity))
}

/// An unknown word is taken for the worst.
fn rank(severity: &str) -> Severity {
    match severity {
        "low" => Severity::Low,
        "medium" => Severity::Medium,
        "high" => Severity::High,
        _ => Severity::Critical,
    }
}

/// The context's texts, and whether something of it was cut.
fn context(row: &DecisionRow) -> (Map<String, Value>, bool) {
    let mut members = row.context.as_object().cloned().unwrap_or_default();
    let truncated = members.remove("context_truncated").is_some();
    (members, truncated)
}

/// The audit word of a decision.
fn word(row: &DecisionRow) -> &'static str {
    let masked = row.redactions.as_object().is_some_and(|masked| !masked.is_empty());
    match row.verdict.as_str() {
        "allow" if masked => "redacted",
        "allow" => "allowed",
        "deny" => "blocked",
        "needs_approval" => "needs_approval",
        _ => "error",
    }
}

fn all() -> DecisionFilter {
    DecisionFilter { limit: MAX_LIMIT, ..DecisionFilter::default() }
}

/// What the list is asked for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    since: Option<String>,
    decision: Option<String>,
    policy_id: Option<String>,
    tool_signature: Option<String>,
    limit: Option<u32>,
}

/// Lists decisions, the newest first. `decision` may be an audit word or a verdict.
pub(super) async fn list(state: Shared, Query(wanted): Query<Wanted>) -> Result<Json<Value>, Refusal> {
    let app = &state.0;
    let since = wanted.since.as_deref().map(|text| moment(text, "since")).transpose()?;
    let verdict = wanted.decision.as_deref().map(verdict_of).transpose()?;
    let limit = wanted.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let filter = DecisionFilter {
        since,
        verdict: verdict.map(|(verdict, _)| verdict.to_owned()),
        policy_id: wanted.policy_id,
        tool_signature: wanted.tool_signature,
        limit: MAX_LIMIT,
    };
    let rows = rows(app, filter).await?;
    let exact = verdict.and_then(|(_, exact)| exact);
    let fits = |row: &&DecisionRow| exact.is_none_or(|exact| word(row) == exact);
    let summaries: Vec<Value> = rows.iter().filter(fits).take(limit as usize).map(summary).collect();
    Ok(Json(json!({"count": summaries.len(), "decisions": summaries})))
}

async fn rows(app: &App, filter: DecisionFilter) -> Result<Vec<DecisionRow>, Refusal> {
    app.recorder.settle().await;
    app.stored(move |store, tenant| store.decisions(tenant, &filter)).await
}

fn summary(row: &DecisionRow) -> Value {
    let mut out = json!({
        "decision_id": row.decision_id,
        "timestamp": row.timestamp.to_string(),
        "decision": word(row),
    });
    let Value::Object(members) = &mut out else { return out };
    if let Some(first) = row.matched.first() {
        members.insert("policy_id".into(), first.policy_id.clone().into());
    }
    if !row.tool_signature.is_empty() {
        members.insert("tool_signature".into(), row.tool_signature.clone().into());
    }
    let (context, _) = context(row);
    if !context.is_empty() {
        members.insert("context".into(), context.into());
    }
    out
}

/// The stored verdict behind a word, and the audit word where the verdict says less.
fn verdict_of(word: &str) -> Result<(&'static str, Option<&'static str>), Refusal> {
    Ok(match word {
        "allow" => ("allow", None),
        "allowed" => ("allow", Some("allowed")),
        "redacted" => ("allow", Some("redacted")),
        "deny" | "blocked" => ("deny", None),
        "needs_approval" | "require_approval" => ("needs_approval", None),
        "error" => ("error", None),
        _ => {
            let text = "decision: must be allowed, blocked, redacted, needs_approval or error";
            return Err(Refusal::malformed(text));
        }
    })
}

fn moment(text: &str, name: &str) -> Result<Timestamp, Refusal> {
    // A plus sign that was not escaped arrives as a blank.
    text.replace(' ', "+")
        .parse()
        .map_err(|_| Refusal::malformed(format!("{name}: must be a time such as 2026-11-20T12:00:00Z")))
}

/// What the audit search is asked for. A filter that the store has no column for finds nothing rather than all.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    user_email: Option<String>,
    #[serde(default)]
    start_time: Option<String>,
    #[serde(default)]
    end_time: Option<String>,
    #[serde(default)]
    action: Option<String>,
    #[serde(default)]
    request_type: Option<String>,
    #[serde(default)]
    decision_id: Option<String>,
    #[serde(default)]
    policy_name: Option<String>,
    #[serde(default)]
    limit: Option<u32>,
    #[serde(default)]
    offset: Option<u32>,
}

/// Searches the decisions.
pub(super) async fn search(state: Shared, Input(wanted): Input<Search>) -> Result<Json<Value>, Refusal> {
    entries(&state.0, wanted).await.map(Json)
}

/// The newest decisions of a tenant.
pub(super) async fn of_tenant(
    state: Shared,
    Path(tenant): Path<String>,
    Query(page): Query<Search>,
) -> Result<Json<Value>, Refusal> {
    state.0.check_tenant(Some(&tenant), None)?;
    entries(&state.0, Search { limit: page.limit, offset: page.offset, ..Search::default() }).await.map(Json)
}

async fn entries(app: &App, wanted: Search) -> Result<Value, Refusal> {
    let start = wanted.start_time.as_deref().map(|text| moment(text, "start_time")).transpose()?;
    let end = wanted.end_time.as_deref().map(|text| moment(text, "end_time")).transpose()?;
    let (limit, offset) =
        (wanted.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT), wanted.offset.unwrap_or(0));
    let rows = rows(app, DecisionFilter { since: start, ..all() }).await?;
    let is = |asked: &Option<String>, value: &str| asked.as_deref().is_none_or(|asked| asked == value);
    let fits = |row: &&DecisionRow| {
        wanted.user_email.is_none()
            && end.is_none_or(|end| row.timestamp <= end)
            && is(&wanted.client_id, &row.client_id)
            && is(&wanted.decision_id, &row.decision_id)
            && wanted.request_type.as_deref().is_none_or(|kind| kind == row.plane)
            && wanted.action.as_deref().is_none_or(|action| action == word(row) || action == row.verdict)
            && wanted
                .policy_name
                .as_deref()
                .is_none_or(|name| row.matched.iter().any(|m| m.policy_name == name || m.policy_id == name))
    };
    let found: Vec<&DecisionRow> = rows.iter().filter(fits).collect();
    let page: Vec<Value> =
        found.iter().skip(offset as usize).take(limit as usize).map(|row| entry(row)).collect();
    Ok(json!({"entries": page, "total": found.len(), "limit": limit, "offset": offset}))
}

fn entry(row: &DecisionRow) -> Value {
    json!({
        "id": row.decision_id,
        "request_id": row.decision_id,
        "timestamp": row.timestamp.to_string(),
        "user_email": "",
        "client_id": row.client_id,
        "tenant_id": row.tenant_id,
        "request_type": row.plane,
        "policy_decision": word(row),
        "policy_details": {
            "tool_name": row.tool_signature,
            "reasons": row.reasons,
            "policies": row.matched.iter().map(|matched| matched.policy_id.as_str()).collect::<Vec<_>>(),
            "context": row.context,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_vocabularies_are_understood() {
        for (word, verdict) in
            [("blocked", "deny"), ("deny", "deny"), ("redacted", "allow"), ("allow", "allow")]
        {
            assert_eq!(verdict_of(word).expect("known").0, verdict);
        }
        assert!(verdict_of("maybe").is_err());
    }

    #[test]
    fn times_may_have_lost_their_plus() {
        assert!(moment("2026-11-20T12:00:00 00:00", "since").is_ok());
        assert!(moment("2026-11-20T12:00:00Z", "since").is_ok());
        assert!(moment("yesterday", "since").is_err());
    }
}
