//! An incremental parser of server-sent events that does no IO (WHATWG HTML standard, section "Server-sent
//! events", "Parsing an event stream" and "Interpreting an event stream").
//!
//! It works on bytes and does not decode UTF-8: line ends, field names and the colon are ASCII, and whoever reads
//! the data as JSON checks the text anyway.

use bytes::Bytes;
use memchr::{memchr, memchr2};
use std::time::Duration;

const BYTE_ORDER_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];
/// Longest event id that is kept; a longer one is taken as none, since no server would take it back in a header.
pub const MAX_EVENT_ID_BYTES: usize = 1024;

/// One event that the stream dispatched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The event type; empty stands for `message`.
    pub kind: Bytes,
    /// The data lines joined by one line feed. May be empty: MCP servers send such an event only for its id.
    pub data: Bytes,
}

impl Event {
    /// Whether the event is of the default type, the only one that MCP uses.
    pub fn is_message(&self) -> bool {
        self.kind.is_empty() || self.kind.as_ref() == b"message"
    }
}

/// A line or the data of one event outgrew the limit; the parser is of no use afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of more than {limit} bytes")]
pub struct EventTooLarge {
    /// The limit in bytes.
    pub limit: usize,
}

/// The state between two pieces of a stream. One parser per stream: a stream that is opened again needs a new one.
#[derive(Debug)]
pub struct SseParser {
    limit: usize,
    /// How many bytes of a byte order mark have been seen; `None` once the start of the stream is behind.
    mark: Option<usize>,
    /// The last line ended with a carriage return, so a line feed right after it belongs to that line end.
    after_return: bool,
    line: Vec<u8>,
    data: Vec<u8>,
    kind: Vec<u8>,
    id: Vec<u8>,
    last_event_id: Option<Vec<u8>>,
    retry: Option<Duration>,
}

