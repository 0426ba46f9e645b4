//! Tells the person at this machine, by a notification of the desktop, that a call waits for their word.
//!
//! The desktop's own program shows it (`platform`), as a child with a deadline: whatever hangs or crashes there does
//! not do so in the gate. A notification never holds an argument of the call, and what comes from a server is reduced to
//! plain characters, since desktops read markup.

mod platform;
mod rate;

use crate::settings::Notify;
use callgate_actors::workers::Workers;
use platform::Shower;
use rate::Rate;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Notifications that wait to be shown; one more is left out.
const QUEUED: usize = 4;
/// How long the desktop's program may take. It hands the text over and leaves, which takes milliseconds; on Windows the
/// shell alone takes a second or two.
const DEADLINE: Duration = Duration::from_secs(10);
/// How often a running one is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Longest name of a backend or tool that is shown.
const NAME_CHARACTERS: usize = 60;
/// Characters of a ticket's id that are shown: `callgate approvals` takes a beginning.
const ID_CHARACTERS: usize = 8;

/// What a notification says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Text {
    title: String,
    body: String,
}

/// Shows notifications for new tickets. Cheap to call: the work is done on a thread.
pub struct Notifier {
    shower: Shower,
    rate: Mutex<Rate>,
    workers: Workers,
}

impl std::fmt::Debug for Notifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notifier").field("shower", &self.shower).finish_non_exhaustive()
    }
}

impl Notifier {
    /// A notifier, if the setting and the session have a use for one.
    pub fn new(notify: Notify) -> Option<Self> {
        let shower = match notify {
            Notify::Off => return None,
            Notify::Auto if !platform::has_session() => return None,
            Notify::Auto | Notify::On => Shower::find(),
        };
        if shower.is_none() && notify == Notify::On {
            tracing::warn!("CALLGATE_APPROVAL_NOTIFY: {}", platform::MISSING);
        }
        Some(Self { shower: shower?, rate: Mutex::default(), workers: Workers::new("notify", 1, QUEUED) })
    }

    /// A call waits: where it goes, its ticket, and the address of the page where it is decided, if there is one. Never
    /// waits for anything.
    pub fn tell(&self, backend: &str, tool: &str, ticket: &str, page: &str) {
        let left_out = match self.rate.lock() {
            Ok(mut rate) => rate.admit(Instant::now()),
            Err(_) => None,
        };
        let Some(left_out) = left_out else { return };
        let text = text(backend, tool, ticket, page, left_out);
        let shower = self.shower.clone();
        // With the queue full there is enough to see.
        let _ = self.workers.start(move || show(shower.command(&text.title, &text.body)));
    }
}

fn text(backend: &str, tool: &str, ticket: &str, page: &str, left_out: u32) -> Text {
    let id = plain(ticket, ID_CHARACTERS);
    let place = if page.is_empty() { format!("callgate approvals approve {id}") } else { page.to_owned() };
    let more = match left_out {
        0 => String::new(),
        count => format!("\n{count} more came since the last notice."),
    };
    let (backend, tool) = (plain(backend, NAME_CHARACTERS), plain(tool, NAME_CHARACTERS));
    let call = [backend, tool].into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>().join(" / ");
    Text {
        title: "A call waits for your approval".into(),
        body: format!("{call}\nTicket {id}. Decide it: {place}{more}"),
    }
}

/// Letters, digits and a few marks; everything else might be markup or a trick.
fn plain(text: &str, longest: usize) -> String {
    let shown = |c: char| if c.is_alphanumeric() || "_-./: ".contains(c) { c } else { '?' };
    let mut plain: String = text.chars().take(longest).map(shown).collect();
    if text.chars().nth(longest).is_some() && longest > ID_CHARACTERS {
        plain.push('…');
    }
    plain
}

/// Runs the desktop's program to its end, or to the deadline.
fn show(mut command: Command) {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            tracing::debug!("a notification could not be shown: {error}");
            return;
        }
    };
    let end = Instant::now() + DEADLINE;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return,
            Ok(Some(status)) => {
                tracing::debug!("a notification was not shown: the desktop's program ended with {status}");
                return;
            }
            Ok(None) if Instant::now() < end => std::thread::sleep(LOOK_EVERY),
            Ok(None) | Err(_) => break,
        }
    }
    tracing::debug!("a notification was not shown in time");
    let _ = child.kill().and_then(|()| child.wait());
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "6f1c2a3b-0000-4000-8000-000000000000";

    #[test]
    fn it_names_the_call_and_where_to_decide() {
        let told = text("crm", "drop_table", ID, "", 0);
        assert_eq!(
            told.body,
            "crm / drop_table\nTicket 6f1c2a3b. Decide it: callgate approvals approve 6f1c2a3b"
        );
        let told = text("", "drop", ID, "http://127.0.0.1:8427/approvals", 3);
        assert!(
            told.body.starts_with("drop\n") && told.body.contains("http://127.0.0.1:8427/approvals"),
            "{told:?}"
        );
        assert!(told.body.ends_with("3 more came since the last notice."), "{told:?}");
    }

    #[test]
    fn names_from_a_server_cannot_drive_the_desktop() {
        let hostile = "<img src=x>\u{202e}\n'; do shell script \"x\" $(id) `id`";
        let told = text("a", hostile, ID, "", 0);
        let name = told.body.lines().next().unwrap_or_default();
        assert!(!name.contains(['<', '>', '\u{202e}', '\'', '"', '$', '`', ';', '&']), "{name}");
        assert_eq!(told.body.lines().count(), 2);
        assert!(text(&"x".repeat(5000), "y", ID, "", 0).body.chars().count() < 250);
    }

    #[test]
    fn what_is_off_shows_nothing() {
        assert!(Notifier::new(Notify::Off).is_none());
    }

    #[cfg(unix)]
    #[test]
    fn a_program_that_fails_is_survived() {
        show(Command::new("/nonexistent/notify"));
        show(Command::new("false"));
    }
}
