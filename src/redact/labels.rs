//! Words that speak for the number beside them: "NPWP", "rekening", a bank's name, in text and in object keys.
//!
//! A token of ours (`[REDACTED:bank_account]`) is never a label, and in front of a value it counts with its own
//! length whether it already stands in the text or is about to be put there. So a second run over a redacted text
//! sees the same labels at the same distances as the first and finds nothing new.

use super::limits::LABEL_BEHIND_BYTES;

/// A set of labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Labels(u8);

impl Labels {
    /// No label.
    pub const NONE: Self = Self(0);
    /// Identity card: "NIK", "KTP".
    pub const NIK: Self = Self(1);
    /// Tax number.
    pub const NPWP: Self = Self(2);
    /// A bank account of any bank: "rekening", "account number".
    pub const ACCOUNT: Self = Self(4);
    /// Bank Central Asia.
    pub const BCA: Self = Self(8);
    /// Bank Mandiri.
    pub const MANDIRI: Self = Self(16);
    /// Bank Rakyat Indonesia.
    pub const BRI: Self = Self(32);
    /// Bank Negara Indonesia.
    pub const BNI: Self = Self(64);
    /// Any label of a bank account.
    pub const BANKS: Self = Self(4 | 8 | 16 | 32 | 64);

    /// Both sets together.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What both sets have.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the sets share a label.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// Words in a row, in lower case, and what they say. Case, `camelCase`, `snake_case` and punctuation do not matter.
const PHRASES: &[(&[&str], Labels)] = &[
    (&["nik"], Labels::NIK),
    (&["ktp"], Labels::NIK),
    (&["noktp"], Labels::NIK),
    (&["npwp"], Labels::NPWP),
    (&["nonpwp"], Labels::NPWP),
    (&["bca"], Labels::BCA),
    (&["mandiri"], Labels::MANDIRI),
    (&["bri"], Labels::BRI),
    (&["bni"], Labels::BNI),
    (&["rekening"], Labels::ACCOUNT),
    (&["norekening"], Labels::ACCOUNT),
    (&["norek"], Labels::ACCOUNT),
    (&["rek"], Labels::ACCOUNT),
    (&["accountnumber"], Labels::ACCOUNT),
    (&["accountno"], Labels::ACCOUNT),
    (&["bankaccount"], Labels::ACCOUNT),
    (&["account", "number"], Labels::ACCOUNT),
    (&["account", "num"], Labels::ACCOUNT),
    (&["account", "no"], Labels::ACCOUNT),
    (&["acct", "number"], Labels::ACCOUNT),
    (&["acct", "no"], Labels::ACCOUNT),
    (&["acc", "no"], Labels::ACCOUNT),
    (&["bank", "account"], Labels::ACCOUNT),
    (&["bank", "acct"], Labels::ACCOUNT),
];

/// Keys that say nothing themselves, so that the key around them speaks: `{"rekening":{"number":…}}`.
const PLAIN_KEYS: &[&str] = &["number", "no", "nomor", "num", "value", "account", "text", "id"];

/// Longest word in [`PHRASES`] and [`PLAIN_KEYS`].
const LONGEST_WORD: usize = 13;

const TOKEN_HEAD: &[u8] = b"[REDACTED:";

/// Where the token that covers or starts at the beginning of `text` ends, if there is one.
fn token_end(text: &[u8]) -> Option<usize> {
    let name = text.strip_prefix(TOKEN_HEAD)?;
    let length = name.iter().position(|byte| !(byte.is_ascii_lowercase() || *byte == b'_'))?;
    (name.get(length) == Some(&b']')).then_some(TOKEN_HEAD.len() + length + 1)
}

/// Longest token (`[REDACTED:bank_account]` and room for longer types).
const LONGEST_TOKEN: usize = 40;

/// Skips a token that `at` lies inside of, as long as it starts at or after `floor`.
pub(super) fn skip_cut_token(text: &[u8], floor: usize, at: usize) -> usize {
    let from = floor.max(at.saturating_sub(LONGEST_TOKEN));
    let to = text.len().min(at + TOKEN_HEAD.len());
    let Some(start) = memchr::memmem::rfind(&text[from..to], TOKEN_HEAD).map(|offset| from + offset) else {
        return at;
    };
    match token_end(&text[start..]) {
        Some(length) if start < at && start + length > at => start + length,
        _ => at,
    }
}

/// A reader of words that knows which labels the words so far amount to.
#[derive(Default)]
struct Reader {
    found: Labels,
    previous: Word,
}

#[derive(Clone, Copy, Default)]
struct Word {
    bytes: [u8; LONGEST_WORD],
    /// 0 where nothing may be joined with the next word.
    length: usize,
}

impl Word {
    fn new(text: &[u8]) -> Self {
        let mut word = Self::default();
        if text.len() <= LONGEST_WORD {
            word.length = text.len();
            for (lower, byte) in word.bytes.iter_mut().zip(text) {
                *lower = byte.to_ascii_lowercase();
            }
        }
        word
    }

