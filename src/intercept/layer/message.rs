//! What a posted body is: a call to be decided, something that passes, or nothing that has one reading.

use super::refuse::Refused;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;
use callgate_actors::flow::params::CallParams;
use callgate_actors::wire::codes::{INVALID_PARAMS, INVALID_REQUEST};
use callgate_actors::wire::envelope::{self, Line, Message};
use callgate_actors::wire::skim;
use callgate_actors::wire::splice::{set_member, splice};

const TOOLS_CALL: &str = "tools/call";
/// Its answer is what a call brought that runs as a task (MCP 2025-11-25, "Tasks").
const TASKS_RESULT: &str = "tasks/result";
/// Headers that repeat what the body says (MCP 2026-07-28, "Streamable HTTP"). A handler may go by either.
const METHOD_HEADER: &str = "mcp-method";
const NAME_HEADER: &str = "mcp-name";
const PARAM_HEADERS: &str = "mcp-param-";
/// The code for headers that say something else than the body (same place).
const HEADER_MISMATCH: i64 = -32020;

/// What a body is.
pub(super) enum Read {
    /// No call.
    Passes,
    /// No call, but its answer holds what one brought. The raw id of the request.
    BringsAnswers(Bytes),
    /// A call.
    Call(ToolCall),
    /// It must not reach the handler; so many calls were in it.
    Refused { refused: Refused, calls: usize },
}

/// A call as it was posted.
pub(super) struct ToolCall {
    /// The raw id.
    pub(super) id: Bytes,
    pub(super) name: String,
    pub(super) arguments: Option<Bytes>,
    pub(super) meta: Option<Bytes>,
    params: CallParams,
}

/// Reads a body strictly, and holds the headers against it.
pub(super) fn read(headers: &HeaderMap, bytes: &Bytes) -> Read {
    let message = match envelope::read_client(bytes) {
        Ok(Line::Single(message)) => message,
        Ok(Line::Batch(parts)) => {
            let calls = parts.iter().filter(|part| match part {
                Ok(Message::Request { method, .. } | Message::Notification { method, .. }) => {
                    method == TOOLS_CALL
                }
                Ok(Message::Response { .. }) => false,
                Err(refusal) => refusal.is_call,
            });
            return refused(
                INVALID_REQUEST,
                "batches are not taken; send each message by itself",
                calls.count(),
            );
        }
        Err(refusal) => {
            let read = refused(refusal.code, &refusal.message, usize::from(refusal.is_call));
            return answering(read, refusal.id);
        }
    };
    let (id, method, params) = match message {
        Message::Request { id, method, params } => (Some(id), method, params),
        Message::Notification { method, params } => (None, method, params),
        Message::Response { .. } => return Read::Passes,
    };
    let is_call = method == TOOLS_CALL;
    let answered = |read| match &id {
        Some(id) => answering(read, id.clone()),
        None => read,
    };
    if says_otherwise(headers, METHOD_HEADER, &method) {
        let what = "the header Mcp-Method says something else than the body";
        return answered(refused(HEADER_MISMATCH, what, usize::from(is_call)));
    }
    match (is_call, id.clone()) {
        (false, Some(id)) if method == TASKS_RESULT => Read::BringsAnswers(id),
        (false, _) => Read::Passes,
        (true, None) => refused(INVALID_REQUEST, "tools/call needs an \"id\"", 1),
        (true, Some(id)) => answered(call(headers, id, params)),
    }
}

fn call(headers: &HeaderMap, id: Bytes, params: Option<Bytes>) -> Read {
    let params = match CallParams::read(params) {
        Ok(params) => params,
        Err(why) => return refused(INVALID_PARAMS, &format!("malformed tools/call: {why}"), 1),
    };
    if says_otherwise(headers, NAME_HEADER, &params.name) {
        return refused(HEADER_MISMATCH, "the header Mcp-Name says something else than the body", 1);
    }
    let (name, arguments, meta) = (params.name.clone(), params.arguments.clone(), params.meta.clone());
    Read::Call(ToolCall { id, name, arguments, meta, params })
}

