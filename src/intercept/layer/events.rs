//! Event streams on their way to the client: taken apart into events, each message masked, everything else as it came.

use super::super::Interceptor;
use super::LayerSettings;
use super::refuse::{data, push_data};
use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use callgate_actors::flow::outside::Errand;
use callgate_actors::ports::Carrier;
use callgate_actors::reply::Answer;
use callgate_actors::wire::envelope::{self, Body as Answered, Message};
use callgate_actors::wire::sse::SseParser;
use callgate_actors::wire::write::Line;
use http_body_util::BodyExt;
use hyper::body::Frame;
use serde_json::Value;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Who looks at every message of an answer.
pub(super) struct Guard {
    /// The raw id of the request that is answered; `None` on a stream that belongs to none.
    pub(super) id: Option<Bytes>,
    /// The call that is answered.
    pub(super) errand: Option<Errand>,
    pub(super) interceptor: Interceptor,
    /// The request has its answer.
    is_answered: bool,
}

impl Guard {
    pub(super) fn new(settings: &LayerSettings, id: Option<Bytes>, errand: Option<Errand>) -> Self {
        Self { id, errand, interceptor: settings.interceptor.clone(), is_answered: false }
    }

    /// The message as it may pass; `None` when it must not, and nobody waits for it. An error says why the answer that
    /// somebody waits for cannot be masked.
    pub(super) async fn message(&mut self, text: Bytes) -> Result<Option<Line>, String> {
        let Some(message) = envelope::read_backend(&text) else {
            return Err("it is no JSON-RPC message".into());
        };
        Ok(match message {
            Message::Response { id, body } => self.answer(id, body).await?,
            Message::Notification { method, params } => {
                let params = self.params(Carrier::Notice, params).await;
                params.map(|params| Line::notification(&method, params))
            }
            Message::Request { id, method, params } => {
                if !is_whole(&id) {
                    return Err("a message has no id that can be read".into());
                }
                let params = self.params(Carrier::ClientRequest, params).await;
                params.map(|params| Line::request(&id, &method, params))
            }
        })
    }

    async fn answer(&mut self, id: Bytes, body: Answered) -> Result<Option<Line>, String> {
        if self.id.as_ref().is_some_and(|own| is_same(own, &id)) {
            self.is_answered = true;
        }
        if self.is_answered
            && let Some(errand) = self.errand.take()
        {
            let id = self.id.clone().unwrap_or(id);
            return Ok(match errand.answer(body).await {
                Answer::Result(result) => Some(Line::result(&id, result)),
                Answer::Error(error) => Some(Line::error(&id, error)),
                Answer::Silence => None,
            });
        }
        if !is_whole(&id) {
            return Err("an answer has no id that can be read".into());
        }
        let (Answered::Result(json) | Answered::Error(json)) = &body;
        let masked = self.redact_unknown(Carrier::ToolResult, json.clone()).await;
        let masked = masked.map_err(|withheld| withheld.reason)?;
        Ok(Some(match body {
            Answered::Result(_) => Line::result(&id, masked),
            Answered::Error(_) => Line::error(&id, masked),
        }))
    }

    /// `None` when they cannot be masked: the message is kept back then.
    async fn params(&self, carrier: Carrier, params: Option<Bytes>) -> Option<Option<Bytes>> {
        let Some(params) = params else { return Some(None) };
        let masked = match &self.errand {
            Some(errand) => errand.redact(carrier, params).await,
            None => self.redact_unknown(carrier, params).await,
        };
        match masked {
            Ok(masked) => Some(Some(masked)),
            Err(withheld) => {
                tracing::warn!(reason = withheld.reason, "a message of the handler was kept back");
                None
            }
        }
    }
}

/// Whether two raw ids are the same value.
fn is_same(own: &[u8], other: &[u8]) -> bool {
    let read = |raw| serde_json::from_slice::<Value>(raw).ok();
    own == other || read(own).is_some_and(|own| read(other) == Some(own))
}

