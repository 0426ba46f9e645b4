//! One backend as flows see it: forward a request, take it back, tell it something.
//!
//! A handle belongs to one incarnation of the backend (one child process, one HTTP session). When that ends, every
//! open request is answered with what became of it, and the next incarnation has a handle of its own.

mod actor;
pub mod catalogue;
mod flood;
mod handshake;
mod link;
mod pending;
mod stderr;

pub use actor::{Backend, BackendMessage, Report, Start};
pub use handshake::{VERSIONS, known_version};
pub use link::LinkSettings;

use crate::gate::{Gate, Permit};
use crate::limits::BACKEND_IN_FLIGHT;
use crate::seat::AskError;
use crate::wire::envelope::Body;
use bytes::Bytes;
use ractor::ActorRef;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Reaches one incarnation of one backend.
#[derive(Clone)]
pub struct BackendHandle {
    /// The backend's id.
    pub id: Arc<str>,
    /// Counts the incarnations of this backend.
    pub generation: u64,
    actor: ActorRef<BackendMessage>,
    gate: Gate,
    waits_for_client: Arc<AtomicUsize>,
}

/// A request on its way to a backend.
pub struct Forward {
    /// Names the request in [`BackendHandle::cancel`]; unique in this process.
    pub number: u64,
    /// The JSON-RPC method.
    pub method: Cow<'static, str>,
    /// Raw JSON.
    pub params: Option<Bytes>,
    /// The client's progress token and where it stands in `params`.
    pub progress: Option<ProgressToken>,
    /// Notes signs of progress.
    pub activity: Activity,
    /// Where the answer goes.
    pub reply: ReplyPort,
    permit: Permit,
}

/// A progress token of the client.
#[derive(Clone, Debug)]
pub struct ProgressToken {
    /// Where it stands in `params`.
    pub span: Range<usize>,
    /// Its raw JSON.
    pub raw: Bytes,
}

/// When a request last showed a sign of life, in milliseconds since its start.
#[derive(Clone, Debug)]
pub struct Activity {
    begun: Instant,
    last_ms: Arc<AtomicU64>,
}

impl Default for Activity {
    fn default() -> Self {
        Activity { begun: Instant::now(), last_ms: Arc::default() }
    }
}

impl Activity {
    /// A sign of life, now.
    pub fn note(&self) {
        let ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(ms, Ordering::Relaxed);
    }

    /// The last sign of life; the start when there was none.
    pub fn last(&self) -> Instant {
        self.begun + std::time::Duration::from_millis(self.last_ms.load(Ordering::Relaxed))
    }

    /// The start.
    pub fn begun(&self) -> Instant {
        self.begun
    }
}

/// Why a request has no answer, and what that says of its execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// It provably never reached the backend: it may be sent again.
    NotSent(String),
    /// The backend refused it before acting on it (HTTP 4xx): sending it again would be refused again.
    Refused(String),
    /// It left, and the backend is gone with it: nobody knows whether it ran.
    Unknown(String),
    /// It left, and this backend, which goes on, has no readable answer to it: nobody knows whether it ran.
    Failed(String),
    /// It never left: the backend takes no more now.
    Busy,
}

/// Where the answer to a forwarded request goes. Dropped unused it says what it knows: a request that was never
/// begun did not leave.
pub struct ReplyPort {
    sender: Option<oneshot::Sender<Result<Body, Lost>>>,
    begun: bool,
}

impl ReplyPort {
    fn new() -> (Self, oneshot::Receiver<Result<Body, Lost>>) {
        let (sender, receiver) = oneshot::channel();
        (ReplyPort { sender: Some(sender), begun: false }, receiver)
    }

    /// The request is about to leave.
    fn begin(&mut self) {
        self.begun = true;
    }

    fn send(mut self, answer: Result<Body, Lost>) {
        if let Some(sender) = self.sender.take() {
            let _ = sender.send(answer);
        }
    }

    /// Whether nobody waits any more.
    fn is_abandoned(&self) -> bool {
        self.sender.as_ref().is_none_or(oneshot::Sender::is_closed)
    }
}

impl Drop for ReplyPort {
    fn drop(&mut self) {
        if let Some(sender) = self.sender.take() {
            let why = "the backend went away".to_owned();
            let _ = sender.send(Err(if self.begun { Lost::Unknown(why) } else { Lost::NotSent(why) }));
        }
    }
}

impl BackendHandle {
    /// Sends a request. The receiver gives its answer, or what became of it.
    pub fn forward(
        &self,
        number: u64,
        method: impl Into<Cow<'static, str>>,
        params: Option<Bytes>,
        progress: Option<ProgressToken>,
        activity: Activity,
    ) -> Result<oneshot::Receiver<Result<Body, Lost>>, AskError> {
        let permit = self.gate.try_enter()?;
        let (reply, answer) = ReplyPort::new();
        let method = method.into();
        let forward = Forward { number, method, params, progress, activity, reply, permit };
        self.tell(BackendMessage::Forward(Box::new(forward)))?;
        Ok(answer)
    }

    /// Takes a request back: the backend is told, a late answer is dropped.
    pub fn cancel(&self, number: u64, reason: &'static str) {
        let _ = self.tell(BackendMessage::Cancel { number, reason });
    }

    /// A request got no answer in time.
    pub fn timed_out(&self, number: u64) {
        let _ = self.tell(BackendMessage::TimedOut { number });
    }

    /// Sends a notification. Nobody learns whether it arrived.
    pub fn notify(&self, method: impl Into<Cow<'static, str>>, params: Option<Bytes>) {
        let _ = self.tell(BackendMessage::Notify { method: method.into(), params });
    }

    /// The client's side has ended: nothing more will be sent, and the backend may finish what it has.
    pub fn end_input(&self) {
        let _ = self.tell(BackendMessage::InputEnded);
    }

    /// How many requests it has and has not answered.
    pub fn open_requests(&self) -> usize {
        BACKEND_IN_FLIGHT - self.gate.free()
    }

    /// Whether the backend waits for the client's answer to a question of its own, which may take a person's time.
    pub fn waits_for_client(&self) -> bool {
        self.waits_for_client.load(Ordering::Relaxed) > 0
    }

    fn tell(&self, message: BackendMessage) -> Result<(), AskError> {
        self.actor.send_message(message).map_err(|_| AskError::Gone)
    }
}
