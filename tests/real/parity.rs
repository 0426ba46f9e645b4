//! Through the proxy everything is as it is without it.

use crate::harness::Setup;
use crate::install::{Client, Server};
use serde_json::{Value, json};
use std::process::Command;

/// How a server is reached.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    /// As a backend of the proxy.
    Proxied,
    /// Through `callgate wrap`.
    Wrapped,
}

/// Runs the scenarios with both clients, direct and through the proxy, on a fresh server each.
/// `server` gets the name of a folder of its own for each run.
fn assert_equal(server: impl Fn(&str) -> Server, scenarios: &Value) {
    assert_equal_by(Way::Proxied, server, scenarios);
}

/// The same on that way.
pub(crate) fn assert_equal_by(way: Way, server: impl Fn(&str) -> Server, scenarios: &Value) {
    for client in Client::ALL {
        let setup = Setup::new();
        let folder = |name: &str| {
            let folder = setup.path(name);
            std::fs::create_dir_all(&folder).expect("created");
            folder
        };
        let direct = client.direct(&server(&folder("direct")), scenarios);
        let behind = server(&folder("proxied"));
        let proxied = match way {
            Way::Proxied => client.proxied(&setup.clone().backend(behind.entry("real", &setup)), scenarios),
            Way::Wrapped => client.wrapped(&behind, &setup, scenarios),
        };
        let mut different = Vec::new();
        for ((scenario, direct), proxied) in
            scenarios.as_array().into_iter().flatten().zip(&direct).zip(&proxied)
        {
            let told = format!("{client:?}, {scenario}\n direct: {direct}\nproxied: {proxied}");
            let is_to_fail = scenario[0] == "refused";
            assert_eq!(direct.get("error").is_some(), is_to_fail, "{told}");
            if comparable(direct, &setup) != comparable(proxied, &setup) {
                different.push(told);
            }
        }
        assert!(different.is_empty(), "{}", different.join("\n"));
    }
}

/// The folder's name differs between the runs; and what redaction may do to a result, the advertised output schema must
/// admit, so of an output schema only the names of its properties are compared.
fn comparable(told: &Value, setup: &Setup) -> Value {
    let text = told.to_string();
    let text = text.replace(&setup.path("direct"), "FOLDER").replace(&setup.path("proxied"), "FOLDER");
    let mut told: Value = serde_json::from_str(&text).expect("JSON");
    without_report(&mut told);
    if told["scenario"] == "tools" {
        for tool in told["result"].as_array_mut().into_iter().flatten() {
            if let Some(schema) = tool.get_mut("outputSchema") {
                let names =
                    schema["properties"].as_object().map(|all| all.keys().cloned().collect::<Vec<_>>());
                *schema = json!(names);
            }
        }
    }
    told
}

/// The proxy's own report in `_meta` is the one thing that it adds to results; the Python SDK calls the member `meta`.
fn without_report(told: &mut Value) {
    match told {
        Value::Array(items) => items.iter_mut().for_each(without_report),
        Value::Object(members) => {
            for key in ["_meta", "meta"] {
                let Some(meta) = members.get_mut(key).and_then(Value::as_object_mut) else { continue };
                if meta.remove("io.callgate/governance").is_some() && meta.is_empty() {
                    members.remove(key);
                }
            }
            members.values_mut().for_each(without_report);
        }
        _ => {}
    }
}

#[test]
fn everything() {
    assert_equal(|_| Server::everything(), &of_everything());
}

