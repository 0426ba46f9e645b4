//! What a regular expression cannot say: that two sides are equal, that a quote breaks out of a string.

use regex::bytes::{Captures, Regex};
use std::sync::LazyLock;

/// A check of one match.
pub(super) type Confirm = fn(&Found<'_>) -> bool;

/// The check of that name in the catalogue.
pub(super) fn by_name(name: &str) -> Option<Confirm> {
    Some(match name {
        "equal_sides" => equal_sides,
        "never_true_fragment" => never_true_fragment,
        "breaks_out" => breaks_out,
        "breaks_out_or_has_no_statement" => breaks_out_or_has_no_statement,
        "has_no_where" => has_no_where,
        "is_no_prose" => is_no_prose,
        "is_private_key" => is_private_key,
        "is_recursive" => is_recursive,
        "is_public_address" => is_public_address,
        "is_no_placeholder" => is_no_placeholder,
        "is_no_transaction" => is_no_transaction,
        _ => return None,
    })
}

/// A match of a pattern in a text.
pub(super) struct Found<'a> {
    pub(super) text: &'a [u8],
    pub(super) groups: Captures<'a>,
}

impl<'a> Found<'a> {
    fn group(&self, name: &str) -> &'a [u8] {
        self.groups.name(name).map_or(b"", |group| group.as_bytes())
    }

    /// The text up to and with the group `break`.
    fn up_to_break(&self) -> &'a [u8] {
        self.groups.name("break").map_or(b"", |group| &self.text[..group.end()])
    }

    fn before(&self) -> &'a [u8] {
        self.groups.get(0).map_or(b"", |all| &self.text[..all.start()])
    }
}

/// The groups `l` and `r` are the same word: a comparison that always holds.
fn equal_sides(found: &Found<'_>) -> bool {
    found.group("l").trim_ascii().eq_ignore_ascii_case(found.group("r").trim_ascii())
}

/// The groups `l` and `r` differ, and no statement stands before that would make it a builder's `AND 1=2`.
fn never_true_fragment(found: &Found<'_>) -> bool {
    !equal_sides(found) && !has_statement(found.before())
}

/// The quote in the group `break` ends a string that does not begin in this text, or the bracket one that does not
/// open in it.
fn breaks_out(found: &Found<'_>) -> bool {
    let before = found.up_to_break();
    let count = |byte: u8| before.iter().filter(|b| **b == byte).count();
    match before.last() {
        Some(quote @ (b'\'' | b'"')) => count(*quote) % 2 == 1,
        Some(b')') => count(b')') > count(b'('),
        _ => false,
    }
}

/// As [`breaks_out`], or there is no statement before that the quote or bracket could belong to.
fn breaks_out_or_has_no_statement(found: &Found<'_>) -> bool {
    breaks_out(found) || !has_statement(found.before())
}

/// There is no `WHERE` outside of quoted text after the match's start.
fn has_no_where(found: &Found<'_>) -> bool {
    static QUOTED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"(?s-u)'[^']*'|"[^"]*""#).ok());
    static WHERE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?i-u)\bwhere\b").ok());
    let (Some(quoted), Some(where_)) = (&*QUOTED, &*WHERE) else { return true };
    !where_.is_match(&quoted.replace_all(found.text, &b"''"[..]))
}

/// Words that make "drop table …" English.
const PROSE: &[&str] = &[
    "a",
    "account",
    "accounts",
    "an",
    "and",
    "as",
    "at",
    "behavior",
    "behaviour",
    "by",
    "capability",
    "command",
    "commands",
    "docs",
    "example",
    "examples",
    "feature",
    "features",
    "for",
    "from",
    "in",
    "is",
    "it",
    "layout",
    "of",
    "on",
    "flow",
    "flows",
    "form",
    "forms",
    "guide",
    "interface",
    "manual",
    "only",
    "page",
    "pages",
    "profile",
    "profiles",
    "stories",
    "story",
    "operation",
    "operations",
    "or",
    "permission",
    "permissions",
    "privilege",
    "query",
    "queries",
    "reservation",
    "reservations",
    "statement",
    "statements",
    "support",
    "syntax",
    "test",
    "tests",
    "that",
    "the",
    "this",
    "to",
    "warning",
    "with",
];

