//! The audit actor: owns the journal and writes endings in groups.
//!
//! An ending is put aside and one `WriteDue` is sent to itself; every ending that was already in the mailbox comes
//! before it, so under load many rows leave in one write and a single row waits for nothing.

use super::OpenJournal;
use crate::call::Call;
use crate::gate::Permit;
use crate::ports::{Ending, Record, RecordError};
use crate::seat::Seat;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::sync::Arc;
use tokio::sync::oneshot;

type Reply = oneshot::Sender<Result<(), RecordError>>;

/// What the audit actor is told.
pub enum AuditMessage {
    /// A call is about to leave.
    Intent {
        /// The call.
        call: Arc<Call>,
        /// The question's place.
        permit: Permit,
        /// Whether it may.
        reply: Reply,
    },
    /// A call has ended.
    Ending {
        /// How.
        ending: Box<Ending>,
        /// The question's place.
        permit: Permit,
        /// Whether it is written.
        reply: Reply,
    },
    /// The endings put aside are to be written now.
    WriteDue,
    /// Nothing more comes.
    Close {
        /// The question's place.
        permit: Permit,
        /// Whether everything is on the disk.
        reply: Reply,
    },
}

/// The actor; cloned for each start.
#[derive(Clone)]
pub struct Audit {
    pub(super) seat: Seat<AuditMessage>,
    pub(super) open: OpenJournal,
}

/// The journal and what waits to be written.
pub struct Writing {
    journal: Box<dyn Record>,
    endings: Vec<Ending>,
    replies: Vec<(Reply, Permit)>,
}

impl Actor for Audit {
    type Msg = AuditMessage;
    type State = Writing;
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<AuditMessage>, (): ()) -> Result<Writing, ActorProcessingErr> {
        let journal = (self.open)();
        self.seat.take(myself);
        Ok(Writing { journal, endings: Vec::new(), replies: Vec::new() })
    }

    async fn handle(
        &self,
        myself: ActorRef<AuditMessage>,
        message: AuditMessage,
        state: &mut Writing,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            AuditMessage::Intent { call, permit, reply } => {
                let result = state.journal.intent(&call);
                drop(permit);
                let _ = reply.send(result);
            }
            AuditMessage::Ending { ending, permit, reply } => {
                if state.endings.is_empty() {
                    myself.send_message(AuditMessage::WriteDue)?;
                }
                state.endings.push(*ending);
                state.replies.push((reply, permit));
            }
            AuditMessage::WriteDue => state.write(),
            AuditMessage::Close { permit, reply } => {
                state.write();
                let result = state.journal.close();
                drop(permit);
                let _ = reply.send(result);
            }
        }
        Ok(())
    }
}

impl Writing {
    fn write(&mut self) {
        if self.endings.is_empty() {
            return;
        }
        let result = self.journal.endings(&self.endings);
        self.endings.clear();
        for (reply, permit) in self.replies.drain(..) {
            drop(permit);
            let _ = reply.send(result.clone());
        }
    }
}
