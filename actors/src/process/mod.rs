//! Child processes: one backend is one process group (one job object on Windows), ended and reaped as a whole.
//!
//! `npx`, `uvx` and shell wrappers make grandchildren the normal case, so nothing here signals a single process.
//! A process that leaves its group (`setsid`) leaves our reach too.

mod cause;
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "running code between fork and exec has no safe form")]
mod linux;
#[cfg(test)]
#[cfg(target_os = "linux")]
pub(crate) mod tests;
mod tether;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

pub use tether::{Asked, Tether};

use crate::guardian::Guardian;
use crate::ports::{ChildPlan, Stderr};
use std::fmt;
use std::io;
use std::time::Duration;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::time::timeout;
#[cfg(unix)]
use unix as os;
#[cfg(windows)]
use windows as os;

/// Time a child has to leave by itself after its stdin was closed. The hosts give a server 2 s from the end of its
/// stdin to SIGTERM; 0.8 s + 0.5 s leaves a proxy the rest for its journal.
pub const EXIT_GRACE: Duration = Duration::from_millis(800);
/// Time a child's group has between SIGTERM and SIGKILL.
pub const TERM_GRACE: Duration = Duration::from_millis(500);
/// Longest wait for the kernel to hand over a leader that got SIGKILL; only uninterruptible IO takes longer.
const REAP_DEADLINE: Duration = Duration::from_secs(1);

/// Starts `plan` as the leader of a group of its own, with pipes and no inherited environment.
///
/// Call it inside the runtime, on the thread that lives as long as the process (the one that runs the
/// `current_thread` runtime): on Linux the child gets SIGKILL when the *thread* that started it ends. It takes about
/// a millisecond, during which that thread waits for the child's `exec`.
///
/// # Errors
/// Names the command and the way out; the kind is the system's own.
pub fn spawn(plan: &ChildPlan, guardian: Option<&Guardian>) -> io::Result<Spawned> {
    let (leader, stdio) = os::start(plan).map_err(|error| cause::explain(plan, &error))?;
    if let Some(guardian) = guardian {
        guardian.add(leader.pid());
    }
    let group = Group { leader, guardian: guardian.cloned(), over: false };
    let (Some(stdin), Some(stdout), stderr) = stdio else {
        return Err(io::Error::other(format!("command {:?} started without its pipes", plan.program)));
    };
    if stderr.is_none() && plan.stderr == Stderr::Logged {
        return Err(io::Error::other(format!(
            "command {:?} started without its standard error",
            plan.program
        )));
    }
    Ok(Spawned { stdin, stdout, stderr, group })
}

/// What a started child consists of.
#[derive(Debug)]
pub struct Spawned {
    /// Closing it asks an MCP server to leave (MCP 2025-06-18, lifecycle, "Shutdown").
    pub stdin: ChildStdin,
    /// The protocol.
    pub stdout: ChildStdout,
    /// Log text; must be read always, or the child waits on a full pipe. `None` when the child writes to the proxy's
    /// own.
    pub stderr: Option<ChildStderr>,
    /// The processes themselves.
    pub group: Group,
}

/// How long each step of [`Group::stop`] may take.
#[derive(Clone, Copy, Debug)]
pub struct StopGrace {
    /// From the end of stdin to SIGTERM.
    pub exit: Duration,
    /// From SIGTERM to SIGKILL.
    pub term: Duration,
}

impl Default for StopGrace {
    fn default() -> Self {
        Self { exit: EXIT_GRACE, term: TERM_GRACE }
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It left by itself with this exit code.
    Exited(i32),
    /// A signal ended it. Unix only.
    Signalled(i32),
    /// It is gone, and the system does not say how.
    Unknown,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exited with code {code}"),
            Self::Signalled(signal) => write!(f, "killed by signal {signal}"),
            Self::Unknown => f.write_str("ended in an unknown way"),
        }
    }
}

/// What became of a group that was stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// In words, for the log.
    pub how: String,
    /// How the leader ended.
    pub ended: Ended,
}

/// A child and everything it started. Dropping it kills them all at once, with or without a living runtime.
#[derive(Debug)]
pub struct Group {
    leader: os::Leader,
    guardian: Option<Guardian>,
    /// The group got its last SIGKILL and the guardian forgot it. From here on the leader may be reaped, so the
    /// group's number may belong to a stranger: nothing may signal it again.
    over: bool,
}

impl Group {
    /// The leader's process id, which is the group's id too.
    pub fn pid(&self) -> u32 {
        self.leader.pid()
    }

    /// How the leader ended; `None` while it runs. Looks without reaping.
    pub fn exit_status(&self) -> Option<Ended> {
        self.leader.ended()
    }

    /// Resolves when the leader has ended. Does not reap, may be dropped and called again.
    pub async fn exited(&self) -> Ended {
        self.leader.exited().await
    }

    /// Asks every process of the group to end (SIGTERM). Windows knows no such request: there it is [`Group::kill`].
    pub fn terminate(&self) {
        self.leader.terminate();
    }

    /// Ends every process of the group (SIGKILL, or the end of the job).
    pub fn kill(&self) {
        self.leader.kill();
    }

    /// Ends the group in steps, after the caller closed its stdin: wait for the leader, SIGTERM to all, wait,
    /// SIGKILL to all, reap. What the leader leaves behind is killed.
    ///
    /// Dropping the future midway kills the group at once.
    pub async fn stop(mut self, grace: StopGrace) -> Stopped {
        let how = self.leave(grace).await;
        self.end();
        // Before it is reaped: afterwards nobody knows any more.
        let ended = timeout(REAP_DEADLINE, self.exited()).await.unwrap_or(Ended::Unknown);
        if timeout(REAP_DEADLINE, self.leader.reap()).await.is_err() {
            let how = format!("{how}; process {} is still held by the system", self.pid());
            return Stopped { how, ended };
        }
        Stopped { how, ended }
    }

    /// Hands a signal on to every process of the group. Does nothing on Windows.
    pub fn pass(&self, asked: Asked) {
        self.leader.pass(asked);
    }

    async fn leave(&self, grace: StopGrace) -> String {
        if let Ok(ended) = timeout(grace.exit, self.exited()).await {
            return ended.to_string();
        }
        self.terminate();
        match timeout(grace.term, self.exited()).await {
            Ok(ended) => format!("{ended} after it was asked to end"),
            Err(_) => format!("killed: it outlived both the end of its input and {:?} more", grace.term),
        }
    }

    /// The last signal. The guardian forgets the group after it and before the leader is reaped.
    fn end(&mut self) {
        if self.over {
            return;
        }
        self.kill();
        self.over = true;
        if let Some(guardian) = &self.guardian {
            guardian.remove(self.pid());
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}
