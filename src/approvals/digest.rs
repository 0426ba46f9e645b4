//! What a grant is bound to: backend, tool and arguments.
//!
//! A model that repeats a call may write the same object with other blanks or another order of keys, so the arguments
//! count as they read. Numbers beyond 64-bit integers would read alike when they differ (RFC 8785 has the same gap), so
//! arguments that hold one count byte by byte.

use callgate_actors::call::Call;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;

/// SHA-256 over backend, tool and arguments.
pub type CallDigest = [u8; 32];

/// The digest of a call; lengths stand before the parts, so that no two calls share one text.
pub fn digest(call: &Call) -> CallDigest {
    let arguments = call.arguments.as_deref().unwrap_or_default();
    let read = reading(arguments);
    let way: &[u8] = if matches!(read, Cow::Owned(_)) { b"read" } else { b"bytes" };
    let mut hash = Sha256::new();
    for part in [way, call.backend.as_bytes(), call.tool.as_bytes(), &read] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// The same as lower-case hex.
pub fn digest_text(call: &Call) -> String {
    digest(call).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The arguments with sorted keys and without blanks, where that says exactly the same.
fn reading(arguments: &[u8]) -> Cow<'_, [u8]> {
    let value = serde_json::from_slice::<Value>(arguments).ok().filter(is_exact);
    match value.map(sorted).and_then(|value| serde_json::to_vec(&value).ok()) {
        Some(read) => Cow::Owned(read),
        None => Cow::Borrowed(arguments),
    }
}

/// Whether every number was read without loss.
fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_i64() || number.is_u64(),
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(members) => members.values().all(is_exact),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// Keys in their order, whatever order the reader keeps.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        Value::Object(members) => {
            let mut members: Vec<(String, Value)> =
                members.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            members.sort_by(|one, other| one.0.cmp(&other.0));
            Value::Object(members.into_iter().collect())
        }
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use callgate_actors::call::Hints;
    use std::time::SystemTime;

    fn of(backend: &str, tool: &str, arguments: &str) -> CallDigest {
        digest(&Call {
            number: 1,
            received_at: SystemTime::UNIX_EPOCH,
            backend: backend.into(),
            tool: tool.into(),
            exposed: tool.into(),
            arguments: Some(Bytes::copy_from_slice(arguments.as_bytes())),
            meta: None,
            hints: Hints::default(),
        })
    }

    #[test]
    fn what_reads_the_same_is_the_same_call() {
        let one = of("a", "b", r#"{"x":1,"y":{"p":[1,2],"q":"ä"}}"#);
        assert_eq!(one, of("a", "b", r#" { "y" : {"q":"\u00e4","p":[1, 2]}, "x":1 }"#));
        for other in [r#"{"x":2,"y":{"p":[1,2],"q":"ä"}}"#, r#"{"x":1,"y":{"p":[2,1],"q":"ä"}}"#, "{}"] {
            assert_ne!(one, of("a", "b", other), "{other}");
        }
        assert_ne!(of("a", "bc", "{}"), of("ab", "c", "{}"));
    }

    #[test]
    fn numbers_that_would_read_alike_are_told_apart() {
        let big = |number: &str| of("a", "b", &format!(r#"{{"id":{number}}}"#));
        assert_ne!(big("18446744073709551616"), big("18446744073709551617"));
        assert_ne!(big("0.1"), big("0.10000000000000000001"));
        assert_eq!(big("18446744073709551615"), big(" 18446744073709551615"));
    }
}
