//! A JSON reader for files that people write: it knows the line of every value, refuses duplicate keys and drops
//! comments, which are members whose key begins with `//`.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use std::fmt;

/// Deepest nesting unless the caller says otherwise. A backends file needs five levels; a host's own file a few more.
const MAX_DEPTH: usize = 16;

/// A value and where it begins.
#[derive(Debug)]
pub(crate) struct Node {
    /// Offset in the text, in bytes.
    pub(crate) at: usize,
    /// Length of its text, in bytes.
    pub(crate) len: usize,
    /// The value.
    pub(crate) value: Value,
}

/// A JSON value.
#[derive(Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    String(String),
    Array(Vec<Node>),
    /// Members in the order written, without comments, each key once.
    Object(Vec<(String, Node)>),
}

impl Node {
    /// What it is, for a message.
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        }
    }
}

/// What is wrong with the text, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Line, from 1.
    pub(crate) line: usize,
    /// What is wrong.
    pub(crate) what: String,
}

/// Parses a whole text. Duplicate keys are all told, beside the value made of the first ones.
pub(crate) fn parse(text: &str) -> Result<(Node, Vec<Problem>), Problem> {
    parse_within(text, MAX_DEPTH)
}

/// As [`parse`], nested at most `depth` levels deep.
pub(crate) fn parse_within(text: &str, depth: usize) -> Result<(Node, Vec<Problem>), Problem> {
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| syntax(&error))?;
    let mut reading = Reading { text, deepest: depth, duplicates: Vec::new() };
    let node = reading.node(raw, 0)?;
    Ok((node, reading.duplicates))
}

/// The line, from 1, of an offset.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count()
}

/// The column, from 1, of an offset, in characters.
pub(crate) fn column_of(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or(text);
    1 + before.rsplit('\n').next().unwrap_or_default().chars().count()
}

fn syntax(error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    // serde_json puts the place behind the cause; here the line stands in front.
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    Problem { line: error.line(), what: format!("not JSON: {what} in column {}", error.column()) }
}

struct Reading<'t> {
    text: &'t str,
    deepest: usize,
    duplicates: Vec<Problem>,
}

impl<'t> Reading<'t> {
    fn node(&mut self, raw: &'t RawValue, depth: usize) -> Result<Node, Problem> {
        let json = raw.get();
        // `json` is a piece of `text`, borrowed without a copy.
        let at = json.as_ptr().addr() - self.text.as_ptr().addr();
        let line = || line_of(self.text, at);
        if depth > self.deepest {
            let what = format!("nested deeper than {} levels", self.deepest);
            return Err(Problem { line: line(), what });
        }
        let inner = |error: serde_json::Error| Problem { what: syntax(&error).what, line: line() };
        let value = match json.as_bytes().first() {
            Some(b'{') => self.object(serde_json::from_str(json).map_err(inner)?, depth)?,
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(json).map_err(inner)?;
                let nodes: Result<_, _> = items.into_iter().map(|item| self.node(item, depth + 1)).collect();
                Value::Array(nodes?)
            }
            Some(b'"') => Value::String(serde_json::from_str(json).map_err(inner)?),
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'n') => Value::Null,
            _ => Value::Number(serde_json::from_str(json).map_err(inner)?),
        };
        Ok(Node { at, len: json.len(), value })
    }

    fn object(&mut self, members: Members<'t>, depth: usize) -> Result<Value, Problem> {
        let mut seen = BTreeSet::new();
        let mut nodes = Vec::new();
        for (key, raw) in members.0 {
            if key.starts_with("//") {
                continue;
            }
            let node = self.node(raw, depth + 1)?;
            if seen.insert(key.clone()) {
                nodes.push((key, node));
            } else {
                let what = format!("the key {} stands here twice", crate::fault::quoted(&key));
                self.duplicates.push(Problem { line: line_of(self.text, node.at), what });
            }
        }
        Ok(Value::Object(nodes))
    }
}

/// The members of an object in the order written, duplicates included.
struct Members<'t>(Vec<(String, &'t RawValue)>);

impl<'t> Deserialize<'t> for Members<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'t> Visitor<'t> for Collect {
            type Value = Members<'t>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Members<'t>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_its_line_and_comments_are_gone() {
        let text = "{\n \"// a\": 1, \"// a\": 2,\n \"k\":\n  [true,\n null, \"x\\n\"]}";
        let (node, duplicates) = parse(text).expect("JSON");
        assert_eq!(duplicates, []);
        let Value::Object(members) = node.value else { panic!("an object") };
        assert_eq!(members.len(), 1);
        let Value::Array(items) = &members[0].1.value else { panic!("a list") };
        let lines: Vec<usize> = items.iter().map(|item| line_of(text, item.at)).collect();
        assert_eq!(lines, [4, 5, 5]);
        assert!(matches!(&items[2].value, Value::String(text) if text == "x\n"));
    }

    #[test]
    fn duplicate_keys_are_all_told_also_behind_escapes() {
        let (_, duplicates) = parse("{\"a\":1,\n\"\\u0061\":2,\n\"b\":{\"c\":1,\n\"c\":2}}").expect("JSON");
        assert_eq!(duplicates.iter().map(|problem| problem.line).collect::<Vec<_>>(), [2, 4]);
    }

    #[test]
    fn broken_text_is_told_with_its_line() {
        for (text, line) in
            [("{\n\"a\": }", 2), ("", 1), ("{} x", 1), ("{\n\"a\":1,\n}", 3), ("{\"a\":\"\\ud800\"}", 1)]
        {
            assert_eq!(parse(text).expect_err(text).line, line, "{text}");
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(parse(&deep).expect_err("deep").what.contains("nested deeper"));
    }
}
