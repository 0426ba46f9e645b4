//! One POST: sending a message and making one ending of whatever comes back.

use super::answer::{self, BodyKind};
use super::endpoint::{self, SESSION_ID};
use super::exchange::Exchange;
use super::limits::{NOTICE_DEADLINE, REFUSAL_BYTES, RESUME_ATTEMPTS};
use super::link::Link;
use super::session::{self, Ticket};
use super::stream::{Place, StreamEnd, read_events};
use super::{Executed, Incoming, Kind, Outgoing};
use bytes::Bytes;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use ureq::http::{Response, StatusCode};
use ureq::{Body, Error};

/// Sends `out` and delivers its one ending. Runs on a thread of its own until then.
pub(super) fn run(link: &Link, exchange: &Arc<Exchange>, out: &Outgoing) {
    let post = Post { link, exchange, out };
    let ended = catch_unwind(AssertUnwindSafe(|| exchange.scope(|| post.perform())));
    let end = ended.unwrap_or_else(|_| post.failed(Executed::Possibly, "internal error".to_owned()));
    if let Some(end) = end {
        link.deliver(exchange, end);
    }
}

/// The ending still to be told; `None` when it has been delivered, or nobody wants it.
type End = Option<Incoming>;

struct Post<'a> {
    link: &'a Link,
    exchange: &'a Arc<Exchange>,
    out: &'a Outgoing,
}

