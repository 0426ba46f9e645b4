//! A session in the name of the one backend: whatever is no `tools/call` is passed on to it.

use super::opening::read_client;
use super::{Session, busy};
use crate::backend::catalogue::List;
use crate::flow::pass::{self, Passed};
use crate::reply::{Answer, ReplySlot};
use crate::wire::codes::{ErrorObject, METHOD_NOT_FOUND};
use bytes::Bytes;
use tokio::sync::oneshot;

/// Opens a session in a version of the protocol whose calls could not be read here. The answer of a server that does
/// not speak it makes clients fall back to `initialize`.
const OTHER_ERA: &str = "server/discover";

/// Whether a server that is careless about letters and separators could take this for a call, which is never passed on
/// undecided.
pub(super) fn reads_like_a_call(method: &str) -> bool {
    let letters = method.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase());
    letters.eq("toolscall".chars())
}

impl Session {
    /// Starts the flow that passes a request on.
    pub(super) fn pass(
        &self,
        method: &str,
        params: Option<Bytes>,
        slot: ReplySlot,
        cancelled: oneshot::Receiver<()>,
    ) {
        if method == OTHER_ERA || reads_like_a_call(method) {
            let error = ErrorObject::new(METHOD_NOT_FOUND, format!("unknown method {method:?}"));
            return slot.end(Answer::Error(error.into_bytes()));
        }
        let Ok(permit) = self.machine.gate.try_enter() else {
            return slot.end(Answer::Error(busy()));
        };
        let passed = match List::ALL.into_iter().find(|list| list.method() == method) {
            Some(list) => Passed::Page(list),
            None if method == "initialize" => {
                self.machine.front.opening();
                Passed::Opening(read_client(params.clone()).ok())
            }
            None => Passed::Other(method.to_owned()),
        };
        let machine = self.machine.clone();
        self.machine.flows.spawn(async move {
            pass::run(machine, passed, params, slot, cancelled).await;
            drop(permit);
        });
    }
}
