//! Where in a JSON value a span of its bytes stands: the way there from the top, through arrays, objects and JSON inside
//! strings, and how often the text there is escaped.
//!
//! Only asked once something was found, so it costs nothing for a clean answer. It reads bytes that were checked to be
//! JSON; other bytes give fewer places and never a panic.

use super::escape::unescape;
use super::limits::{MAX_DEPTH, MAX_NESTED_TEXTS};
use super::scan::is_json_text;
use super::words;
use std::borrow::Cow;

/// One step on the way to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// The member with this key, decoded.
    Key(Cow<'a, [u8]>),
    /// A member whose key holds something that was found.
    HiddenKey,
    /// An element, counted from 0.
    Index(usize),
    /// Into the JSON that a string holds.
    Inside,
}

/// Where one span stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    /// The way from the top.
    pub(super) steps: Vec<Step<'a>>,
    /// In an object's key, and not in a value.
    pub(super) key: bool,
    /// A number without quotes.
    pub(super) number: bool,
    /// The span is the whole string or number.
    pub(super) whole: bool,
    /// How many strings the JSON around stands in.
    pub(super) level: u8,
}

impl Place<'_> {
    /// How often the text has to be unescaped to read it.
    pub(super) fn unescapes(&self) -> u8 {
        self.level + u8::from(!self.number)
    }
}

/// A span of bytes: start and end.
pub(super) type Bounds = (usize, usize);

/// Tells `sink` where each of the spans stands, in their order, until it says `false`. Spans are in rising order and do
/// not overlap; `sink` is given the index of the span.
pub(super) fn locate(json: &[u8], spans: &[Bounds], sink: &mut Sink<'_>) {
    if !spans.is_empty() {
        Walk::new(json, spans, 0, Vec::new(), 0).documents(sink);
    }
}

pub(super) type Sink<'s> = dyn FnMut(usize, &Place<'_>) -> bool + 's;

/// An array or object that is open.
struct Open {
    object: bool,
    index: usize,
    /// The content of the key that came last, and whether something was found in it.
    key: Option<(usize, usize, bool)>,
}

struct Walk<'a> {
    text: &'a [u8],
    at: usize,
    spans: &'a [Bounds],
    /// The first span that was not passed.
    next: usize,
    /// Index of the first span in the list that was asked for.
    first: usize,
    /// The way to this text.
    prefix: Vec<Step<'a>>,
    level: u8,
    open: Vec<Open>,
}

impl<'a> Walk<'a> {
    fn new(text: &'a [u8], spans: &'a [Bounds], first: usize, prefix: Vec<Step<'a>>, level: u8) -> Self {
        Walk { text, at: 0, spans, next: 0, first, prefix, level, open: Vec::new() }
    }

    /// Reads one value after the other, as logs have them; `false` ends the search.
    fn documents(mut self, sink: &mut Sink<'_>) -> bool {
        let own = self.prefix.len();
        let mut count = 0;
        while self.next < self.spans.len() {
            self.skip_whitespace();
            if self.at >= self.text.len() {
                return true;
            }
            // The first value needs no number, which is what nearly every text has.
            self.prefix.truncate(own);
            if count > 0 {
                self.prefix.push(Step::Index(count));
            }
            count += 1;
            match self.document(sink) {
                Some(true) => {}
                Some(false) => return false,
                None => return true,
            }
        }
        true
    }

    /// One value. `None`: the bytes are no JSON.
    fn document(&mut self, sink: &mut Sink<'_>) -> Option<bool> {
        if !self.value(sink)? {
            return Some(false);
        }
        while !self.open.is_empty() && self.next < self.spans.len() {
            self.skip_whitespace();
            let byte = *self.text.get(self.at)?;
            match byte {
                b',' => {
                    self.at += 1;
                    self.open.last_mut()?.index += 1;
                }
                b'}' | b']' => {
                    self.at += 1;
                    self.open.pop();
                }
                _ if self.open.last()?.object => {
                    if !(self.key(sink)? && self.value(sink)?) {
                        return Some(false);
                    }
                }
                _ => {
                    if !self.value(sink)? {
                        return Some(false);
                    }
                }
            }
        }
        Some(true)
    }

