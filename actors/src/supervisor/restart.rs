//! Whether and when a backend is started again: a pure function of its history and the time (rule R8).

use crate::limits::{
    CRASHES_IN_WINDOW, FAILED_STARTS_IN_WINDOW, HEALTHY_AFTER, PARKED_PROBE_MAX, PARKED_PROBE_MIN,
    RESTART_PAUSE_MAX, RESTART_PAUSE_MIN, RESTART_WINDOW,
};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// What is to happen with a backend that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Start it again after this pause.
    Restart(Duration),
    /// It failed too often: fail its calls at once and try again after this pause.
    Park(Duration),
}

/// How a backend fared.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Ends of incarnations that never became ready, and of ones that did, within the window.
    failed_starts: VecDeque<Instant>,
    crashes: VecDeque<Instant>,
    /// Ends in a row without work in between: the exponent of the pause.
    in_a_row: u32,
    /// Times in a row that it was parked.
    parked: u32,
}

/// How an incarnation went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fared {
    /// It became ready.
    pub was_ready: bool,
    /// It answered at least one request.
    pub has_worked: bool,
    /// From its start to its end.
    pub lived: Duration,
}

impl History {
    /// Notes an end and says what is next. `jitter` is in 0..=1; the pause is stretched by up to a quarter of it, so
    /// that backends that died together do not come back together.
    pub fn ended(&mut self, fared: Fared, now: Instant, jitter: f64) -> Next {
        if fared.was_ready && fared.lived >= HEALTHY_AFTER {
            *self = History::default();
        }
        let ends = if fared.was_ready { &mut self.crashes } else { &mut self.failed_starts };
        ends.push_back(now);
        for ends in [&mut self.crashes, &mut self.failed_starts] {
            while ends.front().is_some_and(|end| now.duration_since(*end) > RESTART_WINDOW) {
                ends.pop_front();
            }
        }
        self.in_a_row = if fared.has_worked { 0 } else { self.in_a_row.saturating_add(1) };
        if self.failed_starts.len() >= FAILED_STARTS_IN_WINDOW || self.crashes.len() >= CRASHES_IN_WINDOW {
            let pause = doubled(PARKED_PROBE_MIN, self.parked).min(PARKED_PROBE_MAX);
            self.parked = self.parked.saturating_add(1);
            return Next::Park(stretched(pause, jitter));
        }
        self.parked = 0;
        let pause = doubled(RESTART_PAUSE_MIN, self.in_a_row.saturating_sub(1)).min(RESTART_PAUSE_MAX);
        Next::Restart(stretched(pause, jitter))
    }
}

fn doubled(pause: Duration, times: u32) -> Duration {
    pause.saturating_mul(1 << times.min(20))
}

fn stretched(pause: Duration, jitter: f64) -> Duration {
    pause.mul_f64(1.0 + 0.25 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NEVER_READY: Fared = Fared { was_ready: false, has_worked: false, lived: Duration::from_millis(5) };
    const WORKED: Fared = Fared { was_ready: true, has_worked: true, lived: Duration::from_millis(5) };

    #[test]
    fn the_pause_doubles_while_nothing_works_and_then_it_is_parked() {
        let (mut history, now) = (History::default(), Instant::now());
        let mut pauses = Vec::new();
        let parked = loop {
            match history.ended(NEVER_READY, now, 0.0) {
                Next::Restart(pause) => pauses.push(pause.as_millis()),
                Next::Park(probe) => break probe,
            }
        };
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640]);
        assert_eq!(parked, PARKED_PROBE_MIN);
        assert_eq!(history.ended(NEVER_READY, now, 0.0), Next::Park(2 * PARKED_PROBE_MIN));
    }

    #[test]
    fn a_backend_that_works_between_crashes_comes_back_at_once() {
        let (mut history, now) = (History::default(), Instant::now());
        for n in 0..CRASHES_IN_WINDOW as u32 - 1 {
            let next = history.ended(WORKED, now + Duration::from_millis(n.into()), 0.0);
            assert_eq!(next, Next::Restart(RESTART_PAUSE_MIN));
        }
        assert!(matches!(history.ended(WORKED, now + Duration::from_secs(1), 0.0), Next::Park(_)));
    }

    #[test]
    fn old_ends_and_healthy_lives_are_forgotten() {
        let (mut history, now) = (History::default(), Instant::now());
        for _ in 0..FAILED_STARTS_IN_WINDOW {
            history.ended(NEVER_READY, now, 0.0);
        }
        let healthy = Fared { lived: HEALTHY_AFTER, ..WORKED };
        assert_eq!(history.clone().ended(healthy, now, 0.0), Next::Restart(RESTART_PAUSE_MIN));
        let later = now + RESTART_WINDOW + Duration::from_secs(1);
        assert!(matches!(history.ended(NEVER_READY, later, 0.0), Next::Restart(_)));
    }

    proptest! {
        #[test]
        fn pauses_stay_within_their_bounds(ends in proptest::collection::vec((any::<bool>(), any::<bool>(), 0u64..100, 0.0f64..=1.0), 1..200)) {
            let (mut history, mut now) = (History::default(), Instant::now());
            for (was_ready, has_worked, seconds, jitter) in ends {
                now += Duration::from_secs(seconds);
                let fared = Fared { was_ready, has_worked, lived: Duration::from_secs(seconds) };
                let (Next::Restart(pause) | Next::Park(pause)) = history.ended(fared, now, jitter);
                prop_assert!(pause >= RESTART_PAUSE_MIN && pause <= PARKED_PROBE_MAX.mul_f64(1.25));
                prop_assert!(history.crashes.len() <= CRASHES_IN_WINDOW + 200);
            }
        }
    }
}
