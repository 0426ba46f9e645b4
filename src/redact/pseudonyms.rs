//! Names that stand for values in one session: `[EMAIL_3]` in an answer, the value again when a call carries the name.
//!
//! They live in the memory of this process only, are bounded, and are printed nowhere. A name is turned back only for a
//! backend that gave the value itself, unless that is allowed for all.

use super::detect::DETECTORS;
use super::limits::{PSEUDONYM_BYTES, PSEUDONYMS_KEPT, RESTORED_BYTES, RESTORED_IN_ONE_CALL};
use super::places::{Bounds, locate};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// What is known of a value beside itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// Index of its detector.
    pub(super) row: u8,
    /// It was a number without quotes.
    pub(super) number: bool,
}

/// The pseudonyms of one session. `Debug` prints how many there are.
pub struct Pseudonyms {
    /// Names are turned back for every backend, not only for the one that gave the value.
    across: bool,
    most: usize,
    book: Mutex<Book>,
}

type Name = (&'static str, u32);
type Value = Arc<[u8]>;

#[derive(Default)]
struct Book {
    by_value: BTreeMap<(&'static str, Value), u32>,
    by_name: BTreeMap<Name, Entry>,
    /// Names in the order in which they were given.
    order: VecDeque<Name>,
    /// The last number of each type. Numbers are never given again.
    last: BTreeMap<&'static str, u32>,
}

struct Entry {
    value: Value,
    known: Known,
    /// The backends that gave the value; there are at most 256 of them.
    backends: Vec<Box<str>>,
}

/// A name in the bytes of a call and what it stands for.
struct Found {
    span: Bounds,
    value: Value,
    number: bool,
}

/// A call's arguments with their values.
pub struct Restored {
    /// The whole arguments.
    pub json: Vec<u8>,
    /// The names that were turned back, such as `EMAIL_3`.
    pub names: Vec<String>,
}

impl Pseudonyms {
    /// No pseudonyms yet. `across`: a name is turned back for every backend.
    pub fn new(across: bool) -> Self {
        Self { across, most: PSEUDONYMS_KEPT, book: Mutex::default() }
    }

    /// The name of a value that an answer of `backend` holds; `None` when it is too long to be kept.
    pub(super) fn name(&self, backend: &str, known: Known, value: &[u8]) -> Option<String> {
        if value.len() > PSEUDONYM_BYTES || std::str::from_utf8(value).is_err() {
            return None;
        }
        let kind = DETECTORS.get(usize::from(known.row))?.kind;
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (kind, Value::from(value));
        let number = match book.by_value.get(&key) {
            Some(number) => *number,
            None => book.add(key, known, self.most)?,
        };
        let entry = book.by_name.get_mut(&(kind, number))?;
        // A value that came as a text once fits where texts stand.
        entry.known.number &= known.number;
        if !entry.backends.iter().any(|own| **own == *backend) {
            entry.backends.push(backend.into());
        }
        Some(format!("[{}_{number}]", kind.to_ascii_uppercase()))
    }

    /// The arguments of a call of `backend` with every name that it may be told turned back; `None` when there is none.
    /// Names that are not known, or of values of other backends, stay as they are.
    pub fn restore(&self, backend: &str, json: &[u8]) -> Option<Restored> {
        let found = self.find(backend, json);
        if found.is_empty() {
            return None;
        }
        let spans: Vec<Bounds> = found.iter().map(|found| found.span).collect();
        let mut changes: Vec<(Range<usize>, Vec<u8>)> = Vec::new();
        let mut names = Vec::new();
        let mut budget = RESTORED_BYTES;
        locate(json, &spans, &mut |index, place| {
            let Found { span: (start, end), value, number } = &found[index];
            let change = if *number && place.whole && !place.key && !place.number {
                // Every level of strings doubles the backslashes before a quote and adds one.
                let quote = 1usize << place.level;
                (start.saturating_sub(quote)..end + quote, value.to_vec())
            } else {
                let mut text = String::from_utf8_lossy(value).into_owned();
                for _ in 0..place.unescapes() {
                    text = escaped(&text);
                }
                (*start..*end, text.into_bytes())
            };
            let Some(left) = budget.checked_sub(change.1.len()) else { return false };
            budget = left;
            names.push(String::from_utf8_lossy(&json[start + 1..end - 1]).into_owned());
            changes.push(change);
            true
        });
        let mut out = Vec::with_capacity(json.len() + changes.len() * 16);
        let mut copied = 0;
        for (span, value) in changes {
            out.extend_from_slice(json.get(copied..span.start)?);
            out.extend_from_slice(&value);
            copied = span.end;
        }
        out.extend_from_slice(json.get(copied..)?);
        Some(Restored { json: out, names })
    }

    /// The names in a call that may be turned back for `backend`, in order.
    fn find(&self, backend: &str, json: &[u8]) -> Vec<Found> {
        let mut found = Vec::new();
        let mut brackets = memchr::memchr_iter(b'[', json).peekable();
        if brackets.peek().is_none() {
            return found;
        }
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        if book.by_name.is_empty() {
            return found;
        }
        for at in brackets {
            let Some((name, length)) = name_at(&json[at..]) else { continue };
            let Some(entry) = book.by_name.get(&name) else { continue };
            if !(self.across || entry.backends.iter().any(|own| **own == *backend)) {
                continue;
            }
            found.push(Found {
                span: (at, at + length),
                value: entry.value.clone(),
                number: entry.known.number,
            });
            if found.len() == RESTORED_IN_ONE_CALL {
                break;
            }
        }
        found
    }

    /// The values behind names, with the row of each; names that fell out are left out.
    pub(super) fn values(&self, names: &[String]) -> Vec<(Value, u8)> {
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = |name: &String| {
            let (name, _) = name_at(format!("[{name}]").as_bytes())?;
            book.by_name.get(&name).map(|entry| (entry.value.clone(), entry.known.row))
        };
        names.iter().filter_map(entry).collect()
    }
}

impl Book {
    /// Gives the next name; the oldest falls out when there are `most`.
    fn add(&mut self, key: (&'static str, Value), known: Known, most: usize) -> Option<u32> {
        let (kind, value) = key;
        while self.order.len() >= most {
            let oldest = self.order.pop_front()?;
            if let Some(entry) = self.by_name.remove(&oldest) {
                self.by_value.remove(&(oldest.0, entry.value));
            }
        }
        let last = self.last.entry(kind).or_default();
        *last = last.checked_add(1)?;
        let number = *last;
        self.by_name.insert((kind, number), Entry { value: value.clone(), known, backends: Vec::new() });
        self.by_value.insert((kind, value), number);
        self.order.push_back((kind, number));
        Some(number)
    }
}

/// The name that starts with the bracket at the beginning of `text`, and its length.
fn name_at(text: &[u8]) -> Option<(Name, usize)> {
    /// The longest type, and the ten digits of the largest number.
    const LONGEST: usize = 48;
    let text = &text[..text.len().min(LONGEST)];
    let end = text.iter().position(|byte| *byte == b']')?;
    let inner = std::str::from_utf8(text.get(1..end)?).ok()?;
    let (word, digits) = inner.rsplit_once('_')?;
    if digits.starts_with('0') || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let upper = |kind: &str| {
        kind.len() == word.len() && kind.bytes().zip(word.bytes()).all(|(a, b)| a.to_ascii_uppercase() == b)
    };
    let kind = DETECTORS.iter().map(|detector| detector.kind).find(|kind| upper(kind))?;
    Some(((kind, digits.parse().ok()?), end + 1))
}

/// A text as it stands between the quotes of a JSON string.
fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

impl std::fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kept = self.book.lock().unwrap_or_else(PoisonError::into_inner).order.len();
        f.debug_struct("Pseudonyms")
            .field("across", &self.across)
            .field("kept", &kept)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(kind: &str) -> u8 {
        let at = DETECTORS.iter().position(|detector| detector.kind == kind).unwrap();
        u8::try_from(at).unwrap()
    }

    fn give(names: &Pseudonyms, backend: &str, kind: &str, value: &str) -> String {
        names.name(backend, Known { row: row(kind), number: kind == "nik" }, value.as_bytes()).unwrap()
    }

    fn restored(names: &Pseudonyms, backend: &str, json: &str) -> Option<String> {
        names.restore(backend, json.as_bytes()).map(|restored| String::from_utf8(restored.json).unwrap())
    }

    #[test]
    fn the_same_value_has_the_same_name() {
        let names = Pseudonyms::new(false);
        assert_eq!(give(&names, "crm", "email", "jane@acme.com"), "[EMAIL_1]");
        assert_eq!(give(&names, "crm", "email", "joe@acme.com"), "[EMAIL_2]");
        assert_eq!(give(&names, "hr", "email", "jane@acme.com"), "[EMAIL_1]");
        assert_eq!(give(&names, "crm", "bank_account", "12345678"), "[BANK_ACCOUNT_1]");
        assert_eq!(format!("{names:?}"), "Pseudonyms { across: false, kept: 3, .. }");
    }

    #[test]
    fn names_are_turned_back_wherever_they_stand() {
        let names = Pseudonyms::new(false);
        give(&names, "crm", "email", "jane@acme.com");
        give(&names, "crm", "password", "a\"b\\c");
        let before = r#"{"to":"[EMAIL_1]","n":1.0,"t":"Hi [EMAIL_1], [PASSWORD_1]; [EMAIL_9] [X_1]","[EMAIL_1]":0,"j":"{\"p\":\"[PASSWORD_1]\",\"[EMAIL_1]\":1}"}"#;
        let after = restored(&names, "crm", before).unwrap();
        let value: serde_json::Value = serde_json::from_str(&after).unwrap();
        assert_eq!(value["to"], "jane@acme.com");
        assert_eq!(value["t"], "Hi jane@acme.com, a\"b\\c; [EMAIL_9] [X_1]");
        assert_eq!(value["jane@acme.com"], 0);
        let inner: serde_json::Value = serde_json::from_str(value["j"].as_str().unwrap()).unwrap();
        assert_eq!(inner, serde_json::json!({"p": "a\"b\\c", "jane@acme.com": 1}));
        assert!(after.contains("\"n\":1.0,"), "{after}");
    }

    #[test]
    fn a_number_becomes_a_number_again() {
        let names = Pseudonyms::new(false);
        give(&names, "crm", "nik", "3174012501990001");
        let before = r#"{"nik":"[NIK_1]","t":"nik [NIK_1]","j":"[\"[NIK_1]\"]"}"#;
        assert_eq!(
            restored(&names, "crm", before).unwrap(),
            r#"{"nik":3174012501990001,"t":"nik 3174012501990001","j":"[3174012501990001]"}"#
        );
        // Seen as a text, it fits where texts stand.
        names.name("crm", Known { row: row("nik"), number: false }, b"3174012501990001").unwrap();
        assert_eq!(restored(&names, "crm", r#"["[NIK_1]"]"#).unwrap(), r#"["3174012501990001"]"#);
    }

    #[test]
    fn names_do_not_cross_backends_unless_allowed() {
        for across in [false, true] {
            let names = Pseudonyms::new(across);
            give(&names, "crm", "email", "jane@acme.com");
            assert_eq!(restored(&names, "mail", r#"["[EMAIL_1]"]"#).is_some(), across);
            assert!(restored(&names, "crm", r#"["[EMAIL_1]"]"#).is_some());
        }
    }

    #[test]
    fn the_oldest_falls_out_and_its_name_stays_a_text() {
        let names = Pseudonyms { most: 2, ..Pseudonyms::new(false) };
        for value in ["a@acme.com", "b@acme.com", "c@acme.com"] {
            give(&names, "crm", "email", value);
        }
        assert_eq!(restored(&names, "crm", r#"["[EMAIL_1]"]"#), None);
        assert_eq!(restored(&names, "crm", r#"["[EMAIL_3]"]"#).unwrap(), r#"["c@acme.com"]"#);
        assert_eq!(give(&names, "crm", "email", "a@acme.com"), "[EMAIL_4]", "a number is not given again");
        let book = names.book.lock().unwrap();
        assert_eq!([book.by_name.len(), book.by_value.len(), book.order.len()], [2; 3]);
    }

    #[test]
    fn what_is_too_long_has_no_name() {
        let names = Pseudonyms::new(false);
        let known = Known { row: row("email"), number: false };
        assert_eq!(names.name("crm", known, &[b'a'; PSEUDONYM_BYTES + 1]), None);
    }

    proptest::proptest! {
        #[test]
        fn no_arguments_break_it(text in "([\\[\\]{}\",:\\\\u ]|\\[EMAIL_1\\]|\\[NIK_1\\]){0,30}") {
            let names = Pseudonyms::new(false);
            give(&names, "crm", "email", "jane@acme.com");
            give(&names, "crm", "nik", "3174012501990001");
            let json = serde_json::json!({"a": text, "b": [text]}).to_string();
            let after = restored(&names, "crm", &json).unwrap_or(json.clone());
            proptest::prop_assert!(serde_json::from_str::<serde_json::Value>(&after).is_ok(), "{} {}", json, after);
            let _ = restored(&names, "crm", &text);
        }
    }
}
