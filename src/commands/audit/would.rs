//! `callgate audit stats --would`: what monitor mode let pass, by policy, backend and tool.

use super::stats::{MAX_TOOLS, unnamed};
use crate::journal::read::Row;
use crate::log::escape;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// The words of `would` in a row, each with the heading of its column.
const COLUMNS: [(&str, &str); 5] = [
    ("deny", "denied"),
    ("needs_approval", "held"),
    ("unavailable", "undecided"),
    ("redact", "changed"),
    ("withhold", "withheld"),
];

/// How many calls there were, and what would have become of some.
#[derive(Default)]
struct Counts {
    calls: u64,
    would: BTreeMap<String, u64>,
}

impl Counts {
    fn add(&mut self, row: &Row) {
        self.calls += 1;
        if !row.would.is_empty() {
            *self.would.entry(row.would.clone()).or_default() += 1;
        }
    }

    fn stopped(&self) -> u64 {
        self.would.values().sum()
    }

    fn json(&self, names: &[(&str, &str)]) -> Value {
        let mut value = json!({"calls": self.calls, "would": self.would});
        for (name, text) in names {
            value[*name] = Value::from(*text);
        }
        value
    }
}

/// Everything counted.
#[derive(Default)]
pub(super) struct Trial {
    all: Counts,
    policies: BTreeMap<String, Counts>,
    backends: BTreeMap<String, Counts>,
    tools: BTreeMap<(String, String), Counts>,
    first: String,
    last: String,
}

impl Trial {
    pub(super) fn add(&mut self, row: &Row) {
        if self.all.calls == 0 {
            self.first.clone_from(&row.timestamp);
        }
        self.last.clone_from(&row.timestamp);
        self.all.add(row);
        self.backends.entry(row.server.clone()).or_default().add(row);
        let tool = bounded(&self.tools, (row.server.clone(), row.tool_name.clone()), || {
            (String::new(), "(others)".to_owned())
        });
        self.tools.entry(tool).or_default().add(row);
        if !row.would.is_empty() {
            let policy = bounded(&self.policies, policy(row).to_owned(), || "(others)".to_owned());
            self.policies.entry(policy).or_default().add(row);
        }
    }

    pub(super) fn as_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { all, policies, backends, tools, first, last } = self;
        let policies: Vec<Value> =
            policies.iter().map(|(id, counts)| counts.json(&[("policy", id)])).collect();
        let backends: Vec<Value> =
            backends.iter().map(|(id, counts)| counts.json(&[("backend", id)])).collect();
        let tools: Vec<Value> = tools
            .iter()
            .filter(|(_, counts)| counts.stopped() > 0)
            .map(|((backend, tool), counts)| counts.json(&[("backend", backend), ("tool", tool)]))
            .collect();
        let value = json!({"first": first, "last": last, "all": all.json(&[]), "policies": policies,
            "backends": backends, "tools": tools});
        writeln!(out, "{value}")
    }

    pub(super) fn as_table(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { all, policies, backends, tools, first, last } = self;
        if all.calls == 0 {
            return writeln!(out, "no rows");
        }
        let (calls, stopped) = (all.calls, all.stopped());
        writeln!(out, "{calls} calls from {} to {}", escape(first), escape(last))?;
        writeln!(out, "{stopped} of them ran in monitor mode only\n")?;
        if stopped == 0 {
            return Ok(());
        }
        let named = |name: &str| escape(unnamed(name)).into_owned();
        table("policy", policies.iter().map(|(id, counts)| (named(id), counts)).collect(), out)?;
        writeln!(out)?;
        table("backend", backends.iter().map(|(id, counts)| (named(id), counts)).collect(), out)?;
        writeln!(out)?;
        let tools =
            tools.iter().filter(|(_, counts)| counts.stopped() > 0).map(|((backend, tool), counts)| {
                (escape(&format!("{}/{}", unnamed(backend), unnamed(tool))).into_owned(), counts)
            });
        table("tool", tools.collect(), out)
    }
}

