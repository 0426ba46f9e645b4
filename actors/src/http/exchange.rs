//! One request and its answer, seen from outside its thread: taken back by another thread, and asked how far it got.
//!
//! A blocked read ends only when its socket is shut down. [`Agent::shutdown`](ureq::Agent::shutdown) does that for
//! a whole agent; an [`Exchange`] does it for one request, by the handles that [`transport`](super::transport)
//! attaches while the request uses a connection and detaches before the connection goes back to the pool.

use super::park;
use std::cell::RefCell;
use std::io;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use ureq::unversioned::transport::ShutdownHandle;

/// Nothing has been written.
const UNSENT: u8 = 0;
/// Some or all has been written.
const SENDING: u8 = 1;
/// A write failed, so the server has at most a part of the message, and a part is no message.
const BROKEN: u8 = 2;

/// A request under way.
pub(super) struct Exchange {
    over: CancellationToken,
    sockets: Mutex<Vec<Weak<dyn ShutdownHandle>>>,
    progress: AtomicU8,
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Exchange>>> = const { RefCell::new(None) };
}

impl Exchange {
    /// An exchange that also ends when `parent` is cancelled.
    pub(super) fn new(parent: &CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            over: parent.child_token(),
            sockets: Mutex::new(Vec::new()),
            progress: AtomicU8::new(UNSENT),
        })
    }

    /// The exchange that this thread works for.
    pub(super) fn current() -> Option<Arc<Self>> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Runs `work`, and lets every connection that it uses on this thread be shut down through this exchange.
    pub(super) fn scope<T>(self: &Arc<Self>, work: impl FnOnce() -> T) -> T {
        struct Reset;
        impl Drop for Reset {
            fn drop(&mut self) {
                CURRENT.set(None);
            }
        }
        CURRENT.set(Some(self.clone()));
        let _reset = Reset;
        work()
    }

    /// Takes the exchange back: a blocked read or write of it ends at once, a waiting one never starts.
    pub(super) fn cancel(&self) {
        self.over.cancel();
        // Under the lock, so that no connection is shut down that has been detached and given to another request.
        let sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        for socket in sockets.iter().filter_map(Weak::upgrade) {
            socket.shutdown();
        }
    }

    /// Whether the exchange was taken back.
    pub(super) fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    /// Completes when the exchange is taken back.
    pub(super) async fn over(&self) {
        self.over.cancelled().await;
    }

    /// Waits; `false` when the exchange was taken back meanwhile.
    pub(super) fn pause(&self, pause: Duration) -> bool {
        park::wait(self.over(), Some(Instant::now() + pause)).is_none()
    }

    pub(super) fn attach(&self, sockets: &[Weak<dyn ShutdownHandle>]) -> io::Result<()> {
        let mut attached = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_over() {
            return Err(io::Error::new(io::ErrorKind::NotConnected, "the request was taken back"));
        }
        attached.extend(sockets.iter().cloned());
        Ok(())
    }

    pub(super) fn detach(&self) {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(super) fn write_begins(&self) {
        self.progress.store(SENDING, Ordering::Relaxed);
    }

    pub(super) fn write_failed(&self) {
        self.progress.store(BROKEN, Ordering::Relaxed);
    }

    /// Whether the server may have the whole message.
    pub(super) fn may_have_arrived(&self) -> bool {
        self.progress.load(Ordering::Relaxed) == SENDING
    }
}
