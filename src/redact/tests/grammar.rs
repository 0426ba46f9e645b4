//! What is JSON and what is not, with serde_json as the second opinion.

use super::scan;
use crate::redact::check;

#[test]
fn the_same_texts_are_json_as_for_serde() {
    let good = [
        "null",
        " true ",
        "false",
        "0",
        "-0.0",
        "1e-7",
        r#""""#,
        "[]",
        "{}",
        "[[],{}]",
        r#"{"":""}"#,
        r#"{"a":1,"a":2}"#,
        "\t[1 , 2]\r\n",
        "\"\u{7f}\u{2028}\"",
        r#""\u0000""#,
    ];
    let bad = [
        "",
        " ",
        "nul",
        "nulll",
        "True",
        "+1",
        "01",
        "-",
        "1.",
        "1e",
        ".5",
        "0x1",
        "NaN",
        "\"",
        "\"\\\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\'\"",
        "\"\n\"",
        "\"\u{0}\"",
        "[",
        "]",
        "[1",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{",
        "}",
        "{1:2}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\" 1}",
        "[1}",
        "{\"a\":1]",
        "1 2",
        "[] x",
        "\u{feff}1",
        "'a'",
        "[1]]",
        "/**/1",
        "{\"a\":1 \"b\":2}",
        "\u{a0}1",
    ];
    for text in good {
        assert!(serde_json::from_str::<serde_json::Value>(text).is_ok(), "{text}");
        assert_eq!(check(text.as_bytes()), Ok(()), "{text}");
    }
    for text in bad {
        assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "{text}");
        assert!(check(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn a_fault_names_its_place_and_never_the_content() {
    let fault = scan(br#"{"secret":"jane@acme.com" 1}"#).unwrap_err();
    assert_eq!(fault.at, 26);
    assert!(!fault.to_string().contains("jane"));
    assert_eq!(scan(b"[1,").unwrap_err().to_string(), "not valid JSON at byte 3: the text ends too early");
    assert_eq!(
        scan(b"\"ab\xffcd\"").unwrap_err().to_string(),
        "not valid JSON at byte 3: the bytes are not UTF-8"
    );
}

#[test]
fn depth_is_bounded_without_stack() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(check(nested(512).as_bytes()), Ok(()));
    assert_eq!(check(nested(513).as_bytes()).unwrap_err().at, 512);
    assert!(check("[".repeat(1 << 20).as_bytes()).is_err());
    let objects = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    assert_eq!(check(objects(512).as_bytes()), Ok(()));
    assert!(check(objects(513).as_bytes()).is_err());
}

#[test]
fn lone_surrogates_pass() {
    for text in [r#""\ud800""#, r#""\udc00\ud800""#, r#""\ud800\u0041""#] {
        assert_eq!(check(text.as_bytes()), Ok(()), "{text}");
    }
}
