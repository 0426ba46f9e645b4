//! Holds the example, the JSON schema in `config/` and the blocks of `docs/policies.md` against the code.

use super::{cases, file, when};
use crate::policy::builder::PolicySetBuilder;
use crate::policy::posture::Posture;
use crate::schema_check::accepts;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

fn text(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.replace("\r\n", "\n")
}

fn schema() -> Value {
    serde_json::from_str(&text("config/policy.schema.json")).expect("the schema is JSON")
}

/// Reads a file, holds it against the schema and runs its cases; how many there were.
fn prove(text: &str, name: &str) -> usize {
    let read =
        file::parse(text, name, Some("/home/ada")).unwrap_or_else(|faults| panic!("{faults:#?}\n{text}"));
    let schema = schema();
    let value: Value = serde_json::from_str(text).expect("JSON");
    assert!(accepts(&schema, &schema, &value), "the schema refuses {name}: {text}");
    let mut parts = PolicySetBuilder::new(Posture::default());
    parts.set_file(read.rules.clone(), read.overrides.clone());
    let set = parts.build().expect("sound");
    for case in &read.cases {
        case.run(&set, "claude-desktop").unwrap_or_else(|instead| {
            panic!("{name}: {}: expected {}; {instead}", case.name, case.expect.word())
        });
    }
    read.cases.len()
}

#[test]
fn the_example_is_right_and_every_rule_of_it_is_proven() {
    let example = text("config/policy.example.json");
    assert!(prove(&example, "policy.example.json") >= 10);
}

#[test]
fn every_block_of_the_document_is_right() {
    let document = text("docs/policies.md");
    let blocks: Vec<&str> =
        document.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 11, "{}", blocks.len());
    let mut proven = 0;
    for block in blocks {
        let value: Value = serde_json::from_str(block).unwrap_or_else(|error| panic!("{error}\n{block}"));
        // A call for `explain` stands there for itself.
        if value.get("arguments").is_some() {
            cases::WrittenCall::parse(block, "call").unwrap_or_else(|faults| panic!("{faults:#?}"));
        } else {
            proven += prove(block, "docs/policies.md");
        }
    }
    assert!(proven >= 20, "{proven}");
    for key in when::WHEN.iter().chain(when::TESTS).chain(file::RULE).chain(file::OVERRIDE) {
        assert!(document.contains(&format!("`{key}`")), "docs/policies.md does not explain {key}");
    }
}

#[test]
fn the_schema_lists_exactly_the_keys_that_the_code_knows() {
    let schema = schema();
    let keys = |object: &Value| -> BTreeSet<String> {
        object["properties"].as_object().expect("properties").keys().cloned().collect()
    };
    let own = |keys: &[&str]| -> BTreeSet<String> { keys.iter().map(|key| (*key).to_owned()).collect() };
    let defs = &schema["$defs"];
    let without = |keys: &[&str], one: &str| -> BTreeSet<String> {
        own(keys).into_iter().filter(|key| key != one).collect()
    };
    assert_eq!(keys(&schema), own(file::TOP));
    assert_eq!(keys(&defs["rule"]), own(file::RULE));
    assert_eq!(keys(&defs["override"]), own(file::OVERRIDE));
    assert_eq!(keys(&defs["when"]), own(when::WHEN));
    assert_eq!(keys(&defs["inner"]), without(when::WHEN, "rate"));
    assert_eq!(keys(&defs["argument"]), own(when::TESTS));
    assert_eq!(keys(&defs["test"]), without(when::TESTS, "exists"));
    assert_eq!(keys(&defs["when"]["properties"]["time"]), own(when::TIME));
    assert_eq!(keys(&defs["when"]["properties"]["rate"]), own(when::RATE));
    assert_eq!(keys(&defs["when"]["properties"]["text"]), own(when::TEXT));
    assert_eq!(keys(&defs["test_case"]), own(cases::CASE));
    assert_eq!(keys(&defs["call"]), own(cases::CALL));
}

#[test]
fn schema_and_code_agree_on_what_is_accepted() {
    let schema = schema();
    let with = |when: Value| json!({"rules": [{"id": "a", "action": "log", "when": when}]});
    let argument = |tests: Value| with(json!({"arguments": {"/a": tests}}));
    for (file, right) in [
        (json!({}), true),
        (json!({"// a": 1, "rules": [], "overrides": [], "tests": []}), true),
        (json!([]), false),
        (json!({"rule": []}), false),
        (with(json!({"tool": "x"})), true),
        (with(json!({"tool": []})), false),
        (with(json!({"tool": 1})), false),
        (with(json!({})), false),
        (with(json!({"any": [{"tool": "x"}], "not": {"backend": "y"}})), true),
        (with(json!({"any": {"tool": "x"}})), true),
        (with(json!({"any": []})), false),
        (with(json!({"any": [{}]})), false),
        (with(json!({"not": {"rate": {"calls": 1, "per": "1m"}}})), false),
        (with(json!({"rate": {"calls": 1, "per": "1m", "by": []}})), true),
        (with(json!({"rate": {"calls": 0, "per": "1m"}})), false),
        (with(json!({"rate": {"calls": 1}})), false),
        (with(json!({"time": {"days": ["mon", "sunday"], "to": "24:00"}})), true),
        (with(json!({"time": {"days": "Mon"}})), false),
        (with(json!({"time": {"from": "24:00"}})), false),
        (with(json!({"time": {}})), false),
        (with(json!({"text": {"contains": "x"}})), true),
        (with(json!({"text": {}})), false),
        (with(json!({"annotations": {"readOnlyHint": true}})), true),
        (with(json!({"annotations": {"readOnly": true}})), false),
        (argument(json!({"equals": {"deep": [1]}})), true),
        (argument(json!({"in": []})), false),
        (argument(json!({"min": "1"})), false),
        (argument(json!({"min_length": -1})), false),
        (argument(json!({"max_length": 1.5})), false),
        (argument(json!({"exists": false})), true),
        (argument(json!({"not": {"exists": true}})), false),
        (argument(json!({"not": {"not": {"glob": "x"}}})), true),
        (argument(json!({})), false),
        (argument(json!({"like": "x"})), false),
        (with(json!({"arguments": {"a": {"equals": 1}}})), false),
        (json!({"rules": [{"id": "a b", "action": "log", "when": {"tool": "x"}}]}), false),
        (json!({"rules": [{"id": "a", "action": "allow", "when": {"tool": "x"}}]}), false),
        (json!({"rules": [{"id": "a", "when": {"tool": "x"}}]}), false),
        (json!({"overrides": [{"policy_id": "sys_sqli_drop_table", "enabled": false, "reason": "x"}]}), true),
        (json!({"overrides": [{"policy_id": "sys_sqli_drop_table", "enabled": true, "reason": "x"}]}), false),
        (json!({"overrides": [{"policy_id": "sys_sqli_drop_table", "action": "warn"}]}), false),
        (
            json!({"overrides": [{"policy_id": "sys_sqli_drop_table", "action": "warn", "enabled": false, "reason": "x"}]}),
            false,
        ),
        (json!({"tests": [{"call": {"arguments": {"a": 1}}, "expect": "allow", "times": 2}]}), true),
        (json!({"tests": [{"call": {"arguments": []}, "expect": "allow"}]}), false),
        (json!({"tests": [{"call": {}, "expect": "deny"}]}), false),
    ] {
        assert_eq!(accepts(&schema, &schema, &file), right, "the schema on {file}");
        assert_eq!(file::parse(&file.to_string(), "f", None).is_ok(), right, "the code on {file}");
    }
}
