//! What is told of a redaction: the paths of what was masked, and the object in a result's `_meta`. Never a value.

use super::limits::{REPORTED_FIELDS, REPORTED_KEY_BYTES, REPORTED_PATH_BYTES};
use super::places::{Step, locate};
use callgate_actors::ports::{Decision, Findings, PolicyInfo, Redaction, Would, millis};
use serde::Serialize;
use serde_json::value::RawValue;
use std::fmt::Write as _;
use std::time::Duration;

/// The member of `_meta` that holds the report: a name of our own with a prefix, as MCP asks (MCP 2025-06-18, "General
/// fields").
pub const META_KEY: &str = "io.callgate/governance";

/// The way to a value as a path: `structuredContent.orders[0].email`; JSON inside a string stands behind `#`:
/// `content[0].text#orders[0].email`. A key that held something itself, or that is too long, reads `*`.
pub(super) fn path(steps: &[Step<'_>]) -> String {
    let mut path = String::new();
    // Between two keys stands a dot, before the first one nothing.
    let mut fresh = true;
    for step in steps {
        match step {
            Step::Index(at) => {
                let _ = write!(path, "[{at}]");
                fresh = false;
            }
            Step::Inside => {
                path.push('#');
                fresh = true;
            }
            Step::Key(key) => {
                match std::str::from_utf8(key) {
                    Ok(key) if key.len() <= REPORTED_KEY_BYTES => push_key(&mut path, key, fresh),
                    _ => path.push_str(if fresh { "*" } else { ".*" }),
                }
                fresh = false;
            }
            Step::HiddenKey => {
                path.push_str(if fresh { "*" } else { ".*" });
                fresh = false;
            }
        }
        if path.len() > REPORTED_PATH_BYTES {
            let mut end = REPORTED_PATH_BYTES;
            while !path.is_char_boundary(end) {
                end -= 1;
            }
            path.truncate(end);
            path.push('…');
            break;
        }
    }
    path
}

/// Adds the paths of spans of a JSON value to a report, as far as there is room.
pub(crate) fn add_fields(json: &[u8], spans: &[(usize, usize)], findings: &mut Findings) {
    locate(json, spans, &mut |_, place| {
        let path = path(&place.steps);
        if findings.fields.last() == Some(&path) {
            return true;
        }
        if findings.fields.len() < REPORTED_FIELDS {
            findings.fields.push(path);
        } else {
            findings.fields_left_out += 1;
        }
        true
    });
}

/// A name as it is, anything else in brackets and quotes.
fn push_key(path: &mut String, key: &str, fresh: bool) {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '$');
    if !key.is_empty() && key.chars().all(plain) {
        if !fresh {
            path.push('.');
        }
        path.push_str(key);
    } else {
        let _ = write!(path, "[{}]", serde_json::Value::from(key));
    }
}

/// The report of one result.
#[derive(Debug, Serialize)]
struct Report<'a> {
    redacted: bool,
    redacted_fields: Vec<&'a str>,
    policy_info: PolicyInfo<'a>,
    /// Nothing is blocked; what would have become of the call or its answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    monitor: Option<Monitor>,
}

#[derive(Debug, Serialize)]
struct Monitor {
    would: &'static str,
}

/// The report of a result that passes, as JSON. `spent` is the time of its redaction; the decision's is added. With
/// `monitor` it says so, and what would have become of the call otherwise.
pub fn report(redaction: &Redaction, decision: Option<&Decision>, spent: Duration, monitor: bool) -> Vec<u8> {
    let findings = &redaction.findings;
    let applied = redaction.masked.values().fold(0u32, |sum, count| sum.saturating_add(*count));
    let more = match findings.fields_left_out {
        0 => String::new(),
        count => format!("and {count} more"),
    };
    let fields = findings.fields.iter().map(String::as_str);
    let took = decision.map_or(Duration::ZERO, |decision| decision.took) + spent;
    let asked = decision.map_or(0, |decision| decision.evaluated);
    let request = decision.into_iter().flat_map(|decision| &decision.matched);
    let report = Report {
        redacted: applied > 0,
        redacted_fields: fields.chain(Some(more.as_str()).filter(|more| !more.is_empty())).collect(),
        policy_info: PolicyInfo {
            policies_evaluated: asked.saturating_add(findings.evaluated),
            blocked: false,
            block_reason: None,
            redactions_applied: applied,
            processing_time_ms: millis(took),
            matched_policies: request.chain(&findings.matched).collect(),
        },
        monitor: monitor.then(|| Monitor { would: findings.would(decision).map_or("allow", Would::word) }),
    };
    // Texts and numbers under text keys always serialize.
    serde_json::to_vec(&report).unwrap_or_default()
}

