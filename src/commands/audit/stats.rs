//! `callgate audit stats`: calls, verdicts, outcomes and how long calls took, by backend and tool; with `--would`, what
//! monitor mode let pass.

use super::filter::{Filter, each_row};
use super::would::Trial;
use super::{Done, Files, written};
use crate::journal::read::Row;
use crate::log::escape;
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Tools that are counted apart. A record may name as many as somebody made up.
pub(super) const MAX_TOOLS: usize = 10_000;

#[derive(Args, Debug)]
pub(in crate::commands) struct StatsOptions {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    filter: Filter,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

/// What is counted of some rows.
#[derive(Default)]
struct Counts {
    calls: u64,
    masked: u64,
    verdicts: BTreeMap<String, u64>,
    outcomes: BTreeMap<String, u64>,
    /// How many calls took so many milliseconds.
    durations: BTreeMap<u64, u64>,
}

impl Counts {
    fn add(&mut self, row: &Row) {
        self.calls += 1;
        self.masked += row.redaction_count;
        *self.verdicts.entry(row.verdict.clone()).or_default() += 1;
        *self.outcomes.entry(row.outcome.clone()).or_default() += 1;
        *self.durations.entry(row.duration_ms).or_default() += 1;
    }

    /// The duration that `percent` of the calls did not exceed (nearest rank), in milliseconds.
    fn percentile(&self, percent: u64) -> u64 {
        let rank = (self.calls * percent).div_ceil(100).max(1);
        let mut counted = 0;
        let reached = self.durations.iter().find(|(_, calls)| {
            counted += *calls;
            counted >= rank
        });
        reached.map_or(0, |(duration, _)| *duration)
    }

    fn max(&self) -> u64 {
        self.durations.last_key_value().map_or(0, |(duration, _)| *duration)
    }

    fn of(counts: &BTreeMap<String, u64>, name: &str) -> u64 {
        counts.get(name).copied().unwrap_or(0)
    }

