//! Places in arguments: JSON pointers (RFC 6901) in which `*` stands for every element or member of one level and `**`
//! for any number of levels. A key that is itself `*` is written `~2`.

use serde_json::Value;
use std::ops::ControlFlow;

/// Longest pointer, in steps: arguments are not nested deeper.
const MAX_STEPS: usize = 128;

/// One place, or many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pointer {
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// A member of that name, or the element of that number.
    Key(String),
    /// Every member or element.
    Every,
    /// Every value below, and the value itself.
    Deep,
}

impl Pointer {
    /// Reads a pointer.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self { steps: Vec::new() });
        }
        let Some(rest) = text.strip_prefix('/') else {
            return Err("a JSON pointer begins with \"/\"".into());
        };
        let steps = rest.split('/').map(step).collect::<Result<Vec<_>, _>>()?;
        if steps.len() > MAX_STEPS {
            return Err(format!("the pointer has more than {MAX_STEPS} steps"));
        }
        if steps.iter().filter(|step| **step == Step::Deep).count() > 1 {
            return Err("\"**\" may stand in a pointer once".into());
        }
        Ok(Self { steps })
    }

    /// The key of the outermost member, when there is only one.
    pub(super) fn first_key(&self) -> Option<&str> {
        match self.steps.first() {
            Some(Step::Key(key)) => Some(key),
            _ => None,
        }
    }

    /// Calls `visit` with every value that is meant, until it breaks.
    pub(super) fn visit<'v>(
        &self,
        value: &'v Value,
        visit: &mut dyn FnMut(&'v Value) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        walk(&self.steps, value, visit)
    }
}

fn step(text: &str) -> Result<Step, String> {
    match text {
        "*" => return Ok(Step::Every),
        "**" => return Ok(Step::Deep),
        _ => {}
    }
    let mut key = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, c == '~') {
            (c, false) => key.push(c),
            (_, true) => match rest.next() {
                Some('0') => key.push('~'),
                Some('1') => key.push('/'),
                Some('2') => key.push('*'),
                _ => return Err("\"~\" in a JSON pointer is written \"~0\"".into()),
            },
        }
    }
    Ok(Step::Key(key))
}

fn walk<'v>(
    steps: &[Step],
    value: &'v Value,
    visit: &mut dyn FnMut(&'v Value) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let Some((step, rest)) = steps.split_first() else { return visit(value) };
    match step {
        Step::Key(key) => match child(value, key) {
            Some(child) => walk(rest, child, visit),
            None => ControlFlow::Continue(()),
        },
        Step::Every => children(value).try_for_each(|child| walk(rest, child, visit)),
        Step::Deep => {
            walk(rest, value, visit)?;
            children(value).try_for_each(|child| walk(steps, child, visit))
        }
    }
}

fn child<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    match value {
        Value::Object(members) => members.get(key),
        // RFC 6901, section 4: no leading zeros.
        Value::Array(items) if key == "0" || !key.starts_with('0') => {
            let digits = key.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| items.get(key.parse::<usize>().ok()?))?
        }
        _ => None,
    }
}

fn children(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Object(members) => Box::new(members.values()),
        Value::Array(items) => Box::new(items.iter()),
        _ => Box::new(std::iter::empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn found(pointer: &str, value: &Value) -> Vec<String> {
        let mut found = Vec::new();
        let _ = Pointer::new(pointer).expect("a pointer").visit(value, &mut |value| {
            found.push(value.to_string());
            ControlFlow::Continue(())
        });
        found
    }

    #[test]
    fn every_kind_of_step() {
        let value = json!({"a": {"b/c": 1, "~": 2, "*": 3}, "l": [{"p": 4}, {"p": 5}, 6], "": 7});
        for (pointer, wanted) in [
            ("/a/b~1c", vec!["1"]),
            ("/a/~0", vec!["2"]),
            ("/a/~2", vec!["3"]),
            ("/a/*", vec!["3", "1", "2"]),
            ("/l/1/p", vec!["5"]),
            ("/l/*/p", vec!["4", "5"]),
            ("/l/01", vec![]),
            ("/l/-", vec![]),
            ("/l/7", vec![]),
            ("/nobody", vec![]),
            ("/**/p", vec!["4", "5"]),
            ("/l/**", vec![r#"[{"p":4},{"p":5},6]"#, r#"{"p":4}"#, "4", r#"{"p":5}"#, "5", "6"]),
            ("/", vec!["7"]),
        ] {
            assert_eq!(found(pointer, &value), wanted, "{pointer}");
        }
        assert_eq!(found("", &json!(1)), ["1"]);
    }

    #[test]
    fn what_is_no_pointer_is_refused() {
        for wrong in ["a", "#/a", "/a~", "/a~3", "/**/a/**", &"/a".repeat(MAX_STEPS + 1)] {
            assert!(Pointer::new(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_pointer_breaks_it(text in "(/|\\*|~0|~1|~|a|0|é|1){0,12}") {
            if let Ok(pointer) = Pointer::new(&text) {
                let value = json!({"a": [0, {"0": [], "": {"é": 1}}], "é": "a", "1": [[[1]]]});
                let _ = pointer.visit(&value, &mut |_| ControlFlow::Continue(()));
            }
        }
    }
}
