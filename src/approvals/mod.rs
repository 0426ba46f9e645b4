//! Has people decide the calls that need one: tickets in the embedded store ([`local`]), or the approvals that a remote
//! decision service keeps itself. [`announced`] says where the page is on which they do, [`notify`] calls them.

pub mod announced;
pub mod digest;
pub mod local;
pub mod notify;

use callgate_actors::call::Call;
use callgate_actors::ports::{Approve, Decision, Standing, Ticket, Verdict, Word};
use local::LocalApprovals;
use std::sync::Arc;
use std::time::Instant;

/// Who keeps a ticket: stands in [`Ticket::keeper`].
const REMOTE: &str = "remote";

/// Keeps approvals where they belong: with the service that asked for one, or here.
pub struct Keeper {
    local: LocalApprovals,
    remote: Option<Arc<dyn Approve>>,
}

impl Keeper {
    /// Tickets of a decision that names an approval of its own go to `remote`, all others are kept by `local`.
    pub fn new(local: LocalApprovals, remote: Option<Arc<dyn Approve>>) -> Self {
        Keeper { local, remote }
    }

    fn of(&self, ticket: &Ticket) -> &dyn Approve {
        match &self.remote {
            Some(remote) if ticket.keeper == REMOTE => &**remote,
            _ => &self.local,
        }
    }
}

/// The decision with a person's yes: what an obligation wants masked stays masked.
pub(crate) fn granted(decision: &Decision) -> Decision {
    let arguments = decision.approved_arguments.clone();
    let redact = arguments.is_some();
    Decision { verdict: Verdict::Allow { arguments, redact }, ..decision.clone() }
}

impl Approve for Keeper {
    fn open(&self, call: &Call, decision: &Decision, deadline: Instant) -> Result<Ticket, String> {
        match &self.remote {
            Some(remote) if !decision.approval_id.is_empty() => {
                let ticket = remote.open(call, decision, deadline)?;
                Ok(Ticket { keeper: REMOTE, ..ticket })
            }
            _ => self.local.open(call, decision, deadline),
        }
    }

    fn look(&self, call: &Call, decision: &Decision, ticket: &Ticket, deadline: Instant) -> Standing {
        self.of(ticket).look(call, decision, ticket, deadline)
    }

    fn answered(&self, ticket: &Ticket, word: Word) -> Result<(), String> {
        self.of(ticket).answered(ticket, word)
    }
}
