//! What is spared: places in the answers of a tool where a type is known to be something else.
//!
//! A rule names tools, a path and types: the order number at `orders.*.order_id` is no card. A path is asked against
//! the way from the top of the answer, from the top of `structuredContent`, and from the top of JSON inside a string,
//! so that one rule holds for both forms of an answer. Keys are never spared.

use super::places::Step;
use super::style::{kind_of, known_kinds};
use std::collections::BTreeMap;

/// Longest path of a rule, in steps.
const STEPS: usize = 32;

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spare {
    /// Tools by their own names; `*` stands for any characters.
    tool: String,
    path: Vec<Part>,
    /// Types; empty for all.
    types: Vec<&'static str>,
}

/// One part of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Key(String),
    /// `*`: one member or element.
    One,
    /// `**`: any number of them.
    Any,
}

/// A rule that cannot be used: what is wrong and the way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct WrongRule {
    /// What is wrong.
    pub what: String,
    /// The way out.
    pub hint: String,
}

impl Spare {
    /// A rule for the tools of one backend. `types` holds types as they stand in tokens, or only `*`.
    ///
    /// # Errors
    /// An empty or overlong path, no types, or an unknown one.
    pub fn new<'t>(
        tool: &str,
        path: &str,
        types: impl IntoIterator<Item = &'t str>,
    ) -> Result<Self, WrongRule> {
        let wrong = |what: String, hint: &str| WrongRule { what, hint: hint.to_owned() };
        let parts: Vec<&str> = path.split('.').collect();
        if parts.iter().any(|part| part.is_empty()) || parts.len() > STEPS {
            let hint = "write up to 32 keys with dots between them, such as orders.*.order_id";
            return Err(wrong(format!("{path:?} is no path"), hint));
        }
        let path = parts.into_iter().map(|part| match part {
            "*" => Part::One,
            "**" => Part::Any,
            key => Part::Key(key.to_owned()),
        });
        let path: Vec<Part> = path.collect();
        let names: Vec<&str> = types.into_iter().collect();
        let types = match names[..] {
            [] => return Err(wrong("names no types".into(), "name at least one, such as \"card\"")),
            ["*"] => Vec::new(),
            _ => names
                .iter()
                .map(|name| {
                    kind_of(name).ok_or_else(|| wrong(format!("{name:?} is no type"), &known_kinds()))
                })
                .collect::<Result<_, _>>()?,
        };
        Ok(Self { tool: tool.to_owned(), path, types })
    }

    fn is_of(&self, tool: &str) -> bool {
        glob(self.tool.as_bytes(), tool.as_bytes())
    }

    fn covers(&self, kind: &str, steps: &[Step<'_>]) -> bool {
        let of_type = self.types.is_empty() || self.types.contains(&kind);
        of_type && roots(steps).any(|way| leads(&self.path, way))
    }
}

/// The rules of all backends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spares(BTreeMap<String, Vec<Spare>>);

impl Spares {
    /// Adds the rules of a backend.
    pub fn add(&mut self, backend: &str, rules: impl IntoIterator<Item = Spare>) {
        self.0.entry(backend.to_owned()).or_default().extend(rules);
    }

    /// The rules for the answers of one tool; none for what is no answer of a tool.
    pub(super) fn of(&self, backend: &str, tool: Option<&str>) -> Vec<&Spare> {
        let (Some(rules), Some(tool)) = (self.0.get(backend), tool) else { return Vec::new() };
        rules.iter().filter(|rule| rule.is_of(tool)).collect()
    }
}

/// Whether one of the rules spares a value of this type there.
pub(super) fn spared(rules: &[&Spare], kind: &str, steps: &[Step<'_>]) -> bool {
    rules.iter().any(|rule| rule.covers(kind, steps))
}

/// The tops that a path may be asked from: the answer's, `structuredContent`'s, and that of JSON inside a string.
fn roots<'s, 't>(steps: &'s [Step<'t>]) -> impl Iterator<Item = &'s [Step<'t>]> {
    let structured = match steps {
        [Step::Key(key), rest @ ..] if **key == *b"structuredContent" => Some(rest),
        _ => None,
    };
    let inside = steps.iter().rposition(|step| *step == Step::Inside).map(|at| &steps[at + 1..]);
    [Some(steps), structured, inside].into_iter().flatten()
}

