//! Whether the evidence is whole: every row tied to the one before, every checkpoint signed and met, nothing missing
//! at the end. The rules are written down in `docs/journal.md`; `scripts/verify_audit.py` follows them too.

use super::chain::{Head, HexHash, Link};
use super::checkpoint::{self, Checkpoint};
use super::read::{self, Line};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, BufRead};

/// What is wrong, in one word that does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The line is no row of the chain.
    NotARow,
    /// The row's own hash is not the hash of its bytes: it was changed.
    Hash,
    /// Rows are missing before this one.
    Gap,
    /// The row stands behind one with the same or a higher number.
    Order,
    /// The row before is not the one that this row was written behind.
    Link,
    /// The file begins in the middle of the chain, and no checkpoint says that it may.
    Begin,
    /// A call has two rows.
    Duplicate,
    /// A line of the checkpoint file is no checkpoint, or not signed by a known key.
    Checkpoint,
    /// A row is not the one that a checkpoint or the anchor names.
    Signed,
    /// The last row is not the one that the head file names.
    Head,
    /// Rows are missing at the end.
    Truncated,
}

impl Wrong {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::NotARow => "not_a_row",
            Self::Hash => "hash",
            Self::Gap => "gap",
            Self::Order => "order",
            Self::Link => "link",
            Self::Begin => "begin",
            Self::Duplicate => "duplicate",
            Self::Checkpoint => "checkpoint",
            Self::Signed => "signed",
            Self::Head => "head",
            Self::Truncated => "truncated",
        }
    }
}

/// The first thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub wrong: Wrong,
    /// The file, as it was named.
    pub file: String,
    /// The line in that file, from 1; the last one when something is missing behind it.
    pub line: u64,
    /// The row's number, as far as it can be read; 0 when not.
    pub seq: u64,
    /// For a person.
    pub why: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wrong, file, line, seq, why } = self;
        write!(f, "{file:?} line {line} (row {seq}): {}: {why}", wrong.word())
    }
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Chained rows that were read.
    pub rows: u64,
    /// Rows that stand before the chain's beginning.
    pub unchained: u64,
    /// Number of the first chained row; 0 when there is none.
    pub first: u64,
    /// The chain's end.
    pub head: Head,
    /// Checkpoints that were met by a row.
    pub checkpoints: u64,
    /// Number of the last row that a checkpoint covers.
    pub signed_up_to: u64,
    /// What is worth telling and is no proof of a change.
    pub notes: Vec<String>,
    /// The first thing that is wrong.
    pub finding: Option<Finding>,
}

/// Reads the evidence in this order: checkpoints, then files from the oldest to the newest, then [`Verifier::end`].
#[derive(Clone)]
pub struct Verifier {
    /// The signed ends, and whether one of them lets a file begin.
    signed: BTreeMap<u64, (HexHash, bool)>,
    keys: Vec<String>,
    anchor: Option<Head>,
    calls: BTreeSet<(u64, u64)>,
    head: Head,
    file: String,
    line: u64,
    report: Report,
}

type Checked = Result<(), Box<Finding>>;

impl Verifier {
    /// `keys` are the public keys whose checkpoints count, 64 hex digits each.
    pub fn new(keys: Vec<String>) -> Self {
        let report = Report {
            rows: 0,
            unchained: 0,
            first: 0,
            head: Head::GENESIS,
            checkpoints: 0,
            signed_up_to: 0,
            notes: Vec::new(),
            finding: None,
        };
        let head = Head::GENESIS;
        Self {
            signed: BTreeMap::new(),
            keys,
            anchor: None,
            calls: BTreeSet::new(),
            head,
            file: String::new(),
            line: 0,
            report,
        }
    }

    /// Reads the checkpoint file. Stops at the first thing that is wrong.
    pub fn checkpoints(&mut self, name: &str, input: &mut impl BufRead) -> io::Result<()> {
        self.each_line(name, input, Self::checkpoint)
    }

