//! Checkpoints: the chain's end at some moment, signed.
//!
//! They stand in a file of their own, a line each, so that the audit file holds rows and nothing else. The format is
//! written down in `docs/journal.md`.

use super::chain::{Head, HexHash};
use super::keys::{Keys, is_signed};
use super::place;
use jiff::Timestamp;
use serde::Deserialize;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

const DOMAIN: &[u8] = b"callgate-audit-checkpoint-v1\n";
const SIGNATURE: &str = ",\"signature\":\"";

/// Why a checkpoint was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// From time to time.
    Mark,
    /// A new audit file begins behind this row: the one before was rotated, moved away or emptied.
    Begin,
    /// A process ended in order.
    Close,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Mark => "mark",
            Self::Begin => "begin",
            Self::Close => "close",
        }
    }
}

/// One line of the checkpoint file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Why it was made.
    pub kind: Kind,
    /// The chain's end.
    pub head: Head,
    /// When, RFC 3339.
    pub time: String,
    /// Who signed: an Ed25519 public key, 64 hex digits.
    pub public_key: String,
    /// Whether the signature is right.
    pub is_signed: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    kind: Kind,
    seq: u64,
    hash: String,
    time: String,
    public_key: String,
    signature: String,
}

impl Checkpoint {
    /// Reads one line, given without its line feed, and checks its signature. `None` when it is no checkpoint.
    pub fn read(line: &[u8]) -> Option<Self> {
        let parsed: Line = serde_json::from_slice(line).ok()?;
        let Line { kind, seq, hash, time, public_key, signature } = parsed;
        let head = Head { seq, hash: HexHash::read(hash.as_bytes())? };
        let covered = covered(kind, &head, &time, &public_key);
        // One spelling only, so that nothing in a line goes unsigned.
        let is_spelled = line == format!("{covered}{SIGNATURE}{signature}\"}}").as_bytes()
            && seq > 0
            && time.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'T' | b'Z' | b':' | b'.' | b'-'))
            && HexHash::read(public_key.as_bytes()).is_some()
            && signature.len() == 128
            && signature.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !is_spelled {
            return None;
        }
        let is_signed = is_signed(&public_key, &[DOMAIN, covered.as_bytes()].concat(), &signature);
        Some(Self { kind, head, time, public_key, is_signed })
    }

    /// The line of a checkpoint, with its line feed.
    fn write(kind: Kind, head: &Head, keys: &Keys) -> Vec<u8> {
        let covered = covered(kind, head, &Timestamp::now().to_string(), &keys.public_hex());
        let signature = keys.sign(&[DOMAIN, covered.as_bytes()].concat());
        format!("{covered}{SIGNATURE}{signature}\"}}\n").into_bytes()
    }
}

/// What a checkpoint's signature covers.
fn covered(kind: Kind, head: &Head, time: &str, public_key: &str) -> String {
    let (kind, Head { seq, hash }) = (kind.word(), head);
    format!(
        "{{\"kind\":\"{kind}\",\"seq\":{seq},\"hash\":\"{hash}\",\"time\":\"{time}\",\"public_key\":\"{public_key}\""
    )
}

/// Appends a checkpoint to the file at `path`, and the public key to the list beside it. The caller has the journal's
/// lock.
pub(super) fn append(path: &Path, keys_path: &Path, kind: Kind, head: &Head, keys: &Keys) -> io::Result<()> {
    publish(keys_path, keys)?;
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    place::make_private(&mut options);
    let mut file = options.open(path)?;
    let len = file.metadata()?.len();
    if len > 0 {
        let mut last = [0];
        file.seek(SeekFrom::Start(len - 1))?;
        file.read_exact(&mut last)?;
        if last != [b'\n'] {
            // A crash cut it off. It says nothing that the new one does not say.
            let text = fs::read(path)?;
            let whole = memchr::memrchr(b'\n', &text).map_or(0, |at| at + 1);
            file.set_len(whole as u64)?;
            tracing::warn!(?path, "a torn checkpoint was removed; the next one stands for it");
        }
    }
    file.write_all(&Checkpoint::write(kind, head, keys))
}

/// Adds our public key to the list, unless it stands there.
fn publish(path: &Path, keys: &Keys) -> io::Result<()> {
    let line = format!("ed25519 {}\n", keys.public_hex());
    let known = match fs::read_to_string(path) {
        Ok(known) => known,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    if known.contains(&line) {
        return Ok(());
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    options.open(path)?.write_all(line.as_bytes())
}

/// The public keys in a list: lines of `ed25519 <64 hex digits>`; bare digits are taken too.
pub fn public_keys(text: &str) -> Vec<String> {
    let key = |line: &str| {
        let line = line.trim();
        let key = line.strip_prefix("ed25519 ").unwrap_or(line);
        HexHash::read(key.as_bytes()).map(|_| key.to_owned())
    };
    text.lines().filter_map(key).collect()
}

/// The end of the chain as the last signed checkpoint tells it.
pub(super) fn last_head(path: &Path) -> Option<Head> {
    let text = fs::read(path).ok()?;
    let lines = text.split(|byte| *byte == b'\n').rev();
    lines
        .filter_map(Checkpoint::read)
        .find(|checkpoint| checkpoint.is_signed)
        .map(|checkpoint| checkpoint.head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_reads_back_and_no_changed_byte_passes() {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::open(dir.path()).unwrap();
        let head = Head { seq: 42, hash: HexHash::read(&[b'a'; 64]).unwrap() };
        let mut line = Checkpoint::write(Kind::Begin, &head, &keys);
        assert_eq!(line.pop(), Some(b'\n'));
        let read = Checkpoint::read(&line).unwrap();
        assert_eq!((read.kind, read.head, read.is_signed), (Kind::Begin, head, true));
        assert_eq!(read.public_key, keys.public_hex());
        for at in 0..line.len() {
            let mut changed = line.clone();
            changed[at] ^= 1;
            let passes = Checkpoint::read(&changed).is_some_and(|read| read.is_signed);
            assert!(!passes, "byte {at} of {}", String::from_utf8_lossy(&line));
        }
    }

    #[test]
    fn a_torn_checkpoint_makes_room_and_the_key_is_listed_once() {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::open(dir.path()).unwrap();
        let (path, public) = (dir.path().join("c"), dir.path().join("p"));
        let head = |seq| Head { seq, hash: HexHash::GENESIS };
        append(&path, &public, Kind::Mark, &head(1), &keys).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"kind\":\"ma").unwrap();
        append(&path, &public, Kind::Close, &head(2), &keys).unwrap();
        let text = fs::read(&path).unwrap();
        let lines: Vec<_> = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| Checkpoint::read(line).is_some_and(|read| read.is_signed)));
        assert_eq!(last_head(&path), Some(head(2)));
        assert_eq!(public_keys(&fs::read_to_string(&public).unwrap()), [keys.public_hex()]);
    }
}
