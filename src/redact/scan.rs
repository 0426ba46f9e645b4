//! One pass over one JSON value: checks it completely, and notes what is to be masked where.
//!
//! The pass keeps an own stack of open arrays and objects, so depth costs no machine stack. JSON inside strings is
//! entered by recursion, at most [`limits::MAX_NESTED_TEXTS`](super::limits::MAX_NESTED_TEXTS) levels deep.

use super::Scope;
use super::blocks::Blocks;
use super::dates;
use super::detect::secrets::{self, Secret};
use super::escape::{WayBack, unescape};
use super::glance::Glance;
use super::joined::{Around, LONGEST_ENCODED, LONGEST_PIECE, Piece, Pieces};
use super::keys::KeyBook;
use super::known::KnownKeys;
use super::labels::{self, Labels};
use super::lex::{Lexer, Malformed, Text};
use super::limits::{LABEL_KEYS, MAX_DEPTH, MAX_DIGITS, MAX_NESTED_TEXTS, MIN_DIGITS};
use super::media::{self, Claims, Meaning};
use super::obfuscated;
use super::splice::{Fill, Splice};
use super::text::{Hit, Matcher};
use std::borrow::Cow;

/// Fields of MCP messages by which peers find each other's requests: masked, they would name nothing. They are
/// spared only where MCP has them, at the top of a result or of parameters (and `progressToken` in `_meta`).
const HANDLES: [&[u8]; 5] = [b"progressToken", b"requestId", b"nextCursor", b"taskId", b"elicitationId"];

/// Largest buffer for decoded text that is kept for the next one.
const KEPT_SCRATCH: usize = 1 << 20;

/// An array or object that is open.
struct Frame {
    object: bool,
    /// Nothing was read inside yet.
    fresh: bool,
    /// The key whose value comes next or came last.
    key: Option<Text>,
    /// What that key says, once somebody asked; the inner `None` is a key that says nothing itself.
    key_labels: Option<Option<Labels>>,
    /// The kind of secret that the key calls its value.
    key_secret: Option<Secret>,
    claims: Claims,
    book: Option<Box<KeyBook>>,
}

/// A pass over one text.
pub(super) struct Scanner<'a> {
    lexer: Lexer<'a>,
    /// `None`: only check.
    matcher: Option<&'a Matcher>,
    scope: Scope,
    /// How many strings the text stands in.
    level: u8,
    /// What the keys around the text say.
    outer: Labels,
    frames: Vec<Frame>,
    splices: &'a mut Vec<Splice>,
    scratch: Vec<u8>,
    hits: Vec<Hit>,
    /// Neighbours that may be parts of one value.
    pieces: Pieces,
    known_keys: KnownKeys<'a>,
    /// Texts of content blocks, which a value may go over.
    blocks: Blocks,
}

impl<'a> Scanner<'a> {
    /// A pass over `bytes`, which are UTF-8; what is to be masked is added to `splices`.
    pub(super) fn new(
        bytes: &'a [u8],
        matcher: Option<&'a Matcher>,
        scope: Scope,
        splices: &'a mut Vec<Splice>,
    ) -> Self {
        Self {
            lexer: Lexer::new(bytes),
            matcher,
            scope,
            level: 0,
            outer: Labels::NONE,
            frames: Vec::new(),
            splices,
            scratch: Vec::new(),
            hits: Vec::new(),
            pieces: Pieces::default(),
            known_keys: KnownKeys::new(),
            blocks: Blocks::default(),
        }
    }

    /// Reads exactly one value.
    pub(super) fn one_value(mut self) -> Result<(), Malformed> {
        self.document()?;
        if self.lexer.at < self.lexer.bytes.len() {
            return Err(self.lexer.malformed("more text after the value"));
        }
        Ok(())
    }

    /// Reads one value or several in a row, as logs have them (JSON Lines).
    fn values(mut self) -> Result<(), Malformed> {
        self.document()?;
        while self.lexer.at < self.lexer.bytes.len() {
            self.document()?;
        }
        Ok(())
    }

    fn document(&mut self) -> Result<(), Malformed> {
        self.lexer.skip_whitespace();
        self.value()?;
        while !self.frames.is_empty() {
            self.step()?;
        }
        self.lexer.skip_whitespace();
        Ok(())
    }

