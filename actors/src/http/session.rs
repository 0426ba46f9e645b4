//! The session that the server gave, and who goes with which one.

use super::limits::SESSION_ID_BYTES;
use std::sync::{Mutex, MutexGuard, PoisonError};
use ureq::http::HeaderValue;

/// What one request carries of the session.
#[derive(Clone, Debug, Default)]
pub(super) struct Ticket {
    pub(super) id: Option<HeaderValue>,
    pub(super) version: Option<HeaderValue>,
    generation: u64,
    /// The session was lost and no new one stands: nothing but `initialize` may go, since without a session the
    /// server would refuse it for a reason that is not its own.
    pub(super) is_lost: bool,
}

/// The session of one backend. Only an answer to `initialize` begins one.
#[derive(Debug, Default)]
pub(super) struct Session(Mutex<Ticket>);

impl Session {
    fn lock(&self) -> MutexGuard<'_, Ticket> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a request carries now.
    pub(super) fn ticket(&self) -> Ticket {
        self.lock().clone()
    }

    /// A new session stands in place of any other; `None` when the server keeps none.
    pub(super) fn begin(&self, id: Option<HeaderValue>) {
        let mut current = self.lock();
        *current = Ticket { id, version: None, generation: current.generation + 1, is_lost: false };
    }

    /// Every later request names this protocol version. One that is no header value is left out.
    pub(super) fn negotiated(&self, version: &str) {
        self.lock().version = HeaderValue::from_str(version).ok();
    }

    /// The server does not know the session of `ticket`. `true` for the first one that says so: the session is
    /// forgotten with it.
    pub(super) fn forget(&self, ticket: &Ticket) -> bool {
        let mut current = self.lock();
        let first = current.generation == ticket.generation && current.id.is_some();
        if first {
            current.id = None;
            current.is_lost = true;
        }
        first
    }
}

/// The session id of an answer to `initialize` (MCP 2025-11-25, "Session Management": visible ASCII only).
pub(super) fn session_id(value: Option<&HeaderValue>) -> Result<Option<HeaderValue>, String> {
    let Some(value) = value else { return Ok(None) };
    let bytes = value.as_bytes();
    if bytes.is_empty() || bytes.len() > SESSION_ID_BYTES || !bytes.iter().all(u8::is_ascii_graphic) {
        return Err(format!(
            "the server gave a session id that is not 1 to {SESSION_ID_BYTES} visible ASCII characters"
        ));
    }
    let mut id = value.clone();
    id.set_sensitive(true);
    Ok(Some(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_session_is_told_once() {
        let session = Session::default();
        session.begin(Some(HeaderValue::from_static("a")));
        session.negotiated("2025-11-25");
        let (one, two) = (session.ticket(), session.ticket());
        assert!(session.forget(&one));
        assert!(!session.forget(&two));
        assert!(session.ticket().is_lost);
        session.begin(Some(HeaderValue::from_static("b")));
        assert!(!session.forget(&two), "the new session has nothing to do with the old one");
        assert_eq!(session.ticket().id, Some(HeaderValue::from_static("b")));
        assert!(!session.ticket().is_lost);
        assert_eq!(session.ticket().version, None, "a new session has negotiated nothing yet");
    }

    #[test]
    fn a_session_id_is_visible_ascii() {
        assert_eq!(session_id(None), Ok(None));
        assert!(session_id(Some(&HeaderValue::from_static("a-~!"))).is_ok());
        let long = "x".repeat(SESSION_ID_BYTES + 1);
        for bad in ["", "a b", "\u{e9}", &long] {
            assert!(session_id(Some(&HeaderValue::from_bytes(bad.as_bytes()).unwrap())).is_err(), "{bad:?}");
        }
    }
}
