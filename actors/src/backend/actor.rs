//! The backend actor: owns one incarnation of one backend, from its start to its end.
//!
//! ```text
//! Idle ─Start─▶ Opening ─initialize answered─▶ Accepting ─stream ready─▶ Listing ─lists read─▶ Ready
//!   any ─link closed, deadline, refusal, silence─▶ end: every open request learns what became of it
//! ```
//!
//! The actor never starts its backend again: it ends, and the supervisor decides.

mod asking;
mod opening;
mod over_http;
mod receiving;
mod sending;

use super::catalogue::{Catalogue, List};
use super::flood::Flood;
use super::handshake::Listing;
use super::link::{Kind, Link, LinkSettings};
use super::pending::Pending;
use super::{BackendHandle, Forward};
use crate::face::Face;
use crate::front::Front;
use crate::gate::{Gate, Permit};
use crate::http::Incoming;
use crate::limits::{BACKEND_IN_FLIGHT, START_DEADLINE};
use crate::ports::Launch;
use crate::process::StopGrace;
use crate::wire::envelope::Body;
use crate::wire::frame::Frame;
use crate::wire::write::Line;
use bytes::Bytes;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio_util::task::TaskTracker;

/// What a backend actor is told.
pub enum BackendMessage {
    /// Start the backend.
    Start,
    /// A line of the child's, with its place in the pump.
    Frame(Frame, Permit),
    /// Something came over HTTP, with its place in the pump.
    Http(Box<Incoming>, Permit),
    /// Nothing more will come.
    LinkClosed {
        /// Why.
        why: String,
    },
    /// Send this request.
    Forward(Box<Forward>),
    /// The client took a request back.
    Cancel {
        /// [`Forward::number`]
        number: u64,
        /// For the backend.
        reason: &'static str,
    },
    /// A request got no answer in time.
    TimedOut {
        /// [`Forward::number`]
        number: u64,
    },
    /// Send this notification.
    Notify {
        /// The JSON-RPC method.
        method: Cow<'static, str>,
        /// Raw JSON.
        params: Option<Bytes>,
    },
    /// Nothing more will be sent: end its input.
    InputEnded,
    /// The client answered a request of the backend's.
    ClientAnswered {
        /// The backend's own id, raw JSON.
        id: Bytes,
        /// The answer.
        body: Body,
    },
    /// Opening has taken too long.
    StartDeadlineDue,
    /// A page of a list was not answered in time.
    PageDue {
        /// Our id of the request.
        id: u64,
    },
    /// Lists that changed are to be read again.
    RefreshDue,
    /// Answers that a lost HTTP session still owes are not waited for any longer.
    DrainDue,
}

/// What a backend actor tells the supervisor.
#[derive(Clone, Debug)]
pub enum Report {
    /// The backend runs and takes what the client sends it; it has not been listed.
    Open,
    /// The backend is up.
    Ready(Arc<Catalogue>),
    /// Its lists changed.
    Changed(Arc<Catalogue>),
    /// It answered a request: it works.
    Worked,
}

/// What a backend actor needs.
#[derive(Clone)]
pub struct Start {
    /// The backend's id.
    pub id: Arc<str>,
    /// Whether other backends are configured besides: then its words carry its id.
    pub is_one_of_several: bool,
    /// Whether the client takes the machine for this backend.
    pub face: Face,
    /// How it is reached.
    pub launch: Arc<dyn Launch>,
    /// What it offered when it was last seen: kept while it cannot be listed.
    pub known: Option<Arc<Catalogue>>,
    /// What all links share.
    pub link: LinkSettings,
    /// The client's side.
    pub front: Front,
    /// Where reports go.
    pub report: Arc<dyn Fn(Report) + Send + Sync>,
    /// Where ending connections are waited for.
    pub closings: TaskTracker,
    /// How long each step of ending takes.
    pub grace: StopGrace,
}

/// The actor.
pub struct Backend;