    fn is(&self, text: &str) -> bool {
        &self.bytes[..self.length] == text.as_bytes()
    }
}

impl Reader {
    fn word(&mut self, text: &[u8]) {
        let word = Word::new(text);
        for (phrase, label) in PHRASES {
            let hit = match phrase {
                [only] => word.is(only),
                [first, second] => word.is(second) && self.previous.is(first),
                _ => false,
            };
            if hit {
                self.found = self.found.or(*label);
            }
        }
        self.previous = word;
    }

    fn barrier(&mut self) {
        self.previous = Word::default();
    }

    fn text(&mut self, text: &[u8]) {
        let mut at = 0;
        while at < text.len() {
            if text[at].is_ascii_alphabetic() {
                let end = word_end(text, at);
                self.word(&text[at..end]);
                at = end;
            } else if let Some(length) = token_end(&text[at..]) {
                self.barrier();
                at += length;
            } else {
                if text[at].is_ascii_digit() {
                    self.barrier();
                }
                at += 1;
            }
        }
        self.barrier();
    }
}

/// The end of the word that starts at `at`: letters up to a change from lower to upper case, or up to the last of
/// several upper-case letters before a lower-case one (`noRek`, `BCAAccount`).
fn word_end(text: &[u8], at: usize) -> usize {
    let letters = text[at..].iter().position(|byte| !byte.is_ascii_alphabetic());
    let end = letters.map_or(text.len(), |length| at + length);
    for next in at + 1..end {
        if !text[next].is_ascii_uppercase() {
            continue;
        }
        let after_lower = text[next - 1].is_ascii_lowercase();
        if after_lower || (next + 1 < end && text[next + 1].is_ascii_lowercase()) {
            return next;
        }
    }
    end
}

/// The labels in pieces of text that stand in a row with masked spans between them.
pub(super) fn of_pieces<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Labels {
    let mut reader = Reader::default();
    for piece in pieces {
        reader.text(piece);
    }
    reader.found
}

/// The labels in an object key, decoded; `None` when the key says nothing itself.
pub(super) fn of_key(key: &[u8]) -> Option<Labels> {
    if PLAIN_KEYS.iter().any(|plain| key.eq_ignore_ascii_case(plain.as_bytes())) {
        return None;
    }
    Some(of_pieces(std::iter::once(key)))
}

/// The bank named right behind a value, as in `1234567890 (BCA)` or `1234567890 - Bank Mandiri`.
pub(super) fn behind(text: &[u8]) -> Labels {
    let reach = &text[..text.len().min(LABEL_BEHIND_BYTES)];
    let mut at = 0;
    for _ in 0..2 {
        let gap = reach[at..].iter().position(|byte| !matches!(byte, b' ' | b'(' | b'-' | b'/' | b','));
        let Some(gap) = gap.filter(|gap| *gap <= 3) else { return Labels::NONE };
        at += gap;
        let end = word_end(reach, at);
        if reach[at..end].eq_ignore_ascii_case(b"bank") {
            at = end;
            continue;
        }
        // A word that the reach cuts off is not a word.
        let whole = end < reach.len() || end == text.len();
        let found = if whole { of_pieces(std::iter::once(&reach[at..end])) } else { Labels::NONE };
        return found.and(Labels::BANKS);
    }
    Labels::NONE
}

#[cfg(test)]
mod tests {
    use super::{Labels, behind, of_key, of_pieces, skip_cut_token};

    fn of_text(text: &str) -> Labels {
        of_pieces(std::iter::once(text.as_bytes()))
    }

    #[test]
    fn phrases_are_found_however_they_are_written() {
        for text in ["No. Rek: ", "nomor rekening tujuan", "Bank Account - ", "ACCOUNT NO.", "acct no"] {
            assert_eq!(of_text(text), Labels::ACCOUNT, "{text}");
        }
        for key in ["no_rek", "norek", "noRekening", "bankAccount", "account-number", "REKENING", "accountNo"]
        {
            assert_eq!(of_key(key.as_bytes()), Some(Labels::ACCOUNT), "{key}");
        }
        assert_eq!(of_key(b"BCAAccount"), Some(Labels::BCA));
        assert_eq!(of_key(b"number"), None);
    }

    #[test]
    fn words_inside_words_are_no_labels() {
        for text in ["brigade", "technik", "rekor", "abri", "mandiriku", "account 5 number", "no, account"] {
            assert_eq!(of_text(text), Labels::NONE, "{text}");
        }
    }

    #[test]
    fn tokens_are_no_labels() {
        assert_eq!(of_text("[REDACTED:bank_account] and [REDACTED:npwp]"), Labels::NONE);
        assert_eq!(of_text("bank [REDACTED:email] account"), Labels::NONE);
        let text = b"x [REDACTED:bank_account] y";
        for at in 3..25 {
            assert_eq!(skip_cut_token(text, 0, at), 25, "{at}");
        }
        assert_eq!(skip_cut_token(text, 0, 2), 2);
        assert_eq!(skip_cut_token(text, 0, 25), 25);
    }

    #[test]
    fn a_bank_may_be_named_behind() {
        assert_eq!(behind(b" (BCA) a.n. Budi"), Labels::BCA);
        assert_eq!(behind(b" Bank Mandiri"), Labels::MANDIRI);
        assert_eq!(behind(b", order for BCA"), Labels::NONE);
        assert_eq!(behind(b""), Labels::NONE);
        assert_eq!(behind(b" rekening"), Labels::ACCOUNT);
    }
}
