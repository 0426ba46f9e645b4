//! The client of the Agent Action Firewall against a stub on a real socket.

use super::*;
use crate::approvals::{Keeper, local::LocalApprovals, local::LocalOptions};
use crate::pdp::remote::breaker::OUTAGES_TO_OPEN;
use crate::pdp::remote::stub::{Act, Stub, reply};
use crate::secret::Secret;
use bytes::Bytes;
use callgate_actors::call::Hints;
use callgate_actors::ports::{Approve, Standing, Ticket};
use serde_json::json;
use std::time::SystemTime;
use tempfile::TempDir;

const ALLOW: &str = r#"{"id":"act_1","status":"allowed","decision":{"decision":"allow"}}"#;
const HOLD: &str = r#"{"id":"act_1","status":"pending_approval","approval_id":"apr_1",
    "decision":{"decision":"require_approval","reason":"money"}}"#;
const PENDING: &str = r#"{"id":"apr_1","action_id":"act_1","status":"pending"}"#;
const APPROVED: &str = r#"{"id":"apr_1","action_id":"act_1","status":"approved"}"#;

fn options(url: &str) -> AafOptions {
    AafOptions {
        url: url.to_owned(),
        api_key: Secret::new("s3cret"),
        agent_id: "mcp-proxy".into(),
        operation: "call".into(),
        params: ParamsMember::Params,
        request_timeout: Duration::from_secs(5),
        approval_poll: Duration::from_secs(2),
        approval_lifetime: Duration::from_secs(3600),
        session_id: "cd-1".into(),
        ai_agent: "claude-desktop".into(),
        client_version: "1.2.3".into(),
    }
}

fn store(dir: &TempDir) -> Arc<LazyStore> {
    Arc::new(LazyStore::sqlite(dir.path().to_owned()))
}

