//! Follows Rego rules: changed files become the set that decides, broken or deleted ones leave the last good set and are
//! told once. As with the policy file they are looked at once a second.

use super::{RegoPath, RegoSet};
use crate::fault::Fault;
use crate::policy::authority::Authority;
use crate::policy::rego::files::{self, Text};
use crate::policy::rules::watch::{EVERY, Stamp};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::SystemTime;

/// What a look gave.
#[derive(Debug)]
enum Seen {
    /// As it was.
    Same,
    /// Other rules, which are right.
    Good(Box<RegoSet>),
    /// Something that cannot be used, or is not there.
    Bad(Vec<Fault>),
}

/// What is known of the files.
struct Watch {
    path: RegoPath,
    stamps: Vec<(PathBuf, Stamp)>,
    /// Of what was last read; empty when it could not be.
    digest: String,
}

impl Watch {
    /// Looks once. A set of files of which one was changed while they were read is read again the next time: its stamp is
    /// recent then.
    fn look(&mut self, now: SystemTime) -> Seen {
        let stamps = match self.stamps() {
            Ok(stamps) => stamps,
            Err(fault) => return self.lost(vec![fault]),
        };
        if stamps == self.stamps && !stamps.iter().any(|(_, stamp)| stamp.is_recent(now)) {
            return Seen::Same;
        }
        let texts: Vec<Text> = match self.path.read() {
            Ok(texts) => texts,
            Err(faults) => return self.lost(faults),
        };
        self.stamps = stamps;
        let digest = files::digest(&texts);
        if digest == self.digest {
            return Seen::Same;
        }
        self.digest = digest;
        match RegoSet::compile(&texts) {
            Ok(set) => Seen::Good(Box::new(set)),
            Err(faults) => Seen::Bad(faults),
        }
    }

    fn stamps(&self) -> Result<Vec<(PathBuf, Stamp)>, Fault> {
        let stamp = |path: PathBuf| Some((path.clone(), Stamp::of(&std::fs::metadata(&path).ok()?)));
        Ok(self.path.files()?.into_iter().filter_map(stamp).collect())
    }

    /// Told once, until the files can be read again.
    fn lost(&mut self, faults: Vec<Fault>) -> Seen {
        self.stamps.clear();
        if std::mem::take(&mut self.digest).is_empty() { Seen::Same } else { Seen::Bad(faults) }
    }
}

/// Follows the files on a thread of its own for as long as there is an authority.
///
/// # Errors
/// When the system gives no thread.
pub fn follow(path: RegoPath, authority: &Arc<Authority>) -> io::Result<()> {
    let digest = authority.last_good().parts().rego().map_or("", |set| set.digest()).to_owned();
    let authority = Arc::downgrade(authority);
    let mut watch = Watch { path, stamps: Vec::new(), digest };
    std::thread::Builder::new().name("policy-rego".into()).spawn(move || {
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
        Seen::Good(set) => take(&watch.path, Arc::new(*set), &authority),
        Seen::Bad(faults) => keep(&watch.path, &faults),
    }
    true
}

fn take(path: &RegoPath, set: Arc<RegoSet>, authority: &Authority) {
    let (files, rules) = (set.files().len(), set.rules());
    for note in set.notes() {
        tracing::warn!("Rego rules: {note}");
    }
    let changed = authority.update(|parts| {
        parts.set_rego(Some(set));
    });
    match changed {
        Ok(()) => {
            let version = authority.last_good().version().to_owned();
            let path = path.path.display();
            tracing::info!(%path, "Rego rules reloaded: {rules} rules in {files} files, version {version}");
        }
        Err(error) => keep(path, &[Fault::settings(path.path.to_string_lossy(), error.to_string(), "")]),
    }
}

fn keep(path: &RegoPath, faults: &[Fault]) {
    for fault in faults {
        tracing::error!("{fault}");
    }
    tracing::error!(path = %path.path.display(), "Rego rules not taken: the last good rules stay in force");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const DENY: &str =
        "package aaf.policy\nimport rego.v1\ndeny contains \"no\" if input.action.tool == \"x\"\n";

    fn later() -> SystemTime {
        SystemTime::now() + Duration::from_secs(60)
    }

    #[test]
    fn files_that_come_change_and_go_are_seen_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = RegoPath { path: folder.path().to_owned() };
        let mut watch = Watch { path, stamps: Vec::new(), digest: "of the start".into() };
        assert!(matches!(watch.look(later()), Seen::Bad(_)), "an empty folder");
        assert!(matches!(watch.look(later()), Seen::Same), "told");
        std::fs::write(folder.path().join("a.rego"), DENY).expect("written");
        let Seen::Good(set) = watch.look(later()) else { panic!("good") };
        assert_eq!(set.files().len(), 1);
        assert!(matches!(watch.look(later()), Seen::Same));
        std::fs::create_dir(folder.path().join("more")).expect("made");
        std::fs::write(folder.path().join("more/b.rego"), DENY.replace("no", "nor")).expect("written");
        let Seen::Good(set) = watch.look(later()) else { panic!("good") };
        assert_eq!(set.files().len(), 2);
        std::fs::write(folder.path().join("a.rego"), "package aaf.policy\ndeny {").expect("written");
        let Seen::Bad(faults) = watch.look(later()) else { panic!("bad") };
        assert!(faults[0].to_string().contains("a.rego:2"), "{faults:?}");
        assert!(matches!(watch.look(later()), Seen::Same));
        std::fs::remove_file(folder.path().join("a.rego")).expect("removed");
        assert!(matches!(watch.look(later()), Seen::Good(_)), "the other one is right");
    }
}