    fn key(&mut self, sink: &mut Sink<'_>) -> Option<bool> {
        let (start, end) = self.string()?;
        let found = self.within(start, end);
        if let Some(open) = self.open.last_mut() {
            open.key = Some((start, end, !found.is_empty()));
        }
        let mut more = true;
        for index in found {
            let whole = self.spans[index] == (start, end);
            more = more && self.tell(sink, index, true, false, whole);
        }
        self.skip_whitespace();
        if self.text.get(self.at) != Some(&b':') {
            return None;
        }
        self.at += 1;
        self.skip_whitespace();
        Some(more)
    }

    fn value(&mut self, sink: &mut Sink<'_>) -> Option<bool> {
        match self.text.get(self.at)? {
            b'"' => self.string_value(sink),
            open @ (b'{' | b'[') => {
                if self.open.len() >= MAX_DEPTH {
                    return None;
                }
                self.open.push(Open { object: *open == b'{', index: 0, key: None });
                self.at += 1;
                Some(true)
            }
            _ => {
                let start = self.at;
                let ends = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t');
                let length = self.text[start..].iter().position(ends).unwrap_or(self.text.len() - start);
                if length == 0 {
                    return None;
                }
                self.at += length;
                let mut more = true;
                for index in self.within(start, self.at) {
                    more = more && self.tell(sink, index, false, true, self.spans[index] == (start, self.at));
                }
                Some(more)
            }
        }
    }

    fn string_value(&mut self, sink: &mut Sink<'_>) -> Option<bool> {
        let (start, end) = self.string()?;
        let found = self.within(start, end);
        if found.is_empty() {
            return Some(true);
        }
        let (text, spans) = decoded(&self.text[start..end], start, &self.spans[found.clone()]);
        if self.level < MAX_NESTED_TEXTS && is_json_text(&text) {
            let mut steps = self.steps();
            steps.push(Step::Inside);
            let first = self.first + found.start;
            return Some(Walk::new(&text, &spans, first, steps, self.level + 1).documents(sink));
        }
        let mut more = true;
        for index in found {
            more = more && self.tell(sink, index, false, false, self.spans[index] == (start, end));
        }
        Some(more)
    }

    fn tell(&self, sink: &mut Sink<'_>, index: usize, key: bool, number: bool, whole: bool) -> bool {
        let place = Place { steps: self.steps(), key, number, whole, level: self.level };
        sink(self.first + index, &place)
    }

    fn steps(&self) -> Vec<Step<'a>> {
        let mut steps = Vec::with_capacity(self.prefix.len() + self.open.len() + 1);
        steps.extend(self.prefix.iter().cloned());
        steps.extend(self.open.iter().map(|open| match open.key {
            _ if !open.object => Step::Index(open.index),
            Some((start, end, false)) => Step::Key(read(&self.text[start..end])),
            _ => Step::HiddenKey,
        }));
        steps
    }

    /// The spans that lie between two places; they count as passed.
    fn within(&mut self, start: usize, end: usize) -> std::ops::Range<usize> {
        while self.spans.get(self.next).is_some_and(|span| span.0 < start) {
            self.next += 1;
        }
        let from = self.next;
        while self.spans.get(self.next).is_some_and(|span| span.1 <= end) {
            self.next += 1;
        }
        from..self.next
    }

    fn skip_whitespace(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.text.get(self.at) {
            self.at += 1;
        }
    }

    /// The content of the string that starts here.
    fn string(&mut self) -> Option<Bounds> {
        if self.text.get(self.at) != Some(&b'"') {
            return None;
        }
        let start = self.at + 1;
        let mut at = start;
        loop {
            at = words::find(self.text, at, b'"', b'\\')?;
            if self.text[at] == b'"' {
                self.at = at + 1;
                return Some((start, at));
            }
            at += 2;
            if at > self.text.len() {
                return None;
            }
        }
    }
}

