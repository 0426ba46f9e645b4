//! What all threads of one connection share.

use super::endpoint::Endpoint;
use super::exchange::Exchange;
use super::limits::LINGERING;
use super::park;
use super::session::{Session, Ticket};
use super::{HttpLimits, Incoming, Kind};
use crate::workers::Pending;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio_util::sync::CancellationToken;

/// An exchange under way, by what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// A request, by our id.
    Request(u64),
    /// A notification or response, counted.
    Notice(u64),
    /// A GET stream, counted.
    Stream(u64),
}

/// An exchange, and its job: dropping the second takes back a job that has not begun.
struct Open {
    exchange: Arc<Exchange>,
    job: Option<Pending<()>>,
}

/// The shared part of one connection.
pub(super) struct Link {
    pub(super) backend: Arc<str>,
    pub(super) endpoint: Endpoint,
    pub(super) session: Session,
    pub(super) limits: HttpLimits,
    incoming: mpsc::Sender<Incoming>,
    over: CancellationToken,
    open: Mutex<BTreeMap<Key, Open>>,
    lingering: Mutex<VecDeque<Arc<Exchange>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    pub(super) fn new(
        backend: Arc<str>,
        endpoint: Endpoint,
        limits: HttpLimits,
        incoming: mpsc::Sender<Incoming>,
    ) -> Self {
        Self {
            backend,
            endpoint,
            session: Session::default(),
            limits,
            incoming,
            over: CancellationToken::new(),
            open: Mutex::default(),
            lingering: Mutex::default(),
        }
    }

    /// Begins an exchange that [`Link::cancel`] finds by `key`, until [`Link::forget`].
    pub(super) fn begin(&self, key: Key) -> Arc<Exchange> {
        let exchange = Exchange::new(&self.over);
        lock(&self.open).insert(key, Open { exchange: exchange.clone(), job: None });
        exchange
    }

    /// Keeps the job of an exchange alive, unless it is done already.
    pub(super) fn keep(&self, key: Key, job: Pending<()>) {
        if let Some(open) = lock(&self.open).get_mut(&key) {
            open.job = Some(job);
        }
    }

    pub(super) fn forget(&self, key: Key) {
        lock(&self.open).remove(&key);
    }

    pub(super) fn cancel(&self, key: Key) {
        let open = lock(&self.open).remove(&key);
        if let Some(open) = open {
            open.exchange.cancel();
        }
    }

    /// Takes every exchange back, and every one that would begin.
    pub(super) fn cancel_all(&self) {
        self.over.cancel();
        let open = std::mem::take(&mut *lock(&self.open));
        open.values().for_each(|open| open.exchange.cancel());
        let lingering = std::mem::take(&mut *lock(&self.lingering));
        lingering.iter().for_each(|exchange| exchange.cancel());
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    /// The exchange has all it wanted, and reads on only for the end of its stream. Of too many the oldest is cut.
    pub(super) fn linger(&self, exchange: &Arc<Exchange>) {
        let cut = {
            let mut lingering = lock(&self.lingering);
            lingering.push_back(exchange.clone());
            if lingering.len() > LINGERING { lingering.pop_front() } else { None }
        };
        if let Some(cut) = cut {
            cut.cancel();
        }
    }

    pub(super) fn linger_no_more(&self, exchange: &Arc<Exchange>) {
        lock(&self.lingering).retain(|other| !Arc::ptr_eq(other, exchange));
    }

    /// Hands one thing to the backend's actor, and waits for a place: a full queue stops the reading, and so the
    /// server. `false` when nobody wants it any more.
    pub(super) fn deliver(&self, exchange: &Exchange, what: Incoming) -> bool {
        if exchange.is_over() {
            return false;
        }
        let what = match self.incoming.try_send(what) {
            Ok(()) => return true,
            Err(TrySendError::Closed(_)) => return false,
            Err(TrySendError::Full(what)) => what,
        };
        let place = async {
            tokio::select! {
                biased;
                () = exchange.over() => None,
                place = self.incoming.reserve() => place.ok(),
            }
        };
        match park::wait(place, None).flatten() {
            Some(place) => {
                place.send(what);
                true
            }
            None => false,
        }
    }

    /// Tells that calls may go, where no thread is there to wait for a place. A full queue means that the actor has
    /// not taken what came before, so this one is for the log.
    pub(super) fn tell_stream_ready(&self) {
        if self.incoming.try_send(Incoming::StreamReady).is_err() {
            tracing::warn!(backend = %self.backend, "the stream's state could not be told");
        }
    }

    /// Tells that the server does not know the session of `ticket`.
    pub(super) fn session_gone(&self, exchange: &Exchange, ticket: &Ticket, what: Option<Kind>) {
        let renew = self.session.forget(ticket);
        // The GET stream tells only news: no message of the caller hangs on it.
        if renew || what.is_some() {
            self.deliver(exchange, Incoming::SessionGone { what, renew });
        }
    }
}
