//! Everything besides `tools/call` that goes to a backend: prompts, resources, completion, subscriptions, log level.
//! No decision is asked for these; their content is redacted like any answer.

use super::forward::{Request, Whereabouts, forward};
use super::params::{progress_token, text};
use super::{Machine, lists};
use crate::backend::{Activity, BackendHandle};
use crate::directory::{Directory, Route, State};
use crate::ports::{Carrier, Subject, Withheld};
use crate::reply::{Answer, ReplySlot};
use crate::wire::codes::{
    ErrorObject, INVALID_PARAMS, METHOD_NOT_FOUND, UNAVAILABLE, message_of, well_formed,
};
use crate::wire::envelope::Body;
use crate::wire::skim;
use crate::wire::splice::splice;
use crate::wire::write;
use bytes::Bytes;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// MCP: "resource not found" (server features, resources, error handling).
const RESOURCE_NOT_FOUND: i64 = -32002;
/// The log levels of MCP (RFC 5424).
const LEVELS: [&str; 8] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// Runs one relayed request to its end.
pub async fn run(
    machine: Machine,
    method: &'static str,
    params: Option<Bytes>,
    slot: ReplySlot,
    cancelled: oneshot::Receiver<()>,
) {
    let mut whereabouts = Whereabouts::default();
    let params = params.unwrap_or_else(|| Bytes::from_static(b"{}"));
    let answer = tokio::select! {
        biased;
        answer = relay(&machine, method, params, &mut whereabouts) => Some(answer),
        Ok(()) = cancelled => None,
        () = machine.abort.cancelled() => None,
    };
    let answer = answer.unwrap_or_else(|| {
        whereabouts.take_back();
        Answer::Silence
    });
    slot.end(machine.weights.admit(answer).await);
}

async fn relay(
    machine: &Machine,
    method: &'static str,
    params: Bytes,
    whereabouts: &mut Whereabouts,
) -> Answer {
    let found = match method {
        "prompts/get" => prompt(machine, &params, &["name"]).await,
        "completion/complete" => completed(machine, &params).await,
        "resources/read" => return read(machine, params, whereabouts).await,
        "resources/subscribe" | "resources/unsubscribe" => {
            return subscribe(machine, method, params, whereabouts).await;
        }
        "logging/setLevel" => return set_level(machine, params),
        _ => Err(ErrorObject::new(METHOD_NOT_FOUND, format!("unknown method {method}"))),
    };
    match found {
        Ok(way) => send(machine, method, &params, &way, whereabouts).await,
        Err(error) => Answer::Error(error.into_bytes()),
    }
}

/// Where a request goes, and where in its parameters the exposed name stands.
struct Way {
    route: Route,
    span: Range<usize>,
}

async fn prompt(machine: &Machine, params: &Bytes, path: &[&str]) -> Result<Way, ErrorObject> {
    let (name, span) =
        text(params, path).ok_or_else(|| ErrorObject::new(INVALID_PARAMS, "the prompt's name is missing"))?;
    let route = find(machine, |directory| directory.listing.prompt(&name).cloned()).await;
    route
        .map(|route| Way { route, span })
        .ok_or_else(|| ErrorObject::new(INVALID_PARAMS, format!("unknown prompt {name:?}")))
}

async fn completed(machine: &Machine, params: &Bytes) -> Result<Way, ErrorObject> {
    if text(params, &["ref", "name"]).is_some() {
        return prompt(machine, params, &["ref", "name"]).await;
    }
    let missing = || ErrorObject::new(INVALID_PARAMS, "\"ref\" names neither a prompt nor a resource");
    let (uri, span) = text(params, &["ref", "uri"]).ok_or_else(missing)?;
    let route = owner(machine, &uri).await;
    route
        .map(|route| Way { route, span })
        .ok_or_else(|| ErrorObject::new(INVALID_PARAMS, format!("unknown resource {uri:?}")))
}

/// The backend that a URI belongs to: the one that claims it, or the only one that has resources at all, which then
/// speaks for itself on a URI that no list mentions.
async fn owner(machine: &Machine, uri: &str) -> Option<Route> {
    let claimed = find(machine, |directory| directory.listing.resource(uri)).await;
    claimed.or_else(|| match with_resources(machine, uri).as_slice() {
        [only] => Some(only.clone()),
        _ => None,
    })
}

/// What `look` finds now, or once everything is listed.
async fn find(machine: &Machine, look: impl Fn(&Directory) -> Option<Route>) -> Option<Route> {
    let now = machine.directory.borrow().clone();
    match look(&now) {
        Some(route) => Some(route),
        None => look(&*lists::settled(machine).await),
    }
}

