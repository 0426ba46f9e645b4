//! One backend that misbehaves beside one that works: the working one, and the session, notice nothing.

use crate::harness::{Gate, Setup, eventually};
use serde_json::json;

/// A healthy backend `good` beside a hostile one, `bad`.
fn beside(flags: &[&str]) -> Gate {
    Setup::new()
        .env("AXONFLOW_BACKEND_TIMEOUT", "2s")
        .stub("bad", flags)
        .stub("good", &[])
        .expecting("good__echo")
        .open()
}

fn good_works(gate: &Gate) {
    for number in 0..50 {
        let reply = gate.call("good__echo", &json!({"n": number}));
        assert_eq!(reply.text(), format!(r#"{{"n":{number}}}"#));
    }
    gate.ask("ping", &json!({})).result();
    assert!(gate.is_alive());
}

#[test]
fn a_flood_on_stdout() {
    let gate = beside(&["--flood-stdout"]);
    good_works(&gate);
    assert!(gate.call("good__lookup", &json!({})).is_ok());
}

#[test]
fn stdin_that_is_never_read() {
    good_works(&beside(&["--never-read-stdin"]));
}

#[test]
fn banners_before_and_between_messages() {
    let gate = beside(&["--banner", "[dotenv] injected 0 variables {not json"]);
    good_works(&gate);
    gate.wait_for_tool("bad__echo");
    assert!(gate.call("bad__echo", &json!({})).is_ok(), "noise is skipped");
}

#[test]
fn json_banners_that_are_no_messages() {
    for banner in ["[]", "null", "42", "{}", r#"{"jsonrpc":"2.0"}"#, r#"{"jsonrpc":"2.0","id":1}"#, "[[[[[["]
    {
        let gate = beside(&["--banner", banner]);
        gate.wait_for_tool("bad__echo");
        assert!(gate.call("bad__echo", &json!({})).is_ok(), "{banner}");
    }
}

#[test]
fn a_hundred_megabytes_on_one_line() {
    let gate = beside(&["--long-line", "104857600"]);
    good_works(&gate);
}

#[test]
fn a_hundred_megabytes_in_the_middle_of_a_call() {
    let gate = beside(&[]);
    gate.wait_for_tool("bad__echo");
    let long = gate.start_call("bad__long_line", &json!({"bytes": 104_857_600}));
    good_works(&gate);
    gate.reply(long);
    assert!(gate.call_until_ok("bad__echo", &json!({})).is_ok());
}

#[test]
fn answers_with_wrong_ids() {
    let gate = beside(&["--wrong-ids"]);
    gate.wait_for_tool("bad__echo");
    let lost = gate.start_call("bad__echo", &json!({}));
    good_works(&gate);
    let reply = gate.reply(lost);
    assert_eq!(reply.code(), -32603);
    assert_eq!(reply.data()["outcome"], "timed_out");
}

#[test]
fn answers_given_twice() {
    let gate = beside(&["--duplicates"]);
    gate.wait_for_tool("bad__echo");
    let ids: Vec<i64> = (0..50).map(|n| gate.start_call("bad__echo", &json!({"n": n}))).collect();
    for (number, id) in ids.iter().enumerate() {
        assert_eq!(gate.reply(*id).text(), format!(r#"{{"n":{number}}}"#));
    }
    good_works(&gate);
    assert!(ids.iter().all(|id| gate.replies_to(*id) == 1));
}

#[test]
fn answers_under_the_string_form_of_the_id_are_taken() {
    let gate = beside(&["--string-ids"]);
    gate.wait_for_tool("bad__echo");
    assert!(gate.call("bad__echo", &json!({})).is_ok());
}

#[test]
fn an_exit_at_once_for_ever() {
    let gate = beside(&["--exit-at-start"]);
    good_works(&gate);
}

#[test]
fn an_exit_after_every_few_answers() {
    let gate = beside(&["--exit-after", "3"]);
    gate.wait_for_tool("bad__echo");
    good_works(&gate);
    for _ in 0..10 {
        assert!(gate.call_until_ok("bad__echo", &json!({})).is_ok());
    }
}

#[test]
fn a_crash_on_one_tool() {
    let gate = beside(&["--crash-on", "env"]);
    gate.wait_for_tool("bad__echo");
    assert_eq!(gate.call("bad__env", &json!({})).code(), -32603);
    good_works(&gate);
    assert!(gate.call_until_ok("bad__echo", &json!({})).is_ok());
}

#[test]
fn an_unknown_protocol_version() {
    good_works(&beside(&["--protocol", "1999-01-01"]));
}

#[test]
fn a_storm_of_list_changes_at_the_start() {
    let gate = beside(&["--list-changed-storm", "2000"]);
    good_works(&gate);
    assert!(gate.received_of("bad", "tools/list").len() < 30);
}

#[test]
fn thousands_of_tools() {
    let gate = beside(&["--tools", "3000"]);
    gate.wait_for_tool("bad__extra_2999");
    assert!(gate.call("bad__extra_2999", &json!({})).is_ok());
    good_works(&gate);
}

#[test]
fn many_large_answers_at_once() {
    let gate = beside(&[]);
    gate.wait_for_tool("bad__echo");
    let ids: Vec<i64> = (0..20).map(|_| gate.start_call("bad__big", &json!({"kb": 500}))).collect();
    good_works(&gate);
    for id in ids {
        eventually("a large answer", || gate.reply(id).is_ok().then_some(()));
    }
}

/// Peers that read text take a lone carriage return for the end of a line, and the middle of one message for another.
#[test]
fn a_carriage_return_between_tokens_splits_no_message() {
    let gate = Setup::new().stub("a", &[]).open();
    let smuggled =
        r#"{"jsonrpc":"2.0","id":990,"method":"tools/call","params":{"name":"count","arguments":{}}}"#;
    let line = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":77,\"method\":\"tools/call\",\"params\":{{\"name\":\"echo\",\"arguments\":{{\"x\":[\r{smuggled}\r]}}}}}}"
    );
    gate.send(&line);
    let reply = gate.reply(77);
    assert!(reply.is_ok(), "{}", reply.raw);
    assert!(!reply.raw.contains('\r'));
    assert!(!reply.text().contains('\r'), "the backend saw it: {:?}", reply.text());
}
