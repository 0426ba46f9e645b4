//! Unix: the leader of a process group, looked at and signalled without ever being reaped early.

use super::{Asked, Ended};
use crate::ports::{ChildPlan, Stderr};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, waitid};
use std::io;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::signal::unix::{SignalKind, signal};

/// How often a leader is looked at where SIGCHLD cannot be heard.
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(super) type Stdio3 = (Option<ChildStdin>, Option<ChildStdout>, Option<ChildStderr>);

/// The direct child, whose process id is its group's id.
#[derive(Debug)]
pub(super) struct Leader {
    pid: Pid,
    /// Must not be polled, waited for or dropped before the group got its last SIGKILL. As long as the leader is
    /// unreaped (running or zombie) the kernel gives its number to nobody else; once it is reaped, a signal to
    /// the group may hit a stranger.
    child: Child,
}

pub(super) fn start(plan: &ChildPlan) -> io::Result<(Leader, Stdio3)> {
    // Where SIGCHLD is ignored (a disposition that is inherited), the kernel reaps children by itself. Listening
    // once replaces that for the life of the process.
    drop(signal(SignalKind::child())?);
    let mut command = Command::new(&plan.program);
    command.args(&plan.args).env_clear().envs(&plan.env);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.stderr(match plan.stderr {
        Stderr::Logged => Stdio::piped(),
        Stderr::Inherited => Stdio::inherit(),
    });
    command.process_group(0);
    if let Some(cwd) = &plan.cwd {
        command.current_dir(cwd);
    }
    #[cfg(target_os = "linux")]
    super::linux::die_with_this_thread(&mut command);
    let mut child = command.spawn()?;
    let stdio = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    #[cfg(target_os = "linux")]
    if let Some(stdout) = &stdio.1 {
        crate::wire::pipe::widen(stdout);
    }
    let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let pid = pid.ok_or_else(|| io::Error::other("the child has no process id"))?;
    Ok((Leader { pid, child }, stdio))
}

impl Leader {
    pub(super) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Looks without reaping.
    pub(super) fn ended(&self) -> Option<Ended> {
        match self.look() {
            Ok(None) => None,
            Ok(Some(status)) => Some(match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Ended::Exited(code),
                (_, Some(signal)) => Ended::Signalled(signal),
                _ => Ended::Unknown,
            }),
            Err(_) => Some(Ended::Unknown),
        }
    }

    fn look(&self) -> Result<Option<WaitIdStatus>, Errno> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        rustix::io::retry_on_intr(|| waitid(WaitId::Pid(self.pid), options))
    }

    pub(super) async fn exited(&self) -> Ended {
        // Listen before looking: an exit between the two is then heard.
        let mut changes = signal(SignalKind::child()).ok();
        loop {
            if let Some(ended) = self.ended() {
                return ended;
            }
            let heard = match &mut changes {
                Some(changes) => changes.recv().await.is_some(),
                None => false,
            };
            if !heard {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }

    pub(super) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    pub(super) fn pass(&self, asked: Asked) {
        self.signal(match asked {
            Asked::Interrupt => Signal::INT,
            Asked::Terminate => Signal::TERM,
            Asked::HangUp => Signal::HUP,
        });
    }

    pub(super) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        // Where the look fails, somebody else reaped the leader, and the number is not ours any more.
        if self.look().is_ok() {
            // Fails where every member is a zombie (macOS) or runs as another user; nothing is left to do then.
            let _ = kill_process_group(self.pid, signal);
        }
    }

    /// Waits for a leader that got SIGKILL, and reaps it.
    pub(super) async fn reap(&mut self) {
        let _ = self.child.wait().await;
    }
}
