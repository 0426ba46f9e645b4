//! Properties that hold for every input.

use super::{redactor, scan};
use crate::redact::check;
use proptest::collection::{btree_map, vec};
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use serde_json::Value;

/// Text that is full of things to find and of things that almost are.
pub(super) fn juicy_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[0-9]{1,20}",
        3 => "[ .@+,:/'_\\-]{1,2}",
        2 => "[a-z0-9.@\\-]{1,12}",
        1 => "(62|08|31|4)[0-9]{3,16}",
        1 => "[a-z ]{5,45}",
        2 => proptest::sample::select(WORDS).prop_map(str::to_owned),
        1 => any::<char>().prop_map(|character| character.to_string()),
        1 => "[\\\\\"{}\\[\\]\n,:u]{1,4}",
    ];
    vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

const WORDS: &[&str] = &[
    "rekening ",
    "BCA ",
    " (BCA)",
    "Bank BNI",
    "npwp ",
    "NIK",
    "account no ",
    "jane@acme.com",
    "4111 1111 1111 1111",
    "3174012501990001",
    "+62 812-3456-7890",
    "01.234.567.8-901.000",
    "[REDACTED:email]",
    "[REDACTED:bank_account]",
    "[REDACTED:card] 2",
    "0812345678",
    "é",
    "\u{ff11}\u{ff12}",
    "550e8400-e29b-41d4-a716-446655440000",
    "mandiri",
    "1234567890",
    "image@2x.png",
    "git@github.com:x",
    "12345678",
    "\u{1F600}",
];

pub(super) fn juicy_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (1_000_000_000_000u64..9_000_000_000_000_000_000).prop_map(Value::from),
        Just(Value::from(3_174_012_501_990_001u64)),
        juicy_text().prop_map(Value::from),
    ];
    let key = prop_oneof![
        3 => proptest::sample::select(&["data", "blob", "type", "mimeType", "uri", "rekening", "no", "a"][..]).prop_map(str::to_owned),
        1 => juicy_text(),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            btree_map(key.clone(), inner.clone(), 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
            inner.prop_map(|value| Value::from(value.to_string())),
        ]
    })
}

/// Replaces what stands between tokens and checks that it stands in the original in the same order.
fn pieces_are_in_order(before: &str, after: &str) -> bool {
    let mut rest = before;
    let mut pieces = after.split("[REDACTED:");
    let mut first = true;
    pieces.all(|piece| {
        let piece = if first { piece } else { piece.split_once(']').map_or("", |(_, tail)| tail) };
        first = false;
        match rest.find(piece) {
            Some(at) => {
                rest = &rest[at + piece.len()..];
                true
            }
            None => false,
        }
    })
}

pub(super) fn keys_are_unique(json: &str) -> bool {
    struct Unique;
    impl<'de> serde::de::Visitor<'de> for Unique {
        type Value = bool;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("anything")
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
            let mut keys = std::collections::BTreeSet::new();
            let mut unique = true;
            while let Some(key) = map.next_key::<String>()? {
                unique &= keys.insert(key);
                map.next_value::<serde::de::IgnoredAny>()?;
            }
            Ok(unique)
        }
    }
    let mut reader = serde_json::Deserializer::from_str(json);
    serde::de::Deserializer::deserialize_map(&mut reader, Unique).unwrap()
}

proptest! {
    #[test]
    fn json_stays_json_and_a_second_run_finds_nothing(value in juicy_json()) {
        let before = value.to_string();
        let first = scan(before.as_bytes()).unwrap();
        prop_assert_eq!(first.json.is_some(), !first.masked.is_empty());
        if let Some(after) = first.json {
            prop_assert!(serde_json::from_slice::<Value>(&after).is_ok());
            let second = scan(&after).unwrap();
            let text = String::from_utf8(after).unwrap();
            prop_assert_eq!(second.json.map(|json| String::from_utf8(json).unwrap()), None, "{} => {}", before, text);
        }
    }

    #[test]
    fn text_between_tokens_is_untouched_and_a_second_run_finds_nothing(text in juicy_text()) {
        let scanned = redactor().scan_text(&text);
        if let Some(after) = scanned.text {
            prop_assert_eq!(redactor().scan_text(&after).text, None, "{} => {}", text, after);
            if serde_json::from_str::<Value>(&text).is_err() {
                prop_assert!(pieces_are_in_order(&text, &after), "{} => {}", text, after);
            }
        }
    }

    #[test]
    fn text_and_escaped_text_are_masked_alike(text in juicy_text()) {
        let plain = redactor().scan_text(&text);
        let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        let scan = scan(format!("\"{escaped}\"").as_bytes()).unwrap();
        prop_assert_eq!(&scan.masked, &plain.masked);
        if let (Some(json), Some(plain)) = (scan.json, plain.text) {
            let read: Result<String, _> = serde_json::from_slice(&json);
            prop_assert_eq!(read.unwrap(), plain);
        }
    }

    #[test]
    fn keys_stay_unique(keys in btree_map(juicy_text(), 0..9, 0..12)) {
        let before = serde_json::to_string(&keys).unwrap();
        if let Some(after) = scan(before.as_bytes()).unwrap().json {
            prop_assert!(keys_are_unique(std::str::from_utf8(&after).unwrap()));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = scan(&bytes);
    }

    #[test]
    fn json_like_bytes_are_judged_as_serde_judges_them(text in "[\\[\\]{}\",:\\\\ntrue0-9.eE+ u\n-]{0,24}") {
        let ours = check(text.as_bytes()).is_ok();
        let lone = text.contains("\\u");
        let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        prop_assert!(ours == theirs || lone, "{}", text);
    }
}
