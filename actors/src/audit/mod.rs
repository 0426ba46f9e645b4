//! The audit writer as flows see it: an intent before a call leaves, one ending after it.

mod actor;

pub use actor::{Audit, AuditMessage};

use crate::gate::{Gate, Permit};
use crate::limits::{RECORD_DEADLINE, RECORDS_IN_FLIGHT};
use crate::ports::{Ending, Record, RecordError};
use crate::seat::{AskError, Seat};
use crate::workers::Threads;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Makes a journal: once at the start, and again when the audit actor had to be replaced.
pub type OpenJournal = Arc<dyn Fn() -> Box<dyn Record> + Send + Sync>;

/// Asks the audit actor.
#[derive(Clone)]
pub struct AuditHandle {
    seat: Seat<AuditMessage>,
    gate: Gate,
}

impl AuditHandle {
    /// A handle and what the supervisor needs to start (and start again) the actor behind it.
    pub fn new(open: OpenJournal, threads: &Threads) -> (Self, Audit) {
        let handle = AuditHandle { seat: Seat::default(), gate: Gate::new(RECORDS_IN_FLIGHT) };
        let seat = handle.seat.clone();
        (handle, Audit::new(seat, open, threads))
    }

    /// Records that a call is about to leave, as the ending it has should nothing more be heard of it. An error shuts the
    /// gate for it: no record, no call.
    pub async fn intent(&self, intent: Ending) -> Result<(), RecordError> {
        self.ask(|permit, reply| AuditMessage::Intent { intent: Box::new(intent), permit, reply }).await
    }

    /// Records how a call ended.
    pub async fn ending(&self, ending: Ending) -> Result<(), RecordError> {
        self.ask(|permit, reply| AuditMessage::Ending { ending: Box::new(ending), permit, reply }).await
    }

    /// Closes the journal at the end of the process.
    pub async fn close(&self) -> Result<(), RecordError> {
        self.ask(|permit, reply| AuditMessage::Close { permit, reply }).await
    }

    async fn ask(
        &self,
        message: impl FnOnce(Permit, oneshot::Sender<Result<(), RecordError>>) -> AuditMessage,
    ) -> Result<(), RecordError> {
        let no_record = |error: AskError| RecordError(format!("the audit writer gives no answer: {error}"));
        let permit = self.gate.try_enter().map_err(|busy| no_record(busy.into()))?;
        let (reply, written) = oneshot::channel();
        self.seat.tell(message(permit, reply)).map_err(no_record)?;
        match tokio::time::timeout(RECORD_DEADLINE, written).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(no_record(AskError::Gone)),
            Err(_) => Err(no_record(AskError::Deadline)),
        }
    }
}
