//! Overrides: a policy is treated differently for a while, for a reason (the AxonFlow contract, section 3.3).

use super::auth;
use super::body::Input;
use super::judge::may_be_overridden;
use super::policies::ACTIONS;
use super::reply::Refusal;
use super::state::{App, Shared};
use crate::policy::model::Severity;
use crate::store::{StoreError, StoredOverride};
use axum::Json;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

/// Longest reason, in characters.
const REASON: usize = 500;
/// Bounds and default of `ttl_seconds`.
const TTL: (i64, i64, i64) = (60, 86_400, 3600);

/// Body of `POST /api/v1/overrides`.
#[derive(Debug, Deserialize)]
pub(super) struct Session {
    policy_id: String,
    #[serde(default)]
    policy_type: Option<String>,
    #[serde(default, alias = "reason")]
    override_reason: Option<String>,
    #[serde(default)]
    tool_signature: Option<String>,
    #[serde(default)]
    ttl_seconds: Option<i64>,
}

/// Body of the form for one policy.
#[derive(Debug, Deserialize)]
pub(super) struct Lasting {
    #[serde(default, alias = "action")]
    action_override: Option<String>,
    #[serde(default)]
    enabled_override: Option<bool>,
    #[serde(default, alias = "reason")]
    override_reason: Option<String>,
    #[serde(default)]
    expires_at: Option<String>,
}

