//! The record from outside: kills at any moment, several processes, rotation, and two verifiers that agree.

use crate::harness::{Gate, PATIENCE, STACKED_SQL, Setup, eventually, lines};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// All rows of a setup, those of earlier files first.
fn rows(setup: &Setup) -> Vec<Value> {
    let (code, stdout, stderr) = setup.run(&["audit", "export"]);
    assert_eq!(code, Some(0), "{stderr}");
    stdout
        .lines()
        .map(|row| serde_json::from_str(row).unwrap_or_else(|why| panic!("{why} in {row}")))
        .collect()
}

fn verified(setup: &Setup, more: &[&str]) -> (Option<i32>, Value) {
    let (code, stdout, stderr) = setup.run(&[&["audit", "verify", "--json"], more].concat());
    (code, serde_json::from_str(&stdout).unwrap_or_else(|why| panic!("{why}: {stdout}{stderr}")))
}

fn assert_whole(setup: &Setup) -> Value {
    let (code, report) = verified(setup, &[]);
    assert_eq!(code, Some(0), "{report}");
    report
}

fn call_ids(rows: &[Value]) -> Vec<String> {
    rows.iter().map(|row| row["call_id"].as_str().expect("a call_id").to_owned()).collect()
}

fn leave(gate: &Gate) {
    gate.close_stdin();
    assert!(gate.exit_within(PATIENCE).is_some(), "it does not end");
}

#[test]
fn w55_a_call_that_a_kill_cut_off_has_one_row_however_many_start_at_once() {
    let setup = Setup::new().stub("a", &[]);
    let gate = setup.clone().open();
    gate.call("echo", &json!({}));
    gate.start_call("cancel_probe", &json!({"name": "p"}));
    eventually("the call arrives", || (!gate.received_of("a", "tools/call")[1..].is_empty()).then_some(()));
    gate.signal("KILL");
    assert!(gate.exit_within(PATIENCE).is_some());
    assert_eq!(rows(&setup).len(), 1, "no row yet");
    let (_, report) = verified(&setup, &[]);
    assert!(report["notes"].to_string().contains("1 calls of a process that ended"), "{report}");

    let gates: Vec<Gate> = std::thread::scope(|scope| {
        let starting: Vec<_> = (0..4).map(|_| scope.spawn(|| setup.clone().open())).collect();
        starting.into_iter().map(|gate| gate.join().expect("it starts")).collect()
    });
    eventually("the row", || (rows(&setup).len() == 2).then_some(()));
    for gate in &gates {
        gate.call("echo", &json!({}));
        leave(gate);
    }
    let rows = rows(&setup);
    let unknown: Vec<&Value> = rows.iter().filter(|row| row["outcome"] == "unknown").collect();
    assert_eq!((rows.len(), unknown.len()), (6, 1), "{rows:?}");
    assert_eq!((&unknown[0]["tool_name"], &unknown[0]["verdict"]), (&"cancel_probe".into(), &"allow".into()));
    assert!(unknown[0]["recovered_at"].is_string());
    assert_whole(&setup);
    let left = fs::read_dir(setup.path("audit.jsonl.journal/intents")).expect("the folder").flatten();
    assert!(!left.map(|entry| entry.path()).any(|path| path.extension().is_some_and(|it| it == "wal")));
}

#[test]
fn w55_kills_lose_no_call_and_write_none_twice() {
    let setup = Setup::new().stub("a", &[]);
    for round in 0..6 {
        let gate = setup.clone().open();
        for number in 0..30 {
            gate.start_call("count", &json!({"effect": format!("{round}-{number}")}));
        }
        // Somewhere among them.
        eventually("some calls ran", || (gate.effects("a").len() > round * 5).then_some(()));
        gate.signal("KILL");
        assert!(gate.exit_within(PATIENCE).is_some());
    }
    let gate = setup.clone().open();
    let effects = gate.effects("a");
    let by_ending =
        |rows: &[Value], wanted: fn(&Value) -> bool| rows.iter().filter(|row| wanted(row)).count();
    eventually("all rows", || {
        let rows = rows(&setup);
        (by_ending(&rows, |row| row["outcome"] == "ok" || row["outcome"] == "unknown") >= effects.len())
            .then_some(())
    });
    leave(&gate);
    let distinct: BTreeSet<&String> = effects.iter().collect();
    assert_eq!(distinct.len(), effects.len(), "nothing ran twice");
    let rows = rows(&setup);
    let ids = call_ids(&rows);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "no call has two rows");
    assert_whole(&setup);
}

