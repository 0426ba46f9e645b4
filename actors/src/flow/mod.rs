//! Flows: one task per request of the client, the only ones in the machine that await answers.

mod approval;
pub mod call;
mod forward;
pub mod lists;
pub mod outside;
pub mod params;
pub mod pass;
pub mod relay;
mod verdict;
mod weight;

use crate::approvals::Approvals;
use crate::audit::AuditHandle;
use crate::directory::Reader;
use crate::face::Face;
use crate::front::Front;
use crate::gate::Gate;
use crate::pdp::PdpHandle;
use crate::redactor::Redactor;
use crate::reply::Answer;
use crate::wire::codes::{ErrorObject, INTERNAL_ERROR, VerdictCodes};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What a person may change of the way of a call.
#[derive(Clone, Debug)]
pub struct FlowSettings {
    /// Longest time for a decision.
    pub decide_timeout: Duration,
    /// Longest time for a backend's answer without a sign of progress, by the backend's position.
    pub backend_timeouts: Vec<Duration>,
    /// Longest time for waiting, deciding and running a call together, as far as the gate can shorten it.
    pub call_budget: Duration,
    /// How long a list waits for backends that were never seen before.
    pub list_wait: Duration,
    /// Whether a true outage of the PDP lets calls pass.
    pub fail_open: bool,
    /// How long a call that needs approval is held; zero answers at once.
    pub approval_hold: Duration,
    /// Whether calls are only monitored: one that nobody decided about runs, too.
    pub monitor: bool,
    /// The codes of verdicts.
    pub codes: VerdictCodes,
}

/// What every flow can reach.
#[derive(Clone)]
pub struct Machine {
    /// What the client takes the machine for.
    pub face: Face,
    /// Settings.
    pub settings: Arc<FlowSettings>,
    /// Decides.
    pub pdp: PdpHandle,
    /// Asks people; `None` when nobody can be asked.
    pub approvals: Option<Approvals>,
    /// Records.
    pub audit: AuditHandle,
    /// Redacts.
    pub redactor: Redactor,
    /// Where everything is.
    pub directory: Reader,
    /// The client.
    pub front: Front,
    /// A place for every open request.
    pub gate: Gate,
    /// The running flows.
    pub flows: TaskTracker,
    /// Fires when flows must end.
    pub abort: CancellationToken,
    numbers: Arc<AtomicU64>,
    weights: weight::Weights,
}

/// The parts a [`Machine`] is made of.
pub struct Parts {
    /// What the client takes the machine for.
    pub face: Face,
    /// Settings.
    pub settings: FlowSettings,
    /// Decides.
    pub pdp: PdpHandle,
    /// Asks people.
    pub approvals: Option<Approvals>,
    /// Records.
    pub audit: AuditHandle,
    /// Redacts.
    pub redactor: Redactor,
    /// Where everything is.
    pub directory: Reader,
    /// The client.
    pub front: Front,
}

impl Machine {
    /// A machine of these parts.
    pub fn new(parts: Parts) -> Self {
        Machine {
            face: parts.face,
            settings: Arc::new(parts.settings),
            pdp: parts.pdp,
            approvals: parts.approvals,
            audit: parts.audit,
            redactor: parts.redactor,
            directory: parts.directory,
            front: parts.front,
            gate: Gate::new(crate::limits::REQUESTS_IN_FLIGHT),
            flows: TaskTracker::new(),
            abort: CancellationToken::new(),
            numbers: Arc::default(),
            weights: weight::Weights::default(),
        }
    }

    /// How a request ends that was taken back or cut off. A client whose server goes away by itself is owed a word; one
    /// that leaves, or took the request back, is not.
    fn unanswered(&self) -> Answer {
        if !self.face.is_backend() || !self.abort.is_cancelled() {
            return Answer::Silence;
        }
        let error = ErrorObject::new(INTERNAL_ERROR, "the session has ended; the outcome is unknown");
        Answer::Error(error.text("origin", "gate").text("outcome", "unknown").into_bytes())
    }

    /// The next number; unique in this process.
    pub fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }
}
