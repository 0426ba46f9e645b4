//! `callgate audit show` and `tail`: rows as lines of text that drive no terminal.

use super::filter::{Filter, each_row};
use super::{Done, Files, unreadable, written};
use crate::journal::place::has_path;
use crate::journal::read::{self, Row};
use crate::log::escape;
use clap::Args;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Seek, Write};
use std::path::Path;
use std::time::Duration;

/// Between two looks at a file that is followed.
const LOOK_EVERY: Duration = Duration::from_millis(200);

#[derive(Args, Debug)]
pub(in crate::commands) struct ShowOptions {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    filter: Filter,
}

#[derive(Args, Debug)]
pub(in crate::commands) struct TailOptions {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    filter: Filter,
    /// So many rows
    #[arg(short = 'n', long, value_name = "ROWS", default_value_t = 20)]
    last: usize,
    /// Go on with the rows that come
    #[arg(short, long)]
    follow: bool,
}

pub(super) fn show(options: &ShowOptions, out: &mut dyn Write) -> Done {
    let evidence = options.files.open()?;
    let shown = each_row(evidence, &options.filter, &mut |row, _| writeln!(out, "{}", text_of(row)));
    written(shown.map(drop))
}

pub(super) fn tail(options: &TailOptions, out: &mut dyn Write) -> Done {
    let evidence = options.files.open()?;
    let path = options.files.paths()?.pop().unwrap_or_default();
    let mut last = VecDeque::new();
    let read = each_row(evidence, &options.filter, &mut |row, _| {
        last.push_back(text_of(row));
        if last.len() > options.last {
            last.pop_front();
        }
        Ok(())
    });
    let newest = read.map_err(|error| vec![unreadable(&error)])?;
    written(last.iter().try_for_each(|line| writeln!(out, "{line}")))?;
    if !options.follow {
        return Ok(());
    }
    let follow = newest.map(|(input, rest)| Follow { input, rest });
    written(out.flush().and_then(|()| follow_on(&path, follow, &options.filter, out)))
}

/// An open file that is read as it grows.
struct Follow {
    input: BufReader<File>,
    /// A line that is not ended yet.
    rest: Vec<u8>,
}

impl Follow {
    fn open(path: &Path) -> io::Result<Option<Self>> {
        match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => Ok(Some(Self { input: BufReader::new(opened?), rest: Vec::new() })),
        }
    }

    /// Shows the rows that came.
    fn show(&mut self, filter: &Filter, out: &mut dyn Write) -> io::Result<()> {
        let mut line = Vec::new();
        while let Some(ended) = read::next_line(&mut self.input, &mut line)? {
            self.rest.append(&mut line);
            if ended == read::Line::Unended && self.rest.len() < read::MAX_LINE_BYTES {
                break;
            }
            if let Some(row) = Row::read(&self.rest).filter(|row| filter.takes(row)) {
                writeln!(out, "{}", text_of(&row))?;
                out.flush()?;
            }
            self.rest.clear();
        }
        Ok(())
    }

    /// Whether another file has the path now, or this one was emptied.
    fn is_over(&mut self, path: &Path) -> io::Result<bool> {
        let here = self.input.get_ref().metadata()?;
        let at = self.input.stream_position()?;
        Ok(here.len() < at || !has_path(&here, path))
    }
}

fn follow_on(
    path: &Path,
    mut follow: Option<Follow>,
    filter: &Filter,
    out: &mut dyn Write,
) -> io::Result<()> {
    loop {
        match &mut follow {
            Some(open) => {
                // Asked first: what was written before the file was moved is still shown.
                let is_over = open.is_over(path)?;
                open.show(filter, out)?;
                if is_over {
                    follow = None;
                    continue;
                }
            }
            None => follow = Follow::open(path)?,
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// A row as one line without control characters.
fn text_of(row: &Row) -> String {
    let tool = match (row.server.as_str(), row.tool_name.as_str()) {
        (_, "") => "(malformed)".to_owned(),
        ("", tool) => tool.to_owned(),
        (server, tool) => format!("{server}/{tool}"),
    };
    let mut text = format!(
        "{:>6}  {:<30}  {:<14}  {:<13}  {:>6} ms  {tool}",
        row.seq, row.timestamp, row.verdict, row.outcome, row.duration_ms
    );
    if row.redaction_count > 0 {
        text.push_str(&format!("  masked {}", row.redaction_count));
    }
    if !row.decision_id.is_empty() {
        text.push_str(&format!("  decision {}", row.decision_id));
    }
    if !row.would.is_empty() {
        text.push_str(&format!("  would {}", row.would));
    }
    if (row.verdict != "allow" || !row.would.is_empty()) && !row.evaluated_policies.is_empty() {
        text.push_str(&format!("  {}", row.evaluated_policies.join(",")));
    }
    if !row.recovered_at.is_empty() {
        text.push_str("  (recovered after a crash)");
    }
    escape(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_row_is_one_harmless_line() {
        let row = Row {
            seq: 7,
            tool_name: "x\n\u{1b}[2J".into(),
            server: "crm".into(),
            verdict: "allow".into(),
            would: "deny".into(),
            evaluated_policies: vec!["p\r1".into()],
            ..Row::default()
        };
        let text = text_of(&row);
        assert!(!text.contains(crate::log::is_dangerous), "{text:?}");
        assert!(text.contains("would deny"), "{text}");
        assert!(text.contains("crm/x\\n") && text.contains("p\\r1") && text.trim_start().starts_with('7'));
    }
}
