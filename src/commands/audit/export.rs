//! `callgate audit export`: rows for other programs.

use super::filter::{Filter, each_row};
use super::{Done, Files, written};
use crate::journal::harmless;
use crate::journal::read::Row;
use crate::log::escape;
use clap::{Args, ValueEnum};
use std::io::{self, Write};

#[derive(Args, Debug)]
pub(in crate::commands) struct ExportOptions {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    filter: Filter,
    /// `jsonl` gives the rows as they stand in the file, characters that drive a terminal escaped; `csv` has a header
    #[arg(long, value_enum, default_value = "jsonl")]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Jsonl,
    Csv,
}

/// The columns of CSV.
const COLUMNS: [&str; 20] = [
    "seq",
    "timestamp",
    "session_id",
    "leader_email",
    "server",
    "tool_name",
    "verdict",
    "outcome",
    "duration_ms",
    "response_record_count",
    "redaction_count",
    "decision_id",
    "evaluated_policies",
    "trace_id",
    "ai_agent",
    "gateway_id",
    "parameters_hash",
    "parameters_hmac",
    "call_id",
    "would",
];

pub(super) fn run(options: &ExportOptions, out: &mut dyn Write) -> Done {
    let evidence = options.files.open()?;
    let mut out = io::BufWriter::new(out);
    let export = || -> io::Result<()> {
        if options.format == Format::Csv {
            write!(out, "{}\r\n", COLUMNS.join(","))?;
        }
        each_row(evidence, &options.filter, &mut |row, line| match options.format {
            Format::Jsonl => out.write_all(&harmless(line)).and_then(|()| out.write_all(b"\n")),
            Format::Csv => csv(row, &mut out),
        })?;
        out.flush()
    };
    written(export())
}

fn csv(row: &Row, out: &mut dyn Write) -> io::Result<()> {
    let policies = row.evaluated_policies.join(" ");
    let number = |number: u64| number.to_string();
    let cells = [
        number(row.seq),
        cell(&row.timestamp),
        cell(&row.session_id),
        cell(&row.leader_email),
        cell(&row.server),
        cell(&row.tool_name),
        cell(&row.verdict),
        cell(&row.outcome),
        number(row.duration_ms),
        number(row.response_record_count),
        number(row.redaction_count),
        cell(&row.decision_id),
        cell(&policies),
        cell(&row.trace_id),
        cell(&row.ai_agent),
        cell(&row.gateway_id),
        cell(&row.parameters_hash),
        cell(&row.parameters_hmac),
        cell(&row.call_id),
        cell(&row.would),
    ];
    write!(out, "{}\r\n", cells.join(","))
}

/// A cell as RFC 4180 writes it, characters that drive a terminal escaped. Text that a spreadsheet would take for a
/// formula gets an apostrophe in front.
fn cell(text: &str) -> String {
    let text = escape(text);
    let guarded = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.into_owned()
    };
    if guarded.contains([',', '"', '\r', '\n']) {
        return format!("\"{}\"", guarded.replace('"', "\"\""));
    }
    guarded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_stays_one_cell_and_computes_nothing() {
        assert_eq!(cell("plain"), "plain");
        assert_eq!(cell("a,b"), "\"a,b\"");
        assert_eq!(cell("say \"x\"\n"), "\"say \"\"x\"\"\\n\"");
        assert_eq!(cell("=1+1"), "'=1+1");
        assert_eq!(cell("@cmd,x"), "\"'@cmd,x\"");
    }

    #[test]
    fn every_row_has_every_column() {
        let mut out = Vec::new();
        csv(&Row { tool_name: "a,b".into(), ..Row::default() }, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.replace("\"a,b\"", "").matches(',').count(), COLUMNS.len() - 1);
    }
}
