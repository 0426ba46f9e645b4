//! The rows of one file, and several threads and processes on it.

use super::*;
use crate::store::MatchedRow;
use crate::store::samples::{ended, override_of, policy, soon, ticket, yes};
use jiff::{Timestamp, ToSpan};
use serde_json::json;
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use tempfile::TempDir;

fn store() -> (TempDir, SqliteStore) {
    let dir = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(dir.path()).expect("opened");
    (dir, store)
}

#[test]
fn the_promises_of_a_store_hold() {
    let (_dir, store) = store();
    crate::store::promises::hold(&store);
}

#[cfg(unix)]
#[test]
fn only_this_user_can_read_any_of_its_files() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a folder");
    let state = dir.path().join("a/state");
    let store = SqliteStore::open(&state).expect("opened");
    store.open_ticket(&ticket("t", "d")).expect("opened");
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&state), 0o700);
    let files: Vec<_> =
        std::fs::read_dir(&state).expect("read").map(|entry| entry.expect("read").path()).collect();
    assert!(files.len() >= 2, "a write-ahead log stands beside the file: {files:?}");
    assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    let (dir, store) = store();
    store.open_ticket(&ticket("t", "d")).expect("opened");
    store.create_policy(&policy("t", "own")).expect("made");
    drop(store);
    let store = SqliteStore::open(dir.path()).expect("opened again");
    assert_eq!(store.policies("t").expect("read").len(), 1);
    assert_eq!(store.tickets("t", &TicketFilter::default()).expect("read").1, 1);
}

#[test]
fn a_file_of_a_newer_program_is_refused_and_told() {
    let (dir, store) = store();
    store.read(|connection| Ok(connection.pragma_update(None, "user_version", 77)?)).expect("set");
    let error = SqliteStore::open(dir.path()).expect_err("newer").to_string();
    assert!(error.contains("version 77") && error.contains("use the newer program"), "{error}");
}

#[test]
fn a_file_that_is_no_database_is_refused_and_told() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join(FILE), vec![b'x'; 4096]).expect("written");
    let error = SqliteStore::open(dir.path()).expect_err("no database").to_string();
    assert!(error.contains("callgate.db") && error.contains("move the file away"), "{error}");
}

#[test]
fn many_open_a_new_file_at_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let begin = Barrier::new(8);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    begin.wait();
                    SqliteStore::open(dir.path()).map(|store| store.policies("t").map(|rows| rows.len()))
                })
            })
            .collect();
        for one in all {
            assert_eq!(one.join().expect("no panic").expect("opened"), Ok(0));
        }
    });
}

#[test]
fn one_of_many_threads_with_files_of_their_own_consumes_and_one_ticket_is_opened() {
    let (dir, _store) = store();
    let stores: Vec<_> = (0..6).map(|_| SqliteStore::open(dir.path()).expect("opened")).collect();
    for round in 0..10 {
        let digest = format!("digest {round}");
        let begin = Barrier::new(stores.len());
        let consumed = std::thread::scope(|scope| {
            let all: Vec<_> = stores
                .iter()
                .map(|store| {
                    scope.spawn(|| {
                        begin.wait();
                        let stands = store.open_ticket(&ticket("t", &digest)).expect("opened");
                        // All but one come too late to decide; that is part of the race.
                        let _ = store.decide_ticket("t", &stands.request_id, &yes());
                        begin.wait();
                        let used = store.consume_ticket("t", &stands.request_id, &digest, "v1");
                        (stands.request_id, used.expect("asked"))
                    })
                })
                .collect();
            all.into_iter().map(|one| one.join().expect("no panic")).collect::<Vec<_>>()
        });
        assert!(consumed.iter().all(|(id, _)| *id == consumed[0].0), "one ticket for one call");
        assert_eq!(consumed.iter().filter(|(_, used)| *used).count(), 1);
    }
}

const CHILD_DIR: &str = "CALLGATE_TEST_STORE_DIR";
/// What the child says when it has the grant; it says nothing when it has not.
const HAS_IT: &str = "consumed";

/// Not a test by itself: a process of the test below. Consumes the one ticket of the file, or finds it consumed.
#[test]
#[ignore = "started by another test"]
fn child_that_consumes() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let store = SqliteStore::open(Path::new(&dir)).expect("opened");
    let (tickets, _) =
        store.tickets("t", &TicketFilter { limit: 1, ..TicketFilter::default() }).expect("read");
    if store.consume_ticket("t", &tickets[0].request_id, "d", "v1").expect("asked") {
        std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(Path::new(&dir).join(HAS_IT))
            .and_then(|mut file| std::io::Write::write_all(&mut file, b"x"))
            .expect("written");
    }
}

