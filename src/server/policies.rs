//! Static policies: list, get, create, change, delete, switch, test (the AxonFlow contract, section 4.1). Shipped ones
//! can be read and overridden, not edited.

use super::body::Input;
use super::judge::severity;
use super::limits::TEST_INPUTS;
use super::overrides;
use super::reply::Refusal;
use super::state::{App, Shared};
use crate::policy::expression;
use crate::policy::model::{Policy, Tier};
use crate::store::{StoreError, StoredOverride, StoredPolicy};
use axum::Json;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

const SEVERITIES: [&str; 4] = ["low", "medium", "high", "critical"];
pub(super) const ACTIONS: [&str; 5] = ["block", "require_approval", "redact", "warn", "log"];
const PHASES: [&str; 3] = ["request", "response", "both"];
/// Rows of one page when nothing else is asked.
const DEFAULT_LIMIT: usize = 1000;
/// Shipped policies have no time of their own; every instance must say the same.
const SHIPPED_AT: &str = "2026-01-01T00:00:00Z";

/// What the list is asked for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    category: Option<String>,
    tier: Option<String>,
    enabled: Option<bool>,
    search: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    limit: Option<usize>,
    offset: Option<usize>,
    #[serde(default)]
    include_disabled: bool,
}

/// Lists the policies.
pub(super) async fn list(state: Shared, Query(wanted): Query<Wanted>) -> Result<Json<Value>, Refusal> {
    let mut found = all(&state.0).await?;
    found.retain(|policy| fits(policy, &wanted));
    sort(&mut found, &wanted);
    let total = found.len();
    let (limit, offset) = (wanted.limit.unwrap_or(DEFAULT_LIMIT), wanted.offset.unwrap_or(0));
    let page: Vec<Value> = found.into_iter().skip(offset).take(limit).collect();
    let pagination = json!({"total": total, "total_items": total, "limit": limit, "offset": offset});
    Ok(Json(json!({"policies": page, "pagination": pagination})))
}

/// The policies that hold now, overrides applied: disabled ones are left out unless they are asked for.
pub(super) async fn effective(state: Shared, Query(wanted): Query<Wanted>) -> Result<Json<Value>, Refusal> {
    let mut found = all(&state.0).await?;
    found.retain(|policy| fits(policy, &wanted) && (wanted.include_disabled || policy["enabled"] == true));
    for policy in &mut found {
        if let Some(action) = policy["override"]["action_override"].as_str().map(str::to_owned) {
            policy["action"] = action.into();
        }
    }
    let computed = Timestamp::now().to_string();
    Ok(Json(json!({"static": found, "dynamic": [], "tenant_id": state.0.tenant, "computed_at": computed})))
}

fn fits(policy: &Value, wanted: &Wanted) -> bool {
    let is =
        |asked: &Option<String>, member: &str| asked.as_ref().is_none_or(|asked| policy[member] == **asked);
    let found = |needle: &String| {
        let needle = needle.to_lowercase();
        ["policy_id", "name", "description"]
            .iter()
            .any(|member| policy[member].as_str().is_some_and(|text| text.to_lowercase().contains(&needle)))
    };
    is(&wanted.category, "category")
        && is(&wanted.tier, "tier")
        && wanted.enabled.is_none_or(|enabled| policy["enabled"] == enabled)
        && wanted.search.as_ref().is_none_or(found)
}

fn sort(policies: &mut [Value], wanted: &Wanted) {
    let Some(by) = wanted.sort_by.as_deref() else { return };
    policies.sort_by(|one, other| match (&one[by], &other[by]) {
        (Value::Number(one), Value::Number(other)) => one.as_i64().cmp(&other.as_i64()),
        (one, other) => one.to_string().cmp(&other.to_string()),
    });
    if wanted.sort_order.as_deref().is_some_and(|order| order.eq_ignore_ascii_case("desc")) {
        policies.reverse();
    }
}

/// Every policy as it is answered, the shipped ones first; a stored one takes the place of a shipped one with its id.
async fn all(app: &App) -> Result<Vec<Value>, Refusal> {
    let (stored, overrides) =
        app.stored(|store, tenant| Ok((store.policies(tenant)?, store.overrides(tenant)?))).await?;
    let set = app.authority.current();
    let is_stored = |policy: &&Policy| stored.iter().any(|row| row.policy_id == policy.policy_id);
    let shipped = set.engine().policies().filter(|policy| !is_stored(policy)).map(of_shipped);
    let own = stored
        .iter()
        .enumerate()
        .filter(|(at, row)| is_meant(*at, row, &stored))
        .map(|(_, row)| of_stored(row));
    let mut policies: Vec<Value> = shipped.chain(own).collect();
    for policy in &mut policies {
        let id = policy["policy_id"].as_str().unwrap_or_default();
        let found = overrides.iter().find(|row| row.policy_id == id && row.tool_signature.is_none());
        let found = found.cloned();
        apply(policy, found.as_ref());
    }
    Ok(policies)
}

