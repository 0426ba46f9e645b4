//! Holds the examples and the JSON schema in `config/` against the code.

use super::super::{Environment, Machine, Settings, Transport, tools};
use super::keys;
use crate::governance::Profile;
use crate::governance::rules::MAX_PATTERNS;
use crate::schema_check::accepts;
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
    assert_eq!(property_names(&schema["$defs"]["tools"]), tools::TOOLS.iter().copied().collect());
    assert_eq!(property_names(&schema["$defs"]["agent"]), tools::AGENT.iter().copied().collect());
    assert_eq!(schema["$defs"]["patterns"]["maxItems"], MAX_PATTERNS);
    let profiles: Vec<&str> = Profile::WORDS.iter().map(|(word, _)| *word).collect();
    assert_eq!(schema["$defs"]["profile"]["enum"], serde_json::json!(profiles));
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
        (
            r#"[{"id":"a","command":"x","tools":{"// c":1,"profile":"locked","allow":["x/y"],"deny":[],"read_only":["*"],"agents":{"c*":{"profile":"read_only"}}}}]"#,
            true,
        ),
        (r#"{"mcpServers":{"a":{"command":"x","tools":["*"]}}}"#, true),
        (r#"{"mcpServers":{"a":{"command":"x","tools":{"deny":["d*"]}}}}"#, true),
        (r#"[{"id":"a","command":"x","tools":["*"]}]"#, false),
        (r#"[{"id":"a","command":"x","tools":{"profile":"open"}}]"#, false),
        (r#"[{"id":"a","command":"x","tools":{"deny":"x"}}]"#, false),
        (r#"[{"id":"a","command":"x","tools":{"deny":[""]}}]"#, false),
        (r#"[{"id":"a","command":"x","tools":{"agents":{"c":{"read_only":[]}}}}]"#, false),
        (r#"{"mcpServers":{"a":{"command":"x","tools":{"denied":[]}}}}"#, false),
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
