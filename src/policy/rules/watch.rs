//! Follows the policy file: a changed file becomes the set that decides, a broken or deleted one leaves the last good
//! set and is told once.
//!
//! The file is looked at once a second. Editors write in place, or put another file where it was; either shows in its
//! times, its length or its identity, which notices of the file system miss on network drives and in containers.

use super::file::{self, PolicyFile};
use crate::fault::Fault;
use crate::policy::authority::Authority;
use sha2::{Digest, Sha256};
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

/// How often the file is looked at.
pub(in crate::policy) const EVERY: Duration = Duration::from_secs(1);
/// A file that was changed so lately may be changed again without its time showing it.
const RECENT: Duration = Duration::from_secs(3);

/// Where the policy file lies and how it is read.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The file; absolute.
    pub path: PathBuf,
    /// What `~` means in it.
    pub home: Option<String>,
}

/// What a look at the file gave.
#[derive(Debug)]
enum Seen {
    /// As it was.
    Same,
    /// It holds other rules, which are right.
    Good(Box<PolicyFile>),
    /// It holds something that cannot be used, or is not there.
    Bad(Vec<Fault>),
}

/// What is known of the file.
struct Watch {
    file: Watched,
    stamp: Option<Stamp>,
    /// Of what was last read; `None` when it could not be.
    digest: Option<[u8; 32]>,
}

/// What shows that a file has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::policy) struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    identity: (u64, u64),
}

impl Stamp {
    pub(in crate::policy) fn of(metadata: &Metadata) -> Self {
        Self { modified: metadata.modified().ok(), length: metadata.len(), identity: identity(metadata) }
    }

    pub(in crate::policy) fn is_recent(&self, now: SystemTime) -> bool {
        self.modified.is_none_or(|time| now.duration_since(time).is_ok_and(|age| age < RECENT))
    }
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn identity(metadata: &Metadata) -> (u64, u64) {
    let created = metadata.created().ok().and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    (0, created.map_or(0, |age| u64::try_from(age.as_nanos()).unwrap_or(0)))
}

impl Watched {
    /// Reads the file now.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn read(&self) -> Result<PolicyFile, Vec<Fault>> {
        let bytes = crate::settings::read_file(&self.path).map_err(|error| vec![self.unreadable(&error)])?;
        self.parse(bytes)
    }

    fn parse(&self, bytes: Vec<u8>) -> Result<PolicyFile, Vec<Fault>> {
        let place = self.path.to_string_lossy();
        let text = String::from_utf8(bytes)
            .map_err(|_| vec![Fault::settings(place.as_ref(), "is not UTF-8", "save it as UTF-8")])?;
        file::parse(&text, &place, self.home.as_deref())
    }

    fn unreadable(&self, error: &io::Error) -> Fault {
        let hint = "put it back, or correct its permissions";
        Fault::settings(self.path.to_string_lossy(), format!("cannot be read: {error}"), hint)
    }
}

impl Watch {
    fn new(file: Watched) -> Self {
        Self { file, stamp: None, digest: None }
    }

    /// Looks once.
    fn look(&mut self, now: SystemTime) -> Seen {
        let stamp = match std::fs::metadata(&self.file.path) {
            Ok(metadata) => Stamp::of(&metadata),
            Err(error) => return self.lost(&error),
        };
        if self.stamp.as_ref() == Some(&stamp) && !stamp.is_recent(now) {
            return Seen::Same;
        }
        let bytes = match crate::settings::read_file(&self.file.path) {
            Ok(bytes) => bytes,
            Err(error) => return self.lost(&error),
        };
        self.stamp = Some(stamp);
        let digest: [u8; 32] = Sha256::digest(&bytes).into();
        if self.digest.replace(digest) == Some(digest) {
            return Seen::Same;
        }
        match self.file.parse(bytes) {
            Ok(file) => Seen::Good(Box::new(file)),
            Err(faults) => Seen::Bad(faults),
        }
    }

    /// Told once, until the file can be read again.
    fn lost(&mut self, error: &io::Error) -> Seen {
        self.stamp = None;
        match self.digest.take() {
            None => Seen::Same,
            Some(_) => Seen::Bad(vec![self.file.unreadable(error)]),
        }
    }
}

/// Follows the file on a thread of its own for as long as there is an authority.
///
/// # Errors
/// When the system gives no thread.
pub fn follow(file: Watched, authority: &Arc<Authority>) -> io::Result<()> {
    let authority = Arc::downgrade(authority);
    // What was read at the start is read once more: it may have been changed since.
    let mut watch = Watch::new(file);
    std::thread::Builder::new().name("policy-file".into()).spawn(move || {
        while step(&mut watch, &authority) {
            std::thread::sleep(EVERY);
        }
    })?;
    Ok(())
}

