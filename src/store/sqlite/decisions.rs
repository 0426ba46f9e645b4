//! Decisions, for explaining them later.

use super::super::{DecisionFilter, DecisionRow, StoreError, limits};
use super::values::{json, micros, now, parsed, time};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, named_params};

/// What a filter finds. A parameter that is NULL asks for nothing.
const FOUND: &str = "FROM decisions WHERE tenant_id = :tenant
    AND (:since IS NULL OR timestamp >= :since)
    AND (:verdict IS NULL OR verdict = :verdict)
    AND (:tool IS NULL OR tool_signature = :tool)
    AND (:policy IS NULL OR EXISTS
        (SELECT 1 FROM json_each(matched) WHERE json_extract(value, '$.policy_id') = :policy))";

pub(super) fn record(connection: &Connection, rows: &[DecisionRow]) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO decisions VALUES (:decision_id, :trace_id, :timestamp, :verdict, :plane, :tenant_id,
         :tool_signature, :client_id, :reasons, :matched, :policy_version, :context, :redactions)
         ON CONFLICT DO NOTHING",
    )?;
    for row in rows {
        statement.execute(named_params! {
            ":decision_id": row.decision_id, ":trace_id": row.trace_id, ":timestamp": micros(row.timestamp),
            ":verdict": row.verdict, ":plane": row.plane, ":tenant_id": row.tenant_id,
            ":tool_signature": row.tool_signature, ":client_id": row.client_id,
            ":reasons": json(&row.reasons)?, ":matched": json(&row.matched)?,
            ":policy_version": row.policy_version, ":context": json(&row.context)?,
            ":redactions": json(&row.redactions)?,
        })?;
    }
    Ok(())
}

pub(super) fn get(
    connection: &Connection,
    tenant: &str,
    decision_id: &str,
) -> Result<Option<DecisionRow>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT * FROM decisions WHERE tenant_id = ?1 AND decision_id = ?2")?;
    Ok(statement.query_row((tenant, decision_id), decision).optional()?)
}

pub(super) fn list(
    connection: &Connection,
    tenant: &str,
    filter: &DecisionFilter,
) -> Result<Vec<DecisionRow>, StoreError> {
    let limit = filter.limit.min(limits::PAGE);
    let text = format!("SELECT * {FOUND} ORDER BY timestamp DESC, rowid DESC LIMIT :limit");
    let mut statement = connection.prepare_cached(&text)?;
    let since = filter.since.map(micros);
    let mut values = found(&tenant, &since, filter).to_vec();
    values.push((":limit", &limit));
    let rows = statement.query_map(values.as_slice(), decision)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn count(
    connection: &Connection,
    tenant: &str,
    filter: &DecisionFilter,
) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached(&format!("SELECT count(*) {FOUND}"))?;
    let since = filter.since.map(micros);
    let counted: i64 = statement.query_row(found(&tenant, &since, filter).as_slice(), |row| row.get(0))?;
    Ok(counted.unsigned_abs())
}

fn found<'a>(
    tenant: &'a &str,
    since: &'a Option<i64>,
    filter: &'a DecisionFilter,
) -> [(&'static str, &'a dyn ToSql); 5] {
    [
        (":tenant", tenant),
        (":since", since),
        (":verdict", &filter.verdict),
        (":tool", &filter.tool_signature),
        (":policy", &filter.policy_id),
    ]
}

/// Leaves the newest `kept` rows, and of them those that are young enough.
pub(super) fn prune(connection: &Connection, kept: u64) -> Result<u64, StoreError> {
    let oldest = now() - i64::try_from(limits::DECISION_AGE.as_micros()).unwrap_or(i64::MAX);
    let old = connection.execute("DELETE FROM decisions WHERE timestamp < ?1", [oldest])?;
    let many = connection.execute(
        "DELETE FROM decisions WHERE rowid IN
         (SELECT rowid FROM decisions ORDER BY timestamp DESC, rowid DESC LIMIT -1 OFFSET ?1)",
        [i64::try_from(kept).unwrap_or(i64::MAX)],
    )?;
    Ok((old + many) as u64)
}

fn decision(row: &Row<'_>) -> rusqlite::Result<DecisionRow> {
    Ok(DecisionRow {
        decision_id: row.get("decision_id")?,
        trace_id: row.get("trace_id")?,
        timestamp: time(row, "timestamp")?,
        verdict: row.get("verdict")?,
        plane: row.get("plane")?,
        tenant_id: row.get("tenant_id")?,
        tool_signature: row.get("tool_signature")?,
        client_id: row.get("client_id")?,
        reasons: parsed(row, "reasons")?,
        matched: parsed(row, "matched")?,
        policy_version: row.get("policy_version")?,
        context: parsed(row, "context")?,
        redactions: parsed(row, "redactions")?,
    })
}
