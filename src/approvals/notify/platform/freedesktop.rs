//! Desktops with a session bus (Desktop Notifications Specification 1.2): `notify-send`, or `gdbus` where that is missing.

use std::path::PathBuf;
use std::process::Command;

/// What `on` cannot do here.
pub(in super::super) const MISSING: &str =
    "neither notify-send nor gdbus is in PATH; install one of them (libnotify-bin), or set it to off";

/// How long it stays, in milliseconds: as long as a call is held.
const STAYS: &str = "25000";

/// The program that shows notifications here.
#[derive(Clone, Debug)]
pub(in super::super) struct Shower {
    program: PathBuf,
    speaks: Speaks,
    bus: Option<String>,
}

/// Which of the programs it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaks {
    NotifySend,
    Gdbus,
}

impl Shower {
    /// The first of the programs that is here.
    pub(in super::super) fn find() -> Option<Self> {
        let known = [("notify-send", Speaks::NotifySend), ("gdbus", Speaks::Gdbus)];
        known.into_iter().find_map(|(name, speaks)| {
            let program = which::which(name).ok()?;
            Some(Self { program, speaks, bus: bus() })
        })
    }

    /// The call that shows this text.
    pub(in super::super) fn command(&self, title: &str, body: &str) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(bus) = &self.bus {
            command.env("DBUS_SESSION_BUS_ADDRESS", bus);
        }
        match self.speaks {
            Speaks::NotifySend => {
                command.args(["--app-name=Callgate", "--expire-time", STAYS, "--", title, body]);
            }
            Speaks::Gdbus => {
                command.args(["call", "--session", "--timeout", "5"]);
                command.args(["--dest", "org.freedesktop.Notifications"]);
                command.args(["--object-path", "/org/freedesktop/Notifications"]);
                command.args(["--method", "org.freedesktop.Notifications.Notify"]);
                command.args(["'Callgate'", "uint32 0", "''", &literal(title), &literal(body)]);
                command.args(["@as []", "@a{sv} {}", STAYS]);
            }
        }
        command
    }
}

/// A text as gdbus reads one (GVariant text format, "Strings").
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n"))
}

/// Whether somebody's session could show a notification.
pub(in super::super) fn has_session() -> bool {
    bus().is_some()
}

/// The session's message bus. Hosts start servers with few variables, so it is looked for where systemd puts it.
fn bus() -> Option<String> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(bus) = variable("DBUS_SESSION_BUS_ADDRESS") {
        return Some(bus);
    }
    let folder = variable("XDG_RUNTIME_DIR").map(PathBuf::from).or_else(runtime_folder)?;
    let socket = folder.join("bus");
    socket.exists().then(|| format!("unix:path={}", socket.display()))
}

/// `/run/user/<uid>`, by the owner of this process.
#[cfg(target_os = "linux")]
fn runtime_folder() -> Option<PathBuf> {
    use std::os::unix::fs::MetadataExt;
    let owner = std::fs::metadata("/proc/self").ok()?.uid();
    Some(PathBuf::from(format!("/run/user/{owner}")))
}

#[cfg(not(target_os = "linux"))]
fn runtime_folder() -> Option<PathBuf> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_arguments_whole() {
        let shower =
            Shower { program: "x".into(), speaks: Speaks::NotifySend, bus: Some("unix:path=/b".into()) };
        let command = shower.command("--help", "a\nb");
        let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect();
        assert_eq!(args[args.len() - 3..], ["--", "--help", "a\nb"]);
        assert!(command.get_envs().any(|(key, _)| key == "DBUS_SESSION_BUS_ADDRESS"));
    }

    #[test]
    fn a_text_is_one_text_for_gdbus() {
        assert_eq!(literal("a'b\\\nc"), r"'a\'b\\\nc'");
    }
}
