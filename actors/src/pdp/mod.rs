//! The policy decision point as flows see it: one question, one decision, by a deadline.

mod actor;

pub use actor::{Pdp, PdpMessage};

use crate::call::Call;
use crate::gate::Gate;
use crate::limits::{DECISION_GRACE, DECISION_THREADS, DECISIONS_IN_FLIGHT};
use crate::ports::{Decide, Decision};
use crate::seat::{AskError, Seat};
use crate::workers::Threads;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tokio::sync::oneshot;

/// Asks the PDP actor.
#[derive(Clone)]
pub struct PdpHandle {
    seat: Seat<PdpMessage>,
    gate: Gate,
    is_warm: Arc<AtomicBool>,
}

impl PdpHandle {
    /// A handle and what the supervisor needs to start (and start again) the actor behind it.
    pub fn new(decide: Arc<dyn Decide>, threads: &Threads) -> (Self, Pdp) {
        let handle = PdpHandle {
            seat: Seat::default(),
            gate: Gate::new(DECISIONS_IN_FLIGHT),
            is_warm: Arc::default(),
        };
        // One waiting job per thread: a question that finds every thread taken is busy, not late.
        let workers = threads.workers("decide", DECISION_THREADS, DECISIONS_IN_FLIGHT);
        let seat = handle.seat.clone();
        (handle, Pdp { seat, decide, workers })
    }

    /// Has the engine get ready, the first time this is called. Waits for nothing.
    pub fn warm(&self) {
        if !self.is_warm.swap(true, Ordering::Relaxed) {
            // Without an actor there is nothing to get ready for; the first question does the work then.
            let _ = self.seat.tell(PdpMessage::Warm);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use ractor::Actor;
    use tokio::sync::mpsc;

    /// Tells of each call of `warm`.
    struct Told(mpsc::Sender<()>);

    impl Decide for Told {
        fn is_quick(&self, _: &Call) -> bool {
            true
        }

        fn decide(&self, _: &Call, _: Instant) -> Decision {
            unreachable!("nothing is asked")
        }

        fn warm(&self) {
            let _ = self.0.try_send(());
        }
    }

    #[tokio::test]
    async fn an_engine_is_warmed_once() {
        let (sender, mut told) = mpsc::channel(2);
        let (handle, actor) = PdpHandle::new(Arc::new(Told(sender)), &Threads::System);
        let (running, ended) = Actor::spawn(None, actor, ()).await.expect("an actor");
        handle.warm();
        assert_eq!(told.recv().await, Some(()));
        handle.warm();
        running.stop(None);
        ended.await.expect("an orderly end");
        drop((handle, running));
        assert!(told.try_recv().is_err(), "the second time is none");
    }
}
