//! Reads `redact.spare` of an entry: what is not masked in the answers of its tools.

use super::super::families::nearest;
use super::entry::Entry;
use super::keys;
use crate::fault::quoted;
use crate::located::{Node, Value};
use crate::redact::scoping::Spare;

/// Most rules of one backend; each is asked about every finding.
const MOST_RULES: usize = 100;

impl<'n> Entry<'_, 'n, '_> {
    /// The rules; what is wrong was told.
    pub(super) fn spare(&mut self) -> Vec<Spare> {
        let Some(node) = self.member("redact") else { return Vec::new() };
        let Some(members) = self.members_of("redact", node, keys::REDACT) else { return Vec::new() };
        let Some((_, node)) = members.iter().find(|(key, _)| key == "spare") else { return Vec::new() };
        let Value::Array(items) = &node.value else {
            let hint = "write a list such as [{\"path\": \"orders.*.order_id\", \"types\": [\"card\"]}]";
            self.fault("redact.spare", node, format!("is {} and not a list", node.kind()), hint);
            return Vec::new();
        };
        if items.len() > MOST_RULES {
            let what = format!("has {} rules", items.len());
            self.fault("redact.spare", node, what, "write at most 100, with * in tools and paths");
        }
        let rules = items.iter().take(MOST_RULES).enumerate();
        rules.filter_map(|(at, item)| self.rule(&format!("redact.spare[{at}]"), item)).collect()
    }

    fn rule(&mut self, place: &str, node: &'n Node) -> Option<Spare> {
        let members = self.members_of(place, node, keys::SPARE)?;
        let member = |key: &str| members.iter().find(|(name, _)| name == key).map(|(_, node)| node);
        let tool = match member("tool").map(|node| &node.value) {
            None => "*",
            Some(Value::String(tool)) if !tool.is_empty() => tool,
            Some(_) => {
                let hint = "write the tool's own name, in which * stands for any characters";
                self.fault(&format!("{place}.tool"), node, "is no name of tools", hint);
                return None;
            }
        };
        let Some(Value::String(path)) = member("path").map(|node| &node.value) else {
            let hint = "give it \"path\", such as orders.*.order_id";
            self.fault(place, node, "has no path", hint);
            return None;
        };
        let types = match member("types").map(|node| &node.value) {
            Some(Value::Array(types)) => types.iter().map(|node| match &node.value {
                Value::String(name) => Some(name.as_str()),
                _ => None,
            }),
            _ => {
                let hint = "give it \"types\", such as [\"card\"], or [\"*\"] for all";
                self.fault(place, node, "has no list of types", hint);
                return None;
            }
        };
        let Some(types) = types.collect::<Option<Vec<&str>>>() else {
            self.fault(&format!("{place}.types"), node, "holds what is no text", "write types in quotes");
            return None;
        };
        match Spare::new(tool, path, types) {
            Ok(rule) => Some(rule),
            Err(wrong) => {
                self.fault(place, node, wrong.what, &wrong.hint);
                None
            }
        }
    }

    /// The members of an object that has these keys only.
    fn members_of(
        &mut self,
        place: &str,
        node: &'n Node,
        known: &[&'static str],
    ) -> Option<&'n [(String, Node)]> {
        let Value::Object(members) = &node.value else {
            let hint = format!("write an object with {}", known.join(", "));
            self.fault(place, node, format!("is {} and not an object", node.kind()), &hint);
            return None;
        };
        let mut right = true;
        for (key, node) in members.iter().filter(|(key, _)| !known.contains(&key.as_str())) {
            let hint = nearest(key, known.iter().copied()).map_or_else(
                || format!("use {}", known.join(", ")),
                |near| format!("did you mean \"{near}\""),
            );
            self.fault(place, node, format!("unknown key {}", quoted(key)), &hint);
            right = false;
        }
        right.then_some(members.as_slice())
    }
}
