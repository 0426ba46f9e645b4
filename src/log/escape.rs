//! Makes foreign text harmless for a line of a log: no line breaks, no terminal sequences, no turned direction.

use std::borrow::Cow;
use std::fmt;

/// `text` with every character that could forge a line, drive a terminal or hide what follows written as an
/// escape: `\n`, `\u{1b}`.
pub fn escape(text: &str) -> Cow<'_, str> {
    if is_harmless(text) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    // Writing to a string cannot fail.
    let _ = fmt::Write::write_str(&mut Escaping(&mut escaped), text);
    Cow::Owned(escaped)
}

/// Whether a character stays out of a log line: controls (C0, DEL, C1), line and paragraph separators, direction
/// marks and overrides, the byte order mark.
pub(crate) fn is_dangerous(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn is_harmless(text: &str) -> bool {
    let printable_ascii = |byte: &u8| (b' '..=b'~').contains(byte);
    text.as_bytes().iter().all(printable_ascii) || !text.contains(is_dangerous)
}

/// Escapes everything that is written through it.
pub(super) struct Escaping<'a>(pub(super) &'a mut dyn fmt::Write);

impl fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(is_dangerous) {
            let (clean, dangerous) = rest.split_at(at);
            self.0.write_str(clean)?;
            let Some(character) = dangerous.chars().next() else { break };
            write!(self.0, "{}", character.escape_default())?;
            rest = &dangerous[character.len_utf8()..];
        }
        self.0.write_str(rest)
    }
}
