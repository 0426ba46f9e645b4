//! The way of every request but `tools/call` where the client takes the machine for its one backend: it reaches the
//! backend as it came, and the backend's own answer comes back, masked.

use super::Machine;
use super::forward::{Failure, Request, Whereabouts, forward};
use super::params::{progress_token, text};
use super::relay::{masked, subscribed_to, under_exposed_uri, with_text, withheld};
use crate::backend::catalogue::List;
use crate::backend::{Activity, BackendHandle, Lost};
use crate::call::Hints;
use crate::directory::{Directory, Route, State, listing};
use crate::front::Client;
use crate::ports::{Carrier, Subject};
use crate::reply::{Answer, ReplySlot};
use crate::wire::envelope::Body;
use crate::wire::skim;
use crate::wire::splice::splice;
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// The position of the one backend.
const ONLY: usize = 0;

/// What is passed on.
pub enum Passed {
    /// The client's `initialize`, and what the client said of itself where that could be read.
    Opening(Option<Client>),
    /// A request for a page of a list.
    Page(List),
    /// Any other request, by its method.
    Other(String),
}

/// Passes one request on and ends it with the backend's answer.
pub async fn run(
    machine: Machine,
    passed: Passed,
    params: Option<Bytes>,
    slot: ReplySlot,
    cancelled: oneshot::Receiver<()>,
) {
    let mut whereabouts = Whereabouts::default();
    let answer = tokio::select! {
        biased;
        answer = pass(&machine, passed, params, &mut whereabouts) => Some(answer),
        Ok(()) = cancelled => None,
        () = machine.abort.cancelled() => None,
    };
    let answer = answer.unwrap_or_else(|| {
        whereabouts.take_back();
        machine.unanswered()
    });
    slot.end(machine.weights.admit(answer).await);
}

/// The way to a tool that the backend has not listed. Where it stands for itself it may know tools that it does not
/// tell of; nothing is known of them, so they are judged as the least harmless.
pub(super) fn unlisted(machine: &Machine, name: &str) -> Option<Route> {
    if !machine.face.is_backend() {
        return None;
    }
    let id = machine.directory.borrow().standings.get(ONLY)?.id.clone();
    let name: Arc<str> = name.into();
    Some(Route { backend: ONLY, id, own: name.clone(), exposed: name, hints: Hints::default() })
}

async fn pass(
    machine: &Machine,
    passed: Passed,
    params: Option<Bytes>,
    whereabouts: &mut Whereabouts,
) -> Answer {
    match passed {
        Passed::Opening(client) => opening(machine, client, params, whereabouts).await,
        Passed::Page(list) => page(machine, list, params, whereabouts).await,
        Passed::Other(method) => other(machine, method, params, whereabouts).await,
    }
}

// --------------------------------------------------------------------------------------------------- initialize

/// The backend's own introduction. A first start may download packages, so nothing but the client ends the wait.
async fn opening(
    machine: &Machine,
    client: Option<Client>,
    params: Option<Bytes>,
    whereabouts: &mut Whereabouts,
) -> Answer {
    let (id, handle) = match started(machine).await {
        Ok(started) => started,
        Err((id, failure)) => return Answer::Error(failure.error(&id)),
    };
    let number = machine.next_number();
    let sent = handle.forward(number, "initialize", params, None, Activity::default());
    let Ok(answer) = sent else { return Answer::Error(Failure::Busy.error(&id)) };
    whereabouts.note(&handle, number);
    match answer.await.unwrap_or_else(|_| Err(Lost::Unknown("it went away".into()))) {
        Ok(Body::Result(result)) => {
            if let Some(client) = client {
                machine.front.opened_by(Client { protocol_version: version(&result, &client), ..client });
            }
            introduction(machine, &id, result)
        }
        Ok(Body::Error(error)) => masked(machine, &id, Carrier::Error, Body::Error(error)).await,
        Err(lost) => Answer::Error(failure(lost).error(&id)),
    }
}

/// The backend's handle as soon as it runs, or why it will not.
async fn started(machine: &Machine) -> Result<(Arc<str>, BackendHandle), (Arc<str>, Failure)> {
    let mut reader = machine.directory.clone();
    let state = |directory: &Directory| {
        directory.standings.get(ONLY).map(|standing| (standing.id.clone(), standing.state.clone()))
    };
    let is_settled =
        |directory: &Arc<Directory>| matches!(state(directory), Some((_, State::Up(_) | State::Over { .. })));
    let settled = reader.wait_for(is_settled).await.map(|directory| state(&directory));
    match settled {
        Ok(Some((id, State::Up(handle)))) => Ok((id, handle)),
        Ok(Some((id, State::Over { why }))) => Err((id, Failure::Away(format!("it has ended ({why})")))),
        Ok(_) | Err(_) => Err(("".into(), Failure::Away("the gate is closing".into()))),
    }
}