#[test]
fn w55_no_intent_no_call() {
    let setup = Setup::new().stub("a", &[]);
    let gate = setup.open();
    gate.call("echo", &json!({}));
    let folder = gate.path("audit.jsonl.journal/intents");
    fs::remove_dir_all(&folder).expect("it can be removed");
    fs::write(&folder, "").expect("a file in its place");
    let refused = gate.call("count", &json!({"effect": "unrecorded"}));
    assert_eq!(refused.code(), -32003, "{}", refused.raw);
    assert!(refused.raw.contains("audit file"), "{}", refused.raw);
    assert!(gate.effects("a").is_empty());
    fs::remove_file(&folder).expect("it can be removed");
    assert!(gate.call("count", &json!({"effect": "recorded"})).is_ok());
    assert_eq!(gate.audit_of(3)[1]["outcome"], "not_forwarded");
}

#[test]
fn calls_that_cannot_even_be_read_have_their_rows() {
    let gate = Setup::new().env("CALLGATE_MAX_LINE", "64KiB").stub("a", &[]).open();
    let call = r#""method":"tools/call","params":{"name":"count","arguments":{"effect":"x"}}"#;
    gate.refused(&format!(r#"[{{"jsonrpc":"2.0","id":"b1",{call}}},{{"jsonrpc":"2.0","id":"b2",{call}}},{{"jsonrpc":"2.0","id":"b3","method":"ping"}}]"#));
    assert_eq!(gate.audit_of(2).len(), 2, "a batch where there are none");
    gate.refused(&format!(
        r#"{{"jsonrpc":"2.0","id":"long","method":"tools/call","params":{{"name":"count","arguments":{{"effect":"{}"}}}}}}"#,
        "x".repeat(70_000)
    ));
    assert_eq!(gate.audit_of(3).len(), 3, "a line that is too long");
    gate.send(&format!(r#"{{"jsonrpc":"2.0",{call}}}"#));
    assert_eq!(gate.audit_of(4).len(), 4, "a call without an id");
    gate.refused(&format!(r#"{{"jsonrpc":"1.0","id":"old",{call}}}"#));
    let rows = gate.audit_of(5);
    assert!(
        rows.iter().all(|row| row["verdict"] == "error" && row["outcome"] == "not_forwarded"),
        "{rows:?}"
    );
    // What only looks like a call has none.
    gate.refused(&format!(
        r#"{{"jsonrpc":"2.0","id":"other","method":"x","params":{{"x":"{}"}}}}"#,
        "y".repeat(70_000)
    ));
    assert!(gate.call("echo", &json!({})).is_ok());
    assert_eq!(gate.audit_of(6).len(), 6);
    assert!(gate.effects("a").is_empty());
}

#[test]
fn w56_the_chain_goes_on_through_rotation_and_logrotate() {
    let setup = Setup::new().env("CALLGATE_AUDIT_ROTATE_SIZE", "64KiB").stub("a", &[]);
    let gate = setup.clone().open();
    let other = setup.clone().open();
    for _ in 0..60 {
        gate.call("echo", &json!({}));
        other.call("echo", &json!({}));
    }
    // As logrotate does, without telling anybody.
    fs::rename(gate.path("audit.jsonl"), gate.path("audit.jsonl-20261120")).expect("it can be moved");
    gate.call("echo", &json!({}));
    other.call("echo", &json!({}));
    fs::File::options()
        .write(true)
        .open(gate.path("audit.jsonl"))
        .and_then(|file| file.set_len(0))
        .expect("emptied");
    other.call("echo", &json!({}));
    leave(&gate);
    leave(&other);
    let (code, report) = verified(&setup, &[]);
    assert_eq!(
        (code, &report["finding"]["wrong"]),
        (Some(3), &"gap".into()),
        "what was emptied is missed: {report}"
    );

    let setup = Setup::new().env("CALLGATE_AUDIT_ROTATE_SIZE", "64KiB").stub("a", &[]);
    let gate = setup.clone().open();
    for _ in 0..100 {
        gate.call("echo", &json!({}));
    }
    fs::rename(gate.path("audit.jsonl"), gate.path("audit.jsonl.1")).expect("it can be moved");
    gate.call("echo", &json!({}));
    leave(&gate);
    let report = assert_whole(&setup);
    assert_eq!((&report["rows"], &report["first"]), (&101.into(), &1.into()));
    let names: Vec<String> = fs::read_dir(setup.path(""))
        .expect("the folder")
        .flatten()
        .filter_map(|it| it.file_name().into_string().ok())
        .collect();
    assert!(names.iter().filter(|name| name.starts_with("audit.jsonl.0000000")).count() >= 1, "{names:?}");
    // The newest file alone begins where a checkpoint says so.
    let newest = setup.path("audit.jsonl");
    let alone = setup.path("alone.jsonl");
    fs::copy(&newest, &alone).expect("a copy");
    let (code, report) = verified(&setup, &["--journal", &format!("{newest}.journal"), &alone]);
    assert_eq!((code, &report["first"]), (Some(0), &101.into()), "{report}");
}

#[test]
fn every_row_can_be_waited_for_on_the_disk() {
    let setup = Setup::new().env("CALLGATE_AUDIT_SYNC", "always").stub("a", &[]);
    let gate = setup.clone().open();
    let ids: Vec<i64> = (0..40).map(|_| gate.start_call("echo", &json!({}))).collect();
    ids.into_iter().for_each(|id| assert!(gate.reply(id).is_ok()));
    assert!(!gate.call("echo", &json!({"q": STACKED_SQL})).is_ok());
    leave(&gate);
    assert_eq!(rows(&setup).len(), 41);
    assert_whole(&setup);
}

#[test]
fn arguments_have_a_digest_that_only_this_installation_can_make() {
    let digests = |setup: &Setup| {
        let gate = setup.clone().open();
        gate.call("echo", &json!({"a": 1}));
        gate.call("echo", &json!({"a": 1}));
        let rows = gate.audit_of(2);
        let of = |row: &Value, name: &str| row[name].as_str().expect("a digest").to_owned();
        assert_eq!(of(&rows[0], "parameters_hmac"), of(&rows[1], "parameters_hmac"));
        (of(&rows[0], "parameters_hash"), of(&rows[0], "parameters_hmac"))
    };
    let (one, other) = (digests(&Setup::new().stub("a", &[])), digests(&Setup::new().stub("a", &[])));
    assert_eq!(one.0, other.0);
    assert_ne!(one.1, other.1);
}

#[test]
fn the_commands_show_count_and_hand_on() {
    let setup = Setup::new().stub("a", &[]).stub("b", &[]);
    let gate = setup.clone().open();
    gate.call("a__echo", &json!({}));
    gate.call("b__tool_error", &json!({}));
    gate.call("b__echo", &json!({"q": STACKED_SQL}));
    leave(&gate);
    let run = |args: &[&str]| {
        let (code, stdout, stderr) = setup.run(&[&["audit"], args].concat());
        assert_eq!(code, Some(0), "{args:?}: {stderr}");
        stdout
    };
    assert_eq!(run(&["show"]).lines().count(), 3);
    assert_eq!(run(&["show", "--backend", "b", "--verdict", "deny"]).lines().count(), 1);
    assert_eq!(run(&["show", "--since", "1h", "--outcome", "tool_error"]).lines().count(), 1);
    assert_eq!(run(&["show", "--session", "nobody"]), "");
    assert!(run(&["tail", "-n", "1"]).contains("b/echo"));
    let stats: Value = serde_json::from_str(&run(&["stats", "--json"])).expect("JSON");
    assert_eq!((&stats["all"]["calls"], &stats["all"]["verdicts"]["deny"]), (&3.into(), &1.into()));
    assert!(run(&["stats"]).contains("b/tool_error"));
    let csv = run(&["export", "--format", "csv", "--tool", "echo"]);
    assert_eq!(csv.lines().count(), 3);
    assert!(csv.starts_with("seq,timestamp,"));
    let key = run(&["key"]);
    let report = assert_whole(&setup);
    assert_eq!(report["signed_up_to"], 3, "closing signs: {report}");
    assert_eq!(verified(&setup, &["--key", key.trim(), "--strict"]).0, Some(0));
    assert_eq!(verified(&setup, &["--key", &"0".repeat(64)]).0, Some(3));
    let anchor = |seq: &Value, hash: &Value| format!("{seq}:{}", hash.as_str().unwrap_or_default());
    assert_eq!(verified(&setup, &["--anchor", &anchor(&report["last"], &report["hash"])]).0, Some(0));
    assert_eq!(verified(&setup, &["--anchor", &anchor(&json!(4), &report["hash"])]).0, Some(3));
    let (code, _, stderr) = setup.run(&["audit", "verify", "nowhere.jsonl"]);
    assert_eq!(code, Some(1), "{stderr}");
}

#[test]
fn tail_follows_through_a_rotation() {
    use std::io::{BufRead, BufReader};
    let setup = Setup::new().stub("a", &[]);
    let gate = setup.clone().open();
    gate.call("echo", &json!({}));
    let mut tail = Command::new(crate::harness::callgate())
        .args(["audit", "tail", "-f", "-n", "1", &setup.path("audit.jsonl")])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut shown = BufReader::new(tail.stdout.take().expect("a pipe")).lines();
    let mut next = || shown.next().expect("a line").expect("text");
    assert!(next().contains("a/echo"));
    gate.call("lookup", &json!({}));
    assert!(next().contains("a/lookup"));
    fs::rename(gate.path("audit.jsonl"), gate.path("audit.jsonl.1")).expect("it can be moved");
    gate.call("image", &json!({}));
    assert!(next().contains("a/image"));
    tail.kill().and_then(|()| tail.wait()).expect("it ends");
}

// ------------------------------------------------------------------------------------------- the second verifier

/// What a verifier says: exit code, and of the first finding its word, line and row.
type Verdict = (Option<i32>, Option<(String, u64, u64)>);

fn verdict(code: Option<i32>, report: &Value) -> Verdict {
    let number = |name: &str| report["finding"][name].as_u64().unwrap_or_default();
    let wrong = report["finding"]["wrong"].as_str();
    (code, wrong.map(|wrong| (wrong.to_owned(), number("line"), number("seq"))))
}

fn second_verifier(path: &Path) -> Verdict {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/verify_audit.py");
    let output =
        Command::new("python3").arg(script).arg(path).arg("--json").output().expect("python3 is needed");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_str(&stdout).unwrap_or_else(|why| panic!("{why}: {stdout}{stderr}"));
    verdict(output.status.code(), &report)
}

/// A copy of a record to change.
struct Copied {
    setup: Setup,
    path: PathBuf,
    text: Vec<u8>,
    lines: Vec<Vec<u8>>,
}

impl Copied {
    fn both(&self, what: &str) -> Verdict {
        let path = self.path.display().to_string();
        let (code, report) = verified(&self.setup, &[&path]);
        let first = verdict(code, &report);
        assert_eq!(first, second_verifier(&self.path), "the verifiers differ: {what}");
        first
    }

    /// Expects a finding in line `line` with these bytes in place of the file's.
    fn expect(&self, what: &str, text: &[u8], line: u64) {
        fs::write(&self.path, text).expect("it can be written");
        let (code, finding) = self.both(what);
        assert_eq!(code, Some(3), "{what} goes unseen");
        assert_eq!(finding.map(|(_, line, _)| line), Some(line), "{what}");
    }
}

fn a_thousand_rows() -> Copied {
    let setup = Setup::new().stub("a", &[]);
    let gate = setup.clone().open();
    for _ in 0..10 {
        let ids: Vec<i64> = (0..100).map(|number| gate.start_call("echo", &json!({"n": number}))).collect();
        ids.into_iter().for_each(|id| assert!(gate.reply(id).is_ok()));
    }
    leave(&gate);
    let folder = PathBuf::from(setup.path("copy"));
    fs::create_dir(&folder).expect("a folder");
    let path = folder.join("audit.jsonl");
    let text = fs::read(setup.path("audit.jsonl")).expect("the record");
    let copied = folder.join("audit.jsonl.journal");
    fs::create_dir(&copied).expect("a folder");
    for name in ["head", "checkpoints.jsonl", "public.key"] {
        fs::copy(setup.path("audit.jsonl.journal/") + name, copied.join(name)).expect("a copy");
    }
    let lines = text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    Copied { setup, path, text, lines }
}

#[test]
fn w54_both_verifiers_find_every_change_where_it_is() {
    let record = a_thousand_rows();
    assert_eq!(record.lines.len(), 1_000);
    fs::write(&record.path, &record.text).expect("it can be written");
    assert_eq!(record.both("as it is"), (Some(0), None));

    let joined = |lines: &[&[Vec<u8>]]| lines.iter().flat_map(|part| part.concat()).collect::<Vec<u8>>();
    for step in 0..5 {
        let row = (step * 213 + 3) % 999;
        let begin: usize = record.lines[..row].iter().map(Vec::len).sum();
        let at = begin + (step * 97) % record.lines[row].len();
        let mut flipped = record.text.clone();
        flipped[at] ^= 1 << (step % 8);
        record.expect(&format!("bit {} of byte {at}", step % 8), &flipped, row as u64 + 1);
        let lines = &record.lines;
        record.expect("a removed row", &joined(&[&lines[..row], &lines[row + 1..]]), row as u64 + 1);
        let swapped =
            joined(&[&lines[..row], &lines[row + 1..row + 2], &lines[row..row + 1], &lines[row + 2..]]);
        record.expect("two rows that changed places", &swapped, row as u64 + 1);
        record.expect(
            "a row that stands there twice",
            &joined(&[&lines[..=row], &lines[row..]]),
            row as u64 + 2,
        );
        record.expect("a file cut between rows", &joined(&[&lines[..row]]), row as u64);
        if at > begin {
            record.expect("a file cut within a row", &record.text[..at], row as u64 + 1);
        }
    }
}

#[test]
fn w54_both_verifiers_find_changed_checkpoints_and_heads() {
    let record = a_thousand_rows();
    fs::write(&record.path, &record.text).expect("it can be written");
    let folder = record.path.with_file_name("audit.jsonl.journal");
    let checkpoints = folder.join("checkpoints.jsonl");
    let whole = fs::read(&checkpoints).expect("checkpoints");
    assert_eq!(lines(&checkpoints).len(), 1, "at row 1,000");
    for step in 0..5 {
        let mut changed = whole.clone();
        let at = (step * 91 + 5) % (whole.len() - 1);
        changed[at] ^= 1 << (step % 8);
        fs::write(&checkpoints, &changed).expect("it can be written");
        let (code, finding) = record.both(&format!("checkpoints, byte {at}"));
        assert_eq!(
            (code, finding.map(|(wrong, ..)| wrong)),
            (Some(3), Some("checkpoint".to_owned())),
            "byte {at}"
        );
    }
    fs::write(&checkpoints, &whole).expect("it can be written");
    let head = folder.join("head");
    let text = fs::read_to_string(&head).expect("a head");
    fs::write(&head, text.replace("\"seq\":1000", "\"seq\":1001")).expect("it can be written");
    assert_eq!(record.both("a head that knows more").1.map(|it| it.0), Some("truncated".to_owned()));
    let hash = text.split('"').nth(5).expect("a hash").to_owned();
    fs::write(&head, text.replace(&hash, &"0".repeat(64))).expect("it can be written");
    assert_eq!(record.both("a head with another hash").1.map(|it| it.0), Some("head".to_owned()));
    fs::remove_file(&head).expect("it can be removed");
    assert_eq!(record.both("no head").0, Some(0));
    fs::write(&record.path, record.lines[..900].concat()).expect("it can be written");
    assert_eq!(record.both("cut before a checkpoint").1.map(|it| it.0), Some("truncated".to_owned()));
}
