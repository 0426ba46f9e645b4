//! The proxy's side of the guardian: starts the helper with the first child and tells it which groups live.

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A handle on the helper process. Clones share it; with the last one the helper ends, and with it every group
/// that is still registered.
#[derive(Clone, Debug)]
pub struct Guardian {
    keeper: Arc<Mutex<Keeper>>,
}

impl Guardian {
    /// `program` with `args` must come to [`super::run`] on its stdin. Nothing is started before the first child.
    pub fn new(program: PathBuf, args: Vec<String>) -> Self {
        let keeper = Keeper { program, args, live: BTreeSet::new(), helper: None };
        Self { keeper: Arc::new(Mutex::new(keeper)) }
    }

    /// The process group `group` lives. A guardian that cannot be started is logged, not fatal: children still see
    /// the end of their stdin, and on Linux die with the proxy's thread.
    pub(crate) fn add(&self, group: u32) {
        let mut keeper = self.lock();
        keeper.live.insert(group);
        keeper.tell('+', group);
    }

    /// The process group `group` got its last SIGKILL. To be called before its leader is reaped: the number must
    /// not be known here when the system gives it to a stranger.
    pub(crate) fn remove(&self, group: u32) {
        let mut keeper = self.lock();
        if keeper.live.remove(&group) {
            keeper.tell('-', group);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Keeper> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The helper's process id, if one was started.
    #[cfg(test)]
    pub(super) fn helper_pid(&self) -> Option<u32> {
        self.lock().helper.as_ref().map(|helper| helper.process.id())
    }
}

#[derive(Debug)]
struct Keeper {
    program: PathBuf,
    args: Vec<String>,
    live: BTreeSet<u32>,
    helper: Option<Helper>,
}

impl Keeper {
    /// Tells the helper of one change; a helper that does not take it is replaced by one that is told everything.
    fn tell(&mut self, sign: char, group: u32) {
        if let Some(helper) = &mut self.helper {
            let Err(error) = helper.write(sign, group) else { return };
            tracing::warn!(%error, "the guardian process is gone, starting it anew");
            if let Some(helper) = self.helper.take() {
                helper.discard();
            }
        }
        if self.live.is_empty() {
            return;
        }
        match self.start() {
            Ok(helper) => self.helper = Some(helper),
            Err(error) => tracing::warn!(
                program = %self.program.display(), %error,
                "the guardian process could not be started; if this process is killed, backends may be left running"
            ),
        }
    }

    fn start(&self) -> io::Result<Helper> {
        let mut helper = Helper::start(&self.program, &self.args)?;
        for group in &self.live {
            if let Err(error) = helper.write('+', *group) {
                helper.discard();
                return Err(error);
            }
        }
        Ok(helper)
    }
}

/// The helper process and the pipe whose end it waits for.
#[derive(Debug)]
struct Helper {
    process: Child,
    /// Never waits: whoever does not read 64 KiB of ten-byte lines is stuck, and is replaced.
    pipe: ChildStdin,
}

impl Helper {
    fn start(program: &std::path::Path, args: &[String]) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.args(args).env_clear().current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // A signal to the proxy's group must not reach it.
        command.process_group(0);
        let mut process = command.spawn()?;
        let pipe = process.stdin.take().ok_or_else(|| io::Error::other("the guardian has no stdin"))?;
        fcntl_setfl(&pipe, fcntl_getfl(&pipe)? | OFlags::NONBLOCK)?;
        Ok(Self { process, pipe })
    }

    /// One line; shorter than `PIPE_BUF`, so it goes whole or not at all.
    fn write(&mut self, sign: char, group: u32) -> io::Result<()> {
        self.pipe.write_all(format!("{sign}{group}\n").as_bytes())
    }

    /// Ends a helper that is not to act. The kill comes before its pipe is closed, or it would end the groups.
    fn discard(mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
