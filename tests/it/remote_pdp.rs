//! The gate with a decision service: what is sent, and what each answer, and each missing answer, leads to.

use crate::harness::{Gate, Pdp, STACKED_SQL, Setup};
use serde_json::{Value, json};

fn open(pdp: &Pdp) -> Gate {
    pdp.serves(Setup::new()).stub("a", &[]).open()
}

fn open_with(pdp: &Pdp, settings: &[(&str, &str)]) -> Gate {
    let setup = settings.iter().fold(pdp.serves(Setup::new()), |setup, (key, value)| setup.env(key, value));
    setup.stub("a", &[]).open()
}

/// A gate that would open, with the service in this mode, and a call through it.
fn count_in_mode(mode: &Value) -> (Gate, crate::harness::Reply) {
    let pdp = Pdp::start();
    let gate = open_with(&pdp, &[("AXONFLOW_FAIL_MODE", "open"), ("AXONFLOW_DECIDE_TIMEOUT", "2s")]);
    pdp.mode(mode);
    let reply = gate.call("count", &json!({"effect": "ran"}));
    (gate, reply)
}

#[test]
fn w48_decide_is_told_who_asks_for_what() {
    let pdp = Pdp::start();
    let gate = pdp
        .serves(Setup::new())
        .env("AXONFLOW_CLIENT_ID", "client")
        .env("AXONFLOW_CLIENT_SECRET", "secret:with colon")
        .env("AXONFLOW_USER_TOKEN", "user-jwt")
        .env("AXONFLOW_TENANT_ID", "tenant")
        .env("AXONFLOW_ORG_ID", "org")
        .env("AXONFLOW_LEADER_EMAIL", "lead@example.com")
        .env("AXONFLOW_SESSION_ID", "cd-session")
        .env("AXONFLOW_GATEWAY_ID", "gate.way")
        .stub("a", &[])
        .stub("b", &[])
        .open();
    let id = gate.request_raw("tools/call", r#"{"name":"b__echo","arguments":{"z":"<&>","a":1.0}}"#);
    gate.reply(id).result();
    let requests = pdp.requests();
    let request =
        requests.iter().find(|request| request["path"] == "/api/v1/decide").expect("decide was asked");
    let headers = &request["headers"];
    // base64 of `client:secret:with colon`
    assert_eq!(headers["authorization"], "Basic Y2xpZW50OnNlY3JldDp3aXRoIGNvbG9u");
    assert_eq!(headers["x-user-email"], "lead@example.com");
    assert_eq!(headers["x-session-id"], "cd-session");
    assert!(headers.get("x-axonflow-pep-handshake").is_none());
    let body = pdp.bodies("/decide").pop().expect("a body");
    assert_eq!(body["stage"], "tool");
    assert_eq!(body["query"], "tool_call: echo args: {\"a\":1,\"z\":\"\\u003c\\u0026\\u003e\"}");
    assert_eq!(body["user_token"], "user-jwt");
    assert_eq!(
        body["caller_identity"],
        json!({"gateway_id": "gate.way", "org_id": "org", "tenant_id": "tenant"})
    );
    assert_eq!(body["target"], json!({"type": "tool", "tool": "echo", "server": "b"}));
    let context = &body["context"];
    for (key, value) in [
        ("tool_name", "echo"),
        ("exposed_name", "b__echo"),
        ("backend", "b"),
        ("protocol", "mcp"),
        ("surface", "claude_desktop"),
        ("x-ai-agent", "claude-desktop"),
        ("x-session-id", "cd-session"),
        ("x-leader-identity", "lead@example.com"),
    ] {
        assert_eq!(context[key], value, "{key} in {context}");
    }
    assert!(!gate.stderr().contains("secret:with") && !gate.stderr().contains("user-jwt"));
}

#[test]
fn without_a_secret_there_is_no_authorization() {
    let pdp = Pdp::start();
    let gate = open(&pdp);
    gate.call("echo", &json!({}));
    let requests = pdp.requests();
    assert!(requests[0]["headers"].get("authorization").is_none());
    assert_eq!(pdp.bodies("/decide")[0]["query"], "tool_call: echo");
}

#[test]
fn w49_a_trace_is_propagated() {
    let pdp = Pdp::start();
    let gate = open(&pdp);
    gate.call("echo", &json!({}));
    let trace = pdp.requests()[0]["headers"]["traceparent"].as_str().expect("a traceparent").to_owned();
    let parts: Vec<&str> = trace.split('-').collect();
    assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [2, 32, 16, 2], "{trace}");
    assert_ne!(parts[1], "0".repeat(32));
}

