//! The PDP actor: hands each question to the engine, where the messages move when it is quick, on a thread when not.
//!
//! A panic of the engine ends this actor; the questions that were with it are answered by their dropped reply ports,
//! which is no decision, and the supervisor seats a new actor.

use crate::call::Call;
use crate::gate::Permit;
use crate::ports::{Decide, Decision};
use crate::seat::Seat;
use crate::workers::Workers;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::oneshot;

/// What the PDP actor is told.
pub enum PdpMessage {
    /// Decide this call.
    Decide {
        /// The call.
        call: Arc<Call>,
        /// When nobody waits any more.
        deadline: Instant,
        /// Where the decision goes; dropped when there is none.
        reply: oneshot::Sender<Decision>,
        /// The question's place.
        permit: Permit,
    },
    /// Get ready for the first question.
    Warm,
}

/// The actor; cloned for each start.
#[derive(Clone)]
pub struct Pdp {
    pub(super) seat: Seat<PdpMessage>,
    pub(super) decide: Arc<dyn Decide>,
    pub(super) workers: Workers,
}

impl Actor for Pdp {
    type Msg = PdpMessage;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<PdpMessage>, (): ()) -> Result<(), ActorProcessingErr> {
        self.seat.take(myself);
        Ok(())
    }

    async fn handle(
        &self,
        _myself: ActorRef<PdpMessage>,
        message: PdpMessage,
        _state: &mut (),
    ) -> Result<(), ActorProcessingErr> {
        let decide = self.decide.clone();
        let PdpMessage::Decide { call, deadline, reply, permit } = message else {
            // Without a thread the first question does the work.
            let _ = self.workers.start(move || decide.warm());
            return Ok(());
        };
        if reply.is_closed() {
            return Ok(());
        }
        let is_quick = decide.is_quick(&call);
        let job = move || {
            let decision = decide.decide(&call, deadline);
            drop(permit);
            // Whoever asked may have stopped waiting; then nobody needs the decision.
            let _ = reply.send(decision);
        };
        if is_quick {
            job();
        } else if self.workers.start(job).is_err() {
            tracing::warn!("no thread is free to ask the decision service; the call is refused");
        }
        Ok(())
    }
}
