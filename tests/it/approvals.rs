//! Approvals: a person decides in a place that exists, and the call then runs exactly once. The scenarios of
//! `docs/approvals.md`, each a test.

use crate::harness::{Gate, Reply, Setup, eventually};
use serde_json::{Value, json};

const HELD: &str = "DROP TABLE customers";

/// A gate that holds destructive SQL, with the hold in `hold`.
fn setup(hold: &str) -> Setup {
    Setup::new().stub("a", &[]).env("SQLI_ACTION", "require_approval").env("CALLGATE_APPROVAL_HOLD", hold)
}

fn arguments(effect: &str) -> Value {
    json!({"effect": effect, "q": HELD})
}

/// Runs `callgate approvals` with the settings of the test.
fn approvals(setup: &Setup, args: &[&str]) -> (bool, String) {
    let (code, out, err) = setup.run(&[&["approvals"], args].concat());
    (code == Some(0), out + &err)
}

/// The tickets that wait, as JSON.
fn waiting(setup: &Setup) -> Vec<Value> {
    let (_, text) = approvals(setup, &["list", "--json"]);
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Waits for a ticket and gives its id.
fn ticket(setup: &Setup) -> String {
    let first = eventually("a ticket", || waiting(setup).into_iter().next());
    first["request_id"].as_str().expect("an id").to_owned()
}

fn decide(setup: &Setup, word: &str, id: &str) {
    let (done, text) = approvals(setup, &[word, id, "--comment", "as agreed"]);
    assert!(done, "{text}");
}

fn ticket_of(held: &Reply) -> String {
    assert_eq!(held.code(), -32002, "{}", held.message());
    let id = held.data()["approval_id"].as_str().expect("a ticket").to_owned();
    assert!(held.message().contains(&id), "clients drop data: {}", held.message());
    assert!(held.message().contains("callgate approvals approve"), "{}", held.message());
    assert_eq!(held.data()["outcome"], "not_forwarded");
    assert_eq!(held.data()["retryable"], true);
    id
}

fn call(gate: &Gate, effect: &str) -> Reply {
    gate.call("count", &arguments(effect))
}

#[test]
fn approved_within_the_hold_it_runs() {
    let setup = setup("20s");
    let gate = setup.clone().open();
    let id = gate.request("tools/call", &json!({"name": "count", "arguments": arguments("one")}));
    let ticket = ticket(&setup);
    assert!(gate.effects("a").is_empty(), "nothing runs before the word");
    decide(&setup, "approve", &ticket);
    assert!(gate.reply(id).is_ok());
    assert_eq!(gate.effects("a"), ["one"]);
    let row = gate.audit_of(1).remove(0);
    assert_eq!((&row["verdict"], &row["outcome"]), (&json!("allow"), &json!("ok")));
    assert_eq!(row["approval_id"], json!(ticket));
}

#[test]
fn refused_within_the_hold_it_does_not_run_and_says_who_and_why() {
    let setup = setup("20s");
    let gate = setup.clone().open();
    let id = gate.request("tools/call", &json!({"name": "count", "arguments": arguments("one")}));
    decide(&setup, "deny", &ticket(&setup));
    let refused = gate.reply(id);
    assert_eq!(refused.code(), -32001);
    assert!(
        refused.message().contains("somebody") && refused.message().contains("as agreed"),
        "{}",
        refused.message()
    );
    assert_eq!(call(&gate, "one").code(), -32001, "a refusal is final for the same call");
    assert!(gate.effects("a").is_empty());
}

#[test]
fn approved_after_the_hold_the_repeated_call_runs_once() {
    let setup = setup("0");
    let gate = setup.clone().open();
    let ticket = ticket_of(&call(&gate, "one"));
    assert_eq!(ticket_of(&call(&gate, "one")), ticket, "the repeated call finds its ticket");
    decide(&setup, "approve", &ticket);
    assert!(call(&gate, "one").is_ok());
    let again = ticket_of(&call(&gate, "one"));
    assert_ne!(again, ticket, "a grant is used once");
    assert_eq!(gate.effects("a"), ["one"]);
}

#[test]
fn nobody_decides() {
    let gate = setup("300ms").open();
    ticket_of(&call(&gate, "one"));
    assert!(gate.effects("a").is_empty());
}

#[test]
fn changed_arguments_need_an_approval_of_their_own() {
    let setup = setup("0");
    let gate = setup.clone().open();
    let ticket = ticket_of(&call(&gate, "one"));
    decide(&setup, "approve", &ticket);
    assert_ne!(ticket_of(&call(&gate, "two")), ticket);
    assert!(gate.effects("a").is_empty());
    // The same object, written another way, is the same call.
    let other = format!(r#"{{"name":"count","arguments":{{ "q" : "{HELD}", "effect" : "\u006fne" }} }}"#);
    let id = gate.request_raw("tools/call", &other);
    assert!(gate.reply(id).is_ok());
    assert_eq!(gate.effects("a"), ["one"]);
}

#[test]
fn the_same_call_twice_at_once_runs_once() {
    let setup = setup("20s");
    let gate = setup.clone().open();
    let params = json!({"name": "count", "arguments": arguments("one")});
    let (one, two) = (gate.request("tools/call", &params), gate.request("tools/call", &params));
    let ticket = ticket(&setup);
    decide(&setup, "approve", &ticket);
    let answers = [gate.reply(one), gate.reply(two)];
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(answers.iter().filter(|answer| !answer.is_ok() && answer.code() == -32002).count(), 1);
    assert_eq!(gate.effects("a"), ["one"]);
}

#[test]
fn two_processes_share_tickets_and_one_of_them_runs_the_call() {
    let setup = setup("20s");
    let (one, two) = (setup.clone().open(), setup.clone().open());
    let params = json!({"name": "count", "arguments": arguments("one")});
    let (first, second) = (one.request("tools/call", &params), two.request("tools/call", &params));
    let ticket = ticket(&setup);
    decide(&setup, "approve", &ticket);
    let ran = [one.reply(first).is_ok(), two.reply(second).is_ok()];
    assert_eq!(ran.iter().filter(|ran| **ran).count(), 1, "{ran:?}");
    assert_eq!(one.effects("a"), ["one"]);
}

#[test]
fn an_expired_ticket_is_final_and_the_next_call_opens_another() {
    let setup = setup("5s").env("CALLGATE_APPROVAL_LIFETIME", "700ms");
    let gate = setup.clone().open();
    let id = gate.request("tools/call", &json!({"name": "count", "arguments": arguments("one")}));
    let ticket = ticket(&setup);
    let late = gate.reply(id);
    assert_eq!(late.code(), -32001);
    assert!(late.message().contains("expired"), "{}", late.message());
    let (done, text) = approvals(&setup, &["approve", &ticket]);
    assert!(!done && text.contains("expired"), "{text}");
    assert!(gate.effects("a").is_empty());
}

#[test]
fn a_ticket_survives_the_process_that_opened_it() {
    let setup = setup("20s");
    let gate = setup.clone().open();
    gate.request("tools/call", &json!({"name": "count", "arguments": arguments("one")}));
    let ticket = ticket(&setup);
    gate.signal("KILL");
    drop(gate);
    decide(&setup, "approve", &ticket);
    let gate = setup.open();
    assert!(call(&gate, "one").is_ok());
    assert_eq!(gate.effects("a"), ["one"]);
}

/// From here on the grant is used up: the call is on its way, or answered.
#[test]
fn a_kill_behind_the_grant_lets_nothing_run_again() {
    for is_answered in [false, true] {
        let setup = setup("20s");
        let gate = setup.clone().open();
        // One that takes its time, and one that has its answer when the gate dies.
        let arguments = json!({"ms": if is_answered { 0 } else { 60_000 }, "q": HELD});
        let id = gate.start_call("slow", &arguments);
        let first = ticket(&setup);
        decide(&setup, "approve", &first);
        if is_answered {
            assert!(gate.reply(id).is_ok());
        } else {
            eventually("the server has it", || {
                (gate.received_of("a", "tools/call").len() == 1).then_some(())
            });
        }
        gate.signal("KILL");
        drop(gate);
        let gate = setup.clone().env("CALLGATE_APPROVAL_HOLD", "0").open();
        assert_ne!(ticket_of(&gate.call("slow", &arguments)), first, "the grant is used up");
        let ran = |row: &Value| row["outcome"] != "not_forwarded";
        let row = gate.audit_row("the row of the call that ran", ran);
        assert_eq!(row["outcome"], if is_answered { "ok" } else { "unknown" });
        assert_eq!(row["approval_id"], json!(first));
        assert_eq!(gate.received_of("a", "tools/call").len(), 1);
    }
}

#[test]
fn a_decision_that_falls_while_no_gate_lives_is_found_by_the_next_one() {
    for word in ["approve", "deny"] {
        let setup = setup("0");
        let gate = setup.clone().open();
        let ticket = ticket_of(&call(&gate, "one"));
        gate.signal("KILL");
        drop(gate);
        decide(&setup, word, &ticket);
        let gate = setup.open();
        assert_eq!(call(&gate, "one").is_ok(), word == "approve");
        assert_eq!(gate.effects("a").len(), usize::from(word == "approve"));
    }
}

#[test]
fn policies_that_changed_in_between_void_the_grant() {
    let setup = setup("0");
    let gate = setup.clone().open();
    let ticket = ticket_of(&call(&gate, "one"));
    decide(&setup, "approve", &ticket);
    drop(gate);
    let gate = setup.env("DANGEROUS_COMMAND_ACTION", "require_approval").open();
    assert_ne!(ticket_of(&call(&gate, "one")), ticket);
    assert!(gate.effects("a").is_empty());
}

#[test]
fn a_client_that_can_ask_asks_the_person_in_front_of_it() {
    for (answer, runs) in [
        (json!({"action": "accept", "content": {"decision": "approve", "comment": "go"}}), true),
        (json!({"action": "decline"}), false),
    ] {
        let setup = setup("20s").capabilities(json!({"elicitation": {}}));
        let gate = setup.clone().open();
        gate.on_request("elicitation/create", json!({"result": answer}));
        assert_eq!(call(&gate, "one").is_ok(), runs);
        let asked = gate.seen("elicitation/create").remove(0);
        let message = asked["params"]["message"].as_str().expect("a question");
        assert!(message.contains("a/count") && message.contains(HELD), "{message}");
        assert_eq!(gate.effects("a").len(), usize::from(runs));
    }
}

#[test]
fn the_ticket_shows_the_call_masked() {
    let setup = setup("0");
    let gate = setup.clone().open();
    let held = gate.call("count", &json!({"effect": "x", "q": HELD, "for": "jane@acme.co.id"}));
    let id = ticket_of(&held);
    let (_, shown) = approvals(&setup, &["show", &id[..8]]);
    assert!(shown.contains("[REDACTED:email]") && shown.contains(HELD), "{shown}");
    assert!(!shown.contains("jane@acme"), "{shown}");
    let (done, text) = approvals(&setup, &["approve", "0000"]);
    assert!(!done && text.contains("not known"), "{text}");
}
