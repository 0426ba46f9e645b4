//! Relaxes a tool's `outputSchema` so that `structuredContent` still satisfies it after masking.
//!
//! Clients check the one against the other and refuse the whole answer on a mismatch (MCP 2025-06-18, "Structured
//! content"; the TypeScript SDK does it with ajv). A masked leaf is a string like `[REDACTED:card]` whatever it was
//! before, and a masked key has another name. So, wherever a leaf may be masked:
//!
//! - `format`, `pattern`, `minLength`, `maxLength` go; `enum` and `const` go unless no detector could take a value and
//!   none was masked in the schema already;
//! - `number` and `integer` also allow `string`, unless bounds keep them under eight digits; the bounds stay, because
//!   they speak of numbers only;
//! - `additionalProperties: false`, `propertyNames`, `unevaluatedProperties` and `unevaluatedItems` go;
//! - `not`, `if`/`then`/`else`, `uniqueItems` and `maxContains` go, because a masked value may newly match or be equal;
//! - `oneOf` becomes `anyOf`, because two widened branches may match.
//!
//! Everything else keeps its place and its text, `$schema`, `$ref` and unknown keywords included. All changes only
//! loosen: whatever satisfied the schema before satisfies the new one.

use super::lex;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Deepest schema in a schema. What lies deeper allows everything, so it cannot refuse a masked value.
const MAX_SCHEMA_DEPTH: usize = 64;

/// Numbers under this have too few digits for any detector: 10^7 is the first with eight.
const FIRST_LONG_NUMBER: f64 = 1e7;

/// The relaxed schema; `None` when nothing in it needs to change, or when it is no schema.
pub fn relax(schema: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(schema).ok()?;
    relaxed(text, 0).map(String::into_bytes)
}

/// The members of a JSON object in order, values as they stand in the text.
struct Members<'a>(Vec<(String, &'a str)>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                    members.push((key, value.get()));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

impl<'a> Members<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| *value)
    }
}

