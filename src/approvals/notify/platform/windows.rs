//! Windows: a toast, by the shell that comes with it.

use std::path::PathBuf;
use std::process::Command;

/// What `on` cannot do here.
pub(in super::super) const MISSING: &str = "powershell is not in PATH; set it to off";

/// The program that shows notifications here.
#[derive(Clone, Debug)]
pub(in super::super) struct Shower {
    program: PathBuf,
}

impl Shower {
    /// The shell is a part of the system.
    pub(in super::super) fn find() -> Option<Self> {
        which::which("powershell.exe").ok().map(|program| Self { program })
    }

    /// The call that shows this text, which the script takes from its environment. It borrows the shell's own name
    /// among the applications: a notification of an application that is not installed is not shown.
    pub(in super::super) fn command(&self, title: &str, body: &str) -> Command {
        const SCRIPT: &str = "\
$ErrorActionPreference = 'Stop';
[void][Windows.UI.Notifications.ToastNotificationManager, Windows.UI.Notifications, ContentType = WindowsRuntime];
$template = [Windows.UI.Notifications.ToastTemplateType]::ToastText02;
$toast = [Windows.UI.Notifications.ToastNotificationManager]::GetTemplateContent($template);
$texts = $toast.GetElementsByTagName('text');
[void]$texts.Item(0).AppendChild($toast.CreateTextNode($env:NOTICE_TITLE));
[void]$texts.Item(1).AppendChild($toast.CreateTextNode($env:NOTICE_BODY));
$app = '{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}\\WindowsPowerShell\\v1.0\\powershell.exe';
$shown = [Windows.UI.Notifications.ToastNotification]::new($toast);
[Windows.UI.Notifications.ToastNotificationManager]::CreateToastNotifier($app).Show($shown);";
        let mut command = Command::new(&self.program);
        command.args(["-NoProfile", "-NonInteractive", "-WindowStyle", "Hidden", "-Command", SCRIPT]);
        command.env("NOTICE_TITLE", title).env("NOTICE_BODY", body);
        std::os::windows::process::CommandExt::creation_flags(&mut command, CREATE_NO_WINDOW);
        command
    }
}

/// A console program without a window of its own (Windows API, "Process Creation Flags").
const CREATE_NO_WINDOW: u32 = 0x0800_0000;

/// Whether somebody's session could show a notification: services run as accounts of the machine, without a desktop.
pub(in super::super) fn has_session() -> bool {
    let is = |name: &str, test: fn(&str) -> bool| std::env::var(name).is_ok_and(|value| test(&value));
    !is("USERNAME", |user| user.ends_with('$'))
        && !is("SESSIONNAME", |name| name.eq_ignore_ascii_case("services"))
}