/// Sends the request with the backend's own name and redacts what comes back.
async fn send(
    machine: &Machine,
    method: &'static str,
    params: &Bytes,
    way: &Way,
    whereabouts: &mut Whereabouts,
) -> Answer {
    match ask(machine, method, params, way, whereabouts).await {
        Ok(body) => redacted(machine, &way.route, body).await,
        Err(error) => Answer::Error(error),
    }
}

async fn ask(
    machine: &Machine,
    method: &'static str,
    params: &Bytes,
    way: &Way,
    whereabouts: &mut Whereabouts,
) -> Result<Body, Bytes> {
    let own = with_text(params, &way.span, &way.route.own);
    let request = Request {
        backend: way.route.backend,
        method: method.into(),
        progress: progress_token(&own),
        params: Some(own),
        may_repeat: true,
        deadline: Instant::now() + machine.settings.call_budget,
    };
    forward(machine, &request, whereabouts).await.map_err(|failure| failure.error(&way.route.id))
}

pub(super) fn with_text(params: &Bytes, span: &Range<usize>, text: &str) -> Bytes {
    if skim::string(&params[span.clone()]).as_deref() == Some(text) {
        return params.clone();
    }
    let mut raw = Vec::new();
    write::string(&mut raw, text);
    splice(params, &[(span.clone(), &raw)]).into()
}

async fn redacted(machine: &Machine, route: &Route, body: Body) -> Answer {
    let carrier = if matches!(body, Body::Error(_)) { Carrier::Error } else { Carrier::Content };
    masked(machine, &route.id, carrier, body).await
}

/// The answer of the backend `id`, masked.
pub(super) async fn masked(machine: &Machine, id: &Arc<str>, carrier: Carrier, body: Body) -> Answer {
    let (json, is_error) = match body {
        Body::Result(result) => (result, false),
        Body::Error(error) => (error, true),
    };
    let subject = Subject { backend: id.clone(), tool: None, carrier, obliged: false, decision: None };
    match machine.redactor.redact(&subject, json).await {
        Ok(redacted) if is_error => Answer::Error(well_formed(&redacted.json)),
        Ok(redacted) => Answer::Result(redacted.json),
        Err(why) => Answer::Error(withheld(&why)),
    }
}

/// The error in place of an answer that must not be passed on.
pub(super) fn withheld(why: &Withheld) -> Bytes {
    let error = ErrorObject::new(UNAVAILABLE, format!("the answer is withheld: {}", why.reason));
    error.text("outcome", "withheld").into_bytes()
}

/// Reads from the owner of the URI; a URI that nobody claims is tried at every backend that has resources, since
/// tools return links to resources that no list mentions.
async fn read(machine: &Machine, params: Bytes, whereabouts: &mut Whereabouts) -> Answer {
    let Some((uri, span)) = text(&params, &["uri"]) else {
        return Answer::Error(ErrorObject::new(INVALID_PARAMS, "\"uri\" is missing").into_bytes());
    };
    if let Some(route) = owner(machine, &uri).await {
        let way = Way { route, span };
        return match ask(machine, "resources/read", &params, &way, whereabouts).await {
            Ok(body) => redacted(machine, &way.route, under_exposed_uri(&way.route, body)).await,
            Err(error) => Answer::Error(error),
        };
    }
    let deadline = Instant::now() + machine.settings.call_budget;
    for route in with_resources(machine, &uri) {
        if Instant::now() >= deadline {
            break;
        }
        let way = Way { route, span: span.clone() };
        if let Ok(Body::Result(result)) = ask(machine, "resources/read", &params, &way, whereabouts).await {
            return redacted(machine, &way.route, Body::Result(result)).await;
        }
    }
    let error = ErrorObject::new(RESOURCE_NOT_FOUND, format!("unknown resource {uri:?}"));
    Answer::Error(error.text("uri", &uri).into_bytes())
}

fn with_resources(machine: &Machine, uri: &str) -> Vec<Route> {
    let directory = machine.directory.borrow().clone();
    let offers = |standing: &crate::directory::Standing| {
        standing.catalogue.as_ref().is_some_and(|catalogue| catalogue.can(&["resources"]))
    };
    let is_up = |standing: &crate::directory::Standing| matches!(standing.state, State::Up(_));
    let any_up = directory.standings.iter().any(|standing| offers(standing) && is_up(standing));
    // While a backend that could know is up, nobody waits for one that is away.
    let positions = directory
        .standings
        .iter()
        .enumerate()
        .filter(|(_, standing)| offers(standing) && (is_up(standing) || !any_up));
    positions
        .map(|(backend, standing)| Route {
            backend,
            id: standing.id.clone(),
            own: uri.into(),
            exposed: uri.into(),
            hints: crate::call::Hints::default(),
        })
        .collect()
}

