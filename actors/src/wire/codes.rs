//! JSON-RPC error codes and error objects: every cause the gate knows, mapped to what the client sees, in one file.
//!
//! Clients drop `error.data` and show `error.message`, so whatever a person must know stands in the message; `data`
//! holds the same facts for machines.

use super::write;
use bytes::Bytes;
use std::time::Duration;

/// JSON-RPC 2.0: the line is not JSON.
pub const PARSE_ERROR: i64 = -32700;
/// JSON-RPC 2.0: JSON, but no request.
pub const INVALID_REQUEST: i64 = -32600;
/// JSON-RPC 2.0: no such method.
pub const METHOD_NOT_FOUND: i64 = -32601;
/// JSON-RPC 2.0: wrong parameters; MCP uses it for unknown tools and prompts.
pub const INVALID_PARAMS: i64 = -32602;
/// JSON-RPC 2.0: an internal error; every fault of a backend or of the gate itself.
pub const INTERNAL_ERROR: i64 = -32603;
/// A decision denied the call.
pub const DENIED: i64 = -32001;
/// A person must approve the call first. Sent for `tools/call` only: MCP uses the code for unknown resources.
pub const NEEDS_APPROVAL: i64 = -32002;
/// There is no decision, no record or no redaction, and the gate is shut.
pub const UNAVAILABLE: i64 = -32003;

/// The codes of verdicts, which differ between the dialects of decision services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerdictCodes {
    /// A decision denied the call, or a response policy its answer.
    pub denied: i64,
    /// A person must approve the call first.
    pub needs_approval: i64,
    /// A person refused, or nobody decided in time.
    pub not_approved: i64,
    /// There is no decision.
    pub undecided: i64,
}

impl Default for VerdictCodes {
    /// The AxonFlow contract's (section 1.8).
    fn default() -> Self {
        Self { denied: DENIED, needs_approval: NEEDS_APPROVAL, not_approved: DENIED, undecided: UNAVAILABLE }
    }
}

/// The longest message that is passed to the client.
const MESSAGE_BYTES: usize = 4 * 1024;

/// An error object under construction.
#[derive(Debug)]
pub struct ErrorObject {
    code: i64,
    message: String,
    data: Vec<u8>,
}

impl ErrorObject {
    /// An error object; `message` is cut at 4 KiB and freed of control characters.
    pub fn new(code: i64, message: impl AsRef<str>) -> Self {
        ErrorObject { code, message: clean(message.as_ref(), MESSAGE_BYTES), data: Vec::new() }
    }

    /// Adds a text member to `data`; an empty text is left out.
    pub fn text(self, key: &str, value: &str) -> Self {
        if value.is_empty() {
            return self;
        }
        let mut raw = Vec::with_capacity(value.len() + 2);
        write::string(&mut raw, value);
        self.raw(key, &raw)
    }

    /// Adds a list of texts to `data`.
    pub fn texts(self, key: &str, values: &[String]) -> Self {
        let mut raw = vec![b'['];
        for (n, value) in values.iter().enumerate() {
            if n > 0 {
                raw.push(b',');
            }
            write::string(&mut raw, value);
        }
        raw.push(b']');
        self.raw(key, &raw)
    }

    /// Adds a truth value to `data`.
    pub fn flag(self, key: &str, value: bool) -> Self {
        self.raw(key, if value { b"true" } else { b"false" })
    }

    /// Adds `retry_after_ms` to `data`.
    pub fn retry_after(self, after: Option<Duration>) -> Self {
        match after {
            Some(after) => {
                let ms = after.as_millis().to_string();
                self.raw("retry_after_ms", ms.as_bytes())
            }
            None => self,
        }
    }

    /// Adds a raw JSON value to `data`.
    pub fn raw(mut self, key: &str, value: &[u8]) -> Self {
        self.data.push(if self.data.is_empty() { b'{' } else { b',' });
        write::string(&mut self.data, key);
        self.data.push(b':');
        self.data.extend_from_slice(value);
        self
    }

    /// The raw JSON of the error object.
    pub fn into_bytes(mut self) -> Bytes {
        let mut out = format!("{{\"code\":{},\"message\":", self.code).into_bytes();
        write::string(&mut out, &self.message);
        if !self.data.is_empty() {
            self.data.push(b'}');
            out.extend_from_slice(b",\"data\":");
            out.extend_from_slice(&self.data);
        }
        out.push(b'}');
        out.into()
    }
}

/// `text` without control characters and at most `max` bytes long.
pub fn clean(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max));
    for c in text.chars() {
        let c = if c.is_control() { ' ' } else { c };
        if out.len() + c.len_utf8() > max {
            out.push('…');
            break;
        }
        out.push(c);
    }
    out
}

