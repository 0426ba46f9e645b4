//! Backends over Streamable HTTP.

use crate::harness::{Gate, HttpStub, Setup, eventually};
use serde_json::{Value, json};

fn method_of(request: &Value) -> String {
    let body: Value = serde_json::from_str(request["body"].as_str().unwrap_or_default()).unwrap_or_default();
    body["method"].as_str().unwrap_or_default().to_owned()
}

fn open(flags: &[&str]) -> (HttpStub, Gate) {
    let setup = Setup::new();
    let server = HttpStub::start(&setup, "h", flags);
    let gate = setup.http("h", &server).open();
    (server, gate)
}

#[test]
fn json_and_event_stream_answers_are_read() {
    for flags in [&[][..], &["--sse"][..], &["--no-get-stream"][..]] {
        let (_server, gate) = open(flags);
        assert_eq!(gate.call("echo", &json!({"k": 1})).text(), r#"{"k":1}"#, "{flags:?}");
        assert!(gate.call("lookup", &json!({})).raw.contains("[REDACTED:email]"), "{flags:?}");
    }
}

#[test]
fn an_http_backend_stands_beside_a_stdio_one() {
    let setup = Setup::new();
    let server = HttpStub::start(&setup, "h", &[]);
    let gate = setup.http("h", &server).stub("s", &[]).open();
    let probe = gate.start_call("h__slow", &json!({"ms": 800}));
    assert!(gate.call("s__echo", &json!({})).is_ok());
    assert!(gate.call("h__echo", &json!({})).is_ok(), "calls to one HTTP backend overlap");
    assert!(gate.reply(probe).is_ok());
}

#[test]
fn w28_a_lost_session_is_opened_again_once() {
    let (server, gate) = open(&[]);
    assert!(gate.call("echo", &json!({})).is_ok());
    server.expire_sessions();
    let ids: Vec<i64> =
        (0..5).map(|n| gate.start_call("count", &json!({"effect": format!("e{n}")}))).collect();
    for id in ids {
        let reply = gate.reply(id);
        assert!(
            reply.is_ok(),
            "a clean 404 never reached the tool, so the call is sent again: {}",
            reply.raw
        );
    }
    let mut effects = gate.effects("h");
    effects.sort();
    assert_eq!(effects, ["e0", "e1", "e2", "e3", "e4"]);
    let opened = server.requests().iter().filter(|request| method_of(request) == "initialize").count();
    assert_eq!(opened, 2, "one new session for all of them");
}

#[test]
fn w28_the_session_is_deleted_at_the_end() {
    let (server, gate) = open(&[]);
    gate.close_stdin();
    let deleted = server.wait_for("DELETE", |request| request["method"] == "DELETE");
    assert_eq!(deleted["headers"]["mcp-session-id"], "stub-session-1");
}

#[test]
fn w29_every_request_names_version_and_session() {
    let (server, gate) = open(&[]);
    gate.call("echo", &json!({}));
    let call = server.wait_for("the call", |request| method_of(request) == "tools/call");
    assert_eq!(call["headers"]["mcp-protocol-version"], "2025-11-25");
    assert_eq!(call["headers"]["mcp-session-id"], "stub-session-1");
    let accept = call["headers"]["accept"].as_str().unwrap_or_default();
    assert!(accept.contains("application/json") && accept.contains("text/event-stream"), "{accept}");
    assert!(
        call["headers"]["content-type"].as_str().is_some_and(|kind| kind.starts_with("application/json"))
    );
    let requests = server.requests();
    let get = requests.iter().position(|request| request["method"] == "GET").expect("a GET stream");
    let called = requests.iter().position(|request| method_of(request) == "tools/call").expect("a call");
    assert!(get < called, "the GET stream is asked for before the first call");
}

#[test]
fn w29_headers_are_expanded_and_never_shown() {
    let setup = Setup::new();
    let server = HttpStub::start(&setup, "h", &["--require-key", "k-12345"]);
    let entry = json!({"id": "h", "url": server.url(), "headers": {"x-stub-key": "${STUB_KEY}"}});
    let gate = setup.backend(entry).env("STUB_KEY", "k-12345").open();
    assert!(gate.call("echo", &json!({})).is_ok());
    assert!(!gate.stderr().contains("k-12345") && !gate.audit_text().contains("k-12345"));
}

#[test]
fn w29_the_get_stream_is_up_before_the_first_call() {
    let setup = Setup::new();
    let server = HttpStub::start(&setup, "h", &["--get-delay-ms", "700"]);
    let gate = setup.http("h", &server).capabilities(json!({"elicitation": {}})).open();
    gate.on_request("elicitation/create", json!({"result": {"action": "decline"}}));
    // The stub loses what it asks while there is no GET stream.
    assert_eq!(gate.call("elicit", &json!({})).json()["result"]["action"], "decline");
}

#[test]
fn progress_and_requests_pass_on_a_calls_own_stream() {
    let setup = Setup::new();
    let server = HttpStub::start(&setup, "h", &["--sse"]);
    let gate = setup.http("h", &server).capabilities(json!({"elicitation": {}})).open();
    gate.on_request("elicitation/create", json!({"result": {"action": "decline"}}));
    assert_eq!(gate.call("elicit", &json!({})).json()["result"]["action"], "decline");
    let id = gate.request(
        "tools/call",
        &json!({"name": "progress", "arguments": {"steps": 3}, "_meta": {"progressToken": "p"}}),
    );
    assert_eq!(gate.reply(id).text(), "done");
    assert_eq!(gate.seen("notifications/progress").len(), 3);
}

#[test]
fn a_cancel_reaches_an_http_backend() {
    let (_server, gate) = open(&[]);
    let probe = gate.start_call("cancel_probe", &json!({"name": "p"}));
    eventually("the probe", || {
        gate.call("received", &json!({})).json()["tools/call"].as_u64().filter(|n| *n >= 2)
    });
    gate.cancel(probe);
    eventually("the cancel", || {
        gate.call("cancelled", &json!({})).text().starts_with(r#"["p"]"#).then_some(())
    });
    assert_eq!(gate.replies_to(probe), 0);
}

#[test]
fn w30_a_body_of_many_megabytes_passes() {
    for flags in [&[][..], &["--sse"][..]] {
        let (_server, gate) = open(flags);
        assert!(gate.call("big", &json!({"kb": 5000})).text().len() > 5_000_000);
    }
}

#[test]
fn w31_an_answer_under_another_id_is_none() {
    for flags in [&["--wrong-ids"][..], &["--wrong-ids", "--sse"][..]] {
        let setup = Setup::new().env("AXONFLOW_BACKEND_TIMEOUT", "2s");
        let server = HttpStub::start(&setup, "h", flags);
        let gate = setup.http("h", &server).open();
        assert_eq!(gate.call("echo", &json!({})).code(), -32603, "{flags:?}");
    }
}

#[test]
fn an_http_error_body_is_redacted() {
    let setup = Setup::new();
    let server = HttpStub::start(&setup, "h", &[]);
    let gate = setup.clone().http("h", &server).open();
    let port = server.port();
    drop(server);
    let _other = HttpStub::start_on(&setup, "h2", port, &["--require-key", "k"]);
    let reply = gate.call("echo", &json!({}));
    assert_eq!(reply.code(), -32603);
    assert!(!reply.raw.contains("siti@"), "{}", reply.raw);
}

#[test]
fn an_http_backend_comes_in_when_it_comes_up() {
    let setup = Setup::new();
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address").port()
    };
    let entry = json!({"id": "late", "url": format!("http://127.0.0.1:{port}/mcp")});
    let gate = setup.clone().stub("good", &[]).backend(entry).expecting("good__echo").open();
    let _server = HttpStub::start_on(&setup, "late", port, &[]);
    gate.wait_for_tool("late__echo");
    assert!(gate.call_until_ok("late__echo", &json!({})).is_ok());
}

#[test]
fn w21_a_call_over_http_whose_server_died_is_not_sent_again() {
    let setup = Setup::new();
    let server = HttpStub::start(&setup, "h", &[]);
    let gate = setup.clone().http("h", &server).open();
    let reply = gate.call("count", &json!({"effect": "once", "crash": true}));
    assert_eq!(reply.code(), -32603);
    assert_eq!(reply.data()["outcome"], "unknown");
    let _again = HttpStub::start_on(&setup, "h", server.port(), &[]);
    assert!(gate.call_until_ok("echo", &json!({})).is_ok());
    assert_eq!(gate.effects("h"), ["once"]);
}
