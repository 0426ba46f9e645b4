//! The operator's own rules and the commands about policies, through the binary.

use crate::harness::{Gate, STACKED_SQL, Setup, eventually};
use serde_json::{Value, json};
use std::fs;

fn rule(id: &str, when: &Value) -> Value {
    json!({"id": id, "action": "block", "message": format!("{id} says no"), "when": when})
}

fn with_file(file: &Value) -> Setup {
    let setup = Setup::new();
    let path = setup.path("policy.json");
    fs::write(&path, file.to_string()).expect("written");
    setup.env("CALLGATE_POLICY_FILE", &path)
}

fn rewrite(gate: &Gate, text: &str) {
    fs::write(gate.path("policy.json"), text).expect("written");
}

#[test]
fn a_rule_of_ones_own_stops_a_call_and_says_so() {
    let rules = [
        rule(
            "no-secret-rows",
            &json!({"tool": "count", "backend": "a", "arguments": {"/effect": {"glob": "secret*"}}}),
        ),
        rule("no-reading", &json!({"annotations": {"readOnlyHint": true}})),
    ];
    let gate = with_file(&json!({ "rules": rules })).stub("a", &[]).open();
    let denied = gate.call("count", &json!({"effect": "secret-1"}));
    assert_eq!(denied.code(), -32001);
    assert!(denied.message().contains("no-secret-rows says no"), "{}", denied.message());
    assert_eq!(denied.data()["evaluated_policies"][0], "no-secret-rows");
    assert!(gate.call("count", &json!({"effect": "plain"})).is_ok());
    assert_eq!(gate.effects("a"), ["plain"]);
    assert_eq!(gate.call("read_count", &json!({})).code(), -32001, "the backend annotates it as read-only");
    assert_eq!(gate.call("echo", &json!({"q": STACKED_SQL})).code(), -32001, "the shipped policies go on");
}

#[test]
fn a_rate_holds_calls_back() {
    let rate = rule("slowly", &json!({"tool": "count", "rate": {"calls": 2, "per": "1h"}}));
    let gate = with_file(&json!({ "rules": [rate] })).stub("a", &[]).open();
    let codes: Vec<bool> =
        (0..4).map(|n| gate.call("count", &json!({"effect": n.to_string()})).is_ok()).collect();
    assert_eq!(codes, [true, true, false, false]);
    assert!(gate.call("echo", &json!({})).is_ok());
}

#[test]
fn a_changed_file_decides_and_a_broken_or_lost_one_leaves_the_last_good_set() {
    let stop =
        |tool: &str| json!({"rules": [rule(&format!("stop-{tool}"), &json!({"tool": tool}))]}).to_string();
    let gate = with_file(&json!({"rules": []})).stub("a", &[]).open();
    assert!(gate.call("echo", &json!({})).is_ok());

    rewrite(&gate, &stop("echo"));
    gate.wait_for_stderr("policy file reloaded: 1 rules, version ");
    assert!(gate.call("echo", &json!({})).message().contains("stop-echo"));

    rewrite(&gate, "{\"rules\": [{]}");
    gate.wait_for_stderr("not JSON");
    gate.wait_for_stderr("the last good rules stay in force");
    assert!(gate.call("echo", &json!({})).message().contains("stop-echo"));

    // As editors do: a new file is put in its place.
    fs::write(gate.path("new"), stop("count")).expect("written");
    fs::rename(gate.path("new"), gate.path("policy.json")).expect("renamed");
    eventually("the new file decides", || gate.call("echo", &json!({})).is_ok().then_some(()));
    assert!(gate.call("count", &json!({"effect": "x"})).message().contains("stop-count"));

    fs::remove_file(gate.path("policy.json")).expect("removed");
    gate.wait_for_stderr("cannot be read");
    assert!(gate.call("count", &json!({"effect": "x"})).message().contains("stop-count"));
    assert_eq!(gate.stderr().matches("not JSON").count(), 1, "told once for each change");
    assert_eq!(gate.effects("a"), Vec::<String>::new());
}

