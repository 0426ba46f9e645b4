//! Mail addresses in ASCII: a local part, `@`, a domain whose last label has at least two letters (the AxonFlow
//! contract, row `sys_pii_email`).

use super::AddressQuestion;
use crate::redact::window::Span;

/// A possible address: where the local part starts and where the `@` stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// First byte of the local part.
    pub start: usize,
    /// The `@`.
    pub at: usize,
}

/// Last labels that name a kind of file and no domain: `image@2x.png` is no address. None of them is delegated.
const FILE_TYPES: [&str; 30] = [
    "png", "jpg", "jpeg", "gif", "webp", "svg", "bmp", "ico", "css", "scss", "js", "mjs", "cjs", "ts", "tsx",
    "jsx", "json", "html", "htm", "xml", "yml", "yaml", "toml", "lock", "txt", "log", "csv", "pdf", "docx",
    "xlsx",
];

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-' | b'\'')
}

/// The first possible address whose `@` stands at or after `from`; nothing before `floor` belongs to it.
///
/// The `@` is no part of a local part, so all calls together look at every byte twice at most.
pub(in crate::redact) fn locate(text: &[u8], from: usize, floor: usize) -> Option<Address> {
    let mut from = from;
    loop {
        let at = from + memchr::memchr(b'@', &text[from..])?;
        let length = text[floor.min(at)..at].iter().rev().take_while(|byte| is_local(**byte)).count();
        let local = &text[at - length..at];
        let trimmed = local.iter().take_while(|byte| matches!(byte, b'.' | b'-' | b'\'')).count();
        if trimmed < length {
            return Some(Address { start: at - length + trimmed, at });
        }
        from = at + 1;
    }
}

/// Judges one possible address.
pub(super) fn email(question: &AddressQuestion<'_>) -> Option<Span> {
    let Address { start, at } = question.address;
    let text = question.around.text;
    let domain = &text[at + 1..];
    let length =
        domain.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')).count();
    let domain = &domain[..length];
    if !domain.first()?.is_ascii_alphanumeric() || is_version(domain) {
        return None;
    }
    let end = at + 1 + domain_end(domain)?;
    let remote = &text[start..at] == b"git" && matches!(question.around.after(end), Some(b':' | b'/'));
    (!remote).then_some(Span { start, end })
}

/// Where the domain ends: behind the last label that can be a top-level domain.
fn domain_end(domain: &[u8]) -> Option<usize> {
    let mut rest = domain;
    loop {
        let dot = memchr::memrchr(b'.', rest)?;
        let label = &rest[dot + 1..];
        let letters = label.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let whole = letters == label.len();
        if dot > 0 && label.len() > 4 && label[..4].eq_ignore_ascii_case(b"xn--") {
            let end = label.iter().rposition(u8::is_ascii_alphanumeric)?;
            return Some(dot + 1 + end + 1);
        }
        if dot > 0 && (2..=63).contains(&letters) {
            let file = whole && FILE_TYPES.iter().any(|kind| label.eq_ignore_ascii_case(kind.as_bytes()));
            // A file may bear an address as its name: what stands before the file's type is judged by itself.
            if !file {
                return Some(dot + 1 + letters);
            }
        }
        rest = &rest[..dot];
    }
}

/// `1.2.3-rc.one`: a version behind a package's name, three labels that start with a digit.
fn is_version(domain: &[u8]) -> bool {
    let labels = domain.splitn(4, |byte| *byte == b'.').take(3);
    labels.filter(|label| label.first().is_some_and(u8::is_ascii_digit)).count() == 3
}
