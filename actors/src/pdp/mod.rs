//! The policy decision point as flows see it: one question, one decision, by a deadline.

mod actor;

pub use actor::{Pdp, PdpMessage};

use crate::call::Call;
use crate::gate::Gate;
use crate::limits::{DECISION_GRACE, DECISION_THREADS, DECISIONS_IN_FLIGHT};
use crate::ports::{Decide, Decision};
use crate::seat::{AskError, Seat};
use crate::workers::Workers;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::oneshot;

/// Asks the PDP actor.
#[derive(Clone)]
pub struct PdpHandle {
    seat: Seat<PdpMessage>,
    gate: Gate,
}

impl PdpHandle {
    /// A handle and what the supervisor needs to start (and start again) the actor behind it.
    pub fn new(decide: Arc<dyn Decide>) -> (Self, Pdp) {
        let handle = PdpHandle { seat: Seat::default(), gate: Gate::new(DECISIONS_IN_FLIGHT) };
        // One waiting job per thread: a question that finds every thread taken is busy, not late.
        let workers = Workers::new("decide", DECISION_THREADS, DECISIONS_IN_FLIGHT);
        let seat = handle.seat.clone();
        (handle, Pdp { seat, decide, workers })
    }

    /// The decision on `call`. An error means that there is none, and the gate is shut.
    pub async fn decide(&self, call: &Arc<Call>, deadline: Instant) -> Result<Decision, AskError> {
        let permit = self.gate.try_enter()?;
        let (reply, decision) = oneshot::channel();
        self.seat.tell(PdpMessage::Decide { call: call.clone(), deadline, reply, permit })?;
        match tokio::time::timeout_at((deadline + DECISION_GRACE).into(), decision).await {
            Ok(Ok(decision)) => Ok(decision),
            Ok(Err(_)) => Err(AskError::Gone),
            Err(_) => Err(AskError::Deadline),
        }
    }
}
