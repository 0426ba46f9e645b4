//! Backends that die: what their calls get, and how they come back.

use crate::harness::{Gate, Setup, eventually};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn w21_a_call_whose_backend_died_is_not_sent_again() {
    let gate = Setup::new().stub("a", &[]).open();
    let reply = gate.call("count", &json!({"effect": "once", "crash": true}));
    assert_eq!(reply.code(), -32603);
    assert!(reply.message().contains("unknown"), "{}", reply.message());
    assert_eq!(reply.data()["outcome"], "unknown");
    assert_eq!(reply.data()["retryable"], false);
    assert!(gate.call_until_ok("echo", &json!({})).is_ok());
    assert_eq!(gate.effects("a"), ["once"]);
    gate.audit_row("unknown", |row| row["tool_name"] == "count" && row["outcome"] == "unknown");
}

#[test]
fn w21_a_call_that_may_repeat_is_sent_again() {
    let gate = Setup::new().stub("a", &[]).open();
    for tool in ["read_count", "idem"] {
        let reply = gate.call(tool, &json!({"effect": tool, "crash_first": true}));
        assert_eq!(reply.text(), format!("counted {tool}"));
        assert_eq!(gate.effects("a").iter().filter(|effect| *effect == tool).count(), 2, "{tool}");
    }
}

#[test]
fn w21_a_call_that_may_repeat_is_not_repeated_for_ever() {
    let gate = Setup::new().stub("a", &[]).open();
    let reply = gate.call("read_count", &json!({"effect": "again", "crash": true}));
    assert_eq!(reply.code(), -32603);
    let runs = gate.effects("a").len();
    assert!((1..=5).contains(&runs), "it ran {runs} times");
}

#[test]
fn w22_an_answer_written_before_the_exit_counts() {
    let gate = Setup::new().stub("a", &["--exit-with-answer"]).open();
    for round in 0..8 {
        let effect = format!("round {round}");
        let reply = eventually("an answer", || {
            let reply = gate.call("count", &json!({"effect": effect}));
            // The backend may still be away, or gone with a line that it never read. What it did it also answered.
            let lost = !reply.is_ok();
            assert!(!lost || gate.effects("a").len() == round, "an answer was lost: {}", reply.raw);
            (!lost).then_some(reply)
        });
        assert_eq!(reply.text(), format!("counted {effect}"));
        assert_eq!(gate.effects("a").len(), round + 1);
    }
}

#[test]
fn half_an_answer_is_none() {
    let gate = Setup::new().stub("a", &["--half-line"]).open();
    let reply = gate.call("count", &json!({"effect": "one"}));
    assert_eq!(reply.data()["outcome"], "unknown");
    assert_eq!(gate.effects("a"), ["one"]);
}

#[test]
fn a_killed_backend_answers_all_its_calls_and_comes_back() {
    let gate = Setup::new().stub("a", &[]).stub("b", &[]).open();
    let pid = pid(&gate, "a");
    let lost: Vec<i64> = (0..20).map(|_| gate.start_call("a__cancel_probe", &json!({}))).collect();
    eventually("all arrived", || (gate.received_of("a", "tools/call").len() > 20).then_some(()));
    let other = gate.start_call("b__slow", &json!({"ms": 500}));
    kill(&gate, pid);
    for id in &lost {
        let reply = gate.reply(*id);
        assert_eq!(reply.code(), -32603);
        assert_eq!(reply.data()["outcome"], "unknown");
    }
    assert!(gate.reply(other).is_ok());
    assert!(gate.call_until_ok("a__echo", &json!({})).is_ok());
    assert_ne!(self::pid(&gate, "a"), pid);
    assert!(lost.iter().all(|id| gate.replies_to(*id) == 1));
}

