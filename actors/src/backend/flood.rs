//! Slowing a backend that floods: the places its pump needs are given back later.

use crate::gate::Permit;
use crate::limits::{FLOOD_PAUSE, NOTICES_PER_SECOND};
use std::time::Duration;
use tokio::time::Instant;

/// Counts what a backend sends unasked, by the second.
pub(super) struct Flood {
    second: Instant,
    seen: u32,
    told: bool,
}

impl Flood {
    pub(super) fn new() -> Self {
        Flood { second: Instant::now(), seen: 0, told: false }
    }

    /// Notes one unasked line and takes its place: freed at once, or after a pause when there were too many.
    pub(super) fn note(&mut self, backend: &str, place: Permit) {
        let now = Instant::now();
        if now - self.second >= Duration::from_secs(1) {
            self.second = now;
            self.seen = 0;
        }
        self.seen += 1;
        if self.seen <= NOTICES_PER_SECOND {
            return;
        }
        if !self.told {
            self.told = true;
            tracing::warn!(
                backend,
                limit = NOTICES_PER_SECOND,
                "sends more notices a second than it may; it is slowed down"
            );
        }
        tokio::spawn(async move {
            tokio::time::sleep(FLOOD_PAUSE).await;
            drop(place);
        });
    }
}