impl Post<'_> {
    fn perform(&self) -> End {
        let (ticket, budget) = match self.out.kind {
            Kind::Initialize(_) => (Ticket::default(), None),
            Kind::Request(_) => (self.link.session.ticket(), None),
            Kind::Initialized | Kind::Notice => (self.link.session.ticket(), Some(NOTICE_DEADLINE)),
        };
        if self.exchange.is_over() {
            return None;
        }
        if ticket.is_lost {
            return Some(Incoming::SessionGone { what: Some(self.out.kind), renew: false });
        }
        let response = match self.link.endpoint.post(&ticket, &self.out.line, budget) {
            Ok(response) => response,
            Err(error) => return self.without_answer(&error),
        };
        if !response.status().is_success() {
            return self.refused(response, &ticket);
        }
        match self.out.kind {
            Kind::Initialized => Some(Incoming::Accepted),
            Kind::Notice => None,
            Kind::Request(id) => self.read(response, &ticket, id),
            Kind::Initialize(id) => match session::session_id(response.headers().get(SESSION_ID)) {
                Ok(session) => {
                    self.link.session.begin(session);
                    self.read(response, &self.link.session.ticket(), id)
                }
                Err(why) => self.failed(Executed::Possibly, why),
            },
        }
    }

    fn failed(&self, executed: Executed, why: String) -> End {
        self.failed_with(executed, why, None, None)
    }

    fn failed_with(
        &self,
        executed: Executed,
        why: String,
        server_said: Option<String>,
        retry_after: Option<Duration>,
    ) -> End {
        Some(Incoming::Failed { what: self.out.kind, executed, why, server_said, retry_after })
    }

    fn without_answer(&self, error: &Error) -> End {
        if self.exchange.is_over() {
            return None;
        }
        let origin = self.link.endpoint.origin();
        if self.exchange.may_have_arrived() {
            return self.failed(Executed::Possibly, format!("no answer from {origin}: {}", cause(error)));
        }
        let why = format!("cannot reach {origin}: {}", cause(error));
        Some(Incoming::NotSent { what: self.out.kind, why })
    }

    fn refused(&self, response: Response<Body>, ticket: &Ticket) -> End {
        let (head, body) = response.into_parts();
        let (status, kind) = (head.status, self.out.kind);
        let mut text = Vec::new();
        // Whatever could be read may say more; the status alone says enough.
        let _ = body.into_reader().take(REFUSAL_BYTES as u64).read_to_end(&mut text);
        if self.exchange.is_over() {
            return None;
        }
        let body = answer::refusal_body(&Bytes::from(text), kind);
        if ticket.id.is_some() && answer::is_session_gone(status, &body) {
            self.link.session_gone(self.exchange, ticket, Some(kind));
            return None;
        }
        if let Some(message) = body.answer {
            return Some(Incoming::Message { during: kind.request(), json: message.json });
        }
        let why =
            answer::refusal(status, self.link.endpoint.origin(), || endpoint::redirect_target(&head.headers));
        let retry_after = answer::retry_after(&head.headers, SystemTime::now());
        self.failed_with(answer::executed(status), why, body.said, retry_after)
    }

    fn read(&self, response: Response<Body>, ticket: &Ticket, id: u64) -> End {
        match answer::body_kind(response.headers()) {
            BodyKind::Events => self.read_events(response, ticket, id),
            BodyKind::Json => self.read_json(response, id),
            BodyKind::Other => self.failed(
                Executed::Possibly,
                format!(
                    "{} answered with neither JSON nor events; check \"url\"",
                    self.link.endpoint.origin()
                ),
            ),
        }
    }

    fn read_json(&self, response: Response<Body>, id: u64) -> End {
        let limit = self.link.limits.max_body;
        let mut body = Vec::new();
        let read = response.into_body().into_reader().take(limit as u64 + 1).read_to_end(&mut body);
        if self.exchange.is_over() {
            return None;
        }
        if let Err(error) = read {
            return self.unreadable(&format!("it broke off: {}", cause(&error.into())));
        }
        if body.len() > limit {
            return self.too_large();
        }
        let messages = match answer::messages(&Bytes::from(body)) {
            Ok(messages) => messages,
            Err(why) => return self.unreadable(&why),
        };
        let mut answered = false;
        for message in messages {
            answered |= message.answers == Some(id);
            if !self.link.deliver(self.exchange, Incoming::Message { during: Some(id), json: message.json }) {
                return None;
            }
        }
        if answered { None } else { self.unreadable("it has no response to the request's id") }
    }

    fn unreadable(&self, why: &str) -> End {
        let origin = self.link.endpoint.origin();
        self.failed(Executed::Possibly, format!("the answer of {origin} could not be read: {why}"))
    }

    fn too_large(&self) -> End {
        let limit = self.link.limits.max_body;
        self.unreadable(&format!("it has more than {limit} bytes; raise the setting for the longest line"))
    }

    fn read_events(&self, response: Response<Body>, ticket: &Ticket, id: u64) -> End {
        let mut place = Place::default();
        match read_events(self.link, self.exchange, response, &mut place, Some(id)) {
            StreamEnd::Answered | StreamEnd::Stopped => None,
            StreamEnd::TooLarge => self.too_large(),
            StreamEnd::Ended { error, .. } if place.last_event_id.is_none() => self.broken_off(error),
            StreamEnd::Ended { .. } => self.resume(ticket, place, id),
        }
    }

    fn broken_off(&self, error: Option<std::io::Error>) -> End {
        let why = error.map_or_else(String::new, |error| format!(": {}", cause(&error.into())));
        self.unreadable(&format!("the stream ended without it{why}"))
    }

    /// Goes on with a stream that ended before the answer came, where the server gave ids to go on from (MCP
    /// 2025-11-25, "Resumability and Redelivery"). Bounded by failures in a row, not in time: a server may end the
    /// stream of a long call as often as it likes, and the caller takes the request back when its time is over.
    fn resume(&self, ticket: &Ticket, mut place: Place, id: u64) -> End {
        let mut failures = 0;
        while failures < RESUME_ATTEMPTS {
            if !self.exchange.pause(place.pause(failures)) {
                return None;
            }
            let opened = self.link.endpoint.get(ticket, place.last_event_id.as_ref(), None);
            if self.exchange.is_over() {
                return None;
            }
            failures += 1;
            match opened {
                Ok(response) if answer::body_kind(response.headers()) == BodyKind::Events => {
                    match read_events(self.link, self.exchange, response, &mut place, Some(id)) {
                        StreamEnd::Answered | StreamEnd::Stopped => return None,
                        StreamEnd::TooLarge => return self.too_large(),
                        StreamEnd::Ended { had_events, .. } if had_events => failures = 0,
                        StreamEnd::Ended { .. } => {}
                    }
                }
                Ok(response) if response.status().is_server_error() => {}
                Ok(response) => return self.cannot_resume(response.status(), ticket),
                Err(_) => {}
            }
        }
        self.unreadable(&format!("the stream broke and could not be resumed in {RESUME_ATTEMPTS} attempts"))
    }

    fn cannot_resume(&self, status: StatusCode, ticket: &Ticket) -> End {
        if status == StatusCode::NOT_FOUND && ticket.id.is_some() {
            self.link.session_gone(self.exchange, ticket, None);
        }
        self.unreadable(&format!(
            "the stream broke, and resuming it was refused with HTTP {}",
            status.as_u16()
        ))
    }
}

/// What went wrong below HTTP, without a word of what was sent.
fn cause(error: &Error) -> String {
    match error {
        Error::HostNotFound => "the host name does not resolve; check \"url\"".to_owned(),
        Error::Timeout(ureq::Timeout::Resolve) => "resolving the host name took too long".to_owned(),
        Error::Timeout(ureq::Timeout::Connect) => "connecting took too long".to_owned(),
        Error::Timeout(_) => "the time ran out".to_owned(),
        Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            "connection refused; is the server running?".to_owned()
        }
        Error::Io(error) => error.to_string(),
        Error::BadUri(_) | Error::RequireHttpsOnly(_) => {
            "the address was not accepted; check \"url\"".to_owned()
        }
        error => error.to_string(),
    }
}
