//! One run: a machine, its servers and its client, from the seed to the last check.

use crate::backend::{MAX_LINE, Park};
use crate::client::{self, Client};
use crate::faults::{Fault, Faults, Sabotage};
use crate::ports::{
    DECIDE_TIMEOUT, FaultyRedactor, SimulatedJournal, SimulatedKeeper, SimulatedLaunch, SimulatedPdp,
    quiet_panics,
};
use crate::world::{Done, World};
use callgate_actors::flow::FlowSettings;
use callgate_actors::machine::{Plan, Running};
use callgate_actors::session::Identity;
use callgate_actors::wire::codes::VerdictCodes;
use callgate_actors::workers::Threads;
use fastrand::Rng;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Bytes that wait between client and gate.
const PIPE_BYTES: usize = 32 * 1024;
/// After the end: longer than the longest timer that is left running.
const AFTERWARDS: Duration = Duration::from_secs(3600);

/// Runs `seed`, with a defect if one is wanted.
pub(crate) fn run(seed: u64, sabotage: Option<Sabotage>) -> Done {
    quiet_panics();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(live(seed, sabotage))
}

async fn live(seed: u64, sabotage: Option<Sabotage>) -> Done {
    let mut rng = Rng::with_seed(seed);
    let faults = Faults::draw(&mut rng);
    let world = World::new(seed, faults.clone(), sabotage);
    let count = if sabotage == Some(Sabotage::HealthyHangs) { 2 } else { rng.usize(1..=4) };
    let ids: Vec<String> = (0..count).map(|number| format!("b{number}")).collect();
    let healthy = (count > 1).then(|| ids[0].clone());
    let park = Park::new(world.clone(), healthy);
    let plan = plan(&world, &park, &ids, &mut rng);

    let (to_gate, from_client) = tokio::io::duplex(PIPE_BYTES);
    let (to_client, from_gate) = tokio::io::duplex(PIPE_BYTES);
    let (counter, lines) = watch::channel(0);
    tokio::spawn(client::listen(world.clone(), from_gate, counter));
    let client = Client { world: world.clone(), park: park.clone(), ids: ids.clone(), lines };
    tokio::spawn(client.speak(to_gate));
    if faults.has(Fault::Killed) {
        tokio::spawn(killer(park, ids, Rng::with_seed(seed ^ 0xdead)));
    }

    let mut machine = Running::start(plan, to_client).await.expect("the machine starts");
    let stop = stop(world.clone(), faults.has(Fault::Stopped), Rng::with_seed(seed ^ 0x5709));
    let why = machine.serve(from_client, stop).await;
    world.note(format!("over: {why}"));
    world.lock().is_closing = true;
    let late = machine.shut_down().await;
    world.note(format!("taken apart; late: {late:?}"));
    tokio::time::sleep(AFTERWARDS).await;
    let alive = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    world.lock().check_end(alive);
    world.done()
}

fn plan(world: &World, park: &Park, ids: &[String], rng: &mut Rng) -> Plan {
    let fail_open = rng.u8(0..4) == 0;
    let journal_world = world.clone();
    let delays = world.clone();
    Plan {
        ids: ids.iter().map(|id| Arc::from(id.as_str())).collect(),
        name_budget: 49,
        max_line: MAX_LINE,
        flow: FlowSettings {
            monitor: false,
            decide_timeout: DECIDE_TIMEOUT,
            backend_timeouts: vec![Duration::from_secs(5); ids.len()],
            call_budget: Duration::from_secs(20),
            list_wait: Duration::from_secs(3),
            fail_open,
            approval_hold: Duration::from_secs([0, 5, 15][rng.usize(..3)]),
            codes: VerdictCodes::default(),
        },
        wraps: None,
        identity: Identity {
            name: "simulation".into(),
            title: "Simulation".into(),
            version: "1".into(),
            preamble: String::new(),
        },
        guardian: None,
        redactor_threads: 2,
        threads: Threads::Simulated(Arc::new(move || delays.lock().take_delay())),
        seed: rng.u64(..),
        decide: Arc::new(SimulatedPdp { world: world.clone(), fail_open }),
        approve: Some(Arc::new(SimulatedKeeper { world: world.clone() })),
        redact: Arc::new(FaultyRedactor::new(world.clone())),
        journal: Arc::new(move || Box::new(SimulatedJournal::new(journal_world.clone()))),
        launch: Arc::new(SimulatedLaunch { park: park.clone() }),
    }
}

/// Kills servers at moments that nothing else chooses.
async fn killer(park: Park, ids: Vec<String>, mut rng: Rng) {
    for _ in 0..rng.u32(1..8) {
        tokio::time::sleep(Duration::from_millis(rng.u64(0..600))).await;
        park.kill(&ids[rng.usize(..ids.len())]);
    }
}

/// Fires when the seed wants the gate to stop in the middle.
async fn stop(world: World, wanted: bool, mut rng: Rng) -> &'static str {
    if !wanted {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(Duration::from_millis(rng.u64(0..1_500))).await;
    let mut state = world.lock();
    state.strike(Fault::Stopped);
    state.close();
    "told to stop"
}
