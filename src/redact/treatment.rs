//! What is done with what a scan found: spared where a rule says so, replaced in the style of its type, and told.

use super::detect::DETECTORS;
use super::limits::REPORTED_FIELDS;
use super::places::{Bounds, Place, locate};
use super::report::path;
use super::scoping::{Spare, Spares, spared};
use super::splice::{self, Fill, Splice};
use super::style::{HASH_DIGITS, Replacer};
use super::{Malformed, Redactor, Scope};
use std::collections::BTreeMap;

/// Values of a call that are looked for in its answer: each is a search through all of it.
const LOOKED_FOR: usize = 32;

/// How findings in the answers of one gate are treated.
#[derive(Clone, Debug, Default)]
pub struct Treatment {
    replacer: Replacer,
    spares: Spares,
}

/// Which answer is treated.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answer<'a> {
    /// The backend's id.
    pub backend: &'a str,
    /// The tool's own name, where a tool answers.
    pub tool: Option<&'a str>,
    /// Only tokens: for what must read alike in every session.
    pub tokens_only: bool,
    /// Names of pseudonyms that were turned back in the call: their values are masked wherever they stand.
    pub restored: &'a [String],
}

/// What a scan found and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Treated {
    /// The new bytes; `None` when nothing was masked.
    pub json: Option<Vec<u8>>,
    /// How many values of each type were masked.
    pub masked: BTreeMap<&'static str, u32>,
    /// How many values of each type were spared.
    pub scoped: BTreeMap<&'static str, u32>,
    /// Where values were masked, at most [`REPORTED_FIELDS`] paths.
    pub fields: Vec<String>,
    /// How many further values were masked.
    pub fields_left_out: u32,
}

impl Treatment {
    /// Findings are written by `replacer`, where `spares` does not spare them.
    pub fn new(replacer: Replacer, spares: Spares) -> Self {
        Self { replacer, spares }
    }

    /// Scans one JSON value and treats what is found.
    pub fn treat(
        &self,
        redactor: &Redactor,
        json: &[u8],
        scope: Scope,
        answer: &Answer<'_>,
    ) -> Result<Treated, Malformed> {
        let restyles = self.replacer.restyles() && !answer.tokens_only;
        let find = |json: &[u8]| {
            let mut splices = redactor.splices(json, scope)?;
            if restyles {
                splices.retain(|splice| !in_hash(json, splice));
            }
            Ok(splices)
        };
        let mut splices = find(json)?;
        self.add_restored(json, answer, &mut splices);
        let mut treated = Treated::default();
        if splices.is_empty() {
            return Ok(treated);
        }
        let rules = self.spares.of(answer.backend, answer.tool);
        let mut round = Round {
            json,
            rules: &rules,
            replacer: restyles.then_some(&self.replacer),
            backend: answer.backend,
            treated: &mut treated,
        };
        let first = round.run(&mut splices);
        treated.json = first;
        if let Some(text) = treated.json.take_if(|_| restyles) {
            // What reads like a value again becomes a token, so that a second scan finds nothing.
            let scoped = std::mem::take(&mut treated.scoped);
            let mut splices = find(&text)?;
            let mut round =
                Round { json: &text, rules: &rules, replacer: None, backend: "", treated: &mut treated };
            let again = round.run(&mut splices);
            treated.json = Some(again.unwrap_or(text));
            treated.scoped = scoped;
        }
        Ok(treated)
    }

    /// A backend may repeat a value that it was sent in a place where nothing else tells what it is.
    fn add_restored(&self, json: &[u8], answer: &Answer<'_>, splices: &mut Vec<Splice>) {
        let Some(pseudonyms) = self.replacer.pseudonyms().filter(|_| !answer.restored.is_empty()) else {
            return;
        };
        let before = splices.len();
        for (value, row) in pseudonyms.values(&answer.restored[..answer.restored.len().min(LOOKED_FOR)]) {
            // What a string escapes is found by its detector or not at all.
            if value.iter().any(|byte| matches!(byte, b'"' | b'\\') || !(b' '..=b'~').contains(byte)) {
                continue;
            }
            for start in memchr::memmem::find_iter(json, &value[..]) {
                let end = start + value.len();
                let word =
                    |at: Option<&u8>| at.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'\\');
                let apart = !word(start.checked_sub(1).and_then(|at| json.get(at))) && !word(json.get(end));
                let free = splices[..before].iter().all(|splice| splice.end <= start || splice.start >= end);
                if apart && free {
                    splices.push(Splice { start, end, fill: Fill::Token(row) });
                }
            }
        }
        if splices.len() > before {
            splices.sort_by_key(|splice| (splice.start, splice.end));
            let mut floor = 0;
            splices.retain(|splice| {
                let keeps = splice.start >= floor;
                floor = floor.max(splice.end);
                keeps
            });
        }
    }
}

/// One pass over what was found.
struct Round<'a> {
    json: &'a [u8],
    rules: &'a [&'a Spare],
    replacer: Option<&'a Replacer>,
    backend: &'a str,
    treated: &'a mut Treated,
}

/// What takes the place of a splice, when that is not its token.
struct Written {
    text: Vec<u8>,
    /// It stands in a key.
    key: bool,
    /// Two values never share it.
    unique: bool,
}

