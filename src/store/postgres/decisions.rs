//! Decisions, for explaining them later.

use super::super::{DecisionFilter, DecisionRow, StoreError, limits};
use tokio_postgres::Client;
use tokio_postgres::types::Json;

/// What a filter finds. A parameter that is NULL asks for nothing.
const FOUND: &str = "FROM callgate_decisions d WHERE tenant_id = $1
    AND ($2::text IS NULL OR timestamp >= $2::text::timestamptz)
    AND ($3::text IS NULL OR verdict = $3)
    AND ($4::text IS NULL OR tool_signature = $4)
    AND ($5::text IS NULL OR matched @> jsonb_build_array(jsonb_build_object('policy_id', $5::text)))";

pub(super) async fn record(client: &mut Client, rows: &[DecisionRow]) -> Result<(), StoreError> {
    client
        .execute(
            "INSERT INTO callgate_decisions
             SELECT * FROM jsonb_populate_recordset(NULL::callgate_decisions, $1) ON CONFLICT DO NOTHING",
            &[&Json(rows)],
        )
        .await?;
    Ok(())
}

pub(super) async fn get(
    client: &Client,
    tenant: &str,
    decision_id: &str,
) -> Result<Option<DecisionRow>, StoreError> {
    let row = client
        .query_opt(
            "SELECT to_jsonb(d) FROM callgate_decisions d WHERE tenant_id = $1 AND decision_id = $2",
            &[&tenant, &decision_id],
        )
        .await?;
    row.map(|row| Ok(row.try_get::<_, Json<DecisionRow>>(0)?.0)).transpose()
}

pub(super) async fn list(
    client: &Client,
    tenant: &str,
    filter: &DecisionFilter,
) -> Result<Vec<DecisionRow>, StoreError> {
    let text = format!("SELECT to_jsonb(d) {FOUND} ORDER BY timestamp DESC, decision_id DESC LIMIT $6");
    let (since, limit) = (filter.since.map(|at| at.to_string()), i64::from(filter.limit.min(limits::PAGE)));
    let rows = client
        .query(&text, &[&tenant, &since, &filter.verdict, &filter.tool_signature, &filter.policy_id, &limit])
        .await?;
    rows.iter().map(|row| Ok(row.try_get::<_, Json<DecisionRow>>(0)?.0)).collect()
}

pub(super) async fn count(client: &Client, tenant: &str, filter: &DecisionFilter) -> Result<u64, StoreError> {
    let since = filter.since.map(|at| at.to_string());
    let row = client
        .query_one(
            &format!("SELECT count(*) {FOUND}"),
            &[&tenant, &since, &filter.verdict, &filter.tool_signature, &filter.policy_id],
        )
        .await?;
    Ok(row.try_get::<_, i64>(0)?.unsigned_abs())
}

/// Leaves the newest [`limits::DECISIONS`] rows, and of them those that are young enough.
pub(super) async fn prune(client: &Client) -> Result<u64, StoreError> {
    let old = client
        .execute(
            "DELETE FROM callgate_decisions WHERE timestamp < now() - make_interval(secs => $1)",
            &[&limits::DECISION_AGE.as_secs_f64()],
        )
        .await?;
    let kept = i64::try_from(limits::DECISIONS).unwrap_or(i64::MAX);
    let many = client
        .execute(
            "DELETE FROM callgate_decisions WHERE decision_id IN
             (SELECT decision_id FROM callgate_decisions ORDER BY timestamp DESC, decision_id DESC OFFSET $1)",
            &[&kept],
        )
        .await?;
    Ok(old + many)
}
