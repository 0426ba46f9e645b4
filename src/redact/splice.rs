//! What is put in place of what: the list of splices over one text, and the new text.

use super::Scan;
use super::detect::DETECTORS;
use std::collections::BTreeMap;

/// One change of a text. A list of them is in rising order and does not overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Splice {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) fill: Fill,
}

/// What takes the place of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fill {
    /// The bytes themselves: taken back, or a suffix that was not needed.
    Kept,
    /// The token of a detector.
    Token(u8),
    /// The token in quotes, because it replaces a number. `level` counts the strings that the JSON stands in.
    Quoted { row: u8, level: u8 },
    /// A number that keeps two masked keys apart.
    Suffix(u32),
}

impl Fill {
    /// The same fill seen from the JSON whose string holds the text.
    pub(super) fn lifted(self) -> Self {
        match self {
            Self::Quoted { row, level } => Self::Quoted { row, level: level + 1 },
            other => other,
        }
    }
}

/// Carries out the splices.
pub(super) fn apply(bytes: &[u8], splices: &[Splice]) -> Scan {
    apply_with(bytes, splices, |_| None)
}

/// The same with texts of the caller's in place of tokens, quotes included: `other` is asked with a splice's index.
pub(super) fn apply_with<'o>(
    bytes: &[u8],
    splices: &[Splice],
    other: impl Fn(usize) -> Option<&'o [u8]>,
) -> Scan {
    let mut masked: BTreeMap<&'static str, u32> = BTreeMap::new();
    let mut out = Vec::new();
    let mut copied = 0;
    for (at, splice) in splices.iter().enumerate().filter(|(_, splice)| splice.fill != Fill::Kept) {
        if out.capacity() == 0 {
            out.reserve_exact(length_after(bytes, splices));
        }
        out.extend_from_slice(&bytes[copied..splice.start]);
        copied = splice.end;
        match splice.fill {
            Fill::Kept => {}
            Fill::Suffix(number) => out.extend_from_slice(format!(" {number}").as_bytes()),
            Fill::Token(row) | Fill::Quoted { row, .. } if let Some(text) = other(at) => {
                count(row, &mut masked);
                out.extend_from_slice(text);
            }
            Fill::Token(row) => put_token(&mut out, row, &mut masked),
            Fill::Quoted { row, level } => {
                // Every level of strings doubles the backslashes and adds one for the quote itself.
                let backslashes = (1usize << level) - 1;
                let quote = |out: &mut Vec<u8>| {
                    out.extend(std::iter::repeat_n(b'\\', backslashes));
                    out.push(b'"');
                };
                quote(&mut out);
                put_token(&mut out, row, &mut masked);
                quote(&mut out);
            }
        }
    }
    if masked.is_empty() {
        return Scan::default();
    }
    out.extend_from_slice(&bytes[copied..]);
    Scan { json: Some(out), masked }
}

/// How long the new text is, or a little more.
fn length_after(bytes: &[u8], splices: &[Splice]) -> usize {
    let filled = |splice: &Splice| match splice.fill {
        Fill::Kept => splice.end - splice.start,
        Fill::Suffix(_) => 11,
        Fill::Token(row) => DETECTORS[usize::from(row)].token.len(),
        Fill::Quoted { row, level } => DETECTORS[usize::from(row)].token.len() + (2usize << level),
    };
    let replaced: usize = splices.iter().map(|splice| splice.end - splice.start).sum();
    bytes.len() - replaced + splices.iter().map(filled).sum::<usize>()
}

fn put_token(out: &mut Vec<u8>, row: u8, masked: &mut BTreeMap<&'static str, u32>) {
    count(row, masked);
    out.extend_from_slice(DETECTORS[usize::from(row)].token.as_bytes());
}

fn count(row: u8, masked: &mut BTreeMap<&'static str, u32>) {
    let count = masked.entry(DETECTORS[usize::from(row)].kind).or_default();
    *count = count.saturating_add(1);
}
