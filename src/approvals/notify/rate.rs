//! How many notifications may come: a few at once, then one now and then that says how many were left out.

use std::time::{Duration, Instant};

/// Notifications at once.
const BURST: u32 = 3;
/// After that, one in this time.
const EVERY: Duration = Duration::from_secs(20);

/// A bucket of notifications that fills with time.
#[derive(Debug, Default)]
pub(super) struct Rate {
    /// Spent ones that have not come back yet, and when the first of them began to.
    spent: u32,
    since: Option<Instant>,
    left_out: u32,
}

impl Rate {
    /// Whether one may be shown now, and how many were left out since the last one.
    pub(super) fn admit(&mut self, now: Instant) -> Option<u32> {
        self.refill(now);
        if self.spent >= BURST {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.since.get_or_insert(now);
        self.spent += 1;
        Some(std::mem::take(&mut self.left_out))
    }

    fn refill(&mut self, now: Instant) {
        while let Some(since) = self.since.filter(|since| now.duration_since(*since) >= EVERY) {
            self.spent = self.spent.saturating_sub(1);
            self.since = (self.spent > 0).then(|| since + EVERY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_becomes_a_few_that_tell_how_many_there_were() {
        let (mut rate, start) = (Rate::default(), Instant::now());
        let shown: Vec<_> = (0..100).filter_map(|_| rate.admit(start)).collect();
        assert_eq!(shown, [0; BURST as usize]);
        assert_eq!(rate.admit(start + EVERY), Some(97));
        assert_eq!(rate.admit(start + EVERY), None);
        assert_eq!(rate.admit(start + EVERY * 2), Some(1));
        // Quiet for long: all of them again, and no more.
        let later = start + EVERY * 1000;
        assert_eq!((0..10).filter_map(|_| rate.admit(later)).count(), BURST as usize);
    }
}
