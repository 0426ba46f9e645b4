//! When not to ask: after repeated outages for a short while, and for as long as the service asked to be left
//! alone. A pure state machine; the caller brings the clock.

use std::time::{Duration, Instant};

/// Outages in a row that open the breaker.
pub(in crate::pdp) const OUTAGES_TO_OPEN: u32 = 5;
/// First pause. It doubles with every failed probe.
pub(in crate::pdp) const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause: a service that came back is noticed at most this much later.
pub(in crate::pdp) const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Longest time that a `Retry-After` keeps us from asking; a service that says "tomorrow" by mistake must not shut
/// the gate until tomorrow.
pub(in crate::pdp) const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What the breaker says to a caller that wants to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pdp) enum Permission {
    /// Ask, then report with [`Breaker::answered`] or [`Breaker::failed`].
    Ask {
        /// This request finds out whether the service is back.
        probe: bool,
    },
    /// Nobody has answered lately: an outage without asking.
    FailFast {
        /// Until the next probe.
        retry_after: Duration,
    },
    /// The service asked to wait: a refusal without asking.
    Wait {
        /// What is left of the time it named.
        retry_after: Duration,
        /// The HTTP status it said so with.
        status: u16,
    },
}

/// The state of one endpoint.
#[derive(Debug)]
pub(in crate::pdp) struct Breaker {
    state: State,
    waiting: Option<Waiting>,
}

#[derive(Debug)]
enum State {
    Closed {
        outages: u32,
    },
    Open {
        until: Instant,
        pause: Duration,
    },
    /// One probe is out. If it is never reported (its thread died), the next one may go at `probe_until`.
    HalfOpen {
        probe_until: Instant,
        pause: Duration,
    },
}

#[derive(Debug)]
struct Waiting {
    until: Instant,
    status: u16,
}

impl Breaker {
    pub(in crate::pdp) fn new() -> Self {
        Self { state: State::Closed { outages: 0 }, waiting: None }
    }

    /// Whether to ask now; `answer_by` is when the caller will have reported at the latest.
    pub(in crate::pdp) fn ask(&mut self, now: Instant, answer_by: Instant) -> Permission {
        if let Some(Waiting { until, status }) = self.waiting {
            if now < until {
                return Permission::Wait { retry_after: until - now, status };
            }
            self.waiting = None;
        }
        match self.state {
            State::Closed { .. } => Permission::Ask { probe: false },
            State::Open { until, .. } if now < until => Permission::FailFast { retry_after: until - now },
            State::HalfOpen { probe_until, .. } if now < probe_until => {
                Permission::FailFast { retry_after: probe_until - now }
            }
            // ## Open | HalfOpen (probe lost) => HalfOpen
            State::Open { pause, .. } | State::HalfOpen { pause, .. } => {
                self.state = State::HalfOpen { probe_until: answer_by.max(now), pause };
                Permission::Ask { probe: true }
            }
        }
    }

    /// Somebody answered, whatever it was. ## any => Closed
    pub(in crate::pdp) fn answered(&mut self) {
        self.state = State::Closed { outages: 0 };
    }

    /// Nobody answered.
    pub(in crate::pdp) fn failed(&mut self, now: Instant, probe: bool) {
        match &mut self.state {
            State::Closed { outages } => {
                *outages += 1;
                // ## Closed => Open
                if *outages >= OUTAGES_TO_OPEN {
                    self.state = State::Open { until: now + FIRST_PAUSE, pause: FIRST_PAUSE };
                }
            }
            // ## HalfOpen => Open, for longer
            State::HalfOpen { pause, .. } if probe => {
                let pause = (*pause * 2).min(LONGEST_PAUSE);
                self.state = State::Open { until: now + pause, pause };
            }
            // A straggler from before the breaker opened says nothing new.
            State::Open { .. } | State::HalfOpen { .. } => {}
        }
    }

