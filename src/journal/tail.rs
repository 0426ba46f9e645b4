//! The end of an audit file: its last row, and what a crash left behind it.

use super::chain::{LINK_BYTES, Link};
use super::place::read_at;
use serde::de::IgnoredAny;
use std::fs::File;
use std::io;

/// How much of a file's end is read at once when a line is longer than its link.
const PIECE: u64 = 64 * 1024;

/// How a file ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// There is nothing in it.
    Empty,
    /// A whole line with its line feed.
    Row(Option<Link>),
    /// A whole line that lacks only its line feed.
    NoLineFeed(Option<Link>),
    /// Part of a line.
    Torn {
        /// Where it begins.
        at: u64,
        /// What there is of it.
        line: Vec<u8>,
        /// The line before it.
        before: Option<Link>,
    },
}

/// Looks at the end of a file of `len` bytes. Reads little when the last line is whole.
pub(super) fn read(file: &File, len: u64) -> io::Result<Tail> {
    if len == 0 {
        return Ok(Tail::Empty);
    }
    let mut end = vec![0; len.min(LINK_BYTES as u64 + 1) as usize];
    let from = len - end.len() as u64;
    read_at(file, &mut end, from)?;
    if let Some(line) = end.strip_suffix(b"\n") {
        return Ok(Tail::Row(Link::of(line)));
    }
    let (at, line) = last_line(file, len)?;
    if let Some(link) = Link::of(&line).filter(|link| link.is_sound(&line)) {
        return Ok(Tail::NoLineFeed(Some(link)));
    }
    if serde_json::from_slice::<IgnoredAny>(&line).is_ok() {
        return Ok(Tail::NoLineFeed(None));
    }
    let before = if at == 0 {
        None
    } else {
        match read(file, at)? {
            Tail::Row(link) => link,
            _ => None,
        }
    };
    Ok(Tail::Torn { at, line, before })
}

/// The last line of a file that does not end in a line feed, and where it begins.
fn last_line(file: &File, len: u64) -> io::Result<(u64, Vec<u8>)> {
    let mut line = Vec::new();
    let mut from = len;
    while from > 0 {
        let size = from.min(PIECE);
        from -= size;
        let mut piece = vec![0; size as usize];
        read_at(file, &mut piece, from)?;
        if let Some(at) = memchr::memrchr(b'\n', &piece) {
            piece.drain(..=at);
            let begins = from + at as u64 + 1;
            piece.extend_from_slice(&line);
            return Ok((begins, piece));
        }
        piece.extend_from_slice(&line);
        line = piece;
    }
    Ok((0, line))
}

#[cfg(test)]
mod tests {
    use super::super::chain::{Head, seal};
    use super::*;
    use std::io::Write;

    fn tail(bytes: &[u8]) -> Tail {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        read(&file, bytes.len() as u64).unwrap()
    }

    #[test]
    fn every_way_a_file_can_end_is_told_apart() {
        let mut row = br#"{"a":1}"#.to_vec();
        seal(&mut row, 0, &Head::GENESIS);
        let link = Link::of(&row);
        let with_feed = [&row[..], b"\n"].concat();
        assert_eq!(tail(b""), Tail::Empty);
        assert_eq!(tail(&with_feed), Tail::Row(link));
        assert_eq!(tail(&row), Tail::NoLineFeed(link));
        assert_eq!(tail(b"{\"old\":1}\n"), Tail::Row(None));
        assert_eq!(tail(b"{\"old\":1}"), Tail::NoLineFeed(None));
        for cut in 1..row.len() {
            let torn = [&with_feed[..], &row[..cut]].concat();
            let expected = Tail::Torn { at: with_feed.len() as u64, line: row[..cut].to_vec(), before: link };
            assert_eq!(tail(&torn), expected);
            assert_eq!(tail(&row[..cut]), Tail::Torn { at: 0, line: row[..cut].to_vec(), before: None });
        }
        let long = [&with_feed[..], b"{\"x\":\"", &vec![b'x'; 200_000][..]].concat();
        assert!(
            matches!(tail(&long), Tail::Torn { line, before, .. } if line.len() == 200_006 && before == link)
        );
    }
}
