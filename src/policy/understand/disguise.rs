//! Recognises a command whose name is written so that only a shell reads it: `w'h'o'am'i`, `wh""oami`, `who$@ami`.

use crate::policy::signal::{Signal, Signals};

/// What wakes this kind of understanding: quotes, escapes and empty expansions inside a word.
pub(super) const WAKE: &str = r#"\w''\w|\w""\w|\w``\w|\w\$@\w|\w\$\(|\\\w+\\\w|\w['"]\w+['"]\w"#;

/// Longest text that is looked at: such words stand where a value is expected.
const LONGEST: usize = 512;

/// Programs that nobody writes in pieces but to hide them.
const PROGRAMS: &[&str] = &[
    "cat",
    "whoami",
    "id",
    "uname",
    "ls",
    "bash",
    "sh",
    "zsh",
    "nc",
    "ncat",
    "netcat",
    "curl",
    "wget",
    "python",
    "python3",
    "perl",
    "php",
    "ruby",
    "passwd",
    "ifconfig",
    "ping",
    "nslookup",
    "sleep",
    "rm",
    "chmod",
    "sudo",
    "telnet",
    "powershell",
    "cmd",
    "head",
    "tail",
    "more",
    "less",
    "env",
    "printenv",
    "hostname",
    "/etc/passwd",
    "/etc/shadow",
    "/bin/sh",
    "/bin/bash",
    "/bin/cat",
];

/// Adds what a disguised word of `text` runs.
pub(super) fn judge(text: &str, signals: &mut Signals) {
    if text.len() > LONGEST {
        return;
    }
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, ';' | '|' | '&' | '<' | '>'));
    if words.into_iter().any(hides_a_program) {
        signals.add(Signal::CommandInjection);
    }
}

fn hides_a_program(word: &str) -> bool {
    let joined = word.replace("$@", "").replace("$()", "").replace("$*", "").replace("$(echo", "");
    // Quotes around a whole word, or before an option's value, hide nothing.
    let inner = joined.trim_matches(['\'', '"', '`']);
    let plain: String = inner.chars().filter(|c| !matches!(c, '\'' | '"' | '`' | '\\' | '^')).collect();
    let mut path = plain.clone();
    while path.contains("//") {
        path = path.replace("//", "/");
    }
    (plain.len() < inner.len() || joined.len() < word.len())
        && (PROGRAMS.contains(&path.as_str())
            || path.starts_with('/') && path.rsplit('/').next().is_some_and(|name| PROGRAMS.contains(&name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_programs_are_seen_and_apostrophes_are_not() {
        let of = |text| crate::policy::understand::found(judge, text);
        for text in
            ["w'h'o'am'i", "wh\"\"oami", "who$@ami", r"/\b\i\n/////s\h", "c''at /etc/hosts", "who$()ami"]
        {
            assert_eq!(of(text), [Signal::CommandInjection], "{text}");
        }
        for text in
            ["rock'n'roll", "don't", "'cat'", "\"id\"", "O'Brien's", "C:\\bin\\cat.txt", "name=\"id\""]
        {
            assert_eq!(of(text), [], "{text}");
        }
    }
}
