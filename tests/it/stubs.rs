//! The stubs do what the other tests rely on: driven directly, without the proxy.

use crate::harness::{Gate, HttpStub, PATIENCE, Pdp, STACKED_SQL, Setup, eventually};
use serde_json::{Value, json};
use std::time::Duration;

#[test]
fn calls_answer_out_of_order() {
    let stub = Setup::direct_stub(&[]).open();
    let slow = stub.start_call("slow", &json!({"ms": 300}));
    assert_eq!(stub.call("echo", &json!({"a": 1})).text(), r#"{"a":1}"#);
    assert_eq!(stub.replies_to(slow), 0);
    assert_eq!(stub.reply(slow).text(), "slept");
}

#[test]
fn echo_keeps_the_raw_text() {
    let stub = Setup::direct_stub(&[]).open();
    let id = stub.request_raw(
        "tools/call",
        r#"{"name":"echo","arguments":{"z":12345678901234567890,"a":1.0,"t":"<&>"}}"#,
    );
    assert_eq!(stub.reply(id).text(), r#"{"z":12345678901234567890,"a":1.0,"t":"<&>"}"#);
}

#[test]
fn effects_are_recorded_and_crashes_answer_nothing() {
    let stub = Setup::direct_stub(&[]).open();
    assert_eq!(stub.call("count", &json!({"effect": "one"})).text(), "counted one");
    let lost = stub.start_call("count", &json!({"effect": "two", "crash": true}));
    assert!(stub.exit_within(PATIENCE).is_some());
    assert_eq!(stub.replies_to(lost), 0);
    assert_eq!(stub.effects("s"), ["one", "two"]);
}

#[test]
fn client_requests_are_asked_and_answered() {
    let stub = Setup::direct_stub(&[]).open();
    stub.on_request("sampling/createMessage", json!({"result": {"model": "m"}}));
    let reply = stub.call("sample", &json!({}));
    assert_eq!(reply.json()["result"]["model"], "m");
}

#[test]
fn progress_carries_the_token_that_came() {
    let stub = Setup::direct_stub(&[]).open();
    let id = stub.request(
        "tools/call",
        &json!({"name": "progress", "arguments": {"steps": 2}, "_meta": {"progressToken": "t"}}),
    );
    assert_eq!(stub.reply(id).text(), "done");
    let seen = stub.seen("notifications/progress");
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|notice| notice["params"]["progressToken"] == "t"));
}

