//! The AxonFlow client against a stub on a real socket.

use super::*;
use crate::pdp::remote::breaker;
use crate::pdp::remote::stub::{Act, Asked, Stub, reply};
use bytes::Bytes;
use callgate_actors::call::Hints;
use serde_json::json;

const ALLOW: &str = r#"{"verdict":"allow","decision_id":"d-1","trace_id":"0af7651916cd43dd8448eb211c80319c",
    "obligations":[],"evaluated_policies":["p1"],"stage":"tool"}"#;
const OBLIGED: &str = r#"{"verdict":"allow","decision_id":"d-1","obligations":[{"type":"redact_pii"}]}"#;
const HOLD: &str = r#"{"verdict":"needs_approval","reasons":["approval_required"],"obligations":[],
    "pending_approval":{"approval_id":"ap-1","status":"pending","plane":"decide",
    "expires_at":"2999-01-01T00:00:00Z","retry":{"header":"X-Axonflow-Approval-Id"}}}"#;

fn options(endpoint: &str) -> AxonflowOptions {
    AxonflowOptions {
        endpoint: endpoint.to_owned(),
        client_id: "client".into(),
        client_secret: None,
        user_token: None,
        tenant_id: "tenant".into(),
        org_id: String::new(),
        gateway_id: "gw.host".into(),
        session_id: "cd-1".into(),
        leader_email: String::new(),
        ai_agent: "claude-desktop".into(),
        pep_audience: None,
        decide_timeout: Duration::from_secs(20),
        approval_poll: Duration::from_secs(2),
        client_version: "1.2.3".into(),
    }
}

fn pdp(stub: &Stub) -> AxonflowPdp {
    AxonflowPdp::new(&options(&stub.endpoint)).expect("options")
}

fn call(arguments: &str) -> Call {
    Call {
        number: 1,
        received_at: SystemTime::now(),
        backend: "crm".into(),
        tool: "find".into(),
        exposed: "crm__find".into(),
        arguments: (!arguments.is_empty()).then(|| Bytes::copy_from_slice(arguments.as_bytes())),
        meta: None,
        hints: Hints::default(),
    }
}

fn decide(pdp: &AxonflowPdp, call: &Call) -> Decision {
    pdp.decide(call, Instant::now() + Duration::from_secs(20))
}