/// The result with the report in its `_meta`; every other byte as it came. What a backend wrote under our name is
/// replaced. `None` when the result or its `_meta` is no object.
pub fn with_report(result: &[u8], report: &[u8]) -> Option<Vec<u8>> {
    use callgate_actors::wire::{skim, splice::splice};
    let member = [br#""io.callgate/governance":"#, report].concat();
    debug_assert!(member.starts_with(format!("\"{META_KEY}\":").as_bytes()));
    if let Some(span) = skim::member(result, "_meta") {
        let meta = with_member(&result[span.clone()], &member)?;
        return Some(splice(result, &[(span, &meta)]));
    }
    let open = result.iter().position(|byte| *byte == b'{')?;
    let close = result.iter().rposition(|byte| *byte == b'}')?;
    let blank = result.get(open + 1..close)?.trim_ascii().is_empty();
    let comma: &[u8] = if blank { b"" } else { b"," };
    Some([&result[..close], comma, b"\"_meta\":{", &member, b"}", &result[close..]].concat())
}

/// An object with one more member, behind its own ones.
fn with_member(object: &[u8], member: &[u8]) -> Option<Vec<u8>> {
    let own: std::collections::BTreeMap<String, &RawValue> = serde_json::from_slice(object).ok()?;
    let close = object.iter().rposition(|byte| *byte == b'}')?;
    if !own.contains_key(META_KEY) {
        let comma: &[u8] = if own.is_empty() { b"" } else { b"," };
        return Some([&object[..close], comma, member, &object[close..]].concat());
    }
    let mut out = vec![b'{'];
    for (key, value) in own.iter().filter(|(key, _)| *key != META_KEY) {
        out.extend_from_slice(serde_json::Value::from(key.as_str()).to_string().as_bytes());
        out.push(b':');
        out.extend_from_slice(value.get().as_bytes());
        out.push(b',');
    }
    out.extend_from_slice(member);
    out.push(b'}');
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use callgate_actors::ports::{MatchedPolicy, Verdict};
    use serde_json::{Value, json};

    #[test]
    fn paths_read_as_people_write_them() {
        let key = |text: &'static str| Step::Key(text.as_bytes().into());
        assert_eq!(
            path(&[key("structuredContent"), key("orders"), Step::Index(0), key("e-mail")]),
            "structuredContent.orders[0].e-mail"
        );
        assert_eq!(
            path(&[key("content"), Step::Index(0), key("text"), Step::Inside, key("a b"), Step::HiddenKey]),
            "content[0].text#[\"a b\"].*"
        );
        assert_eq!(path(&[Step::Inside, Step::Index(1), Step::Inside, key("é")]), "#[1]#é");
        let long = "k".repeat(REPORTED_KEY_BYTES + 1);
        assert_eq!(path(&[Step::Key(long.into_bytes().into()), key("a")]), "*.a");
        let deep = vec![key("é_____"); 200];
        assert!(path(&deep).len() < REPORTED_PATH_BYTES + 4 && path(&deep).ends_with('…'));
    }

    fn redaction() -> Redaction {
        Redaction {
            masked: [("email", 40)].into_iter().collect(),
            findings: Findings {
                fields: vec!["a[0]".into()],
                fields_left_out: 39,
                matched: vec![MatchedPolicy {
                    policy_id: "p".into(),
                    action: "warn".into(),
                    ..MatchedPolicy::default()
                }],
                evaluated: 4,
                ..Findings::default()
            },
            ..Redaction::default()
        }
    }

    #[test]
    fn the_report_has_exactly_the_documented_members() {
        let decision = Decision {
            evaluated: 3,
            took: Duration::from_millis(5),
            ..Decision::of(Verdict::Allow { arguments: None, redact: false })
        };
        let monitored = report(&redaction(), Some(&decision), Duration::ZERO, true);
        let monitored: Value = serde_json::from_slice(&monitored).unwrap();
        assert_eq!(monitored["monitor"], json!({"would": "allow"}));
        let report = report(&redaction(), Some(&decision), Duration::from_millis(2), false);
        assert_eq!(
            serde_json::from_slice::<Value>(&report).unwrap(),
            json!({
                "redacted": true,
                "redacted_fields": ["a[0]", "and 39 more"],
                "policy_info": {
                    "policies_evaluated": 7,
                    "blocked": false,
                    "redactions_applied": 40,
                    "processing_time_ms": 7,
                    "matched_policies": [
                        {"policy_id": "p", "policy_name": "", "category": "", "severity": "", "action": "warn"}
                    ],
                },
            })
        );
    }

    #[test]
    fn a_result_keeps_its_bytes_and_its_meta() {
        let with = |result: &str| String::from_utf8(with_report(result.as_bytes(), b"1").unwrap()).unwrap();
        assert_eq!(
            with(r#"{ "content" : [ ] , "n":1.0 }"#),
            r#"{ "content" : [ ] , "n":1.0 ,"_meta":{"io.callgate/governance":1}}"#
        );
        assert_eq!(with("{}"), r#"{"_meta":{"io.callgate/governance":1}}"#);
        assert_eq!(
            with(r#"{"_meta": {"a":1.50},"content":[]}"#),
            r#"{"_meta": {"a":1.50,"io.callgate/governance":1},"content":[]}"#
        );
        assert_eq!(with(r#"{"_meta":{ }}"#), r#"{"_meta":{ "io.callgate/governance":1}}"#);
        assert_eq!(
            with(r#"{"_meta":{"io.c\u0061llgate/governance":{"redacted":true},"b":1.0}}"#),
            r#"{"_meta":{"b":1.0,"io.callgate/governance":1}}"#,
            "a backend cannot forge it"
        );
        assert_eq!(with_report(b"[]", b"1"), None);
        assert_eq!(with_report(br#"{"_meta":null}"#, b"1"), None);
    }
}
