//! The directory: a snapshot of what is offered and of how every backend stands, published by the supervisor and
//! read by every flow.

pub mod listing;
pub mod names;
mod template;

pub use listing::{Listing, Route, Shown};
pub use names::Names;

use crate::backend::BackendHandle;
use crate::backend::catalogue::Catalogue;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::Instant;

/// How a backend stands.
#[derive(Clone)]
pub enum State {
    /// Not started yet, or starting for the first time.
    Starting,
    /// Takes requests.
    Up(BackendHandle),
    /// Ended and will be started again.
    Restarting {
        /// When the next attempt is due.
        due: Instant,
        /// Why it ended.
        why: Arc<str>,
    },
    /// Ended, and is not started again.
    Over {
        /// Why it ended.
        why: Arc<str>,
    },
    /// Failed too often: only probed now and then.
    Parked {
        /// When the next probe is due.
        due: Instant,
        /// Why it ended the last time.
        why: Arc<str>,
    },
}

/// One backend in the directory.
#[derive(Clone)]
pub struct Standing {
    /// Its id.
    pub id: Arc<str>,
    /// How it stands.
    pub state: State,
    /// What it offers: as it said itself in this session, or as it was last time.
    pub catalogue: Option<Arc<Catalogue>>,
    /// How often it was started.
    pub starts: u64,
}

/// The snapshot.
#[derive(Clone, Default)]
pub struct Directory {
    /// Whether the session was opened and backends are being started.
    pub has_begun: bool,
    /// What the client is offered.
    pub listing: Arc<Listing>,
    /// The backends in the order of the configuration.
    pub standings: Vec<Standing>,
}

impl Directory {
    /// Whether every backend's lists are known, or it is known that they will not come soon.
    pub fn is_listed(&self) -> bool {
        // One that is up without a catalogue is still being listed.
        let is_on_its_way = |state: &State| matches!(state, State::Starting | State::Up(_));
        let settled = |standing: &Standing| standing.catalogue.is_some() || !is_on_its_way(&standing.state);
        self.has_begun && self.standings.iter().all(settled)
    }

    /// Why a backend that is not started again has ended.
    pub fn over(&self) -> Option<&Arc<str>> {
        self.standings.iter().find_map(|standing| match &standing.state {
            State::Over { why } => Some(why),
            _ => None,
        })
    }
}

/// Reads the newest snapshot and waits for newer ones.
pub type Reader = watch::Receiver<Arc<Directory>>;

/// The newest snapshot that satisfies `is_enough`, or the newest one at `deadline`.
pub async fn wait(
    reader: &Reader,
    deadline: Instant,
    is_enough: impl Fn(&Directory) -> bool,
) -> Arc<Directory> {
    let now = reader.borrow().clone();
    if is_enough(&now) {
        return now;
    }
    let mut reader = reader.clone();
    loop {
        let now = reader.borrow_and_update().clone();
        if is_enough(&now) {
            return now;
        }
        match tokio::time::timeout_at(deadline, reader.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return now,
        }
    }
}
