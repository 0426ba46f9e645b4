//! Bringing a request to its backend: wait for one that is away, send, wait for the answer, and send again only what
//! provably never left or may run twice.

use super::Machine;
use crate::backend::{Activity, BackendHandle, Lost, ProgressToken};
use crate::directory::{self, Directory, State};
use crate::limits::TIMEOUT_STRETCH;
use crate::seat::AskError;
use crate::wire::codes::{ErrorObject, INTERNAL_ERROR};
use crate::wire::envelope::Body;
use bytes::Bytes;
use std::borrow::Cow;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// How often a request is sent at the most.
const ATTEMPTS: u32 = 3;

/// A request for one backend.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// The backend's position in the configuration.
    pub(super) backend: usize,
    pub(super) method: Cow<'static, str>,
    /// Raw JSON.
    pub(super) params: Option<Bytes>,
    pub(super) progress: Option<ProgressToken>,
    /// Running it twice does no more than running it once.
    pub(super) may_repeat: bool,
    /// When the host gives up.
    pub(super) deadline: Instant,
}

/// Where a request is now, for whoever must take it back.
#[derive(Clone, Default)]
pub(super) struct Whereabouts {
    sent: Option<(BackendHandle, u64)>,
}

impl Whereabouts {
    /// It is there now.
    pub(super) fn note(&mut self, handle: &BackendHandle, number: u64) {
        self.sent = Some((handle.clone(), number));
    }

    /// Tells the backend that nobody wants the answer any more.
    pub(super) fn take_back(&self) {
        if let Some((handle, number)) = &self.sent {
            handle.cancel(*number, "the client took the request back");
        }
    }
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The backend is not there; the request never left.
    Away(String),
    /// The backend has as many open requests as it may.
    Busy,
    /// The backend refused it before acting on it.
    Refused(String),
    /// No answer in time; it may have been executed.
    TimedOut(Duration),
    /// The backend went away with it; it may have been executed.
    Unknown(String),
    /// The backend has no readable answer to it; it may have been executed.
    Failed(String),
}

impl Failure {
    /// This failure of a request of which an earlier attempt left and has no answer (`left` says why).
    fn after(self, left: Option<String>) -> Self {
        match (self, left) {
            (Failure::Away(_) | Failure::Busy | Failure::Refused(_), Some(why)) => Failure::Unknown(why),
            (failure, _) => failure,
        }
    }

