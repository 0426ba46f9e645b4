//! Exactly one ending per request: a reply, an error, or silence for a cancelled one.
//!
//! A [`ReplySlot`] is made when a request is read and consumed by its ending. If whoever held it vanished (a panic,
//! an aborted task), `Drop` ends the request as lost, so that no client waits for ever.

use crate::wire::codes::{ErrorObject, INTERNAL_ERROR};
use crate::wire::write::Line;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// How a request ends.
#[derive(Debug)]
pub enum Answer {
    /// `result`, raw JSON.
    Result(Bytes),
    /// `error`, raw JSON.
    Error(Bytes),
    /// Nothing is sent: the client cancelled.
    Silence,
}

/// The requests of the client that have not ended, by the raw bytes of their ids.
#[derive(Clone, Debug, Default)]
pub struct InFlight {
    open: Arc<Mutex<BTreeMap<Bytes, Option<oneshot::Sender<()>>>>>,
}

impl InFlight {
    /// Notes a request. `None` when one with the same id is open.
    fn enter(&self, id: &Bytes) -> Option<oneshot::Receiver<()>> {
        let mut open = lock(&self.open);
        if open.contains_key(id) {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        open.insert(id.clone(), Some(sender));
        Some(receiver)
    }

    /// Tells the request with this id that the client took it back. Unknown and ended ids are nobody's.
    pub fn cancel(&self, id: &Bytes) {
        let sender = lock(&self.open).get_mut(id).and_then(Option::take);
        if let Some(sender) = sender {
            let _ = sender.send(());
        }
    }

    /// How many requests are open.
    pub fn len(&self) -> usize {
        lock(&self.open).len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The place of one answer. Dropping it unused ends the request as lost.
#[derive(Debug)]
pub struct ReplySlot {
    id: Bytes,
    in_flight: InFlight,
    place: Option<Place>,
}

#[derive(Debug)]
enum Place {
    /// A reserved place in the writer's queue: sending cannot fail for want of room.
    Line(mpsc::OwnedPermit<Line>),
    /// A part of a batch (MCP 2025-03-26).
    Batch(Arc<Batch>),
}

/// Why a request gets no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSlot {
    /// A request with the same id is open.
    Duplicate,
}

impl ReplySlot {
    /// A slot whose answer is one line, and the signal that the client took the request back.
    pub fn single(
        id: Bytes,
        in_flight: &InFlight,
        place: mpsc::OwnedPermit<Line>,
    ) -> Result<(Self, oneshot::Receiver<()>), NoSlot> {
        Self::with(id, in_flight, Place::Line(place))
    }

    /// A slot whose answer is a part of a batch.
    pub fn in_batch(
        id: Bytes,
        in_flight: &InFlight,
        batch: &Arc<Batch>,
    ) -> Result<(Self, oneshot::Receiver<()>), NoSlot> {
        Self::with(id, in_flight, Place::Batch(batch.clone()))
    }

    fn with(id: Bytes, in_flight: &InFlight, place: Place) -> Result<(Self, oneshot::Receiver<()>), NoSlot> {
        let cancelled = in_flight.enter(&id).ok_or(NoSlot::Duplicate)?;
        Ok((ReplySlot { id, in_flight: in_flight.clone(), place: Some(place) }, cancelled))
    }

    /// Ends the request.
    pub fn end(mut self, answer: Answer) {
        self.finish(answer);
    }

    fn finish(&mut self, answer: Answer) {
        let Some(place) = self.place.take() else { return };
        lock(&self.in_flight.open).remove(&self.id);
        let line = match answer {
            Answer::Result(result) => Line::result(&self.id, result),
            Answer::Error(error) => Line::error(&self.id, error),
            Answer::Silence => return,
        };
        match place {
            Place::Line(permit) => {
                permit.send(line);
            }
            Place::Batch(batch) => lock(&batch.answers).push(line.to_bytes()),
        }
    }
}

impl Drop for ReplySlot {
    fn drop(&mut self) {
        if self.place.is_some() {
            let error = ErrorObject::new(
                INTERNAL_ERROR,
                "the request was lost inside the gate; its outcome is unknown",
            )
            .text("outcome", "unknown")
            .flag("retryable", false);
            self.finish(Answer::Error(error.into_bytes()));
        }
    }
}

/// The answers of one batch, sent as one array once every slot has ended.
#[derive(Debug)]
pub struct Batch {
    answers: Mutex<Vec<Bytes>>,
    place: Mutex<Option<mpsc::OwnedPermit<Line>>>,
}

impl Batch {
    /// A batch that answers through `place`.
    pub fn new(place: mpsc::OwnedPermit<Line>) -> Arc<Self> {
        Arc::new(Batch { answers: Mutex::default(), place: Mutex::new(Some(place)) })
    }

    /// Adds the answer to a part that never became a request.
    pub fn add(&self, line: &Line) {
        lock(&self.answers).push(line.to_bytes());
    }
}

impl Drop for Batch {
    /// The last slot holds the last reference, so this runs when every part has ended.
    fn drop(&mut self) {
        let answers = std::mem::take(&mut *lock(&self.answers));
        let Some(place) = lock(&self.place).take() else { return };
        if answers.is_empty() {
            return;
        }
        let body: Bytes = answers.join(&b","[..]).into();
        place.send(Line { head: b"[".to_vec(), body, tail: b"]" });
    }
}

/// A poisoned lock only means that a panic happened elsewhere; the maps are valid at every step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: Option<Line>) -> String {
        line.map(|line| String::from_utf8_lossy(&line.to_bytes()).into_owned()).unwrap_or_default()
    }

