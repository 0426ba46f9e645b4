//! What a status other than 200 means for a call, in words that say what to do.
//!
//! A refusal is never an outage: a status of the 400s, a breaker's 503, and everything that the service itself
//! worded keep the gate shut in every fail mode. Only a bare 500, 502 or 504, as a dead service behind a proxy
//! gives it, is one.

use crate::pdp::text::clean;
use serde::Deserialize;
use std::time::Duration;

/// Longest piece of the service's own wording that is quoted.
const QUOTED_BYTES: usize = 256;

/// Body of every error that a service itself writes (the AxonFlow contract, section 1.6). Its `verdict` is there for
/// callers that look at nothing else and is no verdict. `message` alone is what gateways write for a dead service.
#[derive(Debug, Default, Deserialize)]
struct ErrorEnvelope {
    error: Option<ErrorText>,
    message: Option<serde_json::Value>,
    verdict: Option<serde::de::IgnoredAny>,
    decision_id: Option<String>,
    trace_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum ErrorText {
    Plain(String),
    /// 402
    Coded {
        code: Option<String>,
        message: Option<String>,
    },
}

impl ErrorText {
    fn text(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Coded { code, message } => message.as_deref().or(code.as_deref()).unwrap_or_default(),
        }
    }
}

/// What the settings of a dialect are called in texts that say what to do.
#[derive(Clone, Copy, Debug)]
pub(in crate::pdp) struct Words {
    /// What to check when the credentials are rejected.
    pub(in crate::pdp) credentials: &'static str,
    /// What a 403 says and what to check then.
    pub(in crate::pdp) forbidden: &'static str,
    /// The setting with the address.
    pub(in crate::pdp) address: &'static str,
}

/// A reply that is no verdict.
#[derive(Debug)]
pub(in crate::pdp) struct Refusal {
    /// Nobody who decides has answered.
    pub(in crate::pdp) outage: bool,
    /// For the person and the model.
    pub(in crate::pdp) text: String,
    pub(in crate::pdp) decision_id: String,
    pub(in crate::pdp) trace_id: String,
}

/// Reads a reply with a status other than 200. `body` is `None` when it could not be read.
pub(in crate::pdp) fn read(
    status: u16,
    body: Option<&[u8]>,
    retry_after: Option<Duration>,
    words: &Words,
) -> Refusal {
    let envelope = body.and_then(|body| serde_json::from_slice::<ErrorEnvelope>(body).ok());
    let is_worded = envelope.as_ref().is_some_and(|said| said.error.is_some() || said.verdict.is_some());
    // A body that could not be read may have been an envelope.
    let bare = body.is_some() && !is_worded;
    let outage = bare && matches!(status, 500 | 502 | 504);
    let mut text = meaning(status, outage, words);
    if matches!(status, 429 | 503) {
        text.push_str(&again(retry_after));
    }
    let envelope = envelope.unwrap_or_default();
    let message = envelope.message.as_ref().and_then(serde_json::Value::as_str);
    let said = envelope.error.as_ref().map(ErrorText::text).or(message).filter(|_| !outage);
    let quoted = clean(said.unwrap_or_default(), QUOTED_BYTES);
    if !quoted.is_empty() {
        text.push_str(": ");
        text.push_str(&quoted);
    }
    Refusal {
        outage,
        text,
        decision_id: envelope.decision_id.unwrap_or_default(),
        trace_id: envelope.trace_id.unwrap_or_default(),
    }
}

/// The text while we keep from asking because the service told us to with `status`.
pub(in crate::pdp) fn still_waiting(status: u16, retry_after: Duration, words: &Words) -> String {
    format!("{}{}", meaning(status, false, words), again(Some(retry_after)))
}

fn meaning(status: u16, outage: bool, words: &Words) -> String {
    let Words { credentials, forbidden, address } = words;
    let text = match status {
        400 => "policy service found the request malformed (400)",
        401 => return format!("policy service rejected the credentials (401); check {credentials}"),
        402 => "policy service refused: the limit of the service's tier is reached (402)",
        403 => return format!("policy service refused: {forbidden}"),
        404 | 405 => return format!("no policy service answers at this address ({status}); check {address}"),
        413 => "policy service refused: the request is too large (413)",
        429 => "policy service refused: too many requests (429)",
        503 => "policy service is not deciding now, its circuit breaker may be open (503)",
        300..=399 => {
            return format!(
                "policy service answered with a redirect ({status}); set {address} to its target"
            );
        }
        _ if outage => return format!("policy service unavailable: status {status} without a word"),
        _ => match status / 100 {
            4 => return format!("policy service refused the request ({status})"),
            5 => return format!("policy service failed to decide ({status})"),
            _ => return format!("policy service gave an unexpected status ({status})"),
        },
    };
    text.to_owned()
}

fn again(retry_after: Option<Duration>) -> String {
    match retry_after {
        // Rounded up, so that nobody comes back a moment too early.
        Some(wait) => format!("; try again in {} s", wait.as_secs() + u64::from(wait.subsec_nanos() > 0)),
        None => "; try again later".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: Words = Words { credentials: "A", forbidden: "not you (403); check B", address: "C" };
    const ENVELOPE: &[u8] = br#"{"error":"no\nsuch tenant","verdict":"deny","decision_id":"d-9"}"#;

    #[test]
    fn w34_only_a_bare_500_502_or_504_is_an_outage() {
        for status in 100..=999 {
            let expected = matches!(status, 500 | 502 | 504);
            for bare in
                [&b""[..], b"<html>Bad Gateway</html>", b"[1]", br#"{"message":"Internal server error"}"#]
            {
                assert_eq!(read(status, Some(bare), None, &WORDS).outage, expected, "{status}");
            }
            assert!(!read(status, Some(ENVELOPE), None, &WORDS).outage, "{status} with an envelope");
            assert!(
                !read(status, Some(br#"{"verdict":"deny"}"#), None, &WORDS).outage,
                "{status} with a verdict"
            );
            assert!(!read(status, None, None, &WORDS).outage, "{status} with a body that cannot be read");
        }
    }

    #[test]
    fn w39_every_status_has_its_own_text() {
        let texts: Vec<String> = [400, 401, 402, 403, 404, 413, 429, 500, 503]
            .map(|s| read(s, Some(b""), None, &WORDS).text)
            .into();
        for (i, text) in texts.iter().enumerate() {
            assert!(!texts[..i].contains(text), "{text}");
        }
        let limited = read(429, Some(b"{}"), Some(Duration::from_millis(1500)), &WORDS).text;
        assert!(limited.ends_with("too many requests (429); try again in 2 s"), "{limited}");
    }

    #[test]
    fn w50_the_words_of_the_service_are_quoted_clean() {
        let refusal = read(403, Some(ENVELOPE), None, &WORDS);
        assert!(refusal.text.ends_with(": no such tenant"), "{}", refusal.text);
        assert_eq!(refusal.decision_id, "d-9");
        let coded = read(402, Some(br#"{"error":{"code":"TIER","message":"upgrade"}}"#), None, &WORDS);
        assert!(coded.text.ends_with("(402): upgrade"), "{}", coded.text);
    }
}
