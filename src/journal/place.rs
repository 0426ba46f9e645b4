//! Where the record lies on the disk: the audit file, and the folder beside it with everything else.
//!
//! ```text
//! audit.jsonl                      rows
//! audit.jsonl.000000012345         an earlier file; its last row is number 12,345
//! audit.jsonl.journal/head         the chain's end; whoever appends holds its lock
//! audit.jsonl.journal/checkpoints.jsonl
//! audit.jsonl.journal/public.key
//! audit.jsonl.journal/intents/     calls that are under way, a file per process
//! audit.jsonl.journal/torn/        ends of rows that a crash cut off
//! ```

use super::chain::{Head, HexHash};
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between two tries for the lock: as long as a contended append at first, then growing to the second number.
const LOCK_PAUSE: (Duration, Duration) = (Duration::from_micros(50), Duration::from_millis(5));
/// Length of the head file: one line, padded, so that it is replaced by one small write.
const HEAD_BYTES: usize = 128;
/// Digits of the row number in the name of an earlier file: names sort as numbers do.
const NAME_DIGITS: usize = 12;

/// The paths that belong to one audit file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The audit file.
    pub audit: PathBuf,
    /// The folder beside it.
    pub folder: PathBuf,
}

impl Place {
    /// The place of the audit file at `path`. All names of one file have one place, so that all its writers meet.
    pub fn of(path: &Path) -> Self {
        let resolved = fs::canonicalize(path).ok().filter(|path| path.is_file());
        let resolved = resolved.or_else(|| {
            let parent = fs::canonicalize(path.parent()?).ok()?;
            Some(parent.join(path.file_name()?))
        });
        let audit = resolved.unwrap_or_else(|| path.to_owned());
        let mut folder = audit.as_os_str().to_owned();
        folder.push(".journal");
        Self { audit, folder: folder.into() }
    }

    /// The chain's end, and the lock.
    pub fn head(&self) -> PathBuf {
        self.folder.join("head")
    }

    /// Signed ends of the chain.
    pub fn checkpoints(&self) -> PathBuf {
        self.folder.join("checkpoints.jsonl")
    }

    /// The public keys that signed them.
    pub fn public_keys(&self) -> PathBuf {
        self.folder.join("public.key")
    }

    /// Calls under way.
    pub fn intents(&self) -> PathBuf {
        self.folder.join("intents")
    }

    /// Ends of rows that were cut off.
    pub(super) fn torn(&self) -> PathBuf {
        self.folder.join("torn")
    }

    /// The name that the audit file gets when it is rotated behind row `seq`.
    pub(super) fn earlier(&self, seq: u64) -> PathBuf {
        let mut name = self.audit.as_os_str().to_owned();
        name.push(format!(".{seq:0NAME_DIGITS$}"));
        name.into()
    }

    /// Files whose names begin with the audit file's, a dot or hyphen, and a digit: earlier files, whoever moved
    /// them there. In the order of their names.
    pub fn earlier_files(&self) -> Vec<PathBuf> {
        let (Some(parent), Some(name)) = (self.audit.parent(), self.audit.file_name()) else {
            return Vec::new();
        };
        let begins = |path: &Path| {
            let other = path.file_name()?.as_encoded_bytes().strip_prefix(name.as_encoded_bytes())?;
            Some(matches!(other, [b'.' | b'-', b'0'..=b'9', ..]))
        };
        let entries = fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut files: Vec<_> = entries.filter(|path| begins(path) == Some(true) && path.is_file()).collect();
        files.sort();
        files
    }
}

/// Sets the mode of files that only their owner may read.
pub(super) fn make_private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}

/// Makes a folder and those above it.
pub(super) fn create_directories(path: &Path, mode: u32) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, mode);
    #[cfg(not(unix))]
    let _ = mode;
    builder.create(path)
}

/// Opens a file for reading and writing, creates it with its folders.
pub(super) fn open_private(path: &Path, append: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    // Windows locks no file that is open for appending only.
    options.read(true).create(true);
    if append {
        options.append(true)
    } else {
        options.write(true).truncate(false)
    };
    make_private(&mut options);
    match (options.open(path), path.parent()) {
        (Err(error), Some(parent)) if error.kind() == ErrorKind::NotFound => {
            create_directories(parent, 0o755)?;
            options.open(path)
        }
        (opened, _) => opened,
    }
}

