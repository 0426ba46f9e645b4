//! Approvals that the AxonFlow platform keeps: asking again with the approval's id tells how it stands, and redeems it
//! (the AxonFlow contract, section 1.5).

use super::{AxonflowPdp, is_still_open};
use callgate_actors::call::Call;
use callgate_actors::ports::{Approve, Decide, Decision, Standing, Ticket, Verdict, Word};
use std::time::Instant;

impl Approve for AxonflowPdp {
    /// The approval is open already: the decision names it.
    fn open(&self, _: &Call, decision: &Decision, _: Instant) -> Result<Ticket, String> {
        Ok(Ticket {
            id: decision.approval_id.clone(),
            place: "in the approval queue of the AxonFlow platform".into(),
            poll: self.approval_poll,
            ..Ticket::default()
        })
    }

    fn look(&self, call: &Call, held: &Decision, _: &Ticket, deadline: Instant) -> Standing {
        let mut decision = self.decide(call, deadline);
        let reason = decision.reasons.first().cloned().unwrap_or_default();
        match decision.verdict {
            Verdict::Allow { ref mut arguments, .. } => {
                // Names in the client's arguments that were turned back stay so.
                *arguments = arguments.take().or_else(|| held.approved_arguments.clone());
                Standing::Granted(Box::new(decision))
            }
            Verdict::NeedsApproval
                if !decision.approval_id.is_empty() || is_still_open(&decision.reasons) =>
            {
                Standing::Waiting
            }
            Verdict::NeedsApproval | Verdict::Deny => Standing::Refused(reason),
            Verdict::Unavailable { .. } => Standing::Unknown(reason),
        }
    }

    /// The platform wants a person other than the caller.
    fn answered(&self, _: &Ticket, _: Word) -> Result<(), String> {
        Err("the AxonFlow platform takes decisions in its own queue only".into())
    }
}
