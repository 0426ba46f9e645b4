//! The end: quickly, and with nobody left behind.

use crate::harness::{Gate, PATIENCE, Process, Setup, eventually, within};
use serde_json::json;
use std::time::Duration;

/// The documented limit is one second; three times that leaves room for a busy machine.
const GONE: Duration = Duration::from_secs(3);
/// Hosts kill after about four seconds; a backend that ignores everything costs the whole ladder of signals.
const GONE_WITH_STUBBORN: Duration = Duration::from_secs(4);
/// After a kill -9 of the proxy nobody is left after two seconds; again with room.
const LEFT: Duration = Duration::from_secs(4);

fn assert_none_left(descendants: &[Process]) {
    let alive = || descendants.iter().filter(|process| process.is_alive()).collect::<Vec<_>>();
    assert!(within(LEFT, || alive().is_empty().then_some(())).is_some(), "left behind: {:?}", alive());
}

fn with_grandchildren() -> Gate {
    let setup = Setup::new();
    let pids = setup.path("grandchildren");
    let gate = setup.stub("a", &["--fork-grandchild", &pids]).stub("b", &["--fork-grandchild", &pids]).open();
    assert!(gate.descendants().len() >= 4, "two backends with a grandchild each: {:?}", gate.descendants());
    gate
}

#[test]
fn w27_at_the_end_of_stdin_everything_goes() {
    let gate = with_grandchildren();
    let descendants = gate.descendants();
    gate.close_stdin();
    let status = gate.exit_within(GONE).expect("gone at the end of stdin");
    assert_eq!(status.code(), Some(0));
    assert_none_left(&descendants);
}

#[test]
fn w11_a_signal_ends_it_while_stdin_is_open() {
    for signal in ["TERM", "INT", "HUP"] {
        let gate = with_grandchildren();
        let descendants = gate.descendants();
        gate.signal(signal);
        assert!(gate.exit_within(GONE).is_some(), "SIG{signal} was not enough");
        assert_none_left(&descendants);
    }
}

#[test]
fn w11_a_probe_that_is_ended_both_ways_at_once_goes() {
    let gate = Setup::new().stub("a", &[]).spawn();
    gate.ask("server/discover", &json!({}));
    gate.close_stdin();
    gate.signal("TERM");
    assert!(gate.exit_within(GONE).is_some());
}

#[test]
fn calls_in_flight_do_not_hold_up_the_end() {
    let gate = Setup::new().stub("a", &[]).open();
    let descendants = gate.descendants();
    for _ in 0..50 {
        gate.start_call("cancel_probe", &json!({}));
    }
    eventually("they arrive", || (gate.received_of("a", "tools/call").len() >= 50).then_some(()));
    gate.close_stdin();
    assert!(gate.exit_within(GONE).is_some());
    assert_none_left(&descendants);
    assert_eq!(gate.audit().len(), 50, "each has its row: {:?}", gate.audit().last());
}

#[test]
fn answers_that_were_ready_are_written_before_the_end() {
    let gate = Setup::new().stub("a", &[]).open();
    let ids: Vec<i64> = (0..50).map(|n| gate.start_call("echo", &json!({"n": n}))).collect();
    for id in &ids {
        gate.reply(*id);
    }
    gate.close_stdin();
    assert!(gate.exit_within(GONE).is_some());
    assert_eq!(gate.audit().len(), 50);
}

#[test]
fn a_backend_that_ignores_everything_is_killed() {
    let setup = Setup::new();
    let pids = setup.path("grandchildren");
    let gate = setup
        .stub("good", &[])
        .stub("stubborn", &["--ignore-term", "--ignore-eof", "--fork-grandchild", &pids])
        .stub("deaf", &["--never-read-stdin", "--ignore-term"])
        .expecting("stubborn__echo")
        .open();
    let descendants = gate.descendants();
    gate.close_stdin();
    assert!(gate.exit_within(GONE_WITH_STUBBORN).is_some());
    assert_none_left(&descendants);
}

#[test]
fn the_end_comes_while_backends_start() {
    let gate = Setup::new().stub("a", &["--start-delay-ms", "600000"]).stub("b", &["--never-answer"]).spawn();
    gate.handshake();
    eventually("they start", || (gate.descendants().len() >= 2).then_some(()));
    let descendants = gate.descendants();
    gate.close_stdin();
    assert!(gate.exit_within(GONE).is_some());
    assert_none_left(&descendants);
}

#[test]
fn killed_before_the_handshake_nobody_is_left() {
    let gate = Setup::new().stub("a", &[]).spawn();
    kill(&gate);
}

#[test]
fn killed_while_backends_start_nobody_is_left() {
    for delay in [0, 5, 20, 60, 150] {
        let gate = Setup::new().stub("a", &[]).stub("b", &["--start-delay-ms", "200"]).spawn();
        gate.handshake();
        std::thread::sleep(Duration::from_millis(delay));
        kill(&gate);
    }
}

#[test]
fn killed_with_calls_in_flight_nobody_is_left() {
    let gate = with_grandchildren();
    for _ in 0..20 {
        gate.start_call("a__cancel_probe", &json!({}));
        gate.start_call("b__slow", &json!({"ms": 60_000}));
    }
    kill(&gate);
}

#[test]
fn killed_while_a_backend_restarts_nobody_is_left() {
    let gate = with_grandchildren();
    gate.call("a__crash", &json!({}));
    kill(&gate);
}

#[test]
fn killed_during_the_end_nobody_is_left() {
    let gate = Setup::new().stub("a", &["--ignore-term", "--ignore-eof"]).open();
    let descendants = gate.descendants();
    gate.close_stdin();
    gate.signal("KILL");
    assert_none_left(&descendants);
}

#[test]
fn killed_with_a_stubborn_backend_nobody_is_left() {
    let gate = Setup::new().stub("a", &["--ignore-term", "--ignore-eof"]).open();
    kill(&gate);
}

#[test]
fn a_crashed_backends_grandchildren_go_with_it() {
    let setup = Setup::new();
    let pids = setup.path("grandchildren");
    let gate = setup.stub("a", &["--fork-grandchild", &pids]).open();
    // The guardian, which is the proxy's own program, stays.
    let mut before = gate.descendants();
    before.retain(|process| process.command != "callgate");
    assert!(before.len() > 1, "{before:?}");
    gate.call("crash", &json!({}));
    assert!(gate.call_until_ok("echo", &json!({})).is_ok());
    assert_none_left(&before);
}

/// Kills the proxy alone, and looks who lives on. What was starting just then may show up a moment later.
fn kill(gate: &Gate) {
    let mut descendants = gate.descendants();
    gate.signal("KILL");
    assert!(gate.exit_within(PATIENCE).is_some());
    std::thread::sleep(Duration::from_millis(50));
    descendants.extend(gate.descendants());
    assert_none_left(&descendants);
    assert!(gate.descendants().is_empty());
}
