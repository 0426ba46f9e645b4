//! The JSON-RPC envelope: what kind of message a line is, with ids and bodies as the raw bytes that came.
//!
//! A client's line is read strictly (RFC 8259, JSON-RPC 2.0, MCP base protocol); a backend's line is skimmed, since
//! its body is validated by the redactor before it is passed on. A message with `method` is never a response.

use super::codes::{INVALID_REQUEST, PARSE_ERROR};
use super::{skim, strict};
use crate::limits::{MAX_ID_BYTES, REQUESTS_IN_FLIGHT};
use bytes::Bytes;
use std::ops::Range;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Has `method` and `id`.
    Request {
        /// The raw JSON of the id: a string or an integer.
        id: Bytes,
        /// Decoded.
        method: String,
        /// Raw JSON; `None` when absent.
        params: Option<Bytes>,
    },
    /// Has `method` and no `id`.
    Notification {
        /// Decoded.
        method: String,
        /// Raw JSON; `None` when absent.
        params: Option<Bytes>,
    },
    /// Has `id`, no `method`, and a result or an error.
    Response {
        /// The raw JSON of the id.
        id: Bytes,
        /// What came.
        body: Body,
    },
}

/// The body of a response, raw JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// `result`
    Result(Bytes),
    /// `error`
    Error(Bytes),
}

/// What a line of the client is.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// One message.
    Single(Message),
    /// A JSON-RPC batch: allowed in MCP 2025-03-26 only. Each part is a message or the reason why it is none.
    Batch(Vec<Result<Message, Refusal>>),
}

/// Why a message is refused, and what to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The id to answer to, raw JSON; `null` when it is unknown.
    pub id: Bytes,
    /// JSON-RPC code.
    pub code: i64,
    /// What is wrong.
    pub message: String,
    /// The message was a response: nothing is answered, but whoever waits for it must be told.
    pub is_response: bool,
    /// The message was a `tools/call`: it has its audit row like any other.
    pub is_call: bool,
}

impl Refusal {
    fn new(id: Option<Bytes>, code: i64, message: impl Into<String>) -> Self {
        let id = id.unwrap_or(Bytes::from_static(b"null"));
        Refusal { id, code, message: message.into(), is_response: false, is_call: false }
    }

