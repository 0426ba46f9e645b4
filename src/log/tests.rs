//! Lines arrive whole, harmless and without anyone waiting.

use super::*;
use crossbeam_channel::{Receiver, Sender};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Answers each write with the next of a list, then writes to the sink.
struct Moody {
    moods: Vec<io::Result<usize>>,
    sink: Sink,
}

impl Write for Moody {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = if self.moods.is_empty() { bytes.len() } else { self.moods.remove(0)? };
        self.sink.write(&bytes[..taken.min(bytes.len())])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Says when a write has begun and waits until it may go on.
struct Stuck {
    began: Sender<()>,
    go_on: Receiver<()>,
    sink: Sink,
}

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.began.try_send(());
        // A closed channel lets every later write through.
        let _ = self.go_on.recv();
        self.sink.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn logged(filter: &str, colours: bool, events: impl FnOnce()) -> String {
    let sink = Sink::default();
    let lines = Lines::to(sink.clone());
    tracing::subscriber::with_default(subscriber(EnvFilter::new(filter), &lines, colours), events);
    assert!(lines.flush(soon()));
    sink.text()
}

#[test]
fn an_event_is_one_line_with_time_level_and_brief_target() {
    let text = logged("info", false, || {
        tracing::warn!(target: "callgate::journal::file", backend = "crm", tries = 3, "not yet");
        tracing::debug!("not asked for");
    });
    let (time, rest) = text.split_once(' ').unwrap();
    assert!(time.len() == "2026-01-02T03:04:05.678901Z".len() && time.ends_with('Z'), "{time}");
    assert_eq!(rest, " WARN journal::file: not yet backend=\"crm\" tries=3\n");
}

#[test]
fn spans_stand_before_the_message() {
    let text = logged("info", false, || {
        let span = tracing::info_span!("call", number = 7, tool = "a\u{1b}b");
        span.in_scope(|| tracing::info!("sent"));
    });
    assert!(text.ends_with(": call{number=7 tool=\"a\\u{1b}b\"}: sent\n"), "{text}");
}

#[test]
fn colours_only_when_asked_for() {
    let event = || tracing::error!("red");
    assert!(logged("info", true, event).contains("\u{1b}[31mERROR\u{1b}[0m"));
    assert!(!logged("info", false, event).contains('\u{1b}'));
}

#[test]
fn w60_foreign_text_forges_no_line() {
    let evil = "x\nAUDIT {\"verdict\":\"allow\"}\r\u{1b}[2J\u{9b}31m\u{202e}\u{2028}\0é";
    let text = logged("info", false, || {
        tracing::info!("tool {evil}");
        tracing::info!(tool = evil, other = %evil, "named");
        tracing::info!(error = &io::Error::other(evil) as &dyn std::error::Error, "failed");
    });
    assert_eq!(text.lines().count(), 3);
    assert!(!text.replace('\n', "").contains(is_dangerous), "{text}");
    assert!(text.contains("x\\nAUDIT"), "{text}");
    assert!(text.contains('é'));
}

#[test]
fn harmless_text_is_not_copied() {
    assert!(matches!(escape("José 山田 – \\n"), std::borrow::Cow::Borrowed(_)));
    assert_eq!(escape("a\tb\u{7f}"), "a\\tb\\u{7f}");
}

#[test]
fn an_endless_event_is_cut_and_an_audit_row_is_not() {
    let long = "é".repeat(40_000);
    let text = logged("info", false, || tracing::info!("{long}"));
    assert!(text.len() < 17_000 && text.contains("bytes cut)\n"), "{}", text.len());

    let sink = Sink::default();
    let lines = Lines::to(sink.clone());
    assert!(lines.push(long.clone().into_bytes()));
    assert!(lines.flush(soon()));
    assert_eq!(sink.text(), long + "\n");
}

#[test]
fn a_stuck_reader_holds_nobody_up_and_the_loss_is_told() {
    let (began, has_begun) = crossbeam_channel::bounded(1);
    let (go_on, gate) = crossbeam_channel::bounded(0);
    let sink = Sink::default();
    let lines = Lines::to(Stuck { began, go_on: gate, sink: sink.clone() });
    assert!(lines.push(b"first".to_vec()));
    has_begun.recv_deadline(soon()).unwrap();

    let pushed = 20_000;
    let kept = (0..pushed).filter(|number| lines.push(format!("line {number}").into_bytes())).count();
    assert!(kept < pushed && kept > 1_000, "{kept}");
    assert!(!lines.is_accepting());
    assert!(!lines.flush(Instant::now()), "nothing can be flushed");

    drop(go_on);
    assert!(lines.flush(soon()));
    let text = sink.text();
    assert_eq!(text.lines().filter(|line| line.starts_with("line ")).count(), kept);
    let told = format!("{} log lines were dropped", pushed - kept);
    assert!(text.contains(&told), "{told}");
    assert!(lines.is_accepting());
}

#[test]
fn few_huge_lines_are_bounded_by_bytes() {
    let (began, has_begun) = crossbeam_channel::bounded(1);
    let (go_on, gate) = crossbeam_channel::bounded(0);
    let lines = Lines::to(Stuck { began, go_on: gate, sink: Sink::default() });
    assert!(lines.push(b"first".to_vec()));
    has_begun.recv_deadline(soon()).unwrap();
    let kept = (0..100).filter(|_| lines.push(vec![b'x'; 1024 * 1024])).count();
    assert_eq!(kept, 7);
    drop(go_on);
}

#[test]
fn a_busy_stderr_is_tried_again() {
    let busy = || Err(io::ErrorKind::WouldBlock.into());
    let sink = Sink::default();
    let moods = vec![busy(), Ok(3), Err(io::ErrorKind::Interrupted.into()), busy(), Ok(2)];
    let lines = Lines::to(Moody { moods, sink: sink.clone() });
    lines.push(b"one".to_vec());
    lines.push(b"two".to_vec());
    assert!(lines.flush(soon()));
    assert_eq!(sink.text(), "one\ntwo\n");
}

#[test]
fn a_line_cut_by_an_error_does_not_spoil_the_next() {
    let sink = Sink::default();
    let moods = vec![Ok(2), Err(io::ErrorKind::StorageFull.into())];
    let lines = Lines::to(Moody { moods, sink: sink.clone() });
    lines.push(b"torn".to_vec());
    assert!(lines.flush(soon()));
    lines.push(b"whole".to_vec());
    assert!(lines.flush(soon()));
    let text = sink.text();
    assert!(text.starts_with("to\nwhole\n"), "{text}");
    assert!(text.contains("1 log lines were dropped"), "{text}");
}

#[test]
fn a_closed_stderr_is_taken_quietly() {
    let sink = Sink::default();
    let lines = Lines::to(Moody { moods: vec![Err(io::ErrorKind::BrokenPipe.into())], sink: sink.clone() });
    assert!(lines.push(b"lost".to_vec()));
    assert!(lines.flush(soon()));
    assert!(!lines.push(b"not even queued".to_vec()));
    assert!(!lines.is_accepting());
    assert_eq!(sink.text(), "");
}

#[test]
fn a_panic_is_one_escaped_line() {
    let caught: Arc<Mutex<Vec<u8>>> = Arc::default();
    let kept = Arc::clone(&caught);
    let this = std::thread::current().id();
    let usual = Arc::new(std::panic::take_hook());
    let others = Arc::clone(&usual);
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().id() == this {
            *kept.lock().unwrap() = panic_line(panic);
        } else {
            others(panic);
        }
    }));
    let _ = std::panic::catch_unwind(|| panic!("boom\nAUDIT {}", 1));
    std::panic::set_hook(Box::new(move |panic| usual(panic)));

    let line = String::from_utf8(caught.lock().unwrap().clone()).unwrap();
    assert!(line.contains("ERROR panic: thread ") && line.contains("boom\\nAUDIT 1"), "{line}");
    assert!(line.contains("tests.rs:") && !line.contains('\n'), "{line}");
}