    /// Reads one element or member of the innermost open array or object, or its end.
    fn step(&mut self) -> Result<(), Malformed> {
        self.lexer.skip_whitespace();
        let Some(frame) = self.frames.last_mut() else { return Ok(()) };
        let object = frame.object;
        let first = std::mem::replace(&mut frame.fresh, false);
        match self.lexer.peek() {
            Some(b'}') if object => return self.close(),
            Some(b']') if !object => return self.close(),
            Some(b',') if !first => {
                self.lexer.at += 1;
                self.lexer.skip_whitespace();
            }
            _ if first => {}
            _ => {
                return Err(self
                    .lexer
                    .malformed("a comma or the end of the array or object must stand here"));
            }
        }
        if object {
            self.key()?;
        }
        self.value()
    }

    fn value(&mut self) -> Result<(), Malformed> {
        match self.lexer.peek() {
            Some(b'"') => self.string(),
            Some(b'{') => self.open(true),
            Some(b'[') => self.open(false),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.lexer.word(b"true"),
            Some(b'f') => self.lexer.word(b"false"),
            Some(b'n') => self.lexer.word(b"null"),
            _ => Err(self.lexer.malformed("a value must stand here")),
        }
    }

    fn open(&mut self, object: bool) -> Result<(), Malformed> {
        if self.frames.len() >= MAX_DEPTH {
            return Err(self.lexer.malformed("arrays and objects are nested too deep"));
        }
        self.end_pieces();
        self.lexer.at += 1;
        let frame = Frame {
            object,
            fresh: true,
            key: None,
            key_labels: None,
            key_secret: None,
            claims: Claims::default(),
            book: None,
        };
        self.frames.push(frame);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Malformed> {
        self.end_pieces();
        self.lexer.at += 1;
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        if !frame.object && !self.blocks.is_idle() && self.blocks.is_at(self.frames.len()) {
            self.judge_blocks();
            self.blocks.clear();
        }
        for (from, to) in frame.claims.taken_back() {
            self.splices[from..to].iter_mut().for_each(|splice| splice.fill = Fill::Kept);
        }
        if let Some(book) = frame.book {
            for (splice, number) in book.suffixes() {
                self.splices[splice].fill = Fill::Suffix(number);
            }
        }
        Ok(())
    }

    /// Judges neighbouring pieces, once something else stands beside them.
    fn end_pieces(&mut self) {
        if self.pieces.is_idle() {
            self.pieces.clear();
            return;
        }
        // A key speaks for its array; of neighbouring fields each has its own.
        let array = self.frames.last().is_some_and(|frame| !frame.object);
        let key = if array { self.labels() } else { Labels::NONE };
        if let Some(matcher) = self.matcher {
            let secret = if array { self.secret_of_array(matcher) } else { None };
            let around = Around { labels: key, secret, array };
            self.pieces.judge(self.lexer.bytes, matcher, around, self.splices);
        }
    }

    /// What the key of an array calls its elements, if that is a secret.
    fn secret_of_array(&self, matcher: &Matcher) -> Option<(Secret, u8)> {
        let around = self.frames.get(self.frames.len().checked_sub(2)?)?;
        let key = around.key?;
        let secret = secrets::kind_of_name(&self.lexer.bytes[key.start..key.end])?;
        Some((secret, matcher.secret_row(secret)?))
    }

    fn key(&mut self) -> Result<(), Malformed> {
        if let Some((text, known, behind)) = self.known_keys.expected(self.lexer.bytes, self.lexer.at) {
            if let Some(frame) = self.frames.last_mut() {
                frame.key = Some(text);
                frame.key_labels = known.labels;
                frame.key_secret = known.secret;
            }
            self.lexer.at = behind;
            self.lexer.skip_whitespace();
            return Ok(());
        }
        if self.lexer.peek() != Some(b'"') {
            return Err(self.lexer.malformed("a key in quotes must stand here"));
        }
        let text = self.lexer.string()?;
        if let Some(matcher) = self.matcher
            && (text.glance.suspicious() || text.glance.may_hold_token())
        {
            self.mask_key(matcher, text);
        }
        let plain = !text.escaped && !text.glance.suspicious() && !text.glance.may_hold_token();
        let at_colon = self.lexer.peek() == Some(b':');
        let known = (plain && at_colon).then(|| self.known_keys.note(self.lexer.bytes, text));
        if let Some(frame) = self.frames.last_mut() {
            frame.key = Some(text);
            frame.key_labels = known.and_then(|known| known.labels);
            frame.key_secret = match known {
                Some(known) => known.secret,
                None if text.escaped => None,
                None => secrets::kind_of_name(&self.lexer.bytes[text.start..text.end]),
            };
        }
        self.lexer.skip_whitespace();
        if self.lexer.peek() != Some(b':') {
            return Err(self.lexer.malformed("a colon must stand between key and value"));
        }
        self.lexer.at += 1;
        self.lexer.skip_whitespace();
        Ok(())
    }

    fn mask_key(&mut self, matcher: &Matcher, text: Text) {
        let raw = &self.lexer.bytes[text.start..text.end];
        let mut scratch = std::mem::take(&mut self.scratch);
        let decoded = decode(raw, text.escaped, &mut scratch);
        matcher.find(decoded, Labels::NONE, text.glance, &mut self.hits);
        let from = self.splices.len();
        self.splices.extend(self.hits.iter().map(token));
        let book = self.frames.last_mut().map(|frame| &mut frame.book);
        if !self.hits.is_empty() {
            // Splices stand in order: what came before this key is settled.
            self.pieces.clear();
            let masked = super::splice::apply(decoded, &self.splices[from..]).json.unwrap_or_default();
            lift(&mut self.splices[from..], raw, text);
            if let Some(book) = book {
                book.get_or_insert_default().mask(masked, self.splices.len());
            }
            self.splices.push(Splice { start: text.end, end: text.end, fill: Fill::Kept });
        } else if memchr::memmem::find(decoded, b"[REDACTED:").is_some()
            && let Some(book) = book
        {
            book.get_or_insert_default().keep(decoded.to_vec());
        }
        self.scratch = scratch;
    }

    fn string(&mut self) -> Result<(), Malformed> {
        let text = self.lexer.string()?;
        let raw = &self.lexer.bytes[text.start..text.end];
        let suspicious = text.glance.suspicious() || self.matcher.is_some() && obfuscated::may_hold(raw);
        let mut meaning = Meaning::Plain;
        if let Some(frame) = self.frames.last_mut()
            && frame.object
            && let Some(key) = frame.key
        {
            meaning = frame.claims.member(&self.lexer.bytes[key.start..key.end], raw, suspicious);
        }
        if let Some(row) = self.named_secret(raw, text.escaped) {
            self.end_pieces();
            self.splices.push(Splice { start: text.start, end: text.end, fill: Fill::Token(row) });
            return Ok(());
        }
        let masked = self.splices.len();
        if let Some(matcher) = self.matcher.filter(|_| suspicious) {
            if matches!(meaning, Meaning::Media) || media::is_data_uri(raw) || self.is_handle() {
                self.end_pieces();
                return Ok(());
            }
            // Records are full of times, and only a day of birth is masked among them.
            let time = !text.escaped && dates::is_timestamp(raw) && !self.labels().meets(Labels::BIRTH);
            if !time {
                self.mask_string(matcher, text, meaning);
            }
        }
        if self.is_block() {
            self.block(text, self.splices.len() == masked);
        }
        if self.splices.len() == masked && self.is_piece(text) {
            let telling = text.glance.telling();
            self.pieces.push(Piece { start: text.start, end: text.end, number: false, telling });
        } else if self.splices.len() == masked {
            self.end_pieces();
        } else {
            self.pieces.clear();
        }
        Ok(())
    }

    /// Whether the string that was just read is the `text` of an object in an array.
    fn is_block(&self) -> bool {
        let [.., around, frame] = &self.frames[..] else { return false };
        !around.object && frame.key.is_some_and(|key| &self.lexer.bytes[key.start..key.end] == b"text")
    }

    fn block(&mut self, text: Text, plain: bool) {
        if !plain || text.escaped || self.matcher.is_none() {
            self.judge_blocks();
            self.blocks.clear();
            return;
        }
        self.blocks.push((text.start, text.end), self.frames.len() - 2, self.splices.len());
        if self.blocks.is_full() {
            self.judge_blocks();
        }
    }

    fn judge_blocks(&mut self) {
        if let Some(matcher) = self.matcher {
            self.blocks.judge(self.lexer.bytes, matcher, self.splices);
        }
    }

    /// Whether a string may be part of a value that its neighbours continue. Of an object only what holds digits is.
    fn is_piece(&self, text: Text) -> bool {
        let length = text.end - text.start;
        if text.escaped || length == 0 || length > LONGEST_ENCODED {
            return false;
        }
        let Some(frame) = self.frames.last() else { return false };
        if frame.object {
            // Parts of one value have numbered names.
            let numbered = frame
                .key
                .is_some_and(|key| self.lexer.bytes[key.end - 1].is_ascii_digit() && key.end > key.start);
            return length <= LONGEST_PIECE && (text.glance.telling() || numbered);
        }
        length <= LONGEST_PIECE
            || self.lexer.bytes[text.start..text.end]
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_'))
    }

    fn mask_string(&mut self, matcher: &Matcher, text: Text, meaning: Meaning) {
        let raw = &self.lexer.bytes[text.start..text.end];
        let from = self.splices.len();
        let key = self.labels();
        let mut scratch = std::mem::take(&mut self.scratch);
        let decoded = decode(raw, text.escaped, &mut scratch);
        let site = Site { matcher, scope: self.scope, level: self.level, key, glance: text.glance };
        if !site.mask(decoded, &mut self.hits, self.splices) {
            // Of a large text not everything exists at once: its matches are noted when it is gone.
            if scratch.len() > KEPT_SCRATCH {
                scratch = Vec::new();
            }
            self.splices.extend(self.hits.iter().map(token));
        }
        lift(&mut self.splices[from..], raw, text);
        self.scratch = scratch;
        if let (Meaning::Possible(slot), Some(frame)) = (meaning, self.frames.last_mut()) {
            frame.claims.remember(slot, from, self.splices.len());
        }
    }

    /// A number without fraction and exponent is matched as a whole, without its sign.
    fn number(&mut self) -> Result<(), Malformed> {
        let number = self.lexer.number()?;
        let raw = &self.lexer.bytes[number.start..number.end];
        let unsigned = raw.strip_prefix(b"-").unwrap_or(raw);
        let whole = if number.integer { Some(Cow::Borrowed(unsigned)) } else { whole_number(unsigned) };
        let (Some(matcher), Some(digits)) = (self.matcher.filter(|_| self.scope.numbers), whole) else {
            self.end_pieces();
            return Ok(());
        };
        if self.is_handle() {
            self.end_pieces();
            return Ok(());
        }
        if (MIN_DIGITS..=MAX_DIGITS).contains(&digits.len()) {
            let key = self.labels();
            matcher.find(&digits, key, Glance::NUMBER, &mut self.hits);
            if let [hit] = self.hits[..]
                && (hit.start, hit.end) == (0, digits.len())
            {
                self.end_pieces();
                let fill = Fill::Quoted { row: hit.row, level: 0 };
                self.splices.push(Splice { start: number.start, end: number.end, fill });
                return Ok(());
            }
        }
        if number.integer
            && digits.len() == raw.len()
            && digits.len() <= LONGEST_PIECE
            && !self.frames.is_empty()
        {
            self.pieces.push(Piece { start: number.start, end: number.end, number: true, telling: true });
        } else {
            self.end_pieces();
        }
        Ok(())
    }

    /// The row of the secret that the key calls the value, a whole string.
    fn named_secret(&mut self, raw: &[u8], escaped: bool) -> Option<u8> {
        let matcher = self.matcher?;
        let secret = self.frames.last()?.key_secret?;
        let row = matcher.secret_row(secret)?;
        let value = decode(raw, escaped, &mut self.scratch);
        (secrets::is_value(secret, value) && !looks_like_json(value) && !self.is_handle()).then_some(row)
    }

    /// What the key of the value that was just read says. In an array, and under a key that says nothing itself, the
    /// key around speaks.
    fn labels(&mut self) -> Labels {
        let bytes = self.lexer.bytes;
        for frame in self.frames.iter_mut().rev().take(LABEL_KEYS) {
            let Some(key) = frame.key else { continue };
            let found = *frame.key_labels.get_or_insert_with(|| {
                let raw = &bytes[key.start..key.end];
                let labels = labels::of_key(decode(raw, key.escaped, &mut self.scratch));
                self.known_keys.learn(raw, labels);
                labels
            });
            if let Some(found) = found {
                return found;
            }
        }
        if self.frames.len() <= LABEL_KEYS { self.outer } else { Labels::NONE }
    }

    /// Whether the value that was just read is one of [`HANDLES`].
    fn is_handle(&self) -> bool {
        let key = |index: usize| {
            let key = self.frames.get(index)?.key?;
            self.lexer.bytes.get(key.start..key.end)
        };
        self.scope.spare_handles
            && self.level == 0
            && match self.frames.len() {
                1 => key(0).is_some_and(|key| HANDLES.contains(&key)),
                2 => key(0) == Some(b"_meta") && key(1) == Some(b"progressToken"),
                _ => false,
            }
    }
}

/// Where a text stands.
pub(super) struct Site<'a> {
    pub(super) matcher: &'a Matcher,
    pub(super) scope: Scope,
    /// How many strings the JSON around the text stands in.
    pub(super) level: u8,
    /// What the object key says.
    pub(super) key: Labels,
    /// What may stand in it.
    pub(super) glance: Glance,
}