/// A folder to sync, where the system knows that.
pub(super) fn open_folder(path: &Path) -> Option<Arc<File>> {
    File::open(path).ok().filter(|_| cfg!(unix)).map(Arc::new)
}

/// The advisory lock of a file; let go when dropped.
pub(super) struct Lock(Option<Arc<File>>);

impl Lock {
    /// Waits for the lock at most for `patience`.
    pub(super) fn of(file: &Arc<File>, patience: Duration) -> io::Result<Self> {
        let give_up = Instant::now() + patience;
        let (mut pause, longest) = LOCK_PAUSE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(Some(file.clone()))),
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

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(file) = &self.0 {
            // Closing the file would let go as well; there is nothing else to do.
            let _ = file.unlock();
        }
    }
}

/// Whether the file with this path is the one that `open` tells of.
pub(crate) fn has_path(open: &Metadata, path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|named| Identity::of(&named) == Identity::of(open))
}

/// What tells a file from others, as long as it is open.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

#[cfg(unix)]
impl Identity {
    pub(super) fn of(meta: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { device: meta.dev(), inode: meta.ino() }
    }
}

/// Windows keeps its file numbers from safe code. Under the lock the length tells a file from its successor, which
/// may inherit the time of creation.
#[cfg(not(unix))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    created: Option<std::time::SystemTime>,
    len: u64,
}

#[cfg(not(unix))]
impl Identity {
    pub(super) fn of(meta: &Metadata) -> Self {
        Self { created: meta.created().ok(), len: meta.len() }
    }
}

/// The length of `file`, opened with `identity`, if `path` still names it.
#[cfg(unix)]
pub(super) fn len_at(_file: &File, identity: Identity, path: &Path) -> io::Result<Option<u64>> {
    // One question for both: asking the open file besides costs half a microsecond for every row.
    Ok(fs::metadata(path).ok().filter(|named| Identity::of(named) == identity).map(|named| named.len()))
}

#[cfg(not(unix))]
pub(super) fn len_at(file: &File, _identity: Identity, path: &Path) -> io::Result<Option<u64>> {
    let open = file.metadata()?;
    Ok(has_path(&open, path).then(|| open.len()))
}

/// Whether a file that is open has no name any more.
#[cfg(unix)]
pub(super) fn is_removed(meta: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(meta) == 0
}

#[cfg(not(unix))]
pub(super) fn is_removed(_meta: &Metadata) -> bool {
    false
}

#[cfg(unix)]
pub(super) fn may_be_opened(meta: &Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    meta.is_file() || meta.is_dir() || meta.file_type().is_char_device()
}

#[cfg(not(unix))]
pub(super) fn may_be_opened(_meta: &Metadata) -> bool {
    true
}

/// Reads exactly `bytes` from `at` on, without moving the file's position where the system can.
pub(super) fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    #[cfg(unix)]
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)?;
    #[cfg(windows)]
    {
        let mut done = 0;
        while done < bytes.len() {
            match std::os::windows::fs::FileExt::seek_read(file, &mut bytes[done..], at + done as u64)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                more => done += more,
            }
        }
    }
    Ok(())
}

/// Replaces the head file's only line.
pub(super) fn write_head(file: &File, head: &Head) -> io::Result<()> {
    let mut line = [b' '; HEAD_BYTES];
    let text = format!("{{\"seq\":{},\"hash\":\"{}\"}}", head.seq, head.hash);
    line[..text.len()].copy_from_slice(text.as_bytes());
    line[HEAD_BYTES - 1] = b'\n';
    #[cfg(unix)]
    std::os::unix::fs::FileExt::write_all_at(file, &line, 0)?;
    #[cfg(windows)]
    if std::os::windows::fs::FileExt::seek_write(file, &line, 0)? != HEAD_BYTES {
        return Err(ErrorKind::WriteZero.into());
    }
    Ok(())
}

/// The chain's end as the head file tells it; `None` when it is empty or damaged.
pub fn read_head(text: &[u8]) -> Option<Head> {
    #[derive(serde::Deserialize)]
    struct Line<'a> {
        seq: u64,
        hash: &'a str,
    }
    let line: Line<'_> = serde_json::from_slice(text).ok()?;
    Some(Head { seq: line.seq, hash: HexHash::read(line.hash.as_bytes())? })
}

/// The same from an open file.
pub(super) fn read_head_of(file: &File) -> Option<Head> {
    let mut line = [0; HEAD_BYTES];
    read_at(file, &mut line, 0).ok()?;
    read_head(&line)
}
