//! Faults that are not an answer to anything: at the start, after the handshake, in the background.

use crate::lane::Lane;
use crate::options::Options;
use crate::stdio;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Marks a process that already ignores the signals.
const IGNORING: &str = "STUB_IGNORING_SIGNALS";

/// What happens before the first message.
pub(crate) fn before_start(options: &Options) -> Result<(), String> {
    if options.ignore_term && std::env::var_os(IGNORING).is_none() {
        return Err(restart_ignoring_signals());
    }
    if let Some(file) = &options.fork_grandchild {
        let child = Command::new("sleep")
            .arg("1000")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|why| format!("sleep: {why}"))?;
        append(file, &child.id().to_string());
    }
    if let Some(text) = &options.stderr_text {
        let _ = writeln!(std::io::stderr(), "{text}");
    }
    if options.stderr_flood {
        std::thread::spawn(flood_stderr);
    }
    std::thread::sleep(Duration::from_millis(options.start_delay_ms));
    Ok(())
}

/// What happens once the client has said `notifications/initialized`.
pub(crate) fn after_handshake(options: &Options, lane: &Lane) {
    for _ in 0..options.list_changed_storm {
        lane.notify("notifications/tools/list_changed", "{}");
    }
    if let Some(bytes) = options.long_line {
        write_long_line(bytes);
    }
    if options.flood_stdout {
        let lane = lane.clone();
        std::thread::spawn(move || flood_stdout(&lane));
    }
}

/// One line of `bytes` bytes that is no JSON, written in pieces.
pub(crate) fn write_long_line(bytes: u64) {
    let piece = vec![b'x'; 1 << 16];
    let mut left = usize::try_from(bytes).unwrap_or(usize::MAX);
    while left > 0 {
        let size = left.min(piece.len());
        stdio::write_raw(&piece[..size]);
        left -= size;
    }
    stdio::write_raw(b"\n");
}

/// Never returns.
pub(crate) fn sleep_for_ever() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// Appends one line in one write, so that a crash right after it cannot tear it.
pub(crate) fn append(file: &std::path::Path, line: &str) {
    let opened = std::fs::OpenOptions::new().create(true).append(true).open(file);
    if let Ok(mut file) = opened {
        let _ = file.write_all(format!("{line}\n").as_bytes());
    }
}

/// Ignored signals survive `exec`, so a shell's `trap ''` needs no unsafe code here. Returns only on failure.
#[cfg(unix)]
fn restart_ignoring_signals() -> String {
    use std::os::unix::process::CommandExt;
    let Ok(program) = std::env::current_exe() else { return "no path of the program".to_owned() };
    let why = Command::new("/bin/sh")
        .args(["-c", r#"trap '' TERM INT HUP; exec "$0" "$@""#])
        .arg(program)
        .args(std::env::args().skip(1))
        .env(IGNORING, "1")
        .exec();
    format!("/bin/sh: {why}")
}

#[cfg(not(unix))]
fn restart_ignoring_signals() -> String {
    "--ignore-term needs Unix signals".to_owned()
}

fn flood_stdout(lane: &Lane) {
    for number in 0_u64.. {
        lane.notify("notifications/message", &format!(r#"{{"level":"info","data":"flood {number}"}}"#));
    }
}

fn flood_stderr() {
    let mut stderr = std::io::stderr();
    let _ = stderr.write_all(&vec![b'e'; 2 << 20]);
    for number in 0_u64.. {
        if writeln!(stderr, "stderr flood {number}").is_err() {
            return;
        }
    }
}
