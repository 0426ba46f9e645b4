//! Calls that are under way: the row that each of them gets should nothing more be heard of it.
//!
//! A process writes its intents into a file of its own and keeps that file locked as long as it lives, however it
//! ends. A file that nobody has locked holds what its process left behind ([`super::recovery`]). Nothing is written
//! when a call ends: its row in the audit file, found by its `call_id`, is the end of its intent.

use super::place::{self, Place, has_path};
use super::row::Digests;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A file of this length is made anew with the open calls alone: 1,500 intents of 700 bytes.
const COMPACT_BYTES: u64 = 1024 * 1024;
/// How long an intent may go into a file that was moved away, so that only who looks there finds it.
const LOOK_UP_EVERY: Duration = Duration::from_secs(1);
/// Tries to make a file that nobody else has locked.
const TRIES: u32 = 8;
/// Room for a usual line.
const LINE_BYTES: usize = 1024;
/// Ending of the files' names.
const ENDING: &str = "wal";
/// Ending while the file is being made and is not locked yet.
const NEW: &str = "new";

/// One line of a file of intents.
#[derive(Debug, Deserialize)]
pub(super) struct Line<'a> {
    /// The call's number in its process.
    pub(super) number: u64,
    /// When the intent was written the chain had at least so many rows: the call's own row comes behind them.
    pub(super) behind: u64,
    /// The row, not tied to the chain.
    #[serde(borrow)]
    pub(super) row: &'a RawValue,
}

/// The calls of this process that are under way.
pub(super) struct Intents {
    run: String,
    file: Option<Kept>,
    open: BTreeMap<u64, Digests>,
    files: u32,
    unsynced: bool,
    /// The folder of a file that was made since it was synced last.
    new_in: Option<PathBuf>,
    /// The file was taken away while it was in use.
    was_lost: bool,
}

/// Intents that are written together.
pub(super) struct Batch {
    behind: u64,
    lines: Vec<u8>,
    calls: Vec<(u64, Digests)>,
}

impl Batch {
    /// No intents yet. `rows` is a number of rows that the chain has already.
    pub(super) fn behind(rows: u64) -> Self {
        Self { behind: rows, lines: Vec::with_capacity(LINE_BYTES), calls: Vec::with_capacity(1) }
    }

    /// Puts the intent of a call behind the others; `push` writes its row.
    pub(super) fn push(&mut self, number: u64, digests: Digests, push: impl FnOnce(&mut Vec<u8>, &Digests)) {
        // Writing to a vector cannot fail.
        let _ = write!(self.lines, "{{\"number\":{number},\"behind\":{},\"row\":", self.behind);
        push(&mut self.lines, &digests);
        self.lines.extend_from_slice(b"}\n");
        self.calls.push((number, digests));
    }
}

struct Kept {
    file: Arc<File>,
    path: PathBuf,
    /// What is in it; a write that failed may have left something behind that.
    len: u64,
    /// Its length when it was made anew last.
    compact: u64,
    is_torn: bool,
    /// When its path was looked up last.
    looked_up: Instant,
}

impl Intents {
    /// Writes nothing yet. `run` names this process among all that ever used the audit file.
    pub(super) fn new(run: String) -> Self {
        Self {
            run,
            file: None,
            open: BTreeMap::new(),
            files: 0,
            unsynced: false,
            new_in: None,
            was_lost: false,
        }
    }

    /// Writes intents, in one write.
    pub(super) fn begin(&mut self, place: &Place, batch: Batch) -> io::Result<()> {
        self.kept(place)?.append(&batch.lines)?;
        self.unsynced = true;
        self.open.extend(batch.calls);
        Ok(())
    }

    /// The call has its row.
    pub(super) fn end(&mut self, number: u64) {
        self.open.remove(&number);
    }

    /// What the intent of an open call says of its arguments.
    pub(super) fn digests(&self, number: u64) -> Option<&Digests> {
        self.open.get(&number)
    }

    /// Whether the file has grown so long that [`Self::compact`] pays.
    pub(super) fn is_long(&self) -> bool {
        self.file.as_ref().is_some_and(|kept| kept.len >= COMPACT_BYTES.max(2 * kept.compact))
    }

