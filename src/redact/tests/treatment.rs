//! What takes the place of findings: every style on every input, what is spared, and what is told.

use super::properties::{juicy_json, juicy_text, keys_are_unique};
use super::redactor;
use crate::redact::Scope;
use crate::redact::pseudonyms::Pseudonyms;
use crate::redact::scoping::{Spare, Spares};
use crate::redact::style::{HashKey, Replacer, Styles};
use crate::redact::treatment::{Answer, Treated, Treatment};
use proptest::collection::btree_map;
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
use serde_json::{Value, json};
use std::sync::Arc;

const STYLES: &[&str] =
    &["token", "plain", "mask", "partial", "hash", "pseudonym", "email=mask,card=hash,*=pseudonym"];

fn styled(styles: &str, spares: Spares) -> Treatment {
    let styles: Styles = styles.parse().unwrap();
    let names = Arc::new(Pseudonyms::new(false));
    Treatment::new(Replacer::new(styles, Some(HashKey::new([7; 32])), Some(names)), spares)
}

fn treat(treatment: &Treatment, json: &str) -> Treated {
    let answer = Answer { backend: "shop", tool: Some("get_orders"), ..Answer::default() };
    treatment.treat(&redactor(), json.as_bytes(), Scope::default(), &answer).unwrap()
}

fn text_of(treated: Treated, before: &str) -> String {
    treated.json.map_or_else(|| before.to_owned(), |json| String::from_utf8(json).unwrap())
}