#[test]
fn a_handshake_is_sent_when_an_audience_is_set() {
    let pdp = Pdp::start();
    let gate = open_with(&pdp, &[("AXONFLOW_PEP_AUDIENCE", "audience-1")]);
    gate.call("echo", &json!({}));
    let header = pdp.requests()[0]["headers"]["x-axonflow-pep-handshake"].as_str().expect("sent").to_owned();
    assert!(!header.is_empty() && !header.contains('='), "base64url without padding: {header}");
}

#[test]
fn the_service_denies() {
    let pdp = Pdp::start();
    let gate = open(&pdp);
    let denied = gate.call("count", &json!({"effect": "x", "q": STACKED_SQL}));
    assert_eq!(denied.code(), -32001);
    assert!(denied.message().contains("stacked SQL is not allowed"), "{}", denied.message());
    assert_eq!(denied.data()["evaluated_policies"], json!(["sqli_drop", "stub_policy"]));
    assert!(gate.effects("a").is_empty());
    assert!(gate.call("count", &json!({"effect": "fine"})).is_ok());
    let row = gate.audit_row("denied", |row| row["verdict"] == "deny");
    assert_eq!(row["decision_id"], denied.data()["decision_id"]);
    assert_eq!(row["trace_id"], denied.data()["trace_id"]);
}

#[test]
fn connections_are_used_again() {
    let pdp = Pdp::start();
    let gate = open(&pdp);
    let ids: Vec<i64> = (0..200).map(|n| gate.start_call("echo", &json!({"n": n}))).collect();
    for id in ids {
        assert!(gate.reply(id).is_ok());
    }
    assert_eq!(pdp.bodies("/decide").len(), 200, "one decision per call");
    pdp.mode(&json!({"close_after_answer": true}));
    for _ in 0..20 {
        assert!(gate.call("echo", &json!({})).is_ok(), "a connection that was closed meanwhile is no outage");
    }
}

#[test]
fn w01_a_slow_decision_holds_nobody_up() {
    let pdp = Pdp::start();
    let gate = open(&pdp);
    pdp.mode(&json!({"plane": "decide", "delay_ms": 1500}));
    let slow = gate.start_call("echo", &json!({}));
    gate.ask("ping", &json!({})).result();
    gate.ask("tools/list", &json!({})).result();
    assert_eq!(gate.replies_to(slow), 0);
    assert!(gate.reply(slow).is_ok());
}

#[test]
fn w34_only_a_true_outage_opens_a_gate_that_may_open() {
    for mode in [
        json!({"plane": "decide", "verdict": "perhaps"}),
        json!({"plane": "decide", "verdict": ""}),
        json!({"plane": "decide", "body": "<html>garbage</html>"}),
        json!({"plane": "decide", "body": "{}"}),
        json!({"plane": "decide", "body": ""}),
        json!({"plane": "decide", "status": 400}),
        json!({"plane": "decide", "status": 401}),
        json!({"plane": "decide", "status": 402}),
        json!({"plane": "decide", "status": 403}),
        json!({"plane": "decide", "status": 404}),
        json!({"plane": "decide", "status": 429, "retry_after": "1"}),
        json!({"plane": "decide", "status": 302}),
    ] {
        let (gate, reply) = count_in_mode(&mode);
        assert!(matches!(reply.code(), -32003 | -32001), "{mode}: {}", reply.raw);
        assert!(gate.effects("a").is_empty(), "{mode} opened the gate");
    }
}

