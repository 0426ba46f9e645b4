//! Reads JSON whose shape is not settled: members that stand in one place or another, as a text or in an object.
//!
//! The pages of the service contradict each other (the Agent Action Firewall contract, section 8.2), so every place that
//! one of them names is looked at. What is found in several places must agree, or the strictest holds.

use crate::pdp::text::{clean, identifier};
use crate::strict::read_object;
use serde_json::{Map, Value};

/// Longest reason.
const REASON_BYTES: usize = 512;
/// Longest address of a page.
const URL_BYTES: usize = 1024;
/// Longest id.
const ID_BYTES: usize = 128;

/// A JSON object in which no key stands twice.
pub(super) type Object = Map<String, Value>;

/// The object in `body`, or the one under `data` in it.
pub(super) fn object(body: &[u8]) -> Option<Object> {
    read_object(body, &mut ()).ok()?;
    let mut object: Object = serde_json::from_slice(body).ok()?;
    match object.remove("data") {
        Some(Value::Object(inner)) => Some(inner),
        Some(other) => {
            object.insert("data".into(), other);
            Some(object)
        }
        None => Some(object),
    }
}

/// A member that is a text.
pub(super) fn text<'a>(object: &'a Object, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}

/// A member that is an object.
pub(super) fn inner<'a>(object: &'a Object, key: &str) -> Option<&'a Object> {
    object.get(key).and_then(Value::as_object)
}

/// The first of these members that is an id.
pub(super) fn id(object: &Object, keys: &[&str]) -> String {
    keys.iter().filter_map(|key| text(object, key)).map(safe_id).find(|id| !id.is_empty()).unwrap_or_default()
}

/// The text if it is an id that may stand in a path as it is, else the empty text.
pub(super) fn safe_id(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:~".contains(&byte);
    let id = identifier(text, ID_BYTES);
    if id.bytes().all(plain) && id.bytes().any(|byte| byte.is_ascii_alphanumeric()) {
        id
    } else {
        String::new()
    }
}

/// The first of these members that says something, as it may be shown.
pub(super) fn sentence(object: &Object, keys: &[&str]) -> String {
    let said = keys.iter().filter_map(|key| text(object, key)).map(|text| clean(text, REASON_BYTES));
    said.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}

/// Who: a text, or an object with an address, a name or an id.
pub(super) fn who(object: &Object, keys: &[&str]) -> String {
    let named = |key: &&str| match object.get(*key)? {
        Value::String(text) => Some(clean(text, ID_BYTES)),
        Value::Object(person) => Some(sentence(person, &["email", "name", "id"])),
        _ => None,
    };
    keys.iter().filter_map(named).find(|text| !text.is_empty()).unwrap_or_default()
}

/// A page's address, when it is one that may be shown.
pub(super) fn page(object: &Object, key: &str) -> String {
    let url = identifier(text(object, key).unwrap_or_default(), URL_BYTES);
    let is_http = url.starts_with("https://") || url.starts_with("http://");
    let quoted = url.bytes().any(|byte| b"\"'<>\\`".contains(&byte));
    if is_http && !quoted { url } else { String::new() }
}

/// The id at the end of a page's address: the last part that looks like an approval's, else the last one that is no verb.
pub(super) fn tail(url: &str) -> String {
    const VERBS: [&str; 5] = ["approve", "deny", "review", "approvals", "decide"];
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let Some((_, path)) = path.split_once("://").and_then(|(_, rest)| rest.split_once('/')) else {
        return String::new();
    };
    let parts = || path.rsplit('/').filter(|part| !part.is_empty());
    let chosen =
        parts().find(|part| part.starts_with("apr_")).or_else(|| parts().find(|p| !VERBS.contains(p)));
    safe_id(chosen.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_at_the_end_of_an_address() {
        for (url, id) in [
            ("https://app.example.com/approvals/apr_1", "apr_1"),
            ("https://app.example.com/approvals/apr_1/?token=x#y", "apr_1"),
            ("https://app.example.com/approvals/apr_1/approve", "apr_1"),
            ("https://app.example.com/approvals/7f3a", "7f3a"),
            ("https://app.example.com/approvals/7f3a/review", "7f3a"),
            ("https://app.example.com/approvals/", ""),
            ("https://app.example.com", ""),
            ("https://app.example.com/approvals/a%2Fb", ""),
            ("https://app.example.com/approvals/..", ""),
            ("apr_1", ""),
        ] {
            assert_eq!(tail(url), id, "{url}");
        }
    }

    #[test]
    fn only_plain_ids_and_addresses_are_taken() {
        for bad in ["a b", "a/b", "../x", "a?b", "a%2f", "..", "", "ä", &"x".repeat(129)] {
            assert_eq!(safe_id(bad), "", "{bad}");
        }
        let object =
            object(br#"{"a":"javascript:alert(1)","b":"https://x/\"y","c":"https://x/y","d":7}"#).unwrap();
        assert_eq!(["a", "b", "c", "d", "e"].map(|key| page(&object, key)), ["", "", "https://x/y", "", ""]);
    }

    #[test]
    fn a_key_that_stands_twice_is_no_object() {
        assert!(object(br#"{"a":1,"a":2}"#).is_none());
        assert!(object(br#"{"a":{"b":1,"b":2}}"#).is_none());
        assert!(object(b"[]").is_none());
        assert_eq!(
            object(br#"{"data":{"id":"x"}}"#).and_then(|o| text(&o, "id").map(str::to_owned)),
            Some("x".into())
        );
        assert!(object(br#"{"data":[{"id":"x"}]}"#).is_some_and(|o| o.contains_key("data")));
    }

    #[test]
    fn a_person_is_a_text_or_an_object() {
        let object =
            object(br#"{"a":"ann","b":{"id":"u1","email":"b@x.example"},"c":{"id":"u2"},"d":null}"#).unwrap();
        assert_eq!(["a", "b", "c", "d"].map(|key| who(&object, &[key])), ["ann", "b@x.example", "u2", ""]);
    }
}
