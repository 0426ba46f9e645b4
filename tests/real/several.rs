//! Several real servers behind one proxy: prefixed, governed, supervised.

use crate::harness::{Gate, STACKED_SQL, Setup, eventually, within};
use crate::install::{Client, Server};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Six servers of two languages.
fn all() -> Setup {
    let setup = Setup::new();
    let (files, repository) = (setup.path("files"), setup.path("repository"));
    std::fs::create_dir_all(&files).expect("created");
    let made = Command::new("git").args(["init", "--quiet", &repository]).status();
    assert!(made.is_ok_and(|status| status.success()));
    let servers = [
        ("everything", Server::everything()),
        ("files", Server::filesystem(&files)),
        ("memory", Server::memory(&setup.path("memory.jsonl"))),
        ("git", Server::git(&repository)),
        ("time", Server::time()),
        ("sqlite", Server::sqlite(&setup.path("things.db"))),
    ];
    let expected = [
        "everything__echo",
        "files__list_directory",
        "memory__read_graph",
        "git__git_status",
        "time__convert_time",
        "sqlite__read_query",
    ];
    let setup = expected.iter().fold(setup, |setup, tool| setup.expecting(tool));
    servers.iter().fold(setup, |setup, (id, server)| {
        let entry = server.entry(id, &setup);
        setup.backend(entry)
    })
}

fn sql(gate: &Gate, tool: &str, query: &str) -> crate::harness::Reply {
    gate.call(&format!("sqlite__{tool}"), &json!({"query": query}))
}

#[test]
fn six_servers_are_one() {
    let gate = all().open();
    let names = gate.tool_names();
    for id in ["everything", "files", "memory", "git", "time", "sqlite"] {
        assert!(
            names.iter().any(|name| name.starts_with(&format!("{id}__"))),
            "{id} is missing in {names:?}"
        );
    }
    assert!(names.iter().all(|name| name.len() <= 64));
    assert!(gate.call("everything__echo", &json!({"message": "hi"})).text().contains("hi"));
    assert!(gate.call("files__list_allowed_directories", &json!({})).is_ok());
    assert!(gate.call("memory__read_graph", &json!({})).is_ok());
    assert!(gate.call("git__git_status", &json!({"repo_path": gate.path("repository")})).is_ok());
    assert!(gate.call("time__get_current_time", &json!({"timezone": "UTC"})).is_ok());
    assert!(gate.call("sqlite__list_tables", &json!({})).is_ok());
    let rows = gate.audit_of(6);
    assert!(rows.iter().all(|row| row["verdict"] == "allow" && row["outcome"] == "ok"), "{rows:?}");
}

