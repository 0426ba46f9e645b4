//! Stored policies and overrides.

use super::super::{StoreError, StoredOverride, StoredPolicy, limits};
use super::values::{json, micros, now, parsed, time, time_or_none};
use rusqlite::{Connection, OptionalExtension, Row, named_params};

pub(super) fn list(connection: &Connection, tenant: &str) -> Result<Vec<StoredPolicy>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT * FROM static_policies WHERE tenant_id IN ('global', ?1) AND deleted_at IS NULL
         ORDER BY priority DESC, policy_id, tenant_id LIMIT ?2",
    )?;
    let rows = statement.query_map((tenant, limits::POLICIES + 1), policy)?;
    within(rows.collect::<Result<_, _>>()?, "policies")
}

/// Refuses a list that is longer than it may be.
fn within<T>(rows: Vec<T>, what: &str) -> Result<Vec<T>, StoreError> {
    if rows.len() <= limits::POLICIES as usize {
        return Ok(rows);
    }
    Err(StoreError::Failed(format!("more than {} {what} hold for the tenant; remove some", limits::POLICIES)))
}

pub(super) fn create(connection: &Connection, new: &StoredPolicy) -> Result<(), StoreError> {
    if get(connection, &new.tenant_id, &new.policy_id)?.is_some() {
        return Err(StoreError::Conflict(format!("policy \"{}\" exists already; update it", new.policy_id)));
    }
    let mut statement = connection.prepare_cached(
        "INSERT INTO static_policies VALUES (:id, :policy_id, :name, :category, :pattern, :severity, :description,
         :action, :phase, :action_request, :action_response, :enabled, :tier, :priority, :org_id, :tenant_id, :tags,
         :metadata, :version, :created_at, :updated_at, :created_by, :updated_by, NULL)",
    )?;
    statement.execute(named_params! {
        ":id": new.id, ":policy_id": new.policy_id, ":name": new.name, ":category": new.category,
        ":pattern": new.pattern, ":severity": new.severity, ":description": new.description,
        ":action": new.action, ":phase": new.phase, ":action_request": new.action_request,
        ":action_response": new.action_response, ":enabled": new.enabled, ":tier": new.tier,
        ":priority": new.priority, ":org_id": new.org_id, ":tenant_id": new.tenant_id,
        ":tags": json(&new.tags)?, ":metadata": json(&new.metadata)?, ":version": new.version,
        ":created_at": micros(new.created_at), ":updated_at": micros(new.updated_at),
        ":created_by": new.created_by, ":updated_by": new.updated_by,
    })?;
    Ok(())
}

pub(super) fn update(connection: &Connection, new: &StoredPolicy) -> Result<StoredPolicy, StoreError> {
    let mut statement = connection.prepare_cached(
        "UPDATE static_policies SET name = :name, category = :category, pattern = :pattern, severity = :severity,
         description = :description, action = :action, phase = :phase, action_request = :action_request,
         action_response = :action_response, enabled = :enabled, tier = :tier, priority = :priority,
         org_id = :org_id, tags = :tags, metadata = :metadata, version = version + 1, updated_at = :updated_at,
         updated_by = :updated_by
         WHERE tenant_id = :tenant_id AND policy_id = :policy_id AND deleted_at IS NULL",
    )?;
    statement.execute(named_params! {
        ":policy_id": new.policy_id, ":name": new.name, ":category": new.category,
        ":pattern": new.pattern, ":severity": new.severity, ":description": new.description,
        ":action": new.action, ":phase": new.phase, ":action_request": new.action_request,
        ":action_response": new.action_response, ":enabled": new.enabled, ":tier": new.tier,
        ":priority": new.priority, ":org_id": new.org_id, ":tenant_id": new.tenant_id,
        ":tags": json(&new.tags)?, ":metadata": json(&new.metadata)?,
        ":updated_at": micros(new.updated_at), ":updated_by": new.updated_by,
    })?;
    get(connection, &new.tenant_id, &new.policy_id)?.ok_or_else(|| unknown(&new.policy_id))
}

pub(super) fn delete(connection: &Connection, tenant: &str, policy_id: &str) -> Result<(), StoreError> {
    let gone = connection.execute(
        "UPDATE static_policies SET deleted_at = ?3, updated_at = ?3
         WHERE tenant_id = ?1 AND policy_id = ?2 AND deleted_at IS NULL",
        (tenant, policy_id, now()),
    )?;
    if gone == 0 { Err(unknown(policy_id)) } else { Ok(()) }
}

