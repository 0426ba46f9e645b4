//! Which strings are media and therefore left alone: the base64 of images, sounds and other files in MCP content.
//!
//! The rule, which never trusts a claim without looking at the text:
//!
//! - Text is *base64* when it has only the base64 alphabet (standard or URL-safe, RFC 4648), at most two `=` and those
//!   at the end, a length divisible by four without line breaks, and both an upper-case and a lower-case letter. A
//!   number of 16 digits is in the alphabet too, but is no base64 by this rule.
//! - A base64 string under the key `data` or `blob` is media when it has at least 64 characters
//!   ([`limits::MEDIA_PROOF_BYTES`](super::limits::MEDIA_PROOF_BYTES)).
//! - A shorter one is media when its own object says so, before or after it: for `data` a `type` of `image` or
//!   `audio` or a `mimeType` starting with `image/`, `audio/` or `video/`; for `blob` also a `uri` (an embedded
//!   resource). The scanner marks what it would mask and takes the marks back at the object's end.
//! - Under any key, a string that as a whole is a `data:` URI with base64 (RFC 2397), such as `icons[].src`, unless its
//!   media type is one of text or has parameters.

use super::limits::{DATA_URI_HEAD_BYTES, MEDIA_PROOF_BYTES};

/// What an object has said of itself so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Claims {
    media: bool,
    resource: bool,
    /// The splices that were made for a short `data` or `blob` in base64: first and behind the last.
    pending: [Option<(usize, usize)>; 2],
}

/// What a string member of an object means for media.
pub(super) enum Meaning {
    /// Nothing.
    Plain,
    /// Media without doubt.
    Media,
    /// Media if the object says so: remember what was spliced with [`Claims::remember`].
    Possible(Slot),
}

/// `data` or `blob`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Data,
    Blob,
}

impl Claims {
    /// Takes note of a string member; keys and values as raw bytes. Only of a `suspicious` value it matters whether
    /// it is media.
    pub(super) fn member(&mut self, key: &[u8], value: &[u8], suspicious: bool) -> Meaning {
        let slot = match key {
            b"type" => {
                self.media |= matches!(value, b"image" | b"audio");
                return Meaning::Plain;
            }
            b"mimeType" => {
                self.media |=
                    [&b"image/"[..], b"audio/", b"video/"].iter().any(|start| value.starts_with(start));
                return Meaning::Plain;
            }
            b"uri" => {
                self.resource = true;
                return Meaning::Plain;
            }
            b"data" => Slot::Data,
            b"blob" => Slot::Blob,
            _ => return Meaning::Plain,
        };
        if !suspicious || !is_base64(value) {
            Meaning::Plain
        } else if value.len() >= MEDIA_PROOF_BYTES {
            Meaning::Media
        } else {
            Meaning::Possible(slot)
        }
    }

    /// Remembers the splices made for a possible media string; of two equal keys only the last can be taken back.
    pub(super) fn remember(&mut self, slot: Slot, from: usize, to: usize) {
        self.pending[usize::from(slot == Slot::Blob)] = Some((from, to));
    }

    /// The ranges of splices to take back, once the object has ended.
    pub(super) fn taken_back(&self) -> impl Iterator<Item = (usize, usize)> {
        let [data, blob] = self.pending;
        let data = data.filter(|_| self.media);
        let blob = blob.filter(|_| self.media || self.resource);
        data.into_iter().chain(blob)
    }
}

/// Whether a raw string is a `data:` URI whose content is base64.
pub(super) fn is_data_uri(raw: &[u8]) -> bool {
    if !raw.starts_with(b"data:") {
        return false;
    }
    let head = &raw[..raw.len().min(DATA_URI_HEAD_BYTES)];
    let marker = b";base64,";
    memchr::memmem::find(head, marker)
        .is_some_and(|at| !is_text(&head[5..at]) && is_base64(&raw[at + marker.len()..]))
}

/// Whether a media type is one of text, or has parameters that may say something.
fn is_text(kind: &[u8]) -> bool {
    let kind = kind.strip_suffix(b";charset=utf-8").unwrap_or(kind);
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'.' | b'+');
    let named = |name: &[u8]| memchr::memmem::find(kind, name).is_some();
    kind.starts_with(b"text/")
        || [&b"json"[..], b"xml", b"csv", b"yaml"].into_iter().any(named) && !named(b"svg")
        || !kind.iter().all(plain)
        || kind.iter().filter(|byte| byte.is_ascii_digit()).count() > 4
}

/// Whether a raw string is base64 by the rule above. Escaped slashes (`\/`, as PHP writes them) and escaped line
/// breaks count as what they mean.
fn is_base64(raw: &[u8]) -> bool {
    let padding = raw.iter().rev().take_while(|byte| **byte == b'=').count();
    if padding > 2 {
        return false;
    }
    let body = &raw[..raw.len() - padding];
    let (mut foreign, mut upper, mut lower) = (0u8, 0u8, 0u8);
    // Plain sums of comparisons, which the compiler turns into vector code.
    for &byte in body {
        let is_upper = u8::from(byte.wrapping_sub(b'A') < 26);
        let is_lower = u8::from(byte.wrapping_sub(b'a') < 26);
        let is_digit = u8::from(byte.wrapping_sub(b'0') < 10);
        let is_sign =
            u8::from(byte == b'+') | u8::from(byte == b'/') | u8::from(byte == b'-') | u8::from(byte == b'_');
        foreign |= 1 - (is_upper | is_lower | is_digit | is_sign);
        upper |= is_upper;
        lower |= is_lower;
    }
    match (foreign, upper, lower) {
        (0, 1, 1) => raw.len().is_multiple_of(4),
        (1, 1, 1) => is_escaped_base64(body).is_some_and(|length| (length + padding).is_multiple_of(4)),
        _ => false,
    }
}

/// The length without escapes, when only the escapes `\/`, `\n` and `\r` keep the text from being base64.
fn is_escaped_base64(body: &[u8]) -> Option<usize> {
    let mut length = 0;
    let mut bytes = body.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => match bytes.next()? {
                b'/' => length += 1,
                b'n' | b'r' => {}
                _ => return None,
            },
            b'+' | b'/' | b'-' | b'_' => length += 1,
            byte if byte.is_ascii_alphanumeric() => length += 1,
            _ => return None,
        }
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::{is_base64, is_data_uri};

    #[test]
    fn base64_is_told_from_numbers_and_words() {
        assert!(is_base64(b"aGVsbG8gd29ybGQ="));
        assert!(is_base64(br"aGVs\/G8g\r\nd29ybGQ="));
        for no in
            [&b"4111111111111111"[..], b"aGVsbG8gd29ybGQ", b"aGVsbG8 d29ybGQ=", b"a=b=", b"aGV\\tsbG8", b""]
        {
            assert!(!is_base64(no), "{}", String::from_utf8_lossy(no));
        }
    }

    #[test]
    fn data_uris_are_media_as_a_whole_only() {
        assert!(is_data_uri(b"data:image/png;base64,iVBORw0KGgo="));
        assert!(!is_data_uri(b"data:image/png;base64,iVBORw0KGgo= and 4111111111111111"));
        assert!(!is_data_uri(b"data:text/plain,4111111111111111"));
    }
}
