//! What the record of one call costs: `cargo bench --bench journal`. Prints one line per setting, nothing else.
#![allow(clippy::print_stdout, reason = "a benchmark's output is its standard output")]
#![allow(clippy::expect_used, reason = "a benchmark that cannot write has nothing to tell")]

use bytes::Bytes;
use callgate::journal::{Journal, JournalOptions, Sync};
use callgate_actors::call::{Call, Hints};
use callgate_actors::ports::{AuditVerdict, Decision, Ending, Findings, Outcome, Record, Verdict};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Calls for one line of the table, where nothing waits for the disk.
const CALLS: u64 = 20_000;
/// Calls where every one of them does.
const SYNCED_CALLS: u64 = 500;

fn main() {
    // `cargo test --all-targets` starts benchmarks too, without this argument.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    println!("{:<34} {:>10} {:>10} {:>10} {:>10}", "per call, µs", "mean", "p50", "p99", "max");
    run("row only, sync off", Sync::Off, CALLS, false);
    run("intent and row, sync off", Sync::Off, CALLS, true);
    run("intent and row, sync 1s", Sync::Every(Duration::from_secs(1)), CALLS, true);
    run("intent and row, sync always", Sync::Always, SYNCED_CALLS, true);
}

fn run(name: &str, sync: Sync, calls: u64, with_intent: bool) {
    let dir = tempfile::tempdir().expect("a folder");
    let mut journal = Journal::open(options(dir.path(), sync));
    let mut took = Vec::new();
    let mut flushed = Instant::now();
    for number in 0..calls {
        let intent = ending(number, Outcome::Unknown);
        let row = ending(number, Outcome::Ok);
        let begun = Instant::now();
        if with_intent {
            journal.intents(std::slice::from_ref(&intent)).expect("an intent");
            wait(&mut journal, sync);
        }
        journal.endings(std::slice::from_ref(&row)).expect("a row");
        wait(&mut journal, sync);
        took.push(begun.elapsed());
        // As the machine does it: beside the calls.
        if let Sync::Every(within) = sync
            && flushed.elapsed() > within
        {
            flushed = Instant::now();
            if let Some(flush) = journal.flush() {
                std::thread::spawn(flush);
            }
        }
    }
    journal.close().expect("closed");
    took.sort();
    let micros = |duration: Duration| duration.as_secs_f64() * 1e6;
    let at = |percent: usize| micros(took[(took.len() - 1) * percent / 100]);
    let mean = micros(took.iter().sum::<Duration>()) / took.len() as f64;
    println!("{name:<34} {mean:>10.2} {:>10.2} {:>10.2} {:>10.2}", at(50), at(99), at(100));
}

fn wait(journal: &mut Journal, sync: Sync) {
    if sync == Sync::Always
        && let Some(flush) = journal.flush()
    {
        flush().expect("the disk");
    }
}

fn options(dir: &Path, sync: Sync) -> JournalOptions {
    JournalOptions {
        path: Some(dir.join("audit.jsonl")),
        state_dir: Some(dir.join("state")),
        required: true,
        sync,
        rotate_bytes: Some(256 << 20),
        rotate_age: None,
        session_id: "cd-0123456789abcdef-1790000000".into(),
        leader_email: "lead@example.com".into(),
        ai_agent: "claude-desktop".into(),
        gateway_id: "claude_desktop.host".into(),
    }
}

fn ending(number: u64, outcome: Outcome) -> Ending {
    let call = Call {
        number,
        received_at: SystemTime::now(),
        backend: "crm".into(),
        tool: "get_customer".into(),
        exposed: "crm__get_customer".into(),
        arguments: Some(Bytes::from_static(
            br#"{"customer_id":"CUST-001","fields":["name","city","since"]}"#,
        )),
        meta: None,
        hints: Hints::default(),
    };
    Ending {
        call: Arc::new(call),
        ended_at: SystemTime::now(),
        duration: Duration::from_millis(3),
        decision: Some(Arc::new(Decision {
            decision_id: "0190e0b0-1111-7222-8333-444455556666".into(),
            trace_id: "0123456789abcdef0123456789abcdef".into(),
            ..Decision::of(Verdict::Allow { arguments: None, redact: true })
        })),
        verdict: AuditVerdict::Allow,
        outcome,
        result: Bytes::from_static(
            br#"{"content":[{"type":"text","text":"Siti Rahayu, Bandung, since 2019"}]}"#,
        ),
        masked: BTreeMap::new(),
        findings: Findings::default(),
    }
}