/// Everything that the everything server can do.
pub(crate) fn of_everything() -> Value {
    let text = "demo://resource/dynamic/text/1";
    let call = |name: &str, arguments: Value| json!(["call", {"name": name, "arguments": arguments}]);
    json!([
        ["wait", {"tools": ["echo", "trigger-sampling-request", "trigger-elicitation-request", "get-roots-list", "simulate-research-query"]}],
        ["tools", {}],
        call("echo", json!({"message": "hi <&> ü 😀 \u{2028}"})),
        call("get-sum", json!({"a": 2, "b": 40})),
        call("get-structured-content", json!({"location": "New York"})),
        call("get-annotated-message", json!({"messageType": "error", "includeImage": true})),
        call("get-tiny-image", json!({})),
        call("get-resource-links", json!({"count": 3})),
        call("get-resource-reference", json!({"resourceType": "Text", "resourceId": 1})),
        ["prompts", {}],
        ["prompt", {"name": "simple-prompt"}],
        ["prompt", {"name": "args-prompt", "arguments": {"city": "Oslo", "state": "x"}}],
        ["resources", {}],
        ["templates", {}],
        ["read", {"uri": text}],
        ["read", {"uri": "demo://resource/static/document/architecture.md"}],
        ["complete", {"ref": {"type": "ref/prompt", "name": "completable-prompt"}, "argument": {"name": "department", "value": "E"}}],
        ["ping", {}],
        ["level", {"level": "info"}],
        ["logging", {"tool": "toggle-simulated-logging"}],
        ["subscribe", {"uri": text, "tool": "toggle-subscriber-updates"}],
        ["asking", {"name": "trigger-sampling-request", "arguments": {"prompt": "say", "maxTokens": 20}}],
        ["asking", {"name": "trigger-elicitation-request", "arguments": {}}],
        call("get-roots-list", json!({})),
        ["progress", {"name": "trigger-long-running-operation", "arguments": {"duration": 0.5, "steps": 5}}],
        ["cancel", {"name": "trigger-long-running-operation", "arguments": {"duration": 30, "steps": 60}}],
        call("get-sum", json!({"a": 1, "b": 1})),
        call("get-sum", json!({"a": "one"})),
        ["call", {"name": "get-tiny-image"}],
        ["refused", {"scenario": ["prompt", {"name": "args-prompt", "arguments": {}}]}],
        ["refused", {"scenario": ["read", {"uri": "demo://resource/dynamic/text/0"}]}],
        ["refused", {"scenario": ["read", {"uri": "nowhere://at/all"}]}],
        ["complete", {"ref": {"type": "ref/prompt", "name": "simple-prompt"}, "argument": {"name": "x", "value": ""}}],
        ["refused", {"scenario": ["complete", {"ref": {"type": "ref/resource", "uri": "nowhere://{id}"}, "argument": {"name": "id", "value": ""}}]}],
    ])
}

/// Once a server was seen, the proxy introduces itself as it: what it can do, and what it tells the model.
#[test]
fn introduction() {
    for client in Client::ALL {
        let setup = Setup::new();
        let behind = Server::everything();
        let scenarios = json!([["wait", {"tools": ["echo"]}], ["introduced", {}]]);
        let direct = client.direct(&behind, &scenarios);
        let setup = setup.clone().backend(behind.entry("real", &setup));
        client.proxied(&setup, &scenarios);
        let proxied = client.proxied(&setup, &scenarios);
        let (direct, proxied) = (&direct[1]["result"], &proxied[1]["result"]);
        let own = direct["instructions"].as_str().expect("the server has instructions");
        let all = proxied["instructions"].as_str().expect("the proxy has instructions");
        assert!(all.contains(own.trim()), "{client:?}\n{own}\n{all}");
        let mut capabilities = direct["capabilities"].clone();
        // Of all that the server can do, tasks (experimental in 2025-11-25) are not relayed, and so not offered.
        capabilities.as_object_mut().expect("an object").remove("tasks");
        assert_eq!(capabilities, proxied["capabilities"], "{client:?}");
    }
}

/// Files in that folder.
pub(crate) fn of_files(folder: &str) -> Value {
    let file = format!("{folder}/note.txt");
    json!([
            ["wait", {"tools": ["read_text_file"]}],
            ["tools", {}],
            ["call", {"name": "list_allowed_directories", "arguments": {}}],
            ["call", {"name": "write_file", "arguments": {"path": file, "content": "one\ntwo <&>\n"}}],
            ["call", {"name": "read_text_file", "arguments": {"path": file}}],
            ["call", {"name": "edit_file", "arguments": {"path": file, "edits": [{"oldText": "one", "newText": "eins"}]}}],
            ["call", {"name": "list_directory", "arguments": {"path": folder}}],
            ["call", {"name": "search_files", "arguments": {"path": folder, "pattern": "*.txt"}}],
            ["call", {"name": "read_text_file", "arguments": {"path": "/etc/hostname"}}],
    ])
}

#[test]
fn filesystem() {
    // The same folder for both runs, since it stands in the arguments.
    let shared = Setup::new();
    let folder = shared.path("files");
    std::fs::create_dir_all(&folder).expect("created");
    assert_equal(|_| Server::filesystem(&folder), &of_files(&folder));
}

