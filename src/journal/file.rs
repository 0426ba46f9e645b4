//! The audit file: whole rows, chained, appended under a lock, by several processes at once.
//!
//! Every batch is one write behind the file's end while the lock of the head file is held. Rows are tied to the chain
//! at that moment and not before, so that rows of several processes make one chain. Rows that could not be written
//! wait in memory and are written first when the file works again.

use super::append::Open;
use super::keys::Keys;
use super::place::{self, Lock};
use callgate_actors::limits::REQUESTS_IN_FLIGHT;
use callgate_actors::ports::RecordError;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long an append waits for another process's append, which takes microseconds. Waiting stops every call, so
/// once it was in vain the lock is only tried until it is had again.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
/// How often a file that failed is tried again.
const RETRY_EVERY: Duration = Duration::from_millis(200);
/// Rows that wait for a file that failed: one row of at most 2 KiB for every open request, when calls are refused
/// without a record.
const BACKLOG_BYTES: usize = REQUESTS_IN_FLIGHT * 2 * 1024;
/// How often the file may be replaced while one batch waits for its lock.
const REPLACEMENTS: usize = 4;

/// What is done with the audit file besides appending.
#[derive(Clone, Debug, Default)]
pub(super) struct Care {
    /// Where the keys are; `None` signs nothing.
    pub(super) state_dir: Option<PathBuf>,
    /// Whether anybody asks what is to be synced.
    pub(super) sync: bool,
    /// A file of this length is rotated.
    pub(super) rotate_bytes: Option<u64>,
    /// A file whose first row is that old is rotated.
    pub(super) rotate_age: Option<Duration>,
}

/// Rows without their links, each with its line feed, and the calls they are of.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    pub(super) text: Vec<u8>,
    pub(super) calls: Vec<u64>,
}

impl Rows {
    /// Each row without its line feed.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.text.split_inclusive(|byte| *byte == b'\n').map(|row| &row[..row.len() - 1])
    }

    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    fn extend(&mut self, other: &Rows) {
        self.text.extend_from_slice(&other.text);
        self.calls.extend_from_slice(&other.calls);
    }

    /// Takes the first `count` rows away.
    fn skip(&mut self, count: usize) {
        let bytes: usize = self.iter().take(count).map(|row| row.len() + 1).sum();
        self.text.drain(..bytes);
        self.calls.drain(..count);
    }
}

/// The audit file of one path, open or not.
pub(super) struct AuditFile {
    path: PathBuf,
    care: Care,
    keys: Option<Arc<Keys>>,
    open: Option<Open>,
    failure: Option<Failure>,
    /// Rows that are not in the file yet.
    backlog: Rows,
    /// Rows that found no place in the backlog.
    lost: u64,
    /// Calls whose rows are in the file, for whoever keeps their intents.
    pub(super) recorded: Vec<u64>,
    /// Written to, and not synced since.
    unsynced: Vec<Arc<File>>,
    /// [`LOCK_PATIENCE`] and [`RETRY_EVERY`] but in tests.
    pub(super) lock_patience: Duration,
    pub(super) retry_every: Duration,
}

struct Failure {
    error: RecordError,
    tried: Instant,
}

impl AuditFile {
    /// Opens the file, creates it (mode 0600) and its directories (0755). A failure is remembered and told by
    /// [`Self::prove`].
    pub(super) fn open(path: PathBuf, care: Care) -> Self {
        let mut file = Self {
            path,
            care,
            keys: None,
            open: None,
            failure: None,
            backlog: Rows::default(),
            lost: 0,
            recorded: Vec::new(),
            unsynced: Vec::new(),
            lock_patience: LOCK_PATIENCE,
            retry_every: RETRY_EVERY,
        };
        match file.open_now() {
            Ok(open) => file.open = Some(open),
            Err(error) => {
                file.fail(&error);
            }
        }
        file
    }

    /// The keys of this installation, once they could be read.
    pub(super) fn keys(&self) -> Option<&Keys> {
        self.keys.as_deref()
    }

    /// The place of the record; `None` while it is closed, and for a device, which has none.
    pub(super) fn place(&self) -> Option<&place::Place> {
        self.open.as_ref().filter(|open| open.chain.is_some()).map(|open| &open.place)
    }

    /// The number of the last row that is known here; others may have written more.
    pub(super) fn known_seq(&self) -> u64 {
        self.open.as_ref().and_then(|open| open.chain.as_ref()).map_or(0, |chain| chain.head.seq)
    }

    /// Whether rows can be written: the last write succeeded, or a new try does.
    pub(super) fn prove(&mut self) -> Result<(), RecordError> {
        if self.failure.is_none() && self.open.is_some() { Ok(()) } else { self.retry() }
    }

    /// Appends rows. On an error they are kept for later: do not append them again. The rows as they stand in the
    /// file now are given to `show`, and those that wait as they are.
    pub(super) fn append(&mut self, rows: &Rows, show: &mut dyn FnMut(&[u8])) -> Result<(), RecordError> {
        if self.failure.is_some() {
            rows.iter().for_each(show);
            self.keep(rows);
            return self.retry();
        }
        self.write(rows, self.lock_patience, show).map_err(|stop| {
            let mut left = rows.clone();
            left.skip(stop.whole);
            left.iter().for_each(show);
            self.keep(&left);
            self.fail(&stop.error)
        })
    }

    /// Signs the chain's end if rows came since it was signed last.
    pub(super) fn mark(&mut self) -> Result<(), RecordError> {
        self.sign(super::checkpoint::Kind::Mark)
    }