#[test]
fn w34_an_outage_opens_a_gate_that_may_open() {
    for mode in [
        json!({"plane": "decide", "close": true}),
        json!({"plane": "decide", "status": 502, "body": "bad gateway"}),
        json!({"plane": "decide", "delay_ms": 20_000}),
    ] {
        let (gate, reply) = count_in_mode(&mode);
        assert!(reply.is_ok(), "{mode}: {}", reply.raw);
        assert_eq!(gate.audit_of(1)[0]["verdict"], "allow_failopen", "{mode}");
    }
}

#[test]
fn w34_large_arguments_do_not_open_the_gate() {
    let (gate, reply) = {
        let pdp = Pdp::start();
        let gate = open_with(&pdp, &[("AXONFLOW_FAIL_MODE", "open")]);
        let filler = "<".repeat(3 << 20);
        let reply = gate.call("count", &json!({"effect": "x", "filler": filler, "q": STACKED_SQL}));
        (gate, reply)
    };
    assert!(matches!(reply.code(), -32001 | -32003), "{}", reply.code());
    assert!(gate.effects("a").is_empty());
}

#[test]
fn w35_the_services_own_breaker_is_a_refusal() {
    let envelope = r#"{"error":"circuit breaker open","verdict":"deny"}"#;
    let (gate, reply) =
        count_in_mode(&json!({"plane": "decide", "status": 503, "retry_after": "30", "body": envelope}));
    assert!(matches!(reply.code(), -32003 | -32001), "{}", reply.raw);
    assert!(gate.effects("a").is_empty());
}

#[test]
fn a_closed_gate_stays_closed_and_recovers() {
    let pdp = Pdp::start();
    let gate = open_with(&pdp, &[("AXONFLOW_DECIDE_TIMEOUT", "1s")]);
    for mode in [json!({"close": true}), json!({"status": 500, "body": "x"})] {
        pdp.mode(&mode);
        let reply = gate.call("count", &json!({"effect": "x"}));
        assert_eq!(reply.code(), -32003, "{mode}");
        assert_eq!(reply.data()["verdict"], "unavailable", "{mode}");
    }
    assert!(gate.effects("a").is_empty());
    pdp.heal();
    assert!(gate.call_until_ok("count", &json!({"effect": "later"})).is_ok());
    gate.audit_row("closed", |row| row["verdict"] == "deny" && row["outcome"] == "not_forwarded");
}

#[test]
fn w36_an_approval_is_redeemed_once_by_the_repeated_call() {
    let pdp = Pdp::start();
    let gate = open(&pdp);
    let arguments = json!({"effect": "paid", "why": "NEEDS_APPROVAL"});
    let held = gate.call("count", &arguments);
    assert_eq!(held.code(), -32002);
    let id = pdp.pending_approval();
    assert!(held.message().contains(&id), "the person must know which one: {}", held.message());
    assert_eq!(held.data()["verdict"], "needs_approval");
    assert!(gate.effects("a").is_empty());
    pdp.approve(&id);
    assert!(gate.call("count", &arguments).is_ok());
    assert_eq!(gate.effects("a"), ["paid"]);
    assert_eq!(gate.call("count", &arguments).code(), -32002, "an approval pays once");
    assert_eq!(gate.effects("a"), ["paid"]);
    gate.audit_row("held", |row| row["verdict"] == "needs_approval" && row["outcome"] == "not_forwarded");
}

#[test]
fn w36_an_approval_pays_for_no_other_call() {
    let pdp = Pdp::start();
    let gate = open(&pdp);
    assert_eq!(gate.call("count", &json!({"effect": "one", "why": "NEEDS_APPROVAL"})).code(), -32002);
    pdp.approve(&pdp.pending_approval());
    assert_eq!(gate.call("count", &json!({"effect": "two", "why": "NEEDS_APPROVAL"})).code(), -32002);
    assert!(gate.effects("a").is_empty());
}

