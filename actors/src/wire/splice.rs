//! Replacing spans in raw bytes: the only way a message is changed on its way.

use std::ops::Range;

/// `text` with each span replaced; spans are in ascending order and do not overlap.
pub fn splice(text: &[u8], replacements: &[(Range<usize>, &[u8])]) -> Vec<u8> {
    let grown: usize = replacements.iter().map(|(_, with)| with.len()).sum();
    let mut out = Vec::with_capacity(text.len() + grown);
    let mut from = 0;
    for (range, with) in replacements {
        debug_assert!(from <= range.start, "spans must ascend");
        out.extend_from_slice(&text[from..range.start]);
        out.extend_from_slice(with);
        from = range.end;
    }
    out.extend_from_slice(&text[from..]);
    out
}

/// The object `text` with the member `key` set to the JSON text `value`: replaced where it stands, or added at the
/// end. `text` must be a JSON object.
pub fn set_member(text: &[u8], key: &str, value: &[u8]) -> Vec<u8> {
    if let Some(range) = super::skim::member(text, key) {
        return splice(text, &[(range, value)]);
    }
    let end = text.iter().rposition(|b| *b == b'}').unwrap_or(text.len());
    let mut is_empty = true;
    super::skim::members(text, |_, _| is_empty = false);
    let mut member = Vec::with_capacity(key.len() + value.len() + 4);
    if !is_empty {
        member.push(b',');
    }
    super::write::string(&mut member, key);
    member.push(b':');
    member.extend_from_slice(value);
    splice(text, &[(end..end, &member)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_spans_change() {
        assert_eq!(splice(b"abcdef", &[(1..2, b"XX"), (4..4, b"-")]), b"aXXcd-ef");
        assert_eq!(set_member(br#"{"a": 1 }"#, "a", b"2"), br#"{"a": 2 }"#);
        assert_eq!(set_member(br#"{"a":1}"#, "b", b"[]"), br#"{"a":1,"b":[]}"#);
        assert_eq!(set_member(br#"{ }"#, "b", b"1"), br#"{ "b":1}"#);
    }
}
