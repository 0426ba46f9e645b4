//! A call that was under way when its process died has one row, whoever starts next and however often.

use super::super::tests::{ending, options};
use super::super::{Journal, evidence::Evidence, place::Place, recover};
use super::*;
use callgate_actors::call::Call;
use callgate_actors::ports::{Ending, Outcome, Record};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;

struct Audit {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

fn place() -> Audit {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    Audit { _dir: dir, path }
}

fn numbered(number: u64, outcome: Outcome) -> Ending {
    let ending = ending("t");
    Ending { call: Arc::new(Call { number, ..(*ending.call).clone() }), outcome, ..ending }
}

fn open(path: &Path) -> Journal {
    Journal::with_log(options(path), None)
}

fn intents(journal: &mut Journal, numbers: std::ops::Range<u64>) {
    for number in numbers {
        journal.intents(&[numbered(number, Outcome::Unknown)]).unwrap();
    }
}

fn rows(journal: &mut Journal, numbers: std::ops::Range<u64>) {
    let endings: Vec<_> = numbers.map(|number| numbered(number, Outcome::Ok)).collect();
    journal.endings(&endings).unwrap();
}

fn recovered(path: &Path) -> usize {
    recover(&options(path), &Place::of(path)).unwrap()
}

fn outcomes(path: &Path) -> Vec<String> {
    let evidence = Evidence::open(&[path.to_owned()], None).unwrap();
    let report = evidence.verify(None, None).unwrap();
    assert_eq!(report.finding, None);
    let mut outcomes = Vec::new();
    for (path, _) in evidence.into_files() {
        for line in fs::read_to_string(path).unwrap().lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            let number = row["call_id"].as_str().unwrap().split('-').nth(1).unwrap().to_owned();
            outcomes.push(format!("{number} {}", row["outcome"].as_str().unwrap()));
        }
    }
    outcomes
}

fn wal_files(path: &Path) -> Vec<PathBuf> {
    intents::files_in(&Place::of(path).intents()).0
}

#[test]
fn only_calls_without_a_row_get_one_and_only_once() {
    let at = place();
    let mut journal = open(&at.path);
    intents(&mut journal, 1..4);
    rows(&mut journal, 2..3);
    assert_eq!(recovered(&at.path), 0, "its process lives");
    drop(journal);
    assert_eq!(recovered(&at.path), 2);
    assert_eq!(outcomes(&at.path), ["2 ok", "1 unknown", "3 unknown"]);
    assert!(wal_files(&at.path).is_empty());
    assert_eq!(recovered(&at.path), 0);
}

#[test]
fn a_recovery_that_was_cut_off_itself_writes_no_row_twice() {
    let at = place();
    let mut journal = open(&at.path);
    intents(&mut journal, 1..3);
    let wal = wal_files(&at.path).pop().unwrap();
    let text = fs::read(&wal).unwrap();
    drop(journal);
    assert_eq!(recovered(&at.path), 2);
    // As if it had died before it removed the file, its last line torn.
    fs::write(&wal, [&text[..], b"{\"number\":9,\"beh"].concat()).unwrap();
    assert_eq!(recovered(&at.path), 0);
    assert_eq!(outcomes(&at.path), ["1 unknown", "2 unknown"]);
}

#[test]
fn several_that_start_at_once_write_one_row_each_while_another_works() {
    let at = place();
    for _ in 0..3 {
        intents(&mut open(&at.path), 1..5);
    }
    let mut busy = open(&at.path);
    intents(&mut busy, 100..101);
    let sum: usize = std::thread::scope(|scope| {
        let all: Vec<_> = (0..6).map(|_| scope.spawn(|| recovered(&at.path))).collect();
        rows(&mut busy, 100..101);
        all.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!(sum, 12);
    let outcomes = outcomes(&at.path);
    assert_eq!(outcomes.iter().filter(|it| it.ends_with("unknown")).count(), 12);
    assert_eq!(outcomes.iter().filter(|it| *it == "100 ok").count(), 1);
    assert_eq!(wal_files(&at.path).len(), 1);
}

#[test]
fn rows_in_earlier_files_count() {
    let at = place();
    let mut journal = open(&at.path);
    intents(&mut journal, 1..3);
    rows(&mut journal, 1..2);
    fs::rename(&at.path, at.path.with_extension("jsonl.1")).unwrap();
    rows(&mut journal, 7..8);
    drop(journal);
    assert_eq!(recovered(&at.path), 1);
    assert_eq!(outcomes(&at.path), ["1 ok", "7 ok", "2 unknown"]);
}

#[test]
fn a_long_file_of_intents_is_made_anew_with_the_open_calls() {
    let at = place();
    let mut journal = open(&at.path);
    intents(&mut journal, 0..1);
    for number in 1..2_500 {
        intents(&mut journal, number..number + 1);
        rows(&mut journal, number..number + 1);
    }
    let files = wal_files(&at.path);
    assert_eq!(files.len(), 1);
    assert!(fs::metadata(&files[0]).unwrap().len() < 1_200_000);
    drop(journal);
    assert_eq!(recovered(&at.path), 1);
    assert_eq!(outcomes(&at.path).last().unwrap(), "0 unknown");
}

#[test]
fn a_process_that_ends_in_order_leaves_nothing_behind() {
    let at = place();
    let mut journal = open(&at.path);
    intents(&mut journal, 1..2);
    rows(&mut journal, 1..2);
    journal.close().unwrap();
    assert!(wal_files(&at.path).is_empty());
    let mut journal = open(&at.path);
    intents(&mut journal, 1..2);
    journal.close().unwrap();
    drop(journal);
    assert_eq!(recovered(&at.path), 1, "a call that never ended is not forgotten");
}

#[test]
fn a_writer_that_is_replaced_goes_on_with_its_calls() {
    let at = place();
    let mut journal = open(&at.path);
    let mut successor = journal.clone();
    intents(&mut journal, 1..2);
    drop(journal);
    assert_eq!(recovered(&at.path), 0);
    rows(&mut successor, 1..2);
    drop(successor);
    assert_eq!(recovered(&at.path), 0);
    assert_eq!(outcomes(&at.path), ["1 ok"]);
}