impl Site<'_> {
    /// Finds what is to be masked in a decoded text, in offsets of that text. JSON is masked as JSON and noted in
    /// `splices`: true. What is found in any other text stands in `hits`: false.
    pub(super) fn mask(&self, text: &[u8], hits: &mut Vec<Hit>, splices: &mut Vec<Splice>) -> bool {
        let from = splices.len();
        if self.level < MAX_NESTED_TEXTS && looks_like_json(text) {
            // A schema's bounds stand in the schema itself; numbers in a description that is JSON are data.
            let scope = Scope { numbers: true, ..self.scope };
            let mut inner = Scanner::new(text, Some(self.matcher), scope, splices);
            inner.level = self.level + 1;
            inner.outer = self.key;
            if inner.values().is_ok() {
                splices[from..].iter_mut().for_each(|splice| splice.fill = splice.fill.lifted());
                return true;
            }
            splices.truncate(from);
        }
        self.matcher.find(text, self.key, self.glance, hits);
        false
    }
}

pub(super) fn token(hit: &Hit) -> Splice {
    Splice { start: hit.start, end: hit.end, fill: Fill::Token(hit.row) }
}

fn decode<'t>(raw: &'t [u8], escaped: bool, scratch: &'t mut Vec<u8>) -> &'t [u8] {
    if escaped { unescape(raw, scratch) } else { raw }
}

