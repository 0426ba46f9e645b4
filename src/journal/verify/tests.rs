//! Every change of a record of 1,000 rows is found, and found where it is.

use super::*;
use crate::journal::chain::seal;
use crate::journal::keys::Keys;
use proptest::prelude::*;
use std::io::Write;

const ROWS: usize = 1_000;

/// A record, and what the verifier knows in front of each of its rows.
struct Record {
    text: Vec<u8>,
    /// Where each row begins, and the end.
    begins: Vec<usize>,
    heads: Vec<Head>,
    before: Vec<Verifier>,
}

fn head_of(record: &Record) -> Head {
    *record.heads.last().unwrap()
}

fn record(rows: usize) -> Record {
    let dir = tempfile::tempdir().unwrap();
    let keys = Keys::open(dir.path()).unwrap();
    let signed = dir.path().join("checkpoints");
    let (mut text, mut begins, mut heads) = (Vec::new(), vec![0], Vec::new());
    let mut head = Head::GENESIS;
    for number in 1..=rows {
        let from = text.len();
        write!(
            text,
            "{{\"timestamp\":\"2026-11-20T08:00:00Z\",\"tool_name\":\"tool {}\",\"server\":\"crm\",\"verdict\":\"allow\",\
             \"evaluated_policies\":[\"p\"],\"outcome\":\"ok\",\"call_id\":\"00000000000000aa-{number}\"}}",
            "é".repeat(number % 7)
        )
        .unwrap();
        head = seal(&mut text, from, &head);
        text.push(b'\n');
        begins.push(text.len());
        heads.push(head);
        if number % 250 == 0 {
            checkpoint::append(&signed, &dir.path().join("public"), checkpoint::Kind::Mark, &head, &keys)
                .unwrap();
        }
    }
    let mut verifier = Verifier::new(vec![keys.public_hex()]);
    if signed.exists() {
        verifier.checkpoints("checkpoints", &mut &std::fs::read(&signed).unwrap()[..]).unwrap();
    }
    let mut before = Vec::new();
    for row in 0..rows {
        before.push(verifier.clone());
        verifier.audit("audit", &mut &text[begins[row]..begins[row + 1]]).unwrap();
        verifier.line = row as u64 + 1;
    }
    before.push(verifier);
    Record { text, begins, heads, before }
}

impl Record {
    /// The first finding when row `row` (from 0) and those behind it are replaced by `rest`.
    fn finding(&self, row: usize, rest: &[u8]) -> Option<Finding> {
        let mut verifier = self.before[row].clone();
        // One file in two parts: lines are counted on.
        let mut input = rest;
        let mut line = Vec::new();
        verifier.line = row as u64;
        while verifier.report.finding.is_none() {
            let Some(ended) = read::next_line(&mut input, &mut line).unwrap() else { break };
            verifier.line += 1;
            if let Err(finding) = verifier.row(&line, ended) {
                verifier.report.finding = Some(*finding);
            }
        }
        verifier.end(Some(head_of(self)), true).finding
    }

    fn row(&self, row: usize) -> &[u8] {
        &self.text[self.begins[row]..self.begins[row + 1]]
    }

    /// Flips one bit of one byte and expects the finding in that line.
    fn expect_flip_found(&self, at: usize, bit: u8) {
        let row = self.begins.partition_point(|begin| *begin <= at) - 1;
        // The flip is found in its row or in the next one, which a joined line swallows.
        let end = self.begins[(row + 2).min(self.heads.len())];
        let mut rest = self.text[self.begins[row]..end].to_vec();
        rest[at - self.begins[row]] ^= 1 << bit;
        let finding = self.finding(row, &rest);
        let finding = finding.unwrap_or_else(|| panic!("bit {bit} of byte {at} goes unseen"));
        // Without its line feed the last row is torn, and the head file misses it.
        assert_eq!(finding.line, row as u64 + 1, "byte {at}: {finding}");
    }
}

#[test]
fn a_whole_record_is_whole() {
    let record = record(ROWS);
    assert_eq!(record.finding(0, &record.text), None);
    let report = record.before[ROWS].clone().end(Some(head_of(&record)), true);
    assert_eq!((report.rows, report.checkpoints, report.signed_up_to), (1_000, 4, 1_000));
    assert!(report.notes.is_empty(), "{:?}", report.notes);
}

#[test]
fn flips_of_bits_are_found_where_they_are() {
    let record = record(ROWS);
    for at in (0..record.text.len()).step_by(29).chain(record.begins[1..].iter().map(|begin| begin - 1)) {
        record.expect_flip_found(at, (at % 8) as u8);
    }
}

#[test]
#[ignore = "every bit: a minute with --release"]
fn every_flip_of_a_bit_is_found_where_it_is() {
    let record = record(ROWS);
    for at in 0..record.text.len() {
        (0..8).for_each(|bit| record.expect_flip_found(at, bit));
    }
}

