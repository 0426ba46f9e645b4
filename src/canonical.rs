//! The canonical text of a call's arguments and the digest that audit rows carry.
//!
//! The text is what Go's `encoding/json` writes for the decoded arguments (the AxonFlow contract, section 7.3), so
//! that a digest of ours equals the digest of the Go proxy for the same call. It is made in one pass without a
//! tree: members are written as they come and put in order when the object closes.

mod go;

pub(crate) use go::push_go_string;

use callgate_actors::limits::MAX_DEPTH;
use go::{plain_run, push_go_char, push_go_float};
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// Integers of at most so many digits are exact as a float64 (10^15 < 2^53) and Go writes them as they stand.
const EXACT_DIGITS: usize = 15;

/// Why arguments have no canonical text. The positions count bytes from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    /// Not UTF-8 or not JSON.
    #[error("arguments are no JSON at byte {at}; send one JSON value as UTF-8")]
    NotJson {
        /// Where reading stopped.
        at: usize,
    },
    /// Half of a UTF-16 pair. Go's decoder puts U+FFFD in its place; two different calls would then share one
    /// digest and one policy view, so it is refused.
    #[error("arguments hold half of a surrogate pair at byte {at}; escape the character as a whole pair")]
    LoneSurrogate {
        /// Where its escape starts.
        at: usize,
    },
    /// A number that no float64 holds.
    #[error("arguments hold a number beyond the range of a double at byte {at}; send it as a string")]
    NumberRange {
        /// Where the number starts.
        at: usize,
    },
    /// Nested deeper than [`MAX_DEPTH`]. (Go gives up at 10 000; a message that deep never gets here.)
    #[error("arguments are nested deeper than {MAX_DEPTH} levels; flatten them")]
    TooDeep,
}

/// The text that Go's `encoding/json` writes for `arguments`: no spaces, keys sorted by their UTF-8 bytes at every
/// level, the last of equal keys, every number as a float64, `<`, `>`, `&`, U+2028 and U+2029 escaped.
///
/// Absent arguments and `null` give `null`. Any JSON value is taken; that a call carries an object is the caller's
/// check.
pub fn go_json(arguments: Option<&[u8]>) -> Result<Vec<u8>, CanonicalError> {
    let Some(arguments) = arguments else { return Ok(b"null".to_vec()) };
    let text =
        str::from_utf8(arguments).map_err(|error| CanonicalError::NotJson { at: error.valid_up_to() })?;
    let mut writer =
        Rewriter { text, bytes: arguments, at: 0, out: Vec::with_capacity(arguments.len() + 16) };
    writer.skip_space();
    writer.value(0)?;
    writer.skip_space();
    if writer.at == arguments.len() { Ok(writer.out) } else { Err(writer.not_json()) }
}

/// SHA-256 over [`go_json`], 64 lower-case hex digits: the `parameters_hash` of an audit row.
pub fn parameters_hash(arguments: Option<&[u8]>) -> Result<String, CanonicalError> {
    Ok(hex_sha256(&go_json(arguments)?))
}

/// SHA-256 as 64 lower-case hex digits.
pub(crate) fn hex_sha256(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digest = Sha256::digest(bytes);
    digest
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}

/// One member of an object that is already written, at `from..to` of the output.
struct Member<'a> {
    key: Cow<'a, str>,
    from: usize,
    to: usize,
}

/// Reads JSON and writes its canonical text as it goes.
struct Rewriter<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    out: Vec<u8>,
}

impl<'a> Rewriter<'a> {
    fn value(&mut self, depth: usize) -> Result<(), CanonicalError> {
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            _ => Err(self.not_json()),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), CanonicalError> {
        let mut open = self.enter(depth, b'}')?;
        let body = self.out.len();
        let mut members: Vec<Member<'a>> = Vec::new();
        let mut in_order = true;
        while open {
            if !members.is_empty() {
                self.out.push(b',');
            }
            let from = self.out.len();
            let key = self.key()?;
            self.value(depth + 1)?;
            in_order &= members.last().is_none_or(|last| last.key < key);
            members.push(Member { key, from, to: self.out.len() });
            open = self.another(b'}')?;
        }
        if !in_order {
            self.put_in_order(body, members);
        }
        self.out.push(b'}');
        Ok(())
    }

    /// Rewrites the members behind `body` by key; of equal keys the last one stays.
    fn put_in_order(&mut self, body: usize, mut members: Vec<Member<'a>>) {
        members.sort_by(|left, right| left.key.cmp(&right.key));
        let mut ordered = Vec::with_capacity(self.out.len() - body);
        for (index, member) in members.iter().enumerate() {
            if members.get(index + 1).is_some_and(|next| next.key == member.key) {
                continue;
            }
            if !ordered.is_empty() {
                ordered.push(b',');
            }
            ordered.extend_from_slice(&self.out[member.from..member.to]);
        }
        self.out.truncate(body);
        self.out.append(&mut ordered);
    }

    fn array(&mut self, depth: usize) -> Result<(), CanonicalError> {
        let mut open = self.enter(depth, b']')?;
        let body = self.out.len();
        while open {
            if self.out.len() > body {
                self.out.push(b',');
            }
            self.value(depth + 1)?;
            open = self.another(b']')?;
        }
        self.out.push(b']');
        Ok(())
    }

