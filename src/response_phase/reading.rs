//! The strings of a long answer, decoded, in texts of bounded length.
//!
//! Reads what the redactor has checked to be JSON, and asks less of it than a reader of arguments: an answer is not
//! refused because a key stands twice in it.

use crate::policy::answer::{decoded, strings};

/// Length of a piece, in bytes. Judging takes a few times its length.
const PIECE_BYTES: usize = 256 * 1024;
/// The end of a piece stands at the start of the next one, so that a sentence on the border is seen whole.
const OVERLAP_BYTES: usize = 4 * 1024;
/// A string of at least this length that is base64 throughout is media, and no text for the model.
const MEDIA_BYTES: usize = 4 * 1024;

/// What is done with a piece.
pub(super) type Sink<'s> = dyn FnMut(&str) + 's;

/// Gives `sink` the strings of `json`, one per line, keys too.
pub(super) fn pieces(json: &[u8], sink: &mut Sink<'_>) {
    let mut piece = String::with_capacity(json.len().min(PIECE_BYTES + OVERLAP_BYTES));
    let mut buffer = Vec::new();
    for (raw, _) in strings(json) {
        if raw.len() >= MEDIA_BYTES && is_base64(raw) {
            continue;
        }
        let text = decoded(raw, &mut buffer);
        let mut rest: &str = &text;
        while !rest.is_empty() {
            let mut cut = rest.len().min(PIECE_BYTES.saturating_sub(piece.len()).max(1));
            while !rest.is_char_boundary(cut) {
                cut += 1;
            }
            piece.push_str(&rest[..cut]);
            rest = &rest[cut..];
            if piece.len() >= PIECE_BYTES {
                sink(&piece);
                let mut keep = piece.len() - OVERLAP_BYTES;
                while !piece.is_char_boundary(keep) {
                    keep += 1;
                }
                piece.drain(..keep);
            }
        }
        piece.push('\n');
    }
    if !piece.is_empty() {
        sink(&piece);
    }
}

fn is_base64(raw: &[u8]) -> bool {
    raw.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/=_-".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(json: &str) -> Vec<String> {
        let mut found = Vec::new();
        pieces(json.as_bytes(), &mut |piece| found.push(piece.to_owned()));
        found
    }

    #[test]
    fn strings_and_keys_are_read_without_media() {
        let media = "QUJD".repeat(2000);
        let json = serde_json::json!({"a\"b": ["x\ny", 1, null], "data": media, "e": ""}).to_string();
        assert_eq!(all(&json), ["a\"b\nx\ny\ndata\ne\n\n"]);
        assert_eq!(all("[1]").len(), 0);
    }

    #[test]
    fn long_texts_come_in_pieces_that_overlap() {
        let text = "é words ".repeat(100_000);
        let json = serde_json::json!([text]).to_string();
        let found = all(&json);
        assert!(
            found.len() >= 3 && found.iter().all(|piece| piece.len() <= PIECE_BYTES + 4),
            "{}",
            found.len()
        );
        let mut whole = found[0].clone();
        for piece in &found[1..] {
            let overlap = (0..=OVERLAP_BYTES)
                .rev()
                .find(|length| piece.is_char_boundary(*length) && whole.ends_with(&piece[..*length]));
            whole.push_str(&piece[overlap.unwrap()..]);
        }
        assert_eq!(whole, text + "\n");
    }
}