/// Of two rows with one id the tenant's own is meant.
fn is_meant(at: usize, row: &StoredPolicy, rows: &[StoredPolicy]) -> bool {
    !rows.iter().enumerate().any(|(other, twin)| {
        twin.policy_id == row.policy_id
            && other != at
            && row.tenant_id == "global"
            && twin.tenant_id != "global"
    })
}

fn apply(policy: &mut Value, found: Option<&StoredOverride>) {
    policy["has_override"] = found.is_some().into();
    if let Some(row) = found {
        if let Some(enabled) = row.enabled_override {
            policy["enabled"] = enabled.into();
        }
        let own = policy["action"].as_str().unwrap_or("block").to_owned();
        policy["override"] = overrides::shown(row, &own);
    }
}

fn of_shipped(policy: &Policy) -> Value {
    let detect = &policy.detect;
    let patterns: Vec<&str> = detect.patterns.iter().map(|pattern| pattern.regex.as_str()).collect();
    let signals = detect.signals.iter().map(|signal| format!("understood:{}", word(signal)));
    let data = detect.personal_data.iter().map(|kind| format!("data:{kind}"));
    let pattern = if patterns.is_empty() {
        signals.chain(data).collect::<Vec<_>>().join(" ")
    } else {
        patterns.join("|")
    };
    json!({
        "id": policy.policy_id,
        "policy_id": policy.policy_id,
        "name": policy.name,
        "description": policy.name,
        "category": policy.category,
        "tier": word(&policy.tier),
        "pattern": pattern,
        "severity": severity(policy.severity),
        "action": policy.action_request.word(),
        "phase": word(&policy.phase),
        "action_request": policy.action_request.word(),
        "action_response": policy.action_response.word(),
        "priority": policy.priority,
        "enabled": true,
        "tenant_id": "global",
        "organization_id": "",
        "tags": [],
        "metadata": {},
        "version": 1,
        "created_at": SHIPPED_AT,
        "updated_at": SHIPPED_AT,
    })
}

/// The word under which a value is written in settings and rows.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

fn of_stored(row: &StoredPolicy) -> Value {
    let mut value = serde_json::to_value(row).unwrap_or_default();
    if let Value::Object(members) = &mut value {
        members.insert("organization_id".into(), row.org_id.clone().into());
        members.retain(|_, member| !member.is_null());
    }
    value
}

async fn find(app: &App, id: &str) -> Result<Value, Refusal> {
    let known = |policy: &Value| policy["policy_id"] == *id || policy["id"] == *id;
    all(app)
        .await?
        .into_iter()
        .find(known)
        .ok_or_else(|| Refusal::unknown("policy: there is none with this id"))
}

/// One policy, by its id or its UUID.
pub(super) async fn get(state: Shared, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    find(&state.0, &id).await.map(Json)
}

/// The versions of a policy that are known: the one that holds.
pub(super) async fn versions(state: Shared, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    let policy = find(&state.0, &id).await?;
    let version = json!({
        "policy_id": policy["policy_id"],
        "version": policy["version"],
        "changed_by": policy["updated_by"].as_str().unwrap_or_default(),
        "changed_at": policy["updated_at"],
        "change_type": if policy["version"] == 1 { "create" } else { "update" },
        "snapshot": policy,
    });
    Ok(Json(json!({"policy_id": version["policy_id"], "versions": [version]})))
}

/// What a policy is made of, or changed to. Everything is optional in a change.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Fields {
    policy_id: Option<String>,
    name: Option<String>,
    description: Option<String>,
    category: Option<String>,
    pattern: Option<String>,
    severity: Option<String>,
    action: Option<String>,
    phase: Option<String>,
    action_request: Option<String>,
    action_response: Option<String>,
    enabled: Option<bool>,
    tier: Option<String>,
    priority: Option<i32>,
    organization_id: Option<String>,
    tags: Option<Vec<String>>,
    metadata: Option<Map<String, Value>>,
}