    /// The service said with `status` not to come back before `after`.
    pub(in crate::pdp) fn told_to_wait(&mut self, now: Instant, after: Duration, status: u16) {
        let until = now + after.min(LONGEST_WAIT);
        if self.waiting.as_ref().is_none_or(|w| w.until < until) {
            self.waiting = Some(Waiting { until, status });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ANSWER_TIME: Duration = Duration::from_secs(10);

    fn open(now: Instant) -> Breaker {
        let mut breaker = Breaker::new();
        for _ in 0..OUTAGES_TO_OPEN {
            assert_eq!(breaker.ask(now, now + ANSWER_TIME), Permission::Ask { probe: false });
            breaker.failed(now, false);
        }
        breaker
    }

    #[test]
    fn it_opens_after_outages_in_a_row_and_lets_one_probe_through() {
        let now = Instant::now();
        let mut breaker = open(now);
        let fail_fast = Permission::FailFast { retry_after: FIRST_PAUSE };
        assert_eq!(breaker.ask(now, now + ANSWER_TIME), fail_fast);
        let later = now + FIRST_PAUSE;
        assert_eq!(breaker.ask(later, later + ANSWER_TIME), Permission::Ask { probe: true });
        assert!(matches!(breaker.ask(later, later + ANSWER_TIME), Permission::FailFast { .. }));
        breaker.answered();
        assert_eq!(breaker.ask(later, later + ANSWER_TIME), Permission::Ask { probe: false });
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut now = Instant::now();
        let mut breaker = open(now);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let Permission::FailFast { retry_after } = breaker.ask(now, now) else { panic!("must be open") };
            pauses.push(retry_after.as_secs());
            now += retry_after;
            assert_eq!(breaker.ask(now, now + ANSWER_TIME), Permission::Ask { probe: true });
            breaker.failed(now, true);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30, 30]);
    }

    #[test]
    fn one_answer_between_outages_starts_the_count_anew() {
        let now = Instant::now();
        let mut breaker = Breaker::new();
        for _ in 0..3 {
            for _ in 1..OUTAGES_TO_OPEN {
                breaker.failed(now, false);
            }
            breaker.answered();
        }
        assert_eq!(breaker.ask(now, now), Permission::Ask { probe: false });
    }

    #[test]
    fn a_lost_probe_does_not_shut_the_way_for_ever() {
        let now = Instant::now() + FIRST_PAUSE;
        let mut breaker = open(now - FIRST_PAUSE);
        assert_eq!(breaker.ask(now, now + ANSWER_TIME), Permission::Ask { probe: true });
        let later = now + ANSWER_TIME;
        assert_eq!(breaker.ask(later, later + ANSWER_TIME), Permission::Ask { probe: true });
    }

    #[test]
    fn w35_a_wait_the_service_asked_for_is_a_refusal_and_bounded() {
        let now = Instant::now();
        let mut breaker = open(now);
        breaker.told_to_wait(now, Duration::from_secs(7), 429);
        let wait = Permission::Wait { retry_after: Duration::from_secs(7), status: 429 };
        assert_eq!(breaker.ask(now, now), wait, "the refusal goes before the outage");
        breaker.told_to_wait(now, Duration::from_secs(86_400), 503);
        assert_eq!(breaker.ask(now, now), Permission::Wait { retry_after: LONGEST_WAIT, status: 503 });
        assert!(matches!(breaker.ask(now + LONGEST_WAIT, now + LONGEST_WAIT), Permission::Ask { .. }));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Ask,
        Answer,
        Fail,
        Pass(u16),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => Just(Step::Ask),
            1 => Just(Step::Answer),
            4 => Just(Step::Fail),
            3 => (0u16..40_000).prop_map(Step::Pass),
        ];
        proptest::collection::vec(step, 0..200)
    }

    proptest! {
        #[test]
        fn whatever_happens_the_promises_hold(steps in steps()) {
            let mut now = Instant::now();
            let mut breaker = Breaker::new();
            let (mut in_a_row, mut asked, mut probe_out) = (0u32, Vec::new(), None::<Instant>);
            for step in steps {
                match step {
                    Step::Ask => match breaker.ask(now, now + ANSWER_TIME) {
                        Permission::Ask { probe } => {
                            if probe {
                                prop_assert!(probe_out.is_none_or(|until| now >= until), "two probes at once");
                                probe_out = Some(now + ANSWER_TIME);
                            }
                            asked.push(probe);
                        }
                        Permission::FailFast { retry_after } => {
                            prop_assert!(in_a_row >= OUTAGES_TO_OPEN, "opened after {in_a_row}");
                            prop_assert!(retry_after <= LONGEST_PAUSE.max(ANSWER_TIME));
                            prop_assert!(!retry_after.is_zero());
                        }
                        Permission::Wait { .. } => prop_assert!(false, "nobody asked to wait"),
                    },
                    Step::Answer => {
                        breaker.answered();
                        (in_a_row, probe_out) = (0, None);
                        asked.clear();
                    }
                    Step::Fail => {
                        if let Some(probe) = asked.pop() {
                            breaker.failed(now, probe);
                            in_a_row += 1;
                            probe_out = probe_out.filter(|_| !probe);
                        }
                    }
                    Step::Pass(ms) => now += Duration::from_millis(u64::from(ms)),
                }
            }
            let much_later = now + LONGEST_PAUSE.max(ANSWER_TIME);
            let asks = matches!(breaker.ask(much_later, much_later), Permission::Ask { .. });
            prop_assert!(asks, "a breaker never stays open");
        }
    }
}
