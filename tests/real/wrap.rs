//! Five real servers behind `callgate wrap`: both clients see the same as without it, from the introduction on.

use crate::harness::{STACKED_SQL, Setup, within};
use crate::install::{Client, Server};
use crate::parity::{
    Way, assert_equal_by, of_everything, of_files, of_git, of_memory, of_sqlite, repository_at,
};
use serde_json::{Value, json};
use std::time::Duration;

/// The scenarios behind the server's introduction.
fn introduced(scenarios: Value) -> Value {
    let Value::Array(mut all) = scenarios else { panic!("a list of scenarios") };
    all.insert(0, json!(["introduced", {}]));
    Value::Array(all)
}

#[test]
fn everything() {
    assert_equal_by(Way::Wrapped, |_| Server::everything(), &introduced(of_everything()));
}

#[test]
fn filesystem() {
    // The same folder for both runs, since it stands in the arguments.
    let shared = Setup::new();
    let folder = shared.path("files");
    std::fs::create_dir_all(&folder).expect("created");
    assert_equal_by(Way::Wrapped, |_| Server::filesystem(&folder), &introduced(of_files(&folder)));
}

#[test]
fn memory() {
    let server = |folder: &str| Server::memory(&format!("{folder}/memory.jsonl"));
    assert_equal_by(Way::Wrapped, server, &introduced(of_memory()));
}

#[test]
fn git() {
    let shared = Setup::new();
    let repository = shared.path("repository");
    repository_at(&repository);
    assert_equal_by(Way::Wrapped, |_| Server::git(&repository), &introduced(of_git(&repository)));
}

#[test]
fn sqlite() {
    let server = |folder: &str| Server::sqlite(&format!("{folder}/things.db"));
    assert_equal_by(Way::Wrapped, server, &introduced(of_sqlite()));
}

#[test]
fn calls_of_a_real_database_are_governed() {
    for client in Client::ALL {
        let setup = Setup::new();
        let query = |tool: &str, query: &str| json!(["call", {"name": tool, "arguments": {"query": query}}]);
        let scenarios = json!([
            query("create_table", "CREATE TABLE people (name TEXT, email TEXT)"),
            query("write_query", "INSERT INTO people VALUES ('Siti', 'siti@example.co.id')"),
            query("read_query", "SELECT * FROM people"),
            ["refused", {"scenario": query("read_query", STACKED_SQL)}],
        ]);
        let told = client.wrapped(&Server::sqlite(&setup.path("people.db")), &setup, &scenarios);
        assert!(told[2].to_string().contains("[REDACTED:email]"), "{client:?}: {}", told[2]);
        assert!(told[3]["error"].to_string().contains("decision_id="), "{client:?}: {}", told[3]);
        let rows = std::fs::read_to_string(setup.path("audit.jsonl")).expect("a record");
        assert_eq!(rows.matches("\"server\":\"mcp-server-sqlite\"").count(), 4, "{client:?}: {rows}");
    }
}

/// Real servers leave by themselves at the end of their input, and say so by their exit code.
#[test]
fn a_real_server_ends_as_it_does_by_itself() {
    let shared = Setup::new();
    let repository = shared.path("repository");
    repository_at(&repository);
    for server in [Server::memory(&shared.path("memory.jsonl")), Server::git(&repository), Server::time()] {
        let setup = server.env.iter().fold(Setup::new(), |setup, (name, value)| setup.env(name, value));
        let args: Vec<&str> = server.args.iter().map(String::as_str).collect();
        let gate = setup.args(&["wrap", "--", &server.command]).args(&args).spawn();
        gate.handshake();
        gate.close_stdin();
        let status = within(Duration::from_secs(10), || gate.exit_within(Duration::ZERO));
        assert_eq!(status.and_then(|status| status.code()), Some(0), "{}", server.command);
    }
}