#[test]
fn cancelled_probes_are_told() {
    let stub = Setup::direct_stub(&[]).open();
    let probe = stub.start_call("cancel_probe", &json!({"name": "p"}));
    eventually("the probe arrives", || {
        stub.call("received", &json!({})).json()["tools/call"].as_u64().filter(|n| *n > 1)
    });
    stub.cancel(probe);
    eventually("the cancel arrives", || {
        (stub.call("cancelled", &json!({})).text().starts_with(r#"["p"]"#)).then_some(())
    });
    assert_eq!(stub.replies_to(probe), 0);
}

#[test]
fn lists_are_paged_and_an_empty_cursor_is_one() {
    let stub = Setup::direct_stub(&["--pages", "4", "--tools", "5"]).open();
    let first = stub.ask("tools/list", &json!({}));
    assert_eq!(first.result()["nextCursor"], "");
    assert!(stub.tool_names().contains(&"extra_004".to_owned()));
}

#[test]
fn faults_spoil_answers() {
    let wrong = Setup::direct_stub(&["--wrong-ids"]).open();
    let id = wrong.start_call("echo", &json!({}));
    wrong.message("answer under another id", |message| {
        message.value["id"].as_i64().is_some_and(|other| other > 99_999)
    });
    assert_eq!(wrong.replies_to(id), 0);

    let twice = Setup::direct_stub(&["--duplicates"]).open();
    let id = twice.start_call("echo", &json!({}));
    eventually("two answers", || (twice.replies_to(id) == 2).then_some(()));

    let collision = Setup::direct_stub(&["--id-collision"]).open();
    let id = collision.start_call("echo", &json!({}));
    collision.reply(id);
    assert_eq!(collision.seen("ping")[0]["id"], id);

    let half = Setup::direct_stub(&["--half-line"]).open();
    let id = half.start_call("echo", &json!({}));
    assert!(half.exit_within(PATIENCE).is_some());
    assert_eq!(half.replies_to(id), 0);
    eventually("half a line", || (half.strange_lines().len() == 1).then_some(()));
    drop_with_noise(half);
}

#[test]
fn noise_goes_where_it_is_told() {
    let banner = Setup::direct_stub(&["--banner", "hello, not JSON"]).open();
    assert_eq!(banner.strange_lines(), ["hello, not JSON"]);
    drop_with_noise(banner);

    let long = Setup::direct_stub(&["--long-line", "3000000"]).open();
    eventually("a long line", || (long.strange_lines().len() == 1).then_some(()));
    drop_with_noise(long);

    let flood = Setup::direct_stub(&["--flood-stdout", "--stderr-flood"]).open();
    eventually("a flood", || (flood.seen("notifications/message").len() > 1_000).then_some(()));
    eventually("a flood on stderr", || (flood.stderr().len() > 3 << 20).then_some(()));
}

#[test]
fn term_can_be_ignored_and_grandchildren_live_on() {
    let setup = Setup::direct_stub(&["--ignore-term", "--ignore-eof"]);
    let pids = setup.path("grandchild");
    let stub = setup.args(&["--fork-grandchild", &pids]).open();
    let descendants = stub.descendants();
    assert!(!descendants.is_empty(), "a grandchild carries the mark");
    stub.signal("TERM");
    stub.close_stdin();
    assert!(stub.exit_within(Duration::from_millis(500)).is_none());
    stub.signal("KILL");
    assert!(stub.exit_within(PATIENCE).is_some());
    assert!(descendants.iter().any(|process| process.is_alive()));
}

#[test]
fn http_stub_has_sessions_and_forgets_them() {
    let setup = Setup::new();
    let stub = HttpStub::start(&setup, "h", &[]);
    let post = |session: &str, body: &Value| {
        let output = std::process::Command::new("curl")
            .args([
                "-si",
                "-m",
                "10",
                "-H",
                &format!("Mcp-Session-Id: {session}"),
                "-d",
                &body.to_string(),
                &stub.url(),
            ])
            .output()
            .expect("curl runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let opened = post(
        "",
        &json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25"}}),
    );
    assert!(opened.contains("stub-session-1"), "{opened}");
    let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "echo", "arguments": {"k": 1}}});
    assert!(post("stub-session-1", &call).contains(r#"{\"k\":1}"#));
    stub.expire_sessions();
    assert!(post("stub-session-1", &call).starts_with("HTTP/1.1 404"));
    assert_eq!(stub.requests().len(), 4);
}

#[test]
fn decision_service_decides_by_content() {
    let pdp = Pdp::start();
    let port: u16 = pdp.endpoint().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let decide = |query: &str, approval: Value| -> Value {
        let body = json!({"stage": "tool", "query": query, "approval_id": approval});
        serde_json::from_str(&crate::harness::http(port, "POST", "/api/v1/decide", &body.to_string()))
            .expect("JSON")
    };
    assert_eq!(decide("harmless", Value::Null)["verdict"], "allow");
    assert_eq!(decide(STACKED_SQL, Value::Null)["verdict"], "deny");
    assert_eq!(decide("HAS_PII", Value::Null)["obligations"][0]["type"], "redact_pii");
    let held = decide("NEEDS_APPROVAL", Value::Null);
    let id = held["pending_approval"]["approval_id"].clone();
    assert_eq!(held["verdict"], "needs_approval");
    assert_eq!(decide("NEEDS_APPROVAL", id.clone())["reasons"][0], "approval_pending");
    pdp.approve(id.as_str().expect("an id"));
    assert_eq!(decide("NEEDS_APPROVAL other", id.clone())["reasons"][0], "bound_input_changed");
    assert_eq!(decide("NEEDS_APPROVAL", id.clone())["verdict"], "allow");
    assert_eq!(decide("NEEDS_APPROVAL", id)["reasons"][0], "approval_already_consumed");
    pdp.mode(&json!({"plane": "decide", "status": 503}));
    assert_eq!(decide("harmless", Value::Null)["verdict"], "deny");
    pdp.heal();
    pdp.mode(&json!({"plane": "decide", "verdict": "perhaps"}));
    assert_eq!(decide("harmless", Value::Null)["verdict"], "perhaps");
    assert!(pdp.bodies("/decide").len() >= 9);
}

/// Ends a stub that was told to write noise, which every other test takes as a failure.
fn drop_with_noise(stub: Gate) {
    stub.forgive_strange_lines();
}
