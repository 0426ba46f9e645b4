//! Windows: a child in a job object that ends with its last handle, which is ours.

use super::{Asked, Ended};
use crate::ports::{ChildPlan, Stderr};
use process_wrap::tokio::{ChildWrapper, CommandWrap, JobObject, KillOnDrop};
use std::io;
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

/// How often a child is looked at: a job object has no signal to listen to.
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(super) type Stdio3 = (Option<ChildStdin>, Option<ChildStdout>, Option<ChildStderr>);

/// The direct child with its job.
#[derive(Debug)]
pub(super) struct Leader {
    pid: u32,
    /// Its own `wait` must not be used: it blocks a thread until the whole job is empty.
    child: Mutex<Box<dyn ChildWrapper>>,
}

pub(super) fn start(plan: &ChildPlan) -> io::Result<(Leader, Stdio3)> {
    let mut wrap = CommandWrap::with_new(&plan.program, |command| {
        command.args(&plan.args).env_clear().envs(&plan.env);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(match plan.stderr {
            Stderr::Logged => Stdio::piped(),
            Stderr::Inherited => Stdio::inherit(),
        });
        if let Some(cwd) = &plan.cwd {
            command.current_dir(cwd);
        }
    });
    // With both, the job is killed when its handle closes, also when that is because this process died.
    let mut child = wrap.wrap(KillOnDrop).wrap(JobObject).spawn()?;
    let stdio = (child.stdin().take(), child.stdout().take(), child.stderr().take());
    let pid = child.id().ok_or_else(|| io::Error::other("the child has no process id"))?;
    Ok((Leader { pid, child: Mutex::new(child) }, stdio))
}

impl Leader {
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) fn ended(&self) -> Option<Ended> {
        match self.child().try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(status.code().map_or(Ended::Unknown, Ended::Exited)),
            Err(_) => Some(Ended::Unknown),
        }
    }

    pub(super) async fn exited(&self) -> Ended {
        loop {
            if let Some(ended) = self.ended() {
                return ended;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    pub(super) fn terminate(&self) {
        self.kill();
    }

    /// A console tells its processes itself.
    pub(super) fn pass(&self, _asked: Asked) {}

    pub(super) fn kill(&self) {
        // Fails where the job is empty already.
        let _ = self.child().start_kill();
    }

    pub(super) async fn reap(&mut self) {
        self.exited().await;
    }

    fn child(&self) -> MutexGuard<'_, Box<dyn ChildWrapper>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