/// Makes a policy of the tenant or the organisation.
pub(super) async fn create(
    state: Shared,
    headers: HeaderMap,
    Input(fields): Input<Fields>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let app = &state.0;
    let now = Timestamp::now();
    let id = uuid::Uuid::new_v4().to_string();
    let by = author(&headers);
    let mut row = StoredPolicy {
        policy_id: fields.policy_id.clone().unwrap_or_else(|| format!("custom_{}", &id[..8])),
        id,
        name: String::new(),
        category: String::new(),
        pattern: String::new(),
        severity: "medium".to_owned(),
        description: None,
        action: "block".to_owned(),
        phase: "both".to_owned(),
        action_request: None,
        action_response: None,
        enabled: true,
        tier: "tenant".to_owned(),
        priority: 50,
        org_id: fields.organization_id.clone().unwrap_or_else(|| app.organization.clone()),
        tenant_id: app.tenant.clone(),
        tags: Vec::new(),
        metadata: json!({}),
        version: 1,
        created_at: now,
        updated_at: now,
        created_by: by.clone(),
        updated_by: by,
    };
    change(&mut row, fields);
    check(&row)?;
    if is_shipped(app, &row.policy_id) {
        return Err(Refusal::new(StatusCode::CONFLICT, "policy_id: a shipped policy has it; choose another"));
    }
    let made = app.changed(move |store, _| store.create_policy(&row).map(|()| row)).await?;
    Ok((StatusCode::CREATED, Json(of_stored(&made))))
}

fn change(row: &mut StoredPolicy, fields: Fields) {
    let set = |place: &mut String, value: Option<String>| {
        if let Some(value) = value {
            *place = value;
        }
    };
    set(&mut row.name, fields.name);
    set(&mut row.category, fields.category);
    set(&mut row.pattern, fields.pattern);
    set(&mut row.severity, fields.severity);
    set(&mut row.action, fields.action);
    set(&mut row.phase, fields.phase);
    set(&mut row.tier, fields.tier);
    row.description = fields.description.or(row.description.take());
    row.action_request = fields.action_request.or(row.action_request.take());
    row.action_response = fields.action_response.or(row.action_response.take());
    row.enabled = fields.enabled.unwrap_or(row.enabled);
    row.priority = fields.priority.unwrap_or(row.priority);
    row.tags = fields.tags.unwrap_or_else(|| std::mem::take(&mut row.tags));
    if let Some(metadata) = fields.metadata {
        row.metadata = Value::Object(metadata);
    }
}

fn check(row: &StoredPolicy) -> Result<(), Refusal> {
    let wrong = |text: String| Err(Refusal::malformed(text));
    let within = |text: &str, max: usize| !text.is_empty() && text.chars().count() <= max;
    let is_id = |text: &str, max| {
        within(text, max) && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
    };
    let one_of = |name: &str, word: &str, words: &[&str]| match words.contains(&word) {
        true => Ok(()),
        false => Err(Refusal::malformed(format!("{name}: must be one of {}", words.join(", ")))),
    };
    if !is_id(&row.policy_id, 100) {
        return wrong("policy_id: must be 1 to 100 letters, digits or \"_.-\"".into());
    }
    if !within(&row.name, 255) {
        return wrong("name: must be 1 to 255 characters".into());
    }
    if !is_id(&row.category, 50) {
        return wrong("category: must be 1 to 50 letters, digits or \"_.-\", such as security-sqli".into());
    }
    one_of("severity", &row.severity, &SEVERITIES)?;
    one_of("action", &row.action, &ACTIONS)?;
    one_of("phase", &row.phase, &PHASES)?;
    for action in [&row.action_request, &row.action_response].into_iter().flatten() {
        one_of("action_request and action_response", action, &ACTIONS)?;
    }
    match row.tier.as_str() {
        "tenant" | "organization" => {}
        "system" => return Err(Refusal::forbidden("tier: system policies are shipped and cannot be made")),
        _ => return wrong("tier: must be tenant or organization".into()),
    }
    expression(&row.pattern).map(|_| ()).map_err(|why| Refusal::malformed(format!("pattern: {why}")))
}

fn is_shipped(app: &App, id: &str) -> bool {
    app.authority
        .current()
        .engine()
        .policies()
        .any(|policy| policy.policy_id == id && policy.tier == Tier::System)
}

/// Changes a policy; what is not named stays.
pub(super) async fn update(
    state: Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
    Input(fields): Input<Fields>,
) -> Result<Json<Value>, Refusal> {
    let app = &state.0;
    let mut row = own(app, &id).await?;
    change(&mut row, fields);
    row.updated_by = author(&headers);
    row.updated_at = Timestamp::now();
    check(&row)?;
    let changed = app.changed(move |store, _| store.update_policy(&row)).await?;
    Ok(Json(of_stored(&changed)))
}

