//! Stored policies and overrides, in tables that AxonFlow may have made: what is read is read as JSON, so that
//! missing columns and other types of columns are no obstacle; what is written is written to the columns there are.

use super::super::{StoreError, StoredOverride, StoredPolicy, limits};
use super::schema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio_postgres::types::Json;
use tokio_postgres::{Client, Row};

/// Columns without which a row would mean something else than what was asked for: they are never left out silently.
const MEANING: &[&str] = &[
    "action_override",
    "action_request",
    "action_response",
    "enabled",
    "enabled_override",
    "expires_at",
    "phase",
    "tenant_id",
    "tool_signature",
];

pub(super) async fn list(client: &Client, tenant: &str) -> Result<Vec<StoredPolicy>, StoreError> {
    let rows = client
        .query(
            "SELECT to_jsonb(p) FROM static_policies p
             WHERE p.tenant_id IN ('global', $1) AND to_jsonb(p) ->> 'deleted_at' IS NULL LIMIT $2",
            &[&tenant, &i64::from(limits::POLICIES + 1)],
        )
        .await?;
    let mut policies: Vec<StoredPolicy> = within(&rows, "policies", policy)?;
    policies.sort_by(|a, b| {
        (b.priority, &a.policy_id, &a.tenant_id).cmp(&(a.priority, &b.policy_id, &b.tenant_id))
    });
    Ok(policies)
}

/// Refuses a list that is longer than it may be.
fn within<T>(
    rows: &[Row],
    what: &str,
    read: fn(&Row) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    if rows.len() <= limits::POLICIES as usize {
        return rows.iter().map(read).collect();
    }
    Err(StoreError::Failed(format!("more than {} {what} hold for the tenant; remove some", limits::POLICIES)))
}

pub(super) async fn create(client: &mut Client, new: &StoredPolicy) -> Result<(), StoreError> {
    insert(client, "static_policies", new).await.map_err(|error| match error {
        StoreError::Conflict(what) => StoreError::Conflict(format!("policy \"{}\": {what}", new.policy_id)),
        other => other,
    })
}

pub(super) async fn update(client: &mut Client, new: &StoredPolicy) -> Result<StoredPolicy, StoreError> {
    /// What stays as it was made.
    const KEPT: [&str; 6] = ["id", "policy_id", "tenant_id", "version", "created_at", "created_by"];
    let (mut columns, row) = writable(client, "static_policies", new).await?;
    columns.retain(|column| !KEPT.contains(&column.as_str()));
    let columns = columns.join(", ");
    let alive = alive(client).await?;
    let text = format!(
        "UPDATE static_policies p SET ({columns}) =
         (SELECT {columns} FROM jsonb_populate_record(NULL::static_policies, $1)), version = p.version + 1
         WHERE p.tenant_id = $2 AND p.policy_id = $3 AND {alive} RETURNING to_jsonb(p)"
    );
    let found = client.query_opt(&text, &[&Json(&row), &new.tenant_id, &new.policy_id]).await?;
    policy(&found.ok_or_else(|| unknown(&new.policy_id))?)
}

pub(super) async fn delete(client: &mut Client, tenant: &str, policy_id: &str) -> Result<(), StoreError> {
    let marked = schema::columns(client, "static_policies").await?.contains_key("deleted_at");
    let text = if marked {
        "UPDATE static_policies SET deleted_at = now(), updated_at = now()
         WHERE tenant_id = $1 AND policy_id = $2 AND deleted_at IS NULL"
    } else {
        "DELETE FROM static_policies WHERE tenant_id = $1 AND policy_id = $2"
    };
    if client.execute(text, &[&tenant, &policy_id]).await? == 0 { Err(unknown(policy_id)) } else { Ok(()) }
}

/// What says that a row is not deleted.
async fn alive(client: &Client) -> Result<&'static str, StoreError> {
    let marked = schema::columns(client, "static_policies").await?.contains_key("deleted_at");
    Ok(if marked { "p.deleted_at IS NULL" } else { "true" })
}

fn unknown(policy_id: &str) -> StoreError {
    StoreError::Missing(format!("policy \"{policy_id}\""))
}

pub(super) async fn overrides(client: &Client, tenant: &str) -> Result<Vec<StoredOverride>, StoreError> {
    // AxonFlow's table may name the policy by its key.
    let rows = client
        .query(
            "SELECT to_jsonb(o) || jsonb_build_object('policy_id', coalesce(
                 (SELECT p.policy_id FROM static_policies p WHERE p.id::text = o.policy_id::text LIMIT 1),
                 o.policy_id::text))
             FROM policy_overrides o
             WHERE o.tenant_id = $1 AND to_jsonb(o) ->> 'revoked_at' IS NULL
             AND coalesce((to_jsonb(o) ->> 'expires_at')::timestamptz > now(), true) LIMIT $2",
            &[&tenant, &i64::from(limits::POLICIES + 1)],
        )
        .await?;
    let mut overrides: Vec<StoredOverride> = within(&rows, "overrides", exception)?;
    overrides.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    Ok(overrides)
}