    /// Reads one audit file. Stops at the first thing that is wrong.
    pub fn audit(&mut self, name: &str, input: &mut impl BufRead) -> io::Result<()> {
        if self.report.finding.is_some() {
            return Ok(());
        }
        let rows = self.report.rows;
        self.each_line(name, input, Self::row)?;
        if self.report.rows == rows && self.report.finding.is_none() {
            self.report.notes.push(format!("{name:?} holds no chained row"));
        }
        Ok(())
    }

    /// Holds the chain's end against what the head file says, if the newest file was among those read.
    pub fn end(mut self, stored: Option<Head>, is_newest: bool) -> Report {
        if self.report.finding.is_none()
            && let Err(finding) = self.check_end(stored, is_newest)
        {
            self.report.finding = Some(*finding);
        }
        self.report.head = self.head;
        if self.report.finding.is_none() {
            self.tell();
        }
        self.report
    }

    /// Demands that row `anchor.seq` has this hash: told by somebody who noted it down earlier.
    pub fn expect(&mut self, anchor: Head) {
        self.anchor = Some(anchor);
    }

    fn each_line(
        &mut self,
        name: &str,
        input: &mut impl BufRead,
        check: fn(&mut Self, &[u8], Line) -> Checked,
    ) -> io::Result<()> {
        name.clone_into(&mut self.file);
        self.line = 0;
        let mut line = Vec::new();
        while self.report.finding.is_none() {
            let Some(ended) = read::next_line(input, &mut line)? else { break };
            self.line += 1;
            if let Err(finding) = check(self, &line, ended) {
                self.report.finding = Some(*finding);
            }
        }
        Ok(())
    }

    fn found(&self, wrong: Wrong, seq: u64, why: impl Into<String>) -> Checked {
        let (file, line) = (self.file.clone(), self.line);
        Err(Box::new(Finding { wrong, file, line, seq, why: why.into() }))
    }

    fn checkpoint(&mut self, line: &[u8], ended: Line) -> Checked {
        let Some(checkpoint) = Checkpoint::read(line) else {
            if ended == Line::Unended {
                self.report.notes.push(format!("the last line of {:?} is torn", self.file));
                return Ok(());
            }
            return self.found(Wrong::Checkpoint, 0, "this line is no checkpoint");
        };
        let Head { seq, hash } = checkpoint.head;
        if !checkpoint.is_signed {
            return self.found(Wrong::Checkpoint, seq, "the signature is wrong");
        }
        if !self.keys.contains(&checkpoint.public_key) {
            let why = format!("the key {} that signed it is not known", checkpoint.public_key);
            return self.found(Wrong::Checkpoint, seq, why);
        }
        let begins = checkpoint.kind == checkpoint::Kind::Begin;
        let known = self.signed.entry(seq).or_insert((hash, begins));
        known.1 |= begins;
        if known.0 != hash {
            return self.found(Wrong::Checkpoint, seq, "two checkpoints of this row differ");
        }
        Ok(())
    }

    fn row(&mut self, line: &[u8], ended: Line) -> Checked {
        let link = match read::kind(line) {
            read::Kind::Chained(link) => link,
            read::Kind::Unchained if self.report.rows == 0 => {
                self.report.unchained += 1;
                return Ok(());
            }
            _ if ended == Line::Unended => {
                let why = format!("the last line of {:?} is torn; the next start keeps it aside", self.file);
                self.report.notes.push(why);
                return Ok(());
            }
            _ => return self.found(Wrong::NotARow, 0, "this line is no row of the chain"),
        };
        if !link.is_sound(line) {
            return self.found(
                Wrong::Hash,
                link.seq,
                "its hash is not the hash of its bytes: it was changed",
            );
        }
        self.check_place(&link)?;
        self.check_signed(&link)?;
        if let Some((call, id)) = read::call_id(line).and_then(|id| Some((call_of(id)?, id)))
            && !self.calls.insert(call)
        {
            return self.found(Wrong::Duplicate, link.seq, format!("the call {id} has a row already"));
        }
        if self.report.rows == 0 {
            self.report.first = link.seq;
        }
        self.report.rows += 1;
        self.head = link.head();
        Ok(())
    }

