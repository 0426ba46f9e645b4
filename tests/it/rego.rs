//! Rules in Rego, through the binary.

use crate::harness::{Gate, STACKED_SQL, Setup, eventually};
use serde_json::{Value, json};
use std::fs;

const RULES: &str = r#"package aaf.policy

deny contains "no secrets" if input.action.params.effect == "secret"
deny contains "no secrets at night" if input.action.params.effect == "secret"
require_approval contains "somebody looks" if input.action.params.effect == "large"
decision := {"decision": "allow", "reason": "known"} if input.action.params.effect == "known"
"#;

fn with_rules(text: &str) -> Setup {
    let setup = Setup::new().env("CALLGATE_APPROVAL_HOLD", "0");
    let path = setup.path("rules.rego");
    fs::write(&path, text).expect("written");
    setup.env("CALLGATE_REGO", &path)
}

/// A folder with these files.
fn with_folder(files: &[(&str, &str)]) -> Setup {
    let setup = Setup::new().env("CALLGATE_APPROVAL_HOLD", "0");
    let folder = setup.path("rules");
    fs::create_dir(&folder).expect("made");
    for (name, text) in files {
        fs::write(format!("{folder}/{name}"), text).expect("written");
    }
    setup.env("CALLGATE_REGO", &folder)
}

fn effect(gate: &Gate, effect: &str) -> crate::harness::Reply {
    gate.call("count", &json!({ "effect": effect }))
}

#[test]
fn the_first_tier_that_speaks_decides_and_is_named() {
    let gate = with_rules(RULES).stub("a", &[]).open();
    let denied = effect(&gate, "secret");
    assert_eq!(denied.code(), -32001);
    assert!(denied.message().contains("no secrets (rego:aaf.policy)"), "{}", denied.message());
    assert_eq!(denied.data()["tier"], "rego");
    assert_eq!(denied.data()["evaluated_policies"], json!(["rego:aaf.policy"]));
    let reasons = denied.data()["reasons"].as_array().map(Vec::len);
    assert_eq!(reasons, Some(2), "all of them are told: {:?}", denied.data());
    let held = effect(&gate, "large");
    assert_eq!((held.code(), &held.data()["tier"]), (-32002, &json!("rego")));
    assert!(held.message().contains("somebody looks"), "{}", held.message());
    assert!(effect(&gate, "known").is_ok() && effect(&gate, "unknown").is_ok());
    let stopped = gate.call("echo", &json!({"q": STACKED_SQL}));
    assert_eq!((stopped.code(), &stopped.data()["tier"]), (-32001, &json!("heuristics")), "they abstain");
    let tier_of = |n: usize| gate.audit_of(5)[n]["tier"].clone();
    assert_eq!(
        (0..5).map(tier_of).collect::<Vec<Value>>(),
        [json!("rego"), json!("rego"), json!("rego"), Value::Null, json!("heuristics")]
    );
    assert_eq!(gate.effects("a"), ["known", "unknown"]);
}

#[test]
fn an_allow_ends_the_matter_and_is_warned_of() {
    let rules = "package aaf.policy\n\ndefault decision := \"allow\"\n";
    let setup = with_rules(rules).stub("a", &[]);
    let path = setup.path("rules.rego");
    let gate = setup.open();
    assert!(gate.call("echo", &json!({"q": STACKED_SQL})).is_ok(), "no other policy is asked");
    gate.wait_for_stderr("rules.rego:3: `default decision` allows every call");
    let (code, stdout, stderr) = Setup::new().run(&["policy", "lint", &path]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("Rego v1") && stdout.contains("never asked"), "{stdout}");
}

#[test]
fn a_rule_of_the_policy_file_is_the_second_tier() {
    let rule = json!({"rules": [{"id": "mine", "action": "block", "when": {"tool": "count"}}]});
    let setup = with_rules(RULES);
    let path = setup.path("policy.json");
    fs::write(&path, rule.to_string()).expect("written");
    let gate = setup.env("CALLGATE_POLICY_FILE", &path).stub("a", &[]).open();
    assert!(effect(&gate, "known").is_ok(), "Rego allows it");
    let denied = effect(&gate, "other");
    assert_eq!(denied.data()["tier"], "stored");
    assert_eq!(denied.data()["evaluated_policies"][0], "mine");
}

