//! The session with the client over one pair of streams (MCP stdio transport, 2024-11-05 to 2025-11-25): reads lines,
//! answers at once what it can answer by itself, and starts one flow for everything else.

mod opening;
mod passing;

pub use opening::Identity;

use crate::backend::catalogue::List;
use crate::directory::State;
use crate::flow::call::CallRequest;
use crate::flow::{self, Machine};
use crate::limits::MAX_ID_BYTES;
use crate::ports::Launch;
use crate::reply::{Answer, Batch, InFlight, ReplySlot};
use crate::supervisor::SupervisorHandle;
use crate::wire::codes::{ErrorObject, INTERNAL_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND};
use crate::wire::envelope::{self, Message, Refusal};
use crate::wire::frame::{Frame, Framer};
use crate::wire::skim;
use crate::wire::write::Line;
use bytes::Bytes;
use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{mpsc, oneshot};

/// How much is read from the client at once.
const READ_BYTES: usize = 64 * 1024;
/// The only version with batches.
const BATCH_VERSION: &str = "2025-03-26";

/// What a session needs.
pub struct Session {
    /// Everything flows can reach.
    pub machine: Machine,
    /// Starts the backends.
    pub supervisor: SupervisorHandle,
    /// What backends offered last time.
    pub launch: Arc<dyn Launch>,
    /// The backends' ids.
    pub ids: Vec<Arc<str>>,
    /// Who we are.
    pub identity: Identity,
    /// Where answers go.
    pub out: mpsc::Sender<Line>,
    /// The open requests.
    pub in_flight: InFlight,
    /// Longest line.
    pub max_line: usize,
}

/// Where the answer to a request goes: a line of its own or a part of a batch.
enum Route<'a> {
    Line,
    Batch(&'a Arc<Batch>),
}

/// The writer is gone: the client does not read any more.
struct NoClient;

impl Session {
    /// Reads the client's lines to their end. Returns when the input ended or the client is gone.
    pub async fn run(&self, mut input: impl AsyncRead + Unpin) -> io::Result<()> {
        let mut framer = Framer::new(self.max_line);
        loop {
            let read = input.read_buf(framer.spare(READ_BYTES)).await?;
            let ended = read == 0;
            while let Some(frame) = framer.next_frame().or_else(|| if ended { framer.rest() } else { None }) {
                if self.frame(frame).await.is_err() {
                    return Ok(());
                }
            }
            if ended {
                return Ok(());
            }
        }
    }

    async fn frame(&self, frame: Frame) -> Result<(), NoClient> {
        match frame {
            Frame::Line(line) => match envelope::read_client(&line) {
                Ok(envelope::Line::Single(message)) => self.message(message, &Route::Line).await,
                Ok(envelope::Line::Batch(parts)) => self.batch(parts).await,
                Err(refusal) => self.refuse(&refusal).await,
            },
            Frame::TooLong { prefix, len } => {
                let message =
                    format!("the message has {len} bytes, more than the limit of {}", self.max_line);
                let id = skim::member(&prefix, "id")
                    .map(|range| prefix.slice(range))
                    .filter(|id| envelope::is_id(id));
                let id = id.or_else(|| leading_id(&prefix)).unwrap_or(Bytes::from_static(b"null"));
                self.refuse(&Refusal { is_call: begins_a_call(&prefix), ..refusal(id, message) }).await
            }
        }
    }

    async fn batch(&self, parts: Vec<Result<Message, Refusal>>) -> Result<(), NoClient> {
        let is_known =
            self.machine.front.client().is_some_and(|client| client.protocol_version == BATCH_VERSION);
        if !is_known {
            for _ in parts.iter().filter(|part| is_call(part)) {
                self.record_malformed();
            }
            let message = format!("batches are part of protocol version {BATCH_VERSION} only");
            return self.refuse(&refusal(Bytes::from_static(b"null"), message)).await;
        }
        let batch = Batch::new(self.place().await?);
        for part in parts {
            match part {
                Ok(Message::Request { id, method, .. }) if method == "initialize" => {
                    let error = ErrorObject::new(INVALID_REQUEST, "initialize must not be part of a batch");
                    batch.add(&Line::error(&id, error.into_bytes()));
                }
                Ok(message) => self.message(message, &Route::Batch(&batch)).await?,
                Err(refusal) => batch.add(&refused(&refusal)),
            }
        }
        Ok(())
    }