#[test]
fn w37_an_obligation_is_fulfilled_before_the_call_leaves() {
    let pdp = Pdp::start();
    let gate = open(&pdp);
    let reply = gate.call("echo", &json!({"note": "HAS_PII here", "n": 1}));
    assert!(reply.is_ok(), "{}", reply.raw);
    let line = gate.received_of("a", "tools/call").pop().expect("forwarded");
    assert!(!line.contains("HAS_PII") && line.contains("[MASKED] here"), "{line}");
}

#[test]
fn w37_an_obligation_that_cannot_be_fulfilled_denies() {
    for mode in [
        json!({"plane": "check-input", "status": 500}),
        json!({"plane": "check-input", "body": "garbage"}),
        json!({"plane": "check-input", "close": true}),
    ] {
        let pdp = Pdp::start();
        let gate = open_with(&pdp, &[("AXONFLOW_FAIL_MODE", "open"), ("AXONFLOW_DECIDE_TIMEOUT", "2s")]);
        pdp.mode(&mode);
        let reply = gate.call("echo", &json!({"note": "HAS_PII"}));
        assert!(matches!(reply.code(), -32001 | -32003), "{mode}: {}", reply.raw);
        assert!(gate.received_of("a", "tools/call").is_empty(), "{mode}");
    }
    let pdp = Pdp::start();
    let gate = open(&pdp);
    pdp.mode(&json!({"plane": "decide", "obligations": [{"type": "no_such_obligation"}]}));
    assert!(matches!(gate.call("echo", &json!({})).code(), -32001 | -32003));
    assert!(gate.received_of("a", "tools/call").is_empty());
}

#[test]
fn w39_refusals_are_told_apart() {
    let mut texts = Vec::new();
    for status in [401, 402, 403, 429] {
        let (_gate, reply) =
            count_in_mode(&json!({"plane": "decide", "status": status, "retry_after": "17"}));
        assert_eq!(reply.code(), -32003, "{status}");
        let message = reply.message().to_owned();
        if status == 429 {
            assert!(message.contains("17"), "when to try again: {message}");
        }
        texts.push(message);
    }
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 4, "{texts:?}");
}

