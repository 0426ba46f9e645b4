//! macOS: AppleScript's `display notification`.

use std::path::PathBuf;
use std::process::Command;

/// What `on` cannot do here.
pub(in super::super) const MISSING: &str = "osascript is not in PATH; set it to off";

/// The program that shows notifications here.
#[derive(Clone, Debug)]
pub(in super::super) struct Shower {
    program: PathBuf,
}

impl Shower {
    /// Script is a part of the system.
    pub(in super::super) fn find() -> Option<Self> {
        which::which("osascript").ok().map(|program| Self { program })
    }

    /// The call that shows this text, which the script takes as its arguments.
    pub(in super::super) fn command(&self, title: &str, body: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["-e", "on run argv"]);
        command.args(["-e", "display notification (item 2 of argv) with title (item 1 of argv)"]);
        command.args(["-e", "end run", "--", title, body]);
        command
    }
}

/// Whether somebody's session could show a notification: one over SSH could not.
pub(in super::super) fn has_session() -> bool {
    std::env::var_os("SSH_CONNECTION").is_none()
}
