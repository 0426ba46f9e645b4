//! Approvals that the Agent Action Firewall keeps: it is asked how they stand, and a yes is used once here, because the
//! service has no way to redeem it.

use super::AafPdp;
use super::answer::{self, Pending};
use super::approval::{self, About, Person, Said};
use super::reading;
use super::tickets::{End, Redeemed, key, pending_of};
use crate::approvals::digest::digest_text;
use crate::approvals::granted;
use crate::store::{StoreError, Ticket as Row};
use callgate_actors::call::Call;
use callgate_actors::ports::{Approve, Decision, Standing, Ticket, Word};
use jiff::Timestamp;
use std::time::Instant;

/// Where a person decides.
const PLACE: &str = "in the approvals of the Agent Action Firewall";
/// Approvals in one answer of a list: more than one agent has open, and not the whole queue.
const LISTED: u32 = 100;

impl Approve for AafPdp {
    /// The approval is open already; what is missing is its id, perhaps.
    fn open(&self, call: &Call, decision: &Decision, deadline: Instant) -> Result<Ticket, String> {
        let key = key(&decision.decision_id, &decision.approval_id);
        let row = self.tickets.get(key).map_err(|error| error.to_string())?;
        // An action that waits for another call is none of this one's.
        let Some(row) = row.filter(|row| row.digest == digest_text(call)) else {
            return Err("which call the action waits for could not be kept".into());
        };
        let mut pending = pending_of(&row);
        if pending.approval_id.is_empty() && decision.approval_id != pending.action_id {
            pending.approval_id.clone_from(&decision.approval_id);
        }
        let (pending, _) = self.find_approval(pending, deadline);
        Ok(Ticket {
            id: pending.shown_id().to_owned(),
            place: PLACE.into(),
            url: pending.url,
            expires_at: row.expires_at.to_string(),
            poll: self.approval_poll,
            ..Ticket::default()
        })
    }

    fn look(&self, call: &Call, decision: &Decision, ticket: &Ticket, deadline: Instant) -> Standing {
        self.standing(call, decision, ticket, deadline)
            .unwrap_or_else(|error| Standing::Unknown(error.to_string()))
    }

    /// The service wants a person of its own.
    fn answered(&self, _: &Ticket, _: Word) -> Result<(), String> {
        Err(format!("calls are decided {PLACE} only"))
    }
}

impl AafPdp {
    fn standing(
        &self,
        call: &Call,
        decision: &Decision,
        ticket: &Ticket,
        deadline: Instant,
    ) -> Result<Standing, StoreError> {
        let Some(row) = self.tickets.get(key(&decision.decision_id, &ticket.id))? else {
            return Ok(Standing::Unknown("its ticket is not there any more".into()));
        };
        let held = Held { ticket, row: &row };
        match row.status.as_str() {
            "pending" => {}
            "approved" if row.consumed_at.is_some() => return Ok(Standing::Used),
            // Approved there, and not used yet.
            "approved" => {}
            "rejected" => return Ok(Standing::Refused(held.refusal(&written(&row)))),
            "expired" => return Ok(Standing::Refused(held.expired())),
            _ => return Ok(Standing::Refused(written(&row).comment)),
        }
        match self.asked(&row, ticket, deadline) {
            Said::Waiting => Ok(Standing::Waiting),
            Said::Unclear(why) => Ok(Standing::Unknown(why)),
            Said::Denied(who) => {
                self.tickets.end(&row, End::Refused, &who.name, &who.comment);
                Ok(Standing::Refused(held.refusal(&who)))
            }
            Said::Expired => {
                self.tickets.end(&row, End::Void, "", &held.expired());
                Ok(Standing::Refused(held.expired()))
            }
            Said::Missing => {
                self.tickets.end(&row, End::Void, "", &held.unknown());
                Ok(Standing::Refused(held.unknown()))
            }
            Said::Approved(who) => {
                Ok(match self.tickets.redeem(&row, &digest_text(call), &who.name, &who.comment)? {
                    Redeemed::Once => Standing::Granted(Box::new(granted(decision))),
                    Redeemed::Used => Standing::Used,
                    Redeemed::Late => Standing::Refused(held.late()),
                })
            }
        }
    }

