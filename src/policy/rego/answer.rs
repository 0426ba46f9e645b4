//! Reads what rules evaluate to. What is not one of the known forms is an error, never an answer.

use crate::policy::model::Severity;
use regorus::Value;

/// Longest reason, in characters, as messages of the policy file.
const REASON_CHARACTERS: usize = 500;
/// Longest id of a policy that a decision may name.
const ID_BYTES: usize = 100;
/// Longest unknown word that is shown back.
const WORD_BYTES: usize = 32;

/// A word of the rules, the strictest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// `deny`
    Deny,
    /// `require_approval`
    RequireApproval,
    /// `allow`
    Allow,
}

/// What rules said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) verdict: Verdict,
    pub(super) reasons: Vec<String>,
    /// The id that the decision names.
    pub(super) policy_id: Option<String>,
    pub(super) severity: Option<Severity>,
    pub(super) package: &'static str,
}

impl Said {
    fn of(verdict: Verdict) -> Self {
        Self { verdict, reasons: Vec::new(), policy_id: None, severity: None, package: "" }
    }
}

/// The stricter one; both reasons where they are equal.
pub(super) fn stricter(one: Option<Said>, other: Option<Said>) -> Option<Said> {
    match (one, other) {
        (Some(mut one), Some(other)) if one.verdict == other.verdict => {
            for reason in other.reasons {
                if !one.reasons.contains(&reason) {
                    one.reasons.push(reason);
                }
            }
            one.severity = one.severity.max(other.severity);
            one.policy_id = one.policy_id.or(other.policy_id);
            Some(one)
        }
        (Some(one), Some(other)) => Some(if one.verdict < other.verdict { one } else { other }),
        (one, other) => one.or(other),
    }
}

/// Reads `decision`: a word, or an object with the word under `decision`, `result` or `action`. Undefined abstains.
///
/// # Errors
/// What is wrong with it, in words that follow the rule's name.
pub(super) fn decision(value: &Value) -> Result<Option<Said>, String> {
    if *value == Value::Undefined {
        return Ok(None);
    }
    if let Value::String(word) = value {
        return verdict(word).map(|verdict| Some(Said::of(verdict)));
    }
    if value.as_object().is_err() {
        return Err(format!("is {}; make it allow, deny or require_approval", kind(value)));
    }
    let mut said: Option<Verdict> = None;
    for key in ["decision", "result", "action"] {
        match &value[key] {
            Value::Undefined => {}
            Value::String(word) => {
                let verdict = verdict(word)?;
                if said.is_some_and(|said| said != verdict) {
                    return Err("says two different words; keep one".to_owned());
                }
                said = Some(verdict);
            }
            other => return Err(format!("has {} as its {key}; make it a word", kind(other))),
        }
    }
    let verdict = said.ok_or("is an object without `decision`, `result` and `action`; add one of them")?;
    let severity = match &value["risk_level"] {
        Value::String(word) => severity(word),
        _ => None,
    };
    let reasons = texts(&value["reason"]);
    Ok(Some(Said { reasons, policy_id: id(&value["policy_id"]), severity, ..Said::of(verdict) }))
}

/// Reads `deny` or `require_approval`: a set or list of reasons, one reason, or a truth value.
///
/// # Errors
/// What is wrong with it, in words that follow the rule's name.
pub(super) fn reasons(value: &Value, verdict: Verdict) -> Result<Option<Said>, String> {
    let count = match value {
        Value::Undefined | Value::Bool(false) => return Ok(None),
        Value::Bool(true) | Value::String(_) => 1,
        _ => match (value.as_set(), value.as_array()) {
            (Ok(set), _) => set.len(),
            (_, Ok(list)) => list.len(),
            _ => return Err(format!("is {}; make it a set of reasons", kind(value))),
        },
    };
    Ok((count > 0).then(|| Said { reasons: texts(value), ..Said::of(verdict) }))
}

/// The texts of a value: itself, those of a set or list, and those that objects in it have under `reason`, `message` or
/// `msg`. Of anything else there is nothing to tell.
pub(super) fn texts(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut take = |value: &Value| {
        let value = ["reason", "message", "msg"]
            .into_iter()
            .filter(|_| value.as_object().is_ok())
            .map(|key| &value[key])
            .find(|inner| matches!(inner, Value::String(_)))
            .unwrap_or(value);
        if let Value::String(text) = value
            && !text.trim().is_empty()
            && found.len() < super::MAX_REASONS
        {
            found.push(line(text));
        }
    };
    match (value.as_set(), value.as_array()) {
        (Ok(set), _) => set.iter().for_each(&mut take),
        (_, Ok(list)) => list.iter().for_each(&mut take),
        _ => take(value),
    }
    found
}

