//! What is fuzzed: functions that take any bytes and panic when a promise is broken. libFuzzer drives them through
//! `fuzz_targets`, the ordinary tests through `tests/fuzz` with the stored corpus and a number of mutations.
#![allow(clippy::expect_used, reason = "a panic is how a target tells what it found")]
#![allow(unreachable_pub, reason = "a library for libFuzzer, a module of the ordinary tests")]

use bytes::Bytes;
use callgate::journal::chain::Link;
use callgate::journal::checkpoint::Checkpoint;
use callgate::journal::read::{self, Kind, Row};
use callgate::journal::verify::Verifier;
use callgate::redact::{self, Options, Redactor};
use callgate::settings::{Environment, Settings};
use callgate_actors::wire::envelope::{self, Line, Message};
use callgate_actors::wire::frame::{Frame, Framer};
use callgate_actors::wire::skim;
use callgate_actors::wire::sse::{Event, SseParser};
use serde_json::value::RawValue;
use std::io;
use std::sync::LazyLock;

/// A target's name and function.
pub type Target = (&'static str, fn(&[u8]));

/// All targets. A new one is a row here, a file in `fuzz_targets`, a `[[bin]]`, and a folder in `corpus`.
pub const TARGETS: &[Target] = &[
    ("redaction", redaction),
    ("framing", framing),
    ("envelope", envelope),
    ("events", events),
    ("settings", settings),
    ("journal", journal),
];

static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| Redactor::new(Options::default()));

/// JSON stays JSON, what is masked once has nothing left to mask, and what is refused is refused in every mode.
pub fn redaction(data: &[u8]) {
    match REDACTOR.scan(data) {
        Err(fault) => {
            assert_eq!(redact::check(data), Err(fault));
        }
        Ok(scan) => {
            assert_eq!(redact::check(data), Ok(()));
            assert_eq!(scan.json.is_some(), !scan.masked.is_empty());
            if let Some(json) = scan.json {
                let again = REDACTOR.scan(&json).expect("what was masked is JSON");
                assert!(again.json.is_none(), "masked twice: {}", String::from_utf8_lossy(&json));
            }
        }
    }
    let text = String::from_utf8_lossy(data);
    if let Some(masked) = REDACTOR.scan_text(&text).text {
        assert_eq!(REDACTOR.scan_text(&masked).text, None, "masked twice: {masked}");
    }
}

/// Cuts `data` into pieces whose lengths are the numbers in `lengths`.
fn pieces<'a>(lengths: &[u8], data: &'a [u8]) -> Vec<&'a [u8]> {
    let mut rest = data;
    let mut pieces = Vec::new();
    for length in lengths {
        let (piece, behind) = rest.split_at(rest.len().min(usize::from(*length)));
        pieces.push(piece);
        rest = behind;
    }
    pieces.push(rest);
    pieces
}

/// The first bytes say how the rest is cut into pieces.
fn cut(data: &[u8]) -> (&[u8], &[u8]) {
    data.split_at(data.len().min(8))
}

/// Lines are the same however the stream is cut, none is empty or too long, and none holds a line feed.
pub fn framing(data: &[u8]) {
    const LONGEST: usize = 200;
    let lines = |pieces: &[&[u8]]| {
        let mut framer = Framer::new(LONGEST);
        let mut lines = Vec::new();
        let mut take = |frame| {
            lines.push(match frame {
                Frame::Line(line) => Some(line),
                // How much of it is kept depends on the pieces.
                Frame::TooLong { prefix, len } => {
                    assert!(prefix.len() <= len);
                    None
                }
            });
        };
        for piece in pieces {
            framer.spare(piece.len()).extend_from_slice(piece);
            while let Some(frame) = framer.next_frame() {
                take(frame);
            }
        }
        if let Some(frame) = framer.rest() {
            take(frame);
        }
        lines
    };
    let (lengths, stream) = cut(data);
    let whole = lines(&[stream]);
    assert!(whole.iter().flatten().all(|line| (1..=LONGEST).contains(&line.len()) && !line.contains(&b'\n')));
    assert_eq!(whole, lines(&pieces(lengths, stream)));
}