/// Lets what a policy stops pass for a while.
pub(super) async fn create(
    state: Shared,
    headers: HeaderMap,
    Input(asked): Input<Session>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let app = &state.0;
    let kind = asked.policy_type.unwrap_or_else(|| "static".to_owned());
    if !["static", "dynamic"].contains(&kind.as_str()) {
        return Err(Refusal::malformed("policy_type: must be static or dynamic"));
    }
    let (low, high, default) = TTL;
    let wanted = asked.ttl_seconds.unwrap_or(default);
    let ttl = wanted.clamp(low, high);
    let expires = Timestamp::now() + SignedDuration::from_secs(ttl);
    let mut row = row(app, &headers, asked.policy_id, asked.override_reason, Some(expires))?;
    row.policy_type = kind;
    row.enabled_override = Some(false);
    row.tool_signature = asked.tool_signature.filter(|tool| !tool.is_empty());
    let row = keep(app, row).await?;
    let mut answer = shown(&row, "block");
    answer["clamped"] = (ttl != wanted).into();
    answer["ttl_seconds"] = ttl.into();
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Treats one policy differently.
pub(super) async fn create_for(
    state: Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
    Input(asked): Input<Lasting>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let app = &state.0;
    if asked.action_override.is_none() && asked.enabled_override.is_none() {
        return Err(Refusal::malformed("action_override: missing"));
    }
    if asked.action_override.as_deref().is_some_and(|action| !ACTIONS.contains(&action)) {
        return Err(Refusal::malformed(format!("action_override: must be one of {}", ACTIONS.join(", "))));
    }
    let expires = asked.expires_at.as_deref().map(str::parse::<Timestamp>).transpose();
    let expires =
        expires.map_err(|_| Refusal::malformed("expires_at: must be a time such as 2026-11-20T12:00:00Z"))?;
    if expires.is_some_and(|end| end <= Timestamp::now()) {
        return Err(Refusal::malformed("expires_at: must lie in the future"));
    }
    let mut row = row(app, &headers, id, asked.override_reason, expires)?;
    row.action_override = asked.action_override;
    row.enabled_override = asked.enabled_override;
    let row = keep(app, row).await?;
    Ok((StatusCode::CREATED, Json(shown(&row, "block"))))
}

/// Switches a shipped policy on or off.
pub(super) async fn switch(app: &App, id: &str, enabled: bool, by: String) -> Result<(), Refusal> {
    if enabled {
        let id = id.to_owned();
        return app
            .changed(move |store, tenant| {
                let rows = store.overrides(tenant)?;
                let off = |row: &&StoredOverride| row.policy_id == id && row.enabled_override == Some(false);
                rows.iter().filter(off).try_for_each(|row| store.revoke_override(tenant, &row.id))
            })
            .await;
    }
    let mut row = row(app, &HeaderMap::new(), id.to_owned(), Some("switched off".to_owned()), None)?;
    row.created_by = by;
    row.enabled_override = Some(false);
    keep(app, row).await.map(|_| ())
}

fn row(
    app: &App,
    headers: &HeaderMap,
    policy_id: String,
    reason: Option<String>,
    expires_at: Option<Timestamp>,
) -> Result<StoredOverride, Refusal> {
    let reason = reason.unwrap_or_default().trim().to_owned();
    if !(1..=REASON).contains(&reason.chars().count()) {
        return Err(Refusal::malformed(format!("override_reason: must be 1 to {REASON} characters")));
    }
    let person = auth::person(headers);
    Ok(StoredOverride {
        id: uuid::Uuid::new_v4().to_string(),
        policy_id,
        policy_type: "static".to_owned(),
        action_override: None,
        enabled_override: None,
        tool_signature: None,
        override_reason: reason,
        tenant_id: app.tenant.clone(),
        created_by: if person.is_empty() { auth::client(headers) } else { person },
        created_at: Timestamp::now(),
        expires_at,
    })
}

/// Keeps an override of a policy that there is and that is not critical.
async fn keep(app: &App, mut row: StoredOverride) -> Result<StoredOverride, Refusal> {
    let set = app.authority.current();
    let shipped = set
        .engine()
        .policies()
        .find(|policy| policy.policy_id == row.policy_id)
        .map(|policy| (policy.severity, policy.policy_id.clone()));
    let asked = row.policy_id.clone();
    let stored = app
        .stored(move |store, tenant| {
            let rows = store.policies(tenant)?;
            Ok(rows.into_iter().find(|policy| policy.policy_id == asked || policy.id == asked))
        })
        .await?;
    let stored = stored.map(|policy| (severity_of(&policy.severity), policy.policy_id));
    let Some((severity, id)) = stored.or(shipped) else {
        return Err(Refusal::unknown("policy: there is none with this id"));
    };
    if !may_be_overridden(severity) && weakens(&row) {
        return Err(Refusal::forbidden("policy: one of critical severity cannot be overridden"));
    }
    row.policy_id = id;
    app.changed(move |store, _| store.create_override(&row).map(|()| row)).await
}

/// Whether an override could let more pass. To block more is never forbidden.
fn weakens(row: &StoredOverride) -> bool {
    row.enabled_override == Some(false) || row.action_override.as_deref() != Some("block")
}

fn severity_of(word: &str) -> Severity {
    match word {
        "low" => Severity::Low,
        "medium" => Severity::Medium,
        "high" => Severity::High,
        _ => Severity::Critical,
    }
}

/// An override as it is answered. Clients want an action: one that only switches shows the policy's own, or `log` for a
/// policy that is off.
pub(super) fn shown(row: &StoredOverride, own: &str) -> Value {
    let off = row.enabled_override == Some(false);
    let action = row.action_override.as_deref().unwrap_or(if off { "log" } else { own });
    let mut out = json!({
        "id": row.id,
        "policy_id": row.policy_id,
        "policy_type": row.policy_type,
        "action_override": action,
        "override_reason": row.override_reason,
        "tenant_id": row.tenant_id,
        "created_by": row.created_by,
        "created_at": row.created_at.to_string(),
    });
    if let Some(enabled) = row.enabled_override {
        out["enabled_override"] = enabled.into();
    }
    if let Some(tool) = &row.tool_signature {
        out["tool_signature"] = tool.clone().into();
    }
    if let Some(expires) = row.expires_at {
        out["expires_at"] = expires.to_string().into();
    }
    out
}

/// The overrides that hold now.
pub(super) async fn list(state: Shared) -> Result<Json<Value>, Refusal> {
    let rows = state.0.stored(|store, tenant| store.overrides(tenant)).await?;
    let shown: Vec<Value> = rows.iter().map(|row| shown(row, "block")).collect();
    Ok(Json(json!({"count": shown.len(), "overrides": shown})))
}

/// One override.
pub(super) async fn get(state: Shared, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    let rows = state.0.stored(|store, tenant| store.overrides(tenant)).await?;
    let found = rows.iter().find(|row| row.id == id);
    found
        .map(|row| Json(shown(row, "block")))
        .ok_or_else(|| Refusal::unknown("override: there is none with this id"))
}

/// Ends an override.
pub(super) async fn delete(state: Shared, Path(id): Path<String>) -> Result<StatusCode, Refusal> {
    state.0.changed(move |store, tenant| store.revoke_override(tenant, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends the overrides of one policy.
pub(super) async fn delete_for(state: Shared, Path(id): Path<String>) -> Result<StatusCode, Refusal> {
    state
        .0
        .changed(move |store, tenant| {
            let rows: Vec<_> =
                store.overrides(tenant)?.into_iter().filter(|row| row.policy_id == id).collect();
            if rows.is_empty() {
                return Err(StoreError::Missing("an override of this policy".into()));
            }
            rows.iter().try_for_each(|row| store.revoke_override(tenant, &row.id))
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
