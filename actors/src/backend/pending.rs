//! The requests a backend has not answered yet. A plain table: no clock, no IO.

use super::{Activity, Lost, ProgressToken, ReplyPort};
use crate::gate::Permit;
use crate::limits::ZOMBIES;
use crate::wire::envelope::Body;
use std::collections::{BTreeMap, VecDeque};

/// What is to happen with an answer.
pub(super) enum Waiter {
    /// A flow waits.
    Flow(FlowWaiter),
    /// The actor itself asked.
    Own(OwnRequest),
    /// Nobody waits any more: the request was taken back or timed out.
    Zombie,
}

/// A flow that waits.
pub(super) struct FlowWaiter {
    pub(super) number: u64,
    pub(super) reply: ReplyPort,
    pub(super) progress: Option<ProgressToken>,
    pub(super) activity: Activity,
    pub(super) permit: Permit,
}

/// Requests that a backend actor makes of its own accord.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnRequest {
    /// `initialize`
    Initialize,
    /// One page of a list.
    Page(super::catalogue::List),
    /// `logging/setLevel`, `resources/subscribe`: only a refusal is of interest.
    Restore(&'static str),
}

/// Open requests by our id, which also is the request's position in the outgoing order.
#[derive(Default)]
pub(super) struct Pending {
    next: u64,
    open: BTreeMap<u64, (Waiter, u64)>,
    numbers: BTreeMap<u64, u64>,
    zombies: VecDeque<u64>,
}

impl Pending {
    /// The id the next request gets.
    pub(super) fn next_id(&self) -> u64 {
        self.next + 1
    }

    /// Notes a request that leaves as line `line` of this link. Returns its id.
    pub(super) fn insert(&mut self, waiter: Waiter, line: u64) -> u64 {
        self.next += 1;
        if let Waiter::Flow(flow) = &waiter {
            self.numbers.insert(flow.number, self.next);
        }
        self.open.insert(self.next, (waiter, line));
        self.next
    }

    /// Takes the waiter of an answer.
    pub(super) fn take(&mut self, id: u64) -> Option<Waiter> {
        let (waiter, _) = self.open.remove(&id)?;
        match &waiter {
            Waiter::Flow(flow) => {
                self.numbers.remove(&flow.number);
            }
            Waiter::Zombie => self.zombies.retain(|zombie| *zombie != id),
            Waiter::Own(_) => {}
        }
        Some(waiter)
    }

    /// The flow that waits for this id.
    pub(super) fn flow(&self, id: u64) -> Option<&FlowWaiter> {
        match self.open.get(&id) {
            Some((Waiter::Flow(flow), _)) => Some(flow),
            _ => None,
        }
    }

    /// The list whose page this request asks for.
    pub(super) fn page(&self, id: u64) -> Option<super::catalogue::List> {
        match self.open.get(&id) {
            Some((Waiter::Own(OwnRequest::Page(list)), _)) => Some(*list),
            _ => None,
        }
    }

    /// Stops waiting for a flow's request. Returns our id of it; a late answer will find a zombie.
    pub(super) fn abandon(&mut self, number: u64) -> Option<u64> {
        let id = self.numbers.remove(&number)?;
        let (waiter, _) = self.open.get_mut(&id)?;
        *waiter = Waiter::Zombie;
        self.zombies.push_back(id);
        if self.zombies.len() > ZOMBIES
            && let Some(oldest) = self.zombies.pop_front()
        {
            self.open.remove(&oldest);
        }
        Some(id)
    }

    /// Whether a flow waits.
    pub(super) fn has_flows(&self) -> bool {
        !self.numbers.is_empty()
    }

    /// Ends every flow's request: lines up to `begun` may have left, later ones never did.
    pub(super) fn end_all(&mut self, begun: u64, why: &str) {
        self.numbers.clear();
        self.zombies.clear();
        for (_, (waiter, line)) in std::mem::take(&mut self.open) {
            if let Waiter::Flow(flow) = waiter {
                let lost = if line > begun { Lost::NotSent(why.into()) } else { Lost::Unknown(why.into()) };
                flow.answer(Err(lost));
            }
        }
    }
}

impl FlowWaiter {
    /// Answers the flow and frees its place.
    pub(super) fn answer(self, answer: Result<Body, Lost>) {
        drop(self.permit);
        self.reply.send(answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Gate;
    use tokio::sync::oneshot::Receiver;

    fn flow(number: u64) -> (Waiter, Receiver<Result<Body, Lost>>) {
        let (reply, receiver) = ReplyPort::new();
        let permit = Gate::new(1).try_enter().expect("a place");
        let waiter = FlowWaiter { number, reply, progress: None, activity: Activity::default(), permit };
        (Waiter::Flow(waiter), receiver)
    }

    #[tokio::test]
    async fn only_lines_that_were_begun_have_an_unknown_outcome() {
        let mut pending = Pending::default();
        let (one, mut first) = flow(1);
        let (two, mut second) = flow(2);
        pending.insert(one, 5);
        pending.insert(two, 6);
        pending.end_all(5, "gone");
        assert_eq!(first.try_recv(), Ok(Err(Lost::Unknown("gone".into()))));
        assert_eq!(second.try_recv(), Ok(Err(Lost::NotSent("gone".into()))));
    }

    #[tokio::test]
    async fn an_abandoned_request_leaves_a_zombie_and_zombies_are_bounded() {
        let mut pending = Pending::default();
        for number in 0..ZOMBIES as u64 + 10 {
            let (waiter, _) = flow(number);
            let id = pending.insert(waiter, number);
            assert_eq!(pending.abandon(number), Some(id));
            assert_eq!(pending.abandon(number), None);
        }
        assert_eq!(pending.open.len(), ZOMBIES);
        assert!(pending.take(1).is_none(), "the oldest were forgotten");
        assert!(matches!(pending.take(50), Some(Waiter::Zombie)));
        assert!(pending.numbers.is_empty());
    }
}