    /// Looks at what the refused text was going to be, as far as that can be seen.
    fn of(mut self, text: &Bytes) -> Self {
        let method = skim::member(text, "method").map(|range| &text[range]);
        let has = |key| skim::member(text, key).is_some();
        self.is_call = method == Some(br#""tools/call""#);
        self.is_response = method.is_none() && (has("result") || has("error"));
        if self.is_response
            && let Some(id) = skim::member(text, "id")
        {
            self.id = text.slice(id);
        }
        self
    }
}

/// Reads a client's line strictly.
pub fn read_client(line: &Bytes) -> Result<Line, Refusal> {
    if let Err(error) = strict::check(line) {
        return Err(not_strict(line, &error).of(line));
    }
    match line.iter().find(|b| !b.is_ascii_whitespace()) {
        Some(b'{') => read_object(line).map(Line::Single),
        Some(b'[') => {
            let mut parts = Vec::new();
            skim::elements(line, |range| {
                if parts.len() <= REQUESTS_IN_FLIGHT {
                    parts.push(read_object(&line.slice(range)));
                }
            });
            if parts.is_empty() {
                return Err(Refusal::new(None, INVALID_REQUEST, "an empty batch is no request"));
            }
            if parts.len() > REQUESTS_IN_FLIGHT {
                let message = format!("a batch has at most {REQUESTS_IN_FLIGHT} parts");
                return Err(Refusal::new(None, INVALID_REQUEST, message));
            }
            Ok(Line::Batch(parts))
        }
        _ => Err(Refusal::new(None, INVALID_REQUEST, "a message is a JSON object")),
    }
}

/// JSON that is readable but ambiguous or too deep is an invalid request; anything else is no JSON.
fn not_strict(line: &Bytes, error: &serde_json::Error) -> Refusal {
    let what = error.to_string();
    if error.is_data() || what.starts_with("recursion limit") || what.starts_with("number out of range") {
        // What stands behind the fault was not read: the id is JSON only if it is so by itself.
        let is_json = |id: &Bytes| serde_json::from_slice::<serde::de::IgnoredAny>(id).is_ok();
        let id =
            skim::member(line, "id").map(|range| line.slice(range)).filter(|id| is_id(id) && is_json(id));
        return Refusal::new(id, INVALID_REQUEST, format!("message refused: {what}"));
    }
    Refusal::new(None, PARSE_ERROR, format!("parse error: {what}"))
}

fn read_object(text: &Bytes) -> Result<Message, Refusal> {
    let Some(members) = Members::find(text) else {
        return Err(Refusal::new(None, INVALID_REQUEST, "a message is a JSON object"));
    };
    let id = members.id.clone().map(|range| text.slice(range));
    let known_id = id.clone().filter(|id| is_id(id));
    let refuse = |message: &str| Err(Refusal::new(known_id.clone(), INVALID_REQUEST, message).of(text));
    let version = members.jsonrpc.clone().map(|range| &text[range]);
    if version != Some(br#""2.0""#) {
        return refuse("\"jsonrpc\" must be \"2.0\"");
    }
    if let Some(id) = &id
        && !is_id(id)
    {
        return refuse("\"id\" must be a string or an integer");
    }
    match members.into_message(text) {
        Some(message) => Ok(message),
        None => refuse("neither a request, a notification nor a response"),
    }
}

/// Reads a backend's message; `None` when the text is not shaped like one. An answer without result and error is an
/// error, so that nobody waits for a better one.
pub fn read_backend(text: &Bytes) -> Option<Message> {
    let members = Members::find(text)?;
    let id = members.id.clone().map(|range| text.slice(range));
    // Without the version it is a log line that happens to have an id.
    let is_rpc = members.jsonrpc.clone().is_some_and(|range| &text[range] == br#""2.0""#);
    if let (true, Some(id), None, None, None) = (is_rpc, id, &members.method, &members.result, &members.error)
    {
        return Some(Message::Response { id, body: Body::Error(Bytes::from_static(NEITHER)) });
    }
    members.into_message(text)
}

/// The error that stands for an answer without result and error.
pub const NEITHER: &[u8] =
    br#"{"code":-32603,"message":"the backend answered with neither a result nor an error"}"#;

/// Whether a raw JSON value may be an id: a string or an integer (MCP base protocol, "Requests").
pub fn is_id(raw: &[u8]) -> bool {
    if raw.len() > MAX_ID_BYTES {
        return false;
    }
    match raw.first() {
        Some(b'"') => raw.len() >= 2 && raw.last() == Some(&b'"'),
        Some(b'-') => raw.len() > 1 && raw[1..].iter().all(u8::is_ascii_digit),
        Some(_) => raw.iter().all(u8::is_ascii_digit),
        None => false,
    }
}

/// Our own id of a response: an unsigned integer, or the same as a string, as some servers answer.
pub fn our_id(raw: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(raw).ok()?;
    text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text).parse().ok()
}

#[derive(Default)]
struct Members {
    jsonrpc: Option<Range<usize>>,
    id: Option<Range<usize>>,
    method: Option<Range<usize>>,
    params: Option<Range<usize>>,
    result: Option<Range<usize>>,
    error: Option<Range<usize>>,
}

impl Members {
    fn find(text: &[u8]) -> Option<Members> {
        let mut found = Members::default();
        skim::members(text, |key, value| {
            let place = match &text[key] {
                b"jsonrpc" => &mut found.jsonrpc,
                b"id" => &mut found.id,
                b"method" => &mut found.method,
                b"params" => &mut found.params,
                b"result" => &mut found.result,
                b"error" => &mut found.error,
                _ => return,
            };
            place.get_or_insert(value);
        })?;
        Some(found)
    }