#[test]
fn every_style_has_its_form() {
    let before = r#"{"email":"jane@acme.com","n":4111111111111111,"password":"hunter2x"}"#;
    let after = |styles: &str| text_of(treat(&styled(styles, Spares::default()), before), before);
    assert_eq!(
        after("token"),
        r#"{"email":"[REDACTED:email]","n":"[REDACTED:card]","password":"[REDACTED:password]"}"#
    );
    assert_eq!(after("plain"), r#"{"email":"[REDACTED]","n":"[REDACTED]","password":"[REDACTED:password]"}"#);
    assert_eq!(
        after("mask"),
        r#"{"email":"j***********m","n":"4**************1","password":"[REDACTED:password]"}"#
    );
    assert_eq!(
        after("card=partial"),
        r#"{"email":"[REDACTED:email]","n":"41************11","password":"[REDACTED:password]"}"#
    );
    assert_eq!(after("pseudonym"), r#"{"email":"[EMAIL_1]","n":"[CARD_1]","password":"[PASSWORD_1]"}"#);
    let hashed = after("hash");
    let hashed: Value = serde_json::from_str(&hashed).unwrap();
    for (key, head) in [("email", "[HASH:email:"), ("n", "[HASH:card:"), ("password", "[HASH:password:")] {
        let hash = hashed[key].as_str().and_then(|text| text.strip_prefix(head)?.strip_suffix(']')).unwrap();
        assert!(hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
    }
}

#[test]
fn equal_values_read_alike_in_content_and_structured_content() {
    let data =
        json!({"orders": [{"mail": "jane@acme.com", "nik": 3_174_012_501_990_001_u64}], "jane@acme.com": 1});
    let before = json!({"content": [{"type": "text", "text": data.to_string()}], "structuredContent": data})
        .to_string();
    for styles in STYLES {
        let after = text_of(treat(&styled(styles, Spares::default()), &before), &before);
        let after: Value = serde_json::from_str(&after).unwrap();
        let text: Value = serde_json::from_str(after["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(text, after["structuredContent"], "{styles}");
        assert!(!after.to_string().contains("acme"), "{styles}");
    }
}

#[test]
fn masked_keys_stay_apart_in_every_style() {
    let before =
        r#"{"a@acme.com":1,"b@acme.com":2,"c@acme.com 4111111111111111":3,"c@acme.com 4222222222222":4}"#;
    let after = |styles: &str| text_of(treat(&styled(styles, Spares::default()), before), before);
    assert_eq!(
        after("pseudonym"),
        r#"{"[EMAIL_1]":1,"[EMAIL_2]":2,"[EMAIL_3] [CARD_1]":3,"[EMAIL_3] [CARD_2]":4}"#
    );
    assert_eq!(
        after("mask"),
        r#"{"[REDACTED:email]":1,"[REDACTED:email] 2":2,"[REDACTED:email] [REDACTED:card]":3,"[REDACTED:email] [REDACTED:card] 2":4}"#
    );
    for styles in STYLES {
        assert!(keys_are_unique(&after(styles)), "{styles}");
    }
}

fn order_ids() -> Spares {
    let mut spares = Spares::default();
    spares.add("shop", [Spare::new("get_order*", "orders.*.order_id", ["card"]).unwrap()]);
    spares
}

#[test]
fn a_spared_value_stays_in_both_forms_and_is_counted() {
    let data = json!({"orders": [{"order_id": 4_111_111_111_111_111_u64, "card": "4111111111111111"},
        {"order_id": "4111111111111111 jane@acme.com"}]});
    let before = json!({"content": [{"type": "text", "text": data.to_string()}], "structuredContent": data})
        .to_string();
    for styles in STYLES {
        let treated = treat(&styled(styles, order_ids()), &before);
        assert_eq!(treated.scoped, [("card", 4)].into_iter().collect(), "{styles}");
        assert_eq!(treated.masked, [("card", 2), ("email", 2)].into_iter().collect(), "{styles}");
        assert_eq!(
            treated.fields,
            [
                "content[0].text#orders[0].card",
                "content[0].text#orders[1].order_id",
                "structuredContent.orders[0].card",
                "structuredContent.orders[1].order_id",
            ]
        );
        let after: Value = serde_json::from_str(&text_of(treated, "")).unwrap();
        assert_eq!(after["structuredContent"]["orders"][0]["order_id"], 4_111_111_111_111_111_u64);
        let text: Value = serde_json::from_str(after["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(text, after["structuredContent"]);
    }
    let other = Answer { backend: "crm", tool: Some("get_orders"), ..Answer::default() };
    let treatment = styled("token", order_ids());
    let treated = treatment.treat(&redactor(), before.as_bytes(), Scope::default(), &other).unwrap();
    assert_eq!(treated.scoped.len(), 0, "another backend's rule");
}

#[test]
fn nothing_masked_is_nothing_changed() {
    let before = r#"{"structuredContent":{"orders":[{"order_id":4111111111111111}]}}"#;
    for styles in STYLES {
        let treated = treat(&styled(styles, order_ids()), before);
        assert_eq!((treated.json, treated.masked.len(), treated.fields.len()), (None, 0, 0), "{styles}");
        assert_eq!(treated.scoped, [("card", 1)].into_iter().collect());
    }
}

#[test]
fn the_report_is_bounded_and_counts_the_rest() {
    let mails: Vec<String> = (0..100).map(|at| format!("a{at}@acme.com")).collect();
    let before = json!({"a": mails, "b": "x@acme.com and y@acme.com"}).to_string();
    for styles in STYLES {
        let treated = treat(&styled(styles, Spares::default()), &before);
        assert_eq!(treated.fields.len(), 32, "{styles}");
        assert_eq!((treated.fields_left_out, &*treated.fields[31]), (70, "a[31]"), "{styles}");
    }
    let before = json!({"jane@acme.com": {"b": "x@acme.com and y@acme.com"}}).to_string();
    let treated = treat(&styled("token", Spares::default()), &before);
    assert_eq!((treated.fields, treated.fields_left_out), (vec!["*".to_owned(), "*.b".to_owned()], 0));
}

proptest! {
    #[test]
    fn every_style_leaves_json_in_which_nothing_is_found(value in juicy_json()) {
        let before = value.to_string();
        let plain = treat(&styled("token", Spares::default()), &before);
        for styles in &STYLES[1..] {
            let treatment = styled(styles, Spares::default());
            let treated = treat(&treatment, &before);
            prop_assert_eq!(treated.json.is_some(), plain.json.is_some());
            prop_assert!(treated.masked.values().sum::<u32>() >= plain.masked.values().sum::<u32>());
            let after = text_of(treated, &before);
            prop_assert!(serde_json::from_str::<Value>(&after).is_ok(), "{} {} => {}", styles, before, after);
            let again = treat(&treatment, &after);
            prop_assert_eq!(again.json.map(|json| String::from_utf8(json).unwrap()), None, "{} {} => {}", styles, before, after);
        }
    }

    #[test]
    fn pseudonyms_turn_back_into_the_answer(value in juicy_json()) {
        let before = value.to_string();
        let names = Arc::new(Pseudonyms::new(false));
        let replacer = Replacer::new("pseudonym".parse().unwrap(), None, Some(names.clone()));
        let treatment = Treatment::new(replacer, Spares::default());
        let after = text_of(treat(&treatment, &before), &before);
        // Where a name was hit again or a value was found in pieces a token stands, and media is no text.
        if !after.contains("[REDACTED:") {
            let back = names.restore("shop", after.as_bytes());
            let back = back.map_or(after, |restored| String::from_utf8(restored.json).unwrap());
            prop_assert!(serde_json::from_str::<Value>(&back).is_ok(), "{} => {}", before, back);
            // A value that came as a number and as a text comes back as a text.
            let bare = |text: &str| text.replace(['"', '\\'], "");
            prop_assert_eq!(bare(&back), bare(&before));
        }
    }

    #[test]
    fn keys_stay_unique_in_every_style(keys in btree_map(juicy_text(), 0..9, 0..12)) {
        let before = serde_json::to_string(&keys).unwrap();
        for styles in STYLES {
            let after = text_of(treat(&styled(styles, Spares::default()), &before), &before);
            prop_assert!(keys_are_unique(&after), "{} {} => {}", styles, before, after);
        }
    }

    #[test]
    fn without_styles_and_rules_it_is_the_plain_scan(value in juicy_json()) {
        let before = value.to_string();
        let scan = redactor().scan(before.as_bytes()).unwrap();
        let treated = treat(&Treatment::default(), &before);
        prop_assert_eq!((treated.json, treated.masked), (scan.json, scan.masked));
    }
}