#[test]
fn both_clients_see_the_same_six() {
    let scenarios = json!([
        ["wait", {"tools": ["everything__get-roots-list", "everything__simulate-research-query", "files__list_directory", "memory__read_graph", "git__git_status", "time__convert_time", "sqlite__read_query"]}],
        ["tool_names", {}],
        ["call", {"name": "memory__read_graph", "arguments": {}}],
        ["call", {"name": "time__convert_time", "arguments": {"source_timezone": "UTC", "time": "12:30", "target_timezone": "Asia/Jakarta"}}],
    ]);
    let told = Client::ALL.map(|client| client.proxied(&all(), &scenarios));
    let names = |told: &[Value]| -> Vec<String> {
        let names = told[1]["result"].as_array().into_iter().flatten();
        // The Python SDK declares URL elicitation, for which the server has a tool more.
        names
            .filter_map(Value::as_str)
            .filter(|name| !name.contains("url-elicitation"))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(names(&told[0]), names(&told[1]));
    assert!(told.iter().flatten().all(|scenario| scenario.get("result").is_some()), "{told:?}");
}

#[test]
fn stacked_sql_never_reaches_the_database() {
    let gate = all().open();
    assert!(sql(&gate, "create_table", "CREATE TABLE customers (id INTEGER, name TEXT)").is_ok());
    let denied = sql(&gate, "read_query", STACKED_SQL);
    assert_eq!(denied.code(), -32001);
    assert!(denied.message().contains("decision_id="), "{}", denied.message());
    assert!(sql(&gate, "list_tables", "").text().contains("customers"));
    gate.audit_row("denied", |row| row["server"] == "sqlite" && row["verdict"] == "deny");
}

#[test]
fn rows_of_a_database_are_redacted() {
    let gate = all().open();
    sql(&gate, "create_table", "CREATE TABLE people (name TEXT, email TEXT, nik INTEGER)");
    sql(&gate, "write_query", "INSERT INTO people VALUES ('Siti', 'siti@example.co.id', 3174012501990001)");
    let rows = sql(&gate, "read_query", "SELECT * FROM people");
    assert!(rows.text().contains("Siti"), "{}", rows.text());
    assert!(
        rows.text().contains("[REDACTED:email]") && rows.text().contains("[REDACTED:nik]"),
        "{}",
        rows.text()
    );
    assert!(!rows.raw.contains("siti@") && !rows.raw.contains("3174012501990001"), "{}", rows.raw);
    let row = gate.audit_row("redacted", |row| row["tool_name"] == "read_query");
    assert_eq!(row["redaction_count"], 2, "{row}");
}

#[test]
fn a_servers_environment_is_clean() {
    let gate = all().env("AXONFLOW_CLIENT_SECRET", "s3cret").env("AXONFLOW_USER_TOKEN", "s3cret").open();
    let reply = gate.call("everything__get-env", &json!({}));
    assert!(!reply.raw.contains("AXONFLOW_") && !reply.raw.contains("CALLGATE_"), "{}", reply.raw);
}

#[test]
fn a_server_killed_in_mid_call_disturbs_nobody_and_comes_back() {
    let gate = all()
        .capabilities(json!({"elicitation": {}}))
        .expecting("everything__trigger-elicitation-request")
        .open();
    // The client leaves the question open, so that the call is certainly in flight.
    let lost = gate.start_call("everything__trigger-elicitation-request", &json!({}));
    gate.message("the question", |message| message.value["method"] == "elicitation/create");
    kill(&gate, "server-everything");
    let reply = gate.reply(lost);
    assert_eq!(reply.code(), -32603);
    assert_eq!(reply.data()["outcome"], "unknown", "{}", reply.raw);
    assert!(gate.call("memory__read_graph", &json!({})).is_ok());
    assert!(gate.call_until_ok("everything__echo", &json!({"message": "back"})).is_ok());
}

#[test]
fn a_question_and_a_log_entry_say_which_server_they_come_from() {
    let gate = all()
        .capabilities(json!({"elicitation": {}}))
        .expecting("everything__trigger-elicitation-request")
        .open();
    let call = gate.start_call("everything__trigger-elicitation-request", &json!({}));
    let question = gate.message("the question", |message| message.value["method"] == "elicitation/create");
    let text = question.value["params"]["message"].as_str().unwrap_or_default();
    assert!(text.starts_with("[everything] "), "{text:?}");
    gate.send(
        &json!({"jsonrpc": "2.0", "id": question.value["id"], "result": {"action": "decline"}}).to_string(),
    );
    assert!(gate.reply(call).is_ok());
    let level = gate.request("logging/setLevel", &json!({"level": "debug"}));
    assert!(gate.reply(level).is_ok());
    assert!(gate.call("everything__toggle-simulated-logging", &json!({})).is_ok());
    gate.notification("notifications/message", |params| {
        params["logger"].as_str().is_some_and(|logger| logger.starts_with("everything"))
    });
}

#[test]
fn a_call_that_may_repeat_survives_its_server() {
    let gate = all().open();
    let id = gate.request(
        "tools/call",
        &json!({"name": "everything__trigger-long-running-operation", "arguments": {"duration": 3, "steps": 30},
            "_meta": {"progressToken": "p"}}),
    );
    gate.notification("notifications/progress", |params| params["progressToken"] == "p");
    kill(&gate, "server-everything");
    assert!(gate.reply(id).text().contains("completed"), "annotated readOnlyHint, so it is sent again");
}

#[test]
fn nobody_is_left_of_six_servers() {
    for signal in ["TERM", "KILL"] {
        let gate = all().open();
        let descendants = gate.descendants();
        assert!(descendants.len() >= 6);
        gate.signal(signal);
        let gone = || descendants.iter().all(|process| !process.is_alive()).then_some(());
        assert!(within(Duration::from_secs(6), gone).is_some(), "after SIG{signal}");
    }
}

#[test]
fn everything_over_http() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address").port()
    };
    let server = Server::everything_over_http(port);
    let mut process = Command::new(&server.command)
        .args(&server.args)
        .envs(&server.env)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the server starts");
    let entry = json!({"id": "real", "url": format!("http://127.0.0.1:{port}/mcp")});
    let gate = Setup::new()
        .backend(entry)
        .capabilities(json!({"sampling": {}, "elicitation": {}, "roots": {}}))
        .expecting("trigger-elicitation-request")
        .expecting("trigger-sampling-request")
        .open();
    gate.on_request(
        "elicitation/create",
        json!({"result": {"action": "accept", "content": {"name": "Ada", "check": true}}}),
    );
    gate.on_request(
        "sampling/createMessage",
        json!({"result": {"role": "assistant", "model": "canned", "content": {"type": "text", "text": "sampled"}}}),
    );
    gate.on_request("roots/list", json!({"result": {"roots": []}}));
    for _ in 0..5 {
        assert!(gate.call("trigger-elicitation-request", &json!({})).raw.contains("Ada"));
        assert!(gate.call("trigger-sampling-request", &json!({"prompt": "p"})).raw.contains("sampled"));
    }
    let id = gate.request(
        "tools/call",
        &json!({"name": "trigger-long-running-operation", "arguments": {"duration": 0.5, "steps": 5}, "_meta": {"progressToken": 1}}),
    );
    assert!(gate.reply(id).is_ok());
    assert!(!gate.seen("notifications/progress").is_empty());
    let _ = process.kill().and_then(|()| process.wait());
}

/// Kills the backend whose command line holds `name`.
fn kill(gate: &Gate, name: &str) {
    let process = eventually("the server", || {
        gate.backends().into_iter().find(|process| {
            let command = std::fs::read(format!("/proc/{}/cmdline", process.pid)).unwrap_or_default();
            String::from_utf8_lossy(&command).contains(name)
        })
    });
    process.signal("KILL");
}