pub(super) async fn create_override(client: &mut Client, new: &StoredOverride) -> Result<(), StoreError> {
    let columns = schema::columns(client, "policy_overrides").await?;
    let mut row = new.clone();
    if columns.get("policy_id").is_some_and(|kind| kind == "uuid") {
        let found = client
            .query_opt(
                "SELECT id::text FROM static_policies WHERE policy_id = $1 AND tenant_id IN ('global', $2) LIMIT 1",
                &[&new.policy_id, &new.tenant_id],
            )
            .await?;
        row.policy_id = found.ok_or_else(|| unknown(&new.policy_id))?.try_get(0)?;
    }
    let over = if columns.contains_key("revoked_at") {
        "UPDATE policy_overrides o SET revoked_at = now()"
    } else {
        "DELETE FROM policy_overrides o"
    };
    let text = format!(
        "{over} WHERE o.tenant_id = $1 AND o.policy_id::text = $2
         AND to_jsonb(o) ->> 'tool_signature' IS NOT DISTINCT FROM $3 AND to_jsonb(o) ->> 'revoked_at' IS NULL"
    );
    let transaction = client.transaction().await?;
    transaction
        .execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('callgate override ' || $1, 0))",
            &[&new.tenant_id],
        )
        .await?;
    transaction.execute(&text, &[&new.tenant_id, &row.policy_id, &new.tool_signature]).await?;
    insert(transaction.client(), "policy_overrides", &row).await?;
    Ok(transaction.commit().await?)
}

pub(super) async fn revoke_override(client: &mut Client, tenant: &str, id: &str) -> Result<(), StoreError> {
    let marked = schema::columns(client, "policy_overrides").await?.contains_key("revoked_at");
    let text = if marked {
        "UPDATE policy_overrides SET revoked_at = now() WHERE tenant_id = $1 AND id::text = $2 AND revoked_at IS NULL"
    } else {
        "DELETE FROM policy_overrides WHERE tenant_id = $1 AND id::text = $2"
    };
    if client.execute(text, &[&tenant, &id]).await? == 0 {
        return Err(StoreError::Missing(format!("override \"{id}\"")));
    }
    Ok(())
}

async fn insert(client: &Client, table: &str, new: &impl Serialize) -> Result<(), StoreError> {
    let (columns, row) = writable(client, table, new).await?;
    let columns = columns.join(", ");
    let text = format!(
        "INSERT INTO {table} ({columns}) SELECT {columns} FROM jsonb_populate_record(NULL::{table}, $1)"
    );
    client.execute(&text, &[&Json(&row)]).await?;
    Ok(())
}

/// The row, and which of its members have a column. A member that has none is left out if that changes nothing.
async fn writable(
    client: &Client,
    table: &str,
    new: &impl Serialize,
) -> Result<(Vec<String>, Map<String, Value>), StoreError> {
    let columns = schema::columns(client, table).await?;
    let Value::Object(mut row) = serde_json::to_value(new)? else { return Err(unreadable("the row")) };
    row.retain(|name, value| columns.contains_key(name) || !means_nothing(name, value));
    if let Some(lost) = row.keys().find(|name| !columns.contains_key(*name)) {
        return Err(StoreError::Failed(format!(
            "table {table} has no column {lost}, so this cannot be kept; bring AxonFlow's tables up to date"
        )));
    }
    Ok((row.keys().cloned().collect(), row))
}

/// Whether a row means the same without that member.
fn means_nothing(name: &str, value: &Value) -> bool {
    !MEANING.contains(&name)
        || value.is_null()
        || (name == "phase" && value == "both")
        || (name == "enabled" && value == true)
}

fn policy(row: &Row) -> Result<StoredPolicy, StoreError> {
    let mut members = members(row)?;
    if let Some(org) = members.get("organization_id").cloned() {
        members.entry("org_id").or_insert(org);
    }
    filled(
        members,
        json!({
            "id": "", "name": "", "pattern": "", "category": "", "severity": "medium", "description": null,
            "action": "block", "phase": "both", "action_request": null, "action_response": null, "enabled": true,
            "tier": "tenant", "priority": 50, "org_id": "", "tags": [], "metadata": {}, "version": 1,
            "created_by": "", "updated_by": "",
        }),
    )
}

fn exception(row: &Row) -> Result<StoredOverride, StoreError> {
    filled(
        members(row)?,
        json!({
            "policy_type": "static", "action_override": null, "enabled_override": null, "tool_signature": null,
            "override_reason": "", "created_by": "", "expires_at": null,
        }),
    )
}

/// What a row holds.
fn members(row: &Row) -> Result<Map<String, Value>, StoreError> {
    let Json(Value::Object(mut members)) = row.try_get::<_, Json<Value>>(0)? else {
        return Err(unreadable("a row"));
    };
    members.retain(|_, value| !value.is_null());
    for name in ["created_at", "updated_at", "expires_at"] {
        // A column without time zone holds UTC.
        match members.get_mut(name) {
            Some(Value::String(time)) if time.parse::<jiff::Timestamp>().is_err() => time.push('Z'),
            Some(_) => {}
            None if name == "expires_at" => {}
            None => {
                members.insert(name.into(), "1970-01-01T00:00:00Z".into());
            }
        }
    }
    Ok(members)
}

/// A row out of its members and, for those that it has not, what holds then.
fn filled<T: DeserializeOwned>(members: Map<String, Value>, defaults: Value) -> Result<T, StoreError> {
    let Value::Object(mut all) = defaults else { return Err(unreadable("a row")) };
    all.extend(members);
    Ok(serde_json::from_value(Value::Object(all))?)
}

fn unreadable(what: &str) -> StoreError {
    StoreError::Failed(format!("{what} is no object; report it"))
}