#[test]
fn w40_a_403_of_check_output_is_read_by_its_body() {
    let pdp = Pdp::start();
    let gate = open_with(&pdp, &[("CALLGATE_REDACT_ENGINE", "remote")]);
    let blocked = gate.call("text", &json!({"text": "BLOCK_OUTPUT"}));
    assert_eq!(blocked.code(), -32001);
    pdp.mode(&json!({"plane": "check-output", "status": 403, "body": r#"{"error":"Tenant mismatch"}"#}));
    let mismatch = gate.call("text", &json!({"text": "harmless"}));
    assert_eq!(mismatch.code(), -32003);
}

#[test]
fn the_remote_redactor_speaks_and_both_can() {
    let text = json!({"text": "ENGINE_SECRET of siti@example.co.id"});
    let shown = |engine: &str| {
        let pdp = Pdp::start();
        let gate = open_with(&pdp, &[("CALLGATE_REDACT_ENGINE", engine)]);
        gate.call("text", &text).text().to_owned()
    };
    assert_eq!(shown("remote"), "[MASKED] of siti@example.co.id");
    assert_eq!(shown("both"), "[MASKED] of [REDACTED:email]");
    assert_eq!(shown("local"), "ENGINE_SECRET of [REDACTED:email]");
}

#[test]
fn w43_a_remote_redactor_that_did_not_look_withholds() {
    for mode in [
        json!({"plane": "check-output", "redaction_evaluated": false}),
        json!({"plane": "check-output", "redacted_data": ""}),
        json!({"plane": "check-output", "redacted_data": "no JSON"}),
        json!({"plane": "check-output", "redacted_data": [1]}),
        json!({"plane": "check-output", "body": "{}"}),
        json!({"plane": "check-output", "status": 500}),
    ] {
        let pdp = Pdp::start();
        let gate = open_with(&pdp, &[("CALLGATE_REDACT_ENGINE", "remote"), ("AXONFLOW_FAIL_MODE", "open")]);
        pdp.mode(&mode);
        let reply = gate.call("text", &json!({"text": "must not pass"}));
        assert_eq!(reply.code(), -32003, "{mode}: {}", reply.raw);
        assert!(!reply.raw.contains("must not pass"), "{mode}");
    }
}

#[test]
fn w45_a_withheld_answer_says_that_the_tool_ran() {
    let pdp = Pdp::start();
    let gate = open_with(&pdp, &[("CALLGATE_REDACT_ENGINE", "remote")]);
    pdp.mode(&json!({"plane": "check-output", "status": 500}));
    let reply = gate.call("count", &json!({"effect": "ran"}));
    assert_eq!(reply.code(), -32003);
    assert!(reply.message().contains("executed"), "{}", reply.message());
    assert!(reply.message().contains("decision_id="), "{}", reply.message());
    assert_eq!(gate.effects("a"), ["ran"]);
    gate.audit_row("withheld", |row| row["outcome"] == "withheld");
}

#[test]
fn w47_credentials_over_plain_http_are_warned_of() {
    let gate = Setup::new()
        .env("AXONFLOW_ENDPOINT", "http://pdp.example.invalid")
        .env("AXONFLOW_CLIENT_SECRET", "s3cret")
        .env("AXONFLOW_DECIDE_TIMEOUT", "1s")
        .stub("a", &[])
        .spawn();
    gate.wait_for_stderr("https");
    assert!(!gate.stderr().contains("s3cret"));
}

#[test]
fn w50_reasons_are_bounded_and_cleaned() {
    let pdp = Pdp::start();
    let gate = open(&pdp);
    let reason =
        format!("see \u{1b}[31m\u{202e}this\r\n\u{0}{} of siti@example.co.id", "long ".repeat(5_000));
    pdp.mode(&json!({"plane": "decide", "verdict": "deny", "reasons": [reason]}));
    let reply = gate.call("echo", &json!({}));
    assert_eq!(reply.code(), -32001);
    assert!(reply.raw.len() < 8_000, "{} bytes", reply.raw.len());
    assert!(!reply.message().chars().any(|c| c.is_control() || c == '\u{202e}'), "{:?}", reply.message());
    assert!(reply.message().contains("decision_id="), "a long reason must not push the ids out");
}

#[test]
fn w52_an_open_gate_still_redacts_when_the_service_is_away() {
    let pdp = Pdp::start();
    let gate = open_with(&pdp, &[("AXONFLOW_FAIL_MODE", "open"), ("AXONFLOW_DECIDE_TIMEOUT", "2s")]);
    pdp.kill();
    let reply = gate.call("lookup", &json!({}));
    assert!(reply.text().contains("[REDACTED:email]"), "{}", reply.raw);
    assert_eq!(gate.audit_of(1)[0]["verdict"], "allow_failopen");
}

#[test]
fn redaction_on_obligation_follows_the_decision() {
    let pdp = Pdp::start();
    let gate = open_with(&pdp, &[("AXONFLOW_REDACT_RESPONSES", "on-obligation")]);
    assert!(gate.call("lookup", &json!({})).text().contains("siti@"));
    pdp.mode(&json!({"plane": "decide", "obligation": true}));
    assert!(gate.call("lookup", &json!({})).text().contains("[REDACTED:email]"));
}

#[test]
fn which_engine_speaks_is_told_and_can_be_set() {
    let pdp = Pdp::start();
    let gate = open_with(&pdp, &[("CALLGATE_PDP", "embedded")]);
    assert_eq!(gate.call("echo", &json!({"q": STACKED_SQL})).code(), -32001);
    assert!(pdp.requests().is_empty());
    let gate = open(&pdp);
    gate.wait_for_stderr("axonflow");
}
