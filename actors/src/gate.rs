//! Bounded by permits: actors' mailboxes are unbounded, so a request needs a permit before it may be sent to one and
//! carries it until it is finished.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A number of places. Cheap to clone; clones share the places.
#[derive(Clone, Debug)]
pub struct Gate {
    places: Arc<Semaphore>,
}

/// One place, free again when dropped. It travels inside the message, so that a crash frees it too: never take it
/// out and keep it elsewhere.
#[derive(Debug)]
pub struct Permit {
    _place: OwnedSemaphorePermit,
}

/// Every place is taken. The answer is "busy" now, never waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("busy: every place is taken")]
pub struct Busy;

impl Gate {
    /// A gate with `places` places.
    pub fn new(places: usize) -> Self {
        Gate { places: Arc::new(Semaphore::new(places)) }
    }

    /// A place now, or [`Busy`].
    pub fn try_enter(&self) -> Result<Permit, Busy> {
        self.places.clone().try_acquire_owned().map(|place| Permit { _place: place }).map_err(|_| Busy)
    }

    /// A place as soon as one is free: only for pumps, whose waiting slows down the peer that floods.
    pub async fn enter(&self) -> Result<Permit, Busy> {
        self.places.clone().acquire_owned().await.map(|place| Permit { _place: place }).map_err(|_| Busy)
    }

    /// How many places are free.
    pub fn free(&self) -> usize {
        self.places.available_permits()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_gate_refuses_and_a_dropped_permit_frees_its_place() {
        let gate = Gate::new(2);
        let (one, _two) = (gate.try_enter(), gate.try_enter());
        assert!(one.is_ok());
        assert_eq!(gate.try_enter().err(), Some(Busy));
        drop(one);
        assert!(gate.try_enter().is_ok());
    }
}