    /// Leaves the open calls alone in the file, and syncs it if the others' rows are synced.
    pub(super) fn compact(&mut self, place: &Place, sync: bool) -> io::Result<()> {
        let Some(old) = self.file.take() else { return Ok(()) };
        if self.open.is_empty() {
            old.file.set_len(0)?;
            self.file = Some(Kept { len: 0, compact: 0, is_torn: false, ..old });
            return Ok(());
        }
        let text = fs::read(&old.path)?;
        let mut open = Vec::new();
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            if serde_json::from_slice::<Line<'_>>(line).is_ok_and(|line| self.open.contains_key(&line.number))
            {
                open.extend_from_slice(line);
            }
        }
        let mut kept = Self::make(&self.run, &mut self.files, place)?;
        kept.append(&open)?;
        kept.compact = kept.len;
        if sync {
            kept.file.sync_data()?;
        }
        // For a moment an intent stands in two files; its row is written once all the same.
        fs::remove_file(&old.path)?;
        self.file = Some(kept);
        Ok(())
    }

    /// The file, if it was written to since this was asked last.
    pub(super) fn take_unsynced(&mut self) -> impl Iterator<Item = Arc<File>> + use<> {
        let file = self.file.as_ref().filter(|_| self.unsynced).map(|kept| kept.file.clone());
        self.unsynced = false;
        let folder = self.new_in.take().and_then(|folder| place::open_folder(&folder));
        file.into_iter().chain(folder)
    }

    /// Whether the file was taken away since this was asked last: then the rest of the folder may be another one, too.
    pub(super) fn take_was_lost(&mut self) -> bool {
        std::mem::take(&mut self.was_lost)
    }

    /// Removes the file, unless calls are open: then the next start finds it.
    pub(super) fn close(&mut self) {
        if !self.open.is_empty() {
            tracing::warn!(
                calls = self.open.len(),
                "calls without an end; the next start records them as unknown"
            );
            return;
        }
        if let Some(kept) = self.file.take()
            && let Err(error) = fs::remove_file(&kept.path)
        {
            tracing::debug!("intents {:?} cannot be removed: {error}", kept.path);
        }
    }

    fn kept(&mut self, place: &Place) -> io::Result<&mut Kept> {
        let is_there = self.file.as_mut().is_some_and(|kept| kept.is_in(place));
        if !is_there {
            self.was_lost = self.file.take().is_some();
        }
        match &mut self.file {
            Some(kept) => Ok(kept),
            none => {
                let made = Self::make(&self.run, &mut self.files, place)?;
                self.new_in = Some(place.intents());
                Ok(none.insert(made))
            }
        }
    }

    fn make(run: &str, files: &mut u32, place: &Place) -> io::Result<Kept> {
        for _ in 0..TRIES {
            *files += 1;
            let name = place.intents().join(format!("{run}-{files}"));
            let (new, path) = (name.with_extension(NEW), name.with_extension(ENDING));
            let file = place::open_private(&new, true)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                    tracing::warn!(
                        "the folder of {path:?} knows no locks; calls that a crash cut off stay there"
                    );
                }
                // Somebody tidies up and took it for a dead process's.
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Error(error)) => return Err(error),
            }
            match fs::rename(&new, &path) {
                Ok(()) => {
                    let looked_up = Instant::now();
                    return Ok(Kept {
                        file: Arc::new(file),
                        path,
                        len: 0,
                        compact: 0,
                        is_torn: false,
                        looked_up,
                    });
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(ErrorKind::ResourceBusy, "its files are taken away as soon as they are made"))
    }
}

impl Kept {
    /// Whether the file is where later starts look. One that was removed tells it itself; one that was moved is told
    /// from its path, which is looked up now and then: that costs a microsecond.
    fn is_in(&mut self, place: &Place) -> bool {
        let Ok(meta) = self.file.metadata() else { return false };
        if place::is_removed(&meta) || !self.path.starts_with(&place.folder) {
            return false;
        }
        if self.looked_up.elapsed() < LOOK_UP_EVERY {
            return true;
        }
        self.looked_up = Instant::now();
        has_path(&meta, &self.path)
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.file.set_len(self.len)?;
            self.is_torn = false;
        }
        let written = (&*self.file).write_all(line);
        self.is_torn = written.is_err();
        if written.is_ok() {
            self.len += line.len() as u64;
        }
        written
    }
}

/// The files of intents in a folder: finished ones, then those that were never finished. In the order of their names.
pub(super) fn files_in(folder: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let paths = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut paths: Vec<_> = paths.collect();
    paths.sort();
    let ends = |path: &PathBuf, ending: &str| path.extension().is_some_and(|found| found == ending);
    let new = paths.iter().filter(|path| ends(path, NEW)).cloned().collect();
    paths.retain(|path| ends(path, ENDING));
    (paths, new)
}
