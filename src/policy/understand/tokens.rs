//! SQL's tokens, as every database reads them alike, from text that may begin inside a quoted string.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Letters, digits, `_`, `$`, `@`.
    Word,
    /// Digits, also with a fraction or in hexadecimal.
    Number,
    /// Text in quotes; `closed` says whether the quote ends.
    Quoted {
        /// The quote ends in this text.
        closed: bool,
    },
    /// A comment, with its marks.
    Comment,
    /// One or more characters that mean something together, such as `<=` or `||`.
    Mark,
}

/// One token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
}

impl Token<'_> {
    /// Whether it is this word, in any case.
    pub(super) fn is(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// Whether it is one of these words, in any case.
    pub(super) fn is_any(&self, words: &[&str]) -> bool {
        self.kind == Kind::Word && words.iter().any(|word| self.text.eq_ignore_ascii_case(word))
    }

    /// Whether it is this mark.
    pub(super) fn mark(&self, mark: &str) -> bool {
        self.kind == Kind::Mark && self.text == mark
    }

    /// Whether it has one value whatever the row: a number, quoted text, NULL, TRUE, FALSE, a server's variable.
    pub(super) fn is_constant(&self) -> bool {
        matches!(self.kind, Kind::Number | Kind::Quoted { .. })
            || self.is_any(&["null", "true", "false"])
            || self.text.starts_with("@@")
    }
}

/// The tokens of `text`; with `open` the text begins inside that quote.
pub(super) fn tokens(text: &str, open: Option<u8>) -> Vec<Token<'_>> {
    let mut tokens = Vec::with_capacity(text.len() / 4);
    let mut at = 0;
    if let Some(quote) = open {
        let (end, closed) = quoted_end(text.as_bytes(), 0, quote);
        tokens.push(Token { kind: Kind::Quoted { closed }, text: &text[..end] });
        at = end;
    }
    let bytes = text.as_bytes();
    while at < bytes.len() {
        if bytes[at].is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let (kind, end) = one(bytes, at);
        tokens.push(Token { kind, text: &text[at..end] });
        at = end;
    }
    tokens
}

/// Kind and end of the token at `at`. Ends fall on ASCII characters or behind whole words, so never inside a
/// character.
fn one(bytes: &[u8], at: usize) -> (Kind, usize) {
    let rest = &bytes[at..];
    let run = |more: fn(&u8) -> bool| at + rest.iter().take_while(|b| more(b)).count();
    match rest[0] {
        quote @ (b'\'' | b'"' | b'`') => {
            let (end, closed) = quoted_end(bytes, at + 1, quote);
            // Backticks quote names.
            (if quote == b'`' { Kind::Word } else { Kind::Quoted { closed } }, end)
        }
        b'-' if rest.starts_with(b"--") => (Kind::Comment, line_end(bytes, at)),
        b'#' => (Kind::Comment, line_end(bytes, at)),
        b'/' if rest.starts_with(b"/*") => {
            let end = memchr::memmem::find(&rest[2..], b"*/").map_or(bytes.len(), |found| at + found + 4);
            (Kind::Comment, end)
        }
        b'0'..=b'9' => (Kind::Number, run(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_'))),
        b if is_word(&b) => (Kind::Word, run(is_word)),
        b'<' | b'>' | b'=' | b'!' | b'|' | b'&' | b':' => {
            (Kind::Mark, run(|b| matches!(b, b'<' | b'>' | b'=' | b'!' | b'|' | b'&' | b':')))
        }
        _ => (Kind::Mark, at + 1),
    }
}

fn is_word(b: &u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$' | b'@') || *b >= 0x80
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |found| at + found)
}

/// End of the quoted text whose content begins at `from`, and whether its quote ends. A doubled quote is content.
fn quoted_end(bytes: &[u8], from: usize, quote: u8) -> (usize, bool) {
    let mut at = from;
    while let Some(found) = memchr::memchr(quote, &bytes[at..]) {
        at += found + 1;
        if bytes.get(at) != Some(&quote) {
            return (at, true);
        }
        // At its very start a doubled quote may also be an empty value that ends.
        at += 1;
    }
    (bytes.len(), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, open: Option<u8>) -> Vec<&str> {
        tokens(text, open).iter().map(|token| token.text).collect()
    }

    #[test]
    fn it_reads_as_a_database_does() {
        assert_eq!(shown("a<=1 or'x''y'--z", None), ["a", "<=", "1", "or", "'x''y'", "--z"]);
        assert_eq!(shown("admin' or 1=1 #", Some(b'\'')), ["admin'", "or", "1", "=", "1", "#"]);
        assert_eq!(shown("1/*x*/union/*", None), ["1", "/*x*/", "union", "/*"]);
        assert_eq!(shown("ä é", None), ["ä", "é"]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_it(text in "\\PC{0,60}") {
            for open in [None, Some(b'\''), Some(b'"')] {
                let all: usize = tokens(&text, open).iter().map(|token| token.text.len()).sum();
                proptest::prop_assert!(all <= text.len());
            }
        }
    }
}
