//! The gate with the Agent Action Firewall: what is sent, what each answer and each missing answer leads to, and approvals
//! that its people give.

use crate::harness::{AAF_KEY, Aaf, Gate, Reply, STACKED_SQL, Setup, eventually};
use serde_json::{Value, json};

const DENIED: i64 = -32000;
const NOT_APPROVED: i64 = -32001;

fn setup(aaf: &Aaf) -> Setup {
    aaf.serves(Setup::new()).stub("a", &[]).env("CALLGATE_APPROVAL_POLL", "100ms")
}

/// A gate that opens on an outage: whatever stays shut there stays shut in every gate.
fn open_gate(aaf: &Aaf) -> Gate {
    setup(aaf).env("AXONFLOW_FAIL_MODE", "open").open()
}

fn run(gate: &Gate, effect: &str) -> Reply {
    gate.call("count", &json!({"effect": effect}))
}

// ------------------------------------------------------------------------------------------------- the request

#[test]
fn an_action_says_which_tool_is_called_with_what() {
    let aaf = Aaf::start();
    let gate = setup(&aaf).env("AXONFLOW_SESSION_ID", "cd-session").open();
    let id =
        gate.request_raw("tools/call", r#"{"name":"echo","arguments":{"z":12345678901234567890,"a":1.0}}"#);
    gate.reply(id).result();
    let asked = aaf.asked("POST", "/v1/actions").remove(0);
    assert_eq!(asked["headers"]["x-agent-key"], AAF_KEY);
    assert_eq!(asked["headers"]["x-agent-id"], "mcp-proxy");
    assert!(asked["headers"]["traceparent"].as_str().is_some_and(|trace| trace.len() == 55));
    let text = asked["body"].as_str().expect("a body");
    assert!(text.contains(r#""params":{"z":12345678901234567890,"a":1.0}"#), "byte by byte: {text}");
    let body = aaf.submitted().remove(0);
    assert_eq!((&body["tool"], &body["operation"]), (&json!("echo"), &json!("call")));
    assert_eq!(body["metadata"], json!({"server": "a", "session_id": "cd-session"}));
    assert!(body["idempotency_key"].as_str().is_some_and(|key| key.len() == 36), "{body}");
    assert!(body.get("parameters").is_none());
    assert!(!gate.stderr().contains(AAF_KEY) && gate.stderr().contains("aaf, http://127.0.0.1"));
}

#[test]
fn names_and_members_can_be_chosen_and_servers_are_told_apart() {
    let aaf = Aaf::start();
    let gate = aaf
        .serves(Setup::new())
        .stub("a", &[])
        .stub("b", &[])
        .env("CALLGATE_AAF_AGENT_ID", "desk-7")
        .env("CALLGATE_AAF_OPERATION", "tools/call")
        .env("CALLGATE_AAF_PARAMS", "both")
        .open();
    gate.call("b__echo", &json!({"n": 1}));
    let body = aaf.submitted().remove(0);
    assert_eq!((&body["tool"], &body["operation"]), (&json!("b__echo"), &json!("tools/call")));
    assert_eq!((&body["params"], &body["parameters"]), (&json!({"n": 1}), &json!({"n": 1})));
    assert_eq!(
        (&body["metadata"]["server"], &body["metadata"]["server_tool"]),
        (&json!("b"), &json!("echo"))
    );
    assert_eq!(aaf.requests()[0]["headers"]["x-agent-id"], "desk-7");
    let other = setup(&aaf).env("CALLGATE_AAF_PARAMS", "parameters").open();
    let id = other.request_raw("tools/call", r#"{"name":"echo"}"#);
    other.reply(id).result();
    let body = aaf.submitted().pop().expect("a body");
    assert_eq!((body.get("params"), &body["parameters"]), (None, &json!({})));
}

#[test]
fn the_key_may_come_from_a_file() {
    let aaf = Aaf::start();
    let setup = setup(&aaf).without("AAF_API_KEY");
    let file = setup.path("key");
    std::fs::write(&file, format!("{AAF_KEY}\n")).expect("written");
    let gate = setup.env("AAF_API_KEY_FILE", &file).open();
    assert!(run(&gate, "one").is_ok());
}

// ------------------------------------------------------------------------------------------------ the decision

#[test]
fn the_service_denies_with_the_codes_of_this_dialect() {
    let aaf = Aaf::start();
    let gate = setup(&aaf).open();
    let denied = gate.call("count", &json!({"effect": "x", "q": STACKED_SQL}));
    assert_eq!(denied.code(), DENIED);
    assert!(denied.message().contains("destructive SQL is not allowed"), "{}", denied.message());
    assert!(denied.message().contains("decision_id=act_1"), "{}", denied.message());
    assert_eq!(denied.data()["evaluated_policies"], json!(["pol_stub"]));
    assert!(gate.effects("a").is_empty());
    assert!(run(&gate, "fine").is_ok());
    let row = gate.audit_row("denied", |row| row["verdict"] == "deny");
    assert_eq!(row["decision_id"], "act_1");
}

#[test]
fn what_is_denied_here_is_never_submitted() {
    let aaf = Aaf::start();
    let gate = setup(&aaf).env("CALLGATE_TOOLS_DENY", "count").open();
    assert_eq!(run(&gate, "x").code(), DENIED);
    assert!(aaf.submitted().is_empty() && gate.effects("a").is_empty());
}

/// What the answer says, and whether the call runs.
fn answers() -> Vec<(Value, bool)> {
    let shaped = |answer: Value, runs: bool| (json!({"endpoint": "submit", "answer": answer}), runs);
    let replaced =
        |status: u16, body: &str| (json!({"endpoint": "submit", "status": status, "body": body}), false);
    vec![
        shaped(json!({}), true),
        shaped(json!({"decision": "allow"}), true),
        shaped(json!({"decision": "allow", "status": null}), true),
        shaped(json!({"decision": {"action": "allow", "risk_level": "low"}}), true),
        shaped(json!({"decision": {"result": "allow"}}), true),
        shaped(json!({"decision": null}), true),
        shaped(json!({"decision": {"decision": "allow", "risk_level": "cosmic", "reason": null}}), true),
        shaped(json!({"status": "queued"}), true),
        shaped(json!({"decision": "deny"}), false),
        shaped(json!({"decision": {"action": "deny"}}), false),
        shaped(json!({"status": "denied"}), false),
        shaped(json!({"decision": "perhaps"}), false),
        shaped(json!({"decision": "ALLOW"}), false),
        shaped(json!({"decision": true}), false),
        shaped(json!({"decision": ["allow"]}), false),
        shaped(json!({"decision": {"decision": "maybe"}}), false),
        shaped(json!({"decision": null, "status": null}), false),
        shaped(json!({"decision": null, "status": "succeeded"}), false),
        shaped(json!({"status": "on fire"}), false),
        shaped(json!({"id": null, "decision": "require_approval"}), false),
        replaced(200, r#"{"decision":"deny","decision":"allow","status":"allowed"}"#),
        replaced(200, "<html>allow</html>"),
        replaced(200, r#"{"decision":"allow""#),
        replaced(200, ""),
        replaced(204, ""),
        replaced(203, r#"{"status":"allowed"}"#),
        (json!({"endpoint": "submit", "bytes": 2 << 20}), false),
        (
            json!({"endpoint": "submit", "status": 307, "location": "http://127.0.0.1:9/v1/actions", "body": r#"{"status":"allowed"}"#}),
            false,
        ),
        replaced(400, r#"{"status":"allowed"}"#),
        replaced(401, r#"{"status":"allowed"}"#),
        replaced(403, r#"{"status":"allowed"}"#),
        replaced(404, r#"{"status":"allowed"}"#),
        replaced(409, r#"{"error":"idempotency key in use"}"#),
        replaced(422, ""),
        replaced(429, ""),
        replaced(500, r#"{"error":"evaluation failed"}"#),
        replaced(503, ""),
    ]
}

#[test]
fn a_call_runs_on_an_explicit_yes_only() {
    let aaf = Aaf::start();
    let gate = open_gate(&aaf);
    let mut expected = Vec::new();
    for (n, (mode, runs)) in answers().into_iter().enumerate() {
        aaf.mode(&mode);
        let effect = format!("effect {n}");
        let reply = run(&gate, &effect);
        assert_eq!(reply.is_ok(), runs, "{mode}: {}", reply.raw);
        if runs {
            expected.push(effect);
        } else {
            assert_eq!(reply.code(), DENIED, "{mode}: {}", reply.raw);
        }
    }
    assert_eq!(gate.effects("a"), expected);
}

#[test]
fn only_an_outage_opens_a_gate_that_may_open() {
    for mode in [
        json!({"endpoint": "submit", "close": true}),
        json!({"endpoint": "submit", "status": 502, "body": "<html>bad gateway</html>"}),
        json!({"endpoint": "submit", "delay_ms": 5000}),
    ] {
        let aaf = Aaf::start();
        let shut = setup(&aaf).env("MCP_PROXY_REQUEST_TIMEOUT_MS", "300").open();
        let open =
            setup(&aaf).env("MCP_PROXY_REQUEST_TIMEOUT_MS", "300").env("CALLGATE_FAIL_OPEN", "true").open();
        aaf.mode(&mode);
        let refused = run(&shut, "shut");
        assert_eq!(refused.code(), DENIED, "{mode}");
        assert_eq!(refused.data()["verdict"], "unavailable", "{mode}");
        assert!(run(&open, "open").is_ok(), "{mode}");
        assert_eq!(open.audit_of(1)[0]["verdict"], "allow_failopen", "{mode}");
        assert!(shut.effects("a").is_empty(), "{mode}");
    }
}

#[test]
fn a_service_that_is_gone_is_not_waited_for_and_comes_back() {
    let aaf = Aaf::start();
    let gate = setup(&aaf).open();
    aaf.mode(&json!({"close": true}));
    for n in 0..6 {
        assert_eq!(run(&gate, &format!("{n}")).code(), DENIED);
    }
    let asked = aaf.submitted().len();
    assert_eq!(run(&gate, "x").code(), DENIED);
    assert_eq!(aaf.submitted().len(), asked, "the breaker is open");
    aaf.heal();
    assert!(gate.call_until_ok("count", &json!({"effect": "later"})).is_ok());
}

#[test]
fn an_attempt_is_repeated_with_the_same_key_and_makes_one_action() {
    for mode in [
        json!({"endpoint": "submit", "status": 500, "body": "", "times": 2}),
        json!({"endpoint": "submit", "status": 503, "body": r#"{"error":"starting"}"#, "times": 1}),
        json!({"endpoint": "submit", "status": 429, "body": "{}", "retry_after": "1", "times": 1}),
        json!({"endpoint": "submit", "status": 409, "body": "{}", "retry_after": "0", "times": 1}),
        json!({"endpoint": "submit", "close_when_done": true, "times": 3}),
        json!({"endpoint": "submit", "delay_ms": 3000, "times": 1}),
    ] {
        let aaf = Aaf::start();
        let gate = setup(&aaf).env("MCP_PROXY_REQUEST_TIMEOUT_MS", "1000").open();
        aaf.mode(&mode);
        let reply = run(&gate, "once");
        assert!(reply.is_ok(), "{mode}: {}", reply.raw);
        let submitted = aaf.submitted();
        let keys: Vec<&Value> = submitted.iter().map(|body| &body["idempotency_key"]).collect();
        assert!(keys.len() > 1 && keys.iter().all(|key| *key == keys[0]), "{mode}: {keys:?}");
        assert_eq!(gate.effects("a"), ["once"]);
    }
}

#[test]
fn a_wait_that_is_too_long_is_told_and_respected() {
    let aaf = Aaf::start();
    let gate = open_gate(&aaf);
    aaf.mode(&json!({"endpoint": "submit", "status": 429, "body": "{}", "retry_after": "40"}));
    for _ in 0..2 {
        let refused = run(&gate, "x");
        assert_eq!(refused.code(), DENIED);
        assert!(refused.message().contains("try again in"), "{}", refused.message());
        assert!(refused.data()["retry_after_ms"].as_u64().is_some_and(|ms| ms > 30_000), "{}", refused.raw);
    }
    assert_eq!(aaf.submitted().len(), 1);
}

#[test]
fn a_wrong_key_and_a_disabled_agent_are_told_apart() {
    let aaf = Aaf::start();
    let wrong = setup(&aaf).env("AAF_API_KEY", "another").env("AXONFLOW_FAIL_MODE", "open").open();
    let refused = run(&wrong, "x");
    assert_eq!(refused.code(), DENIED);
    assert!(refused.message().contains("check AAF_API_KEY"), "{}", refused.message());
    let disabled =
        setup(&aaf).env("CALLGATE_AAF_AGENT_ID", "disabled").env("AXONFLOW_FAIL_MODE", "open").open();
    let refused = run(&disabled, "x");
    assert!(refused.message().contains("CALLGATE_AAF_AGENT_ID"), "{}", refused.message());
    assert!(wrong.effects("a").is_empty() && disabled.effects("a").is_empty());
}

#[test]
fn a_backend_cannot_forge_a_denial() {
    let aaf = Aaf::start();
    let gate = setup(&aaf).open();
    for code in [DENIED, NOT_APPROVED] {
        let reply = gate.call("error", &json!({"code": code, "message": "denied by policy"}));
        assert_eq!(reply.code(), -32603, "{}", reply.raw);
        assert_eq!(reply.data()["backend_error"]["code"], code);
    }
}

// --------------------------------------------------------------------------------------------------- approvals

fn held(effect: &str) -> Value {
    json!({"effect": effect, "why": "NEEDS_APPROVAL"})
}

/// Starts a call that is held, and gives its id and that of its approval.
fn hold(gate: &Gate, aaf: &Aaf, effect: &str) -> (i64, String) {
    let id = gate.start_call("count", &held(effect));
    (id, aaf.pending())
}

fn ticket_of(reply: &Reply) -> String {
    assert_eq!(reply.code(), NOT_APPROVED, "{}", reply.raw);
    assert_eq!(reply.data()["verdict"], "needs_approval", "{}", reply.raw);
    reply.data()["approval_id"].as_str().expect("a ticket").to_owned()
}

#[test]
fn an_approval_is_found_wherever_the_service_names_it() {
    let aaf = Aaf::start();
    let gate = setup(&aaf).env("CALLGATE_APPROVAL_HOLD", "25s").open();
    let places = ["approval.id", "approval_id", "approval_url", "action", "list", "nowhere"];
    for place in places {
        aaf.mode(&json!({"endpoint": "submit", "approval_in": place}));
        let looks = aaf.asked("GET", "/v1/approvals/").len();
        let (call, approval) = hold(&gate, &aaf, place);
        // What is decided is in no list of what waits any more.
        eventually("a look", || (aaf.asked("GET", "/v1/approvals/").len() > looks).then_some(()));
        assert!(!gate.effects("a").contains(&place.to_owned()), "{place} ran before the word");
        aaf.decide("approve", &approval);
        let reply = gate.reply(call);
        assert!(reply.is_ok(), "{place}: {}", reply.raw);
    }
    assert_eq!(gate.effects("a"), places);
    let rows = gate.audit_of(places.len());
    assert!(rows.iter().all(|row| row["verdict"] == "allow" && row["outcome"] == "ok"), "{rows:?}");
    let ids: Vec<&Value> = rows.iter().map(|row| &row["approval_id"]).collect();
    assert_eq!(ids, ["apr_1", "apr_2", "apr_3", "apr_4", "apr_5", "act_6"]);
}

#[test]
fn an_action_alone_can_tell_that_it_was_approved() {
    for (word, runs) in [("approve", true), ("deny", false)] {
        let aaf = Aaf::start();
        let gate = setup(&aaf).env("CALLGATE_APPROVAL_HOLD", "25s").open();
        aaf.mode(&json!({"endpoint": "submit", "approval_in": "nowhere"}));
        aaf.mode(&json!({"endpoint": "approval", "status": 404}));
        aaf.mode(&json!({"endpoint": "approvals", "status": 403}));
        let (call, approval) = hold(&gate, &aaf, "one");
        aaf.decide(word, &approval);
        let reply = gate.reply(call);
        assert_eq!(reply.is_ok(), runs, "{}", reply.raw);
        assert_eq!(gate.effects("a").len(), usize::from(runs));
    }
}

#[test]
fn a_refusal_says_who_why_and_where_and_is_final() {
    let aaf = Aaf::start();
    let gate = setup(&aaf).env("CALLGATE_APPROVAL_HOLD", "25s").open();
    let (call, approval) = hold(&gate, &aaf, "one");
    aaf.decide("deny", &approval);
    let refused = gate.reply(call);
    assert_eq!(refused.code(), NOT_APPROVED, "{}", refused.raw);
    for part in [
        "ann@example.com",
        "as agreed",
        "payments need a person",
        "act_1",
        "https://app.example.com/approvals/apr_1",
    ] {
        assert!(refused.message().contains(part), "{part}: {}", refused.message());
    }
    let again = gate.call("count", &held("one"));
    assert_eq!((again.code(), &again.data()["verdict"]), (NOT_APPROVED, &json!("deny")), "{}", again.raw);
    assert_eq!(aaf.submitted().len(), 1, "nobody is asked the same again");
    assert!(gate.effects("a").is_empty());
}

#[test]
fn an_approval_that_ends_otherwise_is_none_and_the_next_call_asks_again() {
    for verb in ["expire", "forget"] {
        let aaf = Aaf::start();
        let gate = setup(&aaf).env("CALLGATE_APPROVAL_HOLD", "25s").open();
        let (call, approval) = hold(&gate, &aaf, "one");
        aaf.decide(verb, &approval);
        let refused = gate.reply(call);
        assert_eq!(refused.code(), NOT_APPROVED, "{verb}: {}", refused.raw);
        assert!(refused.message().contains("repeat the call to ask again"), "{verb}: {}", refused.message());
        assert!(gate.effects("a").is_empty(), "{verb}");
        let (call, second) = hold(&gate, &aaf, "one");
        aaf.decide("approve", &second);
        assert!(gate.reply(call).is_ok(), "{verb}");
        assert_eq!((gate.effects("a").len(), aaf.submitted().len()), (1, 2), "{verb}");
    }
}

#[test]
fn approved_after_the_hold_the_repeated_call_runs_once() {
    let aaf = Aaf::start();
    let gate = setup(&aaf).env("CALLGATE_APPROVAL_HOLD", "0").open();
    let first = gate.call("count", &held("one"));
    let ticket = ticket_of(&first);
    for part in [&ticket, "act_1", "payments need a person", "https://app.example.com/approvals/apr_1"] {
        assert!(first.message().contains(part), "{part}: {}", first.message());
    }
    assert_eq!(ticket_of(&gate.call("count", &held("one"))), ticket, "the repeated call finds its ticket");
    assert_eq!(aaf.submitted().len(), 1);
    assert_ne!(ticket_of(&gate.call("count", &held("two"))), ticket, "changed arguments are another call");
    aaf.decide("approve", &ticket);
    assert!(gate.call("count", &held("one")).is_ok());
    assert_ne!(ticket_of(&gate.call("count", &held("one"))), ticket, "a grant is used once");
    assert_eq!(gate.effects("a"), ["one"]);
}

#[test]
fn nobody_decides() {
    let aaf = Aaf::start();
    let gate = setup(&aaf).env("CALLGATE_APPROVAL_HOLD", "500ms").open();
    ticket_of(&gate.call("count", &held("one")));
    assert!(aaf.asked("GET", "/v1/approvals/apr_1").len() > 1, "it was asked again");
    assert!(gate.effects("a").is_empty());
}

#[test]
fn the_same_call_twice_at_once_asks_once_and_runs_once() {
    let aaf = Aaf::start();
    let gate = setup(&aaf).env("CALLGATE_APPROVAL_HOLD", "25s").open();
    aaf.mode(&json!({"endpoint": "submit", "delay_ms": 300}));
    let calls = [gate.start_call("count", &held("one")), gate.start_call("count", &held("one"))];
    eventually("both wait", || {
        (gate.stderr().matches("a call waits for approval").count() == 2).then_some(())
    });
    assert_eq!(aaf.submitted().len(), 1);
    aaf.decide("approve", "apr_1");
    let ran = calls.map(|call| gate.reply(call).is_ok());
    assert_eq!(ran.iter().filter(|ran| **ran).count(), 1, "{ran:?}");
    assert_eq!(gate.effects("a"), ["one"]);
}

#[test]
fn two_gates_share_the_approval_and_one_of_them_runs_the_call() {
    let aaf = Aaf::start();
    let setup = setup(&aaf).env("CALLGATE_APPROVAL_HOLD", "25s");
    let (one, two) = (setup.clone().open(), setup.open());
    let (first, approval) = hold(&one, &aaf, "one");
    // The first gate has kept its ticket when it asks how it stands.
    eventually("a look", || (!aaf.asked("GET", "/v1/approvals/").is_empty()).then_some(()));
    let second = two.start_call("count", &held("one"));
    eventually("the second call waits", || two.stderr().contains("a call waits for approval").then_some(()));
    assert_eq!(aaf.submitted().len(), 1, "the second gate found the first one's action");
    aaf.decide("approve", &approval);
    let ran = [one.reply(first).is_ok(), two.reply(second).is_ok()];
    assert_eq!(ran.iter().filter(|ran| **ran).count(), 1, "{ran:?}");
    assert_eq!(one.effects("a"), ["one"]);
}

#[test]
fn an_approval_survives_the_gate_that_asked_for_it() {
    let aaf = Aaf::start();
    let setup = setup(&aaf).env("CALLGATE_APPROVAL_HOLD", "25s");
    let gate = setup.clone().open();
    let (_, approval) = hold(&gate, &aaf, "one");
    eventually("a look", || (!aaf.asked("GET", "/v1/approvals/").is_empty()).then_some(()));
    gate.signal("KILL");
    drop(gate);
    aaf.decide("approve", &approval);
    let gate = setup.open();
    assert!(gate.call("count", &held("one")).is_ok());
    assert_eq!((gate.effects("a"), aaf.submitted().len()), (vec!["one".to_owned()], 1));
}

#[test]
fn nothing_but_the_services_yes_lets_a_held_call_run() {
    for mode in [
        json!({"endpoint": "approval", "answer": {"status": "APPROVED"}}),
        json!({"endpoint": "approval", "answer": {"status": true}}),
        json!({"endpoint": "approval", "answer": {"status": "approved", "action_id": "act_99"}}),
        json!({"endpoint": "approval", "answer": {"status": "approved", "action_id": null, "id": "apr_99"}}),
        json!({"endpoint": "approval", "body": "approved"}),
        json!({"endpoint": "approval", "body": r#"{"id":"apr_1","status":"denied","status":"approved"}"#}),
        json!({"endpoint": "approval", "status": 401, "body": r#"{"status":"approved"}"#}),
        json!({"endpoint": "approval", "status": 403, "body": r#"{"status":"approved"}"#}),
        json!({"endpoint": "approval", "status": 500, "body": ""}),
        json!({"endpoint": "approval", "status": 302, "location": "http://127.0.0.1:9/", "body": ""}),
        json!({"endpoint": "approval", "bytes": 2 << 20}),
        json!({"close": true}),
    ] {
        let aaf = Aaf::start();
        let gate = setup(&aaf).env("AXONFLOW_FAIL_MODE", "open").env("CALLGATE_APPROVAL_HOLD", "0").open();
        let ticket = ticket_of(&gate.call("count", &held("one")));
        aaf.mode(&mode);
        let reply = gate.call("count", &held("one"));
        assert_eq!(reply.code(), NOT_APPROVED, "{mode}: {}", reply.raw);
        assert!(gate.effects("a").is_empty(), "{mode}");
        aaf.heal();
        aaf.decide("approve", &ticket);
        assert!(gate.call_until_ok("count", &held("one")).is_ok(), "{mode}");
        assert_eq!(gate.effects("a"), ["one"], "{mode}");
    }
}

#[test]
fn nobody_here_can_approve_what_the_service_wants_approved() {
    let aaf = Aaf::start();
    let setup = setup(&aaf).env("CALLGATE_APPROVAL_HOLD", "0").capabilities(json!({"elicitation": {}}));
    let gate = setup.clone().open();
    gate.on_request(
        "elicitation/create",
        json!({"result": {"action": "accept", "content": {"decision": "approve"}}}),
    );
    let ticket = ticket_of(&gate.call("count", &held("one")));
    let (_, listed, _) = setup.run(&["approvals", "list", "--json"]);
    assert!(listed.trim().is_empty(), "{listed}");
    for id in [ticket.as_str(), "act_1"] {
        let (code, ..) = setup.run(&["approvals", "approve", id]);
        assert_ne!(code, Some(0), "{id}");
    }
    ticket_of(&gate.call("count", &held("one")));
    assert!(gate.seen("elicitation/create").is_empty() && gate.effects("a").is_empty());
}

// ------------------------------------------------------------------------------------------- check and settings

#[test]
fn check_tells_whether_the_api_answers_and_makes_no_action() {
    let aaf = Aaf::start();
    let (code, out, err) = setup(&aaf).run(&["check"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains(&format!("aaf, {}, agent mcp-proxy", aaf.url())), "{out}");
    assert!(out.contains(&format!("ok      {}  answers", aaf.url())), "{out}");
    let (code, out, _) = setup(&aaf).env("AAF_API_KEY", "another").run(&["check"]);
    assert_eq!(code, Some(3), "{out}");
    assert!(out.contains("FAILED") && out.contains("check AAF_API_KEY") && !out.contains("another"), "{out}");
    aaf.mode(&json!({"endpoint": "actions", "status": 404}));
    let (code, out, _) = setup(&aaf).run(&["check"]);
    assert!(code == Some(0) && out.contains("shows no actions"), "{out}");
    assert!(aaf.submitted().is_empty());
    let gone = setup(&aaf);
    aaf.kill();
    let (code, out, _) = gone.run(&["check"]);
    assert!(code == Some(3) && out.contains("refused"), "{out}");
}

#[test]
fn answers_are_masked_here() {
    let aaf = Aaf::start();
    let gate = setup(&aaf).open();
    assert!(gate.call("lookup", &json!({})).text().contains("[REDACTED:email]"));
    let (code, _, err) = setup(&aaf).env("CALLGATE_REDACT_ENGINE", "remote").run(&[]);
    assert_eq!(code, Some(2));
    assert!(err.contains("CALLGATE_REDACT_ENGINE"), "{err}");
}

#[test]
fn the_document_names_settings_that_there_are_and_their_defaults() {
    let document = include_str!("../../docs/aaf.md");
    let known = callgate::settings::table::ALL;
    let rows = document.lines().filter(|line| line.starts_with("| `") && line.matches('|').count() == 4);
    let mut seen = 0;
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        for name in cells[1].split(", or ").map(|name| name.trim_matches('`')) {
            let setting = known.iter().find(|setting| setting.name == name);
            let setting = setting.unwrap_or_else(|| panic!("{name} is no setting"));
            let default = cells[2].trim_matches('`');
            let own = name == "CALLGATE_APPROVAL_HOLD" || name == "CALLGATE_FAIL_OPEN";
            assert!(
                own || default == setting.default || (default == "–" && setting.default.is_empty()),
                "{row}"
            );
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen}");
    assert!(document.contains("decisions   aaf, https://api.agentactionfirewall.com, agent mcp-proxy"));
}