    /// What the service says.
    fn asked(&self, row: &Row, ticket: &Ticket, deadline: Instant) -> Said {
        let mut pending = pending_of(row);
        if ticket.id != pending.action_id {
            pending.approval_id.clone_from(&ticket.id);
        }
        // As long as nobody knows the approval's id it is looked for again.
        let (pending, of_action) = self.find_approval(pending, deadline);
        let id = pending.shown_id();
        let about = About { action_id: &pending.action_id, approval_id: id };
        match self.service.get(&format!("/v1/approvals/{id}"), deadline) {
            Ok(body) => approval::read(&body, about, Timestamp::now()),
            Err(missing) if missing.status == Some(404) => of_action.unwrap_or(Said::Missing),
            Err(no_answer) => Said::Unclear(no_answer.text),
        }
    }

    /// Looks for the id of an approval that no answer named yet: in the action, then in the list of what waits. Gives what
    /// the action says of its approval, too, when it was asked.
    fn find_approval(&self, mut pending: Pending, deadline: Instant) -> (Pending, Option<Said>) {
        if !pending.approval_id.is_empty() || pending.action_id.is_empty() {
            return (pending, None);
        }
        let id = pending.action_id.clone();
        let action = self.service.get(&format!("/v1/actions/{id}"), deadline).ok();
        let action = action.and_then(|body| reading::object(&body));
        let mut of_action = None;
        if let Some(action) = &action {
            let told = answer::pending(action);
            if told.action_id == id {
                pending.approval_id = told.approval_id;
                if pending.url.is_empty() {
                    pending.url = told.url;
                }
            }
            of_action = Some(approval::read_action(action, &id, Timestamp::now()));
        }
        if pending.approval_id.is_empty() {
            let of_agent = reading::safe_id(&self.agent_id);
            let agent = if of_agent.is_empty() { of_agent } else { format!("&agent_id={of_agent}") };
            let path = format!("/v1/approvals?status=pending{agent}&limit={LISTED}");
            let list = self.service.get(&path, deadline).ok();
            pending.approval_id = list.and_then(|body| approval::find(&body, &id)).unwrap_or_default();
        }
        (pending, of_action)
    }
}

/// A held call, for what is told of it.
struct Held<'a> {
    ticket: &'a Ticket,
    row: &'a Row,
}

impl Held<'_> {
    fn refusal(&self, who: &Person) -> String {
        let name = if who.name.is_empty() { "somebody" } else { &who.name };
        let said = if who.comment.is_empty() { String::new() } else { format!(": {}", who.comment) };
        format!("{name} refused approval {}{said}{}", self.named(), self.why())
    }

    fn expired(&self) -> String {
        format!(
            "nobody decided approval {} before it expired{}; repeat the call to ask again",
            self.named(),
            self.why()
        )
    }

    fn late(&self) -> String {
        let (named, at) = (self.named(), self.row.expires_at);
        format!("approval {named} was given, but could be used until {at} only; repeat the call to ask again")
    }

    fn unknown(&self) -> String {
        format!(
            "the policy service does not know approval {} (404); repeat the call to ask again",
            self.named()
        )
    }

    fn named(&self) -> String {
        let Ticket { id, url, .. } = self.ticket;
        if url.is_empty() { id.clone() } else { format!("{id} ({url})") }
    }

    fn why(&self) -> String {
        match self.row.trigger_reason.as_str() {
            "" => String::new(),
            reason => format!(" (asked for because: {reason})"),
        }
    }
}

/// What was written down of a decision.
fn written(row: &Row) -> Person {
    Person {
        name: row.reviewer_id.clone().unwrap_or_default(),
        comment: row.review_comment.clone().unwrap_or_default(),
    }
}