/// The key, or another one once there are as many as are counted apart.
fn bounded<K: Ord, V>(map: &BTreeMap<K, V>, key: K, others: impl FnOnce() -> K) -> K {
    if map.len() >= MAX_TOOLS && !map.contains_key(&key) { others() } else { key }
}

/// Who would have stopped it: the first of the policies that were looked at, or of those that spoke about the answer. The
/// platform does not always say who.
fn policy(row: &Row) -> &str {
    let of_the_answer = || {
        row.response_policies.iter().find_map(|spoke| {
            let (action, id) = spoke.split_once(':')?;
            matches!(action, "block" | "require_approval").then_some(id)
        })
    };
    let found = match row.would.as_str() {
        "withhold" => of_the_answer(),
        "unavailable" => Some("(nobody decided)"),
        _ => row.evaluated_policies.first().map(String::as_str),
    };
    found.unwrap_or_default()
}

fn table(title: &str, rows: Vec<(String, &Counts)>, out: &mut dyn Write) -> io::Result<()> {
    let widest =
        rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(title.len()).min(60);
    write!(out, "{title:<widest$}  {:>8}", "calls")?;
    for (_, heading) in COLUMNS {
        write!(out, "  {heading:>9}")?;
    }
    writeln!(out)?;
    for (name, counts) in rows {
        write!(out, "{name:<widest$}  {:>8}", counts.calls)?;
        for (word, _) in COLUMNS {
            write!(out, "  {:>9}", counts.would.get(word).copied().unwrap_or(0))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(tool: &str, would: &str, policies: &[&str], of_the_answer: &[&str]) -> Row {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Row {
            server: "crm".into(),
            tool_name: tool.into(),
            would: would.into(),
            evaluated_policies: owned(policies),
            response_policies: owned(of_the_answer),
            ..Row::default()
        }
    }

    #[test]
    fn what_would_have_been_is_counted_by_who_said_so() {
        let mut trial = Trial::default();
        for row in [
            row("get", "", &["callgate_builtin"], &[]),
            row("drop", "deny", &["p1", "p2"], &[]),
            row("drop", "needs_approval", &["p1"], &[]),
            row("get", "withhold", &["callgate_builtin"], &["warn:w", "block:b"]),
            row("get", "unavailable", &[], &[]),
        ] {
            trial.add(&row);
        }
        let mut out = Vec::new();
        trial.as_json(&mut out).unwrap();
        let told: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            told["all"],
            json!({"calls": 5, "would": {"deny": 1, "needs_approval": 1, "withhold": 1, "unavailable": 1}})
        );
        let of = |list: &str, key: &str, name: &str| {
            let all = told[list].as_array().unwrap().iter();
            all.clone().find(|one| one[key] == name).unwrap_or_else(|| panic!("no {name} in {told}"))["would"]
                .clone()
        };
        assert_eq!(of("policies", "policy", "p1"), json!({"deny": 1, "needs_approval": 1}));
        assert_eq!(of("policies", "policy", "b"), json!({"withhold": 1}));
        assert_eq!(of("policies", "policy", "(nobody decided)"), json!({"unavailable": 1}));
        assert_eq!(of("tools", "tool", "drop"), json!({"deny": 1, "needs_approval": 1}));
        assert_eq!(of("backends", "backend", "crm")["deny"], 1);
        let mut out = Vec::new();
        trial.as_table(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("4 of them ran in monitor mode only"), "{text}");
        assert!(
            text.lines().any(|line| line.split_whitespace().eq(["p1", "2", "1", "1", "0", "0", "0"])),
            "{text}"
        );
    }

    #[test]
    fn made_up_names_do_not_fill_the_memory() {
        let mut trial = Trial::default();
        for number in 0..MAX_TOOLS + 50 {
            trial.add(&row(&format!("t{number}"), "deny", &[&format!("p{number}")], &[]));
        }
        assert_eq!((trial.tools.len(), trial.policies.len()), (MAX_TOOLS + 1, MAX_TOOLS + 1));
    }
}