impl Round<'_> {
    fn run(&mut self, splices: &mut [Splice]) -> Option<Vec<u8>> {
        let is_value = |splice: &Splice| matches!(splice.fill, Fill::Token(_) | Fill::Quoted { .. });
        let at: Vec<usize> = (0..splices.len()).filter(|at| is_value(&splices[*at])).collect();
        let spans: Vec<Bounds> = at.iter().map(|at| (splices[*at].start, splices[*at].end)).collect();
        let (json, rules, replacer, backend) = (self.json, self.rules, self.replacer, self.backend);
        let all = replacer.is_some() || !rules.is_empty();
        let mut written: BTreeMap<usize, Written> = BTreeMap::new();
        let mut told = 0u32;
        let fields = &mut self.treated.fields;
        let scoped = &mut self.treated.scoped;
        locate(json, &spans, &mut |index, place| {
            let splice = &mut splices[at[index]];
            let (Fill::Token(row) | Fill::Quoted { row, .. }) = splice.fill else { return true };
            let kind = DETECTORS[usize::from(row)].kind;
            if !place.key && spared(rules, kind, &place.steps) {
                splice.fill = Fill::Kept;
                *scoped.entry(kind).or_default() += 1;
                return true;
            }
            if place.number && !place.whole {
                splice.fill = Fill::Kept;
                return true;
            }
            if place.number {
                // A value that was sent may come back as a number.
                splice.fill = Fill::Quoted { row, level: place.level };
            }
            told += u32::from(tell(fields, place));
            if let Some(replacer) = replacer {
                let value = read(&json[splice.start..splice.end], place.unescapes());
                let (text, unique) = replacer.text(row, &value, place, backend);
                let text = quoted(&text, splice.fill);
                written.insert(at[index], Written { text, key: place.key, unique });
            }
            all || fields.len() < REPORTED_FIELDS
        });
        let scan = if replacer.is_some() {
            settle_suffixes(splices, &written);
            splice::apply_with(json, splices, |at| written.get(&at).map(|written| written.text.as_slice()))
        } else {
            splice::apply(json, splices)
        };
        let count: u32 = scan.masked.values().sum();
        self.treated.fields_left_out += count.saturating_sub(told);
        for (kind, count) in scan.masked {
            *self.treated.masked.entry(kind).or_default() += count;
        }
        scan.json
    }
}

/// Whether a finding is the digest of a hash of ours: behind `[HASH:password:` anything reads like a password.
fn in_hash(json: &[u8], splice: &Splice) -> bool {
    const HEAD: &[u8] = b"[HASH:";
    let Some(digest) = json.get(splice.start..splice.start + HASH_DIGITS + 1) else { return false };
    let kind = json[..splice.start].strip_suffix(b":").map(|head| {
        let length = head.iter().rev().take_while(|byte| byte.is_ascii_lowercase() || **byte == b'_').count();
        &head[..head.len() - length]
    });
    digest.ends_with(b"]")
        && digest[..HASH_DIGITS].iter().all(u8::is_ascii_hexdigit)
        && splice.end <= splice.start + digest.len()
        && kind.is_some_and(|head| head.ends_with(HEAD))
}

/// Adds the path of a place, if there is room; whether the place is told of.
fn tell(fields: &mut Vec<String>, place: &Place<'_>) -> bool {
    let path = path(&place.steps);
    // Several findings in one text stand behind each other.
    if fields.last() == Some(&path) {
        return true;
    }
    if fields.len() < REPORTED_FIELDS {
        fields.push(path);
        return true;
    }
    false
}

/// Keys whose replacements differ from each other by themselves need no number behind them.
fn settle_suffixes(splices: &mut [Splice], written: &BTreeMap<usize, Written>) {
    let mut unique = true;
    let mut in_key = false;
    for (at, splice) in splices.iter_mut().enumerate() {
        match splice.fill {
            Fill::Suffix(_) => {
                if in_key && unique {
                    splice.fill = Fill::Kept;
                }
                (unique, in_key) = (true, false);
            }
            Fill::Kept if splice.start == splice.end => (unique, in_key) = (true, false),
            Fill::Kept => {}
            Fill::Token(_) | Fill::Quoted { .. } => {
                let own = written.get(&at).filter(|written| written.key);
                unique = (unique || !in_key) && own.is_some_and(|written| written.unique);
                in_key = own.is_some();
            }
        }
    }
}

/// A value as it reads, after so many levels of escapes.
fn read(raw: &[u8], unescapes: u8) -> Vec<u8> {
    let mut text = raw.to_vec();
    for _ in 0..unescapes {
        if memchr::memchr(b'\\', &text).is_none() {
            break;
        }
        text = super::escape::unescape(&text, &mut Vec::new()).to_vec();
    }
    text
}

/// A replacement with the quotes that a number did not have.
fn quoted(text: &str, fill: Fill) -> Vec<u8> {
    let Fill::Quoted { level, .. } = fill else { return text.as_bytes().to_vec() };
    let quote = [vec![b'\\'; (1usize << level) - 1], vec![b'"']].concat();
    [&quote, text.as_bytes(), &quote].concat()
}
