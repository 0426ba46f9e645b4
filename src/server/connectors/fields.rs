//! Which places of a JSON value were masked, as paths such as `data[0].ssn` (the AxonFlow contract, section 2.4).

use crate::server::limits::REDACTED_FIELDS;
use serde_json::Value;

/// The paths, in document order, at most [`REDACTED_FIELDS`]. A key that was masked is told by the path of its object,
/// since the key itself is what must not be told.
pub(super) fn redacted(before: &Value, after: &Value, root: &str) -> Vec<String> {
    let mut paths = Vec::new();
    walk(before, after, root, &mut paths);
    paths.dedup();
    paths
}

fn walk(before: &Value, after: &Value, path: &str, paths: &mut Vec<String>) {
    if before == after || paths.len() >= REDACTED_FIELDS {
        return;
    }
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let mut masked_key = false;
            for (key, value) in before {
                match after.get(key) {
                    Some(now) => walk(value, now, &format!("{path}.{key}"), paths),
                    None => masked_key = true,
                }
            }
            if masked_key {
                paths.push(path.to_owned());
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            for (at, (value, now)) in before.iter().zip(after).enumerate() {
                walk(value, now, &format!("{path}[{at}]"), paths);
            }
        }
        _ => paths.push(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_changed_leaf_has_its_path() {
        let before = json!([{"id": 1, "ssn": "078-05-1120", "more": {"mails": ["a@b.com", "x"]}}, {"id": 2}]);
        let after = json!([{"id": 1, "ssn": "[R]", "more": {"mails": ["[R]", "x"]}}, {"id": 2}]);
        assert_eq!(redacted(&before, &after, "data"), ["data[0].more.mails[0]", "data[0].ssn"]);
        assert!(redacted(&before, &before, "data").is_empty());
    }

    #[test]
    fn a_masked_key_is_not_told() {
        let (before, after) = (json!({"jane@acme.com": 1}), json!({"[REDACTED:email]": 1}));
        assert_eq!(redacted(&before, &after, "data[3]"), ["data[3]"]);
    }
}
