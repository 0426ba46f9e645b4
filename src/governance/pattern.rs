//! Patterns of tools: `*` stands for any characters, `?` for one.
//!
//! A pattern means a tool's own name, the name that the client sees, or `server/tool`. What opens (allow lists, vouching)
//! is read to the letter; what closes (deny lists, names of agents) is read as a person would, see `lookalike.rs`.

use super::lookalike::{UNREADABLE, folded};
use std::fmt;

/// Longest pattern, in bytes: twice the longest name that MCP allows.
pub const MAX_PATTERN_BYTES: usize = 256;

/// One pattern, ready to be asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    text: String,
    /// To the letter: the server's part, where there is one, and the tool's.
    server: Option<Glob>,
    tool: Glob,
    whole: Glob,
    /// As it reads.
    seen: Glob,
}

/// A tool as patterns are asked about it.
pub(super) struct Names<'a> {
    pub(super) server: &'a str,
    pub(super) own: &'a str,
    pub(super) exposed: &'a str,
}

/// The same as it reads.
pub(super) struct Seen {
    names: [Vec<char>; 4],
}

impl Seen {
    pub(super) fn of(names: &Names<'_>) -> Self {
        let Names { server, own, exposed } = names;
        let (server, own, exposed) = (folded(server), folded(own), folded(exposed));
        let of_server = |name: &[char]| [&server, &['/'][..], name].concat();
        Self { names: [of_server(&own), of_server(&exposed), own, exposed] }
    }
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, and the way out.
    pub fn new(text: &str) -> Result<Self, (String, &'static str)> {
        let text = text.trim();
        if text.is_empty() {
            return Err(("is empty".into(), "write a tool's name, in which * stands for any characters"));
        }
        if text.len() > MAX_PATTERN_BYTES {
            return Err((format!("is longer than {MAX_PATTERN_BYTES} bytes"), "shorten it with *"));
        }
        if text.chars().any(char::is_control) {
            return Err(("has a control character".into(), "remove it"));
        }
        let (server, tool) = match text.split_once('/') {
            Some((server, tool)) if server.is_empty() || tool.is_empty() => {
                return Err((
                    "has nothing on one side of its /".into(),
                    "write server/tool, such as crm/get_*",
                ));
            }
            Some((server, tool)) => (Some(Glob::new(server.chars())), Glob::new(tool.chars())),
            None => (None, Glob::new(text.chars())),
        };
        Ok(Self {
            text: text.to_owned(),
            server,
            tool,
            whole: Glob::new(text.chars()),
            seen: Glob::new(folded(text).into_iter()),
        })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it names the tool to the letter, in a list about all servers. `may_be_own` says that the tool's own name
    /// counts; a server could give its tool the name under which another server's is shown.
    pub(super) fn names(&self, tool: &Names<'_>, may_be_own: bool) -> bool {
        let is = |glob: &Glob, name: &str| glob.matches(name.chars(), |a, b| a == b);
        let either = |glob: &Glob| is(glob, tool.exposed) || is(glob, tool.own);
        match &self.server {
            Some(server) => is(server, tool.server) && either(&self.tool),
            None => is(&self.tool, tool.exposed) || (may_be_own && is(&self.tool, tool.own)),
        }
    }

    /// Whether it names the tool to the letter, in a list about this tool's server alone.
    pub(super) fn names_here(&self, tool: &Names<'_>) -> bool {
        self.names(tool, true) || self.whole.matches(tool.own.chars(), |a, b| a == b)
    }

    /// Whether it names something that reads as the tool does.
    pub(super) fn resembles(&self, tool: &Seen) -> bool {
        tool.names.iter().any(|name| self.reads(name))
    }

    /// Whether it names something that reads as `name` does.
    pub(super) fn reads_as(&self, name: &str) -> bool {
        self.reads(&folded(name))
    }

    fn reads(&self, name: &[char]) -> bool {
        self.seen.matches(name.iter().copied(), |a, b| a == b || b == UNREADABLE)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Patterns as one text, for a person.
pub fn listed(patterns: &[Pattern]) -> String {
    let texts: Vec<&str> = patterns.iter().map(Pattern::as_str).collect();
    texts.join(", ")
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Any,
    One,
    Letter(char),
}

#[derive(Clone, Debug, PartialEq)]
struct Glob(Vec<Part>);

impl Glob {
    fn new(text: impl Iterator<Item = char>) -> Self {
        let mut parts: Vec<Part> = text
            .map(|c| match c {
                '*' => Part::Any,
                '?' => Part::One,
                other => Part::Letter(other),
            })
            .collect();
        parts.dedup_by(|one, other| (*one, *other) == (Part::Any, Part::Any));
        Self(parts)
    }

    /// Whether the whole name is meant; `same` compares a letter of the pattern with one of the name. Takes at most the
    /// product of the two lengths.
    fn matches(&self, name: impl Iterator<Item = char> + Clone, same: impl Fn(char, char) -> bool) -> bool {
        let parts = &self.0;
        let (mut at, mut rest) = (0, name);
        // Where the last star stands, and what was left of the name when it had taken its share.
        let mut star = None;
        loop {
            let here = rest.clone();
            let next = rest.next();
            let fits = match (parts.get(at), next) {
                (None, None) => return true,
                (Some(Part::Any), _) => {
                    star = Some((at, here.clone()));
                    at += 1;
                    rest = here;
                    continue;
                }
                (Some(Part::One), Some(_)) => true,
                (Some(Part::Letter(letter)), Some(c)) => same(*letter, c),
                _ => false,
            };
            if fits {
                at += 1;
                continue;
            }
            // The star takes one character more.
            let Some((star_at, mut left)) = star else { return false };
            if left.next().is_none() {
                return false;
            }
            (at, rest, star) = (star_at + 1, left.clone(), Some((star_at, left)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::new(text).expect("a pattern")
    }

    fn tool<'a>(server: &'a str, own: &'a str, exposed: &'a str) -> Names<'a> {
        Names { server, own, exposed }
    }

    fn resembles(text: &str, own: &str) -> bool {
        pattern(text).resembles(&Seen::of(&tool("crm", own, own)))
    }

    #[test]
    fn what_opens_is_read_to_the_letter() {
        let get = tool("crm", "get_user", "crm__get_user");
        for text in
            ["get_user", "get_*", "*", "crm/get_user", "c?m/*", "crm__get_*", "crm/crm__get_user", "?et_user"]
        {
            assert!(pattern(text).names(&get, true), "{text}");
        }
        for text in [
            "Get_user",
            "get_",
            "get",
            "CRM/get_user",
            "ledger/*",
            "get_user/crm",
            "g\u{435}t_user",
            "get_us?",
        ] {
            assert!(!pattern(text).names(&get, true), "{text}");
        }
        assert!(!pattern("get_user").names(&get, false), "its own name does not count here");
        assert!(pattern("crm__get_user").names(&get, false));
    }

    #[test]
    fn a_slash_in_a_tools_name_is_no_server() {
        let forged = tool("evil", "crm/get_user", "evil__crm_get_user_0011");
        assert!(!pattern("crm/get_user").names(&forged, true));
        assert!(!pattern("*/get_user").names(&forged, true));
        assert!(pattern("evil/crm/get_user").names(&forged, true));
        assert!(
            pattern("crm/get_user").names_here(&forged),
            "in the server's own list it can only be the tool"
        );
        assert!(pattern("crm/get_user").resembles(&Seen::of(&forged)), "a deny list takes it as it reads");
    }

    #[test]
    fn what_closes_is_read_as_a_person_would() {
        for own in [
            "delete_user",
            "DELETE_USER",
            "deIete_user",
            "d\u{435}lete_user",
            "de\u{200b}lete_user",
            "delete_\u{10300}x",
        ] {
            assert!(resembles("delete_*", own), "{own}");
            assert!(resembles("crm/delete*", own), "{own}");
        }
        for own in ["undelete_user", "delete", "remove_user", "削除する"] {
            assert!(!resembles("delete_*", own), "{own}");
        }
        assert!(
            resembles("DELETE_*", "delete_user")
                && resembles("drop?", "drop1")
                && !resembles("drop?", "drop")
        );
        assert!(pattern("Claude-*").reads_as("claude-desktop"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["", " ", "/x", "x/", "/", "a\nb", &"x".repeat(MAX_PATTERN_BYTES + 1)] {
            assert!(Pattern::new(text).is_err(), "{text:?}");
        }
        assert_eq!(pattern(" get_* ").as_str(), "get_*");
    }

    proptest! {
        #[test]
        fn globs_match_as_expressions_do(glob in "[ab*?]{0,10}", name in "[ab]{0,12}") {
            let expression = format!(r"\A{}\z", glob.replace('*', ".*").replace('?', "."));
            let regex = regex::Regex::new(&expression).unwrap();
            let matched = Glob::new(glob.chars()).matches(name.chars(), |a, b| a == b);
            prop_assert_eq!(matched, regex.is_match(&name), "{} on {}", glob, name);
        }

        #[test]
        fn a_name_resembles_itself(name in "\\PC{1,40}") {
            prop_assume!(!name.contains(['*', '?', '/']) && !name.trim().is_empty() && name.len() <= MAX_PATTERN_BYTES);
            let name = name.trim();
            prop_assert!(resembles(name, name) && resembles(name, &name.to_ascii_uppercase()));
        }
    }
}