impl Backend {
    /// A handle to the incarnation `generation` of the backend `id`, which `actor` is.
    pub fn handle(
        id: Arc<str>,
        generation: u64,
        actor: ActorRef<BackendMessage>,
        waits_for_client: Arc<AtomicUsize>,
    ) -> BackendHandle {
        BackendHandle { id, generation, actor, gate: Gate::new(BACKEND_IN_FLIGHT), waits_for_client }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Opening,
    Accepting,
    Listing,
    Ready,
}

/// One incarnation.
pub struct Incarnation {
    start: Start,
    phase: Phase,
    link: Option<Link>,
    pending: Pending,
    listing: Listing,
    catalogue: Catalogue,
    stale: BTreeSet<List>,
    refresh_is_due: bool,
    /// Our ids at the client of the backend's requests, by the backend's own ids.
    asks: BTreeMap<Bytes, u64>,
    waits_for_client: Arc<AtomicUsize>,
    flood: Flood,
    noise: u64,
    silent_timeouts: u32,
    has_worked: bool,
    /// The HTTP session is lost: nothing new is sent, and the incarnation ends with its last open request.
    lost_session: Option<String>,
    /// How far the client's own opening has come, where it is passed on.
    relayed: RelayedOpening,
}

/// The client's own opening on its way through the gate.
#[derive(Default)]
struct RelayedOpening {
    /// Our id of its `initialize`.
    id: Option<u64>,
    /// Its `notifications/initialized` was passed on.
    is_acknowledged: bool,
}

impl Actor for Backend {
    type Msg = BackendMessage;
    type State = Incarnation;
    type Arguments = (Start, Arc<AtomicUsize>);

    async fn pre_start(
        &self,
        _myself: ActorRef<BackendMessage>,
        (start, waits_for_client): Self::Arguments,
    ) -> Result<Incarnation, ActorProcessingErr> {
        Ok(Incarnation {
            start,
            phase: Phase::Idle,
            link: None,
            pending: Pending::default(),
            listing: Listing::default(),
            catalogue: Catalogue::default(),
            stale: BTreeSet::new(),
            refresh_is_due: false,
            asks: BTreeMap::new(),
            waits_for_client,
            flood: Flood::new(),
            noise: 0,
            silent_timeouts: 0,
            has_worked: false,
            lost_session: None,
            relayed: RelayedOpening::default(),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<BackendMessage>,
        message: BackendMessage,
        state: &mut Incarnation,
    ) -> Result<(), ActorProcessingErr> {
        if let Err(why) = state.take(&myself, message) {
            state.end(&why);
            myself.stop(Some(why));
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<BackendMessage>,
        state: &mut Incarnation,
    ) -> Result<(), ActorProcessingErr> {
        state.end("the gate is shutting down");
        Ok(())
    }
}

impl Incarnation {
    /// Takes a message. An error ends the incarnation; its text says why.
    fn take(&mut self, myself: &ActorRef<BackendMessage>, message: BackendMessage) -> Result<(), String> {
        match message {
            BackendMessage::Start => self.open(myself),
            BackendMessage::Frame(frame, place) => self.frame(myself, frame, place),
            BackendMessage::Http(incoming, place) => self.http(myself, *incoming, place),
            BackendMessage::LinkClosed { why } => Err(why),
            BackendMessage::Forward(forward) => {
                self.forward(*forward);
                Ok(())
            }
            BackendMessage::Cancel { number, reason } => {
                self.abandon(number, reason);
                Ok(())
            }
            BackendMessage::TimedOut { number } => self.timed_out(number),
            BackendMessage::Notify { method, params } => {
                if self.takes_requests() {
                    self.send(Kind::Notice, Line::notification(&method, params))?;
                }
                self.noticed(myself, &method)
            }
            BackendMessage::InputEnded => {
                if let Some(link) = &mut self.link {
                    link.end_input();
                }
                Ok(())
            }
            BackendMessage::ClientAnswered { id, body } => self.client_answered(&id, body),
            BackendMessage::StartDeadlineDue if self.phase == Phase::Ready => Ok(()),
            BackendMessage::StartDeadlineDue => {
                Err(format!("was not ready within {} s", START_DEADLINE.as_secs()))
            }
            BackendMessage::PageDue { id } => self.page_is_late(myself, id),
            BackendMessage::RefreshDue => self.refresh(myself),
            BackendMessage::DrainDue => self.lost_session.take().map_or(Ok(()), Err),
        }
    }

    /// Whether the client's messages can be passed on. Toward a client that takes the machine for this backend the
    /// backend itself says what may be asked when.
    fn takes_requests(&self) -> bool {
        match self.start.face {
            Face::Gate => self.phase == Phase::Ready,
            Face::Backend => self.link.is_some(),
        }
    }

    /// Ends whatever is open. Does nothing the second time.
    fn end(&mut self, why: &str) {
        if let Some(link) = &self.link {
            link.seal();
        }
        let begun = self.link.as_ref().map_or(u64::MAX, Link::begun);
        self.pending.end_all(begun, why);
        for (_, ask) in std::mem::take(&mut self.asks) {
            self.start.front.cancel_ask(ask, "the backend went away");
        }
        self.waits_for_client.store(0, Ordering::Relaxed);
        if let Some(link) = self.link.take() {
            let (id, grace) = (self.start.id.clone(), self.start.grace);
            self.start.closings.spawn(async move {
                let how = link.close(grace).await;
                tracing::debug!(backend = %id, "{how}");
            });
        }
    }
}
