//! The supervisor: starts every backend, starts again what ended, and publishes the directory.

mod actor;
pub mod restart;
mod slot;

pub use actor::{Begin, Supervisor, SupervisorMessage, SupervisorSettings};

use crate::seat::{AskError, Seat};
use tokio::sync::oneshot;

/// Reaches the supervisor.
#[derive(Clone, Default)]
pub struct SupervisorHandle {
    seat: Seat<SupervisorMessage>,
}

impl SupervisorHandle {
    /// The session was opened: start the backends.
    pub fn begin(&self, begin: Begin) -> Result<(), AskError> {
        self.seat.tell(SupervisorMessage::Begin(Box::new(begin)))
    }

    /// Stops every backend; the receiver fires when each has been told.
    pub fn stop_backends(&self) -> Result<oneshot::Receiver<()>, AskError> {
        let (reply, told) = oneshot::channel();
        self.seat.tell(SupervisorMessage::StopBackends { reply })?;
        Ok(told)
    }
}
