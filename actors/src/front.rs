//! The client as backends see it: notices go out redacted, requests get ids of ours and their answers find the way
//! back, and nothing is asked that the client did not say it can do.

use crate::face::Face;
use crate::limits::{CLIENT_REQUEST_DEADLINE, CLIENT_REQUESTS_IN_FLIGHT, EARLY_LINES, NOTICE_BYTES};
use crate::ports::{Carrier, Subject};
use crate::redactor::Redactor;
use crate::wire::codes::{ErrorObject, INTERNAL_ERROR, METHOD_NOT_FOUND, clean};
use crate::wire::envelope::Body;
use crate::wire::skim;
use crate::wire::splice::splice;
use crate::wire::write::Line;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// Longest quotation of a backend in an error message of ours.
const QUOTED_BYTES: usize = 512;

/// What the client said of itself in `initialize`.
#[derive(Clone, Debug)]
pub struct Client {
    /// The version that was negotiated.
    pub protocol_version: &'static str,
    /// `capabilities`, raw JSON.
    pub capabilities: Bytes,
    /// `clientInfo`, raw JSON.
    pub info: Bytes,
}

impl Client {
    /// Whether the client declared this capability.
    pub fn can(&self, capability: &str) -> bool {
        skim::member(&self.capabilities, capability).is_some_and(|range| &self.capabilities[range] != b"null")
    }
}

/// Whoever put a question to the client.
pub trait Asker: Send {
    /// The client answered, or did not in time.
    fn answered(self: Box<Self>, body: Body);
    /// The client reports progress; `params` hold the asker's own token.
    fn progress(&self, params: Bytes);
}

/// The client's side. Cheap to clone.
#[derive(Clone)]
pub struct Front {
    out: mpsc::Sender<Line>,
    redactor: Redactor,
    face: Face,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    client: Option<Client>,
    /// The client's `initialize` is on its way to the backend that stands for itself.
    is_opening: bool,
    /// `notifications/initialized` was seen: before that, a server may not speak of its own accord.
    is_initialized: bool,
    early: Vec<Line>,
    next_ask: u64,
    asks: BTreeMap<u64, Ask>,
    log_level: Option<Bytes>,
    subscriptions: BTreeMap<String, Subscription>,
    dropped: u64,
}

struct Ask {
    asker: Box<dyn Asker>,
    /// The asker's own progress token, raw JSON.
    token: Option<Bytes>,
    _expiry: Expiry,
}

struct Subscription {
    backend: Arc<str>,
    own: String,
}

/// The timer of one ask; ends with it.
struct Expiry(tokio::task::AbortHandle);

impl Drop for Expiry {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Front {
    /// The side whose lines leave through `out`.
    pub fn new(out: mpsc::Sender<Line>, redactor: Redactor, face: Face) -> Self {
        // What a backend that stands for itself says too early is the client's to judge.
        let state = State { is_initialized: face.is_backend(), ..State::default() };
        Front { out, redactor, face, state: Arc::new(Mutex::new(state)) }
    }

    /// Notes who the client is.
    pub fn opened_by(&self, client: Client) {
        self.state().client = Some(client);
    }

    /// The client asked the backend itself to open the session.
    pub fn opening(&self) {
        self.state().is_opening = true;
    }

    /// Whether the session is open, or being opened by the backend, which judges what comes before it has answered.
    pub fn is_open(&self) -> bool {
        let state = self.state();
        state.client.is_some() || state.is_opening
    }

    /// Who the client is, once it has said so.
    pub fn client(&self) -> Option<Client> {
        self.state().client.clone()
    }

    /// The client has sent `notifications/initialized`: what waited for it leaves now.
    pub fn initialized(&self) {
        let early = {
            let mut state = self.state();
            state.is_initialized = true;
            std::mem::take(&mut state.early)
        };
        for line in early {
            self.send(line);
        }
    }

