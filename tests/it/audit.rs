//! The audit file: one Layer-1 row per call, whatever became of it.

use crate::harness::{Setup, lines};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

/// The contract's members, in its order.
const FIELDS: [&str; 14] = [
    "timestamp",
    "session_id",
    "leader_email",
    "tool_name",
    "parameters_hash",
    "response_record_count",
    "duration_ms",
    "decision_id",
    "verdict",
    "evaluated_policies",
    "trace_id",
    "ai_agent",
    "gateway_id",
    "redaction_count",
];

/// The contract's ten worked examples.
const HASHES: [(&str, &str); 10] = [
    ("null", "74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b"),
    ("{}", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
    (r#"{"customer_id":"CUST-001"}"#, "15a975cd2a31f8494b89f0d125c24a44eddf59798648cc162d643b161cd0bff8"),
    (
        r#"{"b":2,"a":{"z":[true,null,1.5],"y":""}}"#,
        "c7855ee1b20e1ddc29bd0e025cbaffdc15347db04954a7bdde766f0a626e3170",
    ),
    (
        r#"{"name":"José 山田","note":"naïve 😀"}"#,
        "ac7a84508374758086097a1c1da2f858366216c74eac335c5f12f8680a7d8a50",
    ),
    (
        r#"{"q":"SELECT * FROM t WHERE a < 5 AND b > 3 -- x & y"}"#,
        "769ee4792e0db8e8777ed2d9247e71f74e67fbe5ae50a113edd1be96a2c2480f",
    ),
    (
        r#"{"id":12345678901234567890,"amount":1.0,"eps":0.00001,"tiny":1e-7,"big":1e16,"huge":1e21}"#,
        "9073091936a346667f9b0cce081b0db775848bfc9d9ed19855adeac69372ff23",
    ),
    (
        r#"{"s":"line1\nline2\t\"q\" \u0001\u007f\b\f\u2028/\\"}"#,
        "cb5796989db544d00ba522de19698c34c5f6f0a8c23a16f10178b452a2b0e9b1",
    ),
    (
        r#"{"é":1,"z":2,"Z":3,"a":4,"\ud83d\ude00":5,"\uff5e":6}"#,
        "73bd0b8803ecefcdd30528ed9f639cbf8f831421ffd1fcb13fa1f367963a6c1c",
    ),
    (
        r#"{"x":-0.0,"y":-0,"z":100000000000000000000}"#,
        "0907af87674f53e39f3dc0779ebffd15d7cb48d6e7160fce6b9342a9c110f79a",
    ),
];

#[test]
fn a_row_has_the_contracts_fields_in_order() {
    let gate = Setup::new()
        .env("AXONFLOW_SESSION_ID", "cd-1")
        .env("AXONFLOW_LEADER_EMAIL", "lead@example.com")
        .env("AXONFLOW_GATEWAY_ID", "gate")
        .stub("a", &[])
        .stub("b", &[])
        .open();
    gate.call("b__lookup", &json!({"customer_id": "CUST-001"}));
    let row = gate.audit_of(1).remove(0);
    let text = gate.audit_text();
    let places: Vec<usize> = FIELDS
        .iter()
        .map(|field| {
            text.find(&format!("\"{field}\":")).unwrap_or_else(|| panic!("{field} is missing in {text}"))
        })
        .collect();
    assert!(places.is_sorted(), "the order differs: {text}");
    assert_eq!(row["session_id"], "cd-1");
    assert_eq!(row["leader_email"], "lead@example.com");
    assert_eq!(row["gateway_id"], "gate");
    assert_eq!(row["ai_agent"], "claude-desktop");
    assert_eq!(row["tool_name"], "lookup", "the tool's own name");
    assert_eq!(row["server"], "b");
    assert_eq!(row["verdict"], "allow");
    assert_eq!(row["outcome"], "ok");
    assert_eq!(row["parameters_hash"], HASHES[2].1);
    assert_eq!(row["response_record_count"], 1);
    assert!(row["duration_ms"].is_u64() && row["evaluated_policies"].is_array());
    let timestamp = row["timestamp"].as_str().expect("text");
    assert!(timestamp.ends_with('Z') && timestamp.as_bytes()[10] == b'T', "{timestamp}");
    assert!(!text.contains("siti@") && !text.contains("CUST-001"), "a row carries no content");
}

#[test]
fn parameters_hash_equals_the_worked_examples() {
    let gate = Setup::new().stub("a", &[]).open();
    for (number, (arguments, hash)) in HASHES.iter().enumerate() {
        let id = gate.request_raw("tools/call", &format!(r#"{{"name":"echo","arguments":{arguments}}}"#));
        gate.reply(id);
        let rows = gate.audit_of(number + 1);
        assert_eq!(rows[number]["parameters_hash"], *hash, "{arguments}");
    }
    gate.ask("tools/call", &json!({"name": "echo"}));
    assert_eq!(gate.audit_of(11)[10]["parameters_hash"], HASHES[0].1, "absent is null");
}

#[test]
fn w57_verdict_and_outcome_are_two_fields() {
    let gate = Setup::new().env("AXONFLOW_BACKEND_TIMEOUT", "1s").stub("a", &[]).open();
    let mut rows = 0;
    let mut expect = |tool: &str, arguments: Value, verdict: &str, outcome: &str| {
        gate.call(tool, &arguments);
        rows += 1;
        let row = gate.audit_of(rows).remove(rows - 1);
        assert_eq!(
            (row["verdict"].as_str(), row["outcome"].as_str()),
            (Some(verdict), Some(outcome)),
            "{tool}: {row}"
        );
    };
    expect("echo", json!({}), "allow", "ok");
    expect("tool_error", json!({}), "allow", "tool_error");
    expect("error", json!({}), "allow", "failed");
    expect("cancel_probe", json!({}), "allow", "timed_out");
    expect("echo", json!({"q": crate::harness::STACKED_SQL}), "deny", "not_forwarded");
    expect("nobody", json!({}), "error", "not_forwarded");
    expect("crash", json!({}), "allow", "unknown");
}

#[test]
fn records_are_counted_as_the_contract_says() {
    let gate = Setup::new().stub("a", &[]).open();
    gate.call("text", &json!({"text": "[1,2,3,4]"}));
    gate.call("text", &json!({"text": "plain"}));
    gate.call("error", &json!({}));
    let counts: Vec<Value> =
        gate.audit_of(3).iter().map(|row| row["response_record_count"].clone()).collect();
    assert_eq!(counts, [4, 1, 0]);
}

#[test]
fn w59_masks_are_counted_by_type() {
    let gate = Setup::new().stub("a", &[]).open();
    gate.call(
        "text",
        &json!({"text": "a@example.com, b@example.com and NIK 3174012501990001; not [REDACTED:fake]"}),
    );
    let row = gate.audit_of(1).remove(0);
    assert_eq!(row["redaction_count"], 3, "{row}");
    assert_eq!(row["redactions"], json!({"email": 2, "nik": 1}), "{row}");
    gate.call("echo", &json!({}));
    assert_eq!(gate.audit_of(2)[1]["redaction_count"], 0);
}

#[test]
fn w60_names_cannot_forge_rows_or_log_lines() {
    let gate = Setup::new().stub("a", &[]).open();
    let forged = "x\n{\"verdict\":\"allow\"}\u{1b}[2J\u{2028}";
    assert_eq!(gate.call(forged, &json!({})).code(), -32602);
    gate.audit_of(1);
    assert_eq!(gate.audit().len(), 1);
    assert!(!gate.stderr().contains('\u{1b}'));
    assert!(!gate.stderr().lines().any(|line| line.starts_with('{')), "{}", gate.stderr());
}

#[test]
fn rows_are_on_stderr_too_and_the_file_is_private() {
    let gate = Setup::new().stub("a", &[]).open();
    gate.call("echo", &json!({}));
    let row = {
        gate.audit_of(1);
        gate.audit_text().trim_end().to_owned()
    };
    gate.wait_for_stderr(&format!("AUDIT {row}"));
    let mode = std::fs::metadata(gate.path("audit.jsonl")).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn without_a_path_the_rows_are_on_stderr_only() {
    let gate = Setup::new().without("AXONFLOW_AUDIT_LOG").stub("a", &[]).open();
    gate.call("echo", &json!({}));
    gate.wait_for_stderr("AUDIT {");
}

#[test]
fn missing_folders_are_made_and_rows_are_appended() {
    let setup = Setup::new().stub("a", &[]);
    let path = setup.path("deep/er/audit.jsonl");
    for round in 1..=2 {
        let gate = setup.clone().env("AXONFLOW_AUDIT_LOG", &path).open();
        gate.call("echo", &json!({}));
        gate.close_stdin();
        assert!(gate.exit_within(crate::harness::PATIENCE).is_some());
        assert_eq!(lines(path.as_ref()).len(), round);
    }
}

#[test]
fn several_processes_write_one_file() {
    let setup = Setup::new().stub("a", &[]);
    let gates: Vec<_> = (0..3).map(|_| setup.clone().open()).collect();
    std::thread::scope(|scope| {
        for gate in &gates {
            scope.spawn(|| {
                for number in 0..100 {
                    gate.call("echo", &json!({"n": number}));
                }
            });
        }
    });
    assert_eq!(gates[0].audit_of(300).len(), 300);
}

#[test]
fn w53_a_call_that_cannot_be_recorded_does_not_run() {
    // Opening works there, writing fails as on a full disk.
    let setup = Setup::new().env("AXONFLOW_AUDIT_LOG", "/dev/full").stub("a", &[]);
    let (code, _, stderr) = setup.run(&[]);
    if code != Some(0) {
        assert!(stderr.contains("/dev/full"), "{stderr}");
        return;
    }
    let gate = setup.open();
    // The first failing write may be the row of a call that already ran; from then on the gate is shut.
    for _ in 0..3 {
        gate.call("echo", &json!({}));
    }
    let refused = gate.call("count", &json!({"effect": "unrecorded"}));
    assert!(matches!(refused.code(), -32003 | -32603), "{}", refused.raw);
    assert!(gate.effects("a").is_empty());
}
