//! One backend as the supervisor keeps it.

use super::restart::{Fared, History, Next};
use crate::backend::catalogue::{Catalogue, List};
use crate::backend::{BackendHandle, BackendMessage};
use crate::directory::{Shown, Standing, State};
use ractor::{ActorId, ActorRef};
use std::sync::Arc;
use tokio::time::Instant;

/// One backend.
pub(super) struct Slot {
    pub(super) id: Arc<str>,
    pub(super) state: State,
    pub(super) catalogue: Option<Arc<Catalogue>>,
    pub(super) shown: Option<Shown>,
    pub(super) live: Option<Live>,
    pub(super) generation: u64,
    history: History,
}

/// The incarnation that lives now.
pub(super) struct Live {
    pub(super) actor: ActorRef<BackendMessage>,
    pub(super) handle: BackendHandle,
    /// Counts as one of the starts that may run at once.
    pub(super) is_launching: bool,
    pub(super) was_ready: bool,
    pub(super) has_worked: bool,
    begun: Instant,
}

impl Live {
    pub(super) fn new(actor: ActorRef<BackendMessage>, handle: BackendHandle) -> Self {
        Live { actor, handle, is_launching: true, was_ready: false, has_worked: false, begun: Instant::now() }
    }
}

impl Slot {
    pub(super) fn new(id: Arc<str>) -> Self {
        Slot {
            id,
            state: State::Starting,
            catalogue: None,
            shown: None,
            live: None,
            generation: 0,
            history: History::default(),
        }
    }

    /// Notes the end of the incarnation, which is the last one.
    pub(super) fn is_over(&mut self, why: &str) {
        self.live = None;
        self.state = State::Over { why: Arc::from(why) };
    }

    /// Whether `actor` is the incarnation that lives now.
    pub(super) fn is(&self, actor: ActorId) -> bool {
        self.live.as_ref().is_some_and(|live| live.actor.get_id() == actor)
    }

    /// Notes the end of the incarnation. Says when to start it again.
    pub(super) fn ended(&mut self, why: &str, jitter: f64) -> Next {
        let now = Instant::now();
        let fared = self.live.take().map_or(
            Fared { was_ready: false, has_worked: false, lived: std::time::Duration::ZERO },
            |live| Fared { was_ready: live.was_ready, has_worked: live.has_worked, lived: now - live.begun },
        );
        let next = self.history.ended(fared, now, jitter);
        let why = Arc::from(why);
        self.state = match next {
            Next::Restart(pause) => State::Restarting { due: now + pause, why },
            Next::Park(pause) => State::Parked { due: now + pause, why },
        };
        next
    }

    /// Tells which definitions are not what they were: a server that changes a tool under the same name may mean
    /// harm.
    pub(super) fn tell_changes(&self, new: &Catalogue) {
        let Some(old) = &self.catalogue else { return };
        for list in List::ALL {
            for name in new.changed_since(old, list) {
                tracing::warn!(backend = %self.id, list = list.member(), name, "the definition changed since it was last seen");
            }
        }
    }

    pub(super) fn standing(&self) -> Standing {
        Standing {
            id: self.id.clone(),
            state: self.state.clone(),
            catalogue: self.catalogue.clone(),
            starts: self.generation,
        }
    }
}
