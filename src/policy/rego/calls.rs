//! Which functions the rules call: one that there is not, and one that calls itself, are refused when the rules are
//! read. The engine finds the first only once a call gets there, and the second only when its stack has run over.

use super::message::Told;
use regorus::Engine;
use regorus::unstable::{BUILTINS, Rule, RuleHead};
use std::collections::{BTreeMap, BTreeSet};

/// Words that a parenthesis may follow without being a call.
const WORDS: [&str; 13] = [
    "not", "in", "if", "else", "some", "every", "with", "as", "set", "print", "default", "contains", "import",
];

/// A function: its package as `data.aaf.policy`, and its name.
type Function = (String, String);

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Called {
    name: String,
    /// Offset in the rule's text, in bytes.
    at: usize,
}

/// A rule and what it calls.
struct Unit {
    package: String,
    /// The name, for a function.
    function: Option<String>,
    file: String,
    /// Line and column at which its text begins.
    begins: (usize, usize),
    text: String,
}

/// Checks the calls of all rules that were added.
///
/// # Errors
/// The first call that cannot be.
pub(super) fn check(engine: &mut Engine, extensions: &[&str]) -> Result<(), Told> {
    let units = units(engine);
    let defined: BTreeSet<Function> =
        units.iter().filter_map(|unit| Some((unit.package.clone(), unit.function.clone()?))).collect();
    let mut edges: BTreeMap<Function, Vec<(Function, Told)>> = BTreeMap::new();
    for unit in &units {
        for called in calls(&unit.text) {
            // Its own head.
            if called.at == 0 && unit.function.as_ref() == Some(&called.name) {
                continue;
            }
            let found = resolve(&defined, &unit.package, &called.name);
            let known = extensions.contains(&called.name.as_str())
                || WORDS.contains(&called.name.as_str())
                || BUILTINS.contains_key(called.name.as_str());
            if found.is_empty() && !known {
                return Err(unit.told(called.at, format!("there is no function {}", called.name)));
            }
            if let Some(function) = &unit.function {
                let from = (unit.package.clone(), function.clone());
                let told = unit.told(called.at, format!("the function {function} calls itself"));
                edges.entry(from).or_default().extend(found.into_iter().map(|to| (to, told.clone())));
            }
        }
    }
    circle(&edges).map_or(Ok(()), Err)
}

impl Unit {
    /// What is wrong at an offset.
    fn told(&self, at: usize, what: String) -> Told {
        let before = self.text.get(..at).unwrap_or_default();
        let (lines, last) = (before.matches('\n').count(), before.rsplit('\n').next().unwrap_or_default());
        let column = last.chars().count() + if lines == 0 { self.begins.1 } else { 1 };
        Told { file: self.file.clone(), line: self.begins.0 + lines, column, what }
    }
}

fn units(engine: &mut Engine) -> Vec<Unit> {
    let packages = engine.get_packages().unwrap_or_default();
    let mut units = Vec::new();
    for (module, package) in engine.get_modules().iter().zip(packages) {
        for (at, rule) in module.policy.iter().enumerate() {
            let span = rule.span();
            let text = span.source.get_contents();
            let (start, end) =
                (span.start as usize, module.policy.get(at + 1).map(|next| next.span().start as usize));
            let function = match rule.as_ref() {
                Rule::Spec { head: RuleHead::Func { refr, .. }, .. } => Some(refr.span().text().to_owned()),
                Rule::Default { refr, args, .. } if !args.is_empty() => Some(refr.span().text().to_owned()),
                _ => None,
            };
            units.push(Unit {
                package: package.clone(),
                function,
                file: span.source.get_path().clone(),
                begins: (span.line as usize, span.col as usize),
                text: text.get(start..end.unwrap_or(text.len())).unwrap_or_default().to_owned(),
            });
        }
    }
    units
}

