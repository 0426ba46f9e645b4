//! Tests of the redactor as a whole; each file has one theme.

mod carriers;
mod detectors;
mod grammar;
mod properties;
mod quality;
mod treatment;
mod world;

use super::{CardMatch, Malformed, Options, Redactor, Scan};

fn redactor() -> Redactor {
    Redactor::new(Options::default())
}

fn precise() -> Redactor {
    Redactor::new(Options { card_match: CardMatch::Precise, ..Options::default() })
}

/// The JSON after redaction.
fn masked(json: &str) -> String {
    let scan = redactor().scan(json.as_bytes()).unwrap();
    scan.json.map_or_else(|| json.to_owned(), |bytes| String::from_utf8(bytes).unwrap())
}

/// The text after redaction.
fn masked_text(text: &str) -> String {
    redactor().scan_text(text).text.unwrap_or_else(|| text.to_owned())
}

fn scan(json: &[u8]) -> Result<Scan, Malformed> {
    redactor().scan(json)
}
