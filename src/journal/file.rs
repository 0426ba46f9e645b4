//! The audit file: whole rows, appended under a lock, by several processes at once.
//!
//! Nothing in it is ever overwritten or cut. Every batch is one write behind the file's end while an advisory lock
//! is held, so the end is known: a torn line that someone left there (a crash, a full disk) gets its line feed
//! before our rows. Rows that could not be written wait in memory and are written first when the file works again.

use callgate_actors::limits::REQUESTS_IN_FLIGHT;
use callgate_actors::ports::RecordError;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long an append waits for another process's append, which takes microseconds. Waiting stops every call, so
/// once it was in vain the lock is only tried until it is had again.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
/// Between two tries for the lock: as long as a contended append at first, then growing to the second number.
const LOCK_PAUSE: (Duration, Duration) = (Duration::from_micros(50), Duration::from_millis(5));
/// How often a file that failed is tried again.
const RETRY_EVERY: Duration = Duration::from_millis(200);
/// Rows that wait for a file that failed: one row of at most 2 KiB for every open request, when calls are refused
/// without a record.
const BACKLOG_BYTES: usize = REQUESTS_IN_FLIGHT * 2 * 1024;
/// How often the file may be replaced while one batch waits for its lock.
const REPLACEMENTS: usize = 4;

/// The audit file of one path, open or not.
pub(super) struct AuditFile {
    path: PathBuf,
    open: Option<Open>,
    failure: Option<Failure>,
    /// Whole rows that are not in the file yet.
    backlog: Vec<u8>,
    /// Rows that found no place in the backlog.
    lost: u64,
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
    pub(super) fn open(path: PathBuf) -> Self {
        let mut file = Self {
            path,
            open: None,
            failure: None,
            backlog: Vec::new(),
            lost: 0,
            lock_patience: LOCK_PATIENCE,
            retry_every: RETRY_EVERY,
        };
        match Open::at(&file.path) {
            Ok(open) => file.open = Some(open),
            Err(error) => {
                file.fail(&error);
            }
        }
        file
    }

    /// Whether rows can be written: the last write succeeded, or a new try does.
    pub(super) fn prove(&mut self) -> Result<(), RecordError> {
        if self.failure.is_none() { Ok(()) } else { self.retry() }
    }

    /// Appends whole rows, each with its line feed. On an error the rows are kept for later: do not append them
    /// again.
    pub(super) fn append(&mut self, rows: &[u8]) -> Result<(), RecordError> {
        if self.failure.is_some() {
            self.keep(rows);
            return self.retry();
        }
        self.write(rows, self.lock_patience).map_err(|stop| {
            self.keep(&rows[stop.whole..]);
            self.fail(&stop.error)
        })
    }

    /// Writes what is left and waits until the disk has it.
    pub(super) fn close(&mut self) -> Result<(), RecordError> {
        if let Some(failure) = &mut self.failure {
            failure.tried = Instant::now().checked_sub(self.retry_every).unwrap_or(failure.tried);
            self.retry()?;
        }
        let Some(open) = &self.open else { return Ok(()) };
        let synced =
            open.file.metadata().and_then(|meta| if meta.is_file() { open.file.sync_all() } else { Ok(()) });
        synced.map_err(|error| describe(&self.path, &error))
    }

    fn keep(&mut self, rows: &[u8]) {
        if self.backlog.len() + rows.len() <= BACKLOG_BYTES {
            self.backlog.extend_from_slice(rows);
        } else {
            self.lost += memchr::memchr_iter(b'\n', rows).count() as u64;
        }
    }

    /// Opens the file again and writes the backlog, unless that was tried just now.
    fn retry(&mut self) -> Result<(), RecordError> {
        if let Some(failure) = &self.failure
            && failure.tried.elapsed() < self.retry_every
        {
            return Err(failure.error.clone());
        }
        let backlog = std::mem::take(&mut self.backlog);
        if let Err(stop) = self.write(&backlog, Duration::ZERO) {
            self.backlog = backlog[stop.whole..].to_vec();
            return Err(self.fail(&stop.error));
        }
        self.failure = None;
        tracing::info!(path = ?self.path, lost_rows = self.lost, "the audit file works again");
        self.lost = 0;
        Ok(())
    }

    fn fail(&mut self, error: &io::Error) -> RecordError {
        let error = describe(&self.path, error);
        if self.failure.is_none() {
            tracing::error!("{error}");
        }
        self.failure = Some(Failure { error: error.clone(), tried: Instant::now() });
        error
    }

    /// Appends to the file that has the path now. After an error the file is closed.
    fn write(&mut self, rows: &[u8], patience: Duration) -> Result<(), Stop> {
        for _ in 0..REPLACEMENTS {
            let mut open = match self.open.take() {
                Some(open) => open,
                None => Open::at(&self.path)?,
            };
            let lock = Lock::of(&open.file, patience)?;
            let meta = open.file.metadata()?;
            // Asked for every batch: it costs about 1 µs, and a row in a file that logrotate has moved away, or
            // that somebody removed, is a row that nobody finds.
            if !has_path(&meta, &self.path) {
                continue;
            }
            let end = append(&open.file, &meta, open.end, rows)?;
            drop(lock);
            open.end = end;
            self.open = Some(open);
            return Ok(());
        }
        Err(io::Error::new(ErrorKind::ResourceBusy, "it is replaced over and over").into())
    }
}