/// Switches or changes a policy. A shipped one can only be switched, which is kept as an override.
pub(super) async fn patch(
    state: Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
    Input(fields): Input<Fields>,
) -> Result<Json<Value>, Refusal> {
    let app = &state.0;
    if !is_shipped(app, &id) {
        return update(state, Path(id), headers, Input(fields)).await;
    }
    let Some(enabled) = fields.enabled else {
        return Err(Refusal::forbidden("policy: a shipped one can only be enabled, disabled or overridden"));
    };
    overrides::switch(app, &id, enabled, author(&headers)).await?;
    find(app, &id).await.map(Json)
}

/// Deletes a policy.
pub(super) async fn delete(state: Shared, Path(id): Path<String>) -> Result<StatusCode, Refusal> {
    let row = own(&state.0, &id).await?;
    state.0.changed(move |store, tenant| store.delete_policy(tenant, &row.policy_id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A stored policy of this tenant, by its id or its UUID.
async fn own(app: &App, id: &str) -> Result<StoredPolicy, Refusal> {
    let asked = id.to_owned();
    let found = app
        .stored(move |store, tenant| {
            let mine = |row: &StoredPolicy| {
                (row.policy_id == asked || row.id == asked) && row.tenant_id == tenant && row.tier != "system"
            };
            store.policies(tenant)?.into_iter().find(mine).ok_or(StoreError::Missing("policy".into()))
        })
        .await;
    if found.is_err() && find(app, id).await.is_ok() {
        return Err(Refusal::forbidden(
            "policy: a system policy cannot be edited or deleted; override its action instead",
        ));
    }
    found
}

/// Who changes it, as far as the request says.
fn author(headers: &HeaderMap) -> String {
    let person = super::auth::person(headers);
    if person.is_empty() { super::auth::client(headers) } else { person }
}

/// A pattern and texts to try it with.
#[derive(Debug, Deserialize)]
pub(super) struct Trial {
    pattern: String,
    #[serde(default)]
    inputs: Vec<String>,
    #[serde(default)]
    test_inputs: Vec<String>,
}

/// Tries a pattern. An expression that does not compile is an answer, not a refusal.
pub(super) async fn test(state: Shared, Input(trial): Input<Trial>) -> Result<Json<Value>, Refusal> {
    let Trial { pattern, mut inputs, test_inputs } = trial;
    inputs.extend(test_inputs);
    if inputs.len() > TEST_INPUTS {
        return Err(Refusal::malformed(format!("inputs: at most {TEST_INPUTS}")));
    }
    let limit = super::limits::JUDGE_DEADLINE;
    let answer = state.0.on_thread(limit, move || tried(&pattern, &inputs)).await?;
    Ok(Json(answer))
}

fn tried(pattern: &str, inputs: &[String]) -> Value {
    let regex = match expression(pattern) {
        Ok(regex) => regex,
        Err(error) => {
            return json!({"valid": false, "error": error, "pattern": pattern, "inputs": inputs, "matches": []});
        }
    };
    let one = |input: &String| {
        let text = |group: Option<regex::bytes::Match<'_>>| {
            group.map(|g| String::from_utf8_lossy(g.as_bytes()).into_owned()).unwrap_or_default()
        };
        let groups = regex.captures(input.as_bytes()).map(|found| found.iter().map(text).collect::<Vec<_>>());
        json!({"input": input, "matched": groups.is_some(), "groups": groups.unwrap_or_default()})
    };
    let matches: Vec<Value> = inputs.iter().map(one).collect();
    json!({"valid": true, "pattern": pattern, "inputs": inputs, "matches": matches})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_tells_matches_or_what_is_wrong() {
        let answer = tried(r"\b(\d{3})-\d{2}\b", &["a 123-45 b".into(), "none".into()]);
        assert_eq!(answer["valid"], true);
        assert_eq!(answer["matches"][0]["groups"], json!(["123-45", "123"]));
        assert_eq!(answer["matches"][1]["matched"], false);
        let broken = tried("(", &[]);
        assert_eq!(broken["valid"], false);
        assert!(!broken["error"].as_str().unwrap_or_default().contains('\n'), "{broken}");
    }

    #[test]
    fn a_pattern_is_tried_as_it_will_be_asked() {
        let matched =
            |pattern: &str, input: &str| tried(pattern, &[input.into()])["matches"][0]["matched"] == true;
        assert!(matched("Falcon.notes", "Falcon\nnotes") && !matched("falcon", "Falcon"), "case counts");
        assert!(matched("(?i)falcon", "Falcon"));
        for unusable in ["", "(", r"(?:\w{1000}){1000}"] {
            assert_eq!(tried(unusable, &[])["valid"], false, "{unusable}");
        }
    }
}