/// The functions that a name may mean in a package: one of the package, one that is named in full, or one that came
/// with an import.
fn resolve(defined: &BTreeSet<Function>, package: &str, name: &str) -> Vec<Function> {
    let own = (package.to_owned(), name.to_owned());
    if defined.contains(&own) {
        return vec![own];
    }
    let last = name.rsplit('.').next().unwrap_or(name);
    let full = name.starts_with("data.");
    let fits = |(package, function): &&Function| match full {
        true => name == format!("{package}.{function}"),
        false => function == last || function == name,
    };
    defined.iter().filter(fits).cloned().collect()
}

/// A call by which a function gets back to itself.
fn circle(edges: &BTreeMap<Function, Vec<(Function, Told)>>) -> Option<Told> {
    for (start, calls) in edges {
        for (next, told) in calls {
            let (mut seen, mut open) = (BTreeSet::new(), vec![next]);
            while let Some(function) = open.pop() {
                if function == start {
                    return Some(told.clone());
                }
                if seen.insert(function) {
                    open.extend(edges.get(function).into_iter().flatten().map(|(to, _)| to));
                }
            }
        }
    }
    None
}

/// The names in front of a parenthesis, outside of texts and comments.
fn calls(text: &str) -> Vec<Called> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'#' => at += text[at..].find('\n').unwrap_or(text.len() - at),
            b'`' => at += 1 + text[at + 1..].find('`').map_or(text.len(), |end| end + 1),
            b'"' => {
                at += 1;
                while bytes.get(at).is_some_and(|byte| *byte != b'"') {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            _ if is_name(byte) && !byte.is_ascii_digit() => {
                let begins = at;
                while bytes.get(at).is_some_and(|byte| is_name(*byte) || *byte == b'.') {
                    at += 1;
                }
                // A reference into a list, `x[_].f`, is not a name.
                let goes_on = begins > 0 && matches!(bytes[begins - 1], b'.' | b']');
                if bytes.get(at) == Some(&b'(') && !goes_on {
                    found.push(Called { name: text[begins..at].to_owned(), at: begins });
                }
            }
            _ => at += 1,
        }
    }
    found
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::rego::RegoSet;

    #[test]
    fn calls_are_found_and_texts_and_comments_are_not() {
        let text = "f(x) := y if { # g(1)\n y := time.clock(x)[0] + `h(2)` \n z := \"i(\\\" j(3)\"; not (k) ; data.a.b(1)";
        let names: Vec<String> = calls(text).into_iter().map(|called| called.name).collect();
        assert_eq!(names, ["f", "time.clock", "data.a.b"]);
    }

    #[test]
    fn what_is_not_there_and_what_calls_itself_is_refused() {
        let of = |text: &str| {
            let text = format!("package aaf.policy\n{text}");
            RegoSet::of_text("a.rego", &text).map(drop).map_err(|faults| faults[0].to_string())
        };
        let good = "deny contains \"x\" if f(1)\nf(x) if g(x)\ng(x) if startswith(x, \"a\")\n";
        assert_eq!(of(good), Ok(()));
        assert_eq!(of("deny contains \"x\" if { contains(\"a\", \"b\"); count({1}) > 0 }"), Ok(()));
        for (text, told) in [
            ("deny contains \"x\" if {\n\tinput.a\n\tnofn(1)\n}", "a.rego:4:2: there is no function nofn"),
            ("deny contains \"x\" if http.send({})", "there is no function http.send"),
            ("deny contains \"x\" if f(1)\nf(x) if g(x)\ng(x) if f(x)\n", "calls itself"),
            ("deny contains \"x\" if f(1)\nf(x) := f(x - 1)\n", "a.rego:3:9: the function f calls itself"),
            ("deny contains \"x\" if data.aaf.policy.f(1)\nf(x) := data.aaf.policy.f(x)\n", "calls itself"),
        ] {
            let error = of(text).expect_err(text);
            assert!(error.contains(told), "{error}");
        }
    }
}