#[test]
fn what_was_set_at_a_backend_is_set_again_after_its_restart() {
    let gate = Setup::new().stub("a", &[]).open();
    gate.ask("logging/setLevel", &json!({"level": "error"})).result();
    gate.ask("resources/subscribe", &json!({"uri": "stub://note"})).result();
    eventually("the level", || (gate.call("level", &json!({})).text() == r#""error""#).then_some(()));
    kill(&gate, pid(&gate, ""));
    eventually("the level again", || {
        let reply = gate.call("level", &json!({}));
        (reply.is_ok() && reply.text() == r#""error""#).then_some(())
    });
    eventually("the subscription again", || {
        gate.call("received", &json!({})).json().get("resources/subscribe").cloned()
    });
}

#[test]
fn a_backend_that_is_away_fails_fast_says_why_and_comes_back() {
    let setup = Setup::new();
    let up = setup.path("up");
    std::fs::write(&up, "").expect("written");
    let gate = setup
        .env("AXONFLOW_BACKEND_TIMEOUT", "2s")
        .stub("good", &[])
        .stub("flaky", &["--up-file", &up])
        .open();
    let pid = pid(&gate, "flaky");
    std::fs::remove_file(&up).expect("removed");
    kill(&gate, pid);
    let reply = eventually("a refusal", || {
        let reply = gate.call("flaky__echo", &json!({}));
        // A call that was on its way when the backend was killed has an unknown outcome.
        let is_away = reply.value["error"]["data"]["outcome"] == "not_forwarded";
        is_away.then_some(reply)
    });
    assert_eq!(reply.code(), -32603);
    assert_eq!(reply.data()["retryable"], true);
    assert!(reply.message().contains("flaky"), "{}", reply.message());
    assert!(gate.call("good__echo", &json!({})).is_ok());
    gate.audit_row("not forwarded", |row| row["outcome"] == "not_forwarded");
    std::fs::write(&up, "").expect("written");
    assert!(gate.call_until_ok("flaky__echo", &json!({})).is_ok(), "it is probed without end");
}

#[test]
fn a_backend_that_always_dies_is_not_started_without_pause() {
    let gate =
        Setup::new().stub("good", &[]).stub("dying", &["--exit-at-start"]).expecting("good__echo").open();
    for _ in 0..100 {
        assert!(gate.call("good__echo", &json!({})).is_ok());
    }
    let told = gate.stderr().lines().filter(|line| line.contains("dying")).count();
    assert!(told > 0, "restarts are visible in the log");
    assert!(told < 200, "{told} lines about one dying backend");
}

/// Mixed calls over four backends, about one in a hundred of which kills its backend.
#[test]
fn five_thousand_mixed_calls_with_crashes_end_once_each() {
    const CALLS: usize = 5_000;
    const WIDTH: usize = 32;
    let ids = ["a", "b", "c", "d"];
    let gate = ids.iter().fold(Setup::new(), |setup, id| setup.stub(id, &[])).open();
    let mut random = Random(0x5eed);
    let mut open: Vec<(i64, String)> = Vec::new();
    let mut answered: BTreeMap<String, bool> = BTreeMap::new();
    let mut all = Vec::new();
    for number in 0..CALLS {
        let backend = ids[random.below(4)];
        let effect = format!("effect-{number}");
        let (tool, arguments) = match random.below(200) {
            0 => ("crash", json!({"effect": effect})),
            1 => ("count", json!({"effect": effect, "crash": true})),
            2..60 => ("count", json!({"effect": effect})),
            60..80 => ("lookup", json!({})),
            80..85 => ("slow", json!({"ms": random.below(30)})),
            85..90 => ("error", json!({})),
            90..95 => ("echo", json!({"q": crate::harness::STACKED_SQL})),
            _ => ("echo", json!({"n": number})),
        };
        let id = gate.start_call(&format!("{backend}__{tool}"), &arguments);
        all.push(id);
        open.push((id, effect));
        if open.len() >= WIDTH {
            let (id, effect) = open.swap_remove(random.below(open.len()));
            answered.insert(effect, gate.reply(id).is_ok());
        }
    }
    for (id, effect) in open {
        answered.insert(effect, gate.reply(id).is_ok());
    }
    gate.ask("ping", &json!({})).result();
    let twice: Vec<&i64> = all.iter().filter(|id| gate.replies_to(**id) != 1).collect();
    assert!(twice.is_empty(), "not exactly one reply: {twice:?}");
    let effects: Vec<String> = ids.iter().flat_map(|id| gate.effects(id)).collect();
    let distinct: BTreeSet<&String> = effects.iter().collect();
    assert_eq!(distinct.len(), effects.len(), "a side effect ran twice");
    assert!(effects.len() > CALLS / 8, "only {} side effects: most calls never arrived", effects.len());
    let fine = answered.values().filter(|ok| **ok).count();
    assert!(fine > CALLS / 4, "only {fine} of {CALLS} calls went well");
    let rows = gate.audit_of(CALLS);
    assert_eq!(rows.len(), CALLS, "one audit row per call");
}

fn pid(gate: &Gate, id: &str) -> u32 {
    let tool = if id.is_empty() { "pid".to_owned() } else { format!("{id}__pid") };
    let reply = gate.call_until_ok(&tool, &json!({}));
    reply.text().parse().unwrap_or_else(|_| panic!("no pid in {}", reply.raw))
}

/// Kills a backend of this test, and nothing else.
fn kill(gate: &Gate, pid: u32) {
    let process = gate.backends().into_iter().find(|process| process.pid == pid).expect("the backend lives");
    process.signal("KILL");
    eventually("it is dead", || (!process.is_alive()).then_some(()));
}

/// A small generator with a seed, so that a failure can be run again.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % bound
    }
}
