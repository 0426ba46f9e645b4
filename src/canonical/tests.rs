//! The worked examples of the AxonFlow contract, section 7.3, and properties of the canonical text.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn canonical(json: &str) -> String {
    String::from_utf8(go_json(Some(json.as_bytes())).unwrap()).unwrap()
}

fn refusal(json: &str) -> CanonicalError {
    go_json(Some(json.as_bytes())).unwrap_err()
}

/// (letter, arguments as sent, canonical text, digest), all confirmed with Go's `encoding/json`.
const EXAMPLES: [(&str, &str, &str, &str); 10] = [
    ("A", "null", "null", "74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b"),
    ("B", "{}", "{}", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
    (
        "C",
        r#"{"customer_id":"CUST-001"}"#,
        r#"{"customer_id":"CUST-001"}"#,
        "15a975cd2a31f8494b89f0d125c24a44eddf59798648cc162d643b161cd0bff8",
    ),
    (
        "D",
        r#"{"b":2,"a":{"z":[true,null,1.5],"y":""}}"#,
        r#"{"a":{"y":"","z":[true,null,1.5]},"b":2}"#,
        "c7855ee1b20e1ddc29bd0e025cbaffdc15347db04954a7bdde766f0a626e3170",
    ),
    (
        "E",
        r#"{"name":"José 山田","note":"naïve 😀"}"#,
        r#"{"name":"José 山田","note":"naïve 😀"}"#,
        "ac7a84508374758086097a1c1da2f858366216c74eac335c5f12f8680a7d8a50",
    ),
    (
        "F",
        r#"{"q":"SELECT * FROM t WHERE a < 5 AND b > 3 -- x & y"}"#,
        r#"{"q":"SELECT * FROM t WHERE a \u003c 5 AND b \u003e 3 -- x \u0026 y"}"#,
        "769ee4792e0db8e8777ed2d9247e71f74e67fbe5ae50a113edd1be96a2c2480f",
    ),
    (
        "G",
        r#"{"id":12345678901234567890,"amount":1.0,"eps":0.00001,"tiny":1e-7,"big":1e16,"huge":1e21}"#,
        r#"{"amount":1,"big":10000000000000000,"eps":0.00001,"huge":1e+21,"id":12345678901234567000,"tiny":1e-7}"#,
        "9073091936a346667f9b0cce081b0db775848bfc9d9ed19855adeac69372ff23",
    ),
    (
        "H",
        r#"{"s":"line1\nline2\t\"q\" \u0001\u007f\b\f\u2028/\\"}"#,
        "{\"s\":\"line1\\nline2\\t\\\"q\\\" \\u0001\u{7f}\\b\\f\\u2028/\\\\\"}",
        "cb5796989db544d00ba522de19698c34c5f6f0a8c23a16f10178b452a2b0e9b1",
    ),
    (
        "I",
        r#"{"é":1,"z":2,"Z":3,"a":4,"\ud83d\ude00":5,"\uff5e":6}"#,
        r#"{"Z":3,"a":4,"z":2,"é":1,"～":6,"😀":5}"#,
        "73bd0b8803ecefcdd30528ed9f639cbf8f831421ffd1fcb13fa1f367963a6c1c",
    ),
    (
        "J",
        r#"{"x":-0.0,"y":-0,"z":100000000000000000000}"#,
        r#"{"x":-0,"y":-0,"z":100000000000000000000}"#,
        "0907af87674f53e39f3dc0779ebffd15d7cb48d6e7160fce6b9342a9c110f79a",
    ),
];

#[test]
fn the_worked_examples_of_the_contract() {
    for (letter, sent, text, digest) in EXAMPLES {
        assert_eq!(canonical(sent), text, "text of example {letter}");
        assert_eq!(parameters_hash(Some(sent.as_bytes())).unwrap(), digest, "digest of example {letter}");
    }
}

#[test]
fn absent_arguments_are_null() {
    assert_eq!(go_json(None).unwrap(), b"null");
    assert_eq!(parameters_hash(None).unwrap(), EXAMPLES[0].3);
}

#[test]
fn the_last_of_equal_keys_stays_also_across_escapes() {
    assert_eq!(canonical(r#"{"a":1,"b":0,"a":2}"#), r#"{"a":2,"b":0}"#);
    assert_eq!(canonical(r#"{"a":1,"\u0061":2}"#), r#"{"a":2}"#);
    assert_eq!(canonical(r#"{"o":{"x":1,"x":{"y":1}},"o":{"z":[]}}"#), r#"{"o":{"z":[]}}"#);
}

#[test]
fn spaces_go_and_order_comes_at_every_level() {
    assert_eq!(
        canonical(" {\t\"b\" : [ { \"d\":1 , \"c\" : [ ] } , { } ] ,\r\n \"a\":\"x y\" } "),
        r#"{"a":"x y","b":[{"c":[],"d":1},{}]}"#
    );
}

#[test]
fn numbers_turn_to_exponents_where_go_turns() {
    for (sent, text) in [
        ("0.000001", "0.000001"),
        ("0.0000009999", "9.999e-7"),
        ("-1E-7", "-1e-7"),
        ("1e-10", "1e-10"),
        ("999999999999999999999", "1e+21"),
        ("123456789012345678901234", "1.2345678901234569e+23"),
        ("-1.5e300", "-1.5e+300"),
        ("9007199254740993", "9007199254740992"),
        ("999999999999999", "999999999999999"),
        ("1e-400", "0"),
        ("-1e-400", "-0"),
        ("5e-324", "5e-324"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ("100e-2", "1"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("12.5", "12.5"),
        ("0.0001e-1", "0.00001"),
        ("1000000000000000", "1000000000000000"),
        ("1.23e20", "123000000000000000000"),
        // Two shortest texts are equally near: the even digit.
        ("25232180602682.0625", "25232180602682.062"),
        ("-163178089390198.625", "-163178089390198.62"),
    ] {
        assert_eq!(canonical(sent), text, "{sent}");
    }
}

#[test]
fn refuses_what_has_no_text() {
    assert_eq!(refusal(r#"{"a":1e400}"#), CanonicalError::NumberRange { at: 5 });
    assert_eq!(refusal(r#"{"a":"\ud800"}"#), CanonicalError::LoneSurrogate { at: 6 });
    assert_eq!(refusal(r#"["\udc00\ud800"]"#), CanonicalError::LoneSurrogate { at: 2 });
    assert_eq!(refusal(r#"["\ud800\u0041"]"#), CanonicalError::LoneSurrogate { at: 2 });
    assert_eq!(go_json(Some(b"\"\xff\"")), Err(CanonicalError::NotJson { at: 1 }));
    for bad in [
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "+1",
        "nul",
        "{} {}",
        "\"\t\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"abc",
        "[1 2]",
        "{\"a\" 1}",
        "\"\\u+123\"",
    ] {
        assert!(matches!(refusal(bad), CanonicalError::NotJson { .. }), "{bad}");
    }
}

#[test]
fn nesting_is_limited() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(canonical(&nested(MAX_DEPTH)), nested(MAX_DEPTH));
    assert_eq!(refusal(&nested(MAX_DEPTH + 1)), CanonicalError::TooDeep);
}

#[test]
fn go_strings_escape_what_go_escapes() {
    let mut out = Vec::new();
    push_go_string(&mut out, "a<b>&\"\\\n\u{1}\u{7f}é\u{2028}\u{2019}/");
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "\"a\\u003cb\\u003e\\u0026\\\"\\\\\\n\\u0001\u{7f}é\\u2028\u{2019}/\""
    );
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..8)
                .prop_map(|members| members.into_iter().collect::<Value>()),
        ]
    })
}

/// Every number as a float64, as the canonical text has them.
fn as_floats(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64().unwrap()),
        Value::Array(items) => items.iter().map(as_floats).collect(),
        Value::Object(members) => {
            members.iter().map(|(key, value)| (key.clone(), as_floats(value))).collect()
        }
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn canonical_text_is_its_own_canonical_text(value in any_json()) {
        let once = go_json(Some(value.to_string().as_bytes())).unwrap();
        prop_assert_eq!(&go_json(Some(&once)).unwrap(), &once);
    }

    #[test]
    fn spaces_and_order_do_not_matter(value in any_json()) {
        let pretty = serde_json::to_vec_pretty(&value).unwrap();
        prop_assert_eq!(go_json(Some(&pretty)), go_json(Some(value.to_string().as_bytes())));
    }

    #[test]
    fn the_text_means_the_same(value in prop::collection::vec(any::<String>(), 0..6), size in any::<i32>()) {
        let value = json!({ "strings": value, "size": size, "half": f64::from(size) / 2.0 });
        let text = go_json(Some(value.to_string().as_bytes())).unwrap();
        prop_assert_eq!(as_floats(&serde_json::from_slice(&text).unwrap()), as_floats(&value));
    }

    #[test]
    fn accepts_exactly_what_a_strict_parser_accepts(text in r#"[\[\]{}:," 0-9eE.+\-tfn\\u"a\x00-\x1f]{0,12}"#) {
        prop_assert_eq!(
            go_json(Some(text.as_bytes())).is_ok(),
            serde_json::from_str::<Value>(&text).is_ok(),
            "{:?}", text
        );
    }

    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = go_json(Some(&bytes));
    }
}