/// Whether the name is a word that makes the phrase around it language.
pub(super) fn is_prose_name(name: &[u8]) -> bool {
    PROSE.iter().any(|word| name.eq_ignore_ascii_case(word.as_bytes()))
}

/// The name in the group `name` is not a word that makes the phrase English, or SQL punctuation follows.
fn is_no_prose(found: &Found<'_>) -> bool {
    let name = found.group("name");
    let prose = is_prose_name(name);
    let end = found.group("end").trim_ascii();
    !prose || matches!(end.first(), Some(b';' | b'-' | b'#' | b'/' | b'c' | b'C' | b'r' | b'R'))
}

/// The key is a private one: `.pub` does not follow.
fn is_private_key(found: &Found<'_>) -> bool {
    let end = found.groups.get(0).map_or(0, |all| all.end());
    !found.text[end..].starts_with(b".pub")
}

/// The flags of a removal say "all below".
fn is_recursive(found: &Found<'_>) -> bool {
    let mut flags = found.group("flags").split(|b| b.is_ascii_whitespace());
    flags.any(|flag| {
        let long = flag.starts_with(b"--");
        (long && flag.eq_ignore_ascii_case(b"--recursive"))
            || (!long && flag.iter().any(|b| b.eq_ignore_ascii_case(&b'r')))
    })
}

/// The address in the group `ip` belongs to the public internet.
fn is_public_address(found: &Found<'_>) -> bool {
    let text = std::str::from_utf8(found.group("ip")).unwrap_or_default();
    text.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| {
        let [a, b, ..] = ip.octets();
        let shared = a == 100 && (64..128).contains(&b);
        !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified() || shared)
            && a < 224
            && a != 0
    })
}

/// The group `value` is a value and no stand-in for one: no variable, no type's name, no word that says "put it here".
fn is_no_placeholder(found: &Found<'_>) -> bool {
    const STAND_INS: &[&str] = &[
        "string",
        "str",
        "text",
        "true",
        "false",
        "null",
        "none",
        "nil",
        "undefined",
        "required",
        "optional",
        "changeme",
        "password",
        "secret",
        "token",
        "example",
        "placeholder",
        "redacted",
        "hidden",
        "bool",
        "boolean",
        "int",
        "integer",
        "number",
        "object",
        "any",
        "see",
        "the",
        "must",
        "should",
        "minimum",
        "your",
        "friday",
    ];
    let value = found.group("value");
    let lower = value.to_ascii_lowercase();
    let word = std::str::from_utf8(&lower)
        .unwrap_or_default()
        .trim_matches(['.', ',', '*', '"', '\'', ':', '!', '?']);
    let points = [
        "$",
        "%",
        "<",
        "{",
        "process.env",
        "os.environ",
        "os.getenv",
        "env.",
        "getenv",
        "config.",
        "settings.",
    ];
    !(word.is_empty()
        || STAND_INS.contains(&word)
        || word.starts_with("your")
        || word.starts_with("my_")
        || word.bytes().all(|b| b == b'x' || b == b'.' || b == b'-')
        || points.iter().any(|point| word.starts_with(point)))
}

/// The text does not begin as a script does that changes rows on purpose.
fn is_no_transaction(found: &Found<'_>) -> bool {
    let start = found.text.trim_ascii_start();
    let begins = |word: &[u8]| start.len() >= word.len() && start[..word.len()].eq_ignore_ascii_case(word);
    !(begins(b"begin") || begins(b"start transaction") || begins(b"create ") || begins(b"insert into"))
}

fn has_statement(text: &[u8]) -> bool {
    static STATEMENT: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(?i-u)\b(?:select|values|update|delete|insert|merge)\b").ok());
    STATEMENT.as_ref().is_some_and(|statement| statement.is_match(text))
}
