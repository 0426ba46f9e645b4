//! W3C Trace Context: reading the caller's `traceparent` and making ours.

use serde::Deserialize;

/// The trace a call belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    /// 32 lower-case hex digits, not all zero.
    pub(crate) id: String,
    flags: String,
}

impl Trace {
    /// Continues the trace that `params._meta.traceparent` names, if it names a valid one; else starts a new,
    /// sampled one.
    pub(crate) fn of(meta: Option<&[u8]>) -> Self {
        meta.and_then(caller_traceparent)
            .as_deref()
            .and_then(Self::parse)
            .unwrap_or_else(|| Self { id: nonzero_hex::<16>(), flags: "01".to_owned() })
    }

    /// `version-traceid-parentid-flags` (Trace Context, "traceparent Header"). Versions after 00 may be longer.
    pub(crate) fn parse(header: &str) -> Option<Self> {
        let (version, rest) = header.split_once('-')?;
        let (id, rest) = rest.split_once('-')?;
        let (span, rest) = rest.split_once('-')?;
        let flags = if version == "00" { rest } else { rest.split('-').next()? };
        let valid = is_hex(version, 2)
            && version != "ff"
            && is_hex(id, 32)
            && is_hex(span, 16)
            && is_hex(flags, 2)
            && [id, span].iter().all(|digits| digits.bytes().any(|b| b != b'0'));
        valid.then(|| Self { id: id.to_owned(), flags: flags.to_owned() })
    }

    /// The header for a request of ours: the same trace, a span of its own.
    pub(super) fn traceparent(&self) -> String {
        format!("00-{}-{}-{}", self.id, nonzero_hex::<8>(), self.flags)
    }
}

/// Whether the text is exactly `len` lower-case hex digits.
pub(super) fn is_hex(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn caller_traceparent(meta: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Meta {
        traceparent: Option<String>,
    }
    serde_json::from_slice::<Meta>(meta).ok()?.traceparent
}

/// `BYTES` random bytes as hex. Ids need not be secret, so the quick generator does.
fn nonzero_hex<const BYTES: usize>() -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut bytes = [0u8; BYTES];
    fastrand::fill(&mut bytes);
    bytes[BYTES - 1] |= 1;
    bytes
        .iter()
        .flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]])
        .map(char::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

    #[test]
    fn w49_a_valid_trace_is_continued_with_a_new_span() {
        let meta = format!(r#"{{"progressToken":1,"traceparent":"{GIVEN}"}}"#);
        let ours = Trace::of(Some(meta.as_bytes())).traceparent();
        assert!(ours.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"), "{ours}");
        assert!(ours.ends_with("-00"), "the caller's flags are kept: {ours}");
        assert!(!ours.contains("00f067aa0ba902b7"), "the span is ours: {ours}");
    }

    #[test]
    fn w49_anything_invalid_starts_a_new_trace() {
        for bad in [
            "",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        ] {
            assert_eq!(Trace::parse(bad), None, "{bad}");
        }
        for meta in [None, Some(&b"null"[..]), Some(b"{}"), Some(br#"{"traceparent":7}"#)] {
            let trace = Trace::of(meta);
            assert!(is_hex(&trace.id, 32));
            assert!(trace.traceparent().ends_with("-01"), "a new trace is sampled");
        }
    }

    #[test]
    fn a_later_version_may_carry_more() {
        let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-ever";
        assert_eq!(Trace::parse(later).expect("valid").flags, "01");
    }
}
