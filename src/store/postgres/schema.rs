//! Makes the tables that are missing and never changes one that is there.

use super::super::StoreError;
use std::collections::BTreeSet;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

/// A table and the statements that make it.
const TABLES: &[(&str, &str)] = &[
    ("static_policies", include_str!("static_policies.sql")),
    ("policy_overrides", include_str!("policy_overrides.sql")),
    ("callgate_decisions", include_str!("decisions.sql")),
    ("callgate_tickets", include_str!("tickets.sql")),
];
/// Name of the lock under which tables are made: several processes may start at once.
const LOCK: i64 = 0x63_616c_6c67_6174;

/// Makes what is missing. A role that may not is told once and goes on: reading policies needs nothing of ours.
pub(super) async fn prepare(client: &mut Client) -> Result<(), StoreError> {
    if missing(client).await?.is_empty() {
        return Ok(());
    }
    let transaction = client.transaction().await?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    let missing = missing(transaction.client()).await?;
    for (table, statements) in TABLES.iter().filter(|(table, _)| missing.contains(table)) {
        match transaction.batch_execute(statements).await {
            Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                tracing::warn!(
                    "the database has no table {table} and the role may not make it; what needs it will fail \
                     (docs/stores.md has the statements)"
                );
                return Ok(());
            }
            made => made?,
        }
    }
    Ok(transaction.commit().await?)
}

async fn missing(client: &Client) -> Result<BTreeSet<&'static str>, StoreError> {
    let mut missing = BTreeSet::new();
    for (table, _) in TABLES {
        let row = client.query_one("SELECT to_regclass($1) IS NULL", &[table]).await?;
        if row.try_get(0)? {
            missing.insert(*table);
        }
    }
    Ok(missing)
}

/// The columns of a table with their types, as it is found.
pub(super) async fn columns(
    client: &Client,
    table: &str,
) -> Result<std::collections::BTreeMap<String, String>, StoreError> {
    let rows = client
        .query(
            "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute
             WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped",
            &[&table],
        )
        .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
