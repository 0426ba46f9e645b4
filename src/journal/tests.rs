//! What stands in an audit row, and that it stands there whole whatever happens around the file.

use super::*;
use bytes::Bytes;
use callgate_actors::call::{Call, Hints};
use callgate_actors::ports::{AuditVerdict, Decision, Findings, Outcome, Verdict};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

pub(super) fn options(path: &Path) -> JournalOptions {
    JournalOptions {
        path: Some(path.to_owned()),
        state_dir: path.parent().map(|parent| parent.join("state")),
        required: true,
        sync: Sync::Off,
        rotate_bytes: None,
        rotate_age: None,
        session_id: "session-1".into(),
        leader_email: "lead@example.com".into(),
        ai_agent: "claude-desktop".into(),
        gateway_id: "gateway-1".into(),
    }
}

/// A journal that gives up on a lock and tries a broken file again at once, so that no test waits.
fn journal(options: JournalOptions) -> Journal {
    let journal = Journal::with_log(options, None);
    if let Some(file) = &mut journal.core().file {
        file.lock_patience = Duration::ZERO;
        file.retry_every = Duration::ZERO;
    }
    journal
}

fn retry_every(journal: &Journal, pause: Duration) {
    journal.core().file.as_mut().unwrap().retry_every = pause;
}