#[test]
fn changed_rules_decide_and_broken_ones_leave_the_last_good_set() {
    let deny = |reason: &str| {
        format!("package aaf.policy\ndeny contains \"{reason}\" if input.action.tool == \"count\"\n")
    };
    let gate = with_rules(&deny("first")).stub("a", &[]).open();
    let said = |what: &str| {
        eventually(what, || effect(&gate, "x").error()["message"].as_str()?.contains(what).then_some(()));
    };
    said("first");
    fs::write(gate.path("rules.rego"), deny("second")).expect("written");
    gate.wait_for_stderr("Rego rules reloaded: 1 rules in 1 files, version ");
    said("second");
    fs::write(gate.path("rules.rego"), "package aaf.policy\ndeny contains {\n").expect("written");
    gate.wait_for_stderr("rules.rego:");
    gate.wait_for_stderr("the last good rules stay in force");
    said("second");
    fs::remove_file(gate.path("rules.rego")).expect("removed");
    gate.wait_for_stderr("cannot be read");
    said("second");
    fs::write(gate.path("rules.rego"), deny("third")).expect("written");
    said("third");
    assert_eq!(gate.effects("a"), Vec::<String>::new());
}

#[test]
fn broken_rules_refuse_to_start() {
    for (text, told) in [
        ("package aaf.policy\n\ndeny contains \"x\" if {\n  input.tool ==\n}\n", "rules.rego:5:"),
        ("package other\nx := 1\n", "aaf.policy"),
        ("package aaf.policy\nallow := true\n", "`decision`"),
        (
            "package aaf.policy\ndeny contains \"x\" if f(1)\nf(x) := f(x)\n",
            "rules.rego:3:9: the function f calls itself",
        ),
        ("package aaf.policy\ndeny contains \"x\" if http.send({})\n", "rules.rego:2:"),
    ] {
        let (code, stdout, stderr) = with_rules(text).stub("a", &[]).run(&[]);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{text}{stderr}");
        assert!(stderr.contains(told), "{told} is missing in {stderr}");
    }
    let (code, _, stderr) = Setup::new().env("CALLGATE_REGO", "/nowhere").stub("a", &[]).run(&[]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("CALLGATE_REGO"), "{stderr}");
    let (code, _, stderr) = with_rules(RULES).env("CALLGATE_PDP", "axonflow").stub("a", &[]).run(&[]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("not asked while a remote service decides"), "{stderr}");
}

#[test]
fn what_goes_wrong_denies_and_names_the_line() {
    let rules = r#"package aaf.policy

decision := "deny" if input.action.params.effect == "both"
decision := "allow" if input.action.params.effect == "both"
decision := "perhaps" if input.action.params.effect == "unknown word"
decision := "allow" if startswith(input.action.params.number, "1")
decision := "allow" if {
	input.action.params.effect == "endless"
	some a in numbers.range(1, 3000)
	some b in numbers.range(1, 3000)
	a * b == -1
}
"#;
    let gate = with_rules(rules).stub("a", &[]).open();
    for (arguments, told) in [
        (json!({"effect": "both"}), "rules.rego:"),
        (json!({"effect": "unknown word"}), "\"perhaps\""),
        (json!({"number": 4711}), "rules.rego:6:"),
        (json!({"effect": "endless"}), "longer than 100 ms"),
    ] {
        let denied = gate.call("count", &arguments);
        assert_eq!(denied.code(), -32001, "{arguments}");
        let message = denied.message();
        assert!(message.contains("cannot decide, so the call is denied"), "{message}");
        assert!(message.contains(told) && !message.contains("4711"), "{told} is missing in {message}");
    }
    assert!(effect(&gate, "fine").is_ok(), "an endless rule stops nobody else");
    assert_eq!(gate.effects("a"), ["fine"]);
}