/// One look; `false` when there is nobody left to tell.
fn step(watch: &mut Watch, authority: &Weak<Authority>) -> bool {
    let Some(authority) = authority.upgrade() else { return false };
    match watch.look(SystemTime::now()) {
        Seen::Same => {}
        Seen::Good(file) => take(&watch.file.path, *file, &authority),
        Seen::Bad(faults) => keep(&watch.file.path, &faults),
    }
    true
}

fn take(path: &Path, file: PolicyFile, authority: &Authority) {
    let unchanged = {
        let current = authority.current();
        current.rules().source() == file.rules.source()
    };
    if unchanged {
        return;
    }
    let rules = file.rules.enabled();
    let changed = authority.update(move |parts| {
        parts.set_file(file.rules, file.overrides);
    });
    match changed {
        Ok(()) => {
            let version = authority.current().version().to_owned();
            tracing::info!(path = %path.display(), "policy file reloaded: {rules} rules, version {version}");
        }
        Err(error) => keep(path, &[Fault::settings(path.to_string_lossy(), error.to_string(), "")]),
    }
}

fn keep(path: &Path, faults: &[Fault]) {
    for fault in faults {
        tracing::error!("{fault}");
    }
    tracing::error!(path = %path.display(), "policy file not taken: the last good rules stay in force");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::authority::PolicySet;
    use crate::policy::posture::Posture;

    const ONE: &str = r#"{"rules":[{"id":"a","action":"block","when":{"tool":"x"}}]}"#;
    const TWO: &str = r#"{"rules":[{"id":"b","action":"block","when":{"tool":"x"}}]}"#;

    fn watch(folder: &Path) -> Watch {
        Watch::new(Watched { path: folder.join("policy.json"), home: None })
    }

    fn later() -> SystemTime {
        SystemTime::now() + RECENT * 2
    }

    #[test]
    fn every_way_of_replacing_is_seen_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("policy.json");
        let mut watch = watch(folder.path());
        std::fs::write(&path, ONE).expect("written");
        assert!(matches!(watch.look(later()), Seen::Good(_)));
        assert!(matches!(watch.look(later()), Seen::Same));
        // In place, with the same length and within the same tick of the clock.
        std::fs::write(&path, TWO).expect("written");
        assert!(matches!(watch.look(SystemTime::now()), Seen::Good(_)));
        // Another file put in its place.
        let beside = folder.path().join("policy.json~");
        std::fs::write(&beside, ONE).expect("written");
        std::fs::rename(&beside, &path).expect("renamed");
        assert!(matches!(watch.look(later()), Seen::Good(_)));
        // Only touched.
        std::fs::write(&path, ONE).expect("written");
        assert!(matches!(watch.look(SystemTime::now()), Seen::Same));
    }

    #[test]
    fn a_broken_and_a_lost_file_are_told_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("policy.json");
        let mut watch = watch(folder.path());
        assert!(matches!(watch.look(later()), Seen::Same), "never there, never lost");
        std::fs::write(&path, "{").expect("written");
        assert!(matches!(watch.look(later()), Seen::Bad(_)));
        assert!(matches!(watch.look(SystemTime::now()), Seen::Same));
        std::fs::remove_file(&path).expect("removed");
        let Seen::Bad(faults) = watch.look(later()) else { panic!("lost") };
        assert!(faults[0].to_string().contains("cannot be read"), "{faults:?}");
        assert!(matches!(watch.look(later()), Seen::Same));
        std::fs::write(&path, ONE).expect("written");
        assert!(matches!(watch.look(later()), Seen::Good(_)), "back again");
    }

    #[test]
    fn what_is_taken_decides_and_what_is_broken_does_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut watch = watch(folder.path());
        let set = PolicySet::shipped(Posture::default()).expect("sound");
        let authority = Arc::new(Authority::new(set));
        let weak = Arc::downgrade(&authority);
        std::fs::write(&watch.file.path, ONE).expect("written");
        assert!(step(&mut watch, &weak));
        let first = authority.current();
        assert_eq!(first.rules().rules()[0].id, "a");
        std::fs::write(&watch.file.path, "[]").expect("written");
        assert!(step(&mut watch, &weak));
        assert_eq!(authority.current().version(), first.version());
        drop(authority);
        assert!(!step(&mut watch, &weak), "nobody is left");
    }
}
