//! The backend actor: owns one incarnation of one backend, from its start to its end.
//!
//! ```text
//! Idle ─Start─▶ Opening ─initialize answered─▶ Accepting ─stream ready─▶ Listing ─lists read─▶ Ready
//!   any ─link closed, deadline, refusal, silence─▶ end: every open request learns what became of it
//! ```
//!
//! The actor never starts its backend again: it ends, and the supervisor decides.

use super::catalogue::{Catalogue, List};
use super::flood::Flood;
use super::link::{Kind, Link, LinkSettings, request};
use super::opening::{self, Listing};
use super::pending::{FlowWaiter, OwnRequest, Pending, Waiter};
use super::{BackendHandle, Forward};
use crate::front::{Asker, Front};
use crate::gate::{Gate, Permit};
use crate::http::{Executed, Incoming};
use crate::limits::{BACKEND_IN_FLIGHT, REFRESH_PAUSE, SILENT_TIMEOUTS, START_DEADLINE};
use crate::ports::Launch;
use crate::process::StopGrace;
use crate::wire::envelope::{self, Body, Message};
use crate::wire::frame::Frame;
use crate::wire::skim;
use crate::wire::splice::{set_member, splice};
use crate::wire::write::{self, Line};
use bytes::Bytes;
use ractor::{Actor, ActorProcessingErr, ActorRef};
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
        method: &'static str,
        /// Raw JSON.
        params: Option<Bytes>,
    },
    /// The client answered a request of the backend's.
    ClientAnswered {
        /// The backend's own id, raw JSON.
        id: Bytes,
        /// The answer.
        body: Body,
    },
    /// Opening has taken too long.
    StartDeadlineDue,
    /// Lists that changed are to be read again.
    RefreshDue,
}

