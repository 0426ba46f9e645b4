//! The `input` of the rules, made of the parsed arguments at once.
//!
//! Names follow the pages of the Agent Action Firewall where they mean something here: `action.tool`, `action.operation`,
//! `action.params`, `agent.id`, `metadata.timestamp`, `context.timestamp`. `backend`, `annotations` and `time` are our own.

use super::MAX_PARAMS_BYTES;
use crate::policy::authority::{Content, Question, is_blank};
use crate::strict::{Key, StrictError};
use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use regorus::Value;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

/// The machine's own time zone, which a process keeps.
static ZONE: LazyLock<TimeZone> = LazyLock::new(TimeZone::system);

/// The input for a call.
///
/// # Errors
/// Why the arguments cannot be read.
pub(super) fn build(question: &Question<'_>) -> Result<Value, String> {
    let (operation, params) = match question.content {
        Content::Json(json) if is_blank(json) => ("call", Value::new_object()),
        Content::Json(json) => ("call", params(json)?),
        Content::Text(text) => ("text", object([("text", text.into())])),
    };
    let at = Timestamp::try_from(question.at).unwrap_or(Timestamp::UNIX_EPOCH);
    let stamp = Value::from(Timestamp::from_second(at.as_second()).unwrap_or(at).to_string());
    let told = question.hints.told;
    let hint = |hint: Option<bool>| hint.map_or(Value::Null, Value::from);
    Ok(object([
        (
            "action",
            object([("tool", question.tool.into()), ("operation", operation.into()), ("params", params)]),
        ),
        ("backend", question.backend.into()),
        ("agent", object([("id", question.agent.into())])),
        (
            "annotations",
            object([
                ("readOnlyHint", hint(told.read_only)),
                ("destructiveHint", hint(told.destructive)),
                ("idempotentHint", hint(told.idempotent)),
                ("openWorldHint", hint(told.open_world)),
            ]),
        ),
        ("metadata", object([("timestamp", stamp.clone())])),
        ("context", object([("timestamp", stamp.clone())])),
        (
            "time",
            object([
                ("rfc3339", stamp),
                ("unix", at.as_second().into()),
                ("utc", parts(at, &TimeZone::UTC)),
                ("local", parts(at, &ZONE)),
            ]),
        ),
    ]))
}

/// A moment as clocks and calendars of a zone show it.
fn parts(at: Timestamp, zone: &TimeZone) -> Value {
    let local = zone.to_datetime(at);
    let weekday = match local.weekday() {
        Weekday::Monday => "monday",
        Weekday::Tuesday => "tuesday",
        Weekday::Wednesday => "wednesday",
        Weekday::Thursday => "thursday",
        Weekday::Friday => "friday",
        Weekday::Saturday => "saturday",
        Weekday::Sunday => "sunday",
    };
    let number = |part: i8| Value::from(i64::from(part));
    object([
        ("date", local.date().to_string().into()),
        ("hour", number(local.hour())),
        ("minute", number(local.minute())),
        ("second", number(local.second())),
        ("weekday", weekday.into()),
    ])
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::from(members.into_iter().map(|(key, value)| (key.into(), value)).collect::<BTreeMap<_, _>>())
}

/// The arguments as a tree: one JSON object, read as strictly as the other policies read it.
fn params(json: &[u8]) -> Result<Value, String> {
    if json.len() > MAX_PARAMS_BYTES {
        let most = MAX_PARAMS_BYTES >> 20;
        return Err(format!("they are longer than the {most} MiB that Rego rules are asked about"));
    }
    tree(json).map_err(|error| error.to_string())
}

/// Reads one JSON object; a key that stands twice is refused.
///
/// # Errors
/// As [`crate::strict::read_object`].
pub(super) fn tree(json: &[u8]) -> Result<Value, StrictError> {
    if json.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(StrictError::NotAnObject);
    }
    let mut duplicate = false;
    let mut reader = serde_json::Deserializer::from_slice(json);
    let read = Tree { duplicate: &mut duplicate }.deserialize(&mut reader);
    read.and_then(|tree| reader.end().map(|()| tree)).map_err(|error| match duplicate {
        true => StrictError::DuplicateKey,
        false => StrictError::Invalid { line: error.line(), column: error.column() },
    })
}

struct Tree<'a> {
    duplicate: &'a mut bool,
}

impl Tree<'_> {
    fn again(&mut self) -> Tree<'_> {
        Tree { duplicate: self.duplicate }
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = seq.next_element_seed(self.again())? {
            list.push(value);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Value, A::Error> {
        let mut members = BTreeMap::new();
        while let Some(key) = map.next_key_seed(Key)? {
            let value = map.next_value_seed(self.again())?;
            if members.insert(Value::String(Arc::from(&*key)), value).is_some() {
                *self.duplicate = true;
                return Err(A::Error::custom("duplicate key"));
            }
        }
        Ok(members.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::model::Phase;
    use callgate_actors::call::{Hints, ToldHints};
    use std::time::{Duration, SystemTime};

    fn question<'a>(content: Content<'a>) -> Question<'a> {
        Question {
            phase: Phase::Request,
            content,
            backend: "files",
            tool: "write",
            agent: "desk",
            hints: Hints::from(ToldHints { destructive: Some(true), ..ToldHints::default() }),
            at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_200_000_500),
        }
    }

    #[test]
    fn everything_known_of_a_call_is_there() {
        let input = build(&question(Content::Json(br#"{"n":[1,-2,1.5,null,true,18446744073709551615]}"#)));
        let input = input.expect("built");
        let shown: serde_json::Value =
            serde_json::from_str(&input.to_json_str().expect("JSON")).expect("JSON");
        assert_eq!(
            shown["action"],
            serde_json::json!({"tool": "write", "operation": "call",
                "params": {"n": [1, -2, 1.5, null, true, 18_446_744_073_709_551_615_u64]}})
        );
        assert_eq!((&shown["backend"], &shown["agent"]["id"]), (&"files".into(), &"desk".into()));
        assert_eq!(shown["annotations"]["destructiveHint"], true);
        assert!(shown["annotations"]["readOnlyHint"].is_null());
        assert_eq!(shown["time"]["rfc3339"], shown["metadata"]["timestamp"]);
        assert_eq!(shown["time"]["rfc3339"], "2026-11-20T18:40:00Z");
        assert_eq!(
            shown["time"]["utc"],
            serde_json::json!({"date": "2026-11-20", "hour": 18, "minute": 40, "second": 0, "weekday": "friday"})
        );
    }

    #[test]
    fn nothing_and_a_text_are_params_too() {
        let of = |content| build(&question(content)).expect("built")["action"].clone();
        assert_eq!(of(Content::Json(b" null "))["params"], Value::new_object());
        let action = of(Content::Text("hello"));
        assert_eq!((&action["operation"], &action["params"]["text"]), (&"text".into(), &"hello".into()));
    }

    #[test]
    fn what_readers_disagree_on_is_refused() {
        let deep = format!("{}1{}", r#"{"a":"#.repeat(200), "}".repeat(200));
        for json in
            [r#"{"a":1,"\u0061":2}"#, r#"{"a":[{"x":1,"x":1}]}"#, "[1]", "{\"a\":1e999}", "{} x", &deep]
        {
            let read = crate::strict::read_object(json.as_bytes(), &mut ());
            assert_eq!(tree(json.as_bytes()).map(drop), read, "{json}");
            assert!(read.is_err(), "{json}");
        }
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_PARAMS_BYTES));
        assert!(build(&question(Content::Json(long.as_bytes()))).is_err());
    }
}
