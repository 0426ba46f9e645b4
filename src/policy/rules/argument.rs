//! What is asked of the arguments at a place: `equals`, `in`, `glob`, `regex`, ranges, lengths, paths and hosts.

use super::glob::Glob;
use super::host::{self, HostPattern};
use super::path::{self, Folder};
use super::pointer::Pointer;
use super::truth::Truth;
use regex::Regex;
use serde_json::Value;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::ControlFlow;

/// A place and what is asked of it. Holds when one value there passes every test; where there is no value it does not
/// hold.
#[derive(Clone, Debug)]
pub(super) struct Argument {
    /// The place.
    pub(super) pointer: Pointer,
    /// What a value has to pass; for [`Presence::Absent`] there is none.
    pub(super) tests: Vec<Test>,
    /// Whether something has to stand there.
    pub(super) presence: Presence,
}

/// Whether something has to stand at a place; `null` stands there, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// Something that passes the tests.
    Present,
    /// Nothing.
    Absent,
}

/// One test of one value.
#[derive(Clone, Debug)]
pub(super) enum Test {
    /// It is one of these; numbers are compared by value.
    In(Vec<Value>),
    /// Its text fits one of these.
    Glob(Vec<Glob>),
    /// Its text holds a match of one of these.
    Regex(Vec<Regex>),
    /// It is a number, or a text that is one, and at least this.
    Min(f64),
    /// It is a number, or a text that is one, and at most this.
    Max(f64),
    /// Characters of a text, elements of a list, members of an object: at least so many.
    MinLength(usize),
    /// As above: at most so many.
    MaxLength(usize),
    /// It is a path under one of these; `~` is the given home.
    PathUnder(Vec<Folder>, Option<String>),
    /// It is a URL whose host is one of these.
    UrlHostIn(Vec<HostPattern>),
    /// Not all of these pass.
    Not(Vec<Test>),
}

impl Argument {
    /// Whether it holds for these arguments.
    pub(super) fn holds(&self, arguments: &Value) -> Truth {
        let mut found = false;
        let mut best = Truth::No;
        let _ = self.pointer.visit(arguments, &mut |value| {
            found = true;
            best = best.max(Truth::all(self.tests.iter().map(|test| test.passes(value))));
            if best == Truth::Yes { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        match self.presence {
            Presence::Present => best,
            Presence::Absent => Truth::from(!found),
        }
    }
}

impl Test {
    fn passes(&self, value: &Value) -> Truth {
        let on_text = |test: &dyn Fn(&str) -> bool| text(value).is_some_and(|text| test(&text));
        let number = |wanted: Ordering, bound: f64| {
            number(value)
                .and_then(|number| number.partial_cmp(&bound))
                .is_some_and(|order| order == wanted || order == Ordering::Equal)
        };
        Truth::from(match self {
            Self::In(values) => values.iter().any(|one| same(one, value)),
            Self::Glob(globs) => on_text(&|text| globs.iter().any(|glob| glob.matches(text))),
            Self::Regex(all) => on_text(&|text| all.iter().any(|regex| regex.is_match(text))),
            Self::Min(bound) => number(Ordering::Greater, *bound),
            Self::Max(bound) => number(Ordering::Less, *bound),
            Self::MinLength(least) => length(value, *least).is_some_and(|length| length >= *least),
            Self::MaxLength(most) => {
                length(value, most.saturating_add(1)).is_some_and(|length| length <= *most)
            }
            Self::PathUnder(folders, home) => {
                return value.as_str().map_or(Truth::No, |text| path::under(text, folders, home.as_deref()));
            }
            Self::UrlHostIn(hosts) => {
                return value.as_str().map_or(Truth::No, |text| host::host_in(text, hosts));
            }
            Self::Not(tests) => return Truth::all(tests.iter().map(|test| test.passes(value))).not(),
        })
    }
}

/// The text of a scalar: numbers and truth values as JSON writes them. Lists, objects and `null` have none.
pub(super) fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(truth) => Some(Cow::Borrowed(if *truth { "true" } else { "false" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Tools turn texts into numbers, so a text that is one counts as it.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| !number.is_nan()),
        _ => None,
    }
}

/// Characters are counted only up to `enough`.
fn length(value: &Value, enough: usize) -> Option<usize> {
    match value {
        Value::String(text) => Some(text.chars().take(enough).count()),
        Value::Array(items) => Some(items.len()),
        Value::Object(members) => Some(members.len()),
        _ => None,
    }
}

/// Equal as JSON values; `1` and `1.0` are the same number.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || (a.as_f64() == b.as_f64() && (a.is_f64() || b.is_f64()))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn argument(pointer: &str, tests: Vec<Test>) -> Argument {
        Argument { pointer: Pointer::new(pointer).expect("a pointer"), tests, presence: Presence::Present }
    }

    #[test]
    fn values_are_compared_as_values() {
        let is = |wanted: Value, value: Value| Test::In(vec![wanted]).passes(&value) == Truth::Yes;
        assert!(is(json!(1), json!(1.0)) && is(json!({"a": [1]}), json!({"a": [1.0]})));
        assert!(
            !is(json!(1), json!("1")) && !is(json!(true), json!("true")) && !is(json!(null), json!(false))
        );
        assert!(!is(json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740_992_u64)));
    }

    #[test]
    fn numbers_in_texts_are_numbers() {
        for (value, right) in [
            (json!(100), true),
            (json!("100.5"), true),
            (json!(" 1e3 "), true),
            (json!(99.9), false),
            (json!("many"), false),
            (json!([100]), false),
            (json!("NaN"), false),
        ] {
            assert_eq!(Test::Min(100.0).passes(&value) == Truth::Yes, right, "{value}");
        }
        assert_eq!(Test::Max(100.0).passes(&json!(100)), Truth::Yes);
    }

    #[test]
    fn lengths_are_of_texts_lists_and_objects() {
        for (value, length) in [(json!("äöü"), 3), (json!([1, 2]), 2), (json!({"a": 1}), 1)] {
            assert_eq!(Test::MinLength(length).passes(&value), Truth::Yes, "{value}");
            assert_eq!(Test::MinLength(length + 1).passes(&value), Truth::No, "{value}");
            assert_eq!(Test::MaxLength(length).passes(&value), Truth::Yes, "{value}");
            assert_eq!(Test::MaxLength(length - 1).passes(&value), Truth::No, "{value}");
        }
        assert_eq!(Test::MaxLength(3).passes(&json!(7)), Truth::No, "a number has no length");
    }

    #[test]
    fn one_value_has_to_pass_everything_and_a_missing_one_passes_nothing() {
        let regex = |text| Test::Regex(vec![Regex::new(text).expect("an expression")]);
        let both = argument("/list/*", vec![regex("a"), regex("b")]);
        assert_eq!(both.holds(&json!({"list": ["a", "b"]})), Truth::No);
        assert_eq!(both.holds(&json!({"list": ["x", "ab"]})), Truth::Yes);
        let not = argument("/x", vec![Test::Not(vec![regex("a")])]);
        assert_eq!((not.holds(&json!({"x": "b"})), not.holds(&json!({}))), (Truth::Yes, Truth::No));
        let absent = Argument { presence: Presence::Absent, ..argument("/x", vec![]) };
        assert_eq!((absent.holds(&json!({"x": null})), absent.holds(&json!({}))), (Truth::No, Truth::Yes));
    }
}
