//! The stores that settings describe.

use super::{LazyStore, PostgresStore, Store, StoreError};
use crate::settings::{Settings, StoreKind};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// The store of policies and decisions, not opened yet; `None` when it is off.
///
/// # Errors
/// An address of a database that is none, which reading the settings excludes.
pub fn configured(settings: &Settings) -> Result<Option<Arc<LazyStore>>, StoreError> {
    let store = match (settings.store.kind, &settings.store.database_url) {
        (StoreKind::Off, _) => return Ok(None),
        (StoreKind::Sqlite, _) => LazyStore::sqlite(settings.state_dir.clone()),
        (StoreKind::Postgres, Some(url)) => {
            let org = settings.identity.org_id.clone().unwrap_or_default();
            let database: Arc<dyn Store> = Arc::new(PostgresStore::new(url, &org)?);
            LazyStore::from(database)
        }
        (StoreKind::Postgres, None) => {
            let what = "the database has no address; set CALLGATE_DATABASE_URL or CALLGATE_DATABASE_URL_FILE";
            return Err(StoreError::Failed(what.into()));
        }
    };
    Ok(Some(Arc::new(store)))
}

/// The store of tickets: the same, and the file in the state directory when that is off, because a ticket must
/// outlive its process.
///
/// # Errors
/// As [`configured`].
pub fn for_tickets(settings: &Settings) -> Result<Arc<LazyStore>, StoreError> {
    let file = || Arc::new(LazyStore::sqlite(settings.state_dir.clone()));
    Ok(configured(settings)?.unwrap_or_else(file))
}

/// Which tickets these settings mean: processes whose desks are the same see the same tickets, if they have the same state
/// directory. Shows nothing of the database's address.
pub fn desk(settings: &Settings) -> String {
    let tenant = settings.identity.tenant_id.as_deref().unwrap_or_default();
    let database = match (settings.store.kind, &settings.store.database_url) {
        (StoreKind::Postgres, Some(url)) => url.expose(),
        _ => "",
    };
    let mut hash = Sha256::new();
    for part in [tenant, database] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
