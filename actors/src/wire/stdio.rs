//! The process's own stdin and stdout as async streams.
//!
//! A pipe or a socket (what MCP hosts give) is read and written where the messages move; a hop to a thread and back
//! would cost more than a small call's work. A terminal, a file or `/dev/null` cannot be polled and gets a thread,
//! and so does everything on Windows.

#[cfg(test)]
#[cfg(unix)]
mod tests;
mod thread;
#[cfg(unix)]
mod unix;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Takes stdin and stdout. Call once, inside the runtime; nothing else may use the two afterwards.
///
/// On Unix a pipe or socket becomes non-blocking, which everyone who shares it sees; it is blocking again when both
/// streams were dropped.
///
/// # Errors
/// When the descriptors cannot be duplicated or polled.
pub fn open() -> io::Result<(Input, Output)> {
    #[cfg(unix)]
    return unix::open();
    #[cfg(not(unix))]
    return thread::open();
}

/// The process's stdin.
#[derive(Debug)]
pub struct Input {
    source: Source,
    /// Last, so that the stream is closed before the descriptor blocks again.
    #[cfg(unix)]
    _restore: std::sync::Arc<unix::Restore>,
}

/// The process's stdout. What was written is with the system after a flush; pipes and sockets buffer nothing here.
#[derive(Debug)]
pub struct Output {
    sink: Sink,
    #[cfg(unix)]
    _restore: std::sync::Arc<unix::Restore>,
}

#[derive(Debug)]
enum Source {
    #[cfg(unix)]
    Pipe(tokio::net::unix::pipe::Receiver),
    #[cfg(unix)]
    Socket(tokio::net::UnixStream),
    Thread(thread::Reader),
}

#[derive(Debug)]
enum Sink {
    #[cfg(unix)]
    Pipe(tokio::net::unix::pipe::Sender),
    #[cfg(unix)]
    Socket(tokio::net::UnixStream),
    Thread(thread::Writer),
}

impl Input {
    /// Whether reading needs no thread.
    pub fn is_direct(&self) -> bool {
        !matches!(self.source, Source::Thread(_))
    }
}

impl Output {
    /// Whether writing needs no thread.
    pub fn is_direct(&self) -> bool {
        !matches!(self.sink, Sink::Thread(_))
    }

    fn stream(&mut self) -> Pin<&mut (dyn AsyncWrite + Unpin)> {
        match &mut self.sink {
            #[cfg(unix)]
            Sink::Pipe(pipe) => Pin::new(pipe),
            #[cfg(unix)]
            Sink::Socket(socket) => Pin::new(socket),
            Sink::Thread(thread) => Pin::new(thread),
        }
    }
}

impl AsyncRead for Input {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.source {
            #[cfg(unix)]
            Source::Pipe(pipe) => Pin::new(pipe).poll_read(context, buffer),
            #[cfg(unix)]
            Source::Socket(socket) => Pin::new(socket).poll_read(context, buffer),
            Source::Thread(thread) => Pin::new(thread).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Output {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.is_direct()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(context)
    }
}
