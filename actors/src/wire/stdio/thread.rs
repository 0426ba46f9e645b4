//! Streams over descriptors that cannot be polled: one thread each, which blocks in our place.
//!
//! The threads are detached. A read that never returns (a terminal) holds up nothing but its own thread.

use bytes::{Buf, Bytes};
use crossbeam_channel::Sender;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{mpsc, oneshot};

/// What one read takes at most: a pipe's size.
const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks that were read and not yet taken; with the one in the thread's hand 192 KiB.
const CHUNKS_QUEUED: usize = 2;

/// Stdin and stdout, each with its thread.
#[cfg(not(unix))]
pub(super) fn open() -> io::Result<(super::Input, super::Output)> {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that writes to it")]
    let stdout = io::stdout();
    let source = super::Source::Thread(Reader::start(io::stdin())?);
    Ok((super::Input { source }, super::Output { sink: super::Sink::Thread(Writer::start(stdout)?) }))
}

/// A thread that reads ahead.
#[derive(Debug)]
pub(super) struct Reader {
    chunks: mpsc::Receiver<io::Result<Bytes>>,
    /// What is left of the chunk that was taken last.
    rest: Bytes,
}

impl Reader {
    pub(super) fn start(mut from: impl Read + Send + 'static) -> io::Result<Self> {
        let (taken, chunks) = mpsc::channel(CHUNKS_QUEUED);
        std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
            let mut buffer = vec![0; CHUNK_BYTES];
            loop {
                let chunk = match from.read(&mut buffer) {
                    Ok(0) => return,
                    Ok(read) => Ok(Bytes::copy_from_slice(&buffer[..read])),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let failed = chunk.is_err();
                if taken.blocking_send(chunk).is_err() || failed {
                    return;
                }
            }
        })?;
        Ok(Self { chunks, rest: Bytes::new() })
    }
}

impl AsyncRead for Reader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.rest.is_empty() {
            match ready!(self.chunks.poll_recv(context)) {
                Some(chunk) => self.rest = chunk?,
                None => return Poll::Ready(Ok(())),
            }
        }
        let taken = self.rest.len().min(buffer.remaining());
        buffer.put_slice(&self.rest[..taken]);
        self.rest.advance(taken);
        Poll::Ready(Ok(()))
    }
}

/// Bytes to write, and where to say that they are written.
type Order = (Bytes, oneshot::Sender<io::Result<()>>);

/// A thread that writes behind, one piece at a time.
#[derive(Debug)]
pub(super) struct Writer {
    orders: Sender<Order>,
    /// The piece that the thread has now. The next one waits for its end, so the channel is never full.
    writing: Option<oneshot::Receiver<io::Result<()>>>,
}

impl Writer {
    pub(super) fn start(mut to: impl Write + Send + 'static) -> io::Result<Self> {
        let (orders, taken) = crossbeam_channel::bounded::<Order>(1);
        std::thread::Builder::new().name("stdout".to_owned()).spawn(move || {
            for (bytes, done) in taken {
                let _ = done.send(to.write_all(&bytes).and_then(|()| to.flush()));
            }
        })?;
        Ok(Self { orders, writing: None })
    }

    fn poll_written(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(writing) = &mut self.writing else { return Poll::Ready(Ok(())) };
        let written = ready!(Pin::new(writing).poll(context));
        self.writing = None;
        Poll::Ready(written.unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into())))
    }
}

impl AsyncWrite for Writer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_written(context))?;
        let piece = &bytes[..bytes.len().min(CHUNK_BYTES)];
        let (done, writing) = oneshot::channel();
        let order = (Bytes::copy_from_slice(piece), done);
        if self.orders.try_send(order).is_err() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        self.writing = Some(writing);
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_written(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}
