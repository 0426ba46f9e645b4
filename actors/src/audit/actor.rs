//! The audit actor: owns the journal, writes endings in groups, and has the disk waited for elsewhere.
//!
//! An intent or ending is put aside and one `WriteDue` is sent to itself; every one that was already in the mailbox comes
//! before it, so under load many leave in one write and a single one waits for nothing. Where everything must be
//! on the disk first, one thread waits for the disk, and what is written meanwhile shares the next wait.

use super::OpenJournal;
use crate::gate::Permit;
use crate::limits::TIDY_EVERY;
use crate::ports::{Durability, Ending, Flush, Record, RecordError};
use crate::seat::Seat;
use crate::workers::{Threads, Workers};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::time::Duration;
use tokio::sync::oneshot;

type Reply = oneshot::Sender<Result<(), RecordError>>;

/// What the audit actor is told.
pub enum AuditMessage {
    /// A call is about to leave.
    Intent {
        /// The ending it has should nothing more be heard of it.
        intent: Box<Ending>,
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
    /// The intents and endings put aside are to be written now.
    WriteDue,
    /// What was written is to be brought to the disk now.
    FlushDue,
    /// The disk has what was written before, or not.
    Flushed(Result<(), RecordError>),
    /// Some time has passed since something was written.
    TidyDue,
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
    seat: Seat<AuditMessage>,
    open: OpenJournal,
    /// One thread that waits for the disk, and one job in front of it should its predecessor's still run.
    disk: Workers,
}

impl Audit {
    pub(super) fn new(seat: Seat<AuditMessage>, open: OpenJournal, threads: &Threads) -> Self {
        Audit { seat, open, disk: threads.workers("journal-disk", 1, 1) }
    }
}

/// The journal and what waits to be written.
pub struct Writing {
    journal: Box<dyn Record>,
    durability: Durability,
    intents: Batch,
    endings: Batch,
    write_is_due: bool,
    /// Written, and not on the disk yet; only where that is waited for.
    unflushed: Waiting,
    /// What the thread waits for the disk for.
    flushing: Option<Waiting>,
    flush_is_due: bool,
    tidy_is_due: bool,
}

/// Who waits, and the places of their questions.
type Waiting = Vec<(Reply, Permit)>;

/// What waits to be written together.
#[derive(Default)]
struct Batch {
    endings: Vec<Ending>,
    waiting: Waiting,
}

impl Batch {
    fn put(&mut self, ending: Ending, reply: Reply, permit: Permit) {
        self.endings.push(ending);
        self.waiting.push((reply, permit));
    }

    /// Who waits for what was written.
    fn take(&mut self) -> Waiting {
        self.endings.clear();
        std::mem::take(&mut self.waiting)
    }
}

impl Writing {
    /// Has what was put aside written behind everything that is in the mailbox already.
    fn have_written(&mut self, myself: &ActorRef<AuditMessage>) -> Result<(), ActorProcessingErr> {
        if !std::mem::replace(&mut self.write_is_due, true) {
            myself.send_message(AuditMessage::WriteDue)?;
        }
        Ok(())
    }
}

impl Actor for Audit {
    type Msg = AuditMessage;
    type State = Writing;
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<AuditMessage>, (): ()) -> Result<Writing, ActorProcessingErr> {
        let journal = (self.open)();
        self.seat.take(myself);
        Ok(Writing {
            durability: journal.durability(),
            journal,
            intents: Batch::default(),
            endings: Batch::default(),
            write_is_due: false,
            unflushed: Vec::new(),
            flushing: None,
            flush_is_due: false,
            tidy_is_due: false,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<AuditMessage>,
        message: AuditMessage,
        state: &mut Writing,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            AuditMessage::Intent { intent, permit, reply } => {
                state.intents.put(*intent, reply, permit);
                state.have_written(&myself)?;
            }
            AuditMessage::Ending { ending, permit, reply } => {
                state.endings.put(*ending, reply, permit);
                state.have_written(&myself)?;
            }
            AuditMessage::WriteDue => {
                state.write_is_due = false;
                self.write(&myself, state);
            }
            AuditMessage::FlushDue => {
                state.flush_is_due = false;
                self.flush(&myself, state);
            }
            AuditMessage::Flushed(result) => {
                answer(state.flushing.take().unwrap_or_default(), &result);
                if !state.unflushed.is_empty() {
                    self.flush(&myself, state);
                }
            }
            AuditMessage::TidyDue => {
                state.tidy_is_due = false;
                state.journal.tidy();
            }
            AuditMessage::Close { permit, reply } => {
                self.write(&myself, state);
                let result = state.journal.close();
                answer(std::mem::take(&mut state.unflushed), &result);
                drop(permit);
                let _ = reply.send(result);
            }
        }
        Ok(())
    }
}

impl Audit {
    fn write(&self, myself: &ActorRef<AuditMessage>, state: &mut Writing) {
        if !state.intents.endings.is_empty() {
            let result = state.journal.intents(&state.intents.endings);
            let waiting = state.intents.take();
            self.written(myself, state, result, waiting);
        }
        if !state.endings.endings.is_empty() {
            let result = state.journal.endings(&state.endings.endings);
            let waiting = state.endings.take();
            self.written(myself, state, result, waiting);
        }
    }

