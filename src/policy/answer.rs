//! The strings of an answer, as fast as they can be had: it was checked to be JSON when it was masked, and nobody runs it,
//! so it is asked less than arguments are (`strict.rs`). Keys that stand twice, lists at the top and lone surrogates are
//! taken as they come.

use super::Texts;

/// The raw contents of all strings of JSON, each with whether it is the key of a member.
pub(crate) fn strings(json: &[u8]) -> impl Iterator<Item = (&[u8], bool)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + memchr::memchr(b'"', json.get(at..)?)? + 1;
        let end = end_of_string(json, start)?;
        at = end + 1;
        let behind = json[at..].iter().find(|byte| !byte.is_ascii_whitespace());
        Some((&json[start..end], behind == Some(&b':')))
    })
}

/// Where the closing quote stands. Most strings are short, so the first bytes are looked at one by one.
fn end_of_string(json: &[u8], start: usize) -> Option<usize> {
    const SHORT: usize = 16;
    let mut end = start;
    loop {
        let near = json.get(end..)?.iter().take(SHORT).position(|byte| matches!(byte, b'"' | b'\\'));
        end = match near {
            Some(near) => end + near,
            None => end + memchr::memchr2(b'"', b'\\', json.get(end..)?)?,
        };
        if json[end] == b'"' {
            return Some(end);
        }
        end += 2;
    }
}

/// A string's content as it reads; a lone surrogate reads as U+FFFD. `buffer` only grows.
pub(crate) fn decoded<'t>(raw: &'t [u8], buffer: &'t mut Vec<u8>) -> std::borrow::Cow<'t, str> {
    if memchr::memchr(b'\\', raw).is_none() {
        return String::from_utf8_lossy(raw);
    }
    String::from_utf8_lossy(crate::redact::unescaped(raw, buffer))
}

/// Takes all strings of JSON.
pub(super) fn read(json: &[u8], texts: &mut Texts) {
    let mut buffer = Vec::new();
    for (raw, is_key) in strings(json) {
        let text = decoded(raw, &mut buffer);
        if is_key {
            texts.key(&text);
        } else {
            texts.value(&text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Engine;
    use crate::policy::model::Phase;
    use crate::policy::posture::Posture;
    use crate::strict::read_object;
    use proptest::prelude::{prop, prop_assert_eq, proptest};
    use serde_json::{Value, json};
    use std::collections::BTreeMap;
    use std::sync::LazyLock;

    static ENGINE: LazyLock<Engine> =
        LazyLock::new(|| Engine::shipped(Posture::default()).expect("the catalogue is sound"));

    /// Pieces that wake policies, cut where an escape, a line or a border of strings may stand.
    const PIECES: &[&str] = &[
        "ignore all",
        " previous",
        " instructions",
        "\n",
        "\t",
        "\"",
        "\\",
        "; drop",
        " table",
        " users",
        "' or ",
        "1=1",
        "--",
        "/*",
        "*/",
        "union ",
        "select ",
        "password",
        "=hunter22",
        "ｉｇｎｏｒｅ",
        "\u{200b}",
        "{\"a\":\"",
        "\"}",
        "%27",
        "%20or%201%3d1",
        "aWdub3JlIGFsbCBwcmV2aW91cyBpbnN0cnVjdGlvbnM=",
        "&#x27; or 1=1",
        "plain words ",
        "é",
        "“quoted”",
        "you are now",
        " DAN",
        "<!-- ai",
        "token",
        "api_key: ",
        "+",
        "$IFS",
    ];

    proptest! {
        #[test]
        fn the_quick_reader_and_the_strict_one_read_the_same(
            rows in prop::collection::vec(prop::collection::vec(prop::sample::select(PIECES), 0..6), 1..4),
            nested in 0..3_u8,
        ) {
            let texts: Vec<String> = rows.iter().map(|row| row.concat()).collect();
            let mut value = json!({ "note": &texts, "password": &texts[0], "a\"\n": 1 });
            for _ in 0..nested {
                value = json!({ "content": [{ "type": "text", "text": value.to_string() }] });
            }
            let json = value.to_string();
            let (mut quick, mut strict) = (Texts::default(), Texts::default());
            read(json.as_bytes(), &mut quick);
            read_object(json.as_bytes(), &mut strict).expect("an object");
            let each = |texts: &Texts| texts.each().map(|(text, _)| text.to_owned()).collect::<Vec<_>>();
            prop_assert_eq!(each(&quick), each(&strict));
            // What the first look rules out nobody finds who looks at everything.
            let seen = ENGINE.judge(&strict, &BTreeMap::new(), Phase::Response);
            let all = ENGINE.judge_everything(&strict, Phase::Response);
            let ids = |matched: &[crate::policy::Match<'_>]| {
                let mut ids: Vec<_> = matched.iter().map(|m| m.policy.policy_id.clone()).collect();
                ids.sort_unstable();
                ids
            };
            prop_assert_eq!(ids(&seen), ids(&all), "{}", json);
        }

        #[test]
        fn no_bytes_break_it(json in "([a-z\"\\\\:{}, \\[]|é){0,60}") {
            read(json.as_bytes(), &mut Texts::default());
        }
    }

    #[test]
    fn keys_and_values_are_told_apart() {
        let json = br#"[{"a\"b" : "x\ny"}, "c", ""]"#;
        let all: Vec<_> = strings(json).map(|(raw, key)| (String::from_utf8_lossy(raw), key)).collect();
        assert_eq!(
            all,
            [(r#"a\"b"#.into(), true), (r"x\ny".into(), false), ("c".into(), false), ("".into(), false)]
        );
        assert_eq!(Value::from("é").to_string().len(), 4);
    }
}
