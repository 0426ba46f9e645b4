//! The gate is killed while people decide: each call runs once or never, as decided.
//!
//! Every call has arguments of its own and one person who approves or refuses its first ticket. The gate is killed
//! somewhere between the first ticket and the last answer, twice, and the client repeats what it has no final answer to.

use crate::harness::{Gate, PATIENCE, Reply, Setup, eventually};
use crate::kills::number;
use crate::world::{assert_chain, effects, hash_of, leave, rows, setup};
use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Kills of a usual run, two for one record.
const KILLS: usize = 12;
/// Calls that wait for a person around one record.
const CALLS: usize = 6;

/// A call and what its person says.
struct Held {
    effect: String,
    approves: bool,
    /// Its first ticket, once there is one.
    ticket: Option<String>,
    /// Its last answer, once it is final: it ran, or it was refused.
    ends: Option<bool>,
}

impl Held {
    fn arguments(&self) -> Value {
        json!({"effect": self.effect, "q": "DROP TABLE customers"})
    }
}

fn tickets(setup: &Setup) -> Vec<Value> {
    let (_, text, _) = setup.run(&["approvals", "list", "--all", "--json"]);
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn decide(setup: &Setup, word: &str, id: &str) {
    let (code, out, err) = setup.run(&["approvals", word, id]);
    assert_eq!(code, Some(0), "{out}{err}");
}

/// People decide what waits. A second ticket of a call whose grant is gone is refused: nobody approves twice.
fn people_decide(setup: &Setup, calls: &mut [Held], at_most: usize) {
    let waiting: Vec<Value> = tickets(setup).into_iter().filter(|row| row["status"] == "pending").collect();
    for row in waiting.iter().take(at_most) {
        let (id, query) = (row["request_id"].to_string(), row["original_query"].to_string());
        let id = id.trim_matches('"').to_owned();
        let call = calls.iter_mut().find(|call| query.contains(&call.effect)).expect("the call of a ticket");
        let is_first = call.ticket.get_or_insert_with(|| id.clone()) == &id;
        decide(setup, if is_first && call.approves { "approve" } else { "deny" }, &id);
    }
}

/// Takes the answers that came. One that names a ticket is not final.
fn take(calls: &mut [Held], asked: &BTreeMap<i64, usize>, gate: &Gate) {
    for (id, call) in asked {
        if gate.replies_to(*id) > 0 {
            let reply: Reply = gate.reply(*id);
            if reply.is_ok() || reply.code() == -32001 {
                calls[*call].ends = Some(reply.is_ok());
            }
        }
    }
}

fn ask(gate: &Gate, calls: &[Held]) -> BTreeMap<i64, usize> {
    let open = calls.iter().enumerate().filter(|(_, call)| call.ends.is_none());
    open.map(|(n, call)| (gate.start_call(["a__count", "b__count"][n % 2], &call.arguments()), n)).collect()
}

fn kill(gate: Gate) {
    gate.signal("KILL");
    assert!(gate.exit_within(PATIENCE).is_some());
}

/// One record: its gate is killed twice, then everything comes to its end. How many grants were lost to the kills.
fn round(what: &str, random: &mut Rng) -> usize {
    let setup = setup().env("SQLI_ACTION", "require_approval").env("CALLGATE_APPROVAL_HOLD", "1s");
    let mut calls: Vec<Held> = (0..CALLS)
        .map(|n| Held {
            effect: format!("{what}-{n}"),
            approves: random.usize(..4) > 0,
            ticket: None,
            ends: None,
        })
        .collect();
    for _ in 0..2 {
        let gate = setup.clone().open();
        let asked = ask(&gate, &calls);
        let (decided, ran) = (random.usize(..=CALLS), effects(&setup).len() + random.usize(..3));
        eventually("a ticket", || (asked.is_empty() || !tickets(&setup).is_empty()).then_some(()));
        people_decide(&setup, &mut calls, decided);
        eventually("some ran, or all were answered", || {
            let answered = asked.keys().all(|id| gate.replies_to(*id) > 0);
            (answered || effects(&setup).len() >= ran).then_some(())
        });
        take(&mut calls, &asked, &gate);
        kill(gate);
    }
    let gate = setup.clone().open();
    eventually("every call comes to its end", || {
        let asked = ask(&gate, &calls);
        people_decide(&setup, &mut calls, usize::MAX);
        asked.keys().for_each(|id| drop(gate.reply(*id)));
        take(&mut calls, &asked, &gate);
        calls.iter().all(|call| call.ends.is_some()).then_some(())
    });
    leave(&gate);
    check(&setup, &calls, what)
}

fn check(setup: &Setup, calls: &[Held], what: &str) -> usize {
    let (effects, tickets, rows) = (effects(setup), tickets(setup), rows(setup));
    let mut lost = 0;
    for call in calls {
        let ran = effects.iter().filter(|effect| **effect == call.effect).count();
        assert!(ran <= usize::from(call.approves), "{what}: {} ran {ran} times", call.effect);
        if call.ends == Some(true) {
            assert_eq!(ran, 1, "{what}: {} was answered and did not run", call.effect);
        }
        let hash = hash_of(&call.arguments().to_string());
        let forwarded = rows
            .iter()
            .filter(|row| row["parameters_hash"] == hash.as_str() && row["outcome"] != "not_forwarded");
        // An intent whose call was cut off before it left is a row of its own, and so is the grant that is gone.
        let forwarded = forwarded.count();
        assert!(forwarded >= ran && forwarded <= 1, "{what}: {} has {forwarded} rows", call.effect);
        let id = call.ticket.as_deref().expect("every call had a ticket");
        let row = tickets.iter().find(|row| row["request_id"] == id).expect("its ticket");
        let is_used = !row["consumed_at"].is_null();
        assert!(is_used || ran == 0, "{what}: {} ran without using its grant up", call.effect);
        assert_eq!(row["status"], if call.approves { "approved" } else { "rejected" }, "{what}");
        if call.approves && ran == 0 {
            assert!(is_used, "{what}: {} was approved, never tried and never ran", call.effect);
            lost += 1;
        }
    }
    assert_chain(setup, what);
    lost
}

#[test]
fn killed_while_people_decide_each_call_runs_once_or_never() {
    let kills = number("CALLGATE_CHAOS_KILLS", KILLS);
    let seed = number("CALLGATE_CHAOS_SEED", 1);
    let mut random = Rng::with_seed(seed as u64);
    let lost: usize = (0..kills.div_ceil(2))
        .map(|record| round(&format!("approvals-seed-{seed}-record-{record}"), &mut random.fork()))
        .sum();
    if let Ok(file) = std::env::var("CALLGATE_CHAOS_REPORT") {
        let calls = kills.div_ceil(2) * CALLS;
        let text = format!("{kills} kills, {calls} calls, {lost} grants lost to a kill\n");
        std::fs::write(file + ".approvals", text).expect("the report");
    }
}
