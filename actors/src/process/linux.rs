//! Linux: a child that dies with the thread that started it (`PR_SET_PDEATHSIG`).

use rustix::process::{Pid, Signal, getpid, getppid, set_parent_process_death_signal};
use std::io;
use tokio::process::Command;

/// Lets the kernel kill the child when the calling thread ends. Reaches the direct child only: the guardian ends
/// what that one started. An `exec` of a set-user-id program switches it off.
pub(super) fn die_with_this_thread(command: &mut Command) {
    let parent = getpid();
    // SAFETY: the closure runs in the forked child before `exec`, where only async-signal-safe calls are allowed.
    // It makes two raw system calls and compares two integers; it neither allocates nor locks nor panics, and
    // the error it may return holds no allocation.
    unsafe {
        command.pre_exec(move || promise(parent));
    }
}

fn promise(parent: Pid) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() == Some(parent) {
        return Ok(());
    }
    // The parent died before the promise stood: nobody would ever send the signal.
    Err(rustix::io::Errno::SRCH.into())
}