fn failure(lost: Lost) -> Failure {
    match lost {
        Lost::NotSent(why) | Lost::Unknown(why) => Failure::Away(format!("it has ended ({why})")),
        Lost::Refused(why) => Failure::Refused(why),
        Lost::Failed(why) => Failure::Failed(why),
        Lost::Busy => Failure::Busy,
    }
}

/// The version of ours that the two agreed on; what the client asked for where it is none of ours.
fn version(result: &Bytes, client: &Client) -> &'static str {
    let told = skim::member(result, "protocolVersion").map(|range| &result[range]).unwrap_or_default();
    crate::backend::known_version(told).unwrap_or(client.protocol_version)
}

/// What the backend says of itself, masked: text for the model that others wrote. Its version, its name and the version
/// of the protocol are what it is known by, and stay.
fn introduction(machine: &Machine, id: &Arc<str>, result: Bytes) -> Answer {
    let subject = subject(id, Carrier::Catalogue);
    let shown = match machine.redactor.redact_here(&subject, result.clone()) {
        Ok(redacted) => redacted.json,
        Err(why) => return Answer::Error(withheld(&why)),
    };
    let kept: [&[&str]; 3] = [&["protocolVersion"], &["serverInfo", "name"], &["serverInfo", "version"]];
    let mut spans: Vec<(Range<usize>, &[u8])> = Vec::new();
    for path in kept {
        if let (Some(own), Some(span)) = (skim::path(&result, path), skim::path(&shown, path)) {
            spans.push((span, &result[own]));
        }
    }
    spans.sort_by_key(|(span, _)| span.start);
    Answer::Result(splice(&shown, &spans).into())
}

// -------------------------------------------------------------------------------------------------------- lists

/// The backend's own page of a list, with its own cursors.
async fn page(machine: &Machine, list: List, params: Option<Bytes>, whereabouts: &mut Whereabouts) -> Answer {
    let id = only_id(machine);
    match send(machine, list.method().to_owned(), params, whereabouts).await {
        Err(error) => Answer::Error(error),
        Ok(Body::Result(result)) => match listing::page(&id, list, &result, &machine.redactor) {
            Ok(shown) => {
                // The client reads and its model thinks now; the first call is a while away.
                machine.pdp.warm();
                Answer::Result(shown)
            }
            Err(why) => Answer::Error(withheld(&why)),
        },
        Ok(error @ Body::Error(_)) => masked(machine, &id, Carrier::Error, error).await,
    }
}

// -------------------------------------------------------------------------------------------------- all the rest

async fn other(
    machine: &Machine,
    method: String,
    params: Option<Bytes>,
    whereabouts: &mut Whereabouts,
) -> Answer {
    let (params, route) = with_own_uri(machine, params);
    let id = only_id(machine);
    let subscribes = method == "resources/subscribe";
    // What a task did is the answer of a call and judged like one.
    let carrier = if method == "tasks/result" { Carrier::ToolResult } else { Carrier::Content };
    if let Some(route) = route.as_ref().filter(|_| method.starts_with("resources/")) {
        subscribed_to(machine, &method, route);
    }
    let body = match send(machine, method, params, whereabouts).await {
        Ok(body) => body,
        Err(error) => return Answer::Error(error),
    };
    let carrier = if matches!(body, Body::Error(_)) { Carrier::Error } else { carrier };
    match route {
        Some(route) => {
            if subscribes && matches!(body, Body::Error(_)) {
                machine.front.unsubscribe(&route.exposed);
            }
            masked(machine, &id, carrier, under_exposed_uri(&route, body)).await
        }
        None => masked(machine, &id, carrier, body).await,
    }
}

/// A URI that was masked in a list is known to the backend under its own text only.
fn with_own_uri(machine: &Machine, params: Option<Bytes>) -> (Option<Bytes>, Option<Route>) {
    let Some(raw) = &params else { return (params, None) };
    let paths: [&[&str]; 2] = [&["uri"], &["ref", "uri"]];
    let found = paths.into_iter().find_map(|path| {
        let (uri, span) = text(raw, path)?;
        let directory = machine.directory.borrow().clone();
        Some((directory.listing.masked(&uri)?.clone(), span))
    });
    match found {
        None => (params, None),
        Some((route, span)) => (Some(with_text(raw, &span, &route.own)), Some(route)),
    }
}

async fn send(
    machine: &Machine,
    method: String,
    params: Option<Bytes>,
    whereabouts: &mut Whereabouts,
) -> Result<Body, Bytes> {
    let request = Request {
        backend: ONLY,
        method: method.into(),
        progress: params.as_ref().and_then(progress_token),
        params,
        may_repeat: false,
        deadline: Instant::now() + machine.settings.call_budget,
    };
    let id = only_id(machine);
    forward(machine, &request, whereabouts).await.map_err(|failure| failure.error(&id))
}

fn only_id(machine: &Machine) -> Arc<str> {
    machine.directory.borrow().standings.get(ONLY).map_or_else(|| "".into(), |standing| standing.id.clone())
}

fn subject(id: &Arc<str>, carrier: Carrier) -> Subject {
    Subject { backend: id.clone(), tool: None, carrier, obliged: false, decision: None }
}
