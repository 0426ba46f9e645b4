//! Clients check structured answers against the advertised output schema (the TypeScript SDK with ajv, the Python SDK
//! with jsonschema) and throw away what does not fit: masked answers have to fit.

use crate::harness::Setup;
use crate::install::{Client, Server};
use serde_json::{Value, json};

/// Runs calls with both clients through the proxy. Each must be answered, and nothing personal may be in any answer.
fn assert_fits(server: impl Fn(&Setup) -> Server, scenarios: impl Fn(&Setup) -> Value) {
    assert_fits_styled("token", "[REDACTED:", server, scenarios);
}

/// The same with masked values in this style, in which `mark` stands.
fn assert_fits_styled(
    style: &str,
    mark: &str,
    server: impl Fn(&Setup) -> Server,
    scenarios: impl Fn(&Setup) -> Value,
) {
    for client in Client::ALL {
        let setup = Setup::new().env("CALLGATE_REDACT_STYLE", style);
        let entry = server(&setup).entry("real", &setup);
        let told = client.proxied(&setup.clone().backend(entry), &scenarios(&setup));
        let mut masks = 0;
        for told in &told {
            let text = told.to_string();
            assert!(told.get("result").is_some() && told["result"]["isError"] != true, "{client:?}: {told}");
            assert!(
                !["@example", "3174012501990001", "4111111111111111", "+62812"]
                    .iter()
                    .any(|value| text.contains(value)),
                "{client:?}: {told}"
            );
            masks += text.matches(mark).count();
        }
        assert!(masks > 0, "{client:?} got no masked answer: {told:?}");
    }
}

fn call(name: &str, arguments: &Value) -> Value {
    json!(["call", {"name": name, "arguments": arguments}])
}

const PERSON: &str =
    "mail siti@example.co.id, phone +6281234567890, nik 3174012501990001, card 4111111111111111";

#[test]
fn strict_schemas() {
    let calls = ["strings", "numbers", "lists", "keys", "choices"].map(|name| call(name, &json!({})));
    let waited = json!(["wait", {"tools": ["choices"]}]);
    let all: Value = [waited].into_iter().chain(calls).collect();
    for client in Client::ALL {
        let direct = client.direct(&Server::strict(), &all);
        assert!(
            direct.iter().all(|told| told.get("result").is_some()),
            "{client:?} without the proxy: {direct:?}"
        );
    }
    assert_fits(|_| Server::strict(), |_| all.clone());
    for (style, mark) in [
        ("pseudonym", "[EMAIL_"),
        ("mask", "***"),
        ("partial", "***"),
        ("hash", "[HASH:"),
        ("plain", "[REDACTED]"),
    ] {
        assert_fits_styled(style, mark, |_| Server::strict(), |_| all.clone());
    }
}

#[test]
fn memory() {
    let entities = json!([{"name": "siti@example.co.id", "entityType": "person", "observations": [PERSON]}]);
    let scenarios = json!([
        ["wait", {"tools": ["read_graph"]}],
        call("create_entities", &json!({"entities": entities})),
        call("read_graph", &json!({})),
        call("search_nodes", &json!({"query": "siti"})),
        call("open_nodes", &json!({"names": ["siti@example.co.id"]})),
    ]);
    assert_fits(|setup| Server::memory(&setup.path("memory.jsonl")), |_| scenarios.clone());
}

#[test]
fn filesystem() {
    let scenarios = |setup: &Setup| {
        std::fs::write(setup.path("siti@example.co.id.txt"), PERSON).expect("written");
        let file = setup.path("siti@example.co.id.txt");
        json!([
            ["wait", {"tools": ["read_text_file"]}],
            call("read_text_file", &json!({"path": file})),
            call("read_multiple_files", &json!({"paths": [file]})),
            call("search_files", &json!({"path": setup.path(""), "pattern": "*.txt"})),
            call("directory_tree", &json!({"path": setup.path("")})),
            call("get_file_info", &json!({"path": file})),
        ])
    };
    assert_fits(|setup| Server::filesystem(&setup.path("")), scenarios);
}
