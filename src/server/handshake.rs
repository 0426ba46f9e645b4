//! The header in which an enforcement point declares what it can do (the AxonFlow contract, section 1.4).

use super::reply::Refusal;
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

const HEADER: &str = "x-axonflow-pep-handshake";
/// Longest header.
const MAX_BYTES: usize = 4096;
/// Most capabilities.
const MAX_CAPABILITIES: usize = 64;

/// What the caller declares about masking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Declared {
    /// Nothing: there is no header.
    Nothing,
    /// It can mask.
    CanRedact,
    /// Its list does not name masking.
    CannotRedact,
}

#[derive(Deserialize)]
struct Document {
    profile_version: u32,
    pep_id: String,
    audience: String,
    capabilities: Vec<Capability>,
}

#[derive(Deserialize)]
struct Capability {
    #[serde(rename = "type")]
    kind: String,
    version: u32,
}

/// Reads the declaration.
///
/// # Errors
/// A header that is there and cannot be read is a malformed request; so are two.
pub(super) fn read(headers: &HeaderMap) -> Result<Declared, Refusal> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(Declared::Nothing) };
    let wrong = |what: &str| Refusal::malformed(format!("X-Axonflow-PEP-Handshake: {what}"));
    if values.next().is_some() {
        return Err(wrong("sent more than once"));
    }
    let text = value.to_str().unwrap_or_default();
    if text.is_empty() || text.len() > MAX_BYTES {
        return Err(wrong("empty or too long"));
    }
    let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong("not base64url without padding"))?;
    let document: Document =
        serde_json::from_slice(&json).map_err(|_| wrong("not a declaration that can be read"))?;
    if document.profile_version != 1 {
        return Err(wrong("profile_version must be 1"));
    }
    if !is_name(&document.pep_id, "._-") || !is_name(&document.audience, "._:/-") {
        return Err(wrong("pep_id or audience is empty, too long, or has other characters"));
    }
    if document.capabilities.len() > MAX_CAPABILITIES {
        return Err(wrong("too many capabilities"));
    }
    let masks = document.capabilities.iter().any(|can| can.kind == "field_redact" && can.version == 1);
    Ok(if masks { Declared::CanRedact } else { Declared::CannotRedact })
}

fn is_name(text: &str, more: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(json: &str) -> Result<Declared, Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, URL_SAFE_NO_PAD.encode(json).parse().expect("value"));
        read(&headers)
    }

    #[test]
    fn a_declaration_says_whether_the_caller_can_mask() {
        assert_eq!(read(&HeaderMap::new()), Ok(Declared::Nothing));
        let with = |list: &str| {
            reads(&format!(
                r#"{{"profile_version":1,"pep_id":"edge","audience":"a:b","capabilities":{list}}}"#
            ))
        };
        assert_eq!(with(r#"[{"type":"field_redact","version":1}]"#), Ok(Declared::CanRedact));
        assert_eq!(with("[]"), Ok(Declared::CannotRedact), "an empty list is a declaration");
        assert_eq!(with(r#"[{"type":"field_redact","version":2}]"#), Ok(Declared::CannotRedact));
    }

    #[test]
    fn what_cannot_be_read_is_malformed() {
        for json in [
            "",
            "[]",
            r#"{"profile_version":1,"pep_id":"e","audience":"a"}"#,
            r#"{"profile_version":2,"pep_id":"e","audience":"a","capabilities":[]}"#,
            r#"{"profile_version":1,"pep_id":"","audience":"a","capabilities":[]}"#,
            r#"{"profile_version":1,"pep_id":"e","audience":"a b","capabilities":[]}"#,
        ] {
            assert!(reads(json).is_err(), "{json}");
        }
    }
}