    async fn message(&self, message: Message, route: &Route<'_>) -> Result<(), NoClient> {
        match message {
            Message::Request { id, method, params } => self.request(id, &method, params, route).await,
            Message::Notification { method, params } => {
                self.notification(&method, params);
                Ok(())
            }
            Message::Response { id, body } => {
                match envelope::our_id(&id) {
                    Some(id) => self.machine.front.answered(id, body),
                    None => tracing::debug!("the client answered a request that was never made"),
                }
                Ok(())
            }
        }
    }

    fn notification(&self, method: &str, params: Option<Bytes>) {
        match method {
            "notifications/initialized" => {
                self.machine.front.initialized();
                if self.machine.face.is_backend() {
                    self.tell_backends("notifications/initialized", &params);
                }
            }
            "notifications/cancelled" => {
                let id =
                    params.as_ref().and_then(|params| Some(params.slice(skim::member(params, "requestId")?)));
                if let Some(id) = id {
                    self.in_flight.cancel(&id);
                }
            }
            "notifications/progress" => {
                if let Some(params) = params {
                    self.machine.front.progressed(&params);
                }
            }
            "notifications/roots/list_changed" => {
                self.tell_backends("notifications/roots/list_changed", &params);
            }
            // Without an id there is nobody to answer to: it is never executed, and it has its row.
            "tools/call" => self.record_malformed(),
            _ if self.machine.face.is_backend() && !passing::reads_like_a_call(method) => {
                self.tell_backends(method.to_owned(), &params);
            }
            // A request without an id is a notification, and one of ours: it is never executed.
            _ => tracing::debug!(
                method = method.escape_debug().to_string(),
                "an unknown notification was ignored"
            ),
        }
    }

    fn tell_backends(&self, method: impl Into<Cow<'static, str>>, params: &Option<Bytes>) {
        let method = method.into();
        let directory = self.machine.directory.borrow().clone();
        for standing in &directory.standings {
            if let State::Up(handle) = &standing.state {
                handle.notify(method.clone(), params.clone());
            }
        }
    }

    async fn request(
        &self,
        id: Bytes,
        method: &str,
        params: Option<Bytes>,
        route: &Route<'_>,
    ) -> Result<(), NoClient> {
        let made = match route {
            Route::Line => ReplySlot::single(id.clone(), &self.in_flight, self.place().await?),
            Route::Batch(batch) => ReplySlot::in_batch(id.clone(), &self.in_flight, batch),
        };
        let Ok((slot, cancelled)) = made else {
            let message = "a request with this id is open already".to_owned();
            let refusal = Refusal { is_call: method == "tools/call", ..refusal(id, message) };
            return self.refuse(&refusal).await;
        };
        self.dispatch(method, params, slot, cancelled);
        Ok(())
    }

    fn dispatch(
        &self,
        method: &str,
        params: Option<Bytes>,
        slot: ReplySlot,
        cancelled: oneshot::Receiver<()>,
    ) {
        let is_open = self.machine.front.is_open();
        if self.machine.face.is_backend() && method != "tools/call" {
            return self.pass(method, params, slot, cancelled);
        }
        match method {
            "initialize" => self.initialize(params, slot),
            "ping" => slot.end(Answer::Result(Bytes::from_static(b"{}"))),
            _ if !is_known(method) => {
                let error = ErrorObject::new(METHOD_NOT_FOUND, format!("unknown method {method:?}"));
                slot.end(Answer::Error(error.into_bytes()));
            }
            _ if !is_open => {
                let error =
                    ErrorObject::new(INVALID_REQUEST, "the session is not open: send initialize first");
                if method == "tools/call" {
                    self.record_malformed();
                }
                slot.end(Answer::Error(error.into_bytes()));
            }
            _ => self.start_flow(method, params, slot, cancelled),
        }
    }