    async fn place(sender: &mpsc::Sender<Line>) -> mpsc::OwnedPermit<Line> {
        sender.clone().reserve_owned().await.expect("a free place")
    }

    #[tokio::test]
    async fn a_dropped_slot_ends_its_request_as_lost() {
        let (sender, mut lines) = mpsc::channel(4);
        let in_flight = InFlight::default();
        let (slot, _) = ReplySlot::single(Bytes::from_static(b"\"a\""), &in_flight, place(&sender).await)
            .expect("a slot");
        drop(slot);
        let line = text(lines.recv().await);
        assert!(line.contains(r#""id":"a""#) && line.contains("outcome is unknown"), "{line}");
        assert!(in_flight.is_empty());
    }

    #[tokio::test]
    async fn ids_are_compared_with_their_type_and_cancelled_once() {
        let (sender, mut lines) = mpsc::channel(4);
        let in_flight = InFlight::default();
        let one = Bytes::from_static(b"1");
        let (slot, cancelled) =
            ReplySlot::single(one.clone(), &in_flight, place(&sender).await).expect("a slot");
        assert!(ReplySlot::single(one.clone(), &in_flight, place(&sender).await).is_err());
        assert!(ReplySlot::single(Bytes::from_static(b"\"1\""), &in_flight, place(&sender).await).is_ok());
        in_flight.cancel(&one);
        in_flight.cancel(&one);
        assert_eq!(cancelled.await, Ok(()));
        slot.end(Answer::Silence);
        assert!(text(lines.recv().await).contains(r#""id":"1""#));
        assert!(lines.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_batch_is_answered_by_one_array() {
        let (sender, mut lines) = mpsc::channel(4);
        let in_flight = InFlight::default();
        let batch = Batch::new(place(&sender).await);
        let (one, _) = ReplySlot::in_batch(Bytes::from_static(b"1"), &in_flight, &batch).expect("a slot");
        let (two, _) = ReplySlot::in_batch(Bytes::from_static(b"2"), &in_flight, &batch).expect("a slot");
        drop(batch);
        two.end(Answer::Result(Bytes::from_static(b"{}")));
        assert!(lines.try_recv().is_err());
        one.end(Answer::Silence);
        assert_eq!(text(lines.recv().await), r#"[{"jsonrpc":"2.0","id":2,"result":{}}]"#);
    }
}
