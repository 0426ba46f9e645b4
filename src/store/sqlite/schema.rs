//! Makes the file, opens it, and brings its tables up to date.

use super::super::{StoreError, limits};
use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

/// One step per version of the file; a step is never changed once it was released.
const MIGRATIONS: &[&str] = &[include_str!("1.sql")];
/// How often a refused opening is tried again. Changing the journal of a new file asks for the whole file, and SQLite
/// does not wait its turn there.
const TRY_AGAIN: Duration = Duration::from_millis(5);

/// Makes an empty file that only this user can read; SQLite gives its side files the same rights.
pub(super) fn make_file(path: &Path) -> Result<(), StoreError> {
    let failed = |error: std::io::Error| {
        StoreError::Failed(format!("{error}; check the permissions of the state directory"))
    };
    if let Some(folder) = path.parent() {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(failed)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

/// A connection to the file with all its tables. `synchronous` is `FULL` (a commit is lasting) or `NORMAL`.
pub(super) fn connect(path: &Path, synchronous: &str) -> Result<Connection, StoreError> {
    let end = Instant::now() + limits::SQLITE_BUSY;
    loop {
        match try_connect(path, synchronous) {
            Err(error) if is_busy(&error) && Instant::now() < end => std::thread::sleep(TRY_AGAIN),
            Err(error) => return Err(error.into()),
            Ok((_, version)) if version > MIGRATIONS.len() => {
                return Err(StoreError::Failed(format!(
                    "it has version {version}, and this program knows {}; use the newer program or move the file away",
                    MIGRATIONS.len()
                )));
            }
            Ok((connection, _)) => return Ok(connection),
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// The connection and the version of the file.
fn try_connect(path: &Path, synchronous: &str) -> rusqlite::Result<(Connection, usize)> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(limits::SQLITE_BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    let version = migrate(&mut connection)?;
    Ok((connection, version))
}

fn version(connection: &Connection) -> rusqlite::Result<usize> {
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(version as usize)
}

fn migrate(connection: &mut Connection) -> rusqlite::Result<usize> {
    let found = version(connection)?;
    if found >= MIGRATIONS.len() {
        return Ok(found);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have done it meanwhile.
    let done = version(&transaction)?;
    for (step, statements) in MIGRATIONS.iter().enumerate().skip(done) {
        transaction.execute_batch(statements)?;
        transaction.pragma_update(None, "user_version", step as u32 + 1)?;
    }
    let reached = version(&transaction)?;
    transaction.commit()?;
    Ok(reached)
}