    /// Writes what is left and signs the chain's end. What is written may still have to be synced.
    pub(super) fn close(&mut self) -> Result<(), RecordError> {
        if let Some(failure) = &mut self.failure {
            failure.tried = Instant::now().checked_sub(self.retry_every).unwrap_or(failure.tried);
            self.retry()?;
        }
        self.sign(super::checkpoint::Kind::Close)
    }

    /// Looks for everything anew before the next row: what was open is not where it belongs any more.
    pub(super) fn reopen(&mut self) {
        self.open = None;
    }

    /// The files that were written to since they were asked for last.
    pub(super) fn take_unsynced(&mut self) -> Vec<Arc<File>> {
        std::mem::take(&mut self.unsynced)
    }

    /// An error that is told as one of this file's.
    pub(super) fn describe(&self, error: &io::Error) -> RecordError {
        describe(&self.path, error)
    }

    /// Shuts the file for `error`; it is tried again in a while.
    pub(super) fn fail(&mut self, error: &io::Error) -> RecordError {
        let error = describe(&self.path, error);
        if self.failure.is_none() {
            tracing::error!("{error}");
        }
        self.open = None;
        self.failure = Some(Failure { error: error.clone(), tried: Instant::now() });
        error
    }

    fn sign(&mut self, kind: super::checkpoint::Kind) -> Result<(), RecordError> {
        let (Some(open), Some(keys)) = (&mut self.open, &self.keys) else { return Ok(()) };
        let Some(lock) = open.chain.as_ref().map(|chain| Lock::of(&chain.file, self.lock_patience)) else {
            return Ok(());
        };
        let signed = lock.and_then(|_lock| open.sign(kind, keys));
        signed.map_err(|error| describe(&self.path, &error))
    }

    fn keep(&mut self, rows: &Rows) {
        if self.backlog.text.len() + rows.text.len() <= BACKLOG_BYTES {
            self.backlog.extend(rows);
        } else {
            self.lost += rows.calls.len() as u64;
        }
    }

    /// Opens the file again and writes the backlog, unless that was tried just now.
    fn retry(&mut self) -> Result<(), RecordError> {
        if let Some(failure) = &self.failure
            && failure.tried.elapsed() < self.retry_every
        {
            return Err(failure.error.clone());
        }
        let mut backlog = std::mem::take(&mut self.backlog);
        if let Err(stop) = self.write(&backlog, Duration::ZERO, &mut |_| ()) {
            backlog.skip(stop.whole);
            self.backlog = backlog;
            return Err(self.fail(&stop.error));
        }
        if self.failure.take().is_some() {
            tracing::info!(path = ?self.path, lost_rows = self.lost, "the audit file works again");
        }
        self.lost = 0;
        Ok(())
    }

    fn open_now(&mut self) -> io::Result<Open> {
        if let (None, Some(state_dir)) = (&self.keys, &self.care.state_dir) {
            let keys = Keys::open(state_dir).map_err(|error| {
                let path = Keys::path(state_dir);
                io::Error::new(error.kind(), format!("its signing key {path:?}: {error}"))
            })?;
            self.keys = Some(Arc::new(keys));
        }
        let open = Open::at(&self.path)?;
        if self.care.sync {
            // The names of new files must survive, too.
            let folders = [open.place.audit.parent(), Some(open.place.folder.as_path())];
            self.unsynced.extend(folders.into_iter().flatten().filter_map(place::open_folder));
        }
        Ok(open)
    }

    /// Appends to the file that has the path now. After an error the file is closed.
    fn write(&mut self, rows: &Rows, patience: Duration, show: &mut dyn FnMut(&[u8])) -> Result<(), Stop> {
        for _ in 0..REPLACEMENTS {
            let mut open = match self.open.take() {
                Some(open) => open,
                None => self.open_now()?,
            };
            let lock = Lock::of(open.lock_file(), patience)?;
            // Asked for every batch: a row in a file that logrotate has moved away, or that somebody removed, is a
            // row that nobody finds.
            let Some(len) = open.len()? else { continue };
            if rows.is_empty() {
                self.open = Some(open);
                return Ok(());
            }
            let written = open.append(len, rows, self.keys.as_deref(), show);
            let whole = match &written {
                Ok(()) => rows.calls.len(),
                Err(stop) => stop.whole,
            };
            self.recorded.extend_from_slice(&rows.calls[..whole]);
            if self.care.sync && !self.unsynced.iter().any(|file| Arc::ptr_eq(file, &open.audit)) {
                self.unsynced.push(open.audit.clone());
            }
            written?;
            if !open.rotate(&self.care) {
                self.open = Some(open);
            }
            drop(lock);
            return Ok(());
        }
        Err(io::Error::new(ErrorKind::ResourceBusy, "it is replaced over and over").into())
    }
}

/// Where a write stopped.
#[derive(Debug)]
pub(super) struct Stop {
    /// How many rows are in the file.
    pub(super) whole: usize,
    pub(super) error: io::Error,
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self { whole: 0, error }
    }
}

pub(super) fn describe(path: &Path, error: &io::Error) -> RecordError {
    let way_out = match error.kind() {
        ErrorKind::InvalidData => "see CALLGATE_STATE_DIR for the folder it is in",
        ErrorKind::NotFound
        | ErrorKind::PermissionDenied
        | ErrorKind::ReadOnlyFilesystem
        | ErrorKind::IsADirectory
        | ErrorKind::NotADirectory
        | ErrorKind::InvalidInput => "set AXONFLOW_AUDIT_LOG to a file that this user may create and write",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "free space or set AXONFLOW_AUDIT_LOG to a file on another disk"
        }
        ErrorKind::WouldBlock => "end that process or set AXONFLOW_AUDIT_LOG to a file of its own",
        _ => "check the disk or set AXONFLOW_AUDIT_LOG to another file",
    };
    RecordError(format!("audit file {path:?}: {error}; {way_out}"))
}
