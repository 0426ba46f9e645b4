//! More than n calls in a stretch of time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Most calls that a rate may allow: each is a time of eight bytes.
pub(super) const MAX_CALLS: usize = 10_000;
/// Most times that one rule keeps, over all that it counts apart: half a MiB. When there are more, nobody can be
/// counted any more and the rule takes every call as one too many.
const MAX_TIMES: usize = 65_536;
/// Most rules with a rate in one file: 32 MiB of times altogether.
pub(super) const MAX_RATES: usize = 64;

/// How many calls in which time, and what is counted apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    /// So many calls are in order.
    pub(super) calls: usize,
    /// In any stretch of this length.
    pub(super) per: Duration,
    /// What is counted apart.
    pub(super) by: Vec<By>,
}

/// What calls are counted apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The backend's id.
    Backend,
    /// The tool's own name, together with its backend.
    Tool,
    /// Who calls.
    Agent,
}

/// The calls of one rule, as far as they matter.
#[derive(Debug, Default)]
pub(super) struct Counter {
    counted: Mutex<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    /// Milliseconds since 1970, rising.
    times: BTreeMap<String, VecDeque<u64>>,
    /// How many there are altogether.
    held: usize,
}

impl Rate {
    /// What this call is counted under.
    fn key(&self, backend: &str, tool: &str, agent: &str) -> String {
        let mut key = String::new();
        for by in &self.by {
            match by {
                By::Backend => key.push_str(backend),
                By::Tool => key.extend([backend, "\n", tool]),
                By::Agent => key.push_str(agent),
            }
            key.push('\0');
        }
        key
    }

    /// Counts a call and says whether it is one too many. One that is does not count, so that whoever waits as long as
    /// it takes may go on, however often they tried in between.
    pub(super) fn exceeded(
        &self,
        counter: &Counter,
        at: SystemTime,
        backend: &str,
        tool: &str,
        agent: &str,
    ) -> bool {
        let now = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        let per = u64::try_from(self.per.as_millis()).unwrap_or(u64::MAX);
        let mut counted = counter.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let Counted { times, held } = &mut *counted;
        if *held >= MAX_TIMES {
            times.values_mut().for_each(|times| *held -= forget(times, now, per));
            times.retain(|_, times| !times.is_empty());
        }
        if *held >= MAX_TIMES {
            return true;
        }
        let times = times.entry(self.key(backend, tool, agent)).or_default();
        *held -= forget(times, now, per);
        if times.len() >= self.calls {
            return true;
        }
        // A clock that was set back does not reorder.
        let last = times.back().copied().unwrap_or(0);
        times.push_back(now.max(last));
        *held += 1;
        false
    }
}

/// Drops the times that lie a stretch or more behind; how many.
fn forget(times: &mut VecDeque<u64>, now: u64, per: u64) -> usize {
    let before = times.len();
    while times.front().is_some_and(|time| time.saturating_add(per) <= now) {
        times.pop_front();
    }
    before - times.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(millis)
    }

    #[test]
    fn the_one_too_many_is_told_and_does_not_count() {
        let rate = Rate { calls: 2, per: Duration::from_secs(1), by: vec![By::Tool] };
        let counter = Counter::default();
        let exceeded = |millis, tool| rate.exceeded(&counter, at(millis), "db", tool, "a");
        assert!(!exceeded(0, "q") && !exceeded(500, "q"));
        assert!(exceeded(600, "q") && exceeded(999, "q"));
        assert!(!exceeded(999, "other"), "counted apart");
        assert!(!exceeded(1_000, "q"), "the first one has left");
        assert!(exceeded(1_001, "q"));
        assert!(!exceeded(1_500, "q"));
    }

    #[test]
    fn a_clock_set_back_opens_nothing() {
        let rate = Rate { calls: 1, per: Duration::from_secs(1), by: Vec::new() };
        let counter = Counter::default();
        assert!(!rate.exceeded(&counter, at(10_000), "", "", ""));
        assert!(rate.exceeded(&counter, at(5_000), "", "", ""));
    }

    #[test]
    fn memory_is_bounded_and_falls_shut() {
        let rate = Rate { calls: 1, per: Duration::from_secs(1), by: vec![By::Agent] };
        let counter = Counter::default();
        for n in 0..MAX_TIMES {
            assert!(!rate.exceeded(&counter, at(0), "", "", &n.to_string()));
        }
        assert!(rate.exceeded(&counter, at(999), "", "", "one more"));
        assert!(!rate.exceeded(&counter, at(1_000), "", "", "one more"), "there is room again");
        assert_eq!(counter.counted.lock().expect("whole").times.len(), 1);
    }
}