    /// Takes the opening bracket; `false` when `close` follows at once, which is taken too.
    fn enter(&mut self, depth: usize, close: u8) -> Result<bool, CanonicalError> {
        if depth >= MAX_DEPTH {
            return Err(CanonicalError::TooDeep);
        }
        self.out.push(self.bytes[self.at]);
        self.at += 1;
        self.skip_space();
        let empty = self.peek() == Some(close);
        self.at += usize::from(empty);
        Ok(!empty)
    }

    /// Takes a comma (`true`) or `close` (`false`) and the spaces around it.
    fn another(&mut self, close: u8) -> Result<bool, CanonicalError> {
        self.skip_space();
        let more = match self.peek() {
            Some(b',') => true,
            Some(byte) if byte == close => false,
            _ => return Err(self.not_json()),
        };
        self.at += 1;
        if more {
            self.skip_space();
        }
        Ok(more)
    }

    /// Takes and writes a key and its colon.
    fn key(&mut self) -> Result<Cow<'a, str>, CanonicalError> {
        let from = self.at;
        if self.peek() != Some(b'"') {
            return Err(self.not_json());
        }
        self.string()?;
        let quoted = &self.text[from..self.at];
        let key = if quoted.contains('\\') {
            Cow::Owned(serde_json::from_str(quoted).map_err(|_| CanonicalError::NotJson { at: from })?)
        } else {
            Cow::Borrowed(&quoted[1..quoted.len() - 1])
        };
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.not_json());
        }
        self.at += 1;
        self.out.push(b':');
        self.skip_space();
        Ok(key)
    }

    fn string(&mut self) -> Result<(), CanonicalError> {
        self.at += 1;
        self.out.push(b'"');
        loop {
            let run = plain_run(&self.bytes[self.at..]);
            self.out.extend_from_slice(&self.bytes[self.at..self.at + run]);
            self.at += run;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    self.out.push(b'"');
                    return Ok(());
                }
                Some(b'\\') => {
                    let character = self.escape()?;
                    push_go_char(&mut self.out, character);
                }
                None | Some(0..0x20) => return Err(self.not_json()),
                Some(_) => {
                    let Some(character) = self.text[self.at..].chars().next() else {
                        return Err(self.not_json());
                    };
                    self.at += character.len_utf8();
                    push_go_char(&mut self.out, character);
                }
            }
        }
    }

    /// Takes one escape, both halves of a surrogate pair together.
    fn escape(&mut self) -> Result<char, CanonicalError> {
        let from = self.at;
        let letter = self.bytes.get(self.at + 1).copied();
        let character = match letter {
            Some(same @ (b'"' | b'\\' | b'/')) => char::from(same),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let lone = CanonicalError::LoneSurrogate { at: from };
                let first = self.code_unit()?;
                if !(0xD800..0xE000).contains(&first) {
                    return char::from_u32(first).ok_or(lone);
                }
                if first >= 0xDC00 || !self.bytes[self.at..].starts_with(b"\\u") {
                    return Err(lone);
                }
                let second = self.code_unit()?;
                if !(0xDC00..0xE000).contains(&second) {
                    return Err(lone);
                }
                return char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00)).ok_or(lone);
            }
            _ => return Err(self.not_json()),
        };
        self.at += 2;
        Ok(character)
    }

    /// Takes `\uXXXX`.
    fn code_unit(&mut self) -> Result<u32, CanonicalError> {
        let digits = self.bytes.get(self.at + 2..self.at + 6).ok_or_else(|| self.not_json())?;
        let mut unit = 0;
        for &digit in digits {
            unit = unit * 16 + char::from(digit).to_digit(16).ok_or_else(|| self.not_json())?;
        }
        self.at += 6;
        Ok(unit)
    }

    fn number(&mut self) -> Result<(), CanonicalError> {
        let from = self.at;
        self.at += usize::from(self.bytes[from] == b'-');
        let digits = match self.peek() {
            Some(b'0') => {
                self.at += 1;
                1
            }
            _ => self.digits()?,
        };
        let mut whole = true;
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
            whole = false;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
            whole = false;
        }
        let number = &self.text[from..self.at];
        if whole && digits <= EXACT_DIGITS {
            self.out.extend_from_slice(number.as_bytes());
            return Ok(());
        }
        match number.parse::<f64>() {
            Ok(value) if value.is_finite() => push_go_float(&mut self.out, value),
            _ => return Err(CanonicalError::NumberRange { at: from }),
        }
        Ok(())
    }

    /// Takes one digit or more; how many.
    fn digits(&mut self) -> Result<usize, CanonicalError> {
        let from = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at > from { Ok(self.at - from) } else { Err(self.not_json()) }
    }

    fn word(&mut self, word: &'static [u8]) -> Result<(), CanonicalError> {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(self.not_json());
        }
        self.at += word.len();
        self.out.extend_from_slice(word);
        Ok(())
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn not_json(&self) -> CanonicalError {
        CanonicalError::NotJson { at: self.at }
    }
}

#[cfg(test)]
mod tests;
