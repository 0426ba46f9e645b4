//! Reads the members of a policy file one by one and keeps everything that is wrong, with file, line, column and JSON
//! pointer.

use crate::fault::{Fault, quoted};
use crate::located::{Node, Value, column_of, line_of};
use crate::settings::families::nearest;

/// A reading of one file.
pub(super) struct Reading<'t> {
    /// What the file is called in messages.
    pub(super) place: &'t str,
    /// Its text.
    pub(super) text: &'t str,
    /// What `~` means.
    pub(super) home: Option<&'t str>,
    /// What is wrong so far.
    pub(super) faults: Vec<Fault>,
}

/// A value of the file and its JSON pointer.
#[derive(Clone, Debug)]
pub(super) struct Item<'n> {
    pub(super) node: &'n Node,
    pub(super) pointer: String,
}

/// The members of an object that was read, every key known.
pub(super) struct Members<'n> {
    pub(super) whole: Item<'n>,
    members: Vec<(&'n str, Item<'n>)>,
}

impl<'n> Members<'n> {
    /// A member.
    pub(super) fn get(&self, key: &str) -> Option<&Item<'n>> {
        self.members.iter().find(|(name, _)| *name == key).map(|(_, item)| item)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &(&'n str, Item<'n>)> {
        self.members.iter()
    }
}

impl Reading<'_> {
    /// Keeps what is wrong with a value.
    pub(super) fn wrong(&mut self, item: &Item<'_>, what: impl Into<String>, hint: impl Into<String>) {
        self.wrong_at(item.node.at, &item.pointer, what, hint);
    }

    fn wrong_at(&mut self, at: usize, pointer: &str, what: impl Into<String>, hint: impl Into<String>) {
        let (line, column) = (line_of(self.text, at), column_of(self.text, at));
        let place = format!("{}:{line}:{column}", self.place);
        let place = if pointer.is_empty() { place } else { format!("{place} {pointer}") };
        self.faults.push(Fault::settings(place, what, hint));
    }

    /// Says that a value is of another kind than `wanted`.
    pub(super) fn kind(&mut self, item: &Item<'_>, wanted: &str) {
        self.wrong(item, format!("is {}", item.node.kind()), format!("write {wanted}"));
    }

    /// The members of an object; keys other than `known` are refused.
    pub(super) fn object<'n>(&mut self, item: &Item<'n>, known: &[&str]) -> Option<Members<'n>> {
        let members = self.open_object(item)?;
        for (key, member) in members.iter().filter(|(key, _)| !known.contains(key)) {
            let hint = match nearest(key, known.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\""),
                None => format!("known are {}", known.join(", ")),
            };
            self.wrong(member, format!("the key {} is not known here", quoted(key)), hint);
        }
        Some(members)
    }

    /// The members of an object with any keys.
    pub(super) fn open_object<'n>(&mut self, item: &Item<'n>) -> Option<Members<'n>> {
        let Value::Object(members) = &item.node.value else {
            self.kind(item, "an object");
            return None;
        };
        let child = |key: &str, node| Item {
            node,
            pointer: format!("{}/{}", item.pointer, key.replace('~', "~0").replace('/', "~1")),
        };
        let members = members.iter().map(|(key, node)| (key.as_str(), child(key, node))).collect();
        Some(Members { whole: item.clone(), members })
    }

    /// The elements of a list.
    pub(super) fn list<'n>(&mut self, item: &Item<'n>) -> Vec<Item<'n>> {
        let Value::Array(nodes) = &item.node.value else {
            self.kind(item, "a list");
            return Vec::new();
        };
        elements(item, nodes)
    }

    /// The elements of a list, or a single value as a list of one; not empty.
    pub(super) fn one_or_more<'n>(&mut self, item: &Item<'n>) -> Vec<Item<'n>> {
        match &item.node.value {
            Value::Array(nodes) if nodes.is_empty() => {
                self.wrong(item, "is empty", "write at least one, or remove it");
                Vec::new()
            }
            Value::Array(nodes) => elements(item, nodes),
            _ => vec![item.clone()],
        }
    }

    /// A text.
    pub(super) fn text<'n>(&mut self, item: &Item<'n>) -> Option<&'n str> {
        match &item.node.value {
            Value::String(text) => Some(text),
            _ => {
                self.kind(item, "a text in quotes");
                None
            }
        }
    }

    /// `true` or `false`.
    pub(super) fn truth(&mut self, item: &Item<'_>) -> Option<bool> {
        match item.node.value {
            Value::Bool(truth) => Some(truth),
            _ => {
                self.kind(item, "true or false");
                None
            }
        }
    }

    /// A number.
    pub(super) fn number(&mut self, item: &Item<'_>) -> Option<f64> {
        match &item.node.value {
            Value::Number(number) => number.as_f64(),
            _ => {
                self.kind(item, "a number");
                None
            }
        }
    }

    /// A whole number between two bounds, both included.
    pub(super) fn whole(&mut self, item: &Item<'_>, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let number = match &item.node.value {
            Value::Number(number) => number.as_i64().filter(|number| range.contains(number)),
            _ => None,
        };
        if number.is_none() {
            let hint = format!("write a whole number from {} to {}", range.start(), range.end());
            self.wrong(item, "is not one of the numbers that are possible", hint);
        }
        number
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, item: &Item<'_>, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(item)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let hint = match nearest(text, known.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\""),
            None => format!("write one of {}", known.join(", ")),
        };
        self.wrong(item, format!("{} is not known", quoted(text)), hint);
        None
    }

    /// A text of one line with at most so many characters.
    pub(super) fn line(&mut self, item: &Item<'_>, most: usize) -> Option<String> {
        let text = self.text(item)?;
        let count = text.chars().count();
        if text.trim().is_empty() {
            self.wrong(item, "is blank", "write something, or remove it");
        } else if count > most {
            self.wrong(item, format!("has {count} characters"), format!("write at most {most}"));
        } else if text.chars().any(char::is_control) {
            self.wrong(item, "holds a control character or a line break", "write one line of text");
        } else {
            return Some(text.to_owned());
        }
        None
    }

    /// Any JSON value.
    pub(super) fn value(&mut self, item: &Item<'_>) -> Option<serde_json::Value> {
        // The file was parsed as a whole: its pieces parse.
        serde_json::from_str(self.raw(item)).ok()
    }

    /// The JSON text of a value.
    pub(super) fn raw(&self, item: &Item<'_>) -> &str {
        self.text.get(item.node.at..item.node.at + item.node.len).unwrap_or_default()
    }
}

fn elements<'n>(item: &Item<'n>, nodes: &'n [Node]) -> Vec<Item<'n>> {
    let child = |(at, node)| Item { node, pointer: format!("{}/{at}", item.pointer) };
    nodes.iter().enumerate().map(child).collect()
}
