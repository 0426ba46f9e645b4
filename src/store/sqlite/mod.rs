//! The embedded store: one SQLite file in the state directory, which several processes use at once.
//!
//! Two connections: one whose commits are lasting when they return (policies, overrides, tickets), one for decisions,
//! which may lose the last ones when the power fails. Every change of a ticket is one transaction that begins as a
//! writing one, so that two processes never both see the state before it.

mod decisions;
mod policies;
mod schema;
#[cfg(test)]
mod tests;
mod tickets;
mod values;

use super::{
    DecisionFilter, DecisionRow, Review, Store, StoreError, StoredOverride, StoredPolicy, Ticket,
    TicketEvent, TicketFilter, TicketStats, limits,
};
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Name of the file in the state directory.
pub const FILE: &str = "callgate.db";

/// One SQLite file.
pub struct SqliteStore {
    path: PathBuf,
    /// Commits are lasting.
    durable: Mutex<Connection>,
    /// Commits are lasting once a lasting one followed.
    quick: Mutex<Connection>,
}

impl SqliteStore {
    /// Opens `callgate.db` in `state_dir`; makes both when they are missing, for this user alone. Takes some
    /// milliseconds, and up to [`limits::SQLITE_BUSY`] while another process migrates the file.
    ///
    /// # Errors
    /// A file that cannot be made, is no database, or was written by a newer version.
    pub fn open(state_dir: &Path) -> Result<Self, StoreError> {
        let path = state_dir.join(FILE);
        let place = |error: StoreError| at(&path, error);
        schema::make_file(&path).map_err(place)?;
        let durable = schema::connect(&path, "FULL").map_err(place)?;
        let quick = schema::connect(&path, "NORMAL").map_err(place)?;
        Ok(Self { durable: Mutex::new(durable), quick: Mutex::new(quick), path })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads with the connection of policies and tickets.
    fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let connection = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        work(&connection).map_err(|error| at(&self.path, error))
    }

    /// Changes in one lasting transaction.
    fn change<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        transact(&mut connection, work).map_err(|error| at(&self.path, error))
    }

    /// Works with the connection of decisions.
    fn log<T>(&self, work: impl FnOnce(&mut Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut connection = self.quick.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut connection).map_err(|error| at(&self.path, error))
    }
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A transaction that is a writing one from its beginning: it waits for its turn instead of failing half-way. An
/// error or a panic leaves nothing behind.
fn transact<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = work(&transaction)?;
    transaction.commit()?;
    Ok(done)
}

/// Names the file in a failure.
fn at(path: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::Failed(what) => StoreError::Failed(format!("store \"{}\": {what}", path.display())),
        other => other,
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let way_out = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                "another program holds it for too long; end that program"
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                "move the file away and start again; a new one is made"
            }
            Some(ErrorCode::DiskFull) => "make room on the disk",
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                "check the permissions of the file and its folder"
            }
            _ => "check the disk; if that is sound, report it",
        };
        Self::Failed(format!("{error}; {way_out}"))
    }
}

impl Store for SqliteStore {
    fn policies(&self, tenant: &str) -> Result<Vec<StoredPolicy>, StoreError> {
        self.read(|connection| policies::list(connection, tenant))
    }

    fn create_policy(&self, policy: &StoredPolicy) -> Result<(), StoreError> {
        self.change(|transaction| policies::create(transaction, policy))
    }

    fn update_policy(&self, policy: &StoredPolicy) -> Result<StoredPolicy, StoreError> {
        self.change(|transaction| policies::update(transaction, policy))
    }

    fn delete_policy(&self, tenant: &str, policy_id: &str) -> Result<(), StoreError> {
        self.change(|transaction| policies::delete(transaction, tenant, policy_id))
    }

    fn overrides(&self, tenant: &str) -> Result<Vec<StoredOverride>, StoreError> {
        self.read(|connection| policies::overrides(connection, tenant))
    }

    fn create_override(&self, row: &StoredOverride) -> Result<(), StoreError> {
        self.change(|transaction| policies::create_override(transaction, row))
    }

    fn revoke_override(&self, tenant: &str, id: &str) -> Result<(), StoreError> {
        self.change(|transaction| policies::revoke_override(transaction, tenant, id))
    }

    fn record_decisions(&self, rows: &[DecisionRow]) -> Result<(), StoreError> {
        self.log(|connection| transact(connection, |transaction| decisions::record(transaction, rows)))
    }

    fn decision(&self, tenant: &str, decision_id: &str) -> Result<Option<DecisionRow>, StoreError> {
        self.log(|connection| decisions::get(connection, tenant, decision_id))
    }

    fn decisions(&self, tenant: &str, filter: &DecisionFilter) -> Result<Vec<DecisionRow>, StoreError> {
        self.log(|connection| decisions::list(connection, tenant, filter))
    }

    fn decision_count(&self, tenant: &str, filter: &DecisionFilter) -> Result<u64, StoreError> {
        self.log(|connection| decisions::count(connection, tenant, filter))
    }

    fn open_ticket(&self, ticket: &Ticket) -> Result<Ticket, StoreError> {
        self.change(|transaction| tickets::open(transaction, ticket))
    }

    fn ticket(&self, tenant: &str, request_id: &str) -> Result<Option<Ticket>, StoreError> {
        self.read(|connection| tickets::get(connection, tenant, request_id))
    }

    fn tickets(&self, tenant: &str, filter: &TicketFilter) -> Result<(Vec<Ticket>, u64), StoreError> {
        self.read(|connection| tickets::list(connection, tenant, filter))
    }

    fn decide_ticket(&self, tenant: &str, request_id: &str, review: &Review) -> Result<Ticket, StoreError> {
        self.change(|transaction| tickets::decide(transaction, tenant, request_id, review))
    }

    fn consume_ticket(
        &self,
        tenant: &str,
        request_id: &str,
        digest: &str,
        policy_version: &str,
    ) -> Result<bool, StoreError> {
        self.change(|transaction| tickets::consume(transaction, tenant, request_id, digest, policy_version))
    }

    fn ticket_history(&self, tenant: &str, request_id: &str) -> Result<Vec<TicketEvent>, StoreError> {
        self.read(|connection| tickets::history(connection, tenant, request_id))
    }

    fn ticket_stats(&self, tenant: &str) -> Result<TicketStats, StoreError> {
        self.read(|connection| tickets::stats(connection, tenant))
    }

    fn expire_tickets(&self, tenant: &str) -> Result<u64, StoreError> {
        self.change(|transaction| tickets::expire(transaction, tenant))
    }

    fn prune(&self) -> Result<u64, StoreError> {
        let decisions = self.log(|connection| {
            transact(connection, |transaction| decisions::prune(transaction, limits::DECISIONS))
        })?;
        Ok(decisions + self.change(|transaction| tickets::prune(transaction))?)
    }
}
