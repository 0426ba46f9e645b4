//! What stands in place of a masked value: a token, a mask, a keyed hash, or a pseudonym, by type.
//!
//! The forms are those of the AxonFlow contract, section 5.4, as far as they leak nothing that a token would not; a
//! hash there is unsalted and short, so that small spaces of identifiers can be tried out: ours is keyed and long.

use super::detect::{DETECTORS, Judge};
use super::places::Place;
use super::pseudonyms::{Known, Pseudonyms};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::str::FromStr;
use std::sync::Arc;

/// One way of writing what was masked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// `[REDACTED:email]`
    #[default]
    Token,
    /// `[REDACTED]`
    Plain,
    /// First and last character, asterisks between; up to four characters are all asterisks.
    Mask,
    /// Two characters at each end; under seven as [`Style::Mask`].
    Partial,
    /// `[HASH:email:<32 hex>]`: 128 bits of an HMAC-SHA-256 under a key of this installation.
    Hash,
    /// `[EMAIL_3]`, the same for the same value in this session, and turned back into it in calls.
    Pseudonym,
}

/// The words of the setting. `remove` is what the AxonFlow contract calls a token.
const WORDS: &[(&str, Style)] = &[
    ("token", Style::Token),
    ("remove", Style::Token),
    ("plain", Style::Plain),
    ("mask", Style::Mask),
    ("partial", Style::Partial),
    ("hash", Style::Hash),
    ("pseudonym", Style::Pseudonym),
];

/// Which style for which type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Styles {
    others: Style,
    by_kind: BTreeMap<&'static str, Style>,
}

/// The text names no styles.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct UnknownStyle {
    /// What is wrong.
    pub what: String,
    /// The way out.
    pub hint: String,
}

impl Styles {
    /// The style of a type.
    pub fn of(&self, kind: &str) -> Style {
        self.by_kind.get(kind).copied().unwrap_or(self.others)
    }

    /// Whether any type has this style.
    pub fn has(&self, style: Style) -> bool {
        self.others == style || self.by_kind.values().any(|own| *own == style)
    }

    /// Whether everything is written as a token.
    pub fn is_plain_token(&self) -> bool {
        self.others == Style::Token && self.by_kind.values().all(|own| *own == Style::Token)
    }
}

impl FromStr for Styles {
    type Err = UnknownStyle;

    /// Reads one word for all types, or `email=pseudonym,card=partial,*=token`.
    fn from_str(text: &str) -> Result<Self, UnknownStyle> {
        let mut styles = Self::default();
        let mut seen = BTreeSet::new();
        for part in text.split(',').map(str::trim) {
            let (name, word) =
                part.split_once('=').map_or(("*", part), |(name, word)| (name.trim(), word.trim()));
            let style = style_of(word)?;
            if !seen.insert(name) {
                return Err(UnknownStyle {
                    what: format!("{name:?} has two styles"),
                    hint: "keep one of them".into(),
                });
            }
            match kind_of(name) {
                _ if name == "*" => styles.others = style,
                Some(kind) => drop(styles.by_kind.insert(kind, style)),
                None => {
                    return Err(UnknownStyle { what: format!("{name:?} is no type"), hint: known_kinds() });
                }
            }
        }
        Ok(styles)
    }
}

fn style_of(word: &str) -> Result<Style, UnknownStyle> {
    let found = WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word));
    found.map(|(_, style)| *style).ok_or_else(|| UnknownStyle {
        what: format!("{word:?} is no style"),
        hint: "use token, plain, mask, partial, hash or pseudonym, for all types or as \
               email=pseudonym,card=partial,*=token"
            .into(),
    })
}

/// The type that is called so.
pub(super) fn kind_of(name: &str) -> Option<&'static str> {
    DETECTORS.iter().map(|detector| detector.kind).find(|kind| *kind == name)
}

/// Says which types there are.
pub(super) fn known_kinds() -> String {
    let kinds: BTreeSet<&str> = DETECTORS.iter().map(|detector| detector.kind).collect();
    format!("use one of {}", kinds.into_iter().collect::<Vec<_>>().join(", "))
}

/// Hexadecimal digits of a hash.
pub(super) const HASH_DIGITS: usize = 32;

/// The key of this installation's hashes. `Debug` does not print it.
#[derive(Clone)]
pub struct HashKey([u8; 32]);

impl HashKey {
    /// A key of 256 bits.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// HMAC-SHA-256 (RFC 2104) over the type and the value, cut to 128 bits: enough that no two values of a life meet.
    fn digest(&self, kind: &str, value: &[u8]) -> String {
        let pad = |byte: u8| {
            let mut block = [byte; 64];
            block.iter_mut().zip(self.0).for_each(|(block, key)| *block ^= key);
            block
        };
        let inner = Sha256::new().chain_update(pad(0x36)).chain_update(kind).chain_update([0]);
        let inner = inner.chain_update(value).finalize();
        let outer = Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize();
        outer.iter().take(HASH_DIGITS / 2).fold(String::with_capacity(HASH_DIGITS), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

impl std::fmt::Debug for HashKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashKey([secret])")
    }
}

/// Writes what takes the place of a value.
#[derive(Clone, Debug, Default)]
pub struct Replacer {
    styles: Styles,
    key: Option<HashKey>,
    pseudonyms: Option<Arc<Pseudonyms>>,
}

impl Replacer {
    /// A style that needs a key or pseudonyms falls back to tokens where there are none.
    pub fn new(styles: Styles, key: Option<HashKey>, pseudonyms: Option<Arc<Pseudonyms>>) -> Self {
        Self { styles, key, pseudonyms }
    }

