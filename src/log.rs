//! What goes to stderr: diagnostics through `tracing`, audit rows, panics.
//!
//! Nothing that logs ever waits: lines go to a bounded queue and one thread writes them ([`Lines`]). Every line is
//! one line of text without control characters, whatever a backend or a client put into it.

pub mod escape;
mod format;
mod lines;

pub use escape::escape;
pub(crate) use escape::is_dangerous;
pub use lines::Lines;

use std::io::IsTerminal;
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;

/// Used in place of a filter that cannot be read.
const DEFAULT_FILTER: &str = "info";
/// Longest time that dropping the guard waits for stderr.
const LAST_FLUSH: Duration = Duration::from_millis(500);

static STDERR: OnceLock<Lines> = OnceLock::new();

/// Sends `tracing` and panics to stderr. `filter` is a level or a list of `target=level`.
///
/// A second call changes nothing and returns a guard of the same log.
#[must_use = "dropping the guard flushes the log"]
pub fn init(filter: &str) -> LogGuard {
    let lines = STDERR.get_or_init(|| Lines::to(std::io::stderr())).clone();
    let (parsed, refused) = match EnvFilter::try_new(filter) {
        Ok(parsed) => (parsed, None),
        Err(error) => (EnvFilter::new(DEFAULT_FILTER), Some(error)),
    };
    let colours =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty());
    if tracing::subscriber::set_global_default(subscriber(parsed, &lines, colours)).is_ok() {
        let panics = lines.clone();
        std::panic::set_hook(Box::new(move |panic| {
            panics.push(panic_line(panic));
        }));
    }
    if let Some(error) = refused {
        tracing::warn!("log filter {filter:?}: {error}; using {DEFAULT_FILTER:?}");
    }
    LogGuard { lines }
}

/// Puts one whole line, given without its line feed, on stderr as it is. `false` when it was dropped: the log was
/// not started, stderr is closed, or nobody reads it fast enough.
pub fn raw_line(line: &[u8]) -> bool {
    STDERR.get().is_some_and(|lines| lines.push(line.to_vec()))
}

/// The log of this process, once [`init`] was called.
pub fn stderr() -> Option<Lines> {
    STDERR.get().cloned()
}

/// Keeps the log; flushes it when dropped.
#[derive(Debug)]
pub struct LogGuard {
    lines: Lines,
}

impl LogGuard {
    /// Waits until everything logged so far is written, at most until `deadline`. Whether it was.
    pub fn flush(&self, deadline: Instant) -> bool {
        self.lines.flush(deadline)
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.flush(Instant::now() + LAST_FLUSH);
    }
}

fn subscriber(filter: EnvFilter, lines: &Lines, colours: bool) -> impl tracing::Subscriber + Send + Sync {
    let layer = tracing_subscriber::fmt::layer()
        .fmt_fields(format::Fields)
        .event_format(format::Line { colours })
        .with_writer(lines.clone());
    tracing_subscriber::registry().with(filter).with(layer)
}

/// A panic as one line. It does not go through `tracing`: the panic may have happened inside of it.
fn panic_line(panic: &PanicHookInfo<'_>) -> Vec<u8> {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let place = panic.location().map(|it| format!(" at {}:{}", it.file(), it.line())).unwrap_or_default();
    let message = panic.payload_as_str().unwrap_or("(the payload is no text)");
    let mut line = format::head("ERROR", "panic");
    line.push_str(&escape(&format!("thread {thread:?} panicked{place}: {message}")));
    let backtrace = std::backtrace::Backtrace::capture();
    if backtrace.status() == std::backtrace::BacktraceStatus::Captured {
        line.push_str(" backtrace=");
        line.push_str(&escape(&backtrace.to_string()));
    }
    line.into_bytes()
}

#[cfg(test)]
mod tests;
