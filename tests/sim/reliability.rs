//! The table of faults times invariants in `docs/reliability.md`.

use crate::faults::Fault;
use crate::invariants::Invariant;
use crate::world::Tally;
use std::fmt::Write as _;

/// Where the table stands.
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reliability.md");
/// The line behind which everything is written by a test.
const MARK: &str = "<!-- written by tests/sim -->\n";

/// Writes the table into the document, behind its mark.
pub(crate) fn write(tally: &Tally) {
    let document = std::fs::read_to_string(DOCUMENT).expect("docs/reliability.md");
    let (kept, _) = document.split_once(MARK).expect("its mark");
    std::fs::write(DOCUMENT, format!("{kept}{MARK}\n{}", table(tally)))
        .expect("docs/reliability.md can be written");
}

/// The table, in Markdown.
pub(crate) fn table(tally: &Tally) -> String {
    let mut text =
        format!("{} runs. How often each invariant was checked after a fault had struck:\n\n", tally.runs);
    text.push_str("| fault | runs |");
    for invariant in Invariant::ALL {
        let _ = write!(text, " {} |", invariant.name());
    }
    text.push_str("\n|---|---:|");
    text.push_str(&"---:|".repeat(Invariant::ALL.len()));
    text.push('\n');
    row(&mut text, "any or none", tally.runs, tally, None);
    for fault in Fault::ALL {
        row(&mut text, fault.text(), tally.runs_with.get(fault).copied().unwrap_or(0), tally, Some(*fault));
    }
    text
}

fn row(text: &mut String, name: &str, runs: u64, tally: &Tally, fault: Option<Fault>) {
    let _ = write!(text, "| {name} | {runs} |");
    for invariant in Invariant::ALL {
        let checks = tally.checks.get(&(fault, *invariant)).copied().unwrap_or(0);
        let _ = write!(text, " {checks} |");
    }
    text.push('\n');
}