    /// Passes a backend's notification on, redacted. A notice that cannot be redacted is not sent.
    pub fn notice(&self, backend: &Arc<str>, method: &str, params: Option<Bytes>) {
        let params = match params {
            None => None,
            Some(params) => match self.redacted(backend, Carrier::Notice, params) {
                Ok(params) => Some(params),
                Err(reason) => {
                    tracing::warn!(%backend, method, reason, "a notification was kept back");
                    return;
                }
            },
        };
        self.send(Line::notification(method, params));
    }

    /// Notes the `params` of the client's last `logging/setLevel`, for backends that start later.
    pub fn set_log_level(&self, params: Bytes) {
        self.state().log_level = Some(params);
    }

    /// The `params` of the client's last `logging/setLevel`.
    pub fn log_level(&self) -> Option<Bytes> {
        self.state().log_level.clone()
    }

    /// Notes that the client subscribed to `exposed`, which is `own` at this backend.
    pub fn subscribe(&self, exposed: &str, backend: &Arc<str>, own: &str) {
        let subscription = Subscription { backend: backend.clone(), own: own.to_owned() };
        self.state().subscriptions.insert(exposed.to_owned(), subscription);
    }

    /// Forgets a subscription.
    pub fn unsubscribe(&self, exposed: &str) {
        self.state().subscriptions.remove(exposed);
    }

    /// The client's subscriptions at this backend, as (exposed, own) URIs.
    pub fn subscribed(&self, backend: &str) -> Vec<(String, String)> {
        let state = self.state();
        let ours = state.subscriptions.iter().filter(|(_, subscription)| &*subscription.backend == backend);
        ours.map(|(exposed, subscription)| (exposed.clone(), subscription.own.clone())).collect()
    }

    /// A backend's own words, redacted and bounded, for use in an error message of ours.
    pub fn quoted(&self, backend: &Arc<str>, words: &str) -> Option<String> {
        let mut raw = Vec::new();
        crate::wire::write::string(&mut raw, words);
        let redacted = self.redacted(backend, Carrier::Error, raw.into()).ok()?;
        skim::string(&redacted).map(|words| clean(&words, QUOTED_BYTES))
    }

    /// Tells the client something of our own.
    pub fn tell(&self, method: &str) {
        self.send(Line::notification(method, None));
    }

    /// Puts a backend's request to the client. Returns the id it has there, or the error to answer the backend with.
    pub fn ask(
        &self,
        backend: &Arc<str>,
        method: &str,
        params: Option<Bytes>,
        asker: Box<dyn Asker>,
    ) -> Result<u64, Bytes> {
        let refuse = |code, text: &str| Err(ErrorObject::new(code, text).into_bytes());
        // A client that takes the machine for the backend answers for itself what it can do.
        if self.face == Face::Gate && !self.can_be_asked(method) {
            return refuse(METHOD_NOT_FOUND, &format!("the client does not support {method}"));
        }
        match params.map(|params| self.redacted(backend, Carrier::ClientRequest, params)).transpose() {
            Ok(params) => self.put(method, params, asker),
            Err(reason) => refuse(INTERNAL_ERROR, &reason),
        }
    }

    /// Puts a question of the gate's own to the client, which is masked already. `None` when the client cannot be
    /// asked.
    pub fn ask_own(&self, method: &str, params: Bytes, asker: Box<dyn Asker>) -> Option<u64> {
        if !self.can_be_asked(method) {
            return None;
        }
        self.put(method, Some(params), asker).ok()
    }

    fn can_be_asked(&self, method: &str) -> bool {
        let capability = match method {
            "sampling/createMessage" => "sampling",
            "elicitation/create" => "elicitation",
            "roots/list" => "roots",
            _ => return false,
        };
        self.state().client.as_ref().is_some_and(|client| client.can(capability))
    }

