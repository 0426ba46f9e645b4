//! The machine: put together, run for one client, and taken apart in the order of the data.

use crate::approvals::Approvals;
use crate::audit::{AuditHandle, OpenJournal};
use crate::backend::{BackendHandle, LinkSettings};
use crate::directory::{Directory, Names, Reader, State};
use crate::face::Face;
use crate::flow::{FlowSettings, Machine, Parts};
use crate::front::Front;
use crate::guardian::Guardian;
use crate::limits::{
    CLOSE_ABORTED, CLOSE_CHILD_EXIT, CLOSE_CHILD_TERM, CLOSE_FLOWS, CLOSE_JOURNAL, CLOSE_OUTPUT, OUT_QUEUE,
    REQUESTS_IN_FLIGHT, WRAPPED_EXIT, WRAPPED_FLOWS, WRAPPED_LOOK, WRAPPED_OUTPUT, WRAPPED_SENDING,
};
use crate::out::{self, Toward};
use crate::pdp::PdpHandle;
use crate::ports::{Approve, Decide, Launch, Redact};
use crate::process::{StopGrace, Tether};
use crate::redactor::Redactor;
use crate::reply::InFlight;
use crate::session::{Identity, Session};
use crate::supervisor::{Begin, Supervisor, SupervisorHandle, SupervisorSettings};
use crate::workers::Threads;
use ractor::{Actor, ActorRef};
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

/// Everything the machine is given.
pub struct Plan {
    /// The backends' ids, in the order of the configuration.
    pub ids: Vec<Arc<str>>,
    /// Longest name a host takes.
    pub name_budget: usize,
    /// Longest line.
    pub max_line: usize,
    /// The way of a call.
    pub flow: FlowSettings,
    /// Who we are.
    pub identity: Identity,
    /// The line to the one child that the client is to take the machine for; `None` for a gate of its own. The child
    /// is started at once, and its end is the end of the session.
    pub wraps: Option<Tether>,
    /// Ends the children of a killed proxy.
    pub guardian: Option<Guardian>,
    /// Threads for redaction; remote engines wait, so they want more than there are cores.
    pub redactor_threads: usize,
    /// Where work that blocks or is heavy is done.
    pub threads: Threads,
    /// Seeds the jitter of restarts.
    pub seed: u64,
    /// Decides.
    pub decide: Arc<dyn Decide>,
    /// Asks people about calls that need approval; `None` when nobody can be asked.
    pub approve: Option<Arc<dyn Approve>>,
    /// Redacts.
    pub redact: Arc<dyn Redact>,
    /// Opens the journal.
    pub journal: OpenJournal,
    /// Says how backends are reached.
    pub launch: Arc<dyn Launch>,
}

/// A machine that runs.
pub struct Running {
    session: Session,
    closings: TaskTracker,
    supervisor: ActorRef<crate::supervisor::SupervisorMessage>,
    writer: JoinHandle<io::Result<()>>,
    wraps: Option<Tether>,
}

/// Why a machine did not start.
#[derive(Debug, thiserror::Error)]
#[error("the supervisor did not start: {0}")]
pub struct StartError(String);

impl Running {
    /// Puts the machine together, with its answers going to `output`. No backend is started yet.
    pub async fn start(
        plan: Plan,
        output: impl AsyncWrite + Unpin + Send + 'static,
    ) -> Result<Running, StartError> {
        let (out, lines) = mpsc::channel(OUT_QUEUE);
        let writer = tokio::spawn(out::pump(lines, output, Toward::Client, |_| ()));
        let redactor = Redactor::new(plan.redact, plan.redactor_threads, &plan.threads);
        let face = if plan.wraps.is_some() { Face::Backend } else { Face::Gate };
        let front = Front::new(out.clone(), redactor.clone(), face);
        let (pdp, pdp_actor) = PdpHandle::new(plan.decide, &plan.threads);
        let approvals = plan.approve.map(|approve| Approvals::new(approve, &plan.threads));
        let (audit, audit_actor) = AuditHandle::new(plan.journal, &plan.threads);
        let (publish, directory) = watch::channel(Arc::new(Directory::default()));
        let closings = TaskTracker::new();
        let handle = SupervisorHandle::default();
        let names = match face {
            Face::Gate => Names::new(plan.ids.clone(), plan.name_budget),
            Face::Backend => Names::of_the_only_one(),
        };
        let link =
            LinkSettings { max_line: plan.max_line, guardian: plan.guardian, tether: plan.wraps.clone() };
        let settings = SupervisorSettings {
            face,
            names,
            ids: plan.ids.clone(),
            launch: plan.launch.clone(),
            link,
            front: front.clone(),
            redactor: redactor.clone(),
            directory: publish,
            pdp: pdp_actor,
            audit: audit_actor,
            closings: closings.clone(),
            grace: StopGrace { exit: CLOSE_CHILD_EXIT, term: CLOSE_CHILD_TERM },
            seed: plan.seed,
        };
        let supervisor = Supervisor { handle: handle.clone() };
        let (supervisor, _) =
            Actor::spawn(None, supervisor, settings).await.map_err(|error| StartError(error.to_string()))?;
        let machine = Machine::new(Parts {
            face,
            settings: plan.flow,
            pdp,
            approvals,
            audit,
            redactor,
            directory,
            front,
        });
        if face.is_backend() {
            let begin = Begin { remembered: plan.ids.iter().map(|_| None).collect() };
            handle.begin(begin).map_err(|error| StartError(error.to_string()))?;
        }
        let session = Session {
            machine,
            supervisor: handle,
            launch: plan.launch,
            ids: plan.ids,
            identity: plan.identity,
            out,
            in_flight: InFlight::default(),
            max_line: plan.max_line,
        };
        Ok(Running { session, closings, supervisor, writer, wraps: plan.wraps })
    }