/// What a backend actor tells the supervisor.
#[derive(Clone, Debug)]
pub enum Report {
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
    /// How it is reached.
    pub launch: Arc<dyn Launch>,
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
            BackendMessage::LinkClosed { why } => Err(self.closed(why)),
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
                if self.phase == Phase::Ready {
                    self.send(Kind::Notice, Line::notification(method, params))?;
                }
                Ok(())
            }
            BackendMessage::ClientAnswered { id, body } => self.client_answered(&id, body),
            BackendMessage::StartDeadlineDue if self.phase == Phase::Ready => Ok(()),
            BackendMessage::StartDeadlineDue => {
                Err(format!("was not ready within {} s", START_DEADLINE.as_secs()))
            }
            BackendMessage::RefreshDue => self.refresh(),
        }
    }

    // ------------------------------------------------------------------------------------------------- opening

    /// ## Idle => Opening
    fn open(&mut self, myself: &ActorRef<BackendMessage>) -> Result<(), String> {
        let client = self.start.front.client().ok_or("no client has opened the session")?;
        let plan = self.start.launch.plan(&self.start.id).map_err(|error| error.to_string())?;
        self.link = Some(Link::open(&plan, &self.start.link, &self.start.id, myself)?);
        self.phase = Phase::Opening;
        myself.send_after(START_DEADLINE, || BackendMessage::StartDeadlineDue);
        let id = self.pending.next_id();
        let params = opening::initialize_params(&client);
        self.ask_own(OwnRequest::Initialize, Kind::Initialize(id), "initialize", Some(params))
    }

    /// ## Opening => Accepting
    fn initialized(&mut self, answer: &Body) -> Result<(), String> {
        let (catalogue, version) = opening::initialized(answer)?;
        self.catalogue = catalogue;
        self.phase = Phase::Accepting;
        if let Some(Link::Http(connection)) = &self.link {
            connection.negotiated(version);
        }
        self.send(Kind::Initialized, Line::notification("notifications/initialized", None))?;
        match &self.link {
            Some(Link::Http(_)) => Ok(()),
            _ => self.list_all(),
        }
    }

    /// ## Accepting => Listing
    fn list_all(&mut self) -> Result<(), String> {
        self.phase = Phase::Listing;
        for list in List::ALL {
            if self.catalogue.can(&[list.capability()]) {
                self.ask_list(list)?;
            }
        }
        self.ready_if_listed()
    }

    /// ## Listing => Ready
    fn ready_if_listed(&mut self) -> Result<(), String> {
        if self.phase != Phase::Listing || !self.listing.is_done() {
            return Ok(());
        }
        self.phase = Phase::Ready;
        self.restore()?;
        (self.start.report)(Report::Ready(Arc::new(self.catalogue.clone())));
        Ok(())
    }

    /// What the client had set before this incarnation began is set again.
    fn restore(&mut self) -> Result<(), String> {
        if let Some(level) = self.start.front.log_level()
            && self.catalogue.can(&["logging"])
        {
            let restore = OwnRequest::Restore("logging/setLevel");
            self.ask_own(restore, self.next_kind(), "logging/setLevel", Some(level))?;
        }
        for (_, own) in self.start.front.subscribed(&self.start.id) {
            let mut params = b"{\"uri\":".to_vec();
            write::string(&mut params, &own);
            params.push(b'}');
            let restore = OwnRequest::Restore("resources/subscribe");
            self.ask_own(restore, self.next_kind(), "resources/subscribe", Some(params.into()))?;
        }
        Ok(())
    }

    fn ask_list(&mut self, list: List) -> Result<(), String> {
        match self.listing.begin(list) {
            Some(params) => self.ask_own(OwnRequest::Page(list), self.next_kind(), list.method(), params),
            None => {
                self.stale.insert(list);
                Ok(())
            }
        }
    }

    fn page(&mut self, myself: &ActorRef<BackendMessage>, list: List, answer: &Body) -> Result<(), String> {
        let before = self.catalogue.list(list).to_vec();
        let start_id = self.start.id.clone();
        if let Some(params) = self.listing.page(list, answer, &mut self.catalogue, &start_id) {
            return self.ask_own(OwnRequest::Page(list), self.next_kind(), list.method(), Some(params));
        }
        if self.phase == Phase::Ready && self.catalogue.list(list) != before {
            (self.start.report)(Report::Changed(Arc::new(self.catalogue.clone())));
        }
        if self.stale.contains(&list) {
            self.refresh_soon(myself);
        }
        self.ready_if_listed()
    }

    // ------------------------------------------------------------------------------------------ toward the backend

    fn forward(&mut self, forward: Forward) {
        if self.phase != Phase::Ready || forward.reply.is_abandoned() {
            return;
        }
        let Some(link) = &self.link else { return };
        let line_number = link.next_line();
        let id = self.pending.next_id();
        let Forward { number, method, params, progress, activity, mut reply, permit } = forward;
        let own_token = id.to_string();
        let sent_params = match (&params, &progress) {
            (Some(params), Some(token)) => {
                Some(splice(params, &[(token.span.clone(), own_token.as_bytes())]).into())
            }
            _ => params,
        };
        reply.begin();
        let waiter = FlowWaiter { number, reply, progress, activity, permit };
        self.pending.insert(Waiter::Flow(waiter), line_number);
        if self.send(Kind::Request(id), request(id, method, sent_params)).is_err()
            && let Some(Waiter::Flow(flow)) = self.pending.take(id)
        {
            flow.answer(Err(super::Lost::NotSent("it takes no more requests now".into())));
        }
    }

    fn abandon(&mut self, number: u64, reason: &str) {
        let Some(id) = self.pending.abandon(number) else { return };
        if let Some(Link::Http(connection)) = &self.link {
            connection.cancel(id);
        }
        let mut params = format!("{{\"requestId\":{id},\"reason\":").into_bytes();
        write::string(&mut params, reason);
        params.push(b'}');
        // A backend that takes no more lines will not be helped by a cancellation.
        let _ = self.send(Kind::Notice, Line::notification("notifications/cancelled", Some(params.into())));
    }

    fn timed_out(&mut self, number: u64) -> Result<(), String> {
        self.abandon(number, "no answer in time");
        self.silent_timeouts += 1;
        if self.silent_timeouts >= SILENT_TIMEOUTS && matches!(self.link, Some(Link::Child(_))) {
            return Err(format!("gave no sign of life while {SILENT_TIMEOUTS} calls timed out"));
        }
        Ok(())
    }

    fn next_kind(&self) -> Kind {
        Kind::Request(self.pending.next_id())
    }

    fn ask_own(
        &mut self,
        own: OwnRequest,
        kind: Kind,
        method: &'static str,
        params: Option<Bytes>,
    ) -> Result<(), String> {
        let line = self.link.as_ref().map_or(0, Link::next_line);
        let id = self.pending.insert(Waiter::Own(own), line);
        self.send(kind, request(id, method, params))
    }

    fn send(&mut self, kind: Kind, line: Line) -> Result<(), String> {
        let link = self.link.as_mut().ok_or("has no connection")?;
        link.send(kind, line).map_err(|_| "does not read what it is sent".to_owned())
    }

    // ---------------------------------------------------------------------------------------- from the backend

    fn frame(
        &mut self,
        myself: &ActorRef<BackendMessage>,
        frame: Frame,
        place: Permit,
    ) -> Result<(), String> {
        self.silent_timeouts = 0;
        match frame {
            Frame::Line(line) => self.message(myself, &line, place),
            Frame::TooLong { prefix, len } => {
                self.too_long(&prefix, len);
                Ok(())
            }
        }
    }

    fn message(
        &mut self,
        myself: &ActorRef<BackendMessage>,
        line: &Bytes,
        place: Permit,
    ) -> Result<(), String> {
        match envelope::read_backend(line) {
            Some(Message::Response { id, body }) => self.response(myself, &id, body),
            Some(Message::Notification { method, params }) => {
                self.flood.note(&self.start.id, place);
                self.notification(myself, &method, params);
                Ok(())
            }
            Some(Message::Request { id, method, params }) => {
                self.flood.note(&self.start.id, place);
                self.request(myself, id, &method, params)
            }
            None => self.batch_or_noise(myself, line, place),
        }
    }

    /// MCP 2025-03-26 lets a server answer in batches; anything else is noise: a banner, a stray print.
    fn batch_or_noise(
        &mut self,
        myself: &ActorRef<BackendMessage>,
        line: &Bytes,
        place: Permit,
    ) -> Result<(), String> {
        let mut parts = Vec::new();
        let is_batch = skim::elements(line, |range| parts.push(line.slice(range))).is_some();
        if !is_batch || parts.iter().any(|part| part.first() != Some(&b'{')) {
            self.flood.note(&self.start.id, place);
            self.noise(line);
            return Ok(());
        }
        for part in &parts {
            if let Some(Message::Response { id, body }) = envelope::read_backend(part) {
                self.response(myself, &id, body)?;
            }
        }
        Ok(())
    }

    fn noise(&mut self, line: &[u8]) {
        self.noise += 1;
        if self.noise <= 3 || self.noise.is_power_of_two() {
            let text = String::from_utf8_lossy(&line[..line.len().min(120)]);
            let (backend, count) = (&self.start.id, self.noise);
            tracing::warn!(%backend, count, "what it printed is no message: {}", text.escape_debug());
        }
    }

    fn too_long(&mut self, prefix: &[u8], len: usize) {
        let why = format!(
            "answered with {len} bytes on one line, more than the limit of {}",
            self.start.link.max_line
        );
        tracing::warn!(backend = %self.start.id, len, "a line is longer than the limit and was skipped");
        // The prefix is cut, so the envelope cannot be read whole; the id stands before the body in practice.
        let id = envelope_id_in(prefix).and_then(|raw| envelope::our_id(&raw));
        if let Some(Waiter::Flow(flow)) = id.and_then(|id| self.pending.take(id)) {
            flow.answer(Err(super::Lost::Unknown(why)));
        }
    }

    fn response(&mut self, myself: &ActorRef<BackendMessage>, id: &[u8], body: Body) -> Result<(), String> {
        let Some(waiter) = envelope::our_id(id).and_then(|id| self.pending.take(id)) else {
            self.noise(id);
            return Ok(());
        };
        match waiter {
            Waiter::Flow(flow) => {
                if !self.has_worked {
                    self.has_worked = true;
                    (self.start.report)(Report::Worked);
                }
                flow.answer(Ok(body));
                Ok(())
            }
            Waiter::Own(OwnRequest::Initialize) => self.initialized(&body),
            Waiter::Own(OwnRequest::Page(list)) => self.page(myself, list, &body),
            Waiter::Own(OwnRequest::Restore(method)) => {
                if let Body::Error(error) = body {
                    let why = crate::wire::codes::message_of(&error);
                    tracing::warn!(backend = %self.start.id, method, "could not be set again after the start: {why}");
                }
                Ok(())
            }
            Waiter::Zombie => {
                tracing::info!(backend = %self.start.id, "answered a request that was taken back; it may have been executed");
                Ok(())
            }
        }
    }

    fn notification(&mut self, myself: &ActorRef<BackendMessage>, method: &str, params: Option<Bytes>) {
        let front = self.start.front.clone();
        match method {
            "notifications/progress" => self.progress(params),
            "notifications/message" => {
                front.notice(&self.start.id, method, params.map(|params| self.named_logger(params)))
            }
            "notifications/tools/list_changed" => self.changed(myself, &[List::Tools]),
            "notifications/prompts/list_changed" => self.changed(myself, &[List::Prompts]),
            "notifications/resources/list_changed" => {
                self.changed(myself, &[List::Resources, List::Templates])
            }
            "notifications/resources/updated" => self.resource_updated(params),
            "notifications/cancelled" => self.backend_cancels(params),
            "notifications/elicitation/complete" => front.notice(&self.start.id, method, params),
            _ if !self.start.is_one_of_several && self.phase == Phase::Ready => {
                front.notice(&self.start.id, method, params);
            }
            _ => tracing::debug!(backend = %self.start.id, method, "an unknown notification was dropped"),
        }
    }

    fn progress(&mut self, params: Option<Bytes>) {
        let Some(params) = params else { return };
        let Some(span) = skim::member(&params, "progressToken") else { return };
        let Some(flow) = envelope::our_id(&params[span.clone()]).and_then(|id| self.pending.flow(id)) else {
            return;
        };
        flow.activity.note();
        if let Some(token) = &flow.progress {
            let params = splice(&params, &[(span, &token.raw)]);
            self.start.front.notice(&self.start.id, "notifications/progress", Some(params.into()));
        }
    }

    /// With several backends the logger's name begins with the backend's id.
    fn named_logger(&self, params: Bytes) -> Bytes {
        if !self.start.is_one_of_several || params.first() != Some(&b'{') {
            return params;
        }
        let own = skim::member(&params, "logger").and_then(|range| skim::string(&params[range]));
        let name = own.map_or_else(|| self.start.id.to_string(), |own| format!("{}/{own}", self.start.id));
        let mut raw = Vec::new();
        write::string(&mut raw, &name);
        set_member(&params, "logger", &raw).into()
    }

    fn changed(&mut self, myself: &ActorRef<BackendMessage>, lists: &[List]) {
        if self.phase == Phase::Ready || self.phase == Phase::Listing {
            self.stale.extend(lists);
            self.refresh_soon(myself);
        }
    }

    /// Many notices, one refresh.
    fn refresh_soon(&mut self, myself: &ActorRef<BackendMessage>) {
        if !self.refresh_is_due {
            self.refresh_is_due = true;
            myself.send_after(REFRESH_PAUSE, || BackendMessage::RefreshDue);
        }
    }

    fn refresh(&mut self) -> Result<(), String> {
        self.refresh_is_due = false;
        for list in std::mem::take(&mut self.stale) {
            if self.catalogue.can(&[list.capability()]) {
                self.ask_list(list)?;
            }
        }
        Ok(())
    }

    fn resource_updated(&self, params: Option<Bytes>) {
        let Some(params) = params else { return };
        let Some(span) = skim::member(&params, "uri") else { return };
        let Some(own) = skim::string(&params[span.clone()]) else { return };
        for (exposed, _) in self.start.front.subscribed(&self.start.id).iter().filter(|(_, uri)| *uri == own)
        {
            let mut raw = Vec::new();
            write::string(&mut raw, exposed);
            let params = splice(&params, &[(span.clone(), &raw)]);
            self.start.front.notice(&self.start.id, "notifications/resources/updated", Some(params.into()));
        }
    }

    // ------------------------------------------------------------------------------- requests of the backend's

    fn request(
        &mut self,
        myself: &ActorRef<BackendMessage>,
        id: Bytes,
        method: &str,
        params: Option<Bytes>,
    ) -> Result<(), String> {
        if !envelope::is_id(&id) {
            self.noise(&id);
            return Ok(());
        }
        if method == "ping" {
            return self.send(Kind::Notice, Line::result(&id, Bytes::from_static(b"{}")));
        }
        if self.asks.contains_key(&id) {
            self.noise(&id);
            return Ok(());
        }
        let params = params.map(|params| self.signed(method, params));
        let asker = Box::new(BackendAsker { actor: myself.clone(), id: id.clone() });
        match self.start.front.ask(&self.start.id, method, params, asker) {
            Ok(ask) => {
                self.asks.insert(id, ask);
                self.waits_for_client.store(self.asks.len(), Ordering::Relaxed);
                Ok(())
            }
            Err(error) => self.send(Kind::Notice, Line::error(&id, error)),
        }
    }

    /// A person must see which server asks: the client only knows the gate.
    fn signed(&self, method: &str, params: Bytes) -> Bytes {
        if method != "elicitation/create" || !self.start.is_one_of_several {
            return params;
        }
        let Some(span) = skim::member(&params, "message") else { return params };
        let Some(message) = skim::string(&params[span.clone()]) else { return params };
        let mut raw = Vec::new();
        write::string(&mut raw, &format!("[{}] {message}", self.start.id));
        splice(&params, &[(span, &raw)]).into()
    }

    fn client_answered(&mut self, id: &Bytes, body: Body) -> Result<(), String> {
        if self.asks.remove(id).is_none() {
            return Ok(());
        }
        self.waits_for_client.store(self.asks.len(), Ordering::Relaxed);
        let line = match body {
            Body::Result(result) => Line::result(id, result),
            Body::Error(error) => Line::error(id, error),
        };
        self.send(Kind::Notice, line)
    }

    fn backend_cancels(&mut self, params: Option<Bytes>) {
        let Some(params) = params else { return };
        let Some(span) = skim::member(&params, "requestId") else { return };
        if let Some(ask) = self.asks.remove(&params[span]) {
            self.waits_for_client.store(self.asks.len(), Ordering::Relaxed);
            self.start.front.cancel_ask(ask, "the backend took its request back");
        }
    }

    // --------------------------------------------------------------------------------------------------- HTTP

    fn http(
        &mut self,
        myself: &ActorRef<BackendMessage>,
        incoming: Incoming,
        place: Permit,
    ) -> Result<(), String> {
        match incoming {
            Incoming::Message { json, .. } => return self.message(myself, &json, place),
            Incoming::Accepted => {
                if let Some(Link::Http(connection)) = &self.link {
                    connection.open_stream();
                }
            }
            Incoming::StreamReady if self.phase == Phase::Accepting => return self.list_all(),
            Incoming::StreamReady => {}
            Incoming::NotSent { what, why } => return self.not_sent(myself, what, why),
            Incoming::SessionGone { what, .. } => {
                if let Some(id) = what.and_then(Kind::request) {
                    self.lost(id, |why| super::Lost::NotSent(why), "its session expired".into());
                }
                return Err("its session expired".into());
            }
            Incoming::Failed { what, executed, why, server_said, .. } => {
                let why = match server_said {
                    // The server's own words are content; they reach the client through the redactor only.
                    Some(said) => {
                        tracing::debug!(backend = %self.start.id, "the server said: {}", said.escape_debug());
                        why
                    }
                    None => why,
                };
                let make: fn(String) -> super::Lost = match executed {
                    Executed::No => super::Lost::Refused,
                    Executed::Possibly => super::Lost::Unknown,
                };
                return self.failed(what, make, why);
            }
        }
        Ok(())
    }

    fn not_sent(
        &mut self,
        _myself: &ActorRef<BackendMessage>,
        what: Kind,
        why: String,
    ) -> Result<(), String> {
        if let Some(id) = what.request() {
            self.lost(id, super::Lost::NotSent, why.clone());
        }
        // Nothing listens there any more: the supervisor tries again.
        Err(why)
    }

    fn failed(&mut self, what: Kind, make: fn(String) -> super::Lost, why: String) -> Result<(), String> {
        match what {
            Kind::Initialize(_) | Kind::Initialized => Err(why),
            Kind::Request(id) => {
                if self.lost(id, make, why.clone()) {
                    Ok(())
                } else {
                    Err(why)
                }
            }
            Kind::Notice => {
                tracing::debug!(backend = %self.start.id, "a notification was not accepted: {why}");
                Ok(())
            }
        }
    }

    /// Ends a flow's request as lost. `false` when the request was the actor's own.
    fn lost(&mut self, id: u64, make: impl FnOnce(String) -> super::Lost, why: String) -> bool {
        match self.pending.take(id) {
            Some(Waiter::Flow(flow)) => {
                flow.answer(Err(make(why)));
                true
            }
            Some(Waiter::Own(OwnRequest::Restore(_)) | Waiter::Zombie) | None => true,
            Some(Waiter::Own(_)) => false,
        }
    }

    // -------------------------------------------------------------------------------------------------- the end

    fn closed(&self, why: String) -> String {
        self.link.as_ref().and_then(Link::exit).unwrap_or(why)
    }

    /// Ends whatever is open. Does nothing the second time.
    fn end(&mut self, why: &str) {
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

/// The raw id in the cut beginning of a response.
fn envelope_id_in(prefix: &[u8]) -> Option<Vec<u8>> {
    let at = memchr::memmem::find(prefix, b"\"id\":")? + 5;
    let rest = prefix.get(at..)?;
    let digits: Vec<u8> = rest
        .iter()
        .copied()
        .skip_while(|b| matches!(b, b' ' | b'"'))
        .take_while(u8::is_ascii_digit)
        .collect();
    (!digits.is_empty()).then_some(digits)
}

/// A backend that waits for the client's answer.
struct BackendAsker {
    actor: ActorRef<BackendMessage>,
    id: Bytes,
}

impl Asker for BackendAsker {
    fn answered(self: Box<Self>, body: Body) {
        let _ = self.actor.send_message(BackendMessage::ClientAnswered { id: self.id, body });
    }

    fn progress(&self, params: Bytes) {
        let method = "notifications/progress";
        let _ = self.actor.send_message(BackendMessage::Notify { method, params: Some(params) });
    }
}