fn child(dir: &Path) -> Child {
    Command::new(std::env::current_exe().expect("named"))
        .args(["--exact", "store::sqlite::tests::child_that_consumes", "--ignored", "--quiet"])
        .env(CHILD_DIR, dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("started")
}

fn approved(store: &SqliteStore) -> String {
    let stands = store.open_ticket(&ticket("t", "d")).expect("opened");
    store.decide_ticket("t", &stands.request_id, &yes()).expect("decided").request_id
}

#[test]
fn one_of_many_processes_consumes() {
    let (dir, store) = store();
    approved(&store);
    let mut all: Vec<Child> = (0..5).map(|_| child(dir.path())).collect();
    for one in &mut all {
        assert!(one.wait().expect("ended").success());
    }
    assert_eq!(std::fs::read(dir.path().join(HAS_IT)).expect("one has it"), b"x");
}

/// Whatever moment the kill hits: at most one process has the grant, and the file is sound and says who.
#[test]
fn a_process_that_is_killed_leaves_the_ticket_whole() {
    for moment in 0..12_u64 {
        let (dir, store) = store();
        let id = approved(&store);
        let mut victim = child(dir.path());
        std::thread::sleep(std::time::Duration::from_millis(moment * 3));
        victim.kill().and_then(|()| victim.wait()).expect("ended");
        let one_more = store.consume_ticket("t", &id, "d", "v1").expect("the file is sound");
        let acted = std::fs::read(dir.path().join(HAS_IT)).unwrap_or_default().len();
        assert!(acted + usize::from(one_more) <= 1, "two have it");
        let stands = store.ticket("t", &id).expect("read").expect("there");
        assert!(stands.consumed_at.is_some(), "consumed by the victim or by us");
        let told = store.ticket_history("t", &id).expect("read");
        assert_eq!(told.iter().filter(|event| event.event == "consumed").count(), 1);
    }
}

#[test]
fn decisions_beyond_the_bound_and_the_age_go() {
    let (_dir, store) = store();
    let now = Timestamp::now();
    let row = |age: i64| DecisionRow {
        decision_id: format!("{age}"),
        timestamp: now - age.hours(),
        ..crate::store::samples::decision("t")
    };
    store.record_decisions(&[row(1), row(2), row(3), row(24 * 31)]).expect("kept");
    let removed = store.log(|connection| transact(connection, |t| decisions::prune(t, 2))).expect("pruned");
    assert_eq!(removed, 2);
    let left =
        store.decisions("t", &DecisionFilter { limit: 10, ..DecisionFilter::default() }).expect("read");
    assert_eq!(left.iter().map(|row| row.decision_id.as_str()).collect::<Vec<_>>(), ["1", "2"]);
}

#[test]
fn old_ended_tickets_go_with_their_history() {
    let (_dir, store) = store();
    let old = store.open_ticket(&Ticket { expires_at: ended(), ..ticket("t", "old") }).expect("opened");
    let young = store.open_ticket(&ticket("t", "young")).expect("opened");
    let ago = Timestamp::now() - (24 * 91).hours();
    store
        .change(|t| Ok(t.execute("UPDATE tickets SET updated_at = ?1", [ago.as_microsecond()])?))
        .expect("made old");
    assert_eq!(store.prune(), Ok(1));
    assert_eq!(store.ticket("t", &old.request_id), Ok(None));
    assert!(store.ticket("t", &young.request_id).expect("read").is_some(), "it still waits");
}

#[test]
fn a_row_keeps_every_member() {
    let (_dir, store) = store();
    let full = DecisionRow {
        reasons: vec!["a \"reason\"".into()],
        matched: vec![MatchedRow {
            policy_id: "p".into(),
            policy_name: "P".into(),
            category: "security-sqli".into(),
            severity: "high".into(),
            action: "block".into(),
        }],
        context: json!({"a": [1, null]}),
        redactions: json!({"email": 2}),
        ..crate::store::samples::decision("t")
    };
    store.record_decisions(std::slice::from_ref(&full)).expect("kept");
    assert_eq!(store.decision("t", &full.decision_id), Ok(Some(full)));
    let row = StoredOverride { expires_at: Some(soon()), ..override_of("t", "p") };
    store.create_override(&row).expect("made");
    assert_eq!(store.overrides("t"), Ok(vec![row]));
}
