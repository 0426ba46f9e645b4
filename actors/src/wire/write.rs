//! Writing JSON-RPC lines: small pieces by hand, values as the raw bytes they already are.

use bytes::Bytes;

/// A message toward the client, kept in parts so that a large body is not copied.
#[derive(Clone, Debug)]
pub struct Line {
    /// What stands before the body.
    pub head: Vec<u8>,
    /// A raw JSON value; may be large.
    pub body: Bytes,
    /// What stands behind the body, without the newline.
    pub tail: &'static [u8],
}

impl Line {
    /// `{"jsonrpc":"2.0","id":…,"result":…}`
    pub fn result(id: &[u8], result: Bytes) -> Line {
        let mut head = Vec::with_capacity(id.len() + 40);
        head.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
        head.extend_from_slice(id);
        head.extend_from_slice(br#","result":"#);
        Line { head, body: result, tail: b"}" }
    }

    /// `{"jsonrpc":"2.0","id":…,"error":…}`
    pub fn error(id: &[u8], error: Bytes) -> Line {
        let mut head = Vec::with_capacity(id.len() + 40);
        head.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
        head.extend_from_slice(id);
        head.extend_from_slice(br#","error":"#);
        Line { head, body: error, tail: b"}" }
    }

    /// `{"jsonrpc":"2.0","method":…,"params":…}`
    pub fn notification(method: &str, params: Option<Bytes>) -> Line {
        Line::with_method(None, method, params)
    }

    /// `{"jsonrpc":"2.0","id":…,"method":…,"params":…}`
    pub fn request(id: &[u8], method: &str, params: Option<Bytes>) -> Line {
        Line::with_method(Some(id), method, params)
    }

    fn with_method(id: Option<&[u8]>, method: &str, params: Option<Bytes>) -> Line {
        let mut head = Vec::with_capacity(method.len() + 64);
        head.extend_from_slice(br#"{"jsonrpc":"2.0","#);
        if let Some(id) = id {
            head.extend_from_slice(br#""id":"#);
            head.extend_from_slice(id);
            head.push(b',');
        }
        head.extend_from_slice(br#""method":"#);
        string(&mut head, method);
        match params {
            Some(params) => {
                head.extend_from_slice(br#","params":"#);
                Line { head, body: params, tail: b"}" }
            }
            None => Line { head, body: Bytes::new(), tail: b"}" },
        }
    }

    /// The whole line with its newline, appended to `out`.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        out.reserve(self.len() + 1);
        out.extend_from_slice(&self.head);
        out.extend_from_slice(&self.body);
        out.extend_from_slice(self.tail);
        out.push(b'\n');
    }

    /// The whole message without a newline.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.len());
        out.extend_from_slice(&self.head);
        out.extend_from_slice(&self.body);
        out.extend_from_slice(self.tail);
        out.into()
    }

    /// Length without the newline.
    pub fn len(&self) -> usize {
        self.head.len() + self.body.len() + self.tail.len()
    }

    /// Never true: a line has a head.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Appends `text` as a JSON string.
pub fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut from = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let short: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..=0x1f => b"",
            _ => continue,
        };
        out.extend_from_slice(&bytes[from..at]);
        if short.is_empty() {
            out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
        } else {
            out.extend_from_slice(short);
        }
        from = at + 1;
    }
    out.extend_from_slice(&bytes[from..]);
    out.push(b'"');
}

/// `text` with raw U+2028 and U+2029 written as `\u2028` and `\u2029`, or `None` when there are none.
///
/// Both are legal inside JSON strings (RFC 8259) and can stand nowhere else in valid JSON, but hosts built on
/// JavaScript line readers take them for the end of a line and hang.
pub fn escape_line_separators(text: &[u8]) -> Option<Vec<u8>> {
    let first = find_separator(text, 0)?;
    let mut out = Vec::with_capacity(text.len() + 16);
    let mut from = 0;
    let mut next = Some(first);
    while let Some(at) = next {
        out.extend_from_slice(&text[from..at]);
        out.extend_from_slice(if text[at + 2] == 0xa8 { b"\\u2028" } else { b"\\u2029" });
        from = at + 3;
        next = find_separator(text, from);
    }
    out.extend_from_slice(&text[from..]);
    Some(out)
}

fn find_separator(text: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let at = from + memchr::memmem::find(text.get(from..)?, b"\xe2\x80")?;
        if matches!(text.get(at + 2), Some(0xa8 | 0xa9)) {
            return Some(at);
        }
        from = at + 2;
    }
}

/// Writes `\ufffd` for every escape of half a character, if there is one.
///
/// RFC 8259 section 8.2: what a reader does with them is unpredictable. Servers that cut strings by UTF-16 units write
/// them; strict hosts drop the whole line, and its request would never be answered.
pub fn mend_halves(text: &[u8]) -> Option<Vec<u8>> {
    let mut out: Option<Vec<u8>> = None;
    let mut from = 0;
    while let Some(at) = memchr::memmem::find(text.get(from..)?, b"\\u").map(|at| from + at) {
        let slashes = text[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        from = at + 2;
        // Behind a backslash that is itself escaped, the letter is a letter.
        if slashes % 2 == 1 {
            continue;
        }
        match unit(text, at) {
            Some(0xd800..=0xdbff) if matches!(unit(text, at + 6), Some(0xdc00..=0xdfff)) => from = at + 12,
            Some(0xd800..=0xdfff) => {
                out.get_or_insert_with(|| text.to_vec())[at..at + 6].copy_from_slice(b"\\ufffd");
                from = at + 6;
            }
            _ => {}
        }
    }
    out
}

/// The UTF-16 unit whose escape begins there.
fn unit(text: &[u8], at: usize) -> Option<u16> {
    let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
    let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
    u16::from_str_radix(str::from_utf8(digits).ok()?, 16).ok().filter(|_| is_hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_characters_are_mended_and_whole_ones_stay() {
        let mended = |text: &str| mend_halves(text.as_bytes()).map(|text| String::from_utf8(text).unwrap());
        for whole in [r#""\ud83d\ude00""#, r#""\\ud800""#, r#""\u0041 \n \u""#, "\"\u{1f600}\"", r#""\ud8""#]
        {
            assert_eq!(mended(whole), None, "{whole}");
        }
        for (half, text) in [
            (r#""\ud83d""#, r#""\ufffd""#),
            (r#""\uDE00\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\ud83d\ud83d\ude00x""#, r#""\ufffd\ud83d\ude00x""#),
            (r#""\\\ud83d""#, r#""\\\ufffd""#),
        ] {
            assert_eq!(mended(half).as_deref(), Some(text), "{half}");
        }
    }

    #[test]
    fn strings_are_escaped() {
        let mut out = Vec::new();
        string(&mut out, "a\"b\\c\n\u{1}é");
        assert_eq!(out, "\"a\\\"b\\\\c\\n\\u0001é\"".as_bytes());
    }

    #[test]
    fn line_separators_are_escaped_and_nothing_else() {
        assert_eq!(escape_line_separators("a\u{201c}b".as_bytes()), None);
        let text = "\"\u{201c}\u{2028}x\u{2029}\"";
        assert_eq!(
            escape_line_separators(text.as_bytes()),
            Some("\"\u{201c}\\u2028x\\u2029\"".as_bytes().to_vec())
        );
    }
}