#[test]
fn a_broken_file_refuses_to_start() {
    let file = json!({"rules": [rule("x", &json!({"tol": "echo"}))]});
    let (code, stdout, stderr) = with_file(&file).stub("a", &[]).run(&[]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
    for told in ["policy.json:1:", "/rules/0/when/tol", "did you mean \"tool\""] {
        assert!(stderr.contains(told), "{told} is missing in {stderr}");
    }
    let (code, _, stderr) = Setup::new().env("CALLGATE_POLICY_FILE", "/nowhere.json").stub("a", &[]).run(&[]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("CALLGATE_POLICY_FILE"), "{stderr}");
    let asked = with_file(&json!({})).env("CALLGATE_PDP", "axonflow").stub("a", &[]);
    let (code, _, stderr) = asked.run(&[]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("are not asked while AxonFlow decides"), "{stderr}");
}

#[test]
fn the_list_says_what_is_done_here_and_why() {
    let over = json!({"policy_id": "sys_sqli_drop_table", "action": "warn", "reason": "a test"});
    let setup = with_file(&json!({"rules": [rule("mine", &json!({"tool": "x"}))], "overrides": [over]}))
        .env("PII_ACTION", "block");
    let (code, stdout, stderr) = setup.run(&["policy", "list", "--json"]);
    assert_eq!(code, Some(0), "{stderr}");
    let rows: Vec<Value> = serde_json::from_str(&stdout).expect("a JSON array");
    let row = |id: &str| rows.iter().find(|row| row["policy_id"] == id).unwrap_or_else(|| panic!("no {id}"));
    assert_eq!((&row("mine")["source"], &row("mine")["action"]), (&json!("policy file"), &json!("block")));
    let dropping = row("sys_sqli_drop_table");
    assert_eq!((&dropping["source"], &dropping["action"]), (&json!("override"), &json!("warn/warn")));
    assert_eq!(row("sys_pii_email")["source"], "setting");
    assert_eq!(row("sys_dangerous_destructive_fs")["source"], "shipped");
    let (_, table, _) = setup.run(&["policy", "list", "--category", "custom"]);
    assert_eq!(table.lines().count(), 1, "{table}");
    assert!(table.starts_with("mine"), "{table}");

    let (code, shown, _) = setup.run(&["policy", "show", "sys_sqli_drop_table"]);
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(code, Some(0));
    assert_eq!(shown["overrides"][0]["reason"], "a test");
    let (_, shown, _) = setup.run(&["policy", "show", "mine"]);
    assert!(shown.contains("mine says no") && shown.contains("\"when\""), "{shown}");
    let (code, _, stderr) = setup.run(&["policy", "show", "sys_sqli_drop_tabel"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("did you mean sys_sqli_drop_table"), "{stderr}");
}

#[test]
fn files_are_checked_and_their_tests_are_run() {
    let setup = Setup::new();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/config/policy.example.json");
    let (code, stdout, stderr) = setup.run(&["policy", "lint", example]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("6 rules, 1 overrides, 13 tests"), "{stdout}");
    let (code, stdout, stderr) = setup.run(&["policy", "test", example]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert!(stdout.contains("13 of 13 tests hold"), "{stdout}");

    let wrong = setup.path("wrong.json");
    let case = json!({"name": "echo goes", "call": {"tool": "echo"}, "expect": "allow"});
    fs::write(&wrong, json!({"rules": [rule("r", &json!({"tool": "echo"}))], "tests": [case]}).to_string())
        .expect("written");
    let (code, stdout, _) = setup.run(&["policy", "test", &wrong]);
    assert_eq!(code, Some(1));
    assert!(stdout.contains("FAILED  echo goes: expected allow; spoke: r (block)"), "{stdout}");
    fs::write(&wrong, r#"{"rules": [{"id": "r", "action": "allow", "when": {"tool": "x"}}]}"#)
        .expect("written");
    for command in ["lint", "test"] {
        let (code, _, stderr) = setup.run(&["policy", command, &wrong]);
        assert_eq!(code, Some(2));
        assert!(stderr.contains("a rule cannot allow"), "{stderr}");
    }
}

#[test]
fn a_call_is_explained() {
    let setup =
        with_file(&json!({"rules": [rule("mine", &json!({"tool": "query"}))]})).env("PII_ACTION", "redact");
    let call = json!({"backend": "db", "tool": "query", "arguments": {"sql": "DROP TABLE users", "to": "jane@acme.co.id"}});
    let (code, stdout, stderr) = setup.run_with(&["explain", "--json"], &call.to_string());
    assert_eq!(code, Some(0), "{stderr}");
    let told: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(told["verdict"], "deny");
    let spoke: Vec<&str> = told["matched"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|found| found["policy_id"].as_str())
        .collect();
    for id in ["mine", "sys_sqli_drop_table", "sys_pii_email"] {
        assert!(spoke.contains(&id), "{id} is missing in {spoke:?}");
    }
    assert!(
        told["signals"].as_array().is_some_and(|signals| signals.contains(&json!("sql-drop-table"))),
        "{told}"
    );
    assert_eq!(told["masked"]["to"], "[REDACTED:email]");
    assert_eq!(told["policy_version"].as_str().map(str::len), Some(64));

    let (code, stdout, _) = setup.run(&["explain", r#"{"tool":"echo","arguments":{"a":1}}"#]);
    assert_eq!(code, Some(0));
    assert!(stdout.starts_with("verdict   allow\n"), "{stdout}");
    let (code, _, stderr) = setup.run(&["explain", "{"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("call:1"), "{stderr}");
}

#[test]
fn lines_are_judged_as_calls_and_as_answers() {
    let setup = Setup::new();
    let lines: String = (0..500)
        .map(|n| match n % 2 {
            0 => format!("{{\"id\":{n},\"text\":\"1; DROP TABLE users\"}}\n"),
            _ => format!("{{\"id\":{n},\"text\":\"ask jane@acme.co.id\"}}\n"),
        })
        .collect();
    let (code, stdout, stderr) = setup.run_with(&["scan", "--phase", "request", "--stats"], &lines);
    assert_eq!(code, Some(0), "{stderr}");
    let said: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(said.len(), 501);
    assert_eq!(
        (&said[0]["id"], &said[0]["flagged"], &said[0]["action"]),
        (&json!(0), &json!(true), &json!("block"))
    );
    assert_eq!(said[500]["stats"]["lines"], 500);
    let (_, stdout, _) = setup.run_with(&["scan", "--phase", "response"], &lines);
    let second: Value = serde_json::from_str(stdout.lines().nth(1).expect("a line")).expect("JSON");
    assert_eq!(second["redacted"], "ask [REDACTED:email]");
    assert_eq!((&second["types"], &second["action"]), (&json!(["email"]), &json!("redact")));
}
