//! Which rows are meant, and how to walk through them.

use crate::journal::evidence::Evidence;
use crate::journal::read::{self, Line, Row};
use clap::Args;
use jiff::Timestamp;
use std::fs::File;
use std::io::{self, BufReader, Seek};
use std::time::SystemTime;

#[derive(Args, Clone, Debug, Default)]
pub(super) struct Filter {
    /// Rows of this backend
    #[arg(long, value_name = "ID")]
    backend: Option<String>,
    /// Rows of this tool, by its own name
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// Rows with this verdict: allow, deny, needs_approval, allow_failopen, error
    #[arg(long)]
    verdict: Option<String>,
    /// Rows with this outcome: ok, tool_error, failed, timed_out, cancelled, withheld, not_forwarded, unknown
    #[arg(long)]
    outcome: Option<String>,
    /// Only calls that monitor mode let run: they would have been denied, held, changed or kept from the client
    #[arg(long)]
    would: bool,
    /// Rows of this session
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Rows since then: a time such as 2026-11-20T08:00:00Z, or so long ago, such as 2h or 7d
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Timestamp>,
}

impl Filter {
    /// Whether it is about monitor mode, and the same filter for all rows.
    pub(super) fn of_trial(&self) -> (bool, Self) {
        (self.would, Self { would: false, ..self.clone() })
    }

    pub(super) fn takes(&self, row: &Row) -> bool {
        let is =
            |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        is(&self.backend, &row.server)
            && is(&self.tool, &row.tool_name)
            && is(&self.verdict, &row.verdict)
            && is(&self.outcome, &row.outcome)
            && !(self.would && row.would.is_empty())
            && is(&self.session, &row.session_id)
            && self.since.is_none_or(|since| row.timestamp.parse::<Timestamp>().is_ok_and(|at| at >= since))
    }
}

fn since(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let ago = humantime::parse_duration(text).ok().and_then(|ago| SystemTime::now().checked_sub(ago));
    ago.and_then(|at| Timestamp::try_from(at).ok())
        .ok_or_else(|| "write a time such as 2026-11-20T08:00:00Z or an age such as 2h".to_owned())
}

/// An audit file that was read to its end, and the line there that is not ended yet.
pub(super) type Newest = (BufReader<File>, Vec<u8>);

/// Shows every row that `filter` takes, with its line as it stands there. Lines that are no rows are passed over: what
/// they mean is for `verify` to say.
pub(super) fn each_row(
    evidence: Evidence,
    filter: &Filter,
    show: &mut dyn FnMut(&Row, &[u8]) -> io::Result<()>,
) -> io::Result<Option<Newest>> {
    let mut newest = None;
    for (_, file) in evidence.into_files() {
        let mut line = Vec::new();
        let mut rest = Vec::new();
        let mut input = BufReader::new(file);
        input.rewind()?;
        while let Some(ended) = read::next_line(&mut input, &mut line)? {
            match Row::read(&line) {
                Some(row) if filter.takes(&row) => show(&row, &line)?,
                None if ended == Line::Unended => rest.clone_from(&line),
                _ => {}
            }
        }
        newest = Some((input, rest));
    }
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_must_hold() {
        let row = Row {
            timestamp: "2026-11-20T08:00:00Z".into(),
            server: "crm".into(),
            tool_name: "get".into(),
            verdict: "deny".into(),
            ..Row::default()
        };
        let text = |text: &str| Some(text.to_owned());
        assert!(Filter::default().takes(&row));
        assert!(Filter { backend: text("crm"), verdict: text("deny"), ..Filter::default() }.takes(&row));
        assert!(!Filter { backend: text("crm"), verdict: text("allow"), ..Filter::default() }.takes(&row));
        let trial = Filter { would: true, ..Filter::default() };
        assert!(!trial.takes(&row) && trial.takes(&Row { would: "deny".into(), ..row.clone() }));
        let at = |when: &str| Filter { since: since(when).ok(), ..Filter::default() };
        assert!(at("2026-11-20T08:00:00Z").takes(&row) && !at("2026-11-20T08:00:01Z").takes(&row));
        assert!(since("2h").is_ok() && since("yesterday").is_err());
    }
}
