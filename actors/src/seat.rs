//! The place of a supervised actor: whoever holds the seat's handle reaches the actor that sits there now.
//!
//! References to a dead actor stay dead for ever, so nobody keeps one: they keep the seat, and the supervisor seats
//! the successor.

use arc_swap::ArcSwapOption;
use ractor::{ActorRef, Message};
use std::sync::Arc;

/// Where an actor that takes `M` sits. Cheap to clone; clones share the seat.
pub struct Seat<M> {
    actor: Arc<ArcSwapOption<ActorRef<M>>>,
}

impl<M> Clone for Seat<M> {
    fn clone(&self) -> Self {
        Seat { actor: self.actor.clone() }
    }
}

impl<M> Default for Seat<M> {
    fn default() -> Self {
        Seat { actor: Arc::default() }
    }
}

impl<M: Message> Seat<M> {
    /// Seats the actor that takes the messages from now on.
    pub fn take(&self, actor: ActorRef<M>) {
        self.actor.store(Some(Arc::new(actor)));
    }

    /// Tells the actor; never waits. [`AskError::Gone`] when nobody sits here or the actor has ended.
    pub fn tell(&self, message: M) -> Result<(), AskError> {
        match &*self.actor.load() {
            Some(actor) => actor.send_message(message).map_err(|_| AskError::Gone),
            None => Err(AskError::Gone),
        }
    }
}

/// Why an ask brought no answer. Three causes, three meanings for whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// No place was free: nothing was asked.
    #[error("busy")]
    Busy,
    /// The actor is not there, or ended with the question.
    #[error("gone")]
    Gone,
    /// No answer in time.
    #[error("no answer in time")]
    Deadline,
}

impl From<crate::gate::Busy> for AskError {
    fn from(_: crate::gate::Busy) -> Self {
        AskError::Busy
    }
}