/// The client of a stub that follows this script.
fn scripted(script: impl IntoIterator<Item = Act>) -> (AafPdp, Stub, TempDir) {
    let (stub, dir) = (Stub::start(script), tempfile::tempdir().expect("a folder"));
    let pdp = AafPdp::new(&options(&stub.endpoint), store(&dir)).expect("options");
    (pdp, stub, dir)
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

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn decide(pdp: &AafPdp, arguments: &str) -> Decision {
    pdp.decide(&call(arguments), soon())
}

/// `Some(outage)` when there is no decision.
fn outage(decision: &Decision) -> Option<bool> {
    match decision.verdict {
        Verdict::Unavailable { outage, .. } => Some(outage),
        _ => None,
    }
}

fn is_held(decision: &Decision) -> bool {
    matches!(decision.verdict, Verdict::NeedsApproval)
}

#[test]
fn the_request_is_the_contracts() {
    let (pdp, stub, _dir) = scripted([reply(201, ALLOW)]);
    let decision = decide(&pdp, r#"{"b":1.0,"a":"x"}"#);
    assert!(matches!(decision.verdict, Verdict::Allow { arguments: None, redact: false }));
    assert_eq!(decision.decision_id, "act_1");
    let asked = stub.asked().remove(0);
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/v1/actions"));
    assert_eq!(
        (asked.header("x-agent-key"), asked.header("x-agent-id")),
        (Some("s3cret"), Some("mcp-proxy"))
    );
    assert_eq!(asked.header("content-type"), Some("application/json"));
    let mut body = asked.body;
    let key = body["idempotency_key"].take();
    assert!(key.as_str().is_some_and(|key| key.len() == 36), "{key}");
    assert_eq!(
        body,
        json!({"tool": "crm__find", "operation": "call", "params": {"b": 1.0, "a": "x"}, "idempotency_key": null,
            "metadata": {"server": "crm", "session_id": "cd-1", "server_tool": "find"}})
    );
}

#[test]
fn each_call_has_a_key_of_its_own_and_each_attempt_the_same() {
    let (pdp, stub, _dir) = scripted([reply(500, ""), reply(200, ALLOW), reply(200, ALLOW)]);
    for _ in 0..2 {
        assert!(matches!(decide(&pdp, "{}").verdict, Verdict::Allow { .. }));
    }
    let keys: Vec<_> = stub.asked().iter().map(|asked| asked.body["idempotency_key"].clone()).collect();
    assert!(keys[0] == keys[1] && keys[1] != keys[2], "{keys:?}");
}

#[test]
fn a_refusal_is_never_repeated_nor_an_outage() {
    for status in [201_u16, 400, 401, 402, 403, 404, 405, 409, 413, 422, 429, 451, 302, 307, 204] {
        let body = if status == 201 { "" } else { ALLOW };
        let (pdp, stub, _dir) = scripted([reply(status, body), reply(200, ALLOW)]);
        assert_eq!(outage(&decide(&pdp, "{}")), Some(false), "{status}");
        assert_eq!(stub.asked().len(), 1, "{status}");
    }
}

#[test]
fn failures_are_tried_again_so_many_times() {
    for (act, expected) in [
        (reply(500, r#"{"error":"broken"}"#), false),
        (reply(503, ""), false),
        (reply(502, "<html>"), true),
        (Act::Reply(429, "Retry-After: 0\r\n", "{}".into()), false),
    ] {
        let case = format!("{act:?}");
        let (pdp, stub, _dir) = scripted(vec![act; 9]);
        assert_eq!(outage(&decide(&pdp, "{}")), Some(expected), "{case}");
        assert_eq!(stub.asked().len(), service::ATTEMPTS as usize, "{case}");
    }
}

#[test]
fn attempts_end_with_the_deadline() {
    let (pdp, stub, _dir) =
        scripted([Act::Reply(503, "Retry-After: 30\r\n", String::new()), reply(200, ALLOW)]);
    let decision = decide(&pdp, "{}");
    assert_eq!(outage(&decision), Some(false));
    let Verdict::Unavailable { retry_after: Some(after), .. } = decision.verdict else {
        panic!("{decision:?}")
    };
    assert!(after > Duration::from_secs(20), "{after:?}");
    assert_eq!(stub.asked().len(), 1);
    let (pdp, _stub, _dir) = scripted([Act::Silence]);
    let decision = pdp.decide(&call("{}"), Instant::now() + Duration::from_millis(100));
    assert_eq!(outage(&decision), Some(true));
    assert_eq!(outage(&pdp.decide(&call("{}"), Instant::now())), Some(true), "no time left");
}

#[test]
fn one_call_counts_once_for_the_breaker() {
    let (pdp, stub, _dir) = scripted(vec![reply(502, ""); 99]);
    for _ in 0..OUTAGES_TO_OPEN + 2 {
        assert_eq!(outage(&decide(&pdp, "{}")), Some(true));
    }
    assert_eq!(stub.asked().len(), (OUTAGES_TO_OPEN * service::ATTEMPTS) as usize);
}

#[test]
fn what_readers_disagree_on_is_denied_unasked_and_what_is_too_large_is_no_outage() {
    let (pdp, stub, _dir) = scripted([]);
    for arguments in [r#"{"a":1,"a":2}"#, "[1]", r#"{"a":1e999}"#, r#"{"a":"\ud800"}"#] {
        assert!(matches!(decide(&pdp, arguments).verdict, Verdict::Deny), "{arguments}");
    }
    let large = json!({"text": "x".repeat(request::MAX_BODY_BYTES)}).to_string();
    assert_eq!(outage(&decide(&pdp, &large)), Some(false));
    assert_eq!(stub.connections(), 0);
}

#[test]
fn secrets_are_not_printed_and_wrong_ones_are_named() {
    let dir = tempfile::tempdir().expect("a folder");
    assert!(!format!("{:?}", options("https://x.example")).contains("s3cret"));
    let wrong = |change: fn(&mut AafOptions)| {
        let mut options = options("https://x.example");
        change(&mut options);
        AafPdp::new(&options, store(&dir)).err().expect("refused").to_string()
    };
    assert!(wrong(|o| o.url = "x.example".into()).starts_with("AAF_API_URL"));
    assert!(wrong(|o| o.api_key = Secret::new("a\r\nb: c")).starts_with("AAF_API_KEY"));
    assert!(wrong(|o| o.agent_id = "a\nb".into()).starts_with("CALLGATE_AAF_AGENT_ID"));
}

// --------------------------------------------------------------------------------------------------- approvals

fn open(pdp: &AafPdp, decision: &Decision) -> Ticket {
    pdp.open(&call("{}"), decision, soon()).expect("a ticket")
}

fn look(pdp: &AafPdp, decision: &Decision, ticket: &Ticket) -> &'static str {
    match pdp.look(&call("{}"), decision, ticket, soon()) {
        Standing::Waiting => "waiting",
        Standing::Granted(granted) => {
            assert!(matches!(granted.verdict, Verdict::Allow { .. }));
            "granted"
        }
        Standing::Refused(_) => "refused",
        Standing::Used => "used",
        Standing::Unknown(_) => "unknown",
    }
}

#[test]
fn a_held_call_is_asked_about_and_runs_once() {
    let (pdp, stub, _dir) =
        scripted([reply(201, HOLD), reply(200, PENDING), reply(200, APPROVED), reply(200, APPROVED)]);
    let held = decide(&pdp, "{}");
    assert!(is_held(&held));
    let ticket = open(&pdp, &held);
    assert_eq!((ticket.id.as_str(), ticket.question.is_none()), ("apr_1", true));
    assert_eq!(look(&pdp, &held, &ticket), "waiting");
    assert_eq!(look(&pdp, &held, &ticket), "granted");
    assert_eq!(look(&pdp, &held, &ticket), "used");
    let asked = stub.asked();
    assert!(asked[1..].iter().all(|asked| asked.path == "/v1/approvals/apr_1" && asked.method == "GET"));
}

#[test]
fn names_that_were_turned_back_stay_so_when_a_person_says_yes() {
    let (pdp, _stub, _dir) = scripted([reply(201, HOLD), reply(200, APPROVED)]);
    let restored = Bytes::from_static(br#"{"to":"jane@acme.com"}"#);
    let held = Decision { approved_arguments: Some(restored.clone()), ..decide(&pdp, "{}") };
    let ticket = open(&pdp, &held);
    let Standing::Granted(granted) = pdp.look(&call("{}"), &held, &ticket, soon()) else { panic!("granted") };
    assert!(matches!(granted.verdict, Verdict::Allow { arguments: Some(sent), .. } if sent == restored));
}

#[test]
fn another_process_finds_the_approval_and_only_one_of_them_uses_it() {
    let (one, stub, dir) =
        scripted([reply(201, HOLD), reply(200, APPROVED), reply(200, APPROVED), reply(201, ALLOW)]);
    let held = decide(&one, "{}");
    let other = AafPdp::new(&options(&stub.endpoint), store(&dir)).expect("options");
    let found = decide(&other, "{}");
    assert!(is_held(&found) && stub.asked().len() == 1, "{found:?}");
    assert_eq!((found.decision_id.as_str(), found.approval_id.as_str()), ("act_1", "apr_1"));
    assert_eq!(found.reasons, ["money"]);
    let (here, there) = (open(&one, &held), open(&other, &found));
    assert_eq!(look(&other, &found, &there), "granted");
    assert_eq!(look(&one, &held, &here), "used");
    // The grant is gone, so the same call is asked about anew. The second look needed no answer.
    let again = decide(&one, "{}");
    assert!(matches!(again.verdict, Verdict::Allow { .. }) || outage(&again) == Some(false), "{again:?}");
}

#[test]
fn an_approval_of_one_service_or_agent_is_none_for_another() {
    let (one, stub, dir) = scripted([reply(201, HOLD), reply(200, ALLOW)]);
    assert!(is_held(&decide(&one, "{}")));
    let mut other = options(&stub.endpoint);
    other.agent_id = "another".into();
    let other = AafPdp::new(&other, store(&dir)).expect("options");
    assert!(matches!(decide(&other, "{}").verdict, Verdict::Allow { .. }), "it was asked itself");
}

#[test]
fn a_second_action_with_the_same_id_opens_no_second_ticket() {
    let (pdp, _stub, _dir) = scripted([reply(201, HOLD), reply(201, HOLD)]);
    assert!(is_held(&decide(&pdp, "{}")));
    let other = call(r#"{"other":1}"#);
    let held = pdp.decide(&other, soon());
    assert!(is_held(&held));
    assert!(pdp.open(&other, &held, soon()).is_err(), "the action belongs to another call");
}

#[test]
fn without_a_place_to_keep_tickets_nobody_is_asked_and_nothing_runs() {
    let (stub, dir) = (Stub::start([reply(201, HOLD)]), tempfile::tempdir().expect("a folder"));
    let file = dir.path().join("file");
    std::fs::write(&file, "").expect("written");
    let broken = Arc::new(LazyStore::sqlite(file.join("below")));
    let pdp = AafPdp::new(&options(&stub.endpoint), broken).expect("options");
    let held = decide(&pdp, "{}");
    assert!(is_held(&held));
    let local = LocalApprovals::new(store(&dir), LocalOptions::default());
    let keeper = Keeper::new(local, Some(Arc::new(pdp)));
    assert!(keeper.open(&call("{}"), &held, soon()).is_err(), "and no ticket here takes its place");
}

#[test]
fn the_id_of_an_approval_is_looked_for_in_the_action_and_in_the_list() {
    let hold = HOLD.replace(r#""approval_id":"apr_1","#, "");
    let action = |approval: &str| {
        reply(200, &format!(r#"{{"id":"act_1","status":"pending_approval","approval":{approval}}}"#))
    };
    let list = reply(200, r#"{"data":[{"id":"apr_1","action_id":"act_1","status":"pending"}]}"#);
    for (script, id) in [
        (vec![action(r#"{"id":"apr_1"}"#)], "apr_1"),
        (vec![action("null"), list.clone()], "apr_1"),
        (vec![reply(404, ""), list], "apr_1"),
        (vec![reply(404, ""), reply(403, "")], "act_1"),
        (vec![action("null"), reply(200, r#"{"data":[{"id":"apr_2","action_id":"act_2"}]}"#)], "act_1"),
    ] {
        let case = format!("{script:?}");
        let (pdp, stub, _dir) = scripted([vec![reply(201, &hold)], script].concat());
        let ticket = open(&pdp, &decide(&pdp, "{}"));
        assert_eq!(ticket.id, id, "{case}");
        assert_eq!(stub.asked()[1].path, "/v1/actions/act_1");
        if let Some(list) = stub.asked().get(2) {
            assert_eq!(list.path, "/v1/approvals?status=pending&agent_id=mcp-proxy&limit=100");
        }
    }
}

#[test]
fn reaching_the_api_makes_no_action() {
    for (act, expected) in [
        (reply(200, "{}"), Ok("answers")),
        (reply(401, ""), Err("policy service rejected the credentials (401); check AAF_API_KEY")),
    ] {
        let (pdp, stub, _dir) = scripted([act]);
        assert_eq!(pdp.reach(soon()), expected.map_err(str::to_owned));
        assert!(stub.asked().iter().all(|asked| asked.method == "GET"));
    }
}
