//! `callgate scan`: masks JSON lines as answers would be masked, and tells what was found.

use crate::redact::{CardMatch, Malformed, Options, Redactor};
use clap::{Args, ValueEnum};
use serde_json::json;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::io::{self, BufRead, Read, Write};
use std::time::{Duration, Instant};

/// Longest line that is read: the longest message of a backend that any setting allows (1 GiB).
const LONGEST_LINE_BYTES: u64 = 1 << 30;

/// Which way the lines would flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Phase {
    /// From a backend to the model
    #[default]
    Response,
}

/// How sure a number must be to be masked as a payment card.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Cards {
    /// Any 13 to 19 digits
    #[default]
    Loose,
    /// Only with a valid sum and issuer
    Precise,
}

/// What `callgate scan` is told.
#[derive(Clone, Debug, Default, Args)]
pub struct ScanOptions {
    /// Which way the lines would flow
    #[arg(long, value_enum, default_value_t)]
    pub phase: Phase,
    /// How sure a number must be to be masked as a payment card
    #[arg(long, value_enum, default_value_t)]
    pub card_match: Cards,
    /// Detector to switch on, by policy id (may be repeated)
    #[arg(long, value_name = "POLICY")]
    pub on: Vec<String>,
    /// Detector to switch off, by policy id (may be repeated)
    #[arg(long, value_name = "POLICY")]
    pub off: Vec<String>,
    /// Add a last line with totals
    #[arg(long)]
    pub stats: bool,
}

/// What all lines together held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Lines that were read, blank ones left out.
    pub lines: u64,
    /// Lines in which something was masked.
    pub lines_masked: u64,
    /// Lines that were no JSON.
    pub lines_refused: u64,
    /// Bytes of the lines.
    pub bytes: u64,
    /// Masked values by type.
    pub masked: BTreeMap<&'static str, u64>,
    /// Time spent in the redactor.
    pub spent: Duration,
}

/// Masks every line of `input`, one JSON value each, and writes a line of JSON for it: `line` (from 1), `redacted`
/// (the value with tokens, otherwise byte for byte as it came), `types` (a list) and `masked` (values by type). A line
/// that is no JSON gives `line` and `error` and never its content. With [`ScanOptions::stats`] a last line holds
/// `stats`.
///
/// # Errors
/// When reading or writing fails, and when a line is longer than 1 GiB.
pub fn run(options: &ScanOptions, input: impl BufRead, out: &mut dyn Write) -> io::Result<Totals> {
    let card_match = match options.card_match {
        Cards::Loose => CardMatch::Loose,
        Cards::Precise => CardMatch::Precise,
    };
    let on = options.on.iter().map(|policy| (policy.clone(), true));
    let off = options.off.iter().map(|policy| (policy.clone(), false));
    let redactor = Redactor::new(Options { card_match, switches: on.chain(off).collect() });
    let mut totals = Totals::default();
    let mut input = input;
    let mut line = Vec::new();
    let mut number = 0u64;
    loop {
        line.clear();
        if (&mut input).take(LONGEST_LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        number += 1;
        if !line.ends_with(b"\n") && line.len() as u64 == LONGEST_LINE_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("line {number} is longer than 1 GiB"),
            ));
        }
        let json = line.trim_ascii();
        if !json.is_empty() {
            one_line(&redactor, number, json, &mut totals, out)?;
        }
    }
    if options.stats {
        writeln!(out, "{}", stats(&totals))?;
    }
    out.flush()?;
    Ok(totals)
}

fn one_line(
    redactor: &Redactor,
    number: u64,
    json: &[u8],
    totals: &mut Totals,
    out: &mut dyn Write,
) -> io::Result<()> {
    totals.lines += 1;
    totals.bytes += json.len() as u64;
    let started = Instant::now();
    let scanned = redactor.scan(json);
    totals.spent += started.elapsed();
    let scan = match scanned {
        Ok(scan) => scan,
        Err(fault) => return refused(number, &fault, totals, out),
    };
    for (kind, count) in &scan.masked {
        *totals.masked.entry(kind).or_default() += u64::from(*count);
    }
    totals.lines_masked += u64::from(scan.json.is_some());
    let types: Vec<_> = scan.masked.keys().collect();
    let redacted = scan.json.as_deref().unwrap_or(json);
    let redacted: &RawValue = serde_json::from_slice(redacted)?;
    let head = json!({ "line": number, "types": types, "masked": scan.masked }).to_string();
    // The redacted value goes in as it is: writing it anew could change what was not masked.
    writeln!(out, "{},\"redacted\":{}}}", head.strip_suffix('}').unwrap_or(&head), redacted.get())
}

fn refused(number: u64, fault: &Malformed, totals: &mut Totals, out: &mut dyn Write) -> io::Result<()> {
    totals.lines_refused += 1;
    writeln!(out, "{}", json!({ "line": number, "error": fault.to_string() }))
}

fn stats(totals: &Totals) -> serde_json::Value {
    let seconds = totals.spent.as_secs_f64();
    let rate = if seconds > 0.0 { totals.bytes as f64 / seconds / 1e6 } else { 0.0 };
    json!({ "stats": {
        "lines": totals.lines,
        "lines_masked": totals.lines_masked,
        "lines_refused": totals.lines_refused,
        "bytes": totals.bytes,
        "masked": totals.masked,
        "seconds": (seconds * 1e6).round() / 1e6,
        "megabytes_per_second": rate.round(),
    }})
}

#[cfg(test)]
mod tests {
    use super::{Cards, ScanOptions, run};

    fn lines(options: &ScanOptions, input: &str) -> Vec<String> {
        let mut out = Vec::new();
        run(options, input.as_bytes(), &mut out).unwrap();
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn every_line_is_answered_in_order() {
        let input =
            "{\"a\" : \"jane@acme.com\", \"n\":1.50}\n\n[1]\r\nnot json jane@acme.com\n\"4111111111111111\"";
        let out = lines(&ScanOptions::default(), input);
        assert_eq!(
            out,
            [
                r#"{"line":1,"masked":{"email":1},"types":["email"],"redacted":{"a" : "[REDACTED:email]", "n":1.50}}"#,
                r#"{"line":3,"masked":{},"types":[],"redacted":[1]}"#,
                r#"{"error":"not valid JSON at byte 0: unknown word","line":4}"#,
                r#"{"line":5,"masked":{"card":1},"types":["card"],"redacted":"[REDACTED:card]"}"#,
            ]
        );
    }

    #[test]
    fn options_reach_the_redactor() {
        let options = ScanOptions {
            card_match: Cards::Precise,
            on: vec!["sys_pii_ip_address".into()],
            off: vec!["sys_pii_email".into()],
            ..ScanOptions::default()
        };
        let out = lines(&options, r#"["1700000000000","jane@acme.com","203.0.113.9"]"#);
        assert!(
            out[0].ends_with(r#""redacted":["1700000000000","jane@acme.com","[REDACTED:ip_address]"]}"#),
            "{out:?}"
        );
    }

    #[test]
    fn totals_come_last() {
        let options = ScanOptions { stats: true, ..ScanOptions::default() };
        let out = lines(&options, "\"a@b.co c@d.co\"\nx\n");
        let last: serde_json::Value = serde_json::from_str(out.last().unwrap()).unwrap();
        assert_eq!(last["stats"]["masked"]["email"], 2);
        assert_eq!((&last["stats"]["lines"], &last["stats"]["lines_refused"]), (&2.into(), &1.into()));
    }
}
