//! Where values stand: strings with escapes, numbers, keys, JSON inside strings, media.

use super::{masked, masked_text, redactor, scan};
use crate::redact::{Options, Redactor, Scope, check};
use std::collections::BTreeMap;

#[test]
fn nothing_but_the_matched_spans_changes() {
    let json = " {\"b\" : 1.0e+5,\t\"a\":[ 12345678901234567890 , 1E2, \"caf\\u00e9 jane@acme.com\\/\\ud800\" ],\r\n\"b\":null} ";
    let expected = " {\"b\" : 1.0e+5,\t\"a\":[ 12345678901234567890 , 1E2, \"caf\\u00e9 [REDACTED:email]\\/\\ud800\" ],\r\n\"b\":null} ";
    assert_eq!(masked(json), expected);
}

#[test]
fn nothing_found_is_no_new_text() {
    assert_eq!(scan(br#"{"a":[1,2,"x@y"]}"#).unwrap().json, None);
}

#[test]
fn escapes_do_not_hide_a_value() {
    assert_eq!(masked(r#""\n3174012501990001\n""#), r#""\n[REDACTED:nik]\n""#);
    assert_eq!(
        masked(r#""\u00334012501990001 x \u0033174012501990001""#),
        r#""[REDACTED:card] x [REDACTED:nik]""#
    );
    assert_eq!(masked(r#""jane\u0040acme.com""#), r#""[REDACTED:email]""#);
    assert_eq!(
        masked(r#""\ud83d\ude00jane@acme.com\ud83d\ude00""#),
        r#""\ud83d\ude00[REDACTED:email]\ud83d\ude00""#
    );
    assert_eq!(masked(r#""\"jane@acme.com\"""#), r#""\"[REDACTED:email]\"""#);
}

#[test]
fn whole_numbers_become_strings() {
    assert_eq!(masked("3174012501990001"), r#""[REDACTED:nik]""#);
    assert_eq!(masked("[-4111111111111111]"), r#"["[REDACTED:card]"]"#);
    assert_eq!(masked(r#"{"a":6281234567890}"#), r#"{"a":"[REDACTED:phone_id]"}"#);
    for left in ["1.5e15", "4111111111111111.5", "123456789012", "9007199254740991"] {
        assert_eq!(masked(left), left);
    }
}

#[test]
fn masked_keys_stay_apart() {
    assert_eq!(
        masked(r#"{"a@b.co":1,"c@d.co":2,"x":3,"e@f.co":4}"#),
        r#"{"[REDACTED:email]":1,"[REDACTED:email] 2":2,"x":3,"[REDACTED:email] 3":4}"#
    );
    assert_eq!(
        masked(r#"{"a@b.co":1,"c@d.co":{"a@b.co":5},"[REDACTED:email] 2":3,"[REDACTED:email]":4}"#),
        r#"{"[REDACTED:email] 3":1,"[REDACTED:email] 4":{"[REDACTED:email]":5},"[REDACTED:email] 2":3,"[REDACTED:email]":4}"#
    );
    assert_eq!(
        masked(r#"{"a\u0040b.co":1,"\u005bREDACTED:email]":2}"#),
        r#"{"[REDACTED:email] 2":1,"\u005bREDACTED:email]":2}"#
    );
}

#[test]
fn json_inside_strings_stays_json() {
    let inner = r#"{"card":4111111111111111,"mail":"jane@acme.com","a@b.co":1,"c@d.co":2}"#;
    let text = serde_json::to_string(inner).unwrap();
    let expected =
        r#"{"card":"[REDACTED:card]","mail":"[REDACTED:email]","[REDACTED:email]":1,"[REDACTED:email] 2":2}"#;
    let out: String = serde_json::from_str(&masked(&text)).unwrap();
    assert_eq!(out, expected);
    assert_eq!(masked_text(inner), expected);

    let mut text = inner.to_owned();
    let mut expected = expected.to_owned();
    for level in 1..=8 {
        text = serde_json::to_string(&[text]).unwrap();
        expected = serde_json::to_string(&[expected]).unwrap();
        assert_eq!(masked(&text), expected, "level {level}");
    }
}

#[test]
fn json_lines_inside_a_string_are_json() {
    let text = "{\"a\":4111111111111111}\n{\"a\":1}\n[3174012501990001]\n";
    assert_eq!(masked_text(text), "{\"a\":\"[REDACTED:card]\"}\n{\"a\":1}\n[\"[REDACTED:nik]\"]\n");
}

#[test]
fn what_only_starts_like_json_is_text() {
    assert_eq!(masked_text("[see 4111111111111111]"), "[see [REDACTED:card]]");
    assert_eq!(masked_text("{a: 4111111111111111}"), "{a: [REDACTED:card]}");
}

#[test]
fn media_is_left_alone() {
    let long = "iVBORw0KGgo4111111111111111AAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAA".to_owned();
    assert_eq!(long.len(), 64);
    let short = "Ab4111111111111111+/zQ==";
    for json in [
        format!(r#"{{"type":"image","data":"{long}","mimeType":"image/png"}}"#),
        format!(r#"{{"data":"{long}"}}"#),
        format!(r#"{{"data":"{short}","type":"audio"}}"#),
        format!(r#"{{"data":"{short}","mimeType":"image/png"}}"#),
        format!(r#"{{"mimeType":"audio/wav","data":"{short}"}}"#),
        format!(r#"{{"blob":"{short}","uri":"file:///x"}}"#),
        format!(r#"{{"icons":[{{"src":"data:image/png;base64,{short}"}}]}}"#),
        r#"{"type":"image","data":"Ab4111111111111111\/\/zQ=="}"#.to_owned(),
    ] {
        assert_eq!(masked(&json), json);
    }
}

#[test]
fn a_claim_to_be_media_is_not_believed() {
    for json in [
        r#"{"data":"4111111111111111"}"#,
        r#"{"type":"image","data":"4111111111111111"}"#,
        r#"{"type":"image","data":"card 4111111111111111 of Bob"}"#,
        r#"{"type":"image","text":"Ab4111111111111111+/zQ=="}"#,
        r#"{"data":"Ab4111111111111111+/zQ=="}"#,
        r#"{"data":["Ab4111111111111111+/zQ=="],"type":"image"}"#,
        r#"{"blob":"4111111111111111","uri":"file:///x"}"#,
        r#"{"src":"data:,4111111111111111"}"#,
        r#"{"type":"image","data":"Ab4111111111111111+/zQ==","data":"4111111111111111"}"#,
    ] {
        assert!(scan(json.as_bytes()).unwrap().json.is_some(), "{json}");
    }
    let json = r#"{"data":"Ab4111111111111111+/zQ==","a":"jane@acme.com","type":"image"}"#;
    assert_eq!(masked(json), r#"{"data":"Ab4111111111111111+/zQ==","a":"[REDACTED:email]","type":"image"}"#);
}

#[test]
fn values_are_counted_by_type() {
    let scan = scan(br#"{"a@b.co":["c@d.co and e@f.co",4111111111111111]}"#).unwrap();
    assert_eq!(scan.masked, BTreeMap::from([("email", 3), ("card", 1)]));
}

#[test]
fn a_scope_can_spare_numbers_and_handles() {
    let json =
        r#"{"progressToken":1700000000000,"maximum":1700000000000,"_meta":{"progressToken":1700000000000}}"#;
    let spared = Scope { numbers: true, spare_handles: true };
    let out = redactor().scan_within(json.as_bytes(), spared).unwrap();
    let expected = json.replace(r#""maximum":1700000000000"#, r#""maximum":"[REDACTED:card]""#);
    assert_eq!(String::from_utf8(out.json.unwrap()).unwrap(), expected);
    let schema = Scope { numbers: false, spare_handles: false };
    assert_eq!(redactor().scan_within(json.as_bytes(), schema).unwrap().json, None);
    let nested = br#"{"content":{"taskId":"4111111111111111"}}"#;
    assert!(redactor().scan_within(nested, spared).unwrap().json.is_some());
}

#[test]
fn detectors_can_be_switched_off() {
    let switches =
        BTreeMap::from([("sys_pii_email".to_owned(), false), ("sys_pii_credit_card".to_owned(), false)]);
    let redactor = Redactor::new(Options { switches, ..Options::default() });
    let out = redactor.scan_text("jane@acme.com 4111111111111111 0812345678").text.unwrap();
    assert_eq!(out, "jane@acme.com 4111111111111111 [REDACTED:phone_id]");
}

#[test]
fn plain_text_may_hold_anything() {
    assert_eq!(masked_text("\u{0}a\tjane@acme.com\u{7f}é"), "\u{0}a\t[REDACTED:email]\u{7f}é");
    assert_eq!(masked_text(r"jane\u0040acme.com"), "[REDACTED:email]");
    assert_eq!(masked_text(""), "");
}

#[test]
fn checking_masks_nothing_and_finds_faults() {
    assert_eq!(check(br#"{"a":"jane@acme.com"}"#), Ok(()));
    assert!(check(br#"{"a":"jane@acme.com"#).is_err());
}

#[test]
fn whole_numbers_in_other_writings_are_masked_and_fractions_are_not() {
    assert_eq!(masked(r#"{"nik":3174012501990001.0}"#), r#"{"nik":"[REDACTED:nik]"}"#);
    assert_eq!(masked(r#"{"card":4111111111111111e0}"#), r#"{"card":"[REDACTED:card]"}"#);
    assert_eq!(masked(r#"{"card":4.111111111111111e15}"#), r#"{"card":"[REDACTED:card]"}"#);
    for plain in
        [r#"{"x":125000.5}"#, r#"{"x":1e300}"#, r#"{"x":0.0}"#, r#"{"x":12345678.125}"#, r#"{"x":1e-7}"#]
    {
        assert_eq!(masked(plain), plain);
    }
}