/// What becomes of one member of a schema.
enum Change {
    Keep,
    Drop,
    Value(String),
    /// Another keyword with this value.
    Keyword(&'static str, String),
}

impl From<Option<String>> for Change {
    fn from(value: Option<String>) -> Self {
        value.map_or(Self::Keep, Self::Value)
    }
}

fn relaxed(schema: &str, depth: usize) -> Option<String> {
    let members: Members<'_> = serde_json::from_str(schema).ok()?;
    if depth > MAX_SCHEMA_DEPTH {
        return Some("true".to_owned());
    }
    let mut changed = false;
    let mut out = Object::new();
    for (key, value) in &members.0 {
        let change = change_of(&members, key, value, depth);
        changed |= !matches!(change, Change::Keep);
        match change {
            Change::Keep => out.push(key, value),
            Change::Drop => {}
            Change::Value(value) => out.push(key, &value),
            Change::Keyword(key, value) => out.push(key, &value),
        }
    }
    changed.then(|| out.end())
}

fn change_of(members: &Members<'_>, key: &str, value: &str, depth: usize) -> Change {
    match key {
        "format"
        | "pattern"
        | "minLength"
        | "maxLength"
        | "propertyNames"
        | "unevaluatedProperties"
        | "unevaluatedItems"
        | "not"
        | "if"
        | "then"
        | "else"
        | "uniqueItems"
        | "maxContains" => Change::Drop,
        "enum" | "const" if is_unmaskable(key, value) => Change::Keep,
        "enum" | "const" => Change::Drop,
        "type" => widened(members, value).into(),
        // A second `anyOf` in one schema would hide the first.
        "oneOf" if members.get("anyOf").is_some() => Change::Drop,
        "oneOf" => Change::Keyword("anyOf", list(value, depth).unwrap_or_else(|| value.to_owned())),
        "anyOf" | "allOf" | "prefixItems" => list(value, depth).into(),
        "items" if value.starts_with('[') => list(value, depth).into(),
        "items" | "additionalItems" | "contains" => relaxed(value, depth + 1).into(),
        // A masked key no longer matches its pattern and would fall under this one.
        "additionalProperties" if value == "false" || members.get("patternProperties").is_some() => {
            Change::Drop
        }
        "additionalProperties" => relaxed(value, depth + 1).into(),
        "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas"
        | "dependencies" => map(value, depth).into(),
        _ => Change::Keep,
    }
}

/// A list of schemas.
fn list(text: &str, depth: usize) -> Option<String> {
    let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    let new: Vec<_> = items.iter().map(|item| relaxed(item.get(), depth + 1)).collect();
    if new.iter().all(Option::is_none) {
        return None;
    }
    let texts = items.iter().zip(&new).map(|(old, new)| new.as_deref().unwrap_or(old.get()));
    Some(format!("[{}]", texts.collect::<Vec<_>>().join(",")))
}

/// An object whose values are schemas and whose keys are names.
fn map(text: &str, depth: usize) -> Option<String> {
    let members: Members<'_> = serde_json::from_str(text).ok()?;
    let mut changed = false;
    let mut out = Object::new();
    for (name, old) in &members.0 {
        let new = relaxed(old, depth + 1);
        changed |= new.is_some();
        out.push(name, new.as_deref().unwrap_or(old));
    }
    changed.then(|| out.end())
}

/// Whether no detector could take a value of this `enum` or `const`.
fn is_unmaskable(key: &str, value: &str) -> bool {
    // A schema is masked first, always with tokens; the answer may hold another style in that place.
    let is_clean =
        |text: &str| !lex::glance_at_text(text.as_bytes()).suspicious() && !text.contains("[REDACTED");
    if key == "const" {
        return is_clean(value);
    }
    serde_json::from_str::<Vec<&RawValue>>(value)
        .is_ok_and(|items| items.iter().all(|item| is_clean(item.get())))
}

/// The `type` with `string` added where it allows numbers that could be masked.
fn widened(members: &Members<'_>, value: &str) -> Option<String> {
    let mut types: Vec<Cow<'_, str>> = if value.starts_with('[') {
        serde_json::from_str(value).ok()?
    } else {
        vec![serde_json::from_str(value).ok()?]
    };
    let numeric = types.iter().any(|name| name == "number" || name == "integer");
    if !numeric || types.iter().any(|name| name == "string") || is_short(members) {
        return None;
    }
    types.push("string".into());
    serde_json::to_string(&types).ok()
}

/// Whether the values of a numeric schema are known to be too short for any detector.
fn is_short(members: &Members<'_>) -> bool {
    let short = |name: &str| {
        let bound = members.get(name).and_then(|value| value.parse::<f64>().ok());
        bound.is_some_and(|bound| bound.abs() < FIRST_LONG_NUMBER)
    };
    let listed = |name: &str| members.get(name).is_some_and(|value| is_unmaskable(name, value));
    listed("enum")
        || listed("const")
        || ((short("minimum") || short("exclusiveMinimum"))
            && (short("maximum") || short("exclusiveMaximum")))
}

/// A JSON object in the making.
struct Object(String);

impl Object {
    fn new() -> Self {
        Self("{".to_owned())
    }

    fn push(&mut self, key: &str, value: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&serde_json::Value::from(key).to_string());
        self.0.push(':');
        self.0.push_str(value);
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::relax;