    fn check_place(&self, link: &Link) -> Checked {
        let Link { seq, prev_hash, .. } = *link;
        if self.report.rows == 0 && seq > 1 {
            return match self.signed.get(&(seq - 1)) {
                Some((hash, true)) if *hash == prev_hash => Ok(()),
                _ => self.found(
                    Wrong::Begin,
                    seq,
                    format!("rows 1 to {} are not here, and no checkpoint lets a file begin there", seq - 1),
                ),
            };
        }
        let expected = self.head.seq + 1;
        if seq > expected {
            let why = format!("rows {expected} to {} are missing before it", seq - 1);
            return self.found(Wrong::Gap, seq, why);
        }
        if seq < expected {
            return self.found(Wrong::Order, seq, format!("row {expected} should stand here"));
        }
        if prev_hash != self.head.hash {
            return self.found(Wrong::Link, seq, "it was written behind another row than the one before it");
        }
        Ok(())
    }

    fn check_signed(&mut self, link: &Link) -> Checked {
        if self.anchor.is_some_and(|anchor| anchor.seq == link.seq && anchor.hash != link.hash) {
            return self.found(Wrong::Signed, link.seq, "it is not the row that the anchor names");
        }
        let Some((hash, _)) = self.signed.get(&link.seq) else { return Ok(()) };
        if *hash != link.hash {
            return self.found(Wrong::Signed, link.seq, "it is not the row that a checkpoint signed");
        }
        self.report.checkpoints += 1;
        self.report.signed_up_to = link.seq;
        Ok(())
    }

    fn check_end(&mut self, stored: Option<Head>, is_newest: bool) -> Checked {
        let last = self.head;
        let missing = |known: u64| format!("rows {} to {known} are missing behind it", last.seq + 1);
        if !is_newest {
            return Ok(());
        }
        if let Some((&signed, _)) = self.signed.last_key_value()
            && signed > last.seq
        {
            return self.found(
                Wrong::Truncated,
                last.seq,
                format!("{}: a checkpoint names one", missing(signed)),
            );
        }
        if let Some(anchor) = self.anchor
            && anchor.seq > last.seq
        {
            return self.found(Wrong::Truncated, last.seq, format!("{}: the anchor", missing(anchor.seq)));
        }
        match stored {
            Some(stored) if stored.seq > last.seq => {
                self.found(Wrong::Truncated, last.seq, format!("{}: the head file", missing(stored.seq)))
            }
            Some(stored) if stored.seq == last.seq && stored.hash != last.hash => {
                self.found(Wrong::Head, last.seq, "it is not the row that the head file names")
            }
            _ => Ok(()),
        }
    }

    fn tell(&mut self) {
        let report = &mut self.report;
        if report.unchained > 0 {
            let why =
                format!("{} rows stand before the chain's beginning and prove nothing", report.unchained);
            report.notes.push(why);
        }
        if report.first > 1 {
            let why = format!("rows 1 to {} are in earlier files, which were not given", report.first - 1);
            report.notes.push(why);
        }
        if report.signed_up_to < report.head.seq {
            let (from, to) = (report.signed_up_to + 1, report.head.seq);
            let why = format!("rows {from} to {to} are not covered by a signed checkpoint yet");
            report.notes.push(why);
        }
    }
}

/// A `call_id` of ours as two numbers.
fn call_of(id: &str) -> Option<(u64, u64)> {
    let (run, number) = id.split_once('-')?;
    Some((u64::from_str_radix(run, 16).ok()?, number.parse().ok()?))
}

#[cfg(test)]
mod tests;