fn call(tool: &str) -> Call {
    Call {
        number: 1,
        received_at: SystemTime::UNIX_EPOCH,
        backend: "crm".into(),
        tool: tool.into(),
        exposed: format!("crm__{tool}").into(),
        arguments: Some(Bytes::from_static(br#"{"customer_id":"CUST-001"}"#)),
        meta: None,
        hints: Hints::default(),
    }
}

pub(super) fn ending(tool: &str) -> Ending {
    Ending {
        call: Arc::new(call(tool)),
        ended_at: SystemTime::UNIX_EPOCH + Duration::from_nanos(1_700_000_000_120_000_000),
        duration: Duration::from_micros(12_999),
        decision: Some(Arc::new(Decision {
            decision_id: "dec-1".into(),
            trace_id: "0123456789abcdef0123456789abcdef".into(),
            reasons: vec![],
            evaluated_policies: vec!["p1".into(), "<p2>".into()],
            ..Decision::of(Verdict::Allow { arguments: None, redact: true })
        })),
        verdict: AuditVerdict::Allow,
        outcome: Outcome::Ok,
        result: Bytes::from_static(br#"{"content":[{"type":"text","text":"[1,2,3]"}]}"#),
        masked: BTreeMap::from([("email", 2), ("iban", 1)]),
        findings: Findings::default(),
    }
}

fn row_of(ending: &Ending) -> String {
    let mut row = Vec::new();
    let digests = Digests::of(ending.call.arguments.as_deref(), None);
    let author = Author { options: &options(Path::new("unused")), run: "run", digests: &digests };
    row::push(&mut row, &author, ending);
    String::from_utf8(row).unwrap()
}

fn tools_in(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    let tool = |line: &str| Some(serde_json::from_str::<Value>(line).ok()?["tool_name"].as_str()?.to_owned());
    text.lines().map(|line| tool(line).unwrap_or_else(|| line.to_owned())).collect()
}

fn rows_in(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn write(journal: &mut Journal, tools: &[&str]) -> Result<(), RecordError> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let numbered = |tool: &&str| {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Ending { call: Arc::new(Call { number, ..call(tool) }), ..ending(tool) }
    };
    journal.endings(&tools.iter().map(numbered).collect::<Vec<_>>())
}

#[test]
fn the_row_has_the_contracts_fields_in_its_order_and_ours_behind() {
    assert_eq!(
        row_of(&ending("get_customer")),
        concat!(
            r#"{"timestamp":"2023-11-14T22:13:20.12Z","session_id":"session-1","#,
            r#""leader_email":"lead@example.com","tool_name":"get_customer","server":"crm","#,
            r#""parameters_hash":"15a975cd2a31f8494b89f0d125c24a44eddf59798648cc162d643b161cd0bff8","#,
            r#""response_record_count":3,"duration_ms":12,"decision_id":"dec-1","verdict":"allow","#,
            r#""evaluated_policies":["p1","\u003cp2\u003e"],"trace_id":"0123456789abcdef0123456789abcdef","#,
            r#""ai_agent":"claude-desktop","gateway_id":"gateway-1","redaction_count":3,"#,
            r#""outcome":"ok","redactions":{"email":2,"iban":1},"call_id":"run-1"}"#
        )
    );
}

#[test]
fn what_is_absent_is_empty_and_never_null() {
    let mut bare = ending("t");
    bare.decision = None;
    bare.masked.clear();
    bare.result = Bytes::new();
    bare.ended_at = SystemTime::UNIX_EPOCH;
    bare.call = Arc::new(Call { backend: "".into(), arguments: None, ..call("t") });
    let row = row_of(&bare);
    assert!(row.starts_with(r#"{"timestamp":"1970-01-01T00:00:00Z","#), "{row}");
    let row: Value = serde_json::from_str(&row).unwrap();
    assert_eq!(row["evaluated_policies"], serde_json::json!([]));
    assert_eq!((&row["decision_id"], &row["trace_id"]), (&"".into(), &"".into()));
    assert_eq!(row["parameters_hash"], "74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b");
    assert!(row.get("server").is_none() && row.get("redactions").is_none());
    assert_eq!((&row["redaction_count"], &row["response_record_count"]), (&0.into(), &0.into()));
}

#[test]
fn a_malformed_call_is_a_row_of_its_own_kind() {
    let row: Value = serde_json::from_str(&row_of(&Ending { decision: None, ..ending("") })).unwrap();
    assert_eq!(row["verdict"], "error");
    assert_eq!((&row["tool_name"], &row["parameters_hash"]), (&"".into(), &"".into()));
    assert_eq!((&row["session_id"], &row["gateway_id"]), (&"session-1".into(), &"gateway-1".into()));
    assert_eq!((&row["duration_ms"], &row["response_record_count"]), (&0.into(), &0.into()));
    assert!(row.get("server").is_none());
}

#[test]
fn w57_verdict_and_outcome_are_two_fields() {
    let failed = Ending { outcome: Outcome::TimedOut, ..ending("t") };
    assert!(row_of(&failed).contains(r#""verdict":"allow","#));
    assert!(row_of(&failed).contains(r#""outcome":"timed_out""#));
    let held = Ending { verdict: AuditVerdict::NeedsApproval, outcome: Outcome::NotForwarded, ..ending("t") };
    assert!(row_of(&held).contains(r#""verdict":"needs_approval","#));
    assert!(row_of(&held).contains(r#""outcome":"not_forwarded""#));
}

#[test]
fn w59_masked_values_are_counted_by_type() {
    let masked = BTreeMap::from([("aws_key", 1), ("phone", 40)]);
    let row = row_of(&Ending { masked, ..ending("t") });
    assert!(
        row.contains(r#""redaction_count":41,"#) && row.contains(r#""redactions":{"aws_key":1,"phone":40}"#)
    );
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn w60_a_tool_name_forges_no_row_and_drives_no_terminal() {
    let evil = "x\nAUDIT {\"verdict\":\"allow\"}\r\u{1b}[2J\u{7f}\u{9b}\u{202e}é";
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    let sink = Sink::default();
    let log = Lines::to(sink.clone());
    let mut journal = Journal::with_log(options(&path), Some(log.clone()));
    write(&mut journal, &[evil]).unwrap();
    assert!(log.flush(Instant::now() + Duration::from_secs(20)));

    assert_eq!(tools_in(&path), [evil]);
    let shown = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    let line = shown.strip_suffix('\n').unwrap();
    assert!(!line.contains(log::is_dangerous), "{line:?}");
    let row: Value = serde_json::from_str(line.strip_prefix("AUDIT ").unwrap()).unwrap();
    assert_eq!(row["tool_name"], evil);
}

#[test]
fn without_a_file_stderr_is_the_record() {
    let sink = Sink::default();
    let log = Lines::to(sink.clone());
    let stderr_only = JournalOptions { path: None, ..options(Path::new("unused")) };
    let mut journal = Journal::with_log(stderr_only.clone(), Some(log.clone()));
    journal.intents(&[ending("t")]).unwrap();
    write(&mut journal, &["a", "b"]).unwrap();
    journal.close().unwrap();
    assert!(log.flush(Instant::now() + Duration::from_secs(20)));
    assert_eq!(String::from_utf8(sink.0.lock().unwrap().clone()).unwrap().matches("AUDIT {").count(), 2);

    let mut journal = Journal::with_log(stderr_only, None);
    let refusal = journal.intents(&[ending("t")]).unwrap_err().to_string();
    assert!(refusal.contains("AXONFLOW_AUDIT_LOG"), "{refusal}");
    write(&mut journal, &["lost"]).unwrap_err();
}

#[cfg(unix)]
#[test]
fn the_file_is_private_and_its_directories_are_made() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b/audit.jsonl");
    write(&mut journal(options(&path)), &["t"]).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    // What the process's umask takes away is not ours to give.
    assert_eq!(fs::metadata(dir.path().join("a/b")).unwrap().permissions().mode() & 0o700, 0o700);
}

#[test]
fn appends_behind_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    write(&mut journal(options(&path)), &["one", "two"]).unwrap();
    write(&mut journal(options(&path)), &["three"]).unwrap();
    assert_eq!(tools_in(&path), ["one", "two", "three"]);
}

#[test]
fn w53_no_record_no_call_when_required() {
    let dir = tempfile::tempdir().unwrap();
    let blocker = dir.path().join("blocker");
    fs::write(&blocker, "").unwrap();
    let path = blocker.join("audit.jsonl");

    let mut strict = journal(options(&path));
    let refusal = strict.intents(&[ending("t")]).unwrap_err().to_string();
    assert!(refusal.starts_with("audit file ") && refusal.contains("audit.jsonl"), "{refusal}");
    assert!(
        refusal.ends_with("set AXONFLOW_AUDIT_LOG to a file that this user may create and write"),
        "{refusal}"
    );

    let mut lenient = journal(JournalOptions { required: false, ..options(&path) });
    lenient.intents(&[ending("t")]).unwrap();
    write(&mut lenient, &["kept"]).unwrap();

    fs::remove_file(&blocker).unwrap();
    strict.intents(&[ending("t")]).unwrap();
    lenient.close().unwrap();
    assert_eq!(tools_in(&path), ["kept"], "the row came in late");
}

#[test]
fn a_broken_file_is_not_tried_at_every_call() {
    let dir = tempfile::tempdir().unwrap();
    let blocker = dir.path().join("blocker");
    fs::write(&blocker, "").unwrap();
    let mut journal = journal(options(&blocker.join("audit.jsonl")));
    retry_every(&journal, Duration::from_secs(3600));
    journal.intents(&[ending("t")]).unwrap_err();
    fs::remove_file(&blocker).unwrap();
    journal.intents(&[ending("t")]).unwrap_err();
    retry_every(&journal, Duration::ZERO);
    journal.intents(&[ending("t")]).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn w53_a_full_disk_shuts_the_gate_until_the_rows_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let mut journal = journal(options(&path));
    journal.intents(&[ending("t")]).unwrap();
    let refusal = write(&mut journal, &["first"]).unwrap_err().to_string();
    assert!(refusal.contains("No space left") && refusal.contains("free space"), "{refusal}");
    journal.intents(&[ending("t")]).unwrap_err();
    write(&mut journal, &["second"]).unwrap_err();
    journal.close().unwrap_err();

    fs::remove_file(&path).unwrap();
    journal.intents(&[ending("t")]).unwrap();
    write(&mut journal, &["third"]).unwrap();
    assert_eq!(tools_in(&path), ["first", "second", "third"]);
}

#[cfg(target_os = "linux")]
#[test]
fn the_backlog_of_a_broken_file_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let mut journal = journal(JournalOptions { required: false, ..options(&path) });
    retry_every(&journal, Duration::from_secs(3600));
    for _ in 0..6_000 {
        write(&mut journal, &["t"]).unwrap();
    }
    fs::remove_file(&path).unwrap();
    journal.close().unwrap();
    let kept = tools_in(&path).len();
    assert!((2_000..6_000).contains(&kept), "{kept}");
}

#[test]
fn a_torn_last_line_is_kept_aside_and_told_in_the_next_row() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    fs::write(&path, "{\"tool_name\":\"whole\"}\n{\"tool_na").unwrap();
    let mut journal = journal(options(&path));
    write(&mut journal, &["ours"]).unwrap();
    write(&mut journal, &["more"]).unwrap();
    assert_eq!(tools_in(&path), ["whole", "ours", "more"]);
    let rows = rows_in(&path);
    assert_eq!(rows[1]["torn"]["bytes"], 9);
    assert_eq!(rows[1]["torn"]["sha256"], crate::canonical::hex_sha256(b"{\"tool_na"));
    assert!(rows[2].get("torn").is_none());
    let aside: Vec<_> = fs::read_dir(place::Place::of(&path).torn()).unwrap().flatten().collect();
    assert_eq!(aside.len(), 1);
    assert_eq!(fs::read(aside[0].path()).unwrap(), b"{\"tool_na");
}

#[test]
fn a_line_that_another_process_tore_meanwhile_is_kept_aside_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    let mut journal = journal(options(&path));
    write(&mut journal, &["one"]).unwrap();
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"half").unwrap();
    write(&mut journal, &["two"]).unwrap();
    assert_eq!(tools_in(&path), ["one", "two"]);
    assert_eq!(rows_in(&path)[1]["torn"]["bytes"], 6);
}

#[test]
fn a_row_that_lacks_only_its_line_feed_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    let mut journal = journal(options(&path));
    write(&mut journal, &["one"]).unwrap();
    let len = fs::metadata(&path).unwrap().len();
    File::options().write(true).open(&path).unwrap().set_len(len - 1).unwrap();
    write(&mut journal, &["two"]).unwrap();
    assert_eq!(tools_in(&path), ["one", "two"]);
    assert!(rows_in(&path)[1].get("torn").is_none());
}

#[test]
fn w56_a_rotated_file_is_left_and_a_new_one_begun() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    let old = dir.path().join("audit.jsonl.1");
    let mut journal = journal(options(&path));
    write(&mut journal, &["one"]).unwrap();
    fs::rename(&path, &old).unwrap();
    write(&mut journal, &["two"]).unwrap();
    fs::remove_file(&path).unwrap();
    write(&mut journal, &["three"]).unwrap();
    assert_eq!(tools_in(&old), ["one"]);
    assert_eq!(tools_in(&path), ["three"]);
}

#[test]
fn w56_a_file_that_was_copied_and_emptied_is_written_from_its_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    let mut journal = journal(options(&path));
    write(&mut journal, &["one", "two"]).unwrap();
    File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    write(&mut journal, &["three"]).unwrap();
    assert_eq!(tools_in(&path), ["three"]);
}

#[test]
fn a_lock_that_is_never_let_go_is_an_error_and_the_row_waits() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    let mut journal = journal(options(&path));
    let other = File::options().read(true).write(true).open(place::Place::of(&path).head()).unwrap();
    other.lock().unwrap();
    let refusal = write(&mut journal, &["one"]).unwrap_err().to_string();
    assert!(refusal.contains("another process keeps it locked"), "{refusal}");
    journal.intents(&[ending("t")]).unwrap_err();
    other.unlock().unwrap();
    journal.intents(&[ending("t")]).unwrap();
    write(&mut journal, &["two"]).unwrap();
    assert_eq!(tools_in(&path), ["one", "two"]);
}

#[cfg(unix)]
#[test]
fn a_pipe_is_refused_since_its_reader_could_stop_every_call() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.sock");
    let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let refusal = journal(options(&path)).intents(&[ending("t")]).unwrap_err().to_string();
    assert!(refusal.contains("neither a file nor a device"), "{refusal}");
}

/// Set in the environment of a child: the audit file it writes and the name of its tool.
const CHILD: &str = "CALLGATE_TEST_AUDIT_CHILD";

/// This test binary, to run one test only, as a child that finds `job` in [`CHILD`].
fn child(mut command: std::process::Command, test: &str, job: String) -> std::process::Child {
    command.args(["--exact", test]).env(CHILD, job).stdout(std::process::Stdio::null()).spawn().unwrap()
}

fn this_binary() -> PathBuf {
    std::env::current_exe().unwrap()
}

/// Does nothing but in a child of the test below.
#[test]
fn child_that_writes_500_rows() {
    let Ok(job) = std::env::var(CHILD) else { return };
    let (tool, path) = job.split_once(' ').unwrap();
    let mut journal = Journal::with_log(options(Path::new(path)), None);
    for number in 0..250 {
        journal.intents(&[ending("t")]).unwrap();
        write(&mut journal, &[&format!("{tool}-{number}-a"), &format!("{tool}-{number}-b")]).unwrap();
    }
    journal.close().unwrap();
}

#[test]
fn two_processes_on_one_file_write_whole_rows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    let children = ["left", "right"].map(|tool| {
        let command = std::process::Command::new(this_binary());
        child(command, "journal::tests::child_that_writes_500_rows", format!("{tool} {}", path.display()))
    });
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let tools = tools_in(&path);
    assert_eq!(tools.len(), 1_000);
    for side in ["left", "right"] {
        let own: Vec<_> = tools.iter().filter(|tool| tool.starts_with(side)).collect();
        let expected: Vec<_> =
            (0..250).flat_map(|number| ["a", "b"].map(|half| format!("{side}-{number}-{half}"))).collect();
        assert!(own.into_iter().eq(&expected), "{side} is whole and in order");
    }
    let report = evidence::Evidence::open(&[path], None).unwrap().verify(None, None).unwrap();
    assert_eq!((report.finding, report.rows, report.signed_up_to), (None, 1_000, 1_000));
}

/// Does nothing but in a child of the test below, which may write 4 KiB or less to one file.
#[test]
fn child_that_meets_a_limit() {
    let Ok(path) = std::env::var(CHILD) else { return };
    let path = Path::new(&path);
    let mut journal = journal(options(path));
    let refused = (0..20).find(|batch| {
        let tools: Vec<_> = (0..3).map(|row| format!("{}", batch * 3 + row)).collect();
        write(&mut journal, &[&tools[0], &tools[1], &tools[2]]).is_err()
    });
    let written = refused.unwrap() * 3 + 3;
    journal.intents(&[ending("t")]).unwrap_err();
    fs::rename(path, path.with_extension("full")).unwrap();
    journal.intents(&[ending("t")]).unwrap();
    write(&mut journal, &[&format!("{written}")]).unwrap();
}

#[cfg(unix)]
#[test]
fn a_batch_that_was_cut_is_completed_without_a_row_twice() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", r#"trap "" XFSZ; ulimit -f 4; exec "$0" "$@""#]).arg(this_binary());
    let job = path.display().to_string();
    assert!(child(limited, "journal::tests::child_that_meets_a_limit", job).wait().unwrap().success());

    // What did not fit was taken back and stands in the next file.
    let full = path.with_extension("full");
    let mut tools = tools_in(&full);
    assert!(!tools.is_empty());
    tools.extend(tools_in(&path));
    let all: Vec<_> = (0..tools.len()).map(|number| number.to_string()).collect();
    assert_eq!(tools, all);
}

#[test]
fn a_long_or_old_file_is_rotated_and_the_chain_goes_on() {
    for by_age in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        let (rotate_bytes, rotate_age) =
            if by_age { (None, Some(Duration::ZERO)) } else { (Some(2_000), None) };
        let mut journal = journal(JournalOptions { rotate_bytes, rotate_age, ..options(&path) });
        for number in 0..10 {
            write(&mut journal, &[&number.to_string()]).unwrap();
        }
        journal.intents(&[ending("t")]).unwrap();
        let earlier = place::Place::of(&path).earlier_files();
        assert!(earlier.len() >= 3, "{earlier:?}");
        let report = evidence::Evidence::open(&[path], None).unwrap().verify(None, None).unwrap();
        assert_eq!((report.finding, report.rows, report.first), (None, 10, 1));
        let alone = evidence::Evidence::open(&earlier[1..2], None).unwrap().verify(None, None).unwrap();
        assert!(alone.finding.is_none() && alone.first > 1, "{alone:?}");
    }
}

#[test]
fn rows_that_are_missing_at_the_end_are_not_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    write(&mut journal(options(&path)), &["one", "two", "three"]).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let first = text.split_inclusive('\n').next().unwrap();
    fs::write(&path, first).unwrap();
    write(&mut journal(options(&path)), &["four"]).unwrap();
    let report = evidence::Evidence::open(&[path], None).unwrap().verify(None, None).unwrap();
    let finding = report.finding.unwrap();
    assert_eq!((finding.wrong, finding.line, finding.seq), (verify::Wrong::Gap, 2, 4));
}

#[test]
fn rows_of_an_earlier_version_stay_and_prove_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    fs::write(&path, "{\"tool_name\":\"old\"}\n").unwrap();
    write(&mut journal(options(&path)), &["new"]).unwrap();
    let report =
        evidence::Evidence::open(std::slice::from_ref(&path), None).unwrap().verify(None, None).unwrap();
    assert_eq!((report.finding, report.rows, report.unchained), (None, 1, 1));
    assert_eq!(tools_in(&path), ["old", "new"]);
}
