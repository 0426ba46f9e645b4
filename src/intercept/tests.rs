//! An interceptor as a program uses it: what is decided, what the record says, and what shuts it.

use super::{AuditVerdict, Builder, Interception, Interceptor, Outcome, Would};
use crate::governance::Profile;
use crate::store::{LazyStore, Review, TicketFilter};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

const HOSTILE: &str = "SELECT 1; DROP TABLE customers; --";

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn builder(state: &TempDir) -> Builder {
    Interceptor::builder().state_dir(state.path())
}

fn open(builder: Builder) -> Interceptor {
    builder.build().unwrap_or_else(|error| panic!("{error}"))
}

fn rows(state: &Path) -> Vec<Value> {
    let text = fs::read_to_string(state.join("audit.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("a row")).collect()
}

/// The rows, once everything that is open has ended.
fn closed(interceptor: Interceptor, state: &TempDir) -> Vec<Value> {
    assert!(interceptor.close());
    rows(state.path())
}

fn outcome(row: &Value) -> (&str, &str) {
    (row["verdict"].as_str().unwrap_or_default(), row["outcome"].as_str().unwrap_or_default())
}

fn block_on<F: Future>(future: F) -> F::Output {
    // No timers and no IO: whatever runtime the caller has, nothing is asked of it.
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

#[test]
fn every_ending_has_its_row() {
    let state = folder();
    let interceptor = open(builder(&state).server("crm").agent("bot"));
    let call = |name: &str| interceptor.intercept_tool_call(name, &json!({"id": 7}));
    assert_eq!(call("a").answer(&json!({"content": []})).expect("an answer")["content"], json!([]));
    assert!(call("b").answer(&json!({"content": [], "isError": true})).is_ok());
    assert_eq!(call("c").fail("ask siti@example.co.id"), "ask [REDACTED:email]");
    call("d").finish(Outcome::TimedOut).expect("a row");
    drop(call("e"));
    let denied = interceptor.intercept_tool_call("f", &json!({"q": HOSTILE}));
    assert!(!denied.allowed && denied.arguments.is_none());
    assert!(denied.reason.contains(&denied.decision_id), "{}", denied.reason);
    assert_eq!(denied.answer(&json!("x")).expect_err("it was not allowed").code, -32001);
    let mut rows = closed(interceptor, &state);
    // The one that was dropped is written when its time comes.
    rows.sort_by_key(|row| row["tool_name"].as_str().map(str::to_owned));
    let told: Vec<_> =
        rows.iter().map(|row| (row["tool_name"].as_str().expect("a name"), outcome(row))).collect();
    assert_eq!(
        told,
        [
            ("a", ("allow", "ok")),
            ("b", ("allow", "tool_error")),
            ("c", ("allow", "failed")),
            ("d", ("allow", "timed_out")),
            ("e", ("allow", "unknown")),
            ("f", ("deny", "not_forwarded")),
        ]
    );
    assert!(rows.iter().all(|row| row["server"] == "crm"), "{}", rows[0]);
    assert!(rows.iter().all(|row| row["ai_agent"] == "bot"));
}

#[test]
fn a_policy_may_change_the_arguments_and_block_the_answer() {
    let state = folder();
    let rules = state.path().join("policy.json");
    let rule = json!({"id": "codename", "phase": "response", "action": "block", "when": {"text": {"contains": ["bluebird"]}}});
    fs::write(&rules, json!({ "rules": [rule] }).to_string()).expect("written");
    let interceptor = open(builder(&state).policy_file(&rules).setting("PII_ACTION", "redact"));
    let call = interceptor.intercept_tool_call("mail", &json!({"text": "to jane@acme.co.id", "n": 1}));
    assert_eq!(call.arguments, Some(json!({"text": "to [REDACTED:email]", "n": 1})));
    let withheld =
        call.answer(&json!({"content": [{"type": "text", "text": "bluebird"}]})).expect_err("withheld");
    assert!(
        withheld.message.contains("was executed") && withheld.data["outcome"] == "withheld",
        "{withheld:?}"
    );
    assert_eq!(withheld.to_json()["code"], withheld.code);
    assert_eq!(outcome(&closed(interceptor, &state)[0]), ("allow", "withheld"));
}

#[test]
fn profiles_lists_and_monitor_mode_hold_as_in_the_gate() {
    let state = folder();
    let read_only =
        open(builder(&state).profile(Profile::ReadOnly).read_only(["find_*"]).deny(["find_secret"]));
    for (name, allowed) in [("find_it", true), ("find_secret", false), ("write", false)] {
        let call = read_only.intercept_tool_call(name, &json!({}));
        assert_eq!(call.allowed, allowed, "{name}");
        assert_eq!(call.evaluated_policies[0].starts_with("governance:"), !allowed);
    }
    let trial = open(builder(&state).deny(["*"]).monitor(true));
    let call = trial.intercept_tool_call("a", &json!({}));
    assert!(call.allowed && call.refusal().is_none());
    assert_eq!((call.verdict, call.would), (AuditVerdict::Allow, Some(Would::Deny)));
}

#[test]
fn a_held_call_is_answered_with_its_ticket_and_a_grant_is_used_once() {
    let state = folder();
    let interceptor = open(builder(&state).setting("SQLI_ACTION", "require_approval"));
    let ask = || interceptor.intercept_tool_call("query", &json!({"q": HOSTILE}));
    let held = ask();
    assert!(!held.allowed && held.verdict == AuditVerdict::NeedsApproval);
    let ticket = held.approval.expect("a ticket");
    assert!(ticket.how_to_decide.contains(&ticket.ticket) && !ticket.expires_at.is_empty(), "{ticket:?}");
    assert_eq!(
        ask().approval.map(|again| again.ticket),
        Some(ticket.ticket.clone()),
        "the same call, the same ticket"
    );
    approve(&state, &ticket.ticket);
    let granted = ask();
    assert!(granted.allowed, "{}", granted.reason);
    granted.finish(Outcome::Ok).expect("a row");
    let again = ask();
    assert!(!again.allowed, "it was used up");
    assert_ne!(again.approval.map(|next| next.ticket), Some(ticket.ticket));
}

#[test]
fn with_a_hold_it_waits_for_the_word() {
    let state = folder();
    let builder = builder(&state).setting("SQLI_ACTION", "require_approval").hold(Duration::from_secs(30));
    let interceptor = open(builder);
    let asking =
        std::thread::spawn(move || interceptor.intercept_tool_call("query", &json!({"q": HOSTILE})).allowed);
    approve(&state, &waiting(&state));
    assert!(asking.join().expect("asked"));
}

#[test]
fn a_call_that_is_taken_back_does_not_use_the_grant_up() {
    let state = folder();
    let builder = builder(&state).setting("SQLI_ACTION", "require_approval").hold(Duration::from_secs(30));
    let interceptor = open(builder);
    block_on(async {
        let arguments = json!({"q": HOSTILE});
        let mut asking = std::pin::pin!(interceptor.intercept_tool_call_async("query", &arguments));
        let first = std::future::poll_fn(|context| std::task::Poll::Ready(asking.as_mut().poll(context)));
        assert!(first.await.is_pending());
        waiting(&state);
    });
    let taken_back = eventually(|| rows(state.path()).into_iter().next());
    assert_eq!(taken_back["outcome"], "cancelled");
    approve(&state, &waiting(&state));
    assert!(interceptor.intercept_tool_call("query", &json!({"q": HOSTILE})).allowed);
}

#[test]
fn without_a_record_there_is_no_call() {
    let state = folder();
    // A folder is no file.
    fs::create_dir(state.path().join("log")).expect("made");
    let interceptor = open(builder(&state).audit_log(state.path().join("log")));
    let call = interceptor.intercept_tool_call("a", &json!({}));
    assert!(!call.allowed && call.reason.contains("audit record cannot be written"), "{}", call.reason);
    let open =
        open(builder(&state).audit_log(state.path().join("log")).setting("CALLGATE_AUDIT_REQUIRED", "off"));
    assert!(open.intercept_tool_call("a", &json!({})).allowed);
}

#[test]
fn what_is_no_object_and_what_comes_too_late_is_refused() {
    let state = folder();
    let interceptor = open(builder(&state));
    for wrong in [json!([1]), json!("x"), json!(5)] {
        let call = interceptor.intercept_tool_call("a", &wrong);
        assert_eq!(call.refusal().map(|refusal| refusal.code), Some(-32602), "{wrong}");
    }
    assert!(interceptor.intercept_tool_call("a", &Value::Null).allowed);
    let kept = interceptor.clone();
    assert!(interceptor.close());
    let late: [Interception; 2] = [
        kept.intercept_tool_call("a", &json!({})),
        block_on(kept.intercept_tool_call_async("a", &json!({}))),
    ];
    for call in late {
        assert!(!call.allowed && !call.reason.is_empty());
    }
}

#[test]
fn the_async_face_says_the_same() {
    let state = folder();
    let interceptor = open(builder(&state));
    block_on(async {
        let call = interceptor.intercept_tool_call_async("a", &json!({})).await;
        let masked = call.answer_async(&json!({"text": "siti@example.co.id"})).await.expect("an answer");
        assert_eq!(masked["text"], "[REDACTED:email]");
        let call = interceptor.intercept_tool_call_async("b", &json!({})).await;
        assert_eq!(call.fail_async("by siti@example.co.id").await, "by [REDACTED:email]");
        interceptor
            .intercept_tool_call_async("c", &json!({}))
            .await
            .finish_async(Outcome::Ok)
            .await
            .expect("a row");
        assert!(!interceptor.intercept_tool_call_async("d", &json!({"q": HOSTILE})).await.allowed);
    });
    let outcomes: Vec<Value> = rows(state.path()).iter().map(|row| row["outcome"].clone()).collect();
    assert_eq!(outcomes, ["ok", "failed", "ok", "not_forwarded"]);
}

#[test]
fn wrong_settings_are_told_all_at_once_and_secrets_are_not() {
    let error = Interceptor::from_variables([
        ("CALLGATE_TOOLS_PROFILE", "readonly"),
        ("CALLGATE_MONITOR", "dry"),
        ("AXONFLOW_CLIENT_SECRET", "hunter2"),
    ])
    .build()
    .expect_err("they are wrong");
    let told = error.to_string();
    assert!(told.contains("CALLGATE_TOOLS_PROFILE") && told.contains("CALLGATE_MONITOR"), "{told}");
    assert!(!told.contains("hunter2") && !format!("{error:?}").contains("hunter2"));
    let builder = Interceptor::builder().setting("AXONFLOW_CLIENT_SECRET", "hunter2");
    assert!(!format!("{builder:?}").contains("hunter2"));
    let told = Interceptor::builder().deny(["a,b"]).build().expect_err("two patterns").to_string();
    assert!(told.contains("\"a,b\" is not one pattern"), "{told}");
    assert!(Interceptor::builder().allow::<&str>([]).build().is_err());
}

// ---------------------------------------------------------------------------------------------------- the store

fn store(state: &TempDir) -> LazyStore {
    LazyStore::sqlite(state.path().to_path_buf())
}

fn waiting(state: &TempDir) -> String {
    eventually(|| {
        let filter = TicketFilter { statuses: vec!["pending".into()], limit: 1, ..TicketFilter::default() };
        let (rows, _) = store(state).get().ok()?.tickets("", &filter).ok()?;
        rows.into_iter().next().map(|row| row.request_id)
    })
}

fn approve(state: &TempDir, ticket: &str) {
    let review = Review {
        status: "approved".into(),
        reviewer_id: "ada".into(),
        reviewer_email: String::new(),
        comment: String::new(),
    };
    store(state).get().and_then(|store| store.decide_ticket("", ticket, &review)).expect("decided");
}

fn eventually<T>(mut probe: impl FnMut() -> Option<T>) -> T {
    for _ in 0..3_000 {
        if let Some(found) = probe() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("waited in vain")
}
