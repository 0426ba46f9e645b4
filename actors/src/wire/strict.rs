//! Strict reading of what a client sends: one JSON value, no duplicate keys at any depth, bounded nesting, valid
//! UTF-8, no lone surrogates, every number within `f64`, nothing behind it.
//!
//! Two parsers that disagree about a message are a hole: the gate would judge one value and the backend run another.
//! So a message is either read the same way by everyone or refused here. (RFC 8259 section 4 leaves the meaning of
//! duplicate names open.)

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

/// Objects with fewer keys are compared key by key, which is faster than a set.
const FEW_KEYS: usize = 12;

/// Checks that `text` is one JSON value that has only one reading. The error says what is wrong and where, never
/// what the text was. Nesting is bounded by serde_json's own recursion limit, [`crate::limits::MAX_DEPTH`].
pub fn check(text: &[u8]) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    Checked.deserialize(&mut deserializer)?;
    deserializer.end()
}

struct Checked;

impl<'de> DeserializeSeed<'de> for Checked {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Checked {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Checked)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut keys = Keys::default();
        while let Some(key) = map.next_key_seed(Key)? {
            if !keys.insert(key) {
                return Err(A::Error::custom("duplicate key in an object"));
            }
            map.next_value_seed(Checked)?;
        }
        Ok(())
    }
}

/// The decoded keys of one object.
#[derive(Default)]
struct Keys<'de> {
    few: Vec<Cow<'de, str>>,
    many: BTreeSet<Cow<'de, str>>,
}

impl<'de> Keys<'de> {
    fn insert(&mut self, key: Cow<'de, str>) -> bool {
        if !self.many.is_empty() {
            return self.many.insert(key);
        }
        if self.few.contains(&key) {
            return false;
        }
        self.few.push(key);
        if self.few.len() > FEW_KEYS {
            self.many = std::mem::take(&mut self.few).into_iter().collect();
        }
        true
    }
}

struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_json_passes() {
        for text in [
            r#"{"a":1,"b":{"a":[1,2.5e3,null,true,"x\u00e9"]}}"#,
            "[]",
            "\"x\"",
            " {} ",
            "12345678901234567890",
        ] {
            assert!(check(text.as_bytes()).is_ok(), "{text}");
        }
    }

    #[test]
    fn two_readings_are_refused() {
        let many: String = (0..40).map(|n| format!("\"k{n}\":0,")).collect();
        let many = format!("{{{many}\"k7\":1}}");
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for text in [
            r#"{"a":1,"a":2}"#,
            r#"{"x":{"path":1,"p\u0061th":2}}"#,
            r#"[{"a":1,"a":1}]"#,
            many.as_str(),
            "{} {}",
            "{}x",
            r#"{"a":1,}"#,
            r#""\ud800""#,
            "1e400",
            "NaN",
            deep.as_str(),
            "",
        ] {
            assert!(check(text.as_bytes()).is_err(), "{text}");
        }
        assert!(check(b"\"\xff\"").is_err(), "invalid UTF-8");
    }
}
