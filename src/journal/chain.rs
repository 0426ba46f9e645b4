//! The chain: what ties each row to the one before it.
//!
//! A row ends in three members: its number, the hash of the row before it, and its own hash over every byte of the
//! line in front of the last one. Whoever changes, removes or moves a row changes a hash that the next row carries.
//! The format is written down in `docs/journal.md`.

use crate::canonical::hex_sha256;
use sha2::{Digest, Sha256};
use std::fmt;
use std::io::Write;

/// Goes into every row's hash first, so that no other use of SHA-256 gives the hash of a row.
const ROW_DOMAIN: &[u8] = b"callgate-audit-row-v1\n";
const SEQ: &[u8] = b",\"seq\":";
const PREV_HASH: &[u8] = b",\"prev_hash\":\"";
const HASH: &[u8] = b"\",\"hash\":\"";
const END: &[u8] = b"\"}";
/// What may stand behind the last byte that a hash covers but is not covered: the own hash and the end.
const UNCOVERED: usize = HASH.len() - 1 + 64 + END.len();
/// The longest end of a row that holds its three members: 20 digits and two hashes.
pub(super) const LINK_BYTES: usize = SEQ.len() + 20 + PREV_HASH.len() + 64 + HASH.len() + 64 + END.len();

/// A SHA-256 as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HexHash([u8; 64]);

impl HexHash {
    /// Sixty-four zeros: what stands before the first row.
    pub const GENESIS: Self = Self([b'0'; 64]);

    /// The hash that `digits` spell: exactly 64 of `0-9a-f`.
    pub fn read(digits: &[u8]) -> Option<Self> {
        let hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        Some(Self(digits.try_into().ok()?)).filter(|_| digits.iter().all(hex))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        // Only hex digits get in.
        str::from_utf8(&self.0).unwrap_or_default()
    }

    fn of(digest: &[u8]) -> Self {
        let mut hex = [0; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(digest) {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        Self(hex)
    }
}

impl fmt::Display for HexHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for HexHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The end of a chain: how many rows it has and the hash of the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Number of the last row; 0 when there is none.
    pub seq: u64,
    /// Its hash.
    pub hash: HexHash,
}

impl Head {
    /// Before the first row.
    pub const GENESIS: Self = Self { seq: 0, hash: HexHash::GENESIS };
}

/// The three members at a row's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// `seq`
    pub seq: u64,
    /// `prev_hash`
    pub prev_hash: HexHash,
    /// `hash`
    pub hash: HexHash,
}

impl Link {
    /// Reads the end of a row, given without its line feed. `None` for a row without these members, in exactly this
    /// spelling.
    pub fn of(row: &[u8]) -> Option<Self> {
        let (rest, hash) = row.strip_suffix(END)?.split_last_chunk::<64>()?;
        let (rest, prev_hash) = rest.strip_suffix(HASH)?.split_last_chunk::<64>()?;
        let rest = rest.strip_suffix(PREV_HASH)?;
        let digits = rest.iter().rev().take(21).take_while(|byte| byte.is_ascii_digit()).count();
        let (rest, seq) = rest.split_at(rest.len() - digits);
        rest.strip_suffix(SEQ)?;
        if seq.first()? == &b'0' {
            return None;
        }
        let seq = str::from_utf8(seq).ok()?.parse().ok()?;
        Some(Self { seq, prev_hash: HexHash::read(prev_hash)?, hash: HexHash::read(hash)? })
    }

    /// Whether the row's own hash is right: `row` is the whole line without its line feed.
    pub fn is_sound(&self, row: &[u8]) -> bool {
        row.len() > UNCOVERED && hash_of(&row[..row.len() - UNCOVERED]) == self.hash
    }

    /// The chain's end behind this row.
    pub fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.hash }
    }
}

/// The hash of the bytes of a row in front of its `hash` member.
fn hash_of(covered: &[u8]) -> HexHash {
    let mut sha = Sha256::new();
    sha.update(ROW_DOMAIN);
    sha.update(covered);
    HexHash::of(&sha.finalize())
}