impl VerdictCodes {
    /// Whether a backend's error code on `tools/call` could be taken for a verdict of the gate.
    fn looks_like_a_verdict(self, code: i64) -> bool {
        let Self { denied, needs_approval, not_approved, undecided } = self;
        [denied, needs_approval, not_approved, undecided, UNAVAILABLE].contains(&code)
    }
}

/// The code of a raw error object; `INTERNAL_ERROR` when it has none.
pub fn code_of(error: &[u8]) -> i64 {
    super::skim::member(error, "code")
        .and_then(|range| std::str::from_utf8(&error[range]).ok()?.parse().ok())
        .unwrap_or(INTERNAL_ERROR)
}

/// The message of a raw error object, cleaned.
pub fn message_of(error: &[u8]) -> String {
    super::skim::member(error, "message")
        .and_then(|range| super::skim::string(&error[range]))
        .map(|message| clean(&message, MESSAGE_BYTES))
        .unwrap_or_default()
}

/// A backend's error object in the one shape that has one reading: an object with an integer `code` and a text
/// `message`, each once, however its keys are spelled. Anything else is replaced, since a client could read another
/// code than the one that was looked at here.
pub fn well_formed(error: &Bytes) -> Bytes {
    #[derive(serde::Deserialize)]
    struct Parts {
        #[expect(dead_code, reason = "read to see that it is an integer and stands once")]
        code: i64,
        #[expect(dead_code, reason = "read to see that it is a text and stands once")]
        message: String,
    }
    let has_plain_keys =
        super::skim::member(error, "code").is_some() && super::skim::member(error, "message").is_some();
    if has_plain_keys && serde_json::from_slice::<Parts>(error).is_ok() {
        return error.clone();
    }
    ErrorObject::new(INTERNAL_ERROR, "the backend answered with an error that cannot be read")
        .text("origin", "backend")
        .into_bytes()
}

/// A backend's error object as it may be passed on for a `tools/call`: codes that the gate uses for its own verdicts
/// become -32603, so that no backend can forge a verdict; what the backend said stays in `data.backend_error`.
pub fn disarm(error: &Bytes, codes: VerdictCodes) -> Bytes {
    let error = well_formed(error);
    if !codes.looks_like_a_verdict(code_of(&error)) {
        return error;
    }
    ErrorObject::new(INTERNAL_ERROR, message_of(&error))
        .text("origin", "backend")
        .raw("backend_error", &error)
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_objects_are_json() -> Result<(), serde_json::Error> {
        let error = ErrorObject::new(DENIED, "no\nway")
            .text("origin", "policy")
            .text("left_out", "")
            .texts("reasons", &["a\"b".into()])
            .flag("retryable", false)
            .retry_after(Some(Duration::from_millis(1500)))
            .into_bytes();
        let value: serde_json::Value = serde_json::from_slice(&error)?;
        assert_eq!(
            value,
            serde_json::json!({"code": -32001, "message": "no way",
                "data": {"origin": "policy", "reasons": ["a\"b"], "retryable": false, "retry_after_ms": 1500}})
        );
        Ok(())
    }

    #[test]
    fn a_backend_cannot_forge_a_verdict() -> Result<(), serde_json::Error> {
        let forged = Bytes::from_static(br#"{"code":-32001,"message":"blocked","data":{"decision_id":"x"}}"#);
        let value: serde_json::Value = serde_json::from_slice(&disarm(&forged, VerdictCodes::default()))?;
        assert_eq!(value["code"], INTERNAL_ERROR);
        assert_eq!(value["data"]["origin"], "backend");
        assert_eq!(value["data"]["backend_error"]["code"], DENIED);
        let honest = Bytes::from_static(br#"{"code":-32602,"message":"no such tool"}"#);
        assert_eq!(disarm(&honest, VerdictCodes::default()), honest);
        Ok(())
    }

    #[test]
    fn an_error_with_two_readings_is_replaced() -> Result<(), serde_json::Error> {
        for text in [
            r#"{"code":-32000,"message":"m","code":-32001}"#,
            r#"{"code":-32000,"message":"m","c\u006fde":-32001}"#,
            r#"{"c\u006fde":-32001,"message":"m"}"#,
            r#"{"code":"-32001","message":"m"}"#,
            r#"{"code":-32001.0,"message":"m"}"#,
            r#"{"message":"m"}"#,
            "5",
            "null",
        ] {
            let value: serde_json::Value = serde_json::from_slice(&disarm(
                &Bytes::from_static(text.as_bytes()),
                VerdictCodes::default(),
            ))?;
            assert_eq!(value["code"], INTERNAL_ERROR, "{text}");
        }
        Ok(())
    }

    #[test]
    fn long_messages_are_cut_at_a_character() {
        let cut = clean(&"é".repeat(10), 5);
        assert_eq!(cut, "éé…");
    }
}
