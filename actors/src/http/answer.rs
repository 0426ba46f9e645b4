//! Reading what a server answered: the messages in it, or what a refusal means. Nothing here reads or waits.

use super::limits::SERVER_WORDS;
use super::{Executed, Kind};
use bytes::Bytes;
use memchr::memchr2;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::time::{Duration, SystemTime};
use ureq::http::header::{CONTENT_TYPE, RETRY_AFTER};
use ureq::http::{HeaderMap, StatusCode};

/// One well-formed JSON-RPC message on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) json: Bytes,
    /// The id that it answers, when it is a response to an integer id.
    pub(super) answers: Option<u64>,
}

/// The members that tell what a message is. A member that comes twice is an error.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "is_there")]
    method: bool,
    #[serde(default, deserialize_with = "is_there")]
    result: bool,
    #[serde(default, deserialize_with = "is_there")]
    error: bool,
}

fn is_there<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|_| true)
}

/// The messages in one JSON text: one object, or an array of them (a batch, MCP 2025-03-26 only).
pub(super) fn messages(text: &Bytes) -> Result<Vec<Message>, String> {
    let json = std::str::from_utf8(text).map_err(|_| "it is not UTF-8".to_owned())?;
    if !json.trim_start().starts_with('[') {
        return message(text.clone()).map(|message| vec![message]);
    }
    let batch: Vec<&RawValue> = serde_json::from_str(json).map_err(|error| unreadable(&error))?;
    batch.into_iter().map(|entry| message(text.slice_ref(entry.get().as_bytes()))).collect()
}

fn message(json: Bytes) -> Result<Message, String> {
    let text = std::str::from_utf8(&json).map_err(|_| "it is not UTF-8".to_owned())?;
    let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
    let is_response = !envelope.method && (envelope.result || envelope.error);
    let answers = envelope.id.filter(|_| is_response).and_then(|id| id.get().parse().ok());
    Ok(Message { json: on_one_line(json), answers })
}

/// Kind and place of an error. Its text may quote the message, and what a server sent is not ours to tell.
fn unreadable(error: &serde_json::Error) -> String {
    let what = if error.is_eof() { "it ends too early" } else { "it is no JSON-RPC message" };
    format!("{what} (line {}, column {})", error.line(), error.column())
}

/// Pretty-printed JSON has line breaks between its tokens, and only there; a line of stdio may have none.
fn on_one_line(json: Bytes) -> Bytes {
    if memchr2(b'\n', b'\r', &json).is_none() {
        return json;
    }
    json.iter()
        .map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte })
        .collect::<Vec<u8>>()
        .into()
}

/// What the body of an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyKind {
    Json,
    Events,
    Other,
}

/// Judges `Content-Type`. An answer without one is read as JSON, the transport's simple case.
pub(super) fn body_kind(headers: &HeaderMap) -> BodyKind {
    let Some(value) = headers.get(CONTENT_TYPE) else { return BodyKind::Json };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    match essence.trim().to_ascii_lowercase().as_str() {
        "text/event-stream" => BodyKind::Events,
        "application/json" => BodyKind::Json,
        essence if essence.ends_with("+json") => BodyKind::Json,
        _ => BodyKind::Other,
    }
}

/// `Retry-After` as seconds or as a date (RFC 9110, section 10.2.3).
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// What a status other than 2xx means for the message.
pub(super) fn executed(status: StatusCode) -> Executed {
    let refused = status.is_redirection() || status.is_client_error();
    // A time that ran out and a connection that was given up say nothing of the work.
    if refused && !matches!(status.as_u16(), 408 | 499) { Executed::No } else { Executed::Possibly }
}

/// Why a status other than 2xx came, and the way out.
pub(super) fn refusal(status: StatusCode, origin: &str, redirect: impl FnOnce() -> String) -> String {
    let code = status.as_u16();
    let cause = match code {
        401 | 403 => "credentials are missing or were refused; set \"headers\" with \"${VAR}\"".to_owned(),
        404 => "there is no MCP endpoint at this path; check \"url\"".to_owned(),
        405 => "the path takes no POST, so it is no Streamable HTTP endpoint; check \"url\"".to_owned(),
        406 | 415 => "the endpoint does not take what Streamable HTTP sends; check \"url\"".to_owned(),
        413 => "the message is too large for the server".to_owned(),
        429 => "too many requests; try again later".to_owned(),
        300..400 => format!("redirects are not followed; set \"url\" to the final address ({})", redirect()),
        400..500 => "the server refused the message".to_owned(),
        502..=504 => "the server or a proxy before it is not available".to_owned(),
        _ => "the server failed".to_owned(),
    };
    format!("{origin} answered HTTP {code}: {cause}")
}

/// A refusal's body, as far as it says more than its status.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct RefusalBody {
    /// The body is a JSON-RPC response to this very id: an answer like any other.
    pub(super) answer: Option<Message>,
    /// The server's own words, shortened.
    pub(super) said: Option<String>,
    /// Its JSON-RPC error code.
    pub(super) code: Option<i64>,
}

/// Reads the body of a refusal.
pub(super) fn refusal_body(body: &Bytes, kind: Kind) -> RefusalBody {
    #[derive(Deserialize)]
    struct WithError {
        error: ErrorObject,
    }
    #[derive(Deserialize)]
    struct ErrorObject {
        #[serde(default)]
        code: Option<i64>,
        message: String,
    }
    let answer = message(body.clone()).ok().filter(|m| m.answers.is_some() && m.answers == kind.request());
    let error = serde_json::from_slice::<WithError>(body).ok().map(|with| with.error);
    let code = error.as_ref().and_then(|error| error.code);
    RefusalBody { answer, said: error.map(|error| clip(&error.message)), code }
}

fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SERVER_WORDS).collect()
}

/// Whether a refusal of a message that named a session says that the session is gone. The specification's word for
/// it is 404. Servers on the TypeScript SDK that have lost their sessions often say 400, with a code of the transport
/// and in words "No valid session ID provided" or "Server not initialized"; some of them echo the request's id.
pub(super) fn is_session_gone(status: StatusCode, body: &RefusalBody) -> bool {
    match status.as_u16() {
        404 => true,
        400 if matches!(body.code, Some(-32_001 | -32_000)) => {
            let said = body.said.as_deref().unwrap_or_default().to_ascii_lowercase();
            said.contains("session") || said.contains("not initialized")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ureq::http::HeaderValue;

    fn read(text: &str) -> Result<Vec<(String, Option<u64>)>, String> {
        let messages = messages(&Bytes::copy_from_slice(text.as_bytes()))?;
        Ok(messages.into_iter().map(|m| (String::from_utf8(m.json.to_vec()).unwrap(), m.answers)).collect())
    }

    #[test]
    fn only_a_response_answers() {
        let answers = |text: &str| read(text).map(|messages| messages[0].1);
        assert_eq!(answers(r#"{"id":7,"result":null}"#), Ok(Some(7)));
        assert_eq!(answers(r#"{"id":7,"error":{"code":1,"message":"x"}}"#), Ok(Some(7)));
        assert_eq!(answers(r#"{"id":7,"method":"ping","result":{}}"#), Ok(None), "a request with our id");
        assert_eq!(answers(r#"{"id":"7","result":{}}"#), Ok(None), "another type of id");
        assert_eq!(answers(r#"{"id":null,"error":{}}"#), Ok(None));
        assert_eq!(answers(r#"{"id":7}"#), Ok(None));
        assert!(answers(r#"{"id":7,"id":8,"result":{}}"#).is_err(), "an id that comes twice");
        assert!(answers(r#"{"id":7,"result":{"#).unwrap_err().contains("ends too early"));
        for bad in ["", "7", "\"s3cret\"", "nope"] {
            assert!(!answers(bad).unwrap_err().contains("s3cret"));
        }
    }

    #[test]
    fn a_message_has_one_line() {
        let pretty = "\n{\r\n  \"id\": 1,\n  \"result\": \"a\\nb\"\n}\n";
        let [(json, answers)] = &read(pretty).unwrap()[..] else { panic!("one message") };
        assert!(!json.contains(['\n', '\r']) && json.contains(r#""a\nb""#), "{json:?}");
        assert_eq!(*answers, Some(1));
    }

    #[test]
    fn a_batch_comes_apart() {
        let batch = read(" [ {\"id\":1,\"result\":[1,\n2]} , {\"method\":\"m\"} ]").unwrap();
        assert_eq!(
            batch,
            [("{\"id\":1,\"result\":[1, 2]}".to_owned(), Some(1)), ("{\"method\":\"m\"}".to_owned(), None)]
        );
        assert_eq!(read("[]"), Ok(vec![]));
        assert!(read("[1]").is_err());
    }

    #[test]
    fn a_refusal_before_the_work_says_so() {
        let executed = |code: u16| executed(StatusCode::from_u16(code).unwrap());
        for code in [301, 307, 400, 401, 403, 404, 413, 429] {
            assert_eq!(executed(code), Executed::No, "{code}");
        }
        for code in [408, 499, 500, 502, 503, 504] {
            assert_eq!(executed(code), Executed::Possibly, "{code}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let parse = |value: &'static str| {
            retry_after(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]), now)
        };
        assert_eq!(parse("120"), Some(Duration::from_secs(120)));
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:47 GMT"), Some(Duration::from_secs(10)));
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:07 GMT"), Some(Duration::ZERO));
        assert_eq!(parse("soon"), None);
    }

    #[test]
    fn the_servers_words_are_shortened() {
        let body = format!(r#"{{"error":{{"code":1,"message":"a\n{}"}},"id":null}}"#, "x".repeat(1000));
        let body = refusal_body(&Bytes::from(body), Kind::Request(1));
        assert_eq!(body.said.map(|said| said.chars().count()), Some(SERVER_WORDS));
        assert_eq!(body.answer, None);
        assert_eq!(refusal_body(&Bytes::from_static(b"<html>"), Kind::Request(1)), RefusalBody::default());
        let own = refusal_body(&Bytes::from_static(br#"{"id":1,"error":{"message":"x"}}"#), Kind::Request(1));
        assert_eq!(own.answer.and_then(|answer| answer.answers), Some(1));
    }

    #[test]
    fn a_content_type_is_judged_by_its_essence() {
        let kind = |value: &'static str| {
            body_kind(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]))
        };
        assert_eq!(kind("Text/Event-Stream; charset=utf-8"), BodyKind::Events);
        assert_eq!(kind("application/json;charset=utf-8"), BodyKind::Json);
        assert_eq!(kind("application/problem+json"), BodyKind::Json);
        assert_eq!(kind("text/html"), BodyKind::Other);
        assert_eq!(body_kind(&HeaderMap::new()), BodyKind::Json);
    }
}
