//! Both ends of pipes, sockets and files; and the real stdin and stdout of a second process.
//!
//! The second process is this test binary in the role of an echo: a test that does nothing unless its word stands
//! on the command line, where the test harness takes it for one more filter.

use super::unix::streams;
use super::{Input, Output};
use rustix::fs::{OFlags, fcntl_getfl};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ECHO: &str = "role:echo";
/// What the echo says first; the harness has talked before it.
const BEGIN: &str = "--- echo begins ---\n";

/// More than pipe and socket buffers hold together.
fn long_text() -> Vec<u8> {
    (0..2_000_000u32).map(|number| (number % 251) as u8).collect()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Whether reads and writes on it wait.
fn blocks(descriptor: impl AsFd) -> bool {
    !fcntl_getfl(descriptor).unwrap().contains(OFlags::NONBLOCK)
}

/// Reads everything, then writes it.
async fn echo(input: &mut Input, output: &mut Output) {
    let mut text = Vec::new();
    input.read_to_end(&mut text).await.unwrap();
    output.write_all(&text).await.unwrap();
    output.flush().await.unwrap();
    output.shutdown().await.unwrap();
}

/// Sends a long text through [`echo`] over the two descriptors, whose other ends are `to` and `from`.
fn both_ways(input: OwnedFd, mut to: impl Write + Send, output: OwnedFd, mut from: impl Read) {
    let text = long_text();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            block_on(async {
                let (mut input, mut output) = streams(input, output).unwrap();
                assert!(input.is_direct() && output.is_direct());
                echo(&mut input, &mut output).await;
            });
        });
        let sent = &text;
        scope.spawn(move || {
            to.write_all(sent).unwrap();
            drop(to);
        });
        let mut read = Vec::new();
        from.read_to_end(&mut read).unwrap();
        assert!(read == text, "{} of {} bytes came back, or others", read.len(), text.len());
    });
}

#[test]
fn pipes_are_polled_and_block_again_afterwards() {
    let (input, to) = std::io::pipe().unwrap();
    let (from, output) = std::io::pipe().unwrap();
    // Who shares the open files, as a shell does with its next command.
    let shared = (input.try_clone().unwrap(), output.try_clone().unwrap());
    let bytes = long_text().len() as u64;
    both_ways(input.into(), to, output.into(), from.take(bytes));
    assert!(blocks(&shared.0) && blocks(&shared.1));
}

#[test]
fn sockets_are_polled() {
    let (input, to) = UnixStream::pair().unwrap();
    let (from, output) = UnixStream::pair().unwrap();
    both_ways(input.into(), to, output.into(), from);
}

#[test]
fn one_socket_for_both_stays_unblocked_until_both_are_done() {
    let (inner, outer) = UnixStream::pair().unwrap();
    let shared = inner.try_clone().unwrap();
    block_on(async {
        let (input, output) = streams(inner.try_clone().unwrap().into(), inner.into()).unwrap();
        assert!(!blocks(&shared));
        drop(input);
        assert!(!blocks(&shared), "the output still polls it");
        drop(output);
    });
    assert!(blocks(&shared));
    drop(outer);
}

#[test]
fn what_was_not_blocking_before_is_left_so() {
    let (input, _outer) = UnixStream::pair().unwrap();
    input.set_nonblocking(true).unwrap();
    let shared = input.try_clone().unwrap();
    block_on(async {
        let output = File::options().write(true).open("/dev/null").unwrap();
        drop(streams(input.into(), output.into()).unwrap());
    });
    assert!(!blocks(&shared));
}

#[test]
fn files_go_through_threads() {
    let text = long_text();
    let mut source = tempfile::tempfile().unwrap();
    source.write_all(&text).unwrap();
    source.rewind().unwrap();
    let mut target = tempfile::tempfile().unwrap();
    let output = target.try_clone().unwrap();
    block_on(async {
        let (mut input, mut output) = streams(source.into(), output.into()).unwrap();
        assert!(!input.is_direct() && !output.is_direct());
        echo(&mut input, &mut output).await;
    });
    target.rewind().unwrap();
    let mut read = Vec::new();
    target.read_to_end(&mut read).unwrap();
    assert!(read == text);
}

#[test]
fn an_empty_device_ends_at_once() {
    block_on(async {
        let input = File::open("/dev/null").unwrap();
        let output = File::options().write(true).open("/dev/null").unwrap();
        let (mut input, mut output) = streams(input.into(), output.into()).unwrap();
        echo(&mut input, &mut output).await;
    });
}

#[test]
fn a_full_device_is_an_error_at_the_flush() {
    block_on(async {
        let input = File::open("/dev/null").unwrap();
        let Ok(full) = File::options().write(true).open("/dev/full") else { return };
        let (_input, mut output) = streams(input.into(), full.into()).unwrap();
        output.write_all(b"line\n").await.unwrap();
        assert!(output.flush().await.is_err());
    });
}

#[test]
fn a_reader_that_left_is_an_error() {
    block_on(async {
        let input = File::open("/dev/null").unwrap();
        let (from, output) = std::io::pipe().unwrap();
        let (_input, mut output) = streams(input.into(), output.into()).unwrap();
        drop(from);
        assert_eq!(output.write_all(b"line\n").await.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
    });
}

#[test]
fn role_echo() {
    if !std::env::args().any(|arg| arg == ECHO) {
        return;
    }
    block_on(async {
        let (mut input, mut output) = super::open().unwrap();
        assert!(input.is_direct() && output.is_direct());
        output.write_all(BEGIN.as_bytes()).await.unwrap();
        echo(&mut input, &mut output).await;
    });
}

fn echo_process() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "wire::stdio::tests::role_echo", ECHO, "--nocapture", "--test-threads=1"]);
    command.stderr(Stdio::null());
    command
}

/// The part of what the second process said that is the echo's.
fn check_echo(said: &[u8], text: &[u8]) {
    let begin = memchr::memmem::find(said, BEGIN.as_bytes()).unwrap() + BEGIN.len();
    assert!(said[begin..].starts_with(text), "{} bytes came back", said.len() - begin);
}

#[test]
fn a_process_takes_its_own_pipes() {
    let mut process = echo_process().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let text = long_text();
    process.stdin.take().unwrap().write_all(&text).unwrap();
    check_echo(&process.wait_with_output().unwrap().stdout, &text);
}

#[test]
fn a_process_takes_its_own_sockets() {
    let (mut to, input) = UnixStream::pair().unwrap();
    let (mut from, output) = UnixStream::pair().unwrap();
    let mut process =
        echo_process().stdin(OwnedFd::from(input)).stdout(OwnedFd::from(output)).spawn().unwrap();
    let text = long_text();
    to.write_all(&text).unwrap();
    drop(to);
    let mut said = Vec::new();
    from.read_to_end(&mut said).unwrap();
    process.wait().unwrap();
    check_echo(&said, &text);
}
