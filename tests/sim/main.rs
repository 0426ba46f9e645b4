//! The machine in a simulation: the real actors, flows and redactor over servers in memory, a clock that only moves
//! when nothing else can, and seeded faults. What must hold is checked at every step ([`invariants`]); a seed that
//! fails replays exactly from its number.
//!
//! ```sh
//! cargo test --test sim                                    # the seeds of CI
//! CALLGATE_SIM_SEED=4711 cargo test --test sim replay -- --ignored --nocapture      # one seed, with its log
//! CALLGATE_SIM_SEEDS=100000..200000 cargo test --release --test sim more -- --ignored  # many more
//! ```
#![allow(clippy::expect_used, reason = "a test says by a panic what it missed")]
#![allow(clippy::print_stdout, reason = "a replayed seed shows its log")]

mod backend;
mod client;
mod faults;
mod invariants;
mod ports;
mod reliability;
mod run;
mod world;

use faults::Sabotage;
use std::ops::Range;

/// Seeds of one test, so that they run beside each other.
const SHARD: u64 = 250;

fn shard(number: u64) {
    seeds(number * SHARD..(number + 1) * SHARD);
}

fn seeds(range: Range<u64>) -> world::Tally {
    let mut tally = world::Tally::default();
    for seed in range {
        let done = run::run(seed, None);
        if let Some(broken) = &done.broken {
            panic!("seed {seed}: {broken}\nreplay it with CALLGATE_SIM_SEED={seed}\n{}", done.tail());
        }
        tally.add(&done.tally);
    }
    tally
}

macro_rules! shards {
    ($($name:ident = $number:literal),+ $(,)?) => {
        $(#[test] fn $name() { shard($number); })+
    };
}

shards! {
    seeds_0_to_249 = 0, seeds_250_to_499 = 1, seeds_500_to_749 = 2, seeds_750_to_999 = 3,
    seeds_1000_to_1249 = 4, seeds_1250_to_1499 = 5, seeds_1500_to_1749 = 6, seeds_1750_to_1999 = 7,
}

#[test]
fn a_seed_replays_exactly() {
    for seed in [3, 77, 1234, 99_999] {
        let (first, second) = (run::run(seed, None), run::run(seed, None));
        assert_eq!(first.log, second.log, "seed {seed}");
        assert!(!first.log.is_empty());
    }
}

/// A check that cannot fail shows nothing: every invariant is broken on purpose once.
#[test]
fn every_invariant_can_fail() {
    for sabotage in Sabotage::ALL {
        let broken = (0..400).find_map(|seed| run::run(seed, Some(sabotage)).broken);
        let broken = broken.unwrap_or_else(|| panic!("{sabotage:?} goes unnoticed"));
        assert!(broken.contains(sabotage.noticed_by()), "{sabotage:?} was noticed as {broken}");
    }
}

#[test]
#[ignore = "writes the table of docs/reliability.md from the seeds of CI"]
fn write_the_table() {
    reliability::write(&seeds(0..8 * SHARD));
}

#[test]
#[ignore = "replays CALLGATE_SIM_SEED and shows its log"]
fn replay() {
    let seed = std::env::var("CALLGATE_SIM_SEED").ok().and_then(|seed| seed.parse().ok());
    let done = run::run(seed.expect("CALLGATE_SIM_SEED is a number"), None);
    println!("{}", done.log.join("\n"));
    assert_eq!(done.broken, None);
}

#[test]
#[ignore = "runs the seeds of CALLGATE_SIM_SEEDS, such as 0..100000"]
fn more() {
    let range = std::env::var("CALLGATE_SIM_SEEDS").unwrap_or_else(|_| "2000..20000".into());
    let (from, to) = range.split_once("..").expect("a range such as 0..100000");
    let tally = seeds(from.parse().expect("a number")..to.parse().expect("a number"));
    println!("{}", reliability::table(&tally));
}
