//! Rules as they are written, asked about calls.

use super::cases::WrittenCall;
use super::file::{self, PolicyFile};
use crate::policy::authority::{Judgement, PolicySet};
use crate::policy::builder::PolicySetBuilder;
use crate::policy::model::Action;
use crate::policy::posture::Posture;
use proptest::prelude::*;
use serde_json::{Value, json};

fn read(file: &Value) -> PolicyFile {
    let text = serde_json::to_string_pretty(file).expect("JSON");
    file::parse(&text, "policy.json", Some("/home/ada"))
        .unwrap_or_else(|faults| panic!("{faults:#?}\n{text}"))
}

fn set(file: &PolicyFile) -> PolicySet {
    let mut parts = PolicySetBuilder::new(Posture::default());
    parts.set_file(file.rules.clone(), file.overrides.clone());
    parts.build().expect("sound")
}

fn judge(set: &PolicySet, call: &Value) -> Judgement {
    let call = WrittenCall::parse(&call.to_string(), "call").unwrap_or_else(|faults| panic!("{faults:#?}"));
    call.judge(set, "desk").expect("judged")
}

/// Whether a rule with this `when` speaks of the call.
fn speaks(when: &Value, call: &Value) -> bool {
    let file = read(&json!({"rules": [{"id": "own", "action": "log", "when": when}]}));
    judge(&set(&file), call).matched.iter().any(|found| found.policy_id == "own")
}

