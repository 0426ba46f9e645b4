//! Keys that were read before: records repeat theirs, so what was learned of one is kept, and the key that came
//! behind it last time is tried first.

use super::detect::secrets::{self, Secret};
use super::glance::Glance;
use super::labels::Labels;
use super::lex::Text;
use super::limits::KNOWN_KEYS;

/// What is known of a key without escapes, in which nothing is to be masked.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    /// From the opening quote to the colon, which follows at once.
    written: &'a [u8],
    glance: Glance,
    /// The kind of secret that stands under such a key.
    pub(super) secret: Option<Secret>,
    /// What the key says, once somebody asked; the inner `None` is a key that says nothing itself.
    pub(super) labels: Option<Option<Labels>>,
    /// Where the key that came behind it stands.
    next: u8,
}

impl<'a> Known<'a> {
    fn content(&self) -> &'a [u8] {
        &self.written[1..self.written.len() - 2]
    }
}

/// The keys that were read lately.
pub(super) struct KnownKeys<'a> {
    places: [Option<Known<'a>>; KNOWN_KEYS],
    last: usize,
}

impl<'a> KnownKeys<'a> {
    pub(super) fn new() -> Self {
        Self { places: [None; KNOWN_KEYS], last: 0 }
    }

    /// The key at `at` and where its value may begin, if it is the one that came behind the last key before.
    #[inline]
    pub(super) fn expected(&mut self, bytes: &[u8], at: usize) -> Option<(Text, Known<'a>, usize)> {
        let place = usize::from(self.places[self.last].as_ref()?.next);
        let known = self.places[place].filter(|known| bytes[at..].starts_with(known.written))?;
        self.last = place;
        let behind = at + known.written.len();
        Some((Text { start: at + 1, end: behind - 2, escaped: false, glance: known.glance }, known, behind))
    }

    /// Notes a key that was read. What is known of it is answered.
    pub(super) fn note(&mut self, bytes: &'a [u8], key: Text) -> Known<'a> {
        let written = &bytes[key.start - 1..bytes.len().min(key.end + 2)];
        let place = place(&bytes[key.start..key.end]);
        if let Some(last) = &mut self.places[self.last] {
            last.next = place as u8;
        }
        self.last = place;
        let secret = || secrets::kind_of_name(&bytes[key.start..key.end]);
        match self.places[place] {
            Some(known) if known.written == written => known,
            _ => {
                let known =
                    Known { written, glance: key.glance, secret: secret(), labels: None, next: place as u8 };
                self.places[place] = Some(known);
                known
            }
        }
    }

    /// Keeps what a key says.
    pub(super) fn learn(&mut self, key: &[u8], labels: Option<Labels>) {
        if let Some(known) = &mut self.places[place(key)]
            && known.content() == key
        {
            known.labels = Some(labels);
        }
    }
}

const _: () = assert!(KNOWN_KEYS <= 1 << u8::BITS);

fn place(key: &[u8]) -> usize {
    let ends = [key.first(), key.last()].map(|byte| byte.map_or(0, |byte| usize::from(*byte)));
    (key.len() * 7 + ends[0] + ends[1] * 3) % KNOWN_KEYS
}