#[test]
fn memory() {
    assert_equal(|folder| Server::memory(&format!("{folder}/memory.jsonl")), &of_memory());
}

/// A graph that is made and read.
pub(crate) fn of_memory() -> Value {
    let entities = json!([{"name": "Ada", "entityType": "person", "observations": ["wrote <notes>", "n"]}]);
    json!([
        ["wait", {"tools": ["read_graph"]}],
        ["tools", {}],
        ["call", {"name": "create_entities", "arguments": {"entities": entities}}],
        ["call", {"name": "add_observations", "arguments": {"observations": [{"entityName": "Ada", "contents": ["x"]}]}}],
        ["call", {"name": "read_graph", "arguments": {}}],
        ["call", {"name": "search_nodes", "arguments": {"query": "Ada"}}],
        ["call", {"name": "delete_entities", "arguments": {"entityNames": ["Ada"]}}],
        ["resources", {}],
    ])
}

#[test]
fn git() {
    let shared = Setup::new();
    let repository = shared.path("repository");
    repository_at(&repository);
    assert_equal(|_| Server::git(&repository), &of_git(&repository));
}

/// What is read of that repository.
pub(crate) fn of_git(repository: &str) -> Value {
    let at = |name: &str, more: Value| {
        let mut arguments = json!({"repo_path": repository});
        for (key, value) in more.as_object().into_iter().flatten() {
            arguments[key] = value.clone();
        }
        json!(["call", {"name": name, "arguments": arguments}])
    };
    json!([
        ["wait", {"tools": ["git_status"]}],
        ["tools", {}],
        at("git_status", json!({})),
        at("git_log", json!({"max_count": 5})),
        at("git_diff_unstaged", json!({})),
        at("git_show", json!({"revision": "HEAD"})),
        at("git_branch", json!({"branch_type": "local"})),
    ])
}

#[test]
fn time() {
    let scenarios = json!([
        ["wait", {"tools": ["convert_time"]}],
        ["tools", {}],
        ["call", {"name": "convert_time", "arguments": {"source_timezone": "Europe/Oslo", "time": "12:30", "target_timezone": "Asia/Jakarta"}}],
        ["call", {"name": "get_current_time", "arguments": {"timezone": "UTC"}}],
        ["ping", {}],
    ]);
    assert_equal(|_| Server::time(), &scenarios);
}

#[test]
fn sqlite() {
    assert_equal(|folder| Server::sqlite(&format!("{folder}/things.db")), &of_sqlite());
}

/// A table that is made and read.
pub(crate) fn of_sqlite() -> Value {
    let query = |tool: &str, query: &str| json!(["call", {"name": tool, "arguments": {"query": query}}]);
    json!([
        ["wait", {"tools": ["read_query"]}],
        ["tools", {}],
        query("create_table", "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT, weight REAL)"),
        query("write_query", "INSERT INTO things (name, weight) VALUES ('pear <&>', 1.50), ('ümlaut', 2)"),
        query("read_query", "SELECT * FROM things ORDER BY id"),
        ["call", {"name": "list_tables", "arguments": {}}],
        ["call", {"name": "describe_table", "arguments": {"table_name": "things"}}],
        ["call", {"name": "append_insight", "arguments": {"insight": "pears are heavy"}}],
        ["resources", {}],
        ["read", {"uri": "memo://insights"}],
        ["prompts", {}],
        ["prompt", {"name": "mcp-demo", "arguments": {"topic": "fruit"}}],
    ])
}

/// A repository with one commit that is the same on every machine, and one change.
pub(crate) fn repository_at(path: &str) {
    std::fs::create_dir_all(path).expect("created");
    let git = |args: &[&str]| {
        let status = Command::new("git")
            .current_dir(path)
            .args(args)
            .env("HOME", path)
            .env("GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z")
            .env("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z")
            .args(["--quiet"])
            .status();
        assert!(status.is_ok_and(|status| status.success()), "git {args:?}");
    };
    git(&["init", "--initial-branch=main"]);
    std::fs::write(format!("{path}/file.txt"), "one\n").expect("written");
    let add = Command::new("git").current_dir(path).args(["add", "file.txt"]).status();
    assert!(add.is_ok_and(|status| status.success()));
    git(&["-c", "user.name=Ada", "-c", "user.email=ada", "commit", "-m", "first"]);
    std::fs::write(format!("{path}/file.txt"), "one\ntwo\n").expect("written");
}
