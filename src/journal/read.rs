//! Reads audit files, whoever wrote them: lines of bounded length, and what a row says.
//!
//! Nothing here trusts a byte of what it reads.

use super::chain::Link;
use memchr::memmem;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};

/// Longest line that is read: a row has 1 KiB, and a platform that names thousands of policies makes it longer.
pub const MAX_LINE_BYTES: usize = 16 * 1024 * 1024;

/// What an audit row says. Rows of other versions and of other programs lack some members.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Row {
    /// RFC 3339, UTC.
    pub timestamp: String,
    /// Which session.
    pub session_id: String,
    /// Who answers for it.
    pub leader_email: String,
    /// The tool's own name; empty for a malformed call.
    pub tool_name: String,
    /// The backend's id.
    pub server: String,
    /// SHA-256 of the arguments' canonical text.
    pub parameters_hash: String,
    /// How many records the answer held.
    pub response_record_count: u64,
    /// The whole call.
    pub duration_ms: u64,
    /// The decision's id.
    pub decision_id: String,
    /// What was decided.
    pub verdict: String,
    /// The policies that were looked at.
    pub evaluated_policies: Vec<String>,
    /// The trace.
    pub trace_id: String,
    /// Which agent called.
    pub ai_agent: String,
    /// Which gate.
    pub gateway_id: String,
    /// How many values were masked.
    pub redaction_count: u64,
    /// What became of the call.
    pub outcome: String,
    /// What monitor mode let pass; empty when nothing.
    pub would: String,
    /// Who spoke about the answer, as `action:id`.
    pub response_policies: Vec<String>,
    /// How many values of each type were masked.
    pub redactions: BTreeMap<String, u64>,
    /// HMAC of the arguments' canonical text.
    pub parameters_hmac: String,
    /// Names the call.
    pub call_id: String,
    /// When a crash was mended by this row.
    pub recovered_at: String,
    /// The row's number.
    pub seq: u64,
}

impl Row {
    /// Reads a line, given without its line feed. `None` when it is no JSON object of that shape.
    pub fn read(line: &[u8]) -> Option<Self> {
        // A list of values would be taken for the members in their order.
        serde_json::from_slice(line).ok().filter(|_| line.first() == Some(&b'{'))
    }
}

/// What a line of an audit file is for the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A row that is tied to the one before; whether its hash is right is another question.
    Chained(Link),
    /// A JSON object that knows nothing of a chain.
    Unchained,
    /// Anything else.
    Broken,
}

/// What this line, given without its line feed, is.
pub fn kind(line: &[u8]) -> Kind {
    #[derive(Deserialize)]
    struct Members {
        seq: Option<serde::de::IgnoredAny>,
        prev_hash: Option<serde::de::IgnoredAny>,
        hash: Option<serde::de::IgnoredAny>,
    }
    if let Some(link) = Link::of(line) {
        return Kind::Chained(link);
    }
    match serde_json::from_slice(line) {
        Ok(Members { seq: None, prev_hash: None, hash: None }) if line.first() == Some(&b'{') => {
            Kind::Unchained
        }
        _ => Kind::Broken,
    }
}

/// The `call_id` of a row as it stands there: unlike the text of a string, a name is not preceded by a backslash.
pub fn call_id(row: &[u8]) -> Option<&str> {
    const CALL_ID: &[u8] = b"\"call_id\":\"";
    let from = memmem::rfind(row, CALL_ID)? + CALL_ID.len();
    let len = memchr::memchr(b'"', &row[from..])?;
    str::from_utf8(&row[from..from + len]).ok()
}

/// One line as it was read.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// Ended by a line feed, which is taken off.
    Whole,
    /// The file ended before it did.
    Unended,
    /// Longer than [`MAX_LINE_BYTES`]; what was read of it stays.
    TooLong,
}

/// Reads the next line into `line`. `None` at the end of the file.
pub fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<Line>> {
    line.clear();
    let mut limited = input.take(MAX_LINE_BYTES as u64);
    limited.read_until(b'\n', line)?;
    Ok(match line.last() {
        None => None,
        Some(b'\n') => {
            line.pop();
            Some(Line::Whole)
        }
        Some(_) if line.len() == MAX_LINE_BYTES => Some(Line::TooLong),
        Some(_) => Some(Line::Unended),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_told_apart() {
        assert_eq!(kind(b"{\"a\":1}"), Kind::Unchained);
        assert_eq!(kind(b"{}"), Kind::Unchained);
        for broken in ["", "1", "[]", "{\"a\":1", "{\"seq\":1}", "{\"hash\":\"x\"}", "null"] {
            assert_eq!(kind(broken.as_bytes()), Kind::Broken, "{broken}");
        }
        assert_eq!(call_id(br#"{"tool_name":"\"call_id\":\"x\"","call_id":"run-1"}"#), Some("run-1"));
        assert_eq!(call_id(br#"{"tool_name":"\"call_id\":\"x\""}"#), None);
    }

    #[test]
    fn rows_of_other_programs_are_read_as_far_as_they_go() {
        let row = Row::read(br#"{"timestamp":"t","tool_name":"x","strange":[1]}"#).unwrap();
        assert_eq!((row.tool_name.as_str(), row.outcome.as_str(), row.seq), ("x", "", 0));
        assert_eq!((Row::read(b"[]"), Row::read(b"nothing")), (None, None));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
            let mut input = &bytes[..];
            let mut line = Vec::new();
            let mut read = 0;
            while let Some(ended) = next_line(&mut input, &mut line).unwrap() {
                kind(&line);
                call_id(&line);
                Row::read(&line);
                read += line.len() + usize::from(ended == Line::Whole);
            }
            prop_assert_eq!(read, bytes.len());
        }
    }
}
