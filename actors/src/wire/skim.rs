//! Finding members of a JSON object without building it: spans into the bytes, values skipped at the speed of a
//! byte search.
//!
//! Skimming trusts the text to be JSON and never panics when it is not: it then finds nothing or a wrong span, and
//! whoever passes the span on validates it (the client's lines by [`crate::wire::strict`] before, a backend's answer
//! by the redactor after).

use std::ops::Range;

/// Calls `visit(key, value)` with the byte ranges of every top-level member of the object `text`, keys without their
/// quotes and not decoded. Stops and returns `None` when the text is not shaped like an object.
pub fn members(text: &[u8], mut visit: impl FnMut(Range<usize>, Range<usize>)) -> Option<()> {
    members_from(text, 0, |key, from| {
        let to = value_end(text, from)?;
        visit(key, from..to);
        Some(to)
    })
    .map(|_| ())
}

/// Walks the object that begins at or behind white space after `at`: `visit(key, start)` is told where each value begins
/// and answers with its end, which it finds by [`value_end`] or by walking the value itself, so that a large text is
/// passed over once. Returns the end of the object.
pub fn members_from(
    text: &[u8],
    at: usize,
    mut visit: impl FnMut(Range<usize>, usize) -> Option<usize>,
) -> Option<usize> {
    let mut at = blank(text, at);
    if text.get(at) != Some(&b'{') {
        return None;
    }
    at = blank(text, at + 1);
    if text.get(at) == Some(&b'}') {
        return Some(at + 1);
    }
    loop {
        if text.get(at) != Some(&b'"') {
            return None;
        }
        let key_end = string_end(text, at)?;
        let key = at + 1..key_end - 1;
        at = blank(text, key_end);
        if text.get(at) != Some(&b':') {
            return None;
        }
        at = blank(text, visit(key, blank(text, at + 1))?);
        match text.get(at) {
            Some(b',') => at = blank(text, at + 1),
            Some(b'}') => return Some(at + 1),
            _ => return None,
        }
    }
}

/// The byte range of the value of the first member called `key` (written without escapes) of the object `text`.
pub fn member(text: &[u8], key: &str) -> Option<Range<usize>> {
    let mut found = None;
    members(text, |k, v| {
        if found.is_none() && &text[k] == key.as_bytes() {
            found = Some(v);
        }
    });
    found
}

/// The byte range of the value at a path of keys, from the outermost inward.
pub fn path(text: &[u8], keys: &[&str]) -> Option<Range<usize>> {
    let mut range = 0..text.len();
    for key in keys {
        let inner = member(&text[range.clone()], key)?;
        range = range.start + inner.start..range.start + inner.end;
    }
    Some(range)
}

/// Calls `visit` with the byte range of every element of the array `text`. `None` when it is not shaped like one.
pub fn elements(text: &[u8], mut visit: impl FnMut(Range<usize>)) -> Option<()> {
    elements_from(text, 0, |from| {
        let to = value_end(text, from)?;
        visit(from..to);
        Some(to)
    })
    .map(|_| ())
}

/// Walks the array that begins at or behind white space after `at`, as [`members_from`] does an object.
pub fn elements_from(text: &[u8], at: usize, mut visit: impl FnMut(usize) -> Option<usize>) -> Option<usize> {
    let mut at = blank(text, at);
    if text.get(at) != Some(&b'[') {
        return None;
    }
    at = blank(text, at + 1);
    if text.get(at) == Some(&b']') {
        return Some(at + 1);
    }
    loop {
        at = blank(text, visit(at)?);
        match text.get(at) {
            Some(b',') => at = blank(text, at + 1),
            Some(b']') => return Some(at + 1),
            _ => return None,
        }
    }
}

/// The decoded string of the JSON string `text` (with its quotes), if it is one.
pub fn string(text: &[u8]) -> Option<String> {
    serde_json::from_slice(text).ok()
}

fn blank(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// The index behind the closing quote of the string that opens at `at`.
fn string_end(text: &[u8], at: usize) -> Option<usize> {
    let mut from = at + 1;
    loop {
        let hit = from + memchr::memchr2(b'"', b'\\', text.get(from..)?)?;
        if text[hit] == b'"' {
            return Some(hit + 1);
        }
        from = hit + 2;
    }
}

/// The index behind the value that begins at `at`.
pub fn value_end(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at)? {
        b'"' => string_end(text, at),
        b'{' | b'[' => nested_end(text, at),
        _ => {
            let rest = text.get(at..)?;
            let len = rest
                .iter()
                .position(|b| matches!(b, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r'))
                .unwrap_or(rest.len());
            (len > 0).then_some(at + len)
        }
    }
}

fn nested_end(text: &[u8], at: usize) -> Option<usize> {
    let mut depth = 0usize;
    let mut from = at;
    while let Some(byte) = text.get(from) {
        match byte {
            b'"' => {
                from = string_end(text, from)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(from + 1);
                }
            }
            _ => {}
        }
        from += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_members_and_leaves_the_bytes() {
        let text = br#" { "id" : 1.0 , "result":{"a":"}\"]","b":[1,{"id":2}]}, "x" : null } "#;
        let get = |key| member(text, key).map(|r| std::str::from_utf8(&text[r]).unwrap_or("?"));
        assert_eq!(get("id"), Some("1.0"));
        assert_eq!(get("result"), Some(r#"{"a":"}\"]","b":[1,{"id":2}]}"#));
        assert_eq!(get("x"), Some("null"));
        assert_eq!(get("y"), None);
        let inner = path(text, &["result", "b"]).map(|r| text[r].to_vec());
        assert_eq!(inner.as_deref(), Some(&br#"[1,{"id":2}]"#[..]));
    }

    #[test]
    fn walks_arrays() {
        let text = br#"[1, "a,b" ,{"x":[2]},[]]"#;
        let mut parts = Vec::new();
        assert!(elements(text, |r| parts.push(String::from_utf8_lossy(&text[r]).into_owned())).is_some());
        assert_eq!(parts, ["1", "\"a,b\"", "{\"x\":[2]}", "[]"]);
        assert!(elements(b"[]", |_| panic!("no element")).is_some());
    }

    proptest! {
        #[test]
        fn never_panics(text in proptest::collection::vec(prop_oneof![Just(b'{'), Just(b'}'), Just(b'"'), Just(b'\\'), Just(b':'), Just(b','), Just(b'['), Just(b'1')], 0..60)) {
            members(&text, |k, v| { let _ = (&text[k], &text[v]); });
            elements(&text, |v| { let _ = &text[v]; });
        }
    }
}
