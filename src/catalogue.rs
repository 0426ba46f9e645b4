//! Keeps the pinned catalogue of every backend on disk, so that lists are answered before a backend has started.
//!
//! One file per key, replaced as a whole, checked by its digest when read. A lost or damaged file costs one listing
//! and nothing else, so nothing here waits for the disk. Several processes may use one directory.

use crate::canonical::hex_sha256;
use callgate_actors::limits::MAX_LINE_BYTES;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Catalogues kept in one directory: a person has a few dozen backends, and each new version of a definition
/// leaves an old catalogue behind.
const KEPT_FILES: usize = 200;
/// A catalogue that nobody read for so long is removed.
const KEPT_UNREAD: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// How far the mark of the last reading may lie behind; reading then needs no writing most of the time.
const MARK_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// A temporary file of that age belongs to a process that was killed while it saved.
const ABANDONED: Duration = Duration::from_secs(60 * 60);
/// Largest catalogue; it came as lines that are no longer, and one listing of 20,000 tools takes about 20 MB.
const MAX_BYTES: usize = MAX_LINE_BYTES;
/// Starts the first line, before the digest of what follows the line.
const HEAD: &str = "callgate-catalogue 1 ";
/// [`HEAD`], 64 hex digits, a line feed.
const HEAD_BYTES: usize = HEAD.len() + 64 + 1;

const TEMPORARY: &str = ".catalogue-";

/// Names the catalogue of one backend as one kind of client sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CatalogueKey(String);

impl CatalogueKey {
    /// The key changes with everything that may change what a backend lists: its id, its definition in the
    /// backends file, and the capabilities that the client declared (both as bytes, spelled the same every time).
    pub fn from_definition(id: &str, definition: &[u8], client_capabilities: &[u8]) -> Self {
        let mut all = Vec::new();
        for part in [id.as_bytes(), definition, client_capabilities] {
            // The length before each part keeps `ab`,`c` and `a`,`bc` apart.
            all.extend_from_slice(&(part.len() as u64).to_be_bytes());
            all.extend_from_slice(part);
        }
        Self(hex_sha256(&all))
    }

    /// 64 lower-case hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The catalogues in `catalogues` below the state directory.
#[derive(Clone, Debug)]
pub struct CatalogueStore {
    dir: PathBuf,
}

impl CatalogueStore {
    /// Touches nothing; the directory is made by the first [`Self::save`].
    pub fn new(state_dir: &Path) -> Self {
        Self { dir: state_dir.join("catalogues") }
    }

    /// The bytes that were saved last. `None` if there are none or they cannot be read; a damaged file is told and
    /// kept aside as `<key>.damaged`.
    pub fn load(&self, key: &CatalogueKey) -> Option<Vec<u8>> {
        let path = self.path(key);
        match read(&path) {
            Ok(bytes) => {
                mark_read(&path);
                Some(bytes)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                let aside = path.with_extension("damaged");
                tracing::warn!(?aside, "catalogue {path:?} is {error}; it is kept aside and listed anew");
                if let Err(error) = fs::rename(&path, &aside) {
                    tracing::warn!("catalogue {path:?} cannot be kept aside: {error}");
                }
                None
            }
            Err(error) => {
                tracing::warn!("catalogue {path:?}: {error}; make it readable or remove it");
                None
            }
        }
    }

    /// Saves the bytes in place of what was saved before, readable by this user only. A reader sees the old or the
    /// new bytes. Old catalogues are removed on the way.
    pub fn save(&self, key: &CatalogueKey, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() > MAX_BYTES {
            return Err(io::Error::new(
                ErrorKind::FileTooLarge,
                format!("a catalogue of {} bytes is not kept; the limit is {MAX_BYTES}", bytes.len()),
            ));
        }
        create_private(&self.dir)?;
        let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(&self.dir)?;
        file.write_all(format!("{HEAD}{}\n", hex_sha256(bytes)).as_bytes())?;
        file.write_all(bytes)?;
        // Not synced: should the machine lose power now, the digest tells.
        file.persist(self.path(key)).map_err(|failed| failed.error)?;
        if let Err(error) = self.prune(SystemTime::now()) {
            tracing::debug!("old catalogues in {:?} stay: {error}", self.dir);
        }
        Ok(())
    }

    fn path(&self, key: &CatalogueKey) -> PathBuf {
        self.dir.join(format!("{}.catalogue", key.0))
    }

    /// Removes what is too old, then the oldest of what is too many. Another process may do the same meanwhile.
    fn prune(&self, now: SystemTime) -> io::Result<()> {
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let Some(longest) = longest_stay(&entry.path()) else { continue };
            let Ok(touched) = entry.metadata().and_then(|meta| meta.modified()) else { continue };
            // A time ahead of ours counts as young.
            if now.duration_since(touched).is_ok_and(|age| age > longest) {
                remove(&entry.path());
            } else {
                kept.push((touched, entry.path()));
            }
        }
        kept.sort_unstable();
        let surplus = kept.len().saturating_sub(KEPT_FILES);
        kept.iter().take(surplus).for_each(|(_, path)| remove(path));
        Ok(())
    }
}

/// How long a file of ours may stay untouched; `None` for files of others.
fn longest_stay(path: &Path) -> Option<Duration> {
    let name = path.file_name()?.to_str()?;
    if name.starts_with(TEMPORARY) {
        return Some(ABANDONED);
    }
    let (key, kind) = name.split_once('.')?;
    let is_ours = key.len() == 64 && matches!(kind, "catalogue" | "damaged");
    is_ours.then_some(KEPT_UNREAD)
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Ok(()) => tracing::debug!("old catalogue {path:?} removed"),
        Err(error) => tracing::debug!("old catalogue {path:?} stays: {error}"),
    }
}

/// The bytes behind a first line that fits them; anything else is [`ErrorKind::InvalidData`].
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let damaged = |what: &str| io::Error::new(ErrorKind::InvalidData, what.to_owned());
    let limit = HEAD_BYTES + MAX_BYTES;
    let mut bytes = Vec::new();
    File::open(path)?.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(damaged("too long"));
    }
    if bytes.len() < HEAD_BYTES {
        return Err(damaged("cut off"));
    }
    let payload = bytes.split_off(HEAD_BYTES);
    if bytes != format!("{HEAD}{}\n", hex_sha256(&payload)).as_bytes() {
        return Err(damaged("damaged or of another version"));
    }
    Ok(payload)
}

/// Keeps a catalogue that is read from being pruned. Failing is harmless: it is listed anew one day.
fn mark_read(path: &Path) {
    let mark = || {
        let now = SystemTime::now();
        let touched = fs::metadata(path)?.modified()?;
        if now.duration_since(touched).is_ok_and(|age| age > MARK_EVERY) {
            OpenOptions::new().write(true).open(path)?.set_modified(now)?;
        }
        io::Result::Ok(())
    };
    if let Err(error) = mark() {
        tracing::debug!("catalogue {path:?} cannot be marked as read: {error}");
    }
}

fn create_private(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

#[cfg(test)]
mod tests;
