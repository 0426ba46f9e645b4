//! JSON objects whose members stay the raw text that came, so that a test sees every byte a proxy changed.

use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The members of one object, each as the raw text that came.
pub type Members = BTreeMap<String, Box<RawValue>>;

/// The members of the object `text`; `None` when it is no object.
pub fn members(text: &str) -> Option<Members> {
    serde_json::from_str(text).ok()
}

/// The raw text of a member.
pub fn raw<'a>(object: &'a Members, key: &str) -> Option<&'a str> {
    object.get(key).map(|value| value.get())
}

/// A member that is an object; empty when it is absent or something else.
pub fn object(object: &Members, key: &str) -> Members {
    raw(object, key).and_then(members).unwrap_or_default()
}

/// A member that is a string.
pub fn string(object: &Members, key: &str) -> Option<String> {
    raw(object, key).and_then(|text| serde_json::from_str(text).ok())
}

/// A member that is a whole number.
pub fn number(object: &Members, key: &str) -> Option<u64> {
    raw(object, key).and_then(|text| serde_json::from_str(text).ok())
}

/// A member that is `true`.
pub fn is_true(object: &Members, key: &str) -> bool {
    raw(object, key) == Some("true")
}

/// `text` as a JSON string literal.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