    /// The newest directory.
    pub fn directory(&self) -> Reader {
        self.session.machine.directory.clone()
    }

    /// The machine for calls that somebody else carries out ([`crate::flow::outside`]).
    pub fn for_calls_outside(&self) -> Machine {
        self.session.machine.clone()
    }

    /// Serves the client until its input ends or `stop` fires. Returns why it ended.
    pub async fn serve(
        &mut self,
        input: impl AsyncRead + Unpin,
        stop: impl Future<Output = &'static str>,
    ) -> String {
        tokio::select! {
            biased;
            ended = self.session.run(input) => match ended {
                Ok(()) => "the client closed its side".into(),
                Err(error) => format!("the client's input cannot be read: {error}"),
            },
            why = stop => why.into(),
            why = over(self.directory()) => format!("the server has ended: {why}"),
            _ = &mut self.writer => "the client does not read any more".into(),
        }
    }

    /// Takes the machine apart, in the order of the data, each step with its limit. Returns the steps that ran out
    /// of time.
    pub async fn shut_down(self) -> Vec<&'static str> {
        let late = Late::default();
        let Running { session, closings, supervisor, writer, wraps } = self;
        let machine = session.machine.clone();
        // Nothing is read any more, so nothing new begins; what runs may end.
        machine.flows.close();
        if wraps.is_some() {
            leave_in_peace(&machine).await;
        }
        if !late.within("running requests", CLOSE_FLOWS, machine.flows.wait()).await {
            machine.abort.cancel();
        }
        late.within("aborted requests", CLOSE_ABORTED, machine.flows.wait()).await;
        if let Ok(told) = session.supervisor.stop_backends() {
            let children = async {
                let _ = told.await;
                // A stop is told; the actors' post_stop hands each connection to `closings`.
                tokio::task::yield_now().await;
                closings.close();
                closings.wait().await;
            };
            late.within(
                "backends",
                CLOSE_CHILD_EXIT + CLOSE_CHILD_TERM + Duration::from_millis(50),
                children,
            )
            .await;
        }
        late.within("journal", CLOSE_JOURNAL, async {
            if let Err(why) = machine.audit.close().await {
                tracing::error!("the journal was not closed: {why}");
            }
        })
        .await;
        supervisor.stop(None);
        drop((session, machine));
        // A writer that ended already, with the client's end of the pipe, must not be asked again.
        if !writer.is_finished() {
            let limit = if wraps.is_some() { WRAPPED_OUTPUT } else { CLOSE_OUTPUT };
            late.within("last answers", limit, writer).await;
        }
        late.steps.take()
    }
}

/// Resolves when a backend that is not started again has ended; says why.
async fn over(mut directory: Reader) -> Arc<str> {
    match directory.wait_for(|directory| directory.over().is_some()).await.map(|now| now.over().cloned()) {
        Ok(Some(why)) => why,
        Ok(None) | Err(_) => std::future::pending().await,
    }
}

/// What the one backend is left to do by itself, as when nobody stood before it: what was decided is sent to it, its
/// input ends, and its answers still count until it has ended.
async fn leave_in_peace(machine: &Machine) {
    if machine.directory.borrow().over().is_none() {
        tokio::select! {
            sent = timeout(WRAPPED_SENDING, all_sent(machine)) => drop(sent),
            _ = over(machine.directory.clone()) => {}
        }
        // Many servers drop what they are at when their input ends; what is quick is answered before.
        let _ = timeout(CLOSE_FLOWS, machine.flows.wait()).await;
        if let Some(handle) = only(machine) {
            handle.end_input();
        }
        let _ = timeout(WRAPPED_EXIT, over(machine.directory.clone())).await;
    }
    if machine.directory.borrow().over().is_some() {
        let _ = timeout(WRAPPED_FLOWS, machine.flows.wait()).await;
    }
}

/// Resolves when the one backend runs and every open request is with it, or answered.
async fn all_sent(machine: &Machine) {
    loop {
        let open = REQUESTS_IN_FLIGHT - machine.gate.free();
        if only(machine).is_some_and(|handle| open <= handle.open_requests()) {
            return;
        }
        tokio::time::sleep(WRAPPED_LOOK).await;
    }
}

fn only(machine: &Machine) -> Option<BackendHandle> {
    machine.directory.borrow().standings.iter().find_map(|standing| match &standing.state {
        State::Up(handle) => Some(handle.clone()),
        _ => None,
    })
}

#[derive(Default)]
struct Late {
    steps: std::cell::RefCell<Vec<&'static str>>,
}

impl Late {
    /// Whether `step` ended in time.
    async fn within<T>(&self, name: &'static str, limit: Duration, step: impl Future<Output = T>) -> bool {
        let in_time = timeout(limit, step).await.is_ok();
        if !in_time {
            self.steps.borrow_mut().push(name);
        }
        in_time
    }
}
