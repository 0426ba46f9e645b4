//! Kills at moments that a seed chooses: of the proxy, of a server, of a whole tree behind a shell, of the decision service.

use crate::harness::{Gate, PATIENCE, Pdp, Setup, eventually};
use crate::world::{assert_all, effects, leave, setup};
use fastrand::Rng;
use serde_json::json;
use std::collections::BTreeMap;
use std::env;
use std::sync::Arc;

/// Kills of an ordinary run.
const KILLS: usize = 40;
/// Kills on one record: checks read it whole.
const KILLS_PER_RECORD: usize = 20;
/// Calls around one kill.
const CALLS: usize = 24;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Victim {
    Proxy,
    OneOfTwoProxies,
    Server,
    Shell,
    Tree,
    Decisions,
}

const VICTIMS: [Victim; 6] =
    [Victim::Proxy, Victim::OneOfTwoProxies, Victim::Server, Victim::Shell, Victim::Tree, Victim::Decisions];

/// A number that the environment names.
pub(crate) fn number(name: &str, default: usize) -> usize {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// One record and what writes to it.
struct Round<'a> {
    setup: &'a Setup,
    gate: Option<Arc<Gate>>,
    random: Rng,
    number: usize,
}

impl Round<'_> {
    fn gate(&mut self) -> Arc<Gate> {
        Arc::clone(self.gate.get_or_insert_with(|| Arc::new(self.setup.clone().open())))
    }

    /// Starts calls with arguments that no other call has; every fourth only reads.
    fn start(gate: &Gate, tag: &str, count: usize) -> Vec<i64> {
        let tool = |n: usize| match n % 4 {
            0 => "a__count",
            1 => "b__count",
            2 => "b__count",
            _ => "a__echo",
        };
        (0..count).map(|n| gate.start_call(tool(n), &json!({"effect": format!("{tag}-{n}")}))).collect()
    }

    /// Waits until some of the calls had their effect, a different number each time, or all were answered.
    fn somewhere(&mut self, gate: &Gate, ids: &[i64], before: usize, what: &str) {
        let wanted = before + self.random.usize(..CALLS / 2);
        eventually(&format!("{what}: some calls ran"), || {
            let ran = effects(self.setup).len() >= wanted;
            (ran || ids.iter().all(|id| gate.replies_to(*id) > 0)).then_some(())
        });
    }

    /// Every call has exactly one answer.
    fn all_answered(gate: &Gate, ids: &[i64], what: &str) {
        for id in ids {
            gate.reply(*id);
        }
        assert!(ids.iter().all(|id| gate.replies_to(*id) == 1), "{what}: an answer came twice");
    }

    fn kill_server(&mut self, victim: Victim, what: &str) {
        let before = effects(self.setup).len();
        let gate = self.gate();
        let ids = Self::start(&gate, what, CALLS);
        self.somewhere(&gate, &ids, before, what);
        let is_shell = |command: &str| command == "sh" || command == "dash" || command == "bash";
        let mut living = gate.backends();
        living.retain(|process| match victim {
            Victim::Shell => is_shell(&process.command),
            Victim::Tree => true,
            _ => process.command.starts_with("stub-mcp"),
        });
        if victim != Victim::Tree && !living.is_empty() {
            let chosen = self.random.usize(..living.len());
            living = vec![living.swap_remove(chosen)];
        }
        living.iter().for_each(|process| process.signal("KILL"));
        Self::all_answered(&gate, &ids, what);
        for server in crate::world::SERVERS {
            let mut attempt = 0;
            eventually("the server is back", || {
                attempt += 1;
                let arguments = json!({"after": format!("{what}-{server}-{attempt}")});
                gate.call(&format!("{server}__echo"), &arguments).is_ok().then_some(())
            });
        }
    }

    fn kill_proxy(&mut self, what: &str) {
        let before = effects(self.setup).len();
        let gate = self.gate();
        let ids = Self::start(&gate, what, CALLS);
        self.somewhere(&gate, &ids, before, what);
        self.gate = None;
        gate.signal("KILL");
        assert!(gate.exit_within(PATIENCE).is_some());
        drop(gate);
        // The next start recovers.
        self.gate();
    }

    fn kill_one_of_two(&mut self, what: &str) {
        let other = self.setup.clone().open();
        let before = effects(self.setup).len();
        let ids = Self::start(&other, &format!("{what}-other"), CALLS);
        let gate = self.gate();
        let own = Self::start(&gate, what, CALLS);
        self.somewhere(&gate, &own, before, what);
        // What is dropped kills what carries the mark, so only the signal is sent while the other works.
        gate.signal("KILL");
        Self::all_answered(&other, &ids, what);
        assert!(gate.exit_within(PATIENCE).is_some());
        leave(&other);
        self.gate = None;
        drop((gate, other));
        self.gate();
    }

    fn kill_decisions(&mut self, what: &str) {
        drop(self.gate.take().inspect(|gate| leave(gate)));
        let pdp = Pdp::start();
        let port = pdp.port();
        let gate = pdp.serves(self.setup.clone()).open();
        let before = effects(self.setup).len();
        let ids = Self::start(&gate, what, CALLS);
        self.somewhere(&gate, &ids, before, what);
        pdp.kill();
        let more = Self::start(&gate, &format!("{what}-without"), 4);
        Self::all_answered(&gate, &[ids, more.clone()].concat(), what);
        assert!(more.iter().all(|id| !gate.reply(*id).is_ok()), "{what}: no decision, no call");
        let ran = effects(self.setup)
            .iter()
            .filter(|effect| effect.starts_with(&format!("{what}-without")))
            .count();
        assert_eq!(ran, 0, "{what}: no decision, no call");
        let again = Pdp::start_on(port);
        let mut attempt = 0;
        eventually("decisions are back", || {
            attempt += 1;
            gate.call("a__echo", &json!({"after": format!("{what}-{attempt}")})).is_ok().then_some(())
        });
        leave(&gate);
        drop((gate, again));
    }
}

#[test]
fn kills_at_any_moment_lose_no_call_and_run_none_twice() {
    let (kills, seed) = (number("CALLGATE_CHAOS_KILLS", KILLS), number("CALLGATE_CHAOS_SEED", 1));
    let mut random = Rng::with_seed(seed as u64);
    let mut counts: BTreeMap<Victim, usize> = BTreeMap::new();
    let (mut done, mut rows) = (0, 0);
    while done < kills {
        let setup = setup();
        let mut round = Round { setup: &setup, gate: None, random: random.fork(), number: 0 };
        while done < kills && round.number < KILLS_PER_RECORD {
            // Each in turn at first, so that a short run has them all.
            let victim =
                VICTIMS.get(done).copied().unwrap_or_else(|| VICTIMS[round.random.usize(..VICTIMS.len())]);
            let what = format!("seed {seed}, kill {done}, {victim:?}");
            match victim {
                Victim::Proxy => round.kill_proxy(&what),
                Victim::OneOfTwoProxies => round.kill_one_of_two(&what),
                Victim::Server | Victim::Shell | Victim::Tree => round.kill_server(victim, &what),
                Victim::Decisions => round.kill_decisions(&what),
            }
            assert_all(&setup, &what);
            *counts.entry(victim).or_default() += 1;
            done += 1;
            round.number += 1;
        }
        round.gate.iter().for_each(|gate| leave(gate));
        assert_all(&setup, "the end");
        rows += crate::world::rows(&setup).len();
    }
    if let Ok(file) = env::var("CALLGATE_CHAOS_REPORT") {
        std::fs::write(file, format!("{done} kills, {rows} rows, {counts:?}\n")).expect("the report");
    }
}
