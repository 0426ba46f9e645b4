//! Reads arguments strictly: one JSON object, no key twice, no depth without end.
//!
//! Two readers of lenient JSON may see two different calls in the same bytes. What this reader refuses is never
//! decided on and never forwarded.

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// What is wrong with a JSON object. The texts quote nothing of its content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StrictError {
    /// Not an object, although valid so far.
    #[error("not a JSON object")]
    NotAnObject,
    /// The same key twice in one object: a reader may take the first or the last.
    #[error("an object has the same key twice")]
    DuplicateKey,
    /// Syntax, a number beyond 64-bit floating point, a lone surrogate, invalid UTF-8 or too deep nesting.
    #[error("not valid JSON, or nested too deeply (line {line}, column {column})")]
    Invalid {
        /// Counts from 1.
        line: usize,
        /// Counts from 1.
        column: usize,
    },
}

/// Takes the decoded strings of a document in document order.
pub trait Strings {
    /// The key of an object's member.
    fn key(&mut self, text: &str);
    /// A string value.
    fn value(&mut self, text: &str);
}

/// Takes nothing: for callers that only ask whether the document is sound.
impl Strings for () {
    fn key(&mut self, _: &str) {}
    fn value(&mut self, _: &str) {}
}

/// Reads one JSON object and hands every decoded string to `strings`. The depth allowed is serde_json's own, one
/// less than [`callgate_actors::limits::MAX_DEPTH`].
pub fn read_object(json: &[u8], strings: &mut impl Strings) -> Result<(), StrictError> {
    if json.iter().find(|b| !b.is_ascii_whitespace()) != Some(&b'{') {
        return Err(StrictError::NotAnObject);
    }
    let mut duplicate = false;
    let mut reader = serde_json::Deserializer::from_slice(json);
    Walk { strings, duplicate: &mut duplicate }.deserialize(&mut reader).and_then(|()| reader.end()).map_err(
        |e| {
            if duplicate {
                StrictError::DuplicateKey
            } else {
                StrictError::Invalid { line: e.line(), column: e.column() }
            }
        },
    )
}

struct Walk<'a, S> {
    strings: &'a mut S,
    duplicate: &'a mut bool,
}

impl<S> Walk<'_, S> {
    fn again(&mut self) -> Walk<'_, S> {
        Walk { strings: self.strings, duplicate: self.duplicate }
    }
}

impl<'de, S: Strings> DeserializeSeed<'de> for Walk<'_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, S: Strings> Visitor<'de> for Walk<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
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

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.strings.value(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(self.again())?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut keys: Vec<Cow<'de, str>> = Vec::new();
        while let Some(key) = map.next_key_seed(Key)? {
            self.strings.key(&key);
            map.next_value_seed(self.again())?;
            keys.push(key);
        }
        if has_duplicates(keys) {
            *self.duplicate = true;
            return Err(A::Error::custom("duplicate key"));
        }
        Ok(())
    }
}

/// Few keys are compared each with each, which is quicker than sorting; many are sorted.
fn has_duplicates(mut keys: Vec<Cow<'_, str>>) -> bool {
    const FEW: usize = 12;
    if keys.len() <= FEW {
        return (1..keys.len()).any(|i| keys[..i].contains(&keys[i]));
    }
    keys.sort_unstable();
    keys.windows(2).any(|pair| pair[0] == pair[1])
}

/// Reads a key, borrowed where it has no escape.
pub(crate) struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Kept(Vec<String>);

    impl Strings for Kept {
        fn key(&mut self, text: &str) {
            self.0.push(format!("{text}:"));
        }
        fn value(&mut self, text: &str) {
            self.0.push(text.to_owned());
        }
    }

    #[test]
    fn strings_come_decoded_and_in_order() {
        let mut kept = Kept::default();
        read_object(br#" {"a":["x\ny",1,null,{"\u0062":"\u00e9"}],"c":true} "#, &mut kept).expect("sound");
        assert_eq!(kept.0, ["a:", "x\ny", "b:", "é", "c:"]);
    }

    #[test]
    fn a_key_twice_is_refused_at_any_depth_and_in_any_spelling() {
        for json in [r#"{"a":1,"a":2}"#, r#"{"x":[{"path":1,"p\u0061th":2}]}"#] {
            assert_eq!(read_object(json.as_bytes(), &mut ()), Err(StrictError::DuplicateKey), "{json}");
        }
        let many: Vec<String> = (0..40).map(|i| format!(r#""k{}":0"#, i % 39)).collect();
        let many = format!("{{{}}}", many.join(","));
        assert_eq!(read_object(many.as_bytes(), &mut ()), Err(StrictError::DuplicateKey));
        assert_eq!(read_object(br#"{"a":{"a":1},"b":{"a":1}}"#, &mut ()), Ok(()));
    }

    #[test]
    fn what_readers_disagree_on_is_refused() {
        let deep = format!("{}1{}", r#"{"a":"#.repeat(200), "}".repeat(200));
        for json in ["{\"a\":1e999}", r#"{"a":"\ud800"}"#, "{\"a\":1} x", "{'a':1}", "{\"a\":1,}", &deep] {
            assert!(
                matches!(read_object(json.as_bytes(), &mut ()), Err(StrictError::Invalid { .. })),
                "{json}"
            );
        }
        for json in ["[1]", "null", "\"x\"", "", "7"] {
            assert_eq!(read_object(json.as_bytes(), &mut ()), Err(StrictError::NotAnObject), "{json}");
        }
        assert!(read_object(b"{\"a\":\"\xff\"}", &mut ()).is_err());
    }
}