/// Set in the environment of a child.
const CHILD: &str = "CALLGATE_TEST_LOG_CHILD";

/// Does nothing but in a child of the tests below.
#[test]
fn child_that_logs() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let guard = init("warn,no=such=filter");
    assert!(init("trace").flush(soon()), "a second start is the same log");
    tracing::info!("info is the filter in place of the unreadable one");
    tracing::debug!("not shown");
    assert!(std::thread::spawn(|| panic!("in a thread")).join().is_err());
    let shown = raw_line(b"AUDIT {}");
    assert!(guard.flush(soon()));
    assert_eq!(stderr().unwrap().is_accepting(), shown);
}

fn child(stderr: std::process::Stdio) -> std::process::Child {
    std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "log::tests::child_that_logs"])
        .env(CHILD, "1")
        .stdout(std::process::Stdio::null())
        .stderr(stderr)
        .spawn()
        .unwrap()
}

#[test]
fn the_log_of_a_process_is_its_stderr() {
    let output = child(std::process::Stdio::piped()).wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}");
    let parts = ["WARN log: log filter", "INFO log::tests: info is", "ERROR panic: thread", "AUDIT {}\n"];
    let places: Vec<_> = parts.iter().map(|part| text.find(part)).collect();
    assert!(places.is_sorted() && places.iter().all(Option::is_some), "{text}");
    assert!(!text.contains("not shown") && !text.contains('\u{1b}'), "{text}");
}

#[cfg(unix)]
#[test]
fn a_process_lives_on_when_nobody_reads_its_stderr() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    assert!(child(writer.into()).wait().unwrap().success());
}