#[test]
fn every_removed_row_is_missed() {
    let record = record(ROWS);
    for row in 0..ROWS - 1 {
        let finding = record.finding(row, record.row(row + 1)).unwrap();
        let wrong = if row == 0 { Wrong::Begin } else { Wrong::Gap };
        assert_eq!((finding.wrong, finding.line, finding.seq), (wrong, row as u64 + 1, row as u64 + 2));
    }
    let finding = record.finding(ROWS - 1, b"").unwrap();
    assert_eq!((finding.wrong, finding.seq), (Wrong::Truncated, 999));
}

#[test]
fn every_pair_of_rows_that_changed_places_is_seen() {
    let record = record(ROWS);
    for row in 0..ROWS - 1 {
        let swapped = [record.row(row + 1), record.row(row)].concat();
        let finding = record.finding(row, &swapped).unwrap();
        assert_eq!((finding.line, finding.seq), (row as u64 + 1, row as u64 + 2));
        let twice = [record.row(row), record.row(row)].concat();
        let finding = record.finding(row, &twice).unwrap();
        assert_eq!((finding.wrong, finding.line), (Wrong::Order, row as u64 + 2));
    }
}

#[test]
fn every_truncation_is_seen() {
    let record = record(ROWS);
    for at in (0..record.text.len()).step_by(37) {
        let row = record.begins.partition_point(|begin| *begin <= at) - 1;
        let finding = record.finding(row, &record.text[record.begins[row]..at]).unwrap();
        // A row that lacks only its line feed is whole.
        let last = row as u64 + u64::from(at + 1 == record.begins[row + 1]);
        assert_eq!((finding.wrong, finding.seq), (Wrong::Truncated, last), "byte {at}");
    }
    assert_eq!(record.finding(ROWS - 1, record.row(ROWS - 1).trim_ascii_end()), None);
}

#[test]
fn without_the_head_file_the_checkpoints_still_hold_the_end() {
    let record = record(60);
    // No checkpoint covers these rows: whoever cuts them off and the head file too is seen by an anchor only.
    let cut = |anchor: Option<Head>| {
        let mut verifier = record.before[50].clone();
        if let Some(anchor) = anchor {
            verifier.expect(anchor);
        }
        verifier.end(None, true).finding.map(|finding| finding.wrong)
    };
    assert_eq!(cut(None), None);
    assert_eq!(cut(Some(head_of(&record))), Some(Wrong::Truncated));
    let record = self::record(260);
    let signed = record.before[200].clone().end(None, true).finding.map(|finding| finding.wrong);
    assert_eq!(signed, Some(Wrong::Truncated));
}

#[test]
fn rows_written_anew_behind_a_checkpoint_are_not_the_signed_ones() {
    let record = record(300);
    let mut forged = Vec::new();
    let mut head = record.heads[198];
    for number in 200..=300 {
        let from = forged.len();
        write!(forged, "{{\"tool_name\":\"forged\",\"call_id\":\"00000000000000aa-{number}\"}}").unwrap();
        head = seal(&mut forged, from, &head);
        forged.push(b'\n');
    }
    let finding = record.finding(199, &forged).unwrap();
    assert_eq!((finding.wrong, finding.seq), (Wrong::Signed, 250));
}

#[test]
fn a_call_with_two_rows_is_found() {
    let record = record(10);
    let mut rest = record.row(9).to_vec();
    let from = rest.len();
    rest.extend_from_slice(b"{\"tool_name\":\"t\",\"call_id\":\"00000000000000aa-3\"}");
    seal(&mut rest, from, &record.heads[9]);
    rest.push(b'\n');
    let finding = record.finding(9, &rest).unwrap();
    assert_eq!((finding.wrong, finding.line), (Wrong::Duplicate, 11));
}

proptest! {
    #[test]
    fn any_bytes_are_verified_without_a_panic(checkpoints: Vec<u8>, audit: Vec<u8>, seq: u64) {
        let mut verifier = Verifier::new(Vec::new());
        verifier.checkpoints("c", &mut &checkpoints[..]).unwrap();
        verifier.audit("a", &mut &audit[..]).unwrap();
        verifier.end(Some(Head { seq, hash: HexHash::GENESIS }), true);
    }

    #[test]
    fn bytes_put_in_or_taken_out_are_found(
        from in 0usize..40_000, taken in 0usize..400, put in prop::collection::vec(any::<u8>(), 0..40)
    ) {
        let record = small();
        let from = from % record.text.len();
        let to = (from + taken).min(record.text.len());
        let mut changed = record.text.clone();
        changed.splice(from..to, put);
        let is_same = changed == record.text || [&changed[..], b"\n"].concat() == record.text;
        prop_assert_eq!(record.finding(0, &changed).is_none(), is_same);
    }
}

fn small() -> &'static Record {
    static SMALL: std::sync::OnceLock<Record> = std::sync::OnceLock::new();
    SMALL.get_or_init(|| record(100))
}
