//! Event streams: reading one, remembering where to go on, and the GET stream that stays open.

use super::Incoming;
use super::answer::{self, BodyKind};
use super::exchange::Exchange;
use super::limits::{BACKOFF_MAX, READ_BUFFER_BYTES, RETRY_DEFAULT, RETRY_MAX, RETRY_MIN, STREAM_IDLE};
use super::link::Link;
use super::session::Ticket;
use crate::wire::sse::{Event, SseParser};
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};
use ureq::http::{HeaderValue, StatusCode};
use ureq::{Body, http::Response};

/// Where a stream goes on when it is opened again.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub(super) last_event_id: Option<HeaderValue>,
    retry: Option<Duration>,
}

impl Place {
    fn take_from(&mut self, parser: &SseParser) {
        if let Some(id) = parser.last_event_id() {
            self.last_event_id = HeaderValue::from_bytes(id).ok();
        }
        if let Some(retry) = parser.retry() {
            self.retry = Some(retry.clamp(RETRY_MIN, RETRY_MAX));
        }
    }

    /// How long to wait before opening again: what the server asked for, doubled with every failure in a row.
    pub(super) fn pause(&self, failures: u32) -> Duration {
        let retry = self.retry.unwrap_or(RETRY_DEFAULT);
        let doubled = retry.saturating_mul(1 << failures.saturating_sub(1).min(10));
        doubled.min(BACKOFF_MAX).max(retry)
    }
}

/// How one stream ended.
#[derive(Debug)]
pub(super) enum StreamEnd {
    /// The answer of the request came.
    Answered,
    /// Nobody wants it any more.
    Stopped,
    /// The server or the network ended it.
    Ended {
        /// At least one event came.
        had_events: bool,
        /// The error, unless it ended as streams do.
        error: Option<std::io::Error>,
    },
    /// An event was larger than the limit.
    TooLarge,
}

/// Reads one stream to its end, delivering its messages. With a `request`, its answer is the last thing of interest.
pub(super) fn read_events(
    link: &Link,
    exchange: &Arc<Exchange>,
    response: Response<Body>,
    place: &mut Place,
    request: Option<u64>,
) -> StreamEnd {
    let mut reader = response.into_body().into_reader();
    let mut parser = SseParser::new(link.limits.max_body);
    let mut buffer = vec![0; READ_BUFFER_BYTES];
    let mut had_events = false;
    loop {
        let piece = match reader.read(&mut buffer) {
            // A shut-down socket looks like the end of a stream too.
            _ if exchange.is_over() => return StreamEnd::Stopped,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return StreamEnd::Ended { had_events, error: Some(error) },
            Ok(0) => return StreamEnd::Ended { had_events, error: None },
            Ok(len) => &buffer[..len],
        };
        let mut events = Vec::new();
        let fed = parser.feed(piece, |event| events.push(event));
        had_events |= !events.is_empty();
        for event in events {
            match deliver_event(link, exchange, event, request) {
                Delivered::Answer => return linger(link, exchange, &mut reader, &mut buffer),
                Delivered::Other => {}
                Delivered::Unwanted => return StreamEnd::Stopped,
            }
        }
        if fed.is_err() {
            return StreamEnd::TooLarge;
        }
        place.take_from(&parser);
    }
}

enum Delivered {
    Answer,
    Other,
    Unwanted,
}

fn deliver_event(link: &Link, exchange: &Exchange, event: Event, request: Option<u64>) -> Delivered {
    if event.data.is_empty() || !event.is_message() {
        return Delivered::Other;
    }
    let messages = match answer::messages(&event.data) {
        Ok(messages) => messages,
        Err(why) => {
            tracing::warn!(backend = %link.backend, why, "left out an event that could not be read");
            return Delivered::Other;
        }
    };
    let mut delivered = Delivered::Other;
    for message in messages {
        if request.is_some() && message.answers == request {
            delivered = Delivered::Answer;
        }
        if !link.deliver(exchange, Incoming::Message { during: request, json: message.json }) {
            return Delivered::Unwanted;
        }
    }
    delivered
}

/// Reads the few bytes between the answer and the end of its stream, so that the connection can be used again.
fn linger(link: &Link, exchange: &Arc<Exchange>, reader: &mut impl Read, buffer: &mut [u8]) -> StreamEnd {
    link.linger(exchange);
    while !exchange.is_over() && matches!(reader.read(buffer), Ok(1..)) {}
    link.linger_no_more(exchange);
    StreamEnd::Answered
}

/// What to do after one attempt at the GET stream.
enum Next {
    /// Open it again after a pause.
    Again,
    /// There is no stream to be had.
    Stop,
}