    #[track_caller]
    fn check(before: &str, after: &str) {
        let out = relax(before.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(out.as_deref().unwrap_or(before), after);
    }

    #[test]
    fn a_weather_like_schema() {
        check(
            r#"{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{"temperature":{"type":"number","description":"Temperature in celsius"},"conditions":{"type":"string"},"humidity":{"type":"number","minimum":0,"maximum":100}},"required":["temperature","conditions","humidity"],"additionalProperties":false}"#,
            r#"{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{"temperature":{"type":["number","string"],"description":"Temperature in celsius"},"conditions":{"type":"string"},"humidity":{"type":"number","minimum":0,"maximum":100}},"required":["temperature","conditions","humidity"]}"#,
        );
    }

    #[test]
    fn a_knowledge_graph_schema() {
        check(
            r#"{"type":"object","properties":{"entities":{"type":"array","items":{"type":"object","properties":{"name":{"type":"string"},"observations":{"type":"array","items":{"type":"string"}}},"required":["name"],"additionalProperties":false}}},"required":["entities"],"additionalProperties":false}"#,
            r#"{"type":"object","properties":{"entities":{"type":"array","items":{"type":"object","properties":{"name":{"type":"string"},"observations":{"type":"array","items":{"type":"string"}}},"required":["name"]}}},"required":["entities"]}"#,
        );
    }

    #[test]
    fn a_customer_schema_with_formats() {
        check(
            r#"{"type":"object","properties":{"id":{"type":"integer","minimum":-9007199254740991,"maximum":9007199254740991},"email":{"type":"string","format":"email","maxLength":254},"phone":{"type":"string","pattern":"^\\+62"},"status":{"type":"string","enum":["active","closed"]},"bin":{"enum":[41111111,"x"]},"kind":{"const":"customer"},"pattern":{"type":["integer","null"]}}}"#,
            r#"{"type":"object","properties":{"id":{"type":["integer","string"],"minimum":-9007199254740991,"maximum":9007199254740991},"email":{"type":"string"},"phone":{"type":"string"},"status":{"type":"string","enum":["active","closed"]},"bin":{},"kind":{"const":"customer"},"pattern":{"type":["integer","null","string"]}}}"#,
        );
    }

    #[test]
    fn what_was_masked_in_the_schema_fixes_no_value() {
        check(r#"{"properties":{"a":{"const":"[REDACTED:email]"}}}"#, r#"{"properties":{"a":{}}}"#);
        check(r#"{"enum":["x","[REDACTED:email]"],"type":"string"}"#, r#"{"type":"string"}"#);
    }

    #[test]
    fn combinations_only_loosen() {
        check(
            r##"{"oneOf":[{"type":"integer"},{"type":"string","format":"date-time"}],"not":{"type":"null"},"if":{},"then":{},"else":{},"$ref":"#/$defs/a","$defs":{"a":{"type":"number"}}}"##,
            r##"{"anyOf":[{"type":["integer","string"]},{"type":"string"}],"$ref":"#/$defs/a","$defs":{"a":{"type":["number","string"]}}}"##,
        );
        check(r#"{"anyOf":[{"type":"null"}],"oneOf":[true]}"#, r#"{"anyOf":[{"type":"null"}]}"#);
        check(r#"{"allOf":[{"uniqueItems":true}],"oneOf":[true]}"#, r#"{"allOf":[{}],"anyOf":[true]}"#);
        check(
            r#"{"patternProperties":{"@":{"type":"integer"}},"additionalProperties":{"type":"object"}}"#,
            r#"{"patternProperties":{"@":{"type":["integer","string"]}}}"#,
        );
        check(
            r#"{"prefixItems":[{"type":"integer"},true],"items":false,"unevaluatedItems":false}"#,
            r#"{"prefixItems":[{"type":["integer","string"]},true],"items":false}"#,
        );
        check(r#"{"dependencies":{"a":["b"],"c":{"format":"x"}}}"#, r#"{"dependencies":{"a":["b"],"c":{}}}"#);
    }

    #[test]
    fn what_needs_no_change_is_left_as_it_stands() {
        for schema in [
            r#"{ "type" : "object", "x-order": 1.0, "properties" : { "format": { "type":"string" } } }"#,
            r#"{"type":"object","properties":{"required":{"type":"boolean","default":true}}}"#,
            r#"{"default":{"format":"x"},"examples":[{"pattern":"y"}]}"#,
            "true",
            "{",
            "[]",
        ] {
            assert_eq!(relax(schema.as_bytes()), None, "{schema}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let deep = format!("{}{{\"type\":\"integer\"}}{}", r#"{"items":"#.repeat(100), "}".repeat(100));
        let out = String::from_utf8(relax(deep.as_bytes()).unwrap()).unwrap();
        assert!(out.contains(r#"{"items":true}"#) && !out.contains("integer"));
    }
}
