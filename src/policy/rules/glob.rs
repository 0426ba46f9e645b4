//! Name patterns: `*` stands for any characters, `?` for one; everything else for itself, case included.

use regex::{Regex, RegexBuilder};

/// Longest pattern, in bytes: longer than any name and most paths.
pub(super) const MAX_PATTERN_BYTES: usize = 1_000;

/// One pattern, ready to be asked. Time grows linearly with the text.
#[derive(Clone, Debug)]
pub(super) enum Glob {
    /// Has no wild card.
    Exact(String),
    /// Ends in its only wild card.
    Prefix(String),
    /// Everything else.
    Pattern(Regex),
}

impl Glob {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        if text.len() > MAX_PATTERN_BYTES {
            return Err(format!("the pattern is longer than {MAX_PATTERN_BYTES} bytes"));
        }
        let Some(first) = text.find(['*', '?']) else { return Ok(Self::Exact(text.to_owned())) };
        if first + 1 == text.len() && text.ends_with('*') {
            return Ok(Self::Prefix(text[..first].to_owned()));
        }
        let pattern = format!(r"\A{}\z", inner(text));
        let regex = RegexBuilder::new(&pattern).dot_matches_new_line(true).build();
        regex.map(Self::Pattern).map_err(|error| error.to_string())
    }

    /// Whether the whole text is meant.
    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(name) => name == text,
            Self::Prefix(start) => text.starts_with(start.as_str()),
            Self::Pattern(regex) => regex.is_match(text),
        }
    }

    /// The only text that is meant, if there is only one.
    pub(super) fn exact(&self) -> Option<&str> {
        match self {
            Self::Exact(name) => Some(name),
            _ => None,
        }
    }

    /// The same as a regular expression.
    pub(super) fn expression(&self) -> String {
        match self {
            Self::Exact(name) => format!(r"\A{}\z", regex::escape(name)),
            Self::Prefix(start) => format!(r"\A{}", regex::escape(start)),
            Self::Pattern(regex) => format!("(?s:{})", regex.as_str()),
        }
    }
}

fn inner(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 8);
    let mut star = false;
    for c in text.chars() {
        match c {
            '*' if star => {}
            '*' => pattern.push_str(".*"),
            '?' => pattern.push('.'),
            other => pattern.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
        star = c == '*';
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Glob::new(pattern).expect("a pattern").matches(text)
    }

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, right) in [
            ("delete_*", "delete_user", true),
            ("delete_*", "undelete_user", false),
            ("*", "", true),
            ("?", "é", true),
            ("?", "", false),
            ("*_all", "drop\n_all", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXcYb", false),
            ("query", "Query", false),
            ("a.b[c]", "a.b[c]", true),
            ("a.b", "axb", false),
        ] {
            assert_eq!(matches(pattern, text), right, "{pattern} on {text}");
        }
        assert!(Glob::new(&"x".repeat(MAX_PATTERN_BYTES + 1)).is_err());
    }

    proptest! {
        #[test]
        fn no_pattern_breaks_it_and_the_expression_says_the_same(
            pattern in "[a-c*?.\\\\(\\[é]{0,12}", text in "[a-c.\\\\(\\[é\n]{0,12}",
        ) {
            let glob = Glob::new(&pattern).expect("short");
            let regex = Regex::new(&glob.expression()).expect("an expression");
            prop_assert_eq!(glob.matches(&text), regex.is_match(&text));
        }

        #[test]
        fn a_text_without_wild_cards_means_itself(text in "[^*?]{0,20}") {
            prop_assert!(matches(&text, &text));
            let start = format!("{text}*");
            prop_assert!(matches(&start, &text));
        }
    }
}