/// One line without control characters, cut when long.
fn line(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(REASON_CHARACTERS).collect()
}

fn verdict(word: &str) -> Result<Verdict, String> {
    match word {
        "allow" => Ok(Verdict::Allow),
        "deny" => Ok(Verdict::Deny),
        "require_approval" => Ok(Verdict::RequireApproval),
        // A rule may have made the word of the call's own content: only what looks like a slip of the pen is shown.
        _ if word.len() <= WORD_BYTES && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') => {
            Err(format!("is \"{word}\"; make it allow, deny or require_approval"))
        }
        _ => Err("is a word that is not known; make it allow, deny or require_approval".to_owned()),
    }
}

fn severity(word: &str) -> Option<Severity> {
    let all = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
    all.into_iter().find(|severity| severity.word() == word)
}

/// An id that can stand in rows and lists; anything else is left out.
fn id(value: &Value) -> Option<String> {
    let Value::String(text) = value else { return None };
    let right = |b: u8| b.is_ascii_alphanumeric() || b"_.-:/".contains(&b);
    (!text.is_empty() && text.len() <= ID_BYTES && text.bytes().all(right)).then(|| text.to_string())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Set(_) => "a set",
        Value::Object(_) => "an object",
        _ => "undefined",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(json: &str) -> Value {
        Value::from_json_str(json).expect("JSON")
    }

    #[test]
    fn words_and_objects_are_read() {
        let verdict = |json: &str| decision(&value(json)).map(|said| said.map(|said| said.verdict));
        assert_eq!(verdict(r#""deny""#), Ok(Some(Verdict::Deny)));
        assert_eq!(verdict(r#"{"result":"require_approval"}"#), Ok(Some(Verdict::RequireApproval)));
        assert_eq!(verdict(r#"{"action":"allow","reason":7}"#), Ok(Some(Verdict::Allow)));
        assert_eq!(decision(&Value::Undefined), Ok(None));
        for (wrong, told) in [
            ("true", "true or false"),
            ("null", "null"),
            (r#""alow""#, "\"alow\""),
            (r#""the password is x""#, "not known"),
            (r#"{"reason":"x"}"#, "add one of them"),
            (r#"{"decision":"allow","result":"deny"}"#, "two different words"),
            (r#"{"decision":["deny"]}"#, "a list as its decision"),
            (r#""Deny""#, "not known"),
        ] {
            let error = verdict(wrong).expect_err(wrong);
            assert!(error.contains(told), "{wrong}: {error}");
        }
    }

    #[test]
    fn what_goes_with_a_decision_is_taken_where_it_is_usable() {
        let json =
            r#"{"decision":"deny","reason":["a\nb"," ","c"],"policy_id":"no-shell","risk_level":"critical"}"#;
        let said = decision(&value(json)).expect("right").expect("said");
        assert_eq!(said.reasons, ["a b", "c"]);
        assert_eq!((said.policy_id.as_deref(), said.severity), (Some("no-shell"), Some(Severity::Critical)));
        let json = r#"{"decision":"deny","policy_id":"no shell","risk_level":"extreme"}"#;
        let said = decision(&value(json)).expect("right").expect("said");
        assert_eq!((said.policy_id, said.severity), (None, None));
    }

    #[test]
    fn sets_give_all_their_reasons_and_an_empty_one_abstains() {
        let of = |json: &str| reasons(&value(json), Verdict::Deny);
        assert_eq!(of("[]"), Ok(None));
        assert_eq!(of("false"), Ok(None));
        assert_eq!(of("true").expect("right").expect("said").reasons, Vec::<String>::new());
        assert_eq!(of(r#"["a",{"msg":"b"},7]"#).expect("right").expect("said").reasons, ["a", "b"]);
        assert!(of("[7]").expect("right").is_some(), "it speaks, whatever it says");
        assert!(of("7").is_err() && of("{}").is_err());
    }

    #[test]
    fn the_strictest_word_wins_with_all_of_its_reasons() {
        let said = |verdict, reason: &str| Some(Said { reasons: vec![reason.into()], ..Said::of(verdict) });
        let both = stricter(said(Verdict::Deny, "a"), said(Verdict::Deny, "b")).expect("said");
        assert_eq!(both.reasons, ["a", "b"]);
        let one = stricter(said(Verdict::Allow, "a"), said(Verdict::RequireApproval, "b")).expect("said");
        assert_eq!((one.verdict, one.reasons), (Verdict::RequireApproval, vec!["b".to_owned()]));
        assert_eq!(stricter(None, None), None);
    }
}