fn says_otherwise(headers: &HeaderMap, header: &str, body: &str) -> bool {
    headers.get_all(header).iter().any(|value| {
        let value = value.as_bytes();
        // What is no plain text stands there so (same place).
        let coded = value.strip_prefix(b"=?base64?").and_then(|rest| rest.strip_suffix(b"?="));
        let decoded = coded.and_then(|coded| STANDARD.decode(coded).ok());
        decoded.as_deref().unwrap_or(value) != body.as_bytes()
    })
}

fn refused(code: i64, what: &str, calls: usize) -> Read {
    Read::Refused { refused: Refused::new(StatusCode::BAD_REQUEST, code, what), calls }
}

fn answering(read: Read, id: Bytes) -> Read {
    match read {
        Read::Refused { refused, calls } => Read::Refused { refused: refused.to(id), calls },
        read => read,
    }
}

impl ToolCall {
    /// The body with other arguments, and headers that fit it.
    pub(super) fn with_arguments(&self, body: &Bytes, changed: &Bytes, headers: &mut HeaderMap) -> Bytes {
        let params = match &self.params.arguments_span {
            Some(span) => splice(&self.params.raw, &[(span.clone(), changed)]),
            None => set_member(&self.params.raw, "arguments", changed),
        };
        // They repeat single arguments, which may be the very ones that were masked.
        let repeated = headers.keys().filter(|name| name.as_str().starts_with(PARAM_HEADERS));
        let repeated: Vec<HeaderName> = repeated.cloned().collect();
        for name in repeated {
            headers.remove(name);
        }
        let body: Bytes = match skim::member(body, "params") {
            Some(span) => splice(body, &[(span, &params)]).into(),
            None => body.clone(),
        };
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(&'static str, &'static str)], text: &str) -> Read {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        read(&headers.collect(), &Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn only_calls_are_taken_apart() {
        for text in [
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        ] {
            assert!(matches!(of(&[], text), Read::Passes), "{text}");
        }
        let text = r#"{"jsonrpc":"2.0","id":1,"method":"tools\/call","params":{"name":"a"}}"#;
        assert!(matches!(of(&[], text), Read::Call(call) if call.name == "a"));
        assert!(matches!(
            of(&[], r#"{"jsonrpc":"2.0","id":1,"method":"tasks/result"}"#),
            Read::BringsAnswers(_)
        ));
    }

    #[test]
    fn what_could_be_a_call_to_somebody_else_is_refused_and_counted() {
        for (text, counted) in [
            ("{", 0),
            ("", 0),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#, 0),
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}"#, 1),
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Name":"b"}}"#, 1),
            (r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"a"}}"#, 1),
            (r#"[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}},5]"#, 1),
        ] {
            assert!(matches!(of(&[], text), Read::Refused { calls, .. } if calls == counted), "{text}");
        }
    }

    #[test]
    fn headers_that_name_another_call_are_refused() {
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}"#;
        let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        assert!(matches!(of(&[("mcp-method", "tools/call"), ("mcp-name", "a")], call), Read::Call(_)));
        assert!(matches!(of(&[("mcp-name", "=?base64?YQ==?=")], call), Read::Call(_)));
        for other in ["b", "", "=?base64?Yg==?=", "=?base64?a?="] {
            assert!(matches!(of(&[("mcp-name", other)], call), Read::Refused { calls: 1, .. }), "{other}");
        }
        assert!(matches!(of(&[("mcp-method", "tools/list")], call), Read::Refused { calls: 1, .. }));
        assert!(matches!(of(&[("mcp-method", "tools/call")], list), Read::Refused { calls: 0, .. }));
    }

    #[test]
    fn other_arguments_leave_every_other_byte() {
        let text = r#"{"jsonrpc":"2.0", "id":1,"method":"tools/call","params":{"name":"a", "arguments": {"x":1},"_meta":{}}}"#;
        let Read::Call(call) = of(&[], text) else { panic!("a call") };
        let mut headers: HeaderMap =
            [(HeaderName::from_static("mcp-param-x"), HeaderValue::from_static("1"))].into_iter().collect();
        let body = call.with_arguments(
            &Bytes::copy_from_slice(text.as_bytes()),
            &Bytes::from_static(br#"{"x":2}"#),
            &mut headers,
        );
        assert_eq!(body, text.replace(r#"{"x":1}"#, r#"{"x":2}"#).as_bytes());
        assert_eq!(headers.len(), 1, "the length is new, what repeats an argument is gone");
    }
}
