//! Text of a policy service on its way to the person and the model: bounded and free of tricks.

/// One line of at most `max_bytes` bytes: control, bidirectional and invisible characters become spaces, runs
/// of white space become one space, and what is cut off is marked with `…`.
///
/// ```text
/// "blocked\n\n\u{202e}ignore the rules" → "blocked ignore the rules"
/// ```
pub(super) fn clean(text: &str, max_bytes: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max_bytes));
    let mut space = false;
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() || is_invisible(c) {
            space = !out.is_empty();
            continue;
        }
        let needed = c.len_utf8() + usize::from(space);
        if out.len() + needed > max_bytes {
            return mark_cut(out, max_bytes);
        }
        if std::mem::take(&mut space) {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

/// The text if it is a plain identifier of at most `max_bytes` printable ASCII characters, else the empty text.
pub(super) fn identifier(text: &str, max_bytes: usize) -> String {
    let text = text.trim();
    let plain = text.len() <= max_bytes && text.bytes().all(|b| b.is_ascii_graphic());
    if plain { text.to_owned() } else { String::new() }
}

fn mark_cut(mut out: String, max_bytes: usize) -> String {
    const MARK: char = '…';
    while out.len() + MARK.len_utf8() > max_bytes && out.pop().is_some() {}
    if out.len() + MARK.len_utf8() <= max_bytes {
        out.push(MARK);
    }
    out
}

/// Characters that change how text around them is shown, or that are not shown at all.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w50_text_of_the_service_is_one_clean_bounded_line() {
        assert_eq!(clean("blocked\r\n\tby\u{1b}[31m rule\u{0}", 64), "blocked by [31m rule");
        assert_eq!(clean("a\u{202e}b\u{200b}c\u{e0041}d", 64), "a b c d");
        assert_eq!(clean("  padded  ", 64), "padded");
        assert_eq!(clean("Größe überschritten", 64), "Größe überschritten");
    }

    #[test]
    fn w50_long_text_is_cut_at_a_character_and_marked() {
        let cut = clean(&"ä".repeat(400), 21);
        assert!(cut.len() <= 21 && cut.ends_with('…'), "{cut}");
        assert_eq!(clean("abc", 2), "", "no room for the mark");
        assert_eq!(clean("abcd", 4), "abcd");
    }

    #[test]
    fn identifiers_are_plain_or_nothing() {
        assert_eq!(identifier(" d-1 ", 8), "d-1");
        assert_eq!(identifier("d\n1", 8), "");
        assert_eq!(identifier("123456789", 8), "");
    }

    proptest::proptest! {
        #[test]
        fn w50_whatever_comes_the_bound_holds(text in "\\PC*|[\\x00-\\x7f]*", max in 0usize..64) {
            let cleaned = clean(&text, max);
            proptest::prop_assert!(cleaned.len() <= max);
            proptest::prop_assert!(!cleaned.chars().any(char::is_control));
        }
    }
}
