//! The context of a decision as it may be kept: few keys, short plain values (the AxonFlow contract, section 1.2).

use serde_json::{Map, Value};

/// Keys that are kept.
const KEPT: [&str; 3] = ["x-ai-agent", "x-session-id", "x-leader-identity"];
/// Longest key.
const KEY_CHARACTERS: usize = 32;
/// Longest value.
const VALUE_BYTES: usize = 256;

/// The part of a caller's context that is kept, under keys in lower snake case. `context_truncated` tells that a kept
/// key's value was too long.
pub(super) fn kept(context: Option<&Map<String, Value>>) -> Value {
    let mut out = Map::new();
    let mut truncated = false;
    for (key, value) in context.into_iter().flatten() {
        let (Some(text), true) = (value.as_str(), KEPT.iter().any(|kept| kept.eq_ignore_ascii_case(key)))
        else {
            continue;
        };
        let plain: String = text.chars().filter(|c| !c.is_control()).collect();
        if plain.is_empty() {
            continue;
        }
        let cut = floor(&plain, VALUE_BYTES);
        truncated |= cut < plain.len();
        let name: String = key.to_ascii_lowercase().replace('-', "_").chars().take(KEY_CHARACTERS).collect();
        out.insert(name, plain[..cut].into());
    }
    if truncated {
        out.insert("context_truncated".into(), true.into());
    }
    Value::Object(out)
}

/// A text of the context.
pub(super) fn text(context: Option<&Map<String, Value>>, key: &str) -> String {
    context.and_then(|context| context.get(key)).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The longest end of at most `max` bytes that lies between two characters.
pub(super) fn floor(text: &str, max: usize) -> usize {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_known_keys_with_short_plain_texts_are_kept() {
        let long = "ä".repeat(200);
        let context = json!({"X-AI-Agent": "desk\ntop", "x-session-id": 7, "password": "hunter2",
            "x-leader-identity": long});
        let kept = kept(context.as_object());
        assert_eq!(kept["x_ai_agent"], "desktop");
        assert_eq!(kept["x_leader_identity"].as_str().map(str::len), Some(256));
        assert_eq!(kept["context_truncated"], true);
        assert_eq!(kept.as_object().map(Map::len), Some(3));
    }
}
