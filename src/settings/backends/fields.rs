//! The texts, lists and maps of an entry, with their variables filled in.

use super::super::families::is_ours;
use super::super::reader::Wrong;
use super::entry::Entry;
use super::expand::expand;
use super::{key_text, keys};
use crate::fault::quoted;
use crate::located::{Node, Value};
use crate::secret::Secret;
use std::collections::{BTreeMap, BTreeSet};

impl<'n> Entry<'_, 'n, '_> {
    /// The text under a key.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        let node = self.member(key)?;
        self.text_of(key, node)
    }

    /// A text with its variables filled in.
    fn text_of(&mut self, key: &str, node: &Node) -> Option<String> {
        let wrong = match &node.value {
            Value::String(text) => match expand(text, self.origin.env) {
                Ok(text) if !text.contains('\0') => return Some(text),
                Ok(_) => Wrong::new("contains a NUL character", "remove it"),
                Err(wrong) => wrong,
            },
            Value::Number(_) | Value::Bool(_) => {
                Wrong::new(format!("is {}", node.kind()), "write it in quotes")
            }
            _ => Wrong::new(format!("is {} and not a text", node.kind()), "write a text in quotes"),
        };
        self.wrong(key, node, wrong);
        None
    }

    /// The list of texts under a key; empty when there is none.
    pub(super) fn texts(&mut self, key: &str) -> Vec<String> {
        let Some(node) = self.member(key) else { return Vec::new() };
        let Value::Array(items) = &node.value else {
            let hint = "write a list such as [\"-y\", \"server\"]";
            self.fault(key, node, format!("is {} and not a list", node.kind()), hint);
            return Vec::new();
        };
        let mut texts = Vec::new();
        for (index, item) in items.iter().enumerate() {
            texts.extend(self.text_of(&format!("{key}[{index}]"), item));
        }
        texts
    }

    /// The members of an object of texts.
    fn map(&mut self, key: &str) -> Vec<(&'n str, &'n Node, String)> {
        let Some(node) = self.member(key) else { return Vec::new() };
        let Value::Object(members) = &node.value else {
            let hint = "write an object such as {\"NAME\": \"value\"}";
            self.fault(key, node, format!("is {} and not an object", node.kind()), hint);
            return Vec::new();
        };
        let mut texts = Vec::new();
        for (name, node) in members {
            if let Some(text) = self.text_of(&format!("{key}.{}", key_text(name)), node) {
                texts.push((name.as_str(), node, text));
            }
        }
        texts
    }

    /// Variables for a child, none of them ours.
    pub(super) fn env(&mut self) -> BTreeMap<String, Secret> {
        let mut env = BTreeMap::new();
        for (name, node, value) in self.map("env") {
            let path = format!("env.{}", key_text(name));
            if is_ours(name) {
                let what = format!("{} is callgate's own and never handed to a backend", quoted(name));
                self.fault(&path, node, what, "remove it");
            } else if name.is_empty() || name.contains(['=', '\0']) {
                self.fault(
                    &path,
                    node,
                    format!("{} is not the name of a variable", quoted(name)),
                    "rename it",
                );
            } else {
                env.insert(name.to_owned(), Secret::new(value));
            }
        }
        env
    }

    /// Headers for an endpoint, none of them those that callgate sends itself.
    pub(super) fn headers(&mut self) -> Vec<(String, Secret)> {
        let mut seen = BTreeSet::new();
        let mut headers = Vec::new();
        for (name, node, value) in self.map("headers") {
            let lower = name.to_ascii_lowercase();
            // A token of RFC 9110, section 5.6.2.
            let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            let wrong = if name.is_empty() || !name.bytes().all(token) {
                Some(("is not the name of a header", "use letters, digits and hyphens"))
            } else if keys::RESERVED_HEADERS.contains(&lower.as_str()) {
                Some(("is sent by callgate itself", "remove it"))
            } else if value.chars().any(|c| c.is_control() && c != '\t') {
                Some(("has a control character in its value", "remove it, often a newline at the end"))
            } else if !seen.insert(lower) {
                Some(("stands here twice", "remove one of the two"))
            } else {
                None
            };
            match wrong {
                Some((what, hint)) => self.fault(
                    &format!("headers.{}", key_text(name)),
                    node,
                    format!("{} {what}", quoted(name)),
                    hint,
                ),
                None => headers.push((name.to_owned(), Secret::new(value))),
            }
        }
        headers
    }
}
