//! The guardian's own side: the whole main of the helper process.

use rustix::io::Errno;
use rustix::process::{Pid, Signal, getpgrp, kill_process_group, test_kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use std::collections::BTreeSet;
use std::io::{ErrorKind, Read};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Time the groups have between SIGTERM and SIGKILL. Nothing may be left 2 s after the proxy's end.
const PATIENCE: Duration = Duration::from_millis(300);
/// How often the groups are looked at meanwhile.
const STEP: Duration = Duration::from_millis(10);
/// Longest line: a sign and the ten digits of the largest process id, with room to see that one is longer.
const LINE_BYTES: usize = 16;

/// The helper's main: follows `stdin` until it ends, then ends every group that is still registered.
///
/// Signals that mean "please end" are ignored: whoever ends a whole tree of processes by name or session would
/// otherwise take away the one that cleans up.
pub fn run(stdin: impl Read) -> ExitCode {
    ignore_signals();
    end(follow(stdin));
    ExitCode::SUCCESS
}

fn ignore_signals() {
    let unread = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT, SIGHUP, SIGQUIT] {
        // A handler that only sets a flag nobody reads. Where it cannot be set, the guardian works without.
        let _ = signal_hook::flag::register(signal, Arc::clone(&unread));
    }
}

/// Reads lines until the pipe ends; gives the groups that live then.
pub(super) fn follow(mut input: impl Read) -> BTreeSet<i32> {
    let mut groups = BTreeSet::new();
    let mut line = Vec::with_capacity(LINE_BYTES);
    let mut chunk = [0; 512];
    loop {
        let read = match input.read(&mut chunk) {
            Ok(0) => return groups,
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return groups,
        };
        for &byte in &chunk[..read] {
            if byte == b'\n' {
                apply(&line, &mut groups);
                line.clear();
            } else if line.len() < LINE_BYTES {
                line.push(byte);
            }
        }
    }
}

/// Anything but a sign and a number is no line. 0 and 1 are no groups: to the system they mean "my own group" and
/// "everybody".
fn apply(line: &[u8], groups: &mut BTreeSet<i32>) {
    let Some((sign, digits)) = line.split_first() else { return };
    let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    let Some(group) = digits.and_then(|digits| digits.parse().ok()).filter(|group| *group > 1) else {
        return;
    };
    match sign {
        b'+' => _ = groups.insert(group),
        b'-' => _ = groups.remove(&group),
        _ => {}
    }
}

/// SIGTERM to all, then SIGKILL to those that are still there after [`PATIENCE`]. A group that was seen to be gone
/// is never signalled again: its number may be a stranger's by then. The few milliseconds between the proxy's end
/// and the first signal cannot be guarded in that way.
fn end(groups: BTreeSet<i32>) {
    let mut left: Vec<Pid> = groups.into_iter().filter_map(Pid::from_raw).collect();
    left.retain(|group| *group != getpgrp() && kill_process_group(*group, Signal::TERM) != Err(Errno::SRCH));
    let deadline = Instant::now() + PATIENCE;
    while !left.is_empty() && Instant::now() < deadline {
        sleep(STEP);
        left.retain(|group| test_kill_process_group(*group) != Err(Errno::SRCH));
    }
    for group in left {
        let _ = kill_process_group(group, Signal::KILL);
    }
}