/// A resource that is exposed under another URI answers with that one.
pub(super) fn under_exposed_uri(route: &Route, body: Body) -> Body {
    let Body::Result(result) = &body else { return body };
    if route.own == route.exposed {
        return body;
    }
    let Some(contents) = skim::member(result, "contents") else { return body };
    let mut exposed = Vec::new();
    write::string(&mut exposed, &route.exposed);
    let mut spans: Vec<(Range<usize>, &[u8])> = Vec::new();
    skim::elements(&result[contents.clone()], |element| {
        let at = contents.start + element.start;
        if let Some(uri) = skim::member(&result[at..contents.start + element.end], "uri")
            && skim::string(&result[at + uri.start..at + uri.end]).as_deref() == Some(&*route.own)
        {
            spans.push((at + uri.start..at + uri.end, &exposed));
        }
    });
    Body::Result(splice(result, &spans).into())
}

async fn subscribe(
    machine: &Machine,
    method: &'static str,
    params: Bytes,
    whereabouts: &mut Whereabouts,
) -> Answer {
    let Some((uri, span)) = text(&params, &["uri"]) else {
        return Answer::Error(ErrorObject::new(INVALID_PARAMS, "\"uri\" is missing").into_bytes());
    };
    let Some(route) = owner(machine, &uri).await else {
        let error = ErrorObject::new(RESOURCE_NOT_FOUND, format!("unknown resource {uri:?}"));
        return Answer::Error(error.text("uri", &uri).into_bytes());
    };
    let way = Way { route, span };
    subscribed_to(machine, method, &way.route);
    let answer = send(machine, method, &params, &way, whereabouts).await;
    if method == "resources/subscribe" && !matches!(answer, Answer::Result(_)) {
        machine.front.unsubscribe(&uri);
    }
    answer
}

/// Notes what a request of the client's makes of its subscriptions, before it is sent: an update may overtake the answer.
pub(super) fn subscribed_to(machine: &Machine, method: &str, route: &Route) {
    match method {
        "resources/subscribe" => machine.front.subscribe(&route.exposed, &route.id, &route.own),
        "resources/unsubscribe" => machine.front.unsubscribe(&route.exposed),
        _ => {}
    }
}

/// Remembered for backends that start later, passed on to those that are up and log.
fn set_level(machine: &Machine, params: Bytes) -> Answer {
    let level = text(&params, &["level"]).map(|(level, _)| level).unwrap_or_default();
    if !LEVELS.contains(&level.as_str()) {
        let error = ErrorObject::new(
            INVALID_PARAMS,
            format!("unknown log level {level:?}; one of {}", LEVELS.join(", ")),
        );
        return Answer::Error(error.into_bytes());
    }
    machine.front.set_log_level(params.clone());
    let directory = machine.directory.borrow().clone();
    for standing in &directory.standings {
        let logs = standing.catalogue.as_ref().is_some_and(|catalogue| catalogue.can(&["logging"]));
        if let (State::Up(handle), true) = (&standing.state, logs) {
            machine.flows.spawn(tell_level(machine.clone(), handle.clone(), params.clone()));
        }
    }
    Answer::Result(Bytes::from_static(b"{}"))
}

/// The client has its answer already; a backend that refuses the level is only noted.
async fn tell_level(machine: Machine, handle: BackendHandle, params: Bytes) {
    let number = machine.next_number();
    let sent = handle.forward(number, "logging/setLevel", Some(params), None, Activity::default());
    let refused = match sent {
        Ok(answer) => match tokio::time::timeout(machine.settings.call_budget, answer).await {
            Ok(Ok(Ok(Body::Result(_)))) => return,
            Ok(Ok(Ok(Body::Error(error)))) => message_of(&error),
            Ok(_) => "it went away".into(),
            Err(_) => {
                handle.cancel(number, "no answer in time");
                "no answer in time".into()
            }
        },
        Err(error) => error.to_string(),
    };
    tracing::warn!(backend = %handle.id, "did not take the log level: {refused}");
}

/// A request that the gate answers by itself, after waiting for something.
pub async fn answer_with(
    machine: &Machine,
    slot: ReplySlot,
    cancelled: oneshot::Receiver<()>,
    answer: impl Future<Output = Answer>,
) {
    let answer = tokio::select! {
        biased;
        answer = answer => answer,
        Ok(()) = cancelled => Answer::Silence,
        () = machine.abort.cancelled() => Answer::Silence,
    };
    slot.end(answer);
}
