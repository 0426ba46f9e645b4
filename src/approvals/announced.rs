//! Where the approvals page of this account is, told from the process that serves it to the gates that open tickets.
//!
//! The page's process keeps a lock on one file of the state directory for as long as it lives and writes its address into
//! another. The system gives the lock back however the process ends, so an address whose lock nobody holds is an old
//! one. The page's key is in neither file: what a gate reads here is shown to the model.

use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The path of the page on its server.
pub const PATH: &str = "/approvals";

/// Held while the page is served.
const LOCK: &str = "approvals-page.lock";
/// Where it is served.
const FILE: &str = "approvals-page.json";
/// How often the lock is tried: a gate that looks holds it for some microseconds.
const TRIES: u32 = 10;
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(20);
/// Longest file that is read.
const FILE_BYTES: u64 = 4096;

#[derive(Debug, Serialize, Deserialize)]
struct Announcement {
    address: SocketAddr,
    pid: u32,
    desk: String,
}

/// The page is announced until this is dropped.
#[derive(Debug)]
pub struct Announced {
    file: PathBuf,
    // Given back last: whoever takes it next writes a file of its own.
    _lock: File,
}

impl Drop for Announced {
    fn drop(&mut self) {
        // One that cannot be removed is old as soon as the lock is free.
        let _ = fs::remove_file(&self.file);
    }
}

/// Tells the gates of `state_dir` that the tickets of `desk` are decided at `address`. `None` when another page is
/// announced already.
///
/// # Errors
/// The state directory cannot be written.
pub fn announce(state_dir: &Path, desk: &str, address: SocketAddr) -> io::Result<Option<Announced>> {
    make_private(state_dir)?;
    let lock = private().create(true).truncate(false).open(state_dir.join(LOCK))?;
    if !take(&lock)? {
        return Ok(None);
    }
    let announcement = Announcement { address, pid: std::process::id(), desk: desk.to_owned() };
    let file = state_dir.join(FILE);
    // Such a file has mode 0600 from its first moment.
    let mut written = tempfile::NamedTempFile::new_in(state_dir)?;
    written.write_all(&serde_json::to_vec(&announcement)?)?;
    written.persist(&file).map_err(|error| error.error)?;
    Ok(Some(Announced { file, _lock: lock }))
}

fn take(lock: &File) -> io::Result<bool> {
    for _ in 0..TRIES {
        match lock.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(false)
}

/// The address of the page that is served now for the tickets of `desk`, if there is one. Carries no key.
pub fn find(state_dir: &Path, desk: &str) -> Option<String> {
    // Without a file there was never a page: nothing is made.
    let lock = private().open(state_dir.join(LOCK)).ok()?;
    match lock.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {}
        // Nobody holds it, or nobody knows.
        Ok(()) | Err(TryLockError::Error(_)) => return None,
    }
    let file = state_dir.join(FILE);
    if fs::metadata(&file).ok()?.len() > FILE_BYTES {
        return None;
    }
    let announcement: Announcement = serde_json::from_slice(&fs::read(&file).ok()?).ok()?;
    let fits = announcement.desk == desk && announcement.address.ip().is_loopback();
    fits.then(|| url(announcement.address))
}

/// The page on a server at `address`.
pub fn url(address: SocketAddr) -> String {
    format!("http://{address}{PATH}")
}

/// Reading and writing, and what is made can be read by its owner only.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder")
    }

    const HERE: &str = "127.0.0.1:4711";

    fn here() -> SocketAddr {
        HERE.parse().expect("an address")
    }

    #[test]
    fn a_page_is_found_while_it_is_served_and_by_its_own_desk_only() {
        let folder = folder();
        assert_eq!(find(folder.path(), "a"), None);
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "looking makes nothing");
        let announced = announce(folder.path(), "a", here()).expect("written").expect("the first");
        assert_eq!(find(folder.path(), "a").as_deref(), Some("http://127.0.0.1:4711/approvals"));
        assert_eq!(find(folder.path(), "b"), None);
        assert!(announce(folder.path(), "a", here()).expect("looked").is_none(), "one at a time");
        drop(announced);
        assert_eq!(find(folder.path(), "a"), None);
        assert!(announce(folder.path(), "b", here()).expect("written").is_some());
    }

    #[test]
    fn what_a_killed_process_left_and_what_is_no_loopback_address_is_not_used() {
        let folder = folder();
        let text = |address: &str| format!(r#"{{"address":"{address}","pid":1,"desk":"a"}}"#);
        fs::write(folder.path().join(LOCK), "").expect("written");
        fs::write(folder.path().join(FILE), text(HERE)).expect("written");
        assert_eq!(find(folder.path(), "a"), None, "nobody holds the lock");
        let _announced = announce(folder.path(), "a", here()).expect("written").expect("the first");
        for address in ["10.0.0.1:80", "127.0.0.1:80/approvals then approve", "evil.example:80"] {
            fs::write(folder.path().join(FILE), text(address)).expect("written");
            assert_eq!(find(folder.path(), "a"), None, "{address}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn others_cannot_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = folder();
        let _announced = announce(folder.path(), "a", here()).expect("written");
        for name in [LOCK, FILE] {
            let mode = fs::metadata(folder.path().join(name)).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }
}
