//! Holds the examples and the JSON schema in `config/` against the code.

use super::super::{Environment, Machine, Settings, Transport};
use super::keys;
use serde_json::Value;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::Path;

const HOME: &str = if cfg!(windows) { r"C:\Users\ada" } else { "/home/ada" };

fn config(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn load(pairs: &[(&str, &str)]) -> Settings {
    let home = [("HOME", HOME), ("USERPROFILE", HOME), ("CRM_TOKEN", "t"), ("WAREHOUSE_TOKEN", "t")];
    let env: Environment =
        home.iter().chain(pairs).map(|(name, value)| ((*name).into(), OsString::from(value))).collect();
    let machine = Machine { host_name: None, home: Some(HOME.into()), unix_seconds: 0, random: 0 };
    let read_file = |path: &Path| match path.file_name().and_then(|name| name.to_str()) {
        // The place that the example for Claude Desktop names.
        Some("backends.json") => Ok(config("backends.example.json").into_bytes()),
        Some(name) => Ok(config(name).into_bytes()),
        None => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    Settings::load_on(&machine, &env, &read_file).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

#[test]
fn the_backends_example_loads() {
    let settings = load(&[("AXONFLOW_BACKENDS_FILE", "/backends.example.json")]);
    let ids: Vec<&str> = settings.backends.iter().map(|entry| entry.id.as_str()).collect();
    assert_eq!(ids, ["files", "crm", "warehouse"]);
    assert!(matches!(settings.backends[2].transport, Transport::Http(_)));
}

#[test]
fn the_host_map_example_loads() {
    let settings = load(&[("AXONFLOW_BACKENDS_FILE", "/mcp-servers.example.json")]);
    let ids: Vec<&str> = settings.backends.iter().map(|entry| entry.id.as_str()).collect();
    assert_eq!(ids, ["filesystem", "My-CRM"]);
}

#[test]
fn the_example_for_claude_desktop_starts_callgate() {
    let host: Value = serde_json::from_str(&config("claude_desktop_config.example.json")).expect("JSON");
    let env = host["mcpServers"]["callgate"]["env"].as_object().expect("an env");
    let pairs: Vec<(&str, &str)> =
        env.iter().map(|(name, value)| (name.as_str(), value.as_str().expect("a text"))).collect();
    assert_eq!(load(&pairs).backends.len(), 3);
}

fn schema() -> Value {
    serde_json::from_str(&config("backends.schema.json")).expect("the schema is JSON")
}

fn property_names(object: &Value) -> BTreeSet<&str> {
    object["properties"].as_object().expect("properties").keys().map(String::as_str).collect()
}

#[test]
fn the_schema_lists_exactly_the_keys_that_the_code_knows() {
    let schema = schema();
    let skipped = keys::HOST_SKIPPED.iter().map(|(name, _)| *name);
    let host =
        keys::ENTRY.iter().filter(|name| **name != "id").chain(keys::HOST_HONOURED).copied().chain(skipped);
    assert_eq!(property_names(&schema["$defs"]["entry"]), keys::ENTRY.iter().copied().collect());
    assert_eq!(property_names(&schema["$defs"]["hostEntry"]), host.collect());
    let own_top = keys::TOP.iter().filter(|name| **name != "mcpServers").copied();
    let host_top = keys::TOP.iter().filter(|name| **name != "backends").chain(keys::HOST_TOP).copied();
    assert_eq!(property_names(&schema["oneOf"][1]), own_top.collect());
    assert_eq!(property_names(&schema["oneOf"][2]), host_top.collect());
    assert_eq!(schema["$defs"]["list"]["maxItems"], super::MAX_BACKENDS);
}

#[test]
fn schema_and_code_agree_on_what_is_accepted() {
    let schema = schema();
    for name in ["backends.example.json", "mcp-servers.example.json"] {
        let example: Value = serde_json::from_str(&config(name)).expect("JSON");
        assert!(accepts(&schema, &schema, &example), "{name}");
    }
    for (text, right) in [
        (r#"[{"id":"a","command":"x","// c":1,"env":{"// c":1,"A":"1"}}]"#, true),
        (
            r#"{"$schema":"x","backends":[{"id":"a","url":"https://x","headers":{"A":"1"},"timeout":"3s"}]}"#,
            true,
        ),
        (
            r#"{"preferences":{},"mcpServers":{"a b":{"command":"x","type":"stdio","timeout":3,"trust":true}}}"#,
            true,
        ),
        (r#"{"mcpServers":{"a":{"httpUrl":"https://x"}}}"#, true),
        (
            r#"[{"id":"a","command":"x","redact":{"// c":1,"spare":[{"tool":"get_*","path":"a.*.b","types":["card"]}]}}]"#,
            true,
        ),
        (r#"{"mcpServers":{"a":{"url":"https://x","redact":{"spare":[{"path":"a","types":["*"]}]}}}}"#, true),
        (r#"[{"id":"a","command":"x","redact":{"spare":[{"path":"a"}]}}]"#, false),
        (r#"[{"id":"a","command":"x","redact":{"spare":[{"path":"a","types":[]}]}}]"#, false),
        (
            r#"[{"id":"a","command":"x","redact":{"spare":[{"path":"a","type":["card"],"types":["card"]}]}}]"#,
            false,
        ),
        (r#"[{"id":"a","command":"x","redact":{"spare":{}}}]"#, false),
        (r#"{"id":"a","command":"x"}"#, false),
        (r#"[{"id":"a","comand":"x"}]"#, false),
        (r#"[{"id":"a"}]"#, false),
        (r#"[{"id":"a b","command":"x"}]"#, false),
        (r#"[{"command":"x"}]"#, false),
        (r#"[{"id":"a","command":"x","url":"https://x"}]"#, false),
        (r#"[{"id":"a","command":"x","timeout":3}]"#, false),
        (r#"[{"id":"a","command":"x","args":[1]}]"#, false),
        (r#"[{"id":"a","command":"x","env":{"AXONFLOW_X":"1"}}]"#, false),
        (r#"[{"id":"a","command":"x","disabled":true}]"#, false),
        (r#"{"mcpServers":{"a":{"type":"sse","url":"https://x"}}}"#, false),
        (r#"{"mcpServers":{"a":{"command":"x","id":"a"}}}"#, false),
        (r#"{"backends":[],"mcpServers":{}}"#, false),
        ("[]", false),
    ] {
        let value: Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(accepts(&schema, &schema, &value), right, "the schema on {text}");
        let env: Environment = [("HOME", "/h"), ("USERPROFILE", "/h"), ("AXONFLOW_BACKENDS", text)]
            .map(|(name, value)| (name.to_owned(), OsString::from(value)))
            .into();
        let loaded = Settings::load(&env, &|_| Err(io::Error::from(io::ErrorKind::NotFound)));
        assert_eq!(loaded.is_ok(), right, "the code on {text}");
    }
}

/// Validates with those keywords of JSON Schema 2020-12 that the schema uses; any other one fails the test.
fn accepts(root: &Value, schema: &Value, value: &Value) -> bool {
    let Some(keywords) = schema.as_object() else { return schema.as_bool().expect("a schema") };
    keywords.iter().all(|(keyword, rule)| match keyword.as_str() {
        "$schema" | "$defs" | "title" | "description" | "properties" | "patternProperties" => true,
        "$ref" => {
            let pointer = rule.as_str().and_then(|text| text.strip_prefix('#')).expect("a local reference");
            accepts(root, root.pointer(pointer).expect("what is referred to"), value)
        }
        "type" => match rule.as_str().expect("a type") {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "number" => value.is_number(),
            other => panic!("unknown type {other}"),
        },
        "enum" => rule.as_array().expect("a list").contains(value),
        "pattern" => value.as_str().is_none_or(|text| {
            regex::Regex::new(rule.as_str().expect("a pattern")).expect("a pattern").is_match(text)
        }),
        "minLength" => {
            value.as_str().is_none_or(|text| text.chars().count() as u64 >= rule.as_u64().expect("a number"))
        }
        "minItems" => {
            value.as_array().is_none_or(|items| items.len() as u64 >= rule.as_u64().expect("a number"))
        }
        "maxItems" => {
            value.as_array().is_none_or(|items| items.len() as u64 <= rule.as_u64().expect("a number"))
        }
        "minProperties" => {
            value.as_object().is_none_or(|members| members.len() as u64 >= rule.as_u64().expect("a number"))
        }
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| accepts(root, rule, item))),
        "required" => rule
            .as_array()
            .expect("a list")
            .iter()
            .all(|name| value.get(name.as_str().expect("a name")).is_some()),
        "anyOf" => rule.as_array().expect("a list").iter().any(|schema| accepts(root, schema, value)),
        "oneOf" => {
            rule.as_array().expect("a list").iter().filter(|schema| accepts(root, schema, value)).count() == 1
        }
        "additionalProperties" => true,
        other => panic!("the schema uses {other}, which this test does not know"),
    }) && members_are_accepted(root, schema, value)
}

fn members_are_accepted(root: &Value, schema: &Value, value: &Value) -> bool {
    let Some(members) = value.as_object() else { return true };
    members.iter().all(|(name, member)| {
        let named = schema["properties"].get(name);
        let patterns = schema["patternProperties"].as_object().into_iter().flatten();
        let matching = patterns
            .filter(|(pattern, _)| regex::Regex::new(pattern).expect("a pattern").is_match(name))
            .map(|(_, schema)| schema);
        let schemas: Vec<&Value> = named.into_iter().chain(matching).collect();
        if schemas.is_empty() {
            return schema.get("additionalProperties").is_none_or(|schema| accepts(root, schema, member));
        }
        schemas.into_iter().all(|schema| accepts(root, schema, member))
    })
}