    fn put(&self, method: &str, params: Option<Bytes>, asker: Box<dyn Asker>) -> Result<u64, Bytes> {
        let refuse = |code, text: &str| Err(ErrorObject::new(code, text).into_bytes());
        let token = params.as_ref().and_then(|params| {
            let span = skim::path(params, &["_meta", "progressToken"])?;
            Some((span.clone(), Bytes::copy_from_slice(&params[span])))
        });
        let id = {
            let mut state = self.state();
            if state.asks.len() >= CLIENT_REQUESTS_IN_FLIGHT {
                return refuse(INTERNAL_ERROR, "too many requests wait for the client; try again");
            }
            state.next_ask += 1;
            let id = state.next_ask;
            let raw = token.as_ref().map(|(_, raw)| raw.clone());
            state.asks.insert(id, Ask { asker, token: raw, _expiry: self.expiry(id) });
            id
        };
        let own = id.to_string();
        let params = params.map(|params| match token {
            Some((span, _)) => splice(&params, &[(span, own.as_bytes())]).into(),
            None => params,
        });
        if !self.send(Line::request(own.as_bytes(), method, params)) {
            self.state().asks.remove(&id);
            return refuse(INTERNAL_ERROR, "the client does not read; try again");
        }
        Ok(id)
    }

    /// The client answered one of our requests. Unknown ids are counted as noise and dropped.
    pub fn answered(&self, id: u64, body: Body) {
        let ask = self.state().asks.remove(&id);
        match ask {
            Some(ask) => ask.asker.answered(body),
            None => tracing::debug!(id, "the client answered a request that nobody waits for"),
        }
    }

    /// The client reports progress on one of our requests.
    pub fn progressed(&self, params: &Bytes) {
        let Some(span) = skim::member(params, "progressToken") else { return };
        let Some(id) = crate::wire::envelope::our_id(&params[span.clone()]) else { return };
        let state = self.state();
        if let Some(Ask { asker, token: Some(token), .. }) = state.asks.get(&id) {
            asker.progress(splice(params, &[(span, token)]).into());
        }
    }

    /// The backend took its request back, or went away.
    pub fn cancel_ask(&self, id: u64, reason: &str) {
        if self.state().asks.remove(&id).is_some() {
            let mut params = format!("{{\"requestId\":{id},\"reason\":").into_bytes();
            crate::wire::write::string(&mut params, reason);
            params.push(b'}');
            self.send(Line::notification("notifications/cancelled", Some(params.into())));
        }
    }

    fn expiry(&self, id: u64) -> Expiry {
        let front = self.clone();
        let timer = tokio::spawn(async move {
            tokio::time::sleep(CLIENT_REQUEST_DEADLINE).await;
            let ask = front.state().asks.remove(&id);
            if let Some(ask) = ask {
                let error =
                    ErrorObject::new(INTERNAL_ERROR, "the client did not answer in time").into_bytes();
                ask.asker.answered(Body::Error(error));
            }
        });
        Expiry(timer.abort_handle())
    }

    fn redacted(&self, backend: &Arc<str>, carrier: Carrier, params: Bytes) -> Result<Bytes, String> {
        if params.len() > NOTICE_BYTES {
            return Err(format!("{} bytes are more than a notice may have ({NOTICE_BYTES})", params.len()));
        }
        let subject =
            Subject { backend: backend.clone(), tool: None, carrier, obliged: false, decision: None };
        match self.redactor.redact_here(&subject, params) {
            Ok(redacted) => Ok(redacted.json),
            Err(withheld) => Err(withheld.reason),
        }
    }

    /// Sends now or drops: a client that does not read must not hold up a backend, and answers have places of their
    /// own.
    fn send(&self, line: Line) -> bool {
        let mut state = self.state();
        if !state.is_initialized {
            let has_room = state.early.len() < EARLY_LINES;
            if has_room {
                state.early.push(line);
            }
            return has_room;
        }
        let is_sent = self.out.try_send(line).is_ok();
        if !is_sent {
            state.dropped += 1;
            if state.dropped.is_power_of_two() {
                tracing::warn!(dropped = state.dropped, "the client reads too slowly; notices were dropped");
            }
        }
        is_sent
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