    fn into_message(self, text: &Bytes) -> Option<Message> {
        let id = self.id.map(|range| text.slice(range));
        if let Some(range) = self.method {
            let method = skim::string(&text[range])?;
            let params = self.params.map(|range| text.slice(range));
            return Some(match id {
                Some(id) => Message::Request { id, method, params },
                None => Message::Notification { method, params },
            });
        }
        let error = self.error.filter(|range| &text[range.clone()] != b"null" || self.result.is_none());
        let body = match (self.result, error) {
            (Some(result), None) => Body::Result(text.slice(result)),
            (_, Some(error)) => Body::Error(text.slice(error)),
            (None, None) => return None,
        };
        Some(Message::Response { id: id?, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &'static str) -> Result<Line, Refusal> {
        read_client(&Bytes::from_static(text.as_bytes()))
    }

    fn code(text: &'static str) -> (i64, Bytes) {
        match read(text) {
            Err(refusal) => (refusal.code, refusal.id),
            Ok(line) => panic!("{text} was read as {line:?}"),
        }
    }

    #[test]
    fn params_and_ids_stay_raw() {
        let text = r#"{"jsonrpc":"2.0","id":"\u0031","method":"tools\/call","params":{"b":12345678901234567890, "a":1.0}}"#;
        let Ok(Line::Single(Message::Request { id, method, params })) = read(text) else {
            panic!("no request")
        };
        assert_eq!(id, Bytes::from_static(br#""\u0031""#));
        assert_eq!(method, "tools/call");
        assert_eq!(params.as_deref(), Some(&br#"{"b":12345678901234567890, "a":1.0}"#[..]));
    }

    #[test]
    fn a_message_with_a_method_is_never_a_response() {
        let text = r#"{"jsonrpc":"2.0","id":1,"result":{},"method":"ping"}"#;
        assert!(matches!(read(text), Ok(Line::Single(Message::Request { .. }))));
    }

    #[test]
    fn w10_what_is_not_a_message_is_refused() {
        let null = Bytes::from_static(b"null");
        assert_eq!(code("{"), (PARSE_ERROR, null.clone()));
        assert_eq!(code(r#"{"jsonrpc":"2.0","id":1,"method":"a"} {}"#), (PARSE_ERROR, null.clone()));
        assert_eq!(
            code(r#"{"jsonrpc":"1.0","id":1,"method":"a"}"#),
            (INVALID_REQUEST, Bytes::from_static(b"1"))
        );
        assert_eq!(code(r#"{"jsonrpc":"2.0","id":null,"method":"a"}"#), (INVALID_REQUEST, null.clone()));
        assert_eq!(code(r#"{"jsonrpc":"2.0","id":1.5,"method":"a"}"#), (INVALID_REQUEST, null.clone()));
        assert_eq!(
            code(r#"{"jsonrpc":"2.0","id":7,"METHOD":"a"}"#),
            (INVALID_REQUEST, Bytes::from_static(b"7"))
        );
        assert_eq!(code(r#"{"jsonrpc":"2.0","id":7,"method":"a","method":"b"}"#).0, INVALID_REQUEST);
        assert_eq!(code(r#"{"jsonrpc":"2.0","id":7,"m\u0065thod":"x","method":"b"}"#).0, INVALID_REQUEST);
        assert_eq!(code("[]"), (INVALID_REQUEST, null.clone()));
        assert_eq!(code("5"), (INVALID_REQUEST, null));
    }

    #[test]
    fn batches_are_taken_apart() {
        let text = r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},5,{"jsonrpc":"2.0","method":"n"}]"#;
        let Ok(Line::Batch(parts)) = read(text) else { panic!("no batch") };
        assert_eq!(parts.len(), 3);
        assert!(parts[0].is_ok() && parts[1].is_err() && parts[2].is_ok());
    }

    #[test]
    fn an_answer_without_result_and_error_is_an_error() {
        let read = read_backend(&Bytes::from_static(br#"{"jsonrpc":"2.0","id":7}"#));
        assert!(matches!(read, Some(Message::Response { body: Body::Error(_), .. })), "{read:?}");
        let read = read_backend(&Bytes::from_static(br#"{"id":7,"result":{},"error":null}"#));
        assert!(matches!(read, Some(Message::Response { body: Body::Result(_), .. })), "{read:?}");
        assert_eq!(read_backend(&Bytes::from_static(b"{}")), None);
        assert_eq!(read_backend(&Bytes::from_static(br#"{"id":1,"level":"info"}"#)), None);
    }

    #[test]
    fn ids_of_ours_are_found_in_either_form() {
        assert_eq!(our_id(b"17"), Some(17));
        assert_eq!(our_id(b"\"17\""), Some(17));
        assert_eq!(our_id(b"null"), None);
    }
}