fn decide_once(status: u16, body: &str) -> Decision {
    let stub = Stub::once(status, body);
    decide(&pdp(&stub), &call(r#"{"a":1}"#))
}

/// `Some(outage)` when there is no decision.
fn outage(decision: &Decision) -> Option<bool> {
    match decision.verdict {
        Verdict::Unavailable { outage, .. } => Some(outage),
        _ => None,
    }
}

fn retry_after(decision: &Decision) -> Option<u64> {
    match decision.verdict {
        Verdict::Unavailable { retry_after, .. } => retry_after.map(|d| d.as_secs_f64().ceil() as u64),
        _ => None,
    }
}

fn only(asked: &[Asked]) -> &Asked {
    assert_eq!(asked.len(), 1);
    &asked[0]
}

// ------------------------------------------------------------------------------------------------- the request

#[test]
fn w48_the_request_is_the_contracts_to_the_byte() {
    let stub = Stub::once(200, ALLOW);
    let mut options = options(&format!("{}/", stub.endpoint));
    options.client_secret = Some("s3cret:x".into());
    options.user_token = Some("jwt".into());
    options.org_id = "org".into();
    options.leader_email = "lead@example.com".into();
    options.pep_audience = Some("team-a".into());
    let mut call = call(r#"{"b":"<1>", "a":2.0}"#);
    call.meta = Some(Bytes::from_static(
        br#"{"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}"#,
    ));
    let decision = decide(&AxonflowPdp::new(&options).expect("options"), &call);

    assert!(matches!(decision.verdict, Verdict::Allow { arguments: None, redact: false }));
    assert_eq!(decision.decision_id, "d-1");
    assert_eq!(decision.trace_id, "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(decision.evaluated_policies, ["p1"]);

    let asked = stub.asked();
    let asked = only(&asked);
    assert_eq!(asked.path, "/api/v1/decide");
    assert_eq!(
        asked.body,
        json!({
            "stage": "tool",
            "caller_identity": {"gateway_id": "gw.host", "org_id": "org", "tenant_id": "tenant"},
            "target": {"type": "tool", "tool": "find", "server": "crm"},
            "query": "tool_call: find args: {\"a\":2,\"b\":\"\\u003c1\\u003e\"}",
            "user_token": "jwt",
            "context": {
                "tool_name": "find", "exposed_name": "crm__find", "backend": "crm", "protocol": "mcp",
                "surface": "claude_desktop", "x-ai-agent": "claude-desktop", "x-session-id": "cd-1",
                "x-leader-identity": "lead@example.com",
            },
            "fulfillment_capabilities": ["request_body_redaction"],
        })
    );
    assert_eq!(asked.header("authorization"), Some("Basic Y2xpZW50OnMzY3JldDp4"));
    assert_eq!(asked.header("content-type"), Some("application/json"));
    assert_eq!(asked.header("x-user-email"), Some("lead@example.com"));
    assert_eq!(asked.header("x-session-id"), Some("cd-1"));
    assert_eq!(asked.header("x-axonflow-client"), Some("mcp-proxy/1.2.3"));
    assert!(asked.header("x-axonflow-pep-handshake").is_some_and(|h| !h.contains('=')));
    assert!(asked.header("x-axonflow-approval-id").is_none());
    let traceparent = asked.header("traceparent").expect("w49");
    assert!(traceparent.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"), "{traceparent}");
}

#[test]
fn what_is_not_set_is_not_sent() {
    let stub = Stub::once(200, ALLOW);
    let mut options = options(&stub.endpoint);
    options.client_secret = Some(String::new());
    options.user_token = Some(String::new());
    options.session_id = String::new();
    options.tenant_id = String::new();
    options.gateway_id = String::new();
    decide(&AxonflowPdp::new(&options).expect("options"), &call(""));
    let asked = stub.asked();
    let asked = only(&asked);
    for absent in ["authorization", "x-user-email", "x-session-id", "x-axonflow-pep-handshake"] {
        assert_eq!(asked.header(absent), None, "{absent}");
    }
    assert_eq!(asked.body["caller_identity"], json!({}));
    assert_eq!(asked.body.get("user_token"), None);
    assert_eq!(asked.body["context"].get("x-leader-identity"), None);
    assert!(asked.header("traceparent").is_some(), "w49: a trace of our own");
}

#[test]
fn a_call_without_arguments_asks_for_the_tool_alone() {
    for empty in ["", "null", "{}", " { } "] {
        let stub = Stub::once(200, ALLOW);
        decide(&pdp(&stub), &call(empty));
        assert_eq!(only(&stub.asked()).body["query"], "tool_call: find", "{empty:?}");
    }
}

#[test]
fn secrets_are_not_printed() {
    let mut options = options("http://localhost");
    options.client_secret = Some("s3cret".into());
    options.user_token = Some("jwt-token".into());
    let printed = format!("{options:?} {:?}", Credential::new(Some("s3cret")));
    assert!(!printed.contains("s3cret") && !printed.contains("jwt-token"), "{printed}");
}

#[test]
fn settings_that_cannot_work_are_named() {
    let bad = |change: fn(&mut AxonflowOptions)| {
        let mut options = options("http://localhost:8080");
        change(&mut options);
        AxonflowPdp::new(&options).err().expect("refused").to_string()
    };
    assert!(bad(|o| o.endpoint = "localhost:8080".into()).starts_with("AXONFLOW_ENDPOINT"));
    assert!(bad(|o| o.session_id = "a\r\nb: c".into()).starts_with("AXONFLOW_SESSION_ID"));
    assert!(bad(|o| o.pep_audience = Some("a b".into())).starts_with("AXONFLOW_PEP_AUDIENCE"));
}

#[test]
fn arguments_that_readers_disagree_on_are_denied_unasked() {
    let stub = Stub::start([]);
    let pdp = pdp(&stub);
    for arguments in [r#"{"a":1,"a":2}"#, "[1]", r#"{"a":1e999}"#, r#"{"a":"\ud800"}"#] {
        let decision = decide(&pdp, &call(arguments));
        assert!(matches!(decision.verdict, Verdict::Deny), "{arguments}: {decision:?}");
    }
    assert_eq!(stub.connections(), 0);
}

#[test]
fn w34_an_oversized_request_is_refused_unasked_and_no_outage() {
    let stub = Stub::start([]);
    let pdp = pdp(&stub);
    let text = "<".repeat(MAX_BODY_BYTES / 5);
    for text in [text, "x".repeat(MAX_BODY_BYTES)] {
        let decision = decide(&pdp, &call(&json!({"text": text}).to_string()));
        assert_eq!(outage(&decision), Some(false));
        assert!(decision.reasons[0].contains("too large"), "{:?}", decision.reasons);
    }
    assert_eq!(stub.connections(), 0);
}

// -------------------------------------------------------------------------------------------------- the answers

#[test]
fn denials_and_holds_come_with_their_ids() {
    let denied = r#"{"verdict":"deny","decision_id":"d-2","reasons":["no\nway","second"],
        "obligations":[],"evaluated_policies":["p9","p1"]}"#;
    let decision = decide_once(200, denied);
    assert!(matches!(decision.verdict, Verdict::Deny));
    assert_eq!(decision.reasons, ["no way", "second"]);
    assert_eq!(decision.evaluated_policies, ["p9", "p1"]);
    assert!(crate::pdp::trace::is_hex(&decision.trace_id, 32), "our own trace id");
    assert!(matches!(decide_once(200, HOLD).verdict, Verdict::NeedsApproval));
}

#[test]
fn w34_unreadable_answers_never_open_the_gate() {
    for body in ["", "<html>", r#"{"verdict":"maybe"}"#, r#"{"verdict":"allow""#] {
        assert_eq!(outage(&decide_once(200, body)), Some(false), "{body}");
    }
    let oversized = format!(r#"{{"verdict":"allow","pad":"{}"}}"#, "x".repeat(MAX_BODY_BYTES));
    assert_eq!(outage(&decide_once(200, &oversized)), Some(false));
    for status in [201, 204, 302, 307] {
        assert_eq!(outage(&decide_once(status, ALLOW)), Some(false), "{status}");
    }
}

#[test]
fn w34_a_broken_answer_is_no_outage() {
    for raw in
        ["HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"verdict\":\"allow\"}", "SSH-2.0-OpenSSH_9\r\n\r\n"]
    {
        let stub = Stub::start([Act::Raw(raw.into()), Act::Raw(raw.into())]);
        assert_eq!(outage(&decide(&pdp(&stub), &call(""))), Some(false), "{raw}");
    }
}

#[test]
fn w39_no_status_of_the_400s_is_an_outage() {
    let envelope = r#"{"error":"why","verdict":"deny","decision_id":"d-4"}"#;
    for status in [400, 401, 402, 403, 404, 405, 408, 413, 418, 429, 451, 499] {
        for body in [envelope, "", "<html>"] {
            let decision = decide_once(status, body);
            assert_eq!(outage(&decision), Some(false), "{status} {body}");
            assert!(decision.reasons[0].contains(&status.to_string()), "{:?}", decision.reasons);
        }
        assert_eq!(decide_once(status, envelope).decision_id, "d-4");
    }
    assert!(decide_once(401, envelope).reasons[0].contains("credentials"));
    assert!(decide_once(402, r#"{"error":{"code":"c","message":"m"}}"#).reasons[0].ends_with("(402): m"));
}

#[test]
fn w35_a_breakers_503_is_no_outage() {
    for body in [r#"{"error":"breaker open","verdict":"deny"}"#, "", "upstream connect error"] {
        assert_eq!(outage(&decide_once(503, body)), Some(false), "{body}");
    }
}

#[test]
fn a_dead_service_behind_a_proxy_is_an_outage() {
    for status in [500, 502, 504] {
        assert_eq!(outage(&decide_once(status, "<html>")), Some(true), "{status}");
        assert_eq!(outage(&decide_once(status, r#"{"error":"evaluation failed"}"#)), Some(false), "{status}");
    }
}

// ------------------------------------------------------------------------------------------------ the connection

#[test]
fn connections_are_used_again() {
    let stub = Stub::start((0..20).map(|_| reply(200, ALLOW)));
    let pdp = pdp(&stub);
    for _ in 0..20 {
        assert!(matches!(decide(&pdp, &call(r#"{"a":1}"#)).verdict, Verdict::Allow { .. }));
    }
    assert_eq!((stub.asked().len(), stub.connections()), (20, 1));
}

#[test]
fn a_refused_connection_is_an_outage() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let endpoint = format!("http://{}", listener.local_addr().expect("address"));
    drop(listener);
    let pdp = AxonflowPdp::new(&options(&endpoint)).expect("options");
    for n in 0..breaker::OUTAGES_TO_OPEN {
        let decision = decide(&pdp, &call(""));
        assert_eq!((outage(&decision), retry_after(&decision)), (Some(true), None), "call {n} was asked");
    }
    let decision = decide(&pdp, &call(""));
    assert_eq!(outage(&decision), Some(true));
    assert!(retry_after(&decision).is_some(), "the breaker is open: {decision:?}");
}

#[test]
fn an_unknown_host_is_an_outage() {
    let pdp = AxonflowPdp::new(&options("http://policy.invalid:8080")).expect("options");
    assert_eq!(outage(&decide(&pdp, &call(""))), Some(true));
}

#[test]
fn a_broken_connection_is_replaced_once() {
    let stub = Stub::start([
        reply(200, ALLOW),
        Act::Hang,
        reply(200, ALLOW),
        Act::Hang,
        Act::Hang,
        reply(200, ALLOW),
    ]);
    let pdp = pdp(&stub);
    let verdicts: Vec<Option<bool>> = (0..3).map(|_| outage(&decide(&pdp, &call("")))).collect();
    assert_eq!(verdicts, [None, None, Some(true)]);
    assert_eq!(stub.asked().len(), 5, "the third call was tried twice and not more");
}

#[test]
fn silence_ends_with_the_deadline_and_is_an_outage() {
    let stub = Stub::start([Act::Silence, Act::Silence]);
    let mut options = options(&stub.endpoint);
    let pdp = AxonflowPdp::new(&options).expect("options");
    let decision = pdp.decide(&call(""), Instant::now() + Duration::from_millis(100));
    assert_eq!(outage(&decision), Some(true));
    options.decide_timeout = Duration::from_millis(100);
    let pdp = AxonflowPdp::new(&options).expect("options");
    assert_eq!(
        outage(&decide(&pdp, &call(""))),
        Some(true),
        "the setting ends it before the call's deadline"
    );
    assert_eq!(outage(&pdp.decide(&call(""), Instant::now())), Some(true), "nothing left to wait with");
    assert_eq!(stub.asked().len(), 2);
}

#[test]
fn after_outages_in_a_row_it_is_not_asked_for_a_while() {
    let stub = Stub::start((0..breaker::OUTAGES_TO_OPEN).map(|_| reply(502, "")));
    let pdp = pdp(&stub);
    for _ in 0..breaker::OUTAGES_TO_OPEN + 3 {
        assert_eq!(outage(&decide(&pdp, &call(""))), Some(true));
    }
    assert_eq!(stub.asked().len(), breaker::OUTAGES_TO_OPEN as usize);
}

#[test]
fn w39_retry_after_is_respected_and_stays_a_refusal() {
    for status in [429, 503] {
        let stub =
            Stub::start([Act::Reply(status, "Retry-After: 30\r\n", r#"{"error":"slow down"}"#.into())]);
        let pdp = pdp(&stub);
        let first = decide(&pdp, &call(""));
        assert_eq!((outage(&first), retry_after(&first)), (Some(false), Some(30)));
        let second = decide(&pdp, &call(""));
        assert_eq!((outage(&second), retry_after(&second)), (Some(false), Some(30)), "{status}");
        assert!(second.reasons[0].contains("try again in 30 s"), "{:?}", second.reasons);
        assert_eq!(stub.asked().len(), 1, "not asked again");
    }
    let stub = Stub::start([reply(429, "{}"), reply(200, ALLOW)]);
    let pdp = pdp(&stub);
    assert_eq!(retry_after(&decide(&pdp, &call(""))), None);
    assert_eq!(outage(&decide(&pdp, &call(""))), None, "without the header the next call asks");
}

// --------------------------------------------------------------------------------------------------- approvals

#[test]
fn w36_the_repeated_call_redeems_its_approval_once() {
    let pending = HOLD.replace("approval_required", "approval_pending");
    let stub = Stub::start([HOLD, &pending, ALLOW, HOLD].map(|body| reply(200, body)));
    let pdp = pdp(&stub);
    let (held, other) = (call(r#"{"a":1}"#), call(r#"{"a":2}"#));
    let first = decide(&pdp, &held);
    assert!(first.reasons[0].contains("ap-1 is pending"), "{:?}", first.reasons);
    decide(&pdp, &held);
    assert!(matches!(decide(&pdp, &held).verdict, Verdict::Allow { .. }));
    decide(&pdp, &other);
    let sent: Vec<Option<String>> =
        stub.asked().iter().map(|a| a.header("x-axonflow-approval-id").map(str::to_owned)).collect();
    assert_eq!(sent, [None, Some("ap-1".into()), Some("ap-1".into()), None]);
}

#[test]
fn w36_a_settled_approval_is_forgotten() {
    let rejected = r#"{"verdict":"needs_approval","reasons":["approval_rejected"],"obligations":[]}"#;
    let still = r#"{"verdict":"needs_approval","reasons":["approval_pending"],"obligations":[]}"#;
    for (settles, forgotten) in [
        (reply(200, ALLOW), true),
        (reply(200, r#"{"verdict":"deny","reasons":["approval_expired"]}"#), true),
        (reply(200, rejected), true),
        (reply(200, still), false),
        (reply(503, ""), false),
    ] {
        let case = format!("{settles:?}");
        let stub = Stub::start([reply(200, HOLD), settles, reply(200, ALLOW)]);
        let pdp = pdp(&stub);
        for _ in 0..3 {
            decide(&pdp, &call(r#"{"a":1}"#));
        }
        assert_eq!(stub.asked()[2].header("x-axonflow-approval-id").is_none(), forgotten, "{case}");
    }
}

#[test]
fn w36_a_service_cannot_name_a_header_of_its_choice() {
    let hold = HOLD.replace("X-Axonflow-Approval-Id", "Authorization");
    let stub = Stub::start([reply(200, &hold), reply(200, ALLOW)]);
    let pdp = pdp(&stub);
    for _ in 0..2 {
        decide(&pdp, &call(r#"{"a":1}"#));
    }
    assert_eq!(stub.asked()[1].header("authorization"), None);
    assert_eq!(stub.asked()[1].header("x-axonflow-approval-id"), None);
}

// ------------------------------------------------------------------------------------------------- obligations

#[test]
fn w37_arguments_are_masked_before_the_call_leaves() {
    let masked = json!({"allowed": true, "redacted": true, "redacted_statement": r#"{"mail":"***"}"#});
    let stub = Stub::start([reply(200, OBLIGED), reply(200, &masked.to_string())]);
    let mut options = options(&stub.endpoint);
    options.user_token = Some("jwt".into());
    let pdp = AxonflowPdp::new(&options).expect("options");
    let decision = decide(&pdp, &call(r#"{"mail": "a@b.example"}"#));
    let Verdict::Allow { arguments: Some(arguments), redact: true } = decision.verdict else {
        panic!("{decision:?}");
    };
    assert_eq!(&arguments[..], br#"{"mail":"***"}"#);
    let asked = stub.asked();
    assert_eq!(asked[1].path, "/api/v1/mcp/check-input");
    assert_eq!(
        asked[1].body,
        json!({"client_id": "client", "user_token": "jwt", "tenant_id": "tenant",
            "connector_type": "claude-desktop-proxy", "statement": r#"{"mail": "a@b.example"}"#})
    );
}

#[test]
fn w37_an_obligation_that_cannot_be_fulfilled_denies() {
    let failures = [
        reply(404, ""),
        reply(500, ""),
        reply(403, r#"{"error":"Tenant mismatch"}"#),
        reply(200, r#"{"allowed":true,"redaction_evaluated":false}"#),
        Act::Silence,
    ];
    for failure in failures {
        let case = format!("{failure:?}");
        let stub = Stub::start([reply(200, OBLIGED), failure]);
        let mut options = options(&stub.endpoint);
        options.decide_timeout = Duration::from_millis(500);
        let decision = decide(&AxonflowPdp::new(&options).expect("options"), &call(r#"{"a":"b"}"#));
        assert!(matches!(decision.verdict, Verdict::Deny), "{case}");
        assert!(
            decision.reasons[0].starts_with("obligation could not be fulfilled"),
            "{:?}",
            decision.reasons
        );
        assert_eq!(decision.decision_id, "d-1");
    }
    let unknown = decide_once(200, r#"{"verdict":"allow","obligations":[{"type":"notify\nowner"}]}"#);
    assert!(matches!(unknown.verdict, Verdict::Deny));
    assert!(unknown.reasons[0].contains("\"notify owner\""), "{:?}", unknown.reasons);
}

#[test]
fn w37_check_input_may_block() {
    let stub =
        Stub::start([reply(200, OBLIGED), reply(403, r#"{"allowed":false,"block_reason":"too personal"}"#)]);
    let decision = decide(&pdp(&stub), &call(r#"{"a":"b"}"#));
    assert!(matches!(decision.verdict, Verdict::Deny));
    assert_eq!(decision.reasons, ["too personal"]);
}

#[test]
fn w37_nothing_to_mask_needs_no_request_but_the_answer_is_masked() {
    let stub = Stub::once(200, OBLIGED);
    let decision = decide(&pdp(&stub), &call("{}"));
    assert!(matches!(decision.verdict, Verdict::Allow { arguments: None, redact: true }), "{decision:?}");
}

// -------------------------------------------------------------------------------------------- the response plane

fn check(status: u16, body: &str) -> Result<Option<Vec<u8>>, callgate_actors::ports::Withheld> {
    let stub = Stub::once(status, body);
    pdp(&stub).check_output().check(br#"{"content":[]}"#)
}

#[test]
fn a_checked_answer_passes_unchanged_or_masked() {
    assert_eq!(check(200, r#"{"allowed":true,"policies_evaluated":3}"#).expect("passes"), None);
    assert_eq!(check(200, r#"{"allowed":true,"redacted_data":null}"#).expect("passes"), None);
    let masked =
        json!({"allowed": true, "redaction_evaluated": true, "redacted_data": r#"{"content":["***"]}"#});
    let masked = check(200, &masked.to_string()).expect("passes");
    assert_eq!(masked.as_deref(), Some(&br#"{"content":["***"]}"#[..]));
}

#[test]
fn the_response_request_is_the_contracts() {
    let stub = Stub::once(200, r#"{"allowed":true}"#);
    let mut options = options(&stub.endpoint);
    options.client_secret = Some("s".into());
    let pdp = AxonflowPdp::new(&options).expect("options");
    pdp.check_output().check(br#"{"content":[{"text":"a\nb"}]}"#).expect("passes");
    let asked = stub.asked();
    let asked = only(&asked);
    assert_eq!(asked.path, "/api/v1/mcp/check-output");
    assert!(asked.header("authorization").is_some());
    assert_eq!(
        asked.body,
        json!({"client_id": "client", "tenant_id": "tenant", "connector_type": "claude-desktop-proxy",
            "message": r#"{"content":[{"text":"a\nb"}]}"#})
    );
}

#[test]
fn w43_without_an_explicit_yes_the_answer_is_withheld() {
    for (status, body) in [
        (200, r#"{"allowed":true,"redaction_evaluated":false}"#),
        (200, r#"{"allowed":true,"redacted_data":""}"#),
        (200, r#"{"allowed":true,"redacted_data":[{"a":1}]}"#),
        (200, r#"{"allowed":true,"redacted_data":{"content":[]}}"#),
        (200, r#"{"allowed":true,"redacted_data":"[REDACTED]"}"#),
        (200, r#"{"allowed":true,"redacted_data":"{\"a\":"}"#),
        (200, r#"{"policies_evaluated":3}"#),
        (200, ""),
        (201, r#"{"allowed":true}"#),
        (400, r#"{"error":"x"}"#),
        (401, r#"{"allowed":true}"#),
        (403, r#"{"allowed":true}"#),
        (429, "{}"),
        (500, ""),
        (503, ""),
    ] {
        let withheld = check(status, body).expect_err(body);
        assert!(!withheld.blocked, "{status} {body}");
        assert!(!withheld.reason.is_empty(), "{status} {body}");
    }
}

#[test]
fn w40_a_403_is_a_block_only_if_its_body_says_so() {
    let block = r#"{"allowed":false,"block_reason":"Response blocked:\n\nx","decision_id":"d-8"}"#;
    for status in [200, 403] {
        let blocked = check(status, block).expect_err("blocked");
        assert!(blocked.blocked);
        assert_eq!(blocked.reason, "Response blocked: x");
        assert_eq!(blocked.decision_id, "d-8");
    }
    let mismatch = check(403, r#"{"error":"Tenant mismatch"}"#).expect_err("withheld");
    assert!(!mismatch.blocked);
    assert!(
        mismatch.reason.ends_with("(403); check AXONFLOW_TENANT_ID and AXONFLOW_ORG_ID: Tenant mismatch")
    );
}

#[test]
fn the_response_plane_is_bounded_and_closed_when_nobody_answers() {
    let stub = Stub::start([Act::Silence]);
    let mut options = options(&stub.endpoint);
    options.decide_timeout = Duration::from_millis(100);
    let check_output = AxonflowPdp::new(&options).expect("options").check_output();
    assert!(!check_output.check(b"{}").expect_err("silence").blocked);
    let large = json!({"text": "\"".repeat(5 * 1024 * 1024)}).to_string();
    assert!(check_output.check(large.as_bytes()).expect_err("too large").reason.contains("too large"));
    assert!(check_output.check(b"\xff").is_err());
    assert_eq!(stub.asked().len(), 1, "what is too large was not sent");
}
