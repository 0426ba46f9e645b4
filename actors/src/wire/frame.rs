//! Newline-delimited framing with a bound: a line that is too long costs that line, not the connection.
//!
//! MCP stdio transport: messages are separated by the byte 0x0A and contain none. U+2028, U+2029 and U+0085 are
//! ordinary characters here; a trailing 0x0D is dropped. The framer does no IO: whoever reads feeds it.

use bytes::{Bytes, BytesMut};

/// How much of an over-long line is kept, so that the id of its message can still be found.
const PREFIX_BYTES: usize = 1024;

/// One line, or what is left of one.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// A line without its newline; never empty.
    Line(Bytes),
    /// A line longer than the bound was skipped.
    TooLong {
        /// Its first bytes.
        prefix: Bytes,
        /// Its whole length.
        len: usize,
    },
}

/// Splits a byte stream into lines of at most `max` bytes.
#[derive(Debug)]
pub struct Framer {
    buffer: BytesMut,
    searched: usize,
    max: usize,
    skipping: Option<Skipped>,
}

#[derive(Debug)]
struct Skipped {
    prefix: Bytes,
    len: usize,
}

impl Framer {
    /// A framer whose lines hold at most `max` bytes.
    pub fn new(max: usize) -> Self {
        Framer { buffer: BytesMut::new(), searched: 0, max, skipping: None }
    }

    /// Where the next bytes are to be read into. Spare room is made for `want` bytes.
    pub fn spare(&mut self, want: usize) -> &mut BytesMut {
        self.buffer.reserve(want);
        &mut self.buffer
    }

    /// The next complete line, if there is one.
    pub fn next_frame(&mut self) -> Option<Frame> {
        loop {
            let Some(at) = memchr::memchr(b'\n', &self.buffer[self.searched..]) else {
                self.searched = self.buffer.len();
                self.skip_if_too_long();
                return None;
            };
            let line = self.buffer.split_to(self.searched + at + 1);
            self.searched = 0;
            if let Some(skipped) = self.skipping.take() {
                return Some(Frame::TooLong { prefix: skipped.prefix, len: skipped.len + line.len() - 1 });
            }
            if let Some(frame) = self.frame(line.freeze()) {
                return Some(frame);
            }
        }
    }

    /// The unterminated rest at the end of the stream: the last line of a peer that forgot its newline.
    pub fn rest(&mut self) -> Option<Frame> {
        self.searched = 0;
        let line = self.buffer.split().freeze();
        match self.skipping.take() {
            Some(skipped) => Some(Frame::TooLong { prefix: skipped.prefix, len: skipped.len + line.len() }),
            None => self.frame(line),
        }
    }

    fn frame(&self, mut line: Bytes) -> Option<Frame> {
        while line.last().is_some_and(|b| matches!(b, b'\n' | b'\r')) {
            line.truncate(line.len() - 1);
        }
        if line.len() > self.max {
            return Some(Frame::TooLong {
                prefix: line.slice(..PREFIX_BYTES.min(line.len())),
                len: line.len(),
            });
        }
        let is_blank = line.iter().all(|b| matches!(b, b' ' | b'\t'));
        (!is_blank).then_some(Frame::Line(line))
    }

    fn skip_if_too_long(&mut self) {
        if self.skipping.is_none() && self.buffer.len() <= self.max {
            return;
        }
        let skipped = self.skipping.get_or_insert_with(|| Skipped {
            prefix: Bytes::copy_from_slice(&self.buffer[..PREFIX_BYTES.min(self.buffer.len())]),
            len: 0,
        });
        skipped.len += self.buffer.len();
        self.searched = 0;
        if self.buffer.capacity() > PREFIX_BYTES * 64 {
            self.buffer = BytesMut::new();
        } else {
            self.buffer.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frames(max: usize, pieces: &[&[u8]]) -> Vec<Frame> {
        let mut framer = Framer::new(max);
        let mut out = Vec::new();
        for piece in pieces {
            framer.spare(piece.len()).extend_from_slice(piece);
            while let Some(frame) = framer.next_frame() {
                out.push(frame);
            }
        }
        out.extend(framer.rest());
        out
    }

    fn line(text: &str) -> Frame {
        Frame::Line(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn splits_on_the_newline_byte_only() {
        let text = "{\"a\":\"x\u{2028}y\u{85}\"}\r\n\n  \n{}\nlast";
        let got = frames(100, &[text.as_bytes()]);
        assert_eq!(got, vec![line("{\"a\":\"x\u{2028}y\u{85}\"}"), line("{}"), line("last")]);
    }

    #[test]
    fn an_over_long_line_costs_only_itself() {
        let long = vec![b'x'; 5000];
        let got = frames(1000, &[b"one\n", &long[..900], &long[900..], b"yy\ntwo\n"]);
        assert_eq!(got.len(), 3);
        assert_eq!(got[0], line("one"));
        assert!(
            matches!(&got[1], Frame::TooLong { len: 5002, prefix } if prefix.len() == 1024 || prefix.len() == 900)
        );
        assert_eq!(got[2], line("two"));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_lines(data in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'a'), Just(b'\r')], 0..200),
                                          cuts in proptest::collection::vec(0usize..200, 0..6)) {
            let whole: Vec<_> = frames(20, &[&data]).into_iter().map(lengths).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(data.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts {
                pieces.push(&data[from..cut]);
                from = cut;
            }
            pieces.push(&data[from..]);
            let split: Vec<_> = frames(20, &pieces).into_iter().map(lengths).collect();
            prop_assert_eq!(whole, split);
        }
    }

    /// A carriage return inside an over-long line may or may not be counted; what matters is which lines there are.
    fn lengths(frame: Frame) -> (bool, usize) {
        match frame {
            Frame::Line(line) => (true, line.len()),
            Frame::TooLong { .. } => (false, 0),
        }
    }
}
