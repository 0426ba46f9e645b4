//! What an interceptor runs on: the gate's own machine without a client and without backends, on a thread of its own. So
//! no caller's runtime is ever blocked, and it does not matter which one the caller has.

use crate::fault::Fault;
use callgate_actors::flow::Machine;
use callgate_actors::flow::outside::{Asked, Question, ask};
use callgate_actors::limits::{APPROVAL_STEP, DECISION_GRACE, RECORD_DEADLINE, REDACT_DEADLINE};
use callgate_actors::machine::{Plan, Running};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::future::{Future, pending};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Longest time for putting the machine together: nothing is reached over a network for that.
const START: Duration = Duration::from_secs(30);
/// Longest time for taking it apart, beyond the limits of its own steps.
const END: Duration = Duration::from_secs(5);
/// What a thread that waits allows beyond the deadlines of the steps it waits for: a machine under load.
const SLACK: Duration = Duration::from_secs(10);

/// Runs until it is dropped or closed.
pub(super) struct Engine {
    pub(super) machine: Machine,
    pub(super) runtime: Handle,
    /// Longest time of one question with all its steps.
    patience: Duration,
    /// Ends the thread when dropped.
    leave: Mutex<Option<oneshot::Sender<()>>>,
    /// Closed when the thread has ended.
    ended: Receiver<()>,
}

impl Engine {
    /// Starts the thread; returns when calls can be asked about.
    pub(super) fn start(plan: Plan) -> Result<Self, Fault> {
        let flow = &plan.flow;
        // Opening a ticket, looking at it, the intent and the row of what is refused.
        let patience = flow.decide_timeout
            + DECISION_GRACE
            + flow.approval_hold
            + 3 * APPROVAL_STEP
            + 2 * RECORD_DEADLINE
            + SLACK;
        let (started, has_started) = bounded(1);
        let (ends, ended) = bounded(0);
        let (leave, left) = oneshot::channel();
        let thread = std::thread::Builder::new().name("callgate".into());
        let spawned = thread.spawn(move || run(plan, &started, left, ends));
        spawned.map_err(|error| no_engine(&error.to_string()))?;
        let (machine, runtime) = match has_started.recv_timeout(START) {
            Ok(Ok(started)) => started,
            Ok(Err(why)) => return Err(no_engine(&why)),
            Err(_) => return Err(no_engine("it did not start in time")),
        };
        Ok(Self { machine, runtime, patience, leave: Mutex::new(Some(leave)), ended })
    }

    /// Asks about a call without blocking. `None` when the engine has ended. Dropping the future takes the call back.
    pub(super) async fn ask(&self, question: Question) -> Option<Asked> {
        let (mut answer, asked) = oneshot::channel();
        let machine = self.machine.clone();
        self.runtime.spawn(async move {
            if let Some(asked) = ask(machine, question, answer.closed()).await {
                // Nobody waits any more: dropping it takes the call back.
                let _ = answer.send(asked);
            }
        });
        asked.await.ok()
    }

    /// Asks about a call and blocks the thread.
    pub(super) fn ask_blocking(&self, question: Question) -> Option<Asked> {
        let asking = ask(self.machine.clone(), question, pending());
        self.wait(self.patience, asking).flatten()
    }

    /// Waits for the end of an answer: masked, and its row written.
    pub(super) fn wait_for_end<T: Send + 'static>(
        &self,
        ending: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        self.wait(REDACT_DEADLINE + RECORD_DEADLINE + SLACK, ending)
    }

    fn wait<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = bounded(1);
        self.runtime.spawn(async move {
            let _ = answer.send(work.await);
        });
        answered.recv_timeout(limit).ok()
    }

    /// Ends the thread and waits until the journal is closed. `false` when that took too long.
    pub(super) fn close(&self) -> bool {
        self.leave.lock().unwrap_or_else(PoisonError::into_inner).take();
        matches!(self.ended.recv_timeout(END), Err(crossbeam_channel::RecvTimeoutError::Disconnected))
    }
}

type Started = Result<(Machine, Handle), String>;

/// The life of the thread. `_ends` is dropped when it is over.
fn run(plan: Plan, started: &Sender<Started>, left: oneshot::Receiver<()>, _ends: Sender<()>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(started.send(Err(error.to_string()))),
    };
    let handle = runtime.handle().clone();
    runtime.block_on(async move {
        let running = match Running::start(plan, tokio::io::sink()).await {
            Ok(running) => running,
            Err(error) => return drop(started.send(Err(error.to_string()))),
        };
        let machine = running.for_calls_outside();
        // On a thread that nobody waits for: the first call finds the policies compiled.
        machine.pdp.warm();
        if started.send(Ok((machine, handle))).is_err() {
            return;
        }
        // Either way the interceptor is gone.
        let _ = left.await;
        let late = running.shut_down().await;
        if !late.is_empty() {
            tracing::warn!("did not end in time and were cut off: {}", late.join(", "));
        }
    });
    runtime.shutdown_background();
}

fn no_engine(why: &str) -> Fault {
    Fault::failure(format!("the interceptor did not start: {why}"), "check the system's limits")
}