/// Whether a raw id is JSON by itself, so that nothing stands behind it.
fn is_whole(id: &[u8]) -> bool {
    id == b"null" || (envelope::is_id(id) && serde_json::from_slice::<serde::de::IgnoredAny>(id).is_ok())
}

/// A stream with every message masked. Events of at most `limit` bytes.
pub(super) fn masked(guard: Guard, body: Body, limit: usize) -> Body {
    let stream = Stream { guard: Some(guard), body, blocks: Blocks::new(limit), limit };
    Body::new(Steps { next: Some(Box::pin(stream.next())) })
}

struct Stream {
    /// Gone when the stream has to end.
    guard: Option<Guard>,
    body: Body,
    blocks: Blocks,
    limit: usize,
}

type Step = (Stream, Option<Result<Bytes, BoxError>>);

impl Stream {
    /// The next bytes for the client.
    async fn next(mut self) -> Step {
        loop {
            if self.guard.is_none() {
                return (self, None);
            }
            let piece = match self.body.frame().await {
                None => return (self, None),
                Some(Err(error)) => return (self, Some(Err(error.into()))),
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            };
            let mut out = Vec::new();
            match self.blocks.feed(&piece) {
                Err(()) => {
                    let why = format!("an event is longer than {} bytes", self.limit);
                    self.withhold(&mut out, why).await;
                }
                Ok(blocks) => {
                    for block in blocks {
                        self.block(&mut out, &block).await;
                    }
                }
            }
            if !out.is_empty() {
                return (self, Some(Ok(out.into())));
            }
        }
    }

    /// One event with all its lines.
    async fn block(&mut self, out: &mut Vec<u8>, block: &[u8]) {
        let Some(guard) = &mut self.guard else { return };
        let mut event = None;
        let parsed = SseParser::new(self.limit).feed(block, |found| event = Some(found));
        let event = match (parsed, event) {
            (Err(_), _) => return self.withhold(out, "an event is too long".into()).await,
            (Ok(()), None) => return out.extend_from_slice(block),
            (Ok(()), Some(event)) => event,
        };
        if event.data.is_empty() {
            return out.extend_from_slice(block);
        }
        // Clients pass over events of other types; nobody knows what is in them.
        if !event.is_message() {
            return;
        }
        match guard.message(event.data).await {
            Ok(Some(line)) => {
                push_other_lines(out, block);
                push_data(out, &line.to_bytes());
                out.push(b'\n');
            }
            Ok(None) => {}
            Err(why) => self.withhold(out, why).await,
        }
    }

    /// The answer cannot be masked: its error is the last that is sent.
    async fn withhold(&mut self, out: &mut Vec<u8>, why: String) {
        let Some(guard) = self.guard.take() else { return };
        // Whoever waits for nothing here is told nothing.
        if guard.id.is_none() || guard.is_answered {
            return;
        }
        let (id, error) = guard.withhold(format!("the answer cannot be masked: {why}")).await;
        out.extend_from_slice(&data(&Line::error(&id, error).to_bytes()));
    }
}

/// What an event says beside its data: type, id, reconnection time, comments.
fn push_other_lines(out: &mut Vec<u8>, block: &[u8]) {
    for line in block.split(|byte| matches!(byte, b'\n' | b'\r')) {
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        if !line.is_empty() && name != b"data" {
            out.extend_from_slice(line);
            out.push(b'\n');
        }
    }
}

/// Cuts a stream behind each blank line.
struct Blocks {
    limit: usize,
    block: Vec<u8>,
    line: usize,
    after_return: bool,
}

impl Blocks {
    fn new(limit: usize) -> Self {
        Self { limit, block: Vec::new(), line: 0, after_return: false }
    }