    /// The error for the client; `id` is the backend's.
    pub(super) fn error(&self, id: &str) -> Bytes {
        let (message, outcome, retryable) = match self {
            Failure::Away(why) => {
                (format!("backend {id:?} is not available: {why}; try again"), "not_forwarded", true)
            }
            Failure::Busy => (
                format!("backend {id:?} is busy: too many requests are open; try again"),
                "not_forwarded",
                true,
            ),
            Failure::Refused(why) => {
                (format!("backend {id:?} refused the request: {why}"), "not_forwarded", false)
            }
            Failure::TimedOut(after) => (
                format!(
                    "backend {id:?} timed out after {}; the outcome is unknown, the request may have been executed",
                    seconds(*after)
                ),
                "timed_out",
                false,
            ),
            Failure::Failed(why) => (
                format!(
                    "backend {id:?} gave no usable answer ({why}); the outcome is unknown, the request may have been \
                     executed and was not repeated"
                ),
                "unknown",
                false,
            ),
            Failure::Unknown(why) => (
                format!(
                    "backend {id:?} went away while it had the request ({why}); the outcome is unknown, \
                     the request may have been executed and was not repeated"
                ),
                "unknown",
                false,
            ),
        };
        ErrorObject::new(INTERNAL_ERROR, message)
            .text("origin", "gate")
            .text("backend", id)
            .text("outcome", outcome)
            .flag("retryable", retryable)
            .into_bytes()
    }
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

/// Sends `request` and waits for the answer. `whereabouts` says at every moment where it is.
pub(super) async fn forward(
    machine: &Machine,
    request: &Request,
    whereabouts: &mut Whereabouts,
) -> Result<Body, Failure> {
    let timeout =
        machine.settings.backend_timeouts.get(request.backend).copied().unwrap_or(Duration::from_secs(30));
    let mut beyond = 0;
    let mut failure = Failure::Away("it did not come up".into());
    // Why an earlier attempt has no answer, if one left: then "not forwarded" is not true of the request any more.
    let mut left = None;
    for _ in 0..ATTEMPTS {
        let handle = up(machine, request, beyond, timeout).await.map_err(|away| away.after(left.clone()))?;
        beyond = handle.generation;
        let number = machine.next_number();
        let activity = Activity::default();
        let sent = handle.forward(
            number,
            request.method.clone(),
            request.params.clone(),
            request.progress.clone(),
            activity.clone(),
        );
        let answer = match sent {
            Ok(answer) => answer,
            Err(AskError::Busy) => return Err(Failure::Busy.after(left)),
            Err(_) => continue,
        };
        whereabouts.note(&handle, number);
        failure = match wait(answer, &handle, &activity, timeout).await {
            Some(Ok(body)) => return Ok(body),
            Some(Err(Lost::NotSent(why))) => Failure::Away(why),
            Some(Err(Lost::Refused(why))) => return Err(Failure::Refused(why).after(left)),
            Some(Err(Lost::Failed(why))) => return Err(Failure::Failed(why)),
            Some(Err(Lost::Busy)) => return Err(Failure::Busy.after(left)),
            Some(Err(Lost::Unknown(why))) if request.may_repeat => {
                left = Some(why.clone());
                Failure::Unknown(why)
            }
            Some(Err(Lost::Unknown(why))) => return Err(Failure::Unknown(why)),
            None => {
                handle.timed_out(number);
                return Err(Failure::TimedOut(activity.begun().elapsed()));
            }
        };
        whereabouts.sent = None;
    }
    Err(failure.after(left))
}

/// The handle of an incarnation newer than `beyond`, as soon as there is one. A parked backend fails at once.
async fn up(
    machine: &Machine,
    request: &Request,
    beyond: u64,
    timeout: Duration,
) -> Result<BackendHandle, Failure> {
    let state = |directory: &Directory| {
        directory.standings.get(request.backend).map(|standing| standing.state.clone())
    };
    let usable = |directory: &Directory| match state(directory) {
        Some(State::Up(handle)) => handle.generation > beyond,
        Some(State::Parked { .. } | State::Over { .. }) | None => true,
        _ => false,
    };
    let deadline = request.deadline.min(Instant::now() + timeout);
    let directory = directory::wait(&machine.directory, deadline, usable).await;
    match state(&directory) {
        Some(State::Up(handle)) if handle.generation > beyond => Ok(handle),
        Some(State::Parked { why, due }) => {
            let next = due.saturating_duration_since(Instant::now());
            Err(Failure::Away(format!(
                "it failed too often ({why}); the next attempt is in {}",
                seconds(whole(next))
            )))
        }
        Some(State::Over { why }) => Err(Failure::Away(format!("it has ended ({why})"))),
        Some(State::Restarting { why, .. }) => {
            Err(Failure::Away(format!("it is being started again ({why})")))
        }
        Some(State::Starting | State::Up(_)) => Err(Failure::Away("it is still starting".into())),
        None => Err(Failure::Away("it is not configured".into())),
    }
}

fn whole(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs() + 1)
}

/// Waits for an answer: `timeout` without a sign of life, or much longer while there are some. `None` when time ran
/// out.
async fn wait(
    mut answer: oneshot::Receiver<Result<Body, Lost>>,
    handle: &BackendHandle,
    activity: &Activity,
    timeout: Duration,
) -> Option<Result<Body, Lost>> {
    let end = activity.begun() + timeout * TIMEOUT_STRETCH;
    let mut due = activity.begun() + timeout;
    loop {
        match tokio::time::timeout_at(due.min(end), &mut answer).await {
            Ok(Ok(result)) => return Some(result),
            Ok(Err(_)) => return Some(Err(Lost::Unknown("it went away".into()))),
            Err(_) => {}
        }
        let now = Instant::now();
        // A question to the client may wait for a person: the backend's clock stands still meanwhile.
        due = if handle.waits_for_client() { now + timeout } else { activity.last() + timeout };
        if now >= end || due <= now {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_left_once_is_never_called_not_forwarded() {
        let left = || Some("exited with code 1".to_owned());
        let unknown = Failure::Unknown("exited with code 1".into());
        for later in [Failure::Away("parked".into()), Failure::Busy, Failure::Refused("HTTP 403".into())] {
            assert_eq!(later.after(left()), unknown);
        }
        assert_eq!(Failure::Busy.after(None), Failure::Busy);
        let failed = Failure::Failed("HTTP 500".into());
        assert_eq!(failed.after(left()), Failure::Failed("HTTP 500".into()));
    }
}