/// Ties the row that begins at `from` (a JSON object with at least one member) to `head`. The new head.
pub(super) fn seal(out: &mut Vec<u8>, from: usize, head: &Head) -> Head {
    debug_assert!(out[from..].starts_with(b"{\"") && out.ends_with(b"}"));
    let seq = head.seq + 1;
    out.pop();
    out.extend_from_slice(SEQ);
    // Writing to a vector cannot fail.
    let _ = write!(out, "{seq}");
    out.extend_from_slice(PREV_HASH);
    out.extend_from_slice(&head.hash.0);
    out.push(b'"');
    let hash = hash_of(&out[from..]);
    out.extend_from_slice(&HASH[1..]);
    out.extend_from_slice(&hash.0);
    out.extend_from_slice(END);
    Head { seq, hash }
}

/// A line that a crash cut off and that was put aside; the next row says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of what there was of it.
    pub sha256: String,
}

impl Torn {
    /// What is told of a torn line.
    pub(super) fn of(line: &[u8]) -> Self {
        Self { bytes: line.len() as u64, sha256: hex_sha256(line) }
    }

    /// Adds the member to the row that ends `out`.
    pub(super) fn tell(&self, out: &mut Vec<u8>) {
        out.pop();
        let _ = write!(out, ",\"torn\":{{\"bytes\":{},\"sha256\":\"{}\"}}}}", self.bytes, self.sha256);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sealed(body: &str, head: &Head) -> (Vec<u8>, Head) {
        let mut out = body.as_bytes().to_vec();
        let head = seal(&mut out, 0, head);
        (out, head)
    }

    #[test]
    fn a_sealed_row_is_the_documented_one() {
        let (row, head) = sealed(r#"{"a":1}"#, &Head::GENESIS);
        let text = String::from_utf8(row.clone()).unwrap();
        let covered = format!("{{\"a\":1,\"seq\":1,\"prev_hash\":\"{}\"", "0".repeat(64));
        let hash = hex_sha256(format!("callgate-audit-row-v1\n{covered}").as_bytes());
        assert_eq!(text, format!("{covered},\"hash\":\"{hash}\"}}"));
        let link = Link::of(&row).unwrap();
        assert_eq!((link.seq, link.prev_hash, link.head()), (1, HexHash::GENESIS, head));
        assert!(link.is_sound(&row));
        let (next, _) = sealed(r#"{"b":"é"}"#, &head);
        assert_eq!(Link::of(&next).unwrap().prev_hash, head.hash);
    }

    #[test]
    fn what_is_spelled_otherwise_is_no_link() {
        let (row, _) = sealed(r#"{"a":1}"#, &Head::GENESIS);
        let text = String::from_utf8(row).unwrap();
        for other in [
            text.replace("\"seq\":1", "\"seq\":01"),
            text.replace("\"seq\":1", "\"seq\":+1"),
            text.replace("\"seq\":1", "\"seq\": 1"),
            text.replace("\"seq\":1", "\"seq\":"),
            text.replace("\"seq\":1", "\"seq\":99999999999999999999"),
            text.replace("\"}", "\"} "),
            text.to_uppercase(),
            String::new(),
            "\"}".to_owned(),
        ] {
            assert_eq!(Link::of(other.as_bytes()), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
            if let Some(link) = Link::of(&bytes) {
                link.is_sound(&bytes);
            }
        }

        #[test]
        fn a_changed_row_is_never_sound(text in "[a-z]{0,40}", at: prop::sample::Index, bit in 0u8..8) {
            let (row, head) = sealed(&format!("{{\"a\":\"{text}\"}}"), &Head { seq: 7, hash: HexHash::GENESIS });
            let mut changed = row.clone();
            changed[at.index(row.len())] ^= 1 << bit;
            let unchanged = Link::of(&changed).is_some_and(|link| link.is_sound(&changed) && link.head() == head);
            prop_assert!(!unchanged);
        }
    }
}