    fn start_flow(
        &self,
        method: &str,
        params: Option<Bytes>,
        slot: ReplySlot,
        cancelled: oneshot::Receiver<()>,
    ) {
        let machine = self.machine.clone();
        let flows = machine.flows.clone();
        let Ok(permit) = machine.gate.try_enter() else {
            let error = busy();
            if method == "tools/call" {
                flows.spawn(flow::call::refuse(machine, params, error, slot));
                return;
            }
            return slot.end(Answer::Error(error));
        };
        if method == "tools/call" {
            flows.spawn(flow::call::call(machine, CallRequest { params, slot, cancelled, permit }));
            return;
        }
        if let Some(list) = List::ALL.into_iter().find(|list| list.method() == method) {
            flows.spawn(async move {
                let answer = flow::lists::list(&machine, list, params);
                flow::relay::answer_with(&machine, slot, cancelled, answer).await;
                drop(permit);
                // The client reads and its model thinks now; the first call is a while away.
                machine.pdp.warm();
            });
            return;
        }
        if let Some(method) = RELAYED.into_iter().find(|relayed| *relayed == method) {
            flows.spawn(async move {
                flow::relay::run(machine, method, params, slot, cancelled).await;
                drop(permit);
            });
        }
    }

    /// A `tools/call` that cannot be read, or must not be, has its row like any other.
    fn record_malformed(&self) {
        self.machine.flows.spawn(flow::call::record_malformed(self.machine.clone()));
    }

    async fn refuse(&self, refusal: &Refusal) -> Result<(), NoClient> {
        if refusal.is_response {
            // Whoever asked the client must not wait for an answer that came and cannot be read.
            if let Some(id) = envelope::our_id(&refusal.id) {
                let error =
                    ErrorObject::new(INTERNAL_ERROR, "the client's answer cannot be read").into_bytes();
                self.machine.front.answered(id, envelope::Body::Error(error));
            }
            return Ok(());
        }
        if refusal.is_call {
            self.record_malformed();
        }
        self.place().await?.send(refused(refusal));
        Ok(())
    }

    /// A place in the writer's queue. Waiting here stops reading: a client that does not read is not read from.
    async fn place(&self) -> Result<mpsc::OwnedPermit<Line>, NoClient> {
        self.out.clone().reserve_owned().await.map_err(|_| NoClient)
    }
}

/// Methods that go to backends besides `tools/call` and the lists.
const RELAYED: [&str; 6] = [
    "prompts/get",
    "resources/read",
    "resources/subscribe",
    "resources/unsubscribe",
    "completion/complete",
    "logging/setLevel",
];

fn is_known(method: &str) -> bool {
    method == "tools/call"
        || RELAYED.contains(&method)
        || List::ALL.iter().any(|list| list.method() == method)
}

/// The answer to a request that finds no place.
fn busy() -> Bytes {
    let error = ErrorObject::new(INTERNAL_ERROR, "busy: too many requests are open; try again");
    error.text("outcome", "not_forwarded").flag("retryable", true).into_bytes()
}

fn refusal(id: Bytes, message: String) -> Refusal {
    Refusal { id, code: INVALID_REQUEST, message, is_response: false, is_call: false }
}

fn refused(refusal: &Refusal) -> Line {
    Line::error(&refusal.id, ErrorObject::new(refusal.code, &refusal.message).into_bytes())
}

/// Whether a part of a batch was meant to be a call.
fn is_call(part: &Result<Message, Refusal>) -> bool {
    match part {
        Ok(Message::Request { method, .. } | Message::Notification { method, .. }) => method == "tools/call",
        Ok(Message::Response { .. }) => false,
        Err(refusal) => refusal.is_call,
    }
}

/// Whether the cut beginning of a message names `tools/call` as its method: before `params` only, since a nested one is
/// none.
fn begins_a_call(prefix: &Bytes) -> bool {
    let before_params = memchr::memmem::find(prefix, b"\"params\"").unwrap_or(prefix.len());
    let Some(at) = memchr::memmem::find(&prefix[..before_params], b"\"method\"") else { return false };
    let rest = prefix[at + b"\"method\"".len()..before_params].trim_ascii_start();
    rest.strip_prefix(b":").is_some_and(|rest| rest.trim_ascii_start().starts_with(b"\"tools/call\""))
}

/// The id in the cut beginning of a message: members before `params` only, since a nested one is none.
fn leading_id(prefix: &Bytes) -> Option<Bytes> {
    let before_params = memchr::memmem::find(prefix, b"\"params\"").unwrap_or(prefix.len());
    let at = memchr::memmem::find(&prefix[..before_params], b"\"id\":")? + 5;
    let end = prefix[at..].iter().position(|b| matches!(b, b',' | b'}')).map(|len| at + len)?;
    let id = prefix.slice(at..end);
    let id = id.slice_ref(id.trim_ascii());
    (envelope::is_id(&id) && id.len() <= MAX_ID_BYTES).then_some(id)
}
