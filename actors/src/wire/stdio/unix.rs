//! Unix: looks what the two descriptors are, and polls what can be polled.

use super::{Input, Output, Sink, Source, thread};
use rustix::fs::{FileType, OFlags, fcntl_getfl, fcntl_setfl, fstat};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use tokio::net::UnixStream;
use tokio::net::unix::pipe;

/// The two descriptors stay open behind the streams' own copies, so that nothing else is ever opened as 0 or 1.
pub(super) fn open() -> io::Result<(Input, Output)> {
    streams(rustix::stdio::stdin().try_clone_to_owned()?, rustix::stdio::stdout().try_clone_to_owned()?)
}

pub(super) fn streams(input: OwnedFd, output: OwnedFd) -> io::Result<(Input, Output)> {
    let mut restore = Restore::default();
    let source = match kind(&input)? {
        FileType::Fifo => Source::Pipe(pipe::Receiver::from_owned_fd(restore.polled(input)?)?),
        FileType::Socket => Source::Socket(socket(restore.polled(input)?)?),
        _ => Source::Thread(thread::Reader::start(File::from(input))?),
    };
    let sink = match kind(&output)? {
        #[cfg(target_os = "linux")]
        FileType::Fifo => {
            crate::wire::pipe::widen(&output);
            Sink::Pipe(pipe::Sender::from_owned_fd(restore.polled(output)?)?)
        }
        #[cfg(not(target_os = "linux"))]
        FileType::Fifo => Sink::Pipe(pipe::Sender::from_owned_fd(restore.polled(output)?)?),
        FileType::Socket => Sink::Socket(socket(restore.polled(output)?)?),
        _ => Sink::Thread(thread::Writer::start(File::from(output))?),
    };
    let restore = Arc::new(restore);
    Ok((Input { source, _restore: Arc::clone(&restore) }, Output { sink, _restore: restore }))
}

fn kind(descriptor: &OwnedFd) -> io::Result<FileType> {
    Ok(FileType::from_raw_mode(fstat(descriptor)?.st_mode))
}

fn socket(descriptor: OwnedFd) -> io::Result<UnixStream> {
    let socket = StdUnixStream::from(descriptor);
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}

/// Gives back what polling changed: `O_NONBLOCK` belongs to the open file, which other processes share (the shell
/// after us, our own stderr after `2>&1`). Held by both streams, as both may be one socket.
#[derive(Debug, Default)]
pub(super) struct Restore {
    blocking: Vec<OwnedFd>,
}

impl Restore {
    /// Notes the descriptor if it blocks now; to be called before it is polled.
    fn polled(&mut self, descriptor: OwnedFd) -> io::Result<OwnedFd> {
        if !fcntl_getfl(&descriptor)?.contains(OFlags::NONBLOCK) {
            self.blocking.push(descriptor.try_clone()?);
        }
        Ok(descriptor)
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        for descriptor in &self.blocking {
            // Nobody is left to tell of a failure.
            let _ = fcntl_getfl(descriptor)
                .and_then(|flags| fcntl_setfl(descriptor, flags.difference(OFlags::NONBLOCK)));
        }
    }
}
