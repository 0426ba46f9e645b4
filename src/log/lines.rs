//! A bounded queue of lines and the one thread that writes them.
//!
//! A host that does not read stderr must not stop the proxy, so senders never wait: what finds no place is dropped
//! and counted, and the count is told as soon as lines can be written again.

use super::format;
use crossbeam_channel::{Receiver, Sender};
use std::io::{ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait. The widest load writes 45,000 audit rows a second, 450 in one [`GATHER`]: a reader may
/// pause for about 180 ms. The empty queue takes 256 KiB.
const LINES_QUEUED: usize = 8 * 1024;
/// Bytes that may wait: as many lines of 1 KiB, where an audit row has about 500 bytes.
const BYTES_QUEUED: usize = LINES_QUEUED * 1024;
/// How long lines gather after the first one wakes the thread: one write for all of them, and no wake-up for each.
const GATHER: Duration = Duration::from_millis(10);
/// Largest single write; more than one pipe buffer (64 KiB on Linux) gains nothing.
const WRITE_BYTES: usize = 256 * 1024;
/// Longest line of a diagnostic event; audit rows are never cut.
const EVENT_BYTES: usize = 16 * 1024;
/// How long one write waits for a non-blocking stderr before its lines are given up.
const BUSY: Duration = Duration::from_secs(1);
/// How often such a stderr is tried.
const BUSY_PAUSE: Duration = Duration::from_millis(2);
/// Stack of the writing thread; it only copies bytes.
const STACK_BYTES: usize = 128 * 1024;

const _: () = assert!(EVENT_BYTES < WRITE_BYTES && WRITE_BYTES < BYTES_QUEUED);

/// A handle of the queue; cheap to clone.
#[derive(Clone, Debug)]
pub struct Lines {
    queue: Sender<Entry>,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    bytes: AtomicUsize,
    dropped: AtomicU64,
    closed: AtomicBool,
}

enum Entry {
    Line(Vec<u8>),
    Flush(Sender<()>),
}

impl Lines {
    /// Starts the thread that writes to `sink`; it ends with the last handle. If it cannot be started the log is
    /// closed from the start.
    pub fn to(sink: impl Write + Send + 'static) -> Self {
        let (queue, lines) = crossbeam_channel::bounded(LINES_QUEUED);
        let state = Arc::new(State::default());
        let mut pump = Pump { sink, state: Arc::clone(&state), torn: false };
        let started = std::thread::Builder::new()
            .name("log".into())
            .stack_size(STACK_BYTES)
            .spawn(move || pump.run(&lines));
        state.closed.store(started.is_err(), Ordering::Relaxed);
        Self { queue, state }
    }

    /// Queues one line, given without its line feed. Never waits; `false` when the line was dropped.
    pub fn push(&self, mut line: Vec<u8>) -> bool {
        if self.state.closed.load(Ordering::Relaxed) {
            return false;
        }
        line.push(b'\n');
        let len = line.len();
        if self.state.bytes.fetch_add(len, Ordering::Relaxed) + len <= BYTES_QUEUED
            && self.queue.try_send(Entry::Line(line)).is_ok()
        {
            return true;
        }
        self.state.bytes.fetch_sub(len, Ordering::Relaxed);
        self.state.dropped.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// Whether the next line is likely to find a place: the reader is there and keeps up.
    pub fn is_accepting(&self) -> bool {
        !self.state.closed.load(Ordering::Relaxed)
            && !self.queue.is_full()
            && self.state.bytes.load(Ordering::Relaxed) < BYTES_QUEUED
    }

    /// Waits until every line queued so far is written or given up, at most until `deadline`. Whether it was.
    pub fn flush(&self, deadline: Instant) -> bool {
        let (done, finished) = crossbeam_channel::bounded(1);
        self.queue.send_deadline(Entry::Flush(done), deadline).is_ok()
            && finished.recv_deadline(deadline).is_ok()
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = EventWriter<'a>;

    fn make_writer(&'a self) -> EventWriter<'a> {
        EventWriter { lines: self, line: Vec::new() }
    }
}

/// Collects one event and queues it when dropped.
#[derive(Debug)]
pub struct EventWriter<'a> {
    lines: &'a Lines,
    line: Vec<u8>,
}

impl Write for EventWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for EventWriter<'_> {
    fn drop(&mut self) {
        let mut line = std::mem::take(&mut self.line);
        while line.last() == Some(&b'\n') {
            line.pop();
        }
        if line.len() > EVENT_BYTES {
            let cut = line.len() - EVENT_BYTES;
            line.truncate(EVENT_BYTES);
            // Half a character at the cut would make the line unreadable as UTF-8.
            line = String::from_utf8_lossy(&line).into_owned().into_bytes();
            line.extend_from_slice(format!("… ({cut} bytes cut)").as_bytes());
        }
        if !line.is_empty() {
            self.lines.push(line);
        }
    }
}

/// The thread's side.
struct Pump<W> {
    sink: W,
    state: Arc<State>,
    /// The last write stopped inside a line.
    torn: bool,
}

impl<W: Write> Pump<W> {
    fn run(&mut self, lines: &Receiver<Entry>) {
        while let Ok(first) = lines.recv() {
            if let Entry::Line(_) = first {
                std::thread::sleep(GATHER);
            }
            let mut batch = Vec::new();
            let mut flushed = Vec::new();
            let mut next = Some(first);
            while let Some(entry) = next {
                match entry {
                    Entry::Line(line) => batch.extend_from_slice(&line),
                    Entry::Flush(done) => flushed.push(done),
                }
                next = if batch.len() < WRITE_BYTES { lines.try_recv().ok() } else { None };
            }
            self.state.bytes.fetch_sub(batch.len(), Ordering::Relaxed);
            self.tell_dropped(&mut batch);
            self.write(&batch);
            for done in flushed {
                // Whoever waited may have given up.
                let _ = done.try_send(());
            }
        }
    }

    fn tell_dropped(&self, batch: &mut Vec<u8>) {
        let dropped = self.state.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            let head = format::head("WARN", "log");
            let told = format!("{head}{dropped} log lines were dropped; read stderr faster or log less\n");
            batch.extend_from_slice(told.as_bytes());
        }
    }

    /// Writes the batch, or gives up what cannot be written.
    fn write(&mut self, batch: &[u8]) {
        let patience = Instant::now() + BUSY;
        if self.torn && !batch.is_empty() && self.write_until(b"\n", patience).is_empty() {
            self.torn = false;
        }
        if self.torn || self.state.closed.load(Ordering::Relaxed) {
            return self.give_up(batch);
        }
        let rest = self.write_until(batch, patience);
        if !rest.is_empty() {
            self.torn = rest.len() < batch.len() && batch[batch.len() - rest.len() - 1] != b'\n';
            self.give_up(rest);
        }
    }

    /// Writes what can be written by `patience`; what is left.
    fn write_until<'b>(&mut self, mut rest: &'b [u8], patience: Instant) -> &'b [u8] {
        while !rest.is_empty() {
            match self.sink.write(rest) {
                Ok(0) => break,
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < patience => {
                    std::thread::sleep(BUSY_PAUSE);
                }
                Err(error) => {
                    if error.kind() == ErrorKind::BrokenPipe {
                        self.state.closed.store(true, Ordering::Relaxed);
                    }
                    break;
                }
            }
        }
        rest
    }

    fn give_up(&self, rest: &[u8]) {
        let lines = memchr::memchr_iter(b'\n', rest).count() as u64;
        self.state.dropped.fetch_add(lines, Ordering::Relaxed);
    }
}