/// A string's content as it reads.
fn read(raw: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', raw).is_none() {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(unescape(raw, &mut Vec::new()).to_vec())
}

/// The text of a string that starts at `start`, and the spans in it in offsets of that text. Spans begin and end between
/// characters, so the pieces between them decode for themselves.
fn decoded<'t>(raw: &'t [u8], start: usize, spans: &[Bounds]) -> (Cow<'t, [u8]>, Vec<Bounds>) {
    if memchr::memchr(b'\\', raw).is_none() {
        return (Cow::Borrowed(raw), spans.iter().map(|span| (span.0 - start, span.1 - start)).collect());
    }
    let mut text = Vec::with_capacity(raw.len());
    let mut buffer = Vec::new();
    let mut at = 0;
    let mut to = |offset: usize, text: &mut Vec<u8>| {
        text.extend_from_slice(unescape(&raw[at..offset], &mut buffer));
        at = offset;
        text.len()
    };
    let bounds = spans.iter().map(|span| (to(span.0 - start, &mut text), to(span.1 - start, &mut text)));
    let bounds = bounds.collect();
    to(raw.len(), &mut text);
    (Cow::Owned(text), bounds)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ways to each `@` of a text, as words.
    fn ways(json: &str) -> Vec<(String, u8, bool, bool)> {
        let spans: Vec<Bounds> = memchr::memchr_iter(b'@', json.as_bytes()).map(|at| (at, at + 1)).collect();
        let mut found = Vec::new();
        locate(json.as_bytes(), &spans, &mut |index, place| {
            assert_eq!(index, found.len());
            let words = place.steps.iter().map(|step| match step {
                Step::Key(key) => String::from_utf8_lossy(key).into_owned(),
                Step::HiddenKey => "*".into(),
                Step::Index(at) => at.to_string(),
                Step::Inside => "#".into(),
            });
            found.push((words.collect::<Vec<_>>().join("/"), place.level, place.key, place.whole));
            true
        });
        found
    }

    #[test]
    fn ways_lead_through_arrays_objects_and_texts() {
        let inner = r#"{"c":["x","a@b \" @"],"k@":{"d":"@"}}"#;
        let json =
            serde_json::json!({"a": [1, {"b": inner}], "e\"f": "@ @", "n": [[]], "z": "@"}).to_string();
        let way = |text: &str, level, key, whole| (text.to_owned(), level, key, whole);
        assert_eq!(
            ways(&json),
            [
                way("a/1/b/#/c/1", 1, false, false),
                way("a/1/b/#/c/1", 1, false, false),
                way("a/1/b/#/*", 1, true, false),
                way("a/1/b/#/*/d", 1, false, true),
                way("e\"f", 0, false, false),
                way("e\"f", 0, false, false),
                way("z", 0, false, true),
            ]
        );
    }

    #[test]
    fn the_lines_of_a_log_are_counted() {
        let json =
            serde_json::Value::from("{\"a\":\"@\"}\n{\"a\":\"@\"}\n{\"a\":1}\n{\"b\":\"@\"}").to_string();
        let found: Vec<String> = ways(&json).into_iter().map(|way| way.0).collect();
        assert_eq!(found, ["#/a", "#/1/a", "#/3/b"]);
    }

    #[test]
    fn the_search_ends_when_told() {
        let mut seen = 0;
        locate(b"[\"@\",\"@\",\"@\"]", &[(2, 3), (6, 7), (10, 11)], &mut |_, _| {
            seen += 1;
            seen < 2
        });
        assert_eq!(seen, 2);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in "[\\[\\]{}\",:\\\\u@a1 ]{0,40}", spans in proptest::collection::vec((0usize..3, 0usize..3), 0..6)) {
            let mut at = 0;
            let mut bounds = Vec::new();
            for (gap, length) in spans {
                let start = (at + gap).min(text.len());
                at = (start + length).min(text.len());
                bounds.push((start, at));
            }
            locate(text.as_bytes(), &bounds, &mut |_, _| true);
        }
    }
}