    /// The blocks that this piece completes. An error says that one is too long.
    fn feed(&mut self, piece: &[u8]) -> Result<Vec<Vec<u8>>, ()> {
        let mut whole = Vec::new();
        for byte in piece {
            let ends_return = std::mem::replace(&mut self.after_return, *byte == b'\r') && *byte == b'\n';
            // The blank line was complete with the carriage return; its line feed says nothing more.
            if ends_return && self.block.is_empty() {
                continue;
            }
            self.block.push(*byte);
            match byte {
                _ if ends_return => {}
                b'\n' | b'\r' if self.line == 0 => whole.push(std::mem::take(&mut self.block)),
                b'\n' | b'\r' => self.line = 0,
                _ => self.line += 1,
            }
            // The names of the fields and the rest of an event's lines have room, too.
            if self.block.len() > self.limit.saturating_mul(2) {
                return Err(());
            }
        }
        Ok(whole)
    }
}

/// A body whose next frame is a future.
struct Steps {
    next: Option<Pin<Box<dyn Future<Output = Step> + Send>>>,
}

impl HttpBody for Steps {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(next) = &mut self.next else { return Poll::Ready(None) };
        let (stream, bytes) = ready!(next.as_mut().poll(context));
        let is_last = !matches!(bytes, Some(Ok(_)));
        self.next = (!is_last).then(|| Box::pin(stream.next()) as _);
        Poll::Ready(bytes.map(|bytes| bytes.map(Frame::data)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn blocks(pieces: &[&[u8]]) -> Vec<String> {
        let mut blocks = Blocks::new(1 << 20);
        let found = pieces.iter().flat_map(|piece| blocks.feed(piece).expect("short"));
        found.map(|block| String::from_utf8_lossy(&block).into_owned()).collect()
    }

    #[test]
    fn a_stream_is_cut_behind_blank_lines() {
        assert_eq!(blocks(&[b"id: 1\ndata: a\n\ndata: b\n\ndata: c"]), ["id: 1\ndata: a\n\n", "data: b\n\n"]);
        assert_eq!(blocks(&[b"data: a\r\n\r\ndata: b\r\r"]), ["data: a\r\n\r", "data: b\r\r"]);
    }

    #[test]
    fn lines_beside_the_data_stay() {
        let mut out = Vec::new();
        push_other_lines(&mut out, b"\xef\xbb\xbfid: 7\r\nevent: message\r\ndata: {}\r\n: hi\r\n\r");
        assert_eq!(out, b"id: 7\nevent: message\n: hi\n");
    }

    #[test]
    fn ids_are_compared_as_values() {
        assert!(is_same(br#""a""#, br#""\u0061""#) && is_same(b"1", b"1"));
        assert!(!is_same(b"1", br#""1""#) && !is_same(b"1", b"2"));
        assert!(!is_whole(br#"1,"result":{}"#) && !is_whole(br#""a","b""#) && is_whole(br#""a""#));
    }

    proptest! {
        /// Cut anywhere, the same events come out: what the parser finds in the blocks is what it finds in the stream.
        #[test]
        fn blocks_hold_the_events_of_the_stream(
            lines in prop::collection::vec("(data|id|event|x)?:? ?[a-c{}]{0,4}(\n|\r|\r\n|\n\n|\r\r|\r\n\r\n)", 0..12),
            cut in 0usize..64,
        ) {
            let stream = lines.concat().into_bytes();
            let (one, other) = stream.split_at(cut.min(stream.len()));
            let mut expected = Vec::new();
            let mut parser = SseParser::new(1 << 20);
            parser.feed(&stream, |event| expected.push(event)).expect("short");
            let mut found = Vec::new();
            let mut cut = Blocks::new(1 << 20);
            for piece in [one, other] {
                for block in cut.feed(piece).expect("short") {
                    SseParser::new(1 << 20).feed(&block, |event| found.push(event)).expect("short");
                }
            }
            prop_assert_eq!(found, expected);
        }
    }
}