/// What is taken from a message are JSON values that stand in it, and an id is a string or an integer.
pub fn envelope(data: &[u8]) {
    let line = Bytes::copy_from_slice(data);
    let is_json = |value: &[u8]| serde_json::from_slice::<&RawValue>(value).is_ok();
    let check = |message: &Message| {
        let (id, params) = match message {
            Message::Request { id, params, .. } => (Some(id), params.as_ref()),
            Message::Notification { params, .. } => (None, params.as_ref()),
            Message::Response { id, body } => {
                let (envelope::Body::Result(body) | envelope::Body::Error(body)) = body;
                (Some(id), Some(body))
            }
        };
        assert!(id.is_none_or(|id| envelope::is_id(id) && is_json(id)));
        assert!(params.is_none_or(|params| is_json(params)));
    };
    match envelope::read_client(&line) {
        Ok(Line::Single(message)) => check(&message),
        Ok(Line::Batch(parts)) => parts.iter().flatten().for_each(check),
        // A refused response is answered by nobody.
        Err(refusal) => assert!(refusal.is_response || is_json(&refusal.id)),
    }
    // A backend is trusted with nothing: any bytes may come, and spans stand in the text.
    let _ = envelope::read_backend(&line);
    skim::members(data, |key, value| assert!(key.end < value.start && value.end <= data.len()));
    let mut end = 0;
    skim::elements(data, |value| {
        assert!(end <= value.start && value.end <= data.len());
        end = value.end;
    });
    let _ = callgate::journal::record_count(data);
}

/// Events are the same however the stream is cut.
pub fn events(data: &[u8]) {
    let read = |pieces: &[&[u8]]| {
        let mut parser = SseParser::new(300);
        let mut events: Vec<Event> = Vec::new();
        let fits = pieces.iter().all(|piece| parser.feed(piece, |event| events.push(event)).is_ok());
        (events, fits, parser.last_event_id().map(<[u8]>::to_vec), parser.retry())
    };
    let (lengths, stream) = cut(data);
    let whole = read(&[stream]);
    let cut = read(&pieces(lengths, stream));
    assert_eq!(whole.1, cut.1);
    if whole.1 {
        assert_eq!(whole, cut);
    }
}

/// Variables and the file of backends are read or refused with a word for each fault. Lines are `NAME=value`; what
/// stands behind an empty line is the file.
pub fn settings(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (variables, file) = text.split_once("\n\n").unwrap_or((&text, ""));
    let variables = variables.lines().filter_map(|line| line.split_once('='));
    let env: Environment = variables
        .filter(|(name, value)| !name.is_empty() && !name.contains('\0') && !value.contains('\0'))
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    let read = |_: &std::path::Path| {
        if file.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(file.as_bytes().to_vec()) }
    };
    if let Err(faults) = Settings::load(&env, &read) {
        assert!(!faults.is_empty());
        assert!(faults.iter().all(|fault| !fault.to_string().is_empty()));
    }
}

/// Any bytes are read as an audit file, a file of checkpoints and a head without a panic; every byte is read once, and
/// a verdict of "nothing wrong" means that every row of the chain is tied to the one before. The file is what stands
/// before an empty line, the checkpoints are what stands behind it.
pub fn journal(data: &[u8]) {
    let at = data.windows(2).position(|pair| pair == b"\n\n");
    let (audit, checkpoints) = at.map_or((data, &data[..0]), |at| (&data[..=at], &data[at + 2..]));
    let mut input = audit;
    let mut line = Vec::new();
    let (mut bytes, mut broken, mut last) = (0, 0, None);
    let mut in_order = true;
    while let Some(ended) = read::next_line(&mut input, &mut line).expect("memory is read") {
        bytes += line.len() + usize::from(ended == read::Line::Whole);
        let id = read::call_id(&line);
        assert!(
            id.is_none_or(|id| line.windows(id.len()).any(|part| part == id.as_bytes()) || id.is_empty())
        );
        let row = Row::read(&line);
        match read::kind(&line) {
            Kind::Chained(link) => {
                assert_eq!(Link::of(&line), Some(link));
                in_order &= link.is_sound(&line) && last.is_none_or(|seq| link.seq == seq + 1);
                last = Some(link.seq);
            }
            Kind::Unchained => {
                assert!(row.is_none() || line.starts_with(b"{"), "a row is an object");
                broken += usize::from(last.is_some() && ended != read::Line::Unended);
            }
            // A torn end is no finding: the next start keeps it aside.
            Kind::Broken => broken += usize::from(ended != read::Line::Unended),
        }
    }
    assert_eq!(bytes, audit.len());
    let signed = checkpoints.split(|byte| *byte == b'\n').filter_map(Checkpoint::read);
    let keys =
        signed.filter(|checkpoint| checkpoint.is_signed).map(|checkpoint| checkpoint.public_key).collect();
    let mut verifier = Verifier::new(keys);
    verifier.checkpoints("checkpoints", &mut &checkpoints[..]).expect("memory is read");
    verifier.audit("audit", &mut &audit[..]).expect("memory is read");
    let report = verifier.end(None, true);
    assert!(report.finding.is_some() || in_order && broken == 0, "{report:?}");
}
