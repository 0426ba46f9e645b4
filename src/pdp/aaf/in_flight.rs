//! Calls that are being decided: the same call made meanwhile waits for the first one's answer, so that two at once do not
//! ask people twice. It waits once; when nobody has to be asked all of them go on side by side.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The digests of the calls that are being decided.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    digests: Mutex<BTreeSet<String>>,
    ended: Condvar,
}

/// Stands for the first call of its kind until it is dropped.
#[derive(Debug)]
pub(super) struct First<'a> {
    of: &'a InFlight,
    digest: String,
}

impl InFlight {
    /// For the first call of its kind at once; for every other one when the first has ended, or at `deadline`, and without
    /// anything to hold.
    pub(super) fn enter(&self, digest: &str, deadline: Instant) -> Option<First<'_>> {
        let mut digests = self.lock();
        if digests.insert(digest.to_owned()) {
            return Some(First { of: self, digest: digest.to_owned() });
        }
        while digests.contains(digest) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let waited = self.ended.wait_timeout(digests, left);
            digests = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.digests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for First<'_> {
    fn drop(&mut self) {
        self.of.lock().remove(&self.digest);
        self.of.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_same_call_waits_for_the_first_one_and_others_do_not() {
        let in_flight = InFlight::default();
        let soon = Instant::now() + Duration::from_secs(20);
        let first = in_flight.enter("a", soon).expect("the first");
        assert!(in_flight.enter("b", soon).is_some());
        assert!(in_flight.enter("a", Instant::now()).is_none(), "no time to wait");
        std::thread::scope(|scope| {
            // It waits, or comes when the first has ended and is the first itself.
            let second = scope.spawn(|| in_flight.enter("a", soon).is_none_or(|first| first.digest == "a"));
            drop(first);
            assert!(second.join().is_ok_and(|came| came));
        });
        assert!(in_flight.enter("a", soon).is_some(), "nothing is left behind");
    }
}