/// Whether the whole way is what the path says. Short paths, so that `**` may try every length.
fn leads(path: &[Part], way: &[Step<'_>]) -> bool {
    match (path, way) {
        ([], []) => true,
        ([Part::Any, path @ ..], _) => (0..=way.len()).any(|skipped| leads(path, &way[skipped..])),
        ([Part::One, path @ ..], [Step::Key(_) | Step::HiddenKey | Step::Index(_), way @ ..]) => {
            leads(path, way)
        }
        ([Part::Key(wanted), path @ ..], [Step::Key(key), way @ ..]) => {
            **key == *wanted.as_bytes() && leads(path, way)
        }
        ([Part::Key(wanted), path @ ..], [Step::Index(at), way @ ..]) => {
            *wanted == at.to_string() && leads(path, way)
        }
        _ => false,
    }
}

/// Whether `text` is what `pattern` says, in which `*` stands for any bytes.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            p += 1;
            t += 1;
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            p = at + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(text: &str) -> Vec<Step<'_>> {
        let step = |word: &'_ str| match word {
            "#" => Step::Inside,
            "?" => Step::HiddenKey,
            _ => word.parse().map_or(Step::Key(word.as_bytes().to_vec().into()), Step::Index),
        };
        text.split('/').map(step).collect()
    }

    fn covers(path: &str, steps: &str) -> bool {
        Spare::new("*", path, ["card"]).unwrap().covers("card", &way(steps))
    }

    #[test]
    fn a_path_holds_for_both_forms_of_an_answer() {
        let path = "orders.*.order_id";
        assert!(covers(path, "structuredContent/orders/0/order_id"));
        assert!(covers(path, "content/0/text/#/orders/7/order_id"));
        assert!(covers(path, "orders/x/order_id"));
        assert!(!covers(path, "structuredContent/orders/0/order_id/0"));
        assert!(!covers(path, "structuredContent/a/orders/0/order_id"));
        assert!(!covers(path, "structuredContent/orders/0/card"));
        assert!(!covers(path, "content/0/text"));
        assert!(covers("**.order_id", "structuredContent/a/b/0/order_id"));
        assert!(covers("orders.0.id", "structuredContent/orders/0/id"));
        assert!(!covers("orders.0.id", "structuredContent/orders/1/id"));
        assert!(covers("content.*.text", "content/3/text"), "the text itself, where it is no JSON");
        assert!(!covers("content.*.text", "content/3/text/#/a"));
        assert!(covers("*.id", "structuredContent/?/id"));
    }

    #[test]
    fn types_and_tools_bound_a_rule() {
        let rule = Spare::new("get_order*", "a", ["card", "phone"]).unwrap();
        assert!(rule.covers("phone", &way("a")) && !rule.covers("email", &way("a")));
        assert!(Spare::new("*", "a", ["*"]).unwrap().covers("email", &way("a")));
        let mut spares = Spares::default();
        spares.add("shop", [rule]);
        assert_eq!(spares.of("shop", Some("get_orders")).len(), 1);
        assert_eq!(spares.of("shop", Some("orders")).len(), 0);
        assert_eq!(spares.of("crm", Some("get_orders")).len(), 0);
        assert_eq!(spares.of("shop", None).len(), 0);
    }

    #[test]
    fn a_wrong_rule_is_refused_with_the_way_out() {
        assert_eq!(Spare::new("*", "a..b", ["card"]).unwrap_err().what, "\"a..b\" is no path");
        assert_eq!(Spare::new("*", "a", []).unwrap_err().what, "names no types");
        let wrong = Spare::new("*", "a", ["credit"]).unwrap_err();
        assert_eq!(wrong.what, "\"credit\" is no type");
        assert!(wrong.hint.contains("card, "), "{}", wrong.hint);
    }

    #[test]
    fn globs_match_as_shells_do() {
        for (pattern, text, is) in [
            ("*", "", true),
            ("get_*", "get_a", true),
            ("get_*", "set_a", false),
            ("*_order*", "get_orders", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXbY", false),
            ("exact", "exact", true),
            ("exact", "exactly", false),
        ] {
            assert_eq!(glob(pattern.as_bytes(), text.as_bytes()), is, "{pattern} {text}");
        }
    }
}
