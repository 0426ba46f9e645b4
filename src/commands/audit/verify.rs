//! `callgate audit verify`: whether the record is whole.

use super::{Files, unreadable};
use crate::commands::tell;
use crate::fault::{EXIT_CHECK, EXIT_FAILURE, EXIT_OK, Fault};
use crate::journal::chain::{Head, HexHash};
use crate::journal::checkpoint::public_keys;
use crate::journal::evidence::Evidence;
use crate::journal::verify::Report;
use crate::log::escape;
use clap::Args;
use serde_json::json;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(in crate::commands) struct VerifyOptions {
    #[command(flatten)]
    files: Files,
    /// The folder with the checkpoints, if it is not beside the file
    #[arg(long, value_name = "FOLDER")]
    journal: Option<PathBuf>,
    /// The public key that signatures must be of: 64 hex digits, or a file that holds some
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// A row noted down earlier, as verify showed it: its number, a colon, its hash
    #[arg(long, value_name = "SEQ:HASH", value_parser = anchor)]
    anchor: Option<Head>,
    /// Take every note for a finding: nothing may be missing, unsigned, torn or under way
    #[arg(long)]
    strict: bool,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

fn anchor(text: &str) -> Result<Head, String> {
    let head = text.split_once(':').and_then(|(seq, hash)| {
        Some(Head { seq: seq.parse().ok().filter(|seq| *seq > 0)?, hash: HexHash::read(hash.as_bytes())? })
    });
    head.ok_or_else(|| "write the row's number, a colon and its 64 hex digits".to_owned())
}

/// 0: whole. 3: not. 1: could not be read. 2: wrong arguments or settings.
pub(super) fn run(options: &VerifyOptions, out: &mut dyn Write) -> ExitCode {
    let report = match look(options) {
        Ok(report) => report,
        Err(faults) => return tell(&faults),
    };
    let is_whole = report.finding.is_none() && !(options.strict && has_gaps(&report));
    let shown = if options.json { as_json(&report, is_whole, out) } else { as_text(&report, is_whole, out) };
    match shown {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::from(EXIT_FAILURE),
        _ if is_whole => ExitCode::from(EXIT_OK),
        _ => ExitCode::from(EXIT_CHECK),
    }
}

fn look(options: &VerifyOptions) -> Result<Report, Vec<Fault>> {
    let keys = match &options.key {
        Some(text) => Some(keys_of(text).map_err(|fault| vec![fault])?),
        None => None,
    };
    let paths = options.files.paths()?;
    let evidence = Evidence::open(&paths, options.journal.as_deref());
    let report = evidence.and_then(|evidence| evidence.verify(keys, options.anchor));
    report.map_err(|error| vec![unreadable(&error)])
}

fn keys_of(text: &str) -> Result<Vec<String>, Fault> {
    let direct = public_keys(text);
    if !direct.is_empty() {
        return Ok(direct);
    }
    let hint = "give 64 hex digits or a file with lines of \"ed25519 <64 hex digits>\"";
    let read = std::fs::read_to_string(text)
        .map_err(|error| Fault::settings("--key", format!("{text:?}: {error}"), hint))?;
    let keys = public_keys(&read);
    if keys.is_empty() {
        return Err(Fault::settings("--key", format!("{text:?} holds no key"), hint));
    }
    Ok(keys)
}

/// Whether anything but the two notes that every healthy record may have was found.
fn has_gaps(report: &Report) -> bool {
    let harmless = |note: &String| note.starts_with("signatures were held");
    !report.notes.iter().all(harmless)
}

fn as_text(report: &Report, is_whole: bool, out: &mut dyn Write) -> io::Result<()> {
    let Report { rows, first, head, checkpoints, notes, finding, .. } = report;
    if let Some(finding) = finding {
        writeln!(out, "NOT WHOLE  {}", escape(&finding.to_string()))?;
        writeln!(out, "           everything before it is whole: {rows} rows from row {first} on")?;
    } else {
        let word = if is_whole { "whole" } else { "NOT WHOLE (strict)" };
        writeln!(out, "{word}  {rows} rows from row {first} on, {checkpoints} signed checkpoints")?;
        writeln!(out, "anchor {}:{}", head.seq, head.hash)?;
    }
    notes.iter().try_for_each(|note| writeln!(out, "note   {}", escape(note)))
}

fn as_json(report: &Report, is_whole: bool, out: &mut dyn Write) -> io::Result<()> {
    let finding = report.finding.as_ref().map(|finding| {
        json!({"wrong": finding.wrong.word(), "file": finding.file, "line": finding.line, "seq": finding.seq,
            "why": finding.why})
    });
    let value = json!({
        "whole": is_whole,
        "rows": report.rows,
        "first": report.first,
        "last": report.head.seq,
        "hash": report.head.hash.as_str(),
        "checkpoints": report.checkpoints,
        "signed_up_to": report.signed_up_to,
        "unchained": report.unchained,
        "notes": report.notes,
        "finding": finding,
    });
    writeln!(out, "{value}")
}
