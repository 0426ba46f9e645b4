//! A power cut: what was synced is there, of the rest anything. Each file is as old or as new as the disk pleases, cut
//! anywhere, with zeros where its text should be. The next start loses no row that was promised to last, tells what it
//! found, and the chain goes on.

use super::tests::{ending, options};
use super::{Journal, JournalOptions, Sync, evidence::Evidence, place::Place, recover};
use callgate_actors::call::Call;
use callgate_actors::ports::{Ending, Outcome, Record};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Rows that were waited for on the disk.
const LASTING: u64 = 3;
/// Calls that were under way and rows that nobody waited for yet when the power went.
const LATER: u64 = 2;
/// Between two places where the audit file ends; beside these it ends at every row.
const STEP: usize = 37;

fn always(path: &Path) -> JournalOptions {
    JournalOptions { sync: Sync::Always, ..options(path) }
}

fn numbered(number: u64, outcome: Outcome) -> Ending {
    let ending = ending("t");
    Ending { call: Arc::new(Call { number, ..(*ending.call).clone() }), outcome, ..ending }
}

/// The files of a record at one moment.
#[derive(Clone)]
struct Files {
    audit: Vec<u8>,
    head: Vec<u8>,
    intents: Vec<u8>,
}

impl Files {
    fn of(path: &Path) -> Self {
        let place = Place::of(path);
        let intents = fs::read_dir(place.intents()).unwrap().flatten().next().unwrap().path();
        Self {
            audit: fs::read(path).unwrap(),
            head: fs::read(place.head()).unwrap(),
            intents: fs::read(intents).unwrap(),
        }
    }

    fn lay(&self, path: &Path) {
        let place = Place::of(path);
        fs::create_dir_all(place.intents()).unwrap();
        fs::write(path, &self.audit).unwrap();
        fs::write(place.head(), &self.head).unwrap();
        fs::write(place.intents().join("0123456789abcdef-1.wal"), &self.intents).unwrap();
    }
}

/// The record when the disk had everything last, and when the power went.
fn before_and_after() -> (Files, Files) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    let mut journal = Journal::with_log(always(&path), None);
    let both = 1..=LASTING;
    for number in both {
        journal.intents(&[numbered(number, Outcome::Unknown)]).unwrap();
        journal.endings(&[numbered(number, Outcome::Ok)]).unwrap();
    }
    journal.flush().expect("something to sync")().unwrap();
    let synced = Files::of(&path);
    for number in LASTING + 1..=LASTING + LATER {
        journal.intents(&[numbered(number, Outcome::Unknown)]).unwrap();
        journal.endings(&[numbered(number, Outcome::Ok)]).unwrap();
    }
    (synced, Files::of(&path))
}

fn tails(synced: &[u8], written: &[u8]) -> Vec<Vec<u8>> {
    let rows = (0..written.len()).filter(|at| written[*at] == b'\n').flat_map(|at| [at, at + 1]);
    let mut ends: Vec<usize> = (synced.len()..=written.len()).step_by(STEP).chain(rows).collect();
    ends.retain(|end| *end >= synced.len());
    ends.sort_unstable();
    ends.dedup();
    let zeroed = |end: &usize| [&written[..*end], &vec![0; written.len() - end]].concat();
    ends.iter().flat_map(|end| [written[..*end].to_vec(), zeroed(end)]).collect()
}

#[test]
fn what_was_synced_outlives_a_power_cut_and_the_chain_goes_on() {
    let (synced, written) = before_and_after();
    let mut tried = 0;
    for audit in tails(&synced.audit, &written.audit) {
        for head in [&synced.head, &written.head, &Vec::new(), &vec![0; synced.head.len()]] {
            for intents in [&synced.intents, &written.intents, &vec![0; written.intents.len()]] {
                check(&Files { audit: audit.clone(), head: head.clone(), intents: intents.clone() });
                tried += 1;
            }
        }
    }
    assert!(tried > 500, "{tried}");
}

fn check(left: &Files) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    left.lay(&path);
    let what = || {
        let Files { audit, head, intents } = left;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        format!("{}\n{}\n{}", text(audit), text(head), text(intents))
    };
    recover(&always(&path), &Place::of(&path)).unwrap();
    let mut journal = Journal::with_log(always(&path), None);
    journal.endings(&[numbered(99, Outcome::Ok)]).unwrap();
    journal.close().unwrap();

    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{error}: {}", what()));
    let rows: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}: {}", what())))
        .collect();
    assert!(text.as_bytes().starts_with(&left.audit[..lasting(&left.audit)]), "{}", what());
    assert_eq!(rows.last().unwrap()["outcome"], "ok");
    let mut ids: Vec<&str> = rows.iter().filter_map(|row| row["call_id"].as_str()).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "a call has two rows: {}", what());

    // Rows that only the head file remembers are a gap that is told; nothing else is wrong.
    let report = Evidence::open(std::slice::from_ref(&path), None).unwrap().verify(None, None).unwrap();
    if let Some(finding) = report.finding {
        let whole = left.audit.iter().filter(|byte| **byte == b'\n').count();
        let seq: Option<u64> =
            serde_json::from_slice::<Value>(&left.head).ok().and_then(|head| head["seq"].as_u64());
        assert!(seq.is_some_and(|seq| seq > whole as u64), "{finding}: {}", what());
    }
}

/// Length of the rows that were waited for.
fn lasting(audit: &[u8]) -> usize {
    let ends = audit.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    ends.map(|(at, _)| at + 1).nth(LASTING as usize - 1).unwrap_or_default()
}