fn faults(file: &str) -> Vec<String> {
    match file::parse(file, "policy.json", None) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn every_condition_speaks_when_it_should_and_only_then() {
    let friday = "2026-11-20T10:00:00Z";
    for (when, call, right) in [
        (json!({"backend": "crm"}), json!({"backend": "crm", "tool": "x"}), true),
        (json!({"backend": ["crm", "led*"]}), json!({"backend": "ledger"}), true),
        (json!({"backend": "crm"}), json!({"backend": "crm2"}), false),
        (json!({"tool": "delete_*"}), json!({"tool": "delete_user"}), true),
        (json!({"tool": ["a", "b"], "backend": "x"}), json!({"tool": "b", "backend": "x"}), true),
        (json!({"tool": ["a", "b"], "backend": "x"}), json!({"tool": "b", "backend": "y"}), false),
        (json!({"agent": "nightly-*"}), json!({"agent": "nightly-1"}), true),
        (json!({"agent": "desk"}), json!({"tool": "x"}), true),
        (json!({"annotations": {"destructiveHint": true}}), json!({"tool": "x"}), true),
        (
            json!({"annotations": {"destructiveHint": true}}),
            json!({"annotations": {"readOnlyHint": true}}),
            false,
        ),
        (
            json!({"annotations": {"openWorldHint": false}}),
            json!({"annotations": {"openWorldHint": false}}),
            true,
        ),
        (
            json!({"arguments": {"/a/*/b": {"equals": 2}}}),
            json!({"arguments": {"a": [{"b": 1}, {"b": 2.0}]}}),
            true,
        ),
        (json!({"arguments": {"/a": {"in": ["x", "y"]}}}), json!({"arguments": {"a": "y"}}), true),
        (json!({"arguments": {"/a": {"in": ["x", "y"]}}}), json!({"arguments": {"a": "z"}}), false),
        (json!({"arguments": {"/a": {"regex": "^prod-\\d+$"}}}), json!({"arguments": {"a": "prod-7"}}), true),
        (
            json!({"arguments": {"/**/a": {"glob": "*.key"}}}),
            json!({"arguments": {"x": [{"a": "my.key"}]}}),
            true,
        ),
        (json!({"arguments": {"/n": {"min": 100, "max": 200}}}), json!({"arguments": {"n": "150"}}), true),
        (json!({"arguments": {"/n": {"min": 100, "max": 200}}}), json!({"arguments": {"n": 201}}), false),
        (json!({"arguments": {"/n": {"not": {"max": 100}}}}), json!({"arguments": {"n": "lots"}}), true),
        (json!({"arguments": {"/x": {"exists": false}}}), json!({"tool": "x"}), true),
        (json!({"arguments": {"/x": {"exists": true}}}), json!({"arguments": {"x": null}}), true),
        (
            json!({"arguments": {"/p": {"not": {"path_under": "~/docs"}}}}),
            json!({"arguments": {"p": "~/docs/../.ssh"}}),
            true,
        ),
        (
            json!({"arguments": {"/p": {"not": {"path_under": "~/docs"}}}}),
            json!({"arguments": {"p": "~/docs/a"}}),
            false,
        ),
        (
            json!({"arguments": {"/p": {"not": {"path_under": "~/docs"}}}}),
            json!({"arguments": {"p": "~/docs/%2e%2e/x"}}),
            true,
        ),
        (
            json!({"arguments": {"/u": {"not": {"url_host_in": ["*.acme.com"]}}}}),
            json!({"arguments": {"u": "https://api.acme.com@evil.net"}}),
            true,
        ),
        (
            json!({"arguments": {"/u": {"not": {"url_host_in": ["*.acme.com"]}}}}),
            json!({"arguments": {"u": "https://api.acme.com/x"}}),
            false,
        ),
        (
            json!({"time": {"days": ["fri"], "from": "09:00", "to": "17:00", "zone": "UTC"}}),
            json!({"at": friday}),
            true,
        ),
        (
            json!({"time": {"from": "09:00", "to": "17:00", "zone": "UTC", "outside": true}}),
            json!({"at": friday}),
            false,
        ),
        (
            json!({"text": {"contains": "Bluebird"}}),
            json!({"arguments": {"x": ["about BLUE\u{200b}BIRD"]}}),
            true,
        ),
        (json!({"text": {"regex": "^a$"}}), json!({"arguments": {"x": "b"}}), false),
        (json!({"any": [{"tool": "a"}, {"backend": "b"}]}), json!({"backend": "b"}), true),
        (json!({"tool": "*", "not": {"backend": "b"}}), json!({"backend": "b"}), false),
    ] {
        assert_eq!(speaks(&when, &call), right, "{when} on {call}");
    }
}

#[test]
fn the_stronger_action_wins_whoever_says_it() {
    let rule = |id: &str, action: &str| json!({"id": id, "action": action, "when": {"tool": id}, "message": "ask ops"});
    let file = read(
        &json!({"rules": [rule("stop", "block"), rule("ask", "require_approval"), rule("note", "log")]}),
    );
    let set = set(&file);
    let stopped = judge(&set, &json!({"tool": "stop"}));
    assert_eq!(stopped.action, Some(Action::Block));
    assert_eq!(stopped.matched[0].reason(), "ask ops (stop)");
    assert_eq!(stopped.matched[0].category, "custom");
    let drop = json!({"sql": "DROP TABLE users"});
    for tool in ["ask", "note"] {
        let judged = judge(&set, &json!({"tool": tool, "arguments": drop}));
        assert_eq!(judged.action, Some(Action::Block), "a rule weakens nothing");
        assert_eq!(judged.matched[0].policy_id, "sys_sqli_drop_table");
        assert!(judged.matched.iter().any(|found| found.policy_id == tool));
    }
    let shipped = PolicySet::shipped(Posture::default()).expect("sound");
    assert_eq!(judge(&set, &json!({})).evaluated, judge(&shipped, &json!({})).evaluated + 3);
}

#[test]
fn masking_without_anything_to_mask_passes() {
    let file = read(&json!({"rules": [{"id": "mask", "action": "redact", "when": {"tool": "send"}}]}));
    let judged = judge(&set(&file), &json!({"tool": "send", "arguments": {"a": 1}}));
    assert_eq!((judged.action, judged.masked.as_deref()), (Some(Action::Redact), Some(&b"{\"a\":1}"[..])));
    let judged = judge(&set(&file), &json!({"tool": "send", "arguments": {"a": "jane@acme.co.id"}}));
    assert_eq!(judged.masked.as_deref(), Some(&b"{\"a\":\"[REDACTED:email]\"}"[..]));
}

#[test]
fn a_switched_off_rule_is_not_asked() {
    let file =
        read(&json!({"rules": [{"id": "off", "enabled": false, "action": "block", "when": {"tool": "*"}}]}));
    assert_eq!(file.rules.enabled(), 0);
    assert_eq!(judge(&set(&file), &json!({"tool": "x"})).action, None);
}

#[test]
fn a_rate_counts_only_what_else_holds_and_survives_a_reload() {
    let limited =
        json!({"id": "slow", "action": "block", "when": {"tool": "send", "rate": {"calls": 2, "per": "1m"}}});
    let other = json!({"id": "other", "action": "log", "when": {"tool": "x"}});
    let first = read(&json!({"rules": [limited]}));
    let set = set(&first);
    let at = "2026-11-20T10:00:00Z";
    let call = |tool: &str| json!({"tool": tool, "at": at});
    for _ in 0..3 {
        assert_eq!(judge(&set, &call("read")).action, None);
    }
    assert_eq!(judge(&set, &call("send")).action, None);
    let mut parts = set.parts().clone();
    let second = read(&json!({"rules": [other, limited]}));
    parts.set_file(second.rules, Vec::new());
    let set = parts.build().expect("sound");
    assert_eq!(judge(&set, &call("send")).action, None);
    assert_eq!(judge(&set, &call("send")).action, Some(Action::Block));
    assert_eq!(judge(&set, &json!({"tool": "send", "agent": "somebody", "at": at})).action, None);
}

#[test]
fn rules_on_answers_see_their_text() {
    let file = read(&json!({"rules": [
        {"id": "leak", "phase": "response", "action": "block", "when": {"text": {"contains": "TOP SECRET"}, "backend": "db"}}
    ]}));
    let set = set(&file);
    let asked = |phase: &str| {
        judge(&set, &json!({"backend": "db", "phase": phase, "text": "this is top secret"})).action
    };
    assert_eq!((asked("response"), asked("request")), (Some(Action::Block), None));
}

#[test]
fn what_is_wrong_is_told_with_place_and_way_out() {
    let rule = |members: &str| format!("{{\"rules\": [\n  {{\"id\": \"a\", {members}}}\n]}}");
    for (file, wanted) in [
        ("{", "policy.json:1: not JSON: EOF while parsing an object in column 1"),
        ("[]", "policy.json:1:1: is a list; write an object"),
        (
            r#"{"rule": []}"#,
            r#"policy.json:1:10 /rule: the key "rule" is not known here; did you mean "rules""#,
        ),
        (
            &rule(r#""action": "block", "when": {"tol": "x"}"#),
            r#"policy.json:2:50 /rules/0/when/tol: the key "tol" is not known here; did you mean "tool""#,
        ),
        (&rule(r#""action": "deny", "when": {"tool": "x"}"#), "write one of block, require_approval"),
        (&rule(r#""action": "allow", "when": {"tool": "x"}"#), "a rule cannot allow"),
        (&rule(r#""action": "block""#), "/rules/0: has no \"when\"; add \"when\""),
        (&rule(r#""action": "block", "when": {}"#), "holds no condition"),
        (
            &rule(r#""action": "block", "when": {"arguments": {"/a": {"regex": "("}}}"#),
            "/rules/0/when/arguments/~1a/regex: \"(\" is no regular expression: unclosed group",
        ),
        (
            &rule(r#""action": "block", "when": {"arguments": {"a": {"equals": 1}}}"#),
            "begins with \"/\"; write \"/a\"",
        ),
        (
            &rule(r#""action": "block", "when": {"time": {"from": "9"}}"#),
            "\"9\" is no time of day; write it as 09:00",
        ),
        (
            &rule(r#""action": "block", "when": {"time": {"from": "09:00", "zone": "Mars"}}"#),
            "is no time zone",
        ),
        (
            &rule(r#""action": "block", "when": {"tool": "x", "rate": {"calls": 0, "per": "1m"}}"#),
            "from 1 to 10000",
        ),
        (
            &rule(r#""action": "block", "when": {"any": [{"rate": {"calls": 1, "per": "1m"}}]}"#),
            "a rate cannot stand in",
        ),
        (
            &rule(r#""phase": "response", "action": "block", "when": {"arguments": {"/a": {"equals": 1}}}"#),
            "an answer has no arguments",
        ),
        (
            &rule(r#""action": "block", "when": {"arguments": {"/a": {"path_under": "~/x"}}}"#),
            "has no home directory",
        ),
        (
            &rule(r#""action": "block", "when": {"arguments": {"/a": {"url_host_in": "https://x"}}}"#),
            "is no host",
        ),
        (
            &rule(r#""action": "block", "action": "log", "when": {"tool": "x"}"#),
            "the key \"action\" stands here twice",
        ),
        (
            r#"{"rules": [{"id": "sys_sqli_drop_table", "action": "log", "when": {"tool": "x"}}]}"#,
            "is a shipped policy",
        ),
        (
            r#"{"rules": [{"id": "a", "action": "log", "when": {"tool": "x"}}, {"id": "a", "action": "log", "when": {"tool": "x"}}]}"#,
            "stands at /rules/0 already",
        ),
        (
            r#"{"overrides": [{"policy_id": "sys_sqli_drop_tabel", "action": "warn", "reason": "x"}]}"#,
            "did you mean \"sys_sqli_drop_table\"",
        ),
        (r#"{"overrides": [{"policy_id": "sys_sqli_drop_table", "action": "warn"}]}"#, "has no \"reason\""),
        (
            r#"{"overrides": [{"policy_id": "sys_sqli_drop_table", "reason": "x"}]}"#,
            "says not what is to change",
        ),
        (
            r#"{"overrides": [{"policy_id": "sys_sqli_drop_table", "action": "redact", "reason": "x"}]}"#,
            "cannot be masked",
        ),
        (
            r#"{"overrides": [{"policy_id": "sys_sqli_drop_table", "enabled": false, "reason": "x", "expires_at": "soon"}]}"#,
            "\"soon\" is no time",
        ),
        (r#"{"tests": [{"call": {"tool": "x"}, "expect": "deny"}]}"#, "write one of allow, block"),
        (r#"{"tests": [{"call": {"tol": "x"}, "expect": "allow"}]}"#, "/tests/0/call/tol"),
    ] {
        let told = faults(file);
        assert!(told.iter().any(|fault| fault.contains(wanted)), "{wanted}\n{file}\n{told:#?}");
        assert!(told.iter().all(|fault| fault.starts_with("settings: policy.json:")), "{told:#?}");
    }
}

#[test]
fn everything_wrong_is_told_at_once() {
    let told =
        faults(r#"{"rules": [{"id": "!", "action": "x", "when": {"tol": 1, "backend": 7}}], "nope": 1}"#);
    assert_eq!(told.len(), 5, "{told:#?}");
}

/// The index leaves out nobody who would speak: the same rules, asked one by one.
fn alike(whens: &[Value], call: &Value) -> (Vec<String>, Vec<String>) {
    let rules: Vec<Value> = whens
        .iter()
        .enumerate()
        .map(|(at, when)| json!({"id": format!("r{at}"), "action": "log", "when": when}))
        .collect();
    let together = judge(&set(&read(&json!({"rules": rules}))), call);
    let mut found: Vec<String> = together.matched.into_iter().map(|found| found.policy_id).collect();
    found.retain(|id| id.starts_with('r'));
    found.sort_unstable();
    let mut wanted: Vec<String> = rules
        .iter()
        // Inside an `any` nothing is indexed.
        .filter(|rule| speaks(&json!({"any": [rule["when"]]}), call))
        .map(|rule| rule["id"].as_str().expect("an id").to_owned())
        .collect();
    wanted.sort_unstable();
    (found, wanted)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_index_leaves_nobody_out(
        picks in proptest::collection::vec((0usize..9, "[ab]", "[ab*]"), 1..14), tool in "[ab]", value in "[ab]{1,2}",
    ) {
        let whens: Vec<Value> = picks
            .iter()
            .map(|(kind, one, glob)| match kind {
                0 => json!({"tool": one, "arguments": {"/x": {"equals": glob}}}),
                1 => json!({"backend": glob, "arguments": {"/x": {"regex": one}}}),
                2 => json!({"arguments": {"/x": {"regex": one}}}),
                3 => json!({"arguments": {"/*": {"glob": [one, format!("{glob}{one}")]}}}),
                4 => json!({"arguments": {"/y": {"exists": false}}, "agent": "desk"}),
                5 => json!({"text": {"contains": [one, "zz"]}}),
                6 => json!({"text": {"regex": one}, "tool": [one, "a"]}),
                7 => json!({"arguments": {"/x": {"not": {"equals": one}}, "/l/0": {"in": [one, 1]}}}),
                _ => json!({"arguments": {"/x": {"in": [one, "ba"], "min_length": 1}}}),
            })
            .collect();
        let call = json!({"tool": tool, "backend": "a", "arguments": {"x": value, "l": [tool]}});
        let (found, wanted) = alike(&whens, &call);
        prop_assert_eq!(found, wanted);
    }

    #[test]
    fn no_file_breaks_the_reader(text in "(\\{|\\}|\\[|\\]|\"rules\":|\"when\":|\"id\":|\"a\"|\"arguments\":|\"/a\":|\"not\":|,|1|null|\n){0,24}") {
        let _ = file::parse(&text, "f", None);
    }
}