    /// Whether anything is written otherwise than as a token.
    pub(super) fn restyles(&self) -> bool {
        !self.styles.is_plain_token()
    }

    /// The pseudonyms given so far.
    pub(super) fn pseudonyms(&self) -> Option<&Pseudonyms> {
        self.pseudonyms.as_deref()
    }

    /// What takes the place of `value`, decoded, which stands at `place` in an answer of `backend`; ASCII without
    /// quotes and backslashes, so that it fits into any JSON text. `true` with it says that two values never share it.
    pub(super) fn text(
        &self,
        row: u8,
        value: &[u8],
        place: &Place<'_>,
        backend: &str,
    ) -> (Cow<'static, str>, bool) {
        let detector = &DETECTORS[usize::from(row)];
        let token = (Cow::Borrowed(detector.token), false);
        let style = self.styles.of(detector.kind);
        match style {
            Style::Token => token,
            Style::Hash => match &self.key {
                Some(key) => {
                    (format!("[HASH:{}:{}]", detector.kind, key.digest(detector.kind, value)).into(), true)
                }
                None => token,
            },
            Style::Pseudonym => {
                let known = Known { row, number: place.number && place.whole };
                let name = self.pseudonyms.as_ref().and_then(|names| names.name(backend, known, value));
                name.map_or(token, |name| (name.into(), true))
            }
            // The ends of a secret are part of it, and two keys of one object must not read alike.
            _ if place.key || matches!(detector.judge, Judge::Secret(_)) => token,
            Style::Plain => (Cow::Borrowed("[REDACTED]"), false),
            Style::Mask => (masked(value, 1).into(), false),
            Style::Partial => (masked(value, 2).into(), false),
        }
    }
}

/// Asterisks with `ends` characters left at each end. Only letters and digits are left: anything else could mean
/// something where it stands.
fn masked(value: &[u8], ends: usize) -> String {
    let text = String::from_utf8_lossy(value);
    let length = text.chars().count();
    let ends = match length {
        0..=4 => 0,
        5..=6 => 1,
        _ => ends,
    };
    let shown = |(at, character): (usize, char)| {
        let at_end = at < ends || at + ends >= length;
        if at_end && character.is_ascii_alphanumeric() { character } else { '*' }
    };
    text.chars().enumerate().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_are_read_by_type_or_for_all() {
        let styles: Styles = "pseudonym".parse().unwrap();
        assert_eq!(styles.of("email"), Style::Pseudonym);
        let styles: Styles = "email=pseudonym, card=Partial,*=hash".parse().unwrap();
        assert_eq!([styles.of("email"), styles.of("card")], [Style::Pseudonym, Style::Partial]);
        assert_eq!(styles.of("iban"), Style::Hash);
        assert!(styles.has(Style::Hash) && !styles.has(Style::Mask));
        let styles: Styles = "email=remove".parse().unwrap();
        assert!(styles.is_plain_token());
    }

    #[test]
    fn unknown_words_are_refused_with_the_way_out() {
        let wrong = |text: &str| text.parse::<Styles>().unwrap_err();
        assert_eq!(wrong("masked").what, "\"masked\" is no style");
        assert!(wrong("e-mail=mask").hint.starts_with("use one of aadhaar, anthropic_key"));
        assert_eq!(wrong("email=mask,email=hash").what, "\"email\" has two styles");
        for text in ["", "email=", "=mask", "email:mask", "mask,,"] {
            assert!(text.parse::<Styles>().is_err(), "{text}");
        }
    }

    #[test]
    fn masks_are_those_of_the_contract() {
        assert_eq!(masked(b"1234", 1), "****");
        assert_eq!(masked(b"12345", 2), "1***5");
        assert_eq!(masked(b"3174012501990001", 2), "31************01");
        assert_eq!(masked(b"3174012501990001", 1), "3**************1");
        assert_eq!(masked("\"jané\\".as_bytes(), 1), "******");
        assert_eq!(masked(b"", 2), "");
    }

    #[test]
    fn the_digest_is_hmac_sha_256() {
        // RFC 4231 pads shorter keys with zeros, so its first case can be asked, with the type taken from its text.
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        let digest = HashKey(key).digest("Hi There", b"");
        let expected = {
            let with_key = |text: &[u8]| {
                let (mut inner, mut outer) = ([0x36; 64], [0x5c; 64]);
                for at in 0..20 {
                    inner[at] ^= 0x0b;
                    outer[at] ^= 0x0b;
                }
                let inner = Sha256::new().chain_update(inner).chain_update(text).finalize();
                Sha256::new().chain_update(outer).chain_update(inner).finalize()
            };
            let plain = with_key(b"Hi There");
            assert_eq!(plain[..4], [0xb0, 0x34, 0x4c, 0x61], "RFC 4231, test case 1");
            with_key(b"Hi There\0")[..16].iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        assert_eq!(digest, expected);
        assert_eq!(format!("{:?}", HashKey(key)), "HashKey([secret])");
    }
}
