//! A backend's standard error: always drained, so that the child never waits on a full pipe; logged with its id,
//! rate-limited, control characters escaped.

use crate::limits::{STDERR_BYTES_PER_SECOND, STDERR_LINE_BYTES};
use crate::wire::frame::{Frame, Framer};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::Instant;

/// Reads to the end.
pub(super) async fn drain(backend: Arc<str>, mut pipe: impl AsyncRead + Unpin) {
    let mut framer = Framer::new(STDERR_LINE_BYTES);
    let mut rate = Rate { second: Instant::now(), logged: 0, left_out: 0 };
    loop {
        let ended = !matches!(pipe.read_buf(framer.spare(8 * 1024)).await, Ok(read) if read > 0);
        while let Some(frame) = framer.next_frame().or_else(|| if ended { framer.rest() } else { None }) {
            let (text, len) = match &frame {
                Frame::Line(line) => (line, line.len()),
                Frame::TooLong { prefix, len } => (prefix, *len),
            };
            if rate.allows(&backend, text.len()) {
                let cut = if len > text.len() { " …" } else { "" };
                let text = String::from_utf8_lossy(text);
                tracing::info!(target: "backend", "[{backend}] {}{cut}", printable(&text));
            }
        }
        if ended {
            return rate.tell(&backend);
        }
    }
}

/// Control characters escaped, everything else as it was written.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

struct Rate {
    second: Instant,
    logged: usize,
    left_out: u64,
}

impl Rate {
    fn allows(&mut self, backend: &str, len: usize) -> bool {
        if self.second.elapsed() >= Duration::from_secs(1) {
            self.tell(backend);
            *self = Rate { second: Instant::now(), logged: 0, left_out: 0 };
        }
        self.logged += len;
        let allowed = self.logged <= STDERR_BYTES_PER_SECOND;
        self.left_out += u64::from(!allowed);
        allowed
    }

    fn tell(&self, backend: &str) {
        if self.left_out > 0 {
            tracing::info!(target: "backend", "[{backend}] {} more lines on its standard error were left out", self.left_out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn only_control_characters_are_escaped() {
        assert_eq!(
            printable("said \"hi\" in C:\\x\u{1b}[2J\u{85}é"),
            "said \"hi\" in C:\\x\\u{1b}[2J\\u{85}é"
        );
    }
}