/// The GET stream of a session, opened again until the session or the connection ends (MCP 2025-11-25, "Listening
/// for Messages from the Server").
pub(super) struct GetStream<'a> {
    link: &'a Link,
    exchange: &'a Arc<Exchange>,
    ticket: Ticket,
    place: Place,
    /// [`Incoming::StreamReady`] has been told.
    told: bool,
    /// The stream was up at least once.
    was_up: bool,
    failures: u32,
}

impl<'a> GetStream<'a> {
    pub(super) fn new(link: &'a Link, exchange: &'a Arc<Exchange>) -> Self {
        Self {
            link,
            exchange,
            ticket: link.session.ticket(),
            place: Place::default(),
            told: false,
            was_up: false,
            failures: 0,
        }
    }

    pub(super) fn run(mut self) {
        while matches!(self.attempt(), Next::Again) {
            if !self.exchange.pause(self.place.pause(self.failures)) {
                return;
            }
        }
    }

    fn tell_ready(&mut self) {
        if !std::mem::replace(&mut self.told, true) {
            self.link.deliver(self.exchange, Incoming::StreamReady);
        }
    }

    fn attempt(&mut self) -> Next {
        let id = self.place.last_event_id.as_ref();
        let opened = self.link.endpoint.get(&self.ticket, id, Some(STREAM_IDLE));
        if self.exchange.is_over() {
            return Next::Stop;
        }
        match opened {
            Ok(response) if response.status().is_success() => self.read(response),
            Ok(response) => self.refused(response.status()),
            Err(error) => {
                tracing::debug!(backend = %self.link.backend, %error, "the GET stream did not open");
                self.failures += 1;
                self.tell_ready();
                Next::Again
            }
        }
    }

    fn read(&mut self, response: Response<Body>) -> Next {
        self.tell_ready();
        if answer::body_kind(response.headers()) != BodyKind::Events {
            tracing::debug!(backend = %self.link.backend, "the answer to GET is no event stream");
            return Next::Stop;
        }
        self.was_up = true;
        let since = Instant::now();
        let end = read_events(self.link, self.exchange, response, &mut self.place, None);
        let had_events = match end {
            StreamEnd::Ended { had_events, .. } => had_events,
            StreamEnd::TooLarge => {
                tracing::warn!(backend = %self.link.backend, "left out an event above the limit; raise the setting for the longest line");
                // The same event would come again.
                self.place.last_event_id = None;
                false
            }
            StreamEnd::Stopped | StreamEnd::Answered => return Next::Stop,
        };
        // A server that takes the stream and ends it at once is not asked every second for ever.
        let was_of_use = had_events || since.elapsed() >= BACKOFF_MAX;
        self.failures = if was_of_use { 0 } else { self.failures + 1 };
        Next::Again
    }

    fn refused(&mut self, status: StatusCode) -> Next {
        // A 404 on the first attempt comes from a server that has only a route for POST: the session was accepted
        // a moment ago.
        if status == StatusCode::NOT_FOUND && self.was_up && self.ticket.id.is_some() {
            self.link.session_gone(self.exchange, &self.ticket, None);
            return Next::Stop;
        }
        self.tell_ready();
        let again = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
        if again && status != StatusCode::NOT_IMPLEMENTED {
            self.failures += 1;
            return Next::Again;
        }
        if status != StatusCode::METHOD_NOT_ALLOWED {
            tracing::info!(backend = %self.link.backend, status = status.as_u16(), "no GET stream: refused");
        }
        Next::Stop
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_follows_the_server_and_doubles_with_failures() {
        let place = |retry: Option<u64>| {
            let mut place = Place::default();
            if let Some(retry) = retry {
                let mut parser = SseParser::new(100);
                parser.feed(format!("retry: {retry}\n").as_bytes(), |_| ()).unwrap();
                place.take_from(&parser);
            }
            place
        };
        let pauses = |retry| [0, 1, 2, 3, 99].map(|failures| place(retry).pause(failures).as_millis());
        assert_eq!(pauses(None), [1000, 1000, 2000, 4000, 30_000]);
        assert_eq!(pauses(Some(250)), [250, 250, 500, 1000, 30_000]);
        assert_eq!(pauses(Some(0))[0], RETRY_MIN.as_millis());
        assert_eq!(
            pauses(Some(45_000)),
            [45_000; 5],
            "a long wait that the server asked for is not cut short"
        );
        assert_eq!(pauses(Some(u64::MAX))[0], RETRY_MAX.as_millis());
    }

    #[test]
    fn an_id_that_no_header_takes_is_no_place_to_go_on() {
        let mut place = Place::default();
        let mut parser = SseParser::new(100);
        parser.feed(b"id: a\x01b\n\n", |_| ()).unwrap();
        place.take_from(&parser);
        assert_eq!(place.last_event_id, None);
    }
}
