//! One writer per pipe: lines come through a bounded queue and leave in batches, each line whole.

use crate::wire::write::{Line, escape_line_separators, mend_halves};
use std::io;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

/// Lines are gathered up to this size before one write; a larger body is written by itself, without a copy.
const BATCH_BYTES: usize = 64 * 1024;

/// First byte of U+2028 and U+2029 in UTF-8.
const LINE_SEPARATOR_LEAD: u8 = 0xE2;

/// For which side a pump writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toward {
    /// The client: raw U+2028 and U+2029 are escaped, since hosts take them for the end of a line, and halves of
    /// characters are mended, since hosts drop such a line.
    Client,
    /// A backend: bytes stay as they are.
    Backend,
}

/// Writes lines until every sender is gone or the pipe breaks. `begun` is told how many lines have been begun in
/// all, before their first byte leaves: a line that was never begun provably never left.
pub async fn pump(
    mut lines: mpsc::Receiver<Line>,
    mut pipe: impl AsyncWrite + Unpin,
    toward: Toward,
    mut begun: impl FnMut(u64),
) -> io::Result<()> {
    let mut batch = Vec::with_capacity(4096);
    let mut count = 0;
    while let Some(mut line) = lines.recv().await {
        loop {
            escape_for(toward, &mut line);
            count += 1;
            if line.body.len() > BATCH_BYTES {
                batch.extend_from_slice(&line.head);
                begun(count);
                pipe.write_all(&batch).await?;
                pipe.write_all(&line.body).await?;
                batch.clear();
                batch.extend_from_slice(line.tail);
                batch.push(b'\n');
            } else {
                line.append_to(&mut batch);
            }
            if batch.len() > BATCH_BYTES {
                break;
            }
            match lines.try_recv() {
                Ok(next) => line = next,
                Err(_) => break,
            }
        }
        begun(count);
        pipe.write_all(&batch).await?;
        pipe.flush().await?;
        batch.clear();
        batch.shrink_to(4 * BATCH_BYTES);
    }
    Ok(())
}

fn escape_for(toward: Toward, line: &mut Line) {
    if toward == Toward::Client
        && let Some(mended) = mend_halves(&line.body)
    {
        line.body = mended.into();
    }
    // One look settles almost every body: none of the bytes that matter, of which the first of U+2028 is one.
    let separators = if toward == Toward::Client { LINE_SEPARATOR_LEAD } else { b'\n' };
    let Some(first) = memchr::memchr3(b'\n', b'\r', separators, &line.body) else { return };
    // Line breaks are white space between JSON tokens, and the end of a line for peers that read text: for them the
    // middle of one message would be a message of its own.
    if memchr::memchr2(b'\n', b'\r', &line.body[first..]).is_some() {
        let blank = |byte: &u8| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte };
        line.body = line.body.iter().map(blank).collect::<Vec<u8>>().into();
    }
    if toward == Toward::Client
        && let Some(escaped) = escape_line_separators(&line.body)
    {
        line.body = escaped.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[tokio::test]
    async fn lines_leave_whole_and_in_order() -> io::Result<()> {
        let (sender, receiver) = mpsc::channel(8);
        let big = Bytes::from(format!("\"{}\"", "x".repeat(2 * BATCH_BYTES)));
        for body in [Bytes::from_static(b"[\r\n1]"), big.clone(), Bytes::from("\"\u{2028}\"")] {
            sender.send(Line::result(b"7", body)).await.map_err(io::Error::other)?;
        }
        drop(sender);
        let mut written = Vec::new();
        let mut begun = 0;
        pump(receiver, &mut written, Toward::Client, |n| begun = n).await?;
        let text = String::from_utf8(written).map_err(io::Error::other)?;
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0], r#"{"jsonrpc":"2.0","id":7,"result":[  1]}"#);
        assert_eq!(lines[1].len(), big.len() + 34);
        assert!(lines[2].contains("\\u2028"));
        assert_eq!(begun, 3);
        Ok(())
    }
}