/// Where a write stopped.
struct Stop {
    /// Bytes of the rows that are in the file as whole rows.
    whole: usize,
    error: io::Error,
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self { whole: 0, error }
    }
}

struct Open {
    file: File,
    /// The length after our last write: as long as the file has it, it ends with our own line feed.
    end: Option<u64>,
}

impl Open {
    fn at(path: &Path) -> io::Result<Self> {
        if fs::metadata(path).is_ok_and(|meta| !may_be_opened(&meta)) {
            // A pipe would block every call as soon as its reader pauses.
            return Err(io::Error::new(ErrorKind::InvalidInput, "it is neither a file nor a device"));
        }
        let mut options = OpenOptions::new();
        // `read` is for looking at the last byte, and Windows locks no file that is open for appending only.
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = match (options.open(path), path.parent()) {
            (Err(error), Some(parent)) if error.kind() == ErrorKind::NotFound => {
                create_directories(parent)?;
                options.open(path)?
            }
            (opened, _) => opened?,
        };
        Ok(Self { file, end: None })
    }
}

/// Appends `rows` in one write; the caller has the lock and just asked for `meta`. The new length of the file.
fn append(file: &File, meta: &Metadata, known_end: Option<u64>, rows: &[u8]) -> Result<Option<u64>, Stop> {
    let len = meta.len();
    if rows.is_empty() {
        return Ok(known_end);
    }
    let torn = meta.is_file() && len > 0 && known_end != Some(len) && last_byte(file, len)? != b'\n';
    let mended;
    let bytes = if torn {
        tracing::warn!(bytes = len, "the last line of the audit file is torn; a new line is begun behind it");
        mended = [b"\n", rows].concat();
        &mended
    } else {
        rows
    };
    match write_counted(file, bytes) {
        (_, Ok(())) => Ok(Some(len + bytes.len() as u64)),
        (written, Err(error)) => {
            let of_rows = written.saturating_sub(usize::from(torn));
            Err(Stop { whole: whole_rows(rows, of_rows), error })
        }
    }
}

/// Writes all of `bytes`; how many were written in any case.
fn write_counted(mut file: &File, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while written < bytes.len() {
        match file.write(&bytes[written..]) {
            Ok(0) => return (written, Err(ErrorKind::WriteZero.into())),
            Ok(more) => written += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

/// How much of `rows` is whole after `written` bytes. A row that lacks only its line feed is whole: the next append
/// finds it torn and begins a new line.
pub(super) fn whole_rows(rows: &[u8], written: usize) -> usize {
    if written > 0 && rows[written] == b'\n' {
        return written + 1;
    }
    memchr::memrchr(b'\n', &rows[..written]).map_or(0, |at| at + 1)
}

/// The advisory lock of the file; let go when dropped.
struct Lock<'a>(Option<&'a File>);

impl<'a> Lock<'a> {
    fn of(file: &'a File, patience: Duration) -> io::Result<Self> {
        let give_up = Instant::now() + patience;
        let (mut pause, longest) = LOCK_PAUSE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(Some(file))),
                // Some network filesystems and devices know no locks; appends of one process are whole still.
                Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                    return Ok(Self(None));
                }
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if Instant::now() >= give_up => {
                    return Err(io::Error::new(ErrorKind::WouldBlock, "another process keeps it locked"));
                }
                Err(TryLockError::WouldBlock) => {
                    std::thread::sleep(pause);
                    pause = longest.min(pause * 2);
                }
            }
        }
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        if let Some(file) = self.0 {
            // Closing the file would let go as well; there is nothing else to do.
            let _ = file.unlock();
        }
    }
}

fn describe(path: &Path, error: &io::Error) -> RecordError {
    let way_out = match error.kind() {
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

fn create_directories(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o755);
    builder.create(path)
}

/// Whether the file with this path is the one that `open` tells of.
fn has_path(open: &Metadata, path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|named| identity(&named) == identity(open))
}

#[cfg(unix)]
fn identity(meta: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (meta.dev(), meta.ino())
}

/// Windows keeps its file numbers from safe code. Under the lock the length tells a file from its successor, which
/// may inherit the time of creation.
#[cfg(not(unix))]
fn identity(meta: &Metadata) -> (Option<std::time::SystemTime>, u64) {
    (meta.created().ok(), meta.len())
}

#[cfg(unix)]
fn may_be_opened(meta: &Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    meta.is_file() || meta.is_dir() || meta.file_type().is_char_device()
}

#[cfg(not(unix))]
fn may_be_opened(_meta: &Metadata) -> bool {
    true
}

fn last_byte(file: &File, len: u64) -> io::Result<u8> {
    let mut byte = [0];
    #[cfg(unix)]
    std::os::unix::fs::FileExt::read_exact_at(file, &mut byte, len - 1)?;
    #[cfg(windows)]
    std::os::windows::fs::FileExt::seek_read(file, &mut byte, len - 1)?;
    Ok(byte[0])
}