#[test]
fn files_of_both_syntaxes_and_data_stand_side_by_side() {
    let setup = with_folder(&[
        (
            "new.rego",
            "package aaf.policy\ndeny contains \"new\" if input.action.params.effect in data.banned\n",
        ),
        ("old.rego", "package aaf.policy\ndeny[\"old\"] { input.action.params.effect == \"b\" }\n"),
        ("oldest.rego", "package firewall\ndecision = \"deny\" { not input.action.tool in [\"count\"] }\n"),
        ("data.json", r#"{"banned": ["a", "b"]}"#),
        (".hidden.rego", "no rego at all"),
        ("notes.txt", "neither"),
    ])
    .stub("a", &[]);
    let (code, stdout, stderr) = setup.run(&["check"]);
    assert_eq!(code, Some(0), "{stderr}");
    for (file, syntax) in
        [("new.rego", "Rego v1"), ("old.rego", "Rego v0"), ("oldest.rego", "Rego v0"), ("data.json", "data")]
    {
        assert!(stdout.contains(&format!("{file}, {syntax}")), "{file} is missing in {stdout}");
    }
    let gate = setup.open();
    assert_eq!(effect(&gate, "a").data()["reasons"].as_array().map(Vec::len), Some(1));
    assert_eq!(effect(&gate, "b").data()["reasons"].as_array().map(Vec::len), Some(2));
    assert_eq!(gate.call("echo", &json!({})).data()["evaluated_policies"], json!(["rego:firewall"]));
    assert!(effect(&gate, "c").is_ok());
}

#[test]
fn the_commands_know_them() {
    let setup = with_rules(RULES);
    let (_, stdout, stderr) = setup.run(&["policy", "list"]);
    assert!(stdout.starts_with("rego:aaf.policy "), "{stdout}{stderr}");
    let (code, stdout, _) = setup.run(&["policy", "show", "rego:aaf.policy"]);
    let shown: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!((code, &shown["files"][0]["syntax"]), (Some(0), &json!("Rego v1")));
    let call = json!({"tool": "count", "arguments": {"effect": "secret"}}).to_string();
    let (_, stdout, _) = setup.run(&["explain", &call]);
    assert!(stdout.contains("verdict   deny") && stdout.contains("tier      rego"), "{stdout}");
    let tests = setup.path("tests.json");
    let case = json!({"tests": [{"call": {"tool": "x", "arguments": {"effect": "large"}},
        "expect": "require_approval", "by": "rego:aaf.policy"}]});
    fs::write(&tests, case.to_string()).expect("written");
    let rules = setup.path("rules.rego");
    let (code, stdout, stderr) = Setup::new().run(&["policy", "test", &tests, "--rego", &rules]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    let (code, stdout, _) = Setup::new().run(&["policy", "test", &tests]);
    assert_eq!(code, Some(1), "{stdout}");
}

#[test]
fn the_service_asks_them_too() {
    let service = with_rules(RULES).service("pdp", &[]);
    let answer = service.decide(r#"tool_call: count args: {"effect":"secret"}"#);
    assert_eq!((&answer["verdict"], &answer["tier"]), (&json!("deny"), &json!("rego")), "{answer}");
    let answer = service.decide(r#"tool_call: count args: {"effect":"other"}"#);
    assert_eq!((&answer["verdict"], &answer["tier"]), (&json!("allow"), &Value::Null), "{answer}");
    let body = json!({"connector_type": "db", "statement": r#"{"effect":"secret"}"#});
    let checked = service.post("/api/v1/mcp/check-input", &body);
    assert_eq!(checked.status, 403, "{}", checked.text);
    // Who only masks what was decided already is not asked about the call again.
    let body = json!({"connector_type": "claude-desktop-proxy", "statement": r#"{"effect":"secret"}"#});
    assert_eq!(service.post("/api/v1/mcp/check-input", &body).status, 200);
}
