//! The redactor: masks personal data in the bytes of a JSON value and changes nothing else in them.
//!
//! One pass checks the JSON completely (RFC 8259, UTF-8, nesting of at most [`limits::MAX_DEPTH`]) and finds what to
//! mask: in strings at any depth, in whole numbers, in object keys, and in JSON inside strings. Strings are matched as
//! they read, escapes decoded; only the matched spans are replaced, so number formats, the order of keys, escapes and
//! whitespace stay as they were. A masked number becomes a string. Masked keys that would read alike get ` 2`, ` 3`
//! behind them. Media is left alone (`media.rs` has the rule). Running twice changes nothing more.
//!
//! What is found, and by which rule, stands in [`detect`]. With the documented loose rule for cards any 13 to 19
//! digits are a card, also a time in milliseconds or a long identifier; [`CardMatch::Precise`] asks for the Luhn sum
//! and an issuer. Spared are digests and UUIDs in hexadecimal, fractions of decimal numbers, and the bounds of number
//! types (2^53 - 1 and the like).
//!
//! Pure functions: no actor, no channel, no clock. The time is linear in the length, whatever the bytes are.

mod blocks;
mod dates;
pub mod detect;
mod encoded;
mod escape;
mod fold;
mod glance;
pub mod hash_key;
mod joined;
mod keys;
mod known;
pub mod labels;
mod lex;
pub mod limits;
mod masks;
mod media;
mod numbers;
mod obfuscated;
pub mod output_schema;
mod places;
pub mod port;
pub mod pseudonyms;
pub mod report;
mod scan;
pub mod scoping;
mod splice;
pub mod style;
mod text;
pub mod treatment;
pub mod window;
mod words;

#[cfg(test)]
mod tests;

pub use detect::CardMatch;
pub use lex::Malformed;

use detect::DETECTORS;
use labels::Labels;
use scan::{Scanner, Site};
use std::collections::BTreeMap;
use std::sync::Arc;
use text::Matcher;

/// What a [`Redactor`] looks for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The rule for card numbers.
    pub card_match: CardMatch,
    /// Detectors that are switched on or off against their default, by policy id. Unknown ids have no effect.
    pub switches: BTreeMap<String, bool>,
}

/// What a scan covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Mask numbers too, not only strings and keys. Off for schemas, in which a masked bound is an invalid schema.
    pub numbers: bool,
    /// Spare `progressToken`, `requestId`, `nextCursor`, `taskId` and `elicitationId` at the top, by which MCP peers
    /// find each other's requests.
    pub spare_handles: bool,
}

impl Default for Scope {
    /// Everything.
    fn default() -> Self {
        Self { numbers: true, spare_handles: false }
    }
}

/// What a scan of JSON found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// The new bytes; `None` when nothing was masked.
    pub json: Option<Vec<u8>>,
    /// How many values of each type were masked.
    pub masked: BTreeMap<&'static str, u32>,
}

/// What a scan of plain text found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextScan {
    /// The new text; `None` when nothing was masked.
    pub text: Option<String>,
    /// How many values of each type were masked.
    pub masked: BTreeMap<&'static str, u32>,
}

/// Masks personal data. Cheap to clone and to share between threads.
#[derive(Clone)]
pub struct Redactor {
    matcher: Arc<Matcher>,
}

impl Redactor {
    /// A redactor with these options.
    pub fn new(options: Options) -> Self {
        let is_on = |row: usize| {
            let detector = &DETECTORS[row];
            options.switches.get(detector.policy_id).copied().unwrap_or(detector.default_on)
        };
        Self { matcher: Arc::new(Matcher::new(options.card_match, is_on)) }
    }

    /// Masks one JSON value, everywhere in it.
    pub fn scan(&self, json: &[u8]) -> Result<Scan, Malformed> {
        self.scan_within(json, Scope::default())
    }

    /// Masks one JSON value within a scope.
    pub fn scan_within(&self, json: &[u8], scope: Scope) -> Result<Scan, Malformed> {
        let splices = self.splices(json, scope)?;
        Ok(if splices.is_empty() { Scan::default() } else { splice::apply(json, &splices) })
    }

    /// What is to be masked in one JSON value.
    fn splices(&self, json: &[u8], scope: Scope) -> Result<Vec<splice::Splice>, Malformed> {
        let mut splices = Vec::new();
        check_utf8(json)?;
        Scanner::new(json, Some(&self.matcher), scope, &mut splices).one_value()?;
        Ok(splices)
    }

    /// Masks plain text; text that is JSON is masked as JSON.
    pub fn scan_text(&self, text: &str) -> TextScan {
        let glance = lex::glance_at_text(text.as_bytes());
        if !glance.suspicious() && !obfuscated::may_hold(text.as_bytes()) {
            return TextScan::default();
        }
        let mut splices = Vec::new();
        let site =
            Site { matcher: &self.matcher, scope: Scope::default(), level: 0, key: Labels::NONE, glance };
        let mut hits = Vec::new();
        if !site.mask(text.as_bytes(), &mut hits, &mut splices) {
            splices.extend(hits.iter().map(scan::token));
        }
        // The text is no string in JSON, so its quotes are plain ones.
        for splice in &mut splices {
            if let splice::Fill::Quoted { level, .. } = &mut splice.fill {
                *level -= 1;
            }
        }
        let scan = splice::apply(text.as_bytes(), &splices);
        let text = scan.json.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        TextScan { text, masked: scan.masked }
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redactor").finish_non_exhaustive()
    }
}

/// Checks that the bytes are one JSON value, without looking for anything in it.
pub fn check(json: &[u8]) -> Result<(), Malformed> {
    check_utf8(json)?;
    Scanner::new(json, None, Scope::default(), &mut Vec::new()).one_value()
}

/// Decodes the content of a JSON string whose escapes are known to be valid; `buffer` only grows.
pub(crate) fn unescaped<'t>(raw: &'t [u8], buffer: &'t mut Vec<u8>) -> &'t [u8] {
    escape::unescape(raw, buffer)
}

/// Where offsets in the decoded content of a string, in rising order, stand in its raw bytes.
pub(crate) fn raw_offsets(raw: &[u8], offsets: impl IntoIterator<Item = usize>) -> Vec<usize> {
    let mut way = escape::WayBack::new(raw);
    offsets.into_iter().map(|offset| way.raw_offset(offset)).collect()
}

fn check_utf8(json: &[u8]) -> Result<(), Malformed> {
    // What is not UTF-8 is read twice: only then the place matters.
    if simdutf8::basic::from_utf8(json).is_ok() {
        return Ok(());
    }
    let valid = std::str::from_utf8(json).map_or_else(|error| error.valid_up_to(), str::len);
    Err(Malformed::new(valid, "the bytes are not UTF-8"))
}