    /// Something was written: whoever waits is answered now or when the disk has it.
    fn written(
        &self,
        myself: &ActorRef<AuditMessage>,
        state: &mut Writing,
        result: Result<(), RecordError>,
        waiting: Waiting,
    ) {
        if !state.tidy_is_due {
            state.tidy_is_due = true;
            remind(myself, TIDY_EVERY, || AuditMessage::TidyDue);
        }
        match state.durability {
            Durability::Before if result.is_ok() => {
                state.unflushed.extend(waiting);
                if state.flushing.is_none() && !state.flush_is_due {
                    state.flush_is_due = true;
                    // Behind what is in the mailbox already: it shares the wait.
                    let _ = myself.send_message(AuditMessage::FlushDue);
                }
                return;
            }
            Durability::Within(limit) if !state.flush_is_due => {
                state.flush_is_due = true;
                remind(myself, limit, || AuditMessage::FlushDue);
            }
            _ => {}
        }
        answer(waiting, &result);
    }

    /// Has the disk waited for, unless that is going on: then everything written meanwhile comes with the next one.
    fn flush(&self, myself: &ActorRef<AuditMessage>, state: &mut Writing) {
        if state.flushing.is_some() {
            return;
        }
        let Some(flush) = state.journal.flush() else {
            return answer(std::mem::take(&mut state.unflushed), &Ok(()));
        };
        state.flushing = Some(std::mem::take(&mut state.unflushed));
        let news = News(Some(myself.clone()));
        if self.disk.start(move || news.tell(flush)).is_err() {
            let error = RecordError("no thread is free to wait for the disk of the audit file".into());
            answer(state.flushing.take().unwrap_or_default(), &Err(error));
        }
    }
}

/// Brings the news of the disk home, also from a thread that panicked.
struct News(Option<ActorRef<AuditMessage>>);

impl News {
    fn tell(mut self, flush: Flush) {
        let result = flush();
        if let Some(actor) = self.0.take() {
            let _ = actor.send_message(AuditMessage::Flushed(result));
        }
    }
}

impl Drop for News {
    fn drop(&mut self) {
        if let Some(actor) = self.0.take() {
            let lost = RecordError("waiting for the disk of the audit file failed".into());
            let _ = actor.send_message(AuditMessage::Flushed(Err(lost)));
        }
    }
}

fn answer(waiting: Waiting, result: &Result<(), RecordError>) {
    for (reply, permit) in waiting {
        drop(permit);
        let _ = reply.send(result.clone());
    }
}

/// Sends a message to the actor itself after a while; to a dead one it is lost.
fn remind(
    myself: &ActorRef<AuditMessage>,
    after: Duration,
    message: impl FnOnce() -> AuditMessage + Send + 'static,
) {
    drop(myself.send_after(after, message));
}