/// Turns offsets in the decoded text of a string into offsets in the bytes around the string.
fn lift(splices: &mut [Splice], raw: &[u8], text: Text) {
    if !text.escaped {
        for splice in splices {
            splice.start += text.start;
            splice.end += text.start;
        }
        return;
    }
    let mut way = WayBack::new(raw);
    for splice in splices {
        splice.start = text.start + way.raw_offset(splice.start);
        splice.end = text.start + way.raw_offset(splice.end);
    }
}

/// Whether it is worth trying: the text starts and ends like an array or object, or like a string that holds one.
fn looks_like_json(text: &[u8]) -> bool {
    let is_space = |byte: &&u8| matches!(**byte, b' ' | b'\n' | b'\r' | b'\t');
    let first = text.iter().find(|byte| !is_space(byte));
    let last = text.iter().rev().find(|byte| !is_space(byte));
    match (first, last) {
        (Some(b'{' | b'['), Some(b'}' | b']')) => true,
        // A string of JSON with JSON in it.
        (Some(b'"'), Some(b'"')) => memchr::memmem::find(text, b"\\\"").is_some(),
        _ => false,
    }
}

/// Whether a text is scanned as JSON, or as several values in a row.
pub(super) fn is_json_text(text: &[u8]) -> bool {
    looks_like_json(text) && Scanner::new(text, None, Scope::default(), &mut Vec::new()).values().is_ok()
}

/// The digits of a number that is whole though it is not written so: `3174012501990001.0`, as tables with a missing
/// value write an identifier, or `4.111e15`.
fn whole_number(unsigned: &[u8]) -> Option<Cow<'_, [u8]>> {
    if let Some(point) = unsigned.iter().position(|byte| *byte == b'.')
        && unsigned[point + 1..].iter().all(|byte| *byte == b'0')
    {
        return Some(Cow::Borrowed(&unsigned[..point]));
    }
    let mantissa = unsigned.iter().position(|byte| matches!(byte, b'e' | b'E'))?;
    // `1.5e15` is a quantity; an identifier has all its digits.
    if unsigned[..mantissa].iter().filter(|byte| byte.is_ascii_digit()).count() < MIN_DIGITS {
        return None;
    }
    let value: f64 = std::str::from_utf8(unsigned).ok()?.parse().ok()?;
    // Beyond 2^63 nothing is an identifier of any kind that is looked for.
    (value.fract() == 0.0 && value < 9.2e18).then(|| Cow::Owned(format!("{value:.0}").into_bytes()))
}
