//! Processes as `/proc` shows them: who descends from whom, and who carries a test's mark in its environment.

use std::collections::BTreeMap;
use std::path::Path;

/// The variable that every backend of a test carries, and that its own children inherit.
pub(crate) const MARK: &str = "STUB_MARK";

/// One process. The start time keeps a reused pid apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Process {
    /// The pid.
    pub(crate) pid: u32,
    parent: u32,
    started: u64,
    /// Its name.
    pub(crate) command: String,
}

impl Process {
    /// Whether this very process still runs (a zombie does not).
    pub(crate) fn is_alive(&self) -> bool {
        read(self.pid).is_some_and(|now| now.started == self.started)
    }

    /// Sends a signal by name, `KILL` or `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        if self.is_alive() {
            signal(self.pid, name);
        }
    }
}

/// Sends a signal by name to one process.
pub(crate) fn signal(pid: u32, name: &str) {
    let _ = std::process::Command::new("kill").args([format!("-{name}"), pid.to_string()]).status();
}

/// The process and all its descendants, without zombies.
pub(crate) fn tree(root: u32) -> Vec<Process> {
    let all: BTreeMap<u32, Process> = all().into_iter().map(|process| (process.pid, process)).collect();
    let descends = |process: &Process| {
        let mut at = process;
        loop {
            if at.pid == root {
                return true;
            }
            match all.get(&at.parent) {
                Some(parent) if parent.pid != at.pid => at = parent,
                _ => return false,
            }
        }
    };
    all.values().filter(|process| descends(process)).cloned().collect()
}

/// All living processes that carry this mark, wherever they hang in the tree.
pub(crate) fn marked(mark: &str) -> Vec<Process> {
    let wanted = format!("{MARK}={mark}").into_bytes();
    let carries = |process: &Process| {
        let environment = std::fs::read(format!("/proc/{}/environ", process.pid)).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == wanted)
    };
    all().into_iter().filter(carries).collect()
}

fn all() -> Vec<Process> {
    let entries = std::fs::read_dir(Path::new("/proc")).expect("these tests need /proc");
    entries.flatten().filter_map(|entry| read(entry.file_name().to_str()?.parse().ok()?)).collect()
}

fn read(pid: u32) -> Option<Process> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command may hold spaces and parentheses; everything after the last `)` is regular.
    let (head, tail) = stat.rsplit_once(')')?;
    let command = head.split_once('(')?.1.to_owned();
    let fields: Vec<&str> = tail.split_ascii_whitespace().collect();
    if matches!(*fields.first()?, "Z" | "X") {
        return None;
    }
    Some(Process {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
        command,
    })
}