fn get(connection: &Connection, tenant: &str, policy_id: &str) -> Result<Option<StoredPolicy>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT * FROM static_policies WHERE tenant_id = ?1 AND policy_id = ?2 AND deleted_at IS NULL",
    )?;
    Ok(statement.query_row((tenant, policy_id), policy).optional()?)
}

fn unknown(policy_id: &str) -> StoreError {
    StoreError::Missing(format!("policy \"{policy_id}\""))
}

fn policy(row: &Row<'_>) -> rusqlite::Result<StoredPolicy> {
    Ok(StoredPolicy {
        id: row.get("id")?,
        policy_id: row.get("policy_id")?,
        name: row.get("name")?,
        category: row.get("category")?,
        pattern: row.get("pattern")?,
        severity: row.get("severity")?,
        description: row.get("description")?,
        action: row.get("action")?,
        phase: row.get("phase")?,
        action_request: row.get("action_request")?,
        action_response: row.get("action_response")?,
        enabled: row.get("enabled")?,
        tier: row.get("tier")?,
        priority: row.get("priority")?,
        org_id: row.get("org_id")?,
        tenant_id: row.get("tenant_id")?,
        tags: parsed(row, "tags")?,
        metadata: parsed(row, "metadata")?,
        version: row.get("version")?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
        created_by: row.get("created_by")?,
        updated_by: row.get("updated_by")?,
    })
}

pub(super) fn overrides(connection: &Connection, tenant: &str) -> Result<Vec<StoredOverride>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT * FROM policy_overrides
         WHERE tenant_id = ?1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2)
         ORDER BY created_at, id LIMIT ?3",
    )?;
    let rows = statement.query_map((tenant, now(), limits::POLICIES + 1), exception)?;
    within(rows.collect::<Result<_, _>>()?, "overrides")
}

pub(super) fn create_override(connection: &Connection, new: &StoredOverride) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE policy_overrides SET revoked_at = ?4
         WHERE tenant_id = ?1 AND policy_id = ?2 AND tool_signature IS ?3 AND revoked_at IS NULL",
        (&new.tenant_id, &new.policy_id, &new.tool_signature, now()),
    )?;
    let mut statement = connection.prepare_cached(
        "INSERT INTO policy_overrides VALUES (:id, :policy_id, :policy_type, :action_override, :enabled_override,
         :tool_signature, :override_reason, :tenant_id, :created_by, :created_at, :expires_at, NULL)
         ON CONFLICT DO NOTHING",
    )?;
    let added = statement.execute(named_params! {
        ":id": new.id, ":policy_id": new.policy_id, ":policy_type": new.policy_type,
        ":action_override": new.action_override, ":enabled_override": new.enabled_override,
        ":tool_signature": new.tool_signature, ":override_reason": new.override_reason,
        ":tenant_id": new.tenant_id, ":created_by": new.created_by, ":created_at": micros(new.created_at),
        ":expires_at": new.expires_at.map(micros),
    })?;
    if added == 0 {
        return Err(StoreError::Conflict(format!("override \"{}\" exists already; use a new id", new.id)));
    }
    Ok(())
}

pub(super) fn revoke_override(connection: &Connection, tenant: &str, id: &str) -> Result<(), StoreError> {
    let ended = connection.execute(
        "UPDATE policy_overrides SET revoked_at = ?3 WHERE tenant_id = ?1 AND id = ?2 AND revoked_at IS NULL",
        (tenant, id, now()),
    )?;
    if ended == 0 { Err(StoreError::Missing(format!("override \"{id}\""))) } else { Ok(()) }
}

fn exception(row: &Row<'_>) -> rusqlite::Result<StoredOverride> {
    Ok(StoredOverride {
        id: row.get("id")?,
        policy_id: row.get("policy_id")?,
        policy_type: row.get("policy_type")?,
        action_override: row.get("action_override")?,
        enabled_override: row.get("enabled_override")?,
        tool_signature: row.get("tool_signature")?,
        override_reason: row.get("override_reason")?,
        tenant_id: row.get("tenant_id")?,
        created_by: row.get("created_by")?,
        created_at: time(row, "created_at")?,
        expires_at: time_or_none(row, "expires_at")?,
    })
}