impl SseParser {
    /// A parser for one stream whose lines and events may have up to `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            mark: Some(0),
            after_return: false,
            line: Vec::new(),
            data: Vec::new(),
            kind: Vec::new(),
            id: Vec::new(),
            last_event_id: None,
            retry: None,
        }
    }

    /// The id to resume after: that of the last event which was complete. `None` when the stream gave none or took
    /// it back with an empty one.
    pub fn last_event_id(&self) -> Option<&[u8]> {
        self.last_event_id.as_deref()
    }

    /// The reconnection time that the stream asked for.
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Takes the next piece of the stream and hands over every event that it completes, in order.
    pub fn feed(&mut self, bytes: &[u8], mut on_event: impl FnMut(Event)) -> Result<(), EventTooLarge> {
        let mut rest = self.skip_mark(bytes);
        while !rest.is_empty() {
            if std::mem::take(&mut self.after_return) && rest[0] == b'\n' {
                rest = &rest[1..];
                continue;
            }
            let Some(end) = memchr2(b'\r', b'\n', rest) else {
                return self.keep(rest);
            };
            self.after_return = rest[end] == b'\r';
            if self.line.is_empty() {
                self.check(end)?;
                self.take_line(&rest[..end], &mut on_event)?;
            } else {
                self.keep(&rest[..end])?;
                let line = std::mem::take(&mut self.line);
                self.take_line(&line, &mut on_event)?;
            }
            rest = &rest[end + 1..];
        }
        Ok(())
    }

    /// Leaves out one byte order mark at the very start, also when it comes in pieces.
    fn skip_mark<'a>(&mut self, mut bytes: &'a [u8]) -> &'a [u8] {
        while let (Some(seen), Some(&first)) = (self.mark, bytes.first()) {
            if first != BYTE_ORDER_MARK[seen] {
                self.line.extend_from_slice(&BYTE_ORDER_MARK[..seen]);
                self.mark = None;
                break;
            }
            bytes = &bytes[1..];
            self.mark = (seen + 1 < BYTE_ORDER_MARK.len()).then_some(seen + 1);
        }
        bytes
    }

    fn keep(&mut self, part: &[u8]) -> Result<(), EventTooLarge> {
        self.check(self.line.len() + part.len())?;
        self.line.extend_from_slice(part);
        Ok(())
    }

    fn check(&self, len: usize) -> Result<(), EventTooLarge> {
        if len > self.limit { Err(EventTooLarge { limit: self.limit }) } else { Ok(()) }
    }

    fn take_line(&mut self, line: &[u8], on_event: &mut impl FnMut(Event)) -> Result<(), EventTooLarge> {
        if line.is_empty() {
            self.dispatch(on_event);
            return Ok(());
        }
        let (name, value) = match memchr(b':', line) {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => {
                self.check(self.data.len() + value.len())?;
                self.data.extend_from_slice(value);
                self.data.push(b'\n');
            }
            b"event" => self.kind = value.to_vec(),
            b"id" if memchr(0, value).is_none() => self.id = value.to_vec(),
            b"retry" => self.take_retry(value),
            // A comment (an empty name), or a field that the standard does not know.
            _ => {}
        }
        Ok(())
    }

    fn take_retry(&mut self, value: &[u8]) {
        if !value.is_empty() && value.iter().all(u8::is_ascii_digit) {
            let millis = value
                .iter()
                .fold(0_u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
            self.retry = Some(Duration::from_millis(millis));
        }
    }

    /// The blank line. The id counts from here on, also when there is no data and so no event.
    fn dispatch(&mut self, on_event: &mut impl FnMut(Event)) {
        let usable = !self.id.is_empty() && self.id.len() <= MAX_EVENT_ID_BYTES;
        self.last_event_id = usable.then(|| self.id.clone());
        let kind = std::mem::take(&mut self.kind);
        let mut data = std::mem::take(&mut self.data);
        if data.pop().is_some() {
            on_event(Event { kind: kind.into(), data: data.into() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a stream leaves behind: its events, the id to resume after, and the reconnection time.
    #[derive(Debug, PartialEq, Eq)]
    struct Seen {
        events: Vec<(String, String)>,
        id: Option<Vec<u8>>,
        retry: Option<Duration>,
    }

    fn parse(pieces: &[&[u8]]) -> Seen {
        let mut parser = SseParser::new(1 << 16);
        let mut events = Vec::new();
        for piece in pieces {
            parser
                .feed(piece, |event| {
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    events.push((text(&event.kind), text(&event.data)));
                })
                .unwrap();
        }
        Seen { events, id: parser.last_event_id().map(<[u8]>::to_vec), retry: parser.retry() }
    }

    fn data_of(stream: &str) -> Vec<String> {
        parse(&[stream.as_bytes()]).events.into_iter().map(|(_, data)| data).collect()
    }

    /// The standard's words followed to the letter over the whole text: the oracle of the incremental parser.
    fn oracle(stream: &[u8]) -> Seen {
        let stream = stream.strip_prefix(&BYTE_ORDER_MARK).unwrap_or(stream);
        let mut lines = Vec::new();
        let mut line = Vec::new();
        let mut at = 0;
        while at < stream.len() {
            match stream[at] {
                b'\r' => {
                    lines.push(std::mem::take(&mut line));
                    if stream.get(at + 1) == Some(&b'\n') {
                        at += 1;
                    }
                }
                b'\n' => lines.push(std::mem::take(&mut line)),
                byte => line.push(byte),
            }
            at += 1;
        }
        let (mut data, mut kind, mut id) = (Vec::new(), Vec::new(), Vec::new());
        let mut seen = Seen { events: Vec::new(), id: None, retry: None };
        for line in lines {
            if line.is_empty() {
                seen.id = (!id.is_empty()).then(|| id.clone());
                if !data.is_empty() {
                    data.pop();
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    seen.events.push((text(&kind), text(&data)));
                }
                data.clear();
                kind.clear();
                continue;
            }
            let colon = line.iter().position(|byte| *byte == b':');
            let name = &line[..colon.unwrap_or(line.len())];
            let value = colon.map_or(&[][..], |colon| &line[colon + 1..]);
            let value = if value.first() == Some(&b' ') { &value[1..] } else { value };
            if name == b"data" {
                data.extend_from_slice(value);
                data.push(b'\n');
            } else if name == b"event" {
                kind = value.to_vec();
            } else if name == b"id" && !value.contains(&0) {
                id = value.to_vec();
            } else if name == b"retry"
                && let Ok(text) = std::str::from_utf8(value)
                && !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_digit())
            {
                seen.retry = Some(Duration::from_millis(text.parse().unwrap_or(u64::MAX)));
            }
        }
        seen
    }

    #[test]
    fn every_line_end_ends_a_line() {
        for end in ["\n", "\r", "\r\n"] {
            let stream = ["event: tick", "data: a", "data:b", "", "data: c", "", ""].join(end);
            let seen = parse(&[stream.as_bytes()]);
            let expected = [("tick", "a\nb"), ("", "c")].map(|(k, d)| (k.to_owned(), d.to_owned()));
            assert_eq!(seen.events, expected, "line end {end:?}");
        }
    }

    #[test]
    fn the_standards_examples_hold() {
        assert_eq!(data_of("data: YHOO\ndata: +2\ndata: 10\n\n"), ["YHOO\n+2\n10"]);
        // The third block has no blank line after it, so it is no event.
        assert_eq!(data_of("data\n\ndata\ndata\n\ndata:"), ["", "\n"]);
        assert_eq!(data_of("data:test\n\ndata: test\n\n"), ["test", "test"]);
        let seen = parse(&[b": test stream\n\ndata: first\nid: 1\n\ndata:second\nid\n\ndata:  third\n\n"]);
        assert_eq!(
            seen.events.iter().map(|e| e.1.as_str()).collect::<Vec<_>>(),
            ["first", "second", " third"]
        );
        assert_eq!(seen.id, None, "an empty id takes the earlier one back");
    }

    #[test]
    fn an_id_counts_once_its_event_is_complete() {
        assert_eq!(parse(&[b"id: 7\ndata: x\n"]).id, None);
        assert_eq!(parse(&[b"id: 7\ndata:\n\n"]).id, Some(b"7".to_vec()));
        assert_eq!(parse(&[b"id: 7\n\nid: 8\0\n\n"]).id, Some(b"7".to_vec()), "an id with NUL is ignored");
        let long = format!("id: {}\n\n", "x".repeat(MAX_EVENT_ID_BYTES + 1));
        assert_eq!(parse(&[long.as_bytes()]).id, None);
    }

    #[test]
    fn retry_takes_digits_only() {
        assert_eq!(parse(&[b"retry: 250\n"]).retry, Some(Duration::from_millis(250)));
        for bad in ["retry: 2s\n", "retry:\n", "retry: -1\n", "retry:  5\n"] {
            assert_eq!(parse(&[bad.as_bytes()]).retry, None, "{bad:?}");
        }
        assert!(parse(&[format!("retry: {}\n", "9".repeat(40)).as_bytes()]).retry.is_some());
    }

    #[test]
    fn one_byte_order_mark_is_left_out() {
        let seen = parse(&[b"\xEF", b"\xBB", b"\xBFdata: x\n\n"]);
        assert_eq!(seen.events, [(String::new(), "x".to_owned())]);
        assert_eq!(parse(&[b"\xEF\xBB\xBF\xEF\xBB\xBFdata: x\n\n"]).events, []);
        assert_eq!(parse(&[b"\xEF\xBBdata: x\n\ndata: y\n\n"]).events.len(), 1);
    }

    #[test]
    fn an_event_or_a_line_over_the_limit_is_an_error() {
        let limit = EventTooLarge { limit: 16 };
        let feed = |pieces: &[&str]| {
            let mut parser = SseParser::new(16);
            pieces.iter().try_for_each(|piece| parser.feed(piece.as_bytes(), |_| ()))
        };
        assert_eq!(feed(&["data: 0123456789\n\n"]), Ok(()));
        assert_eq!(feed(&["data: 0123456789", "0123456789"]), Err(limit));
        assert_eq!(feed(&["data: 01234567\n", "data: 01234567\n", "data: 8\n"]), Err(limit));
        assert_eq!(feed(&[": 0123456789", "0123456789"]), Err(limit), "a comment is a line too");
    }

    /// Bytes among which the interesting ones are frequent.
    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b"\n".to_vec()),
            Just(b"\r".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"data: ".to_vec()),
            Just(b"data".to_vec()),
            Just(b"id:".to_vec()),
            Just(b"event: ".to_vec()),
            Just(b"retry: 12".to_vec()),
            Just(b":".to_vec()),
            Just(BYTE_ORDER_MARK.to_vec()),
            Just(vec![0]),
            proptest::collection::vec(any::<u8>(), 0..6),
        ];
        proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_split_gives_what_the_standard_gives(
            bytes in stream(),
            cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..12),
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts {
                pieces.push(&bytes[from..cut]);
                from = cut;
            }
            pieces.push(&bytes[from..]);
            prop_assert_eq!(parse(&pieces), oracle(&bytes));
        }

        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..2048), limit in 0_usize..64) {
            let mut parser = SseParser::new(limit);
            for piece in bytes.chunks(7) {
                let mut longest = 0;
                let fed = parser.feed(piece, |event| longest = longest.max(event.data.len()));
                prop_assert!(longest <= limit);
                if fed.is_err() {
                    break;
                }
            }
        }
    }
}