    fn json(&self) -> Value {
        json!({
            "calls": self.calls,
            "verdicts": self.verdicts,
            "outcomes": self.outcomes,
            "masked": self.masked,
            "duration_ms": {"p50": self.percentile(50), "p95": self.percentile(95), "p99": self.percentile(99),
                "max": self.max()},
        })
    }
}

/// Everything counted.
#[derive(Default)]
struct Statistics {
    all: Counts,
    backends: BTreeMap<String, Counts>,
    tools: BTreeMap<(String, String), Counts>,
    first: String,
    last: String,
}

impl Statistics {
    fn add(&mut self, row: &Row) {
        if self.all.calls == 0 {
            self.first.clone_from(&row.timestamp);
        }
        self.last.clone_from(&row.timestamp);
        self.all.add(row);
        self.backends.entry(row.server.clone()).or_default().add(row);
        let mut key = (row.server.clone(), row.tool_name.clone());
        if self.tools.len() >= MAX_TOOLS && !self.tools.contains_key(&key) {
            key = (String::new(), "(others)".to_owned());
        }
        self.tools.entry(key).or_default().add(row);
    }
}

pub(super) fn run(options: &StatsOptions, out: &mut dyn Write) -> Done {
    let evidence = options.files.open()?;
    let (is_trial, all_rows) = options.filter.of_trial();
    if is_trial {
        let mut trial = Trial::default();
        let read = each_row(evidence, &all_rows, &mut |row, _| {
            trial.add(row);
            Ok(())
        });
        let shown = |_| if options.json { trial.as_json(out) } else { trial.as_table(out) };
        return written(read.and_then(shown));
    }
    let mut statistics = Statistics::default();
    let read = each_row(evidence, &options.filter, &mut |row, _| {
        statistics.add(row);
        Ok(())
    });
    let shown = |_| if options.json { as_json(&statistics, out) } else { as_table(&statistics, out) };
    written(read.and_then(shown))
}

fn as_json(statistics: &Statistics, out: &mut dyn Write) -> io::Result<()> {
    let Statistics { all, backends, tools, first, last } = statistics;
    let with = |mut value: Value, names: &[(&str, &str)]| {
        for (name, text) in names {
            value[*name] = Value::from(*text);
        }
        value
    };
    let backends: Vec<Value> =
        backends.iter().map(|(id, counts)| with(counts.json(), &[("backend", id)])).collect();
    let tools: Vec<Value> = tools
        .iter()
        .map(|((backend, tool), counts)| with(counts.json(), &[("backend", backend), ("tool", tool)]))
        .collect();
    let value =
        json!({"first": first, "last": last, "all": all.json(), "backends": backends, "tools": tools});
    writeln!(out, "{value}")
}

fn as_table(statistics: &Statistics, out: &mut dyn Write) -> io::Result<()> {
    let Statistics { all, backends, tools, first, last } = statistics;
    if all.calls == 0 {
        return writeln!(out, "no rows");
    }
    writeln!(out, "{} calls from {} to {}\n", all.calls, escape(first), escape(last))?;
    for (title, counts) in [("verdict", &all.verdicts), ("outcome", &all.outcomes)] {
        let parts: Vec<String> =
            counts.iter().map(|(name, count)| format!("{} {count}", escape(unnamed(name)))).collect();
        writeln!(out, "{title:<9} {}", parts.join(", "))?;
    }
    writeln!(out, "{:<9} {} values\n", "masked", all.masked)?;
    let named = backends.iter().map(|(id, counts)| (escape(unnamed(id)).into_owned(), counts));
    table("backend", named.collect(), out)?;
    writeln!(out)?;
    let named = tools.iter().map(|((backend, tool), counts)| {
        (escape(&format!("{}/{}", unnamed(backend), unnamed(tool))).into_owned(), counts)
    });
    table("tool", named.collect(), out)
}

pub(super) fn unnamed(name: &str) -> &str {
    if name.is_empty() { "(none)" } else { name }
}

fn table(title: &str, rows: Vec<(String, &Counts)>, out: &mut dyn Write) -> io::Result<()> {
    let widest =
        rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(title.len()).min(60);
    writeln!(
        out,
        "{title:<widest$}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}",
        "calls", "denied", "errors", "unknown", "p50 ms", "p95 ms", "p99 ms", "max ms"
    )?;
    for (name, counts) in rows {
        let denied = Counts::of(&counts.verdicts, "deny") + Counts::of(&counts.verdicts, "needs_approval");
        let errors = ["tool_error", "failed", "timed_out"].map(|name| Counts::of(&counts.outcomes, name));
        writeln!(
            out,
            "{name:<widest$}  {:>8}  {denied:>8}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}",
            counts.calls,
            errors.iter().sum::<u64>(),
            Counts::of(&counts.outcomes, "unknown"),
            counts.percentile(50),
            counts.percentile(95),
            counts.percentile(99),
            counts.max(),
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let mut counts = Counts::default();
        for duration_ms in 1..=100 {
            counts.add(&Row { duration_ms, ..Row::default() });
        }
        assert_eq!([50, 95, 99, 100].map(|percent| counts.percentile(percent)), [50, 95, 99, 100]);
        let mut one = Counts::default();
        one.add(&Row { duration_ms: 7, ..Row::default() });
        assert_eq!([one.percentile(1), one.percentile(99), one.max()], [7, 7, 7]);
        assert_eq!(Counts::default().percentile(50), 0);
    }

    #[test]
    fn made_up_tools_do_not_fill_the_memory() {
        let mut statistics = Statistics::default();
        for number in 0..MAX_TOOLS + 50 {
            statistics.add(&Row { tool_name: format!("t{number}"), ..Row::default() });
        }
        assert_eq!(statistics.tools.len(), MAX_TOOLS + 1);
        assert_eq!(statistics.all.calls, MAX_TOOLS as u64 + 50);
    }
}
