//! Holding a call until a person has decided, or until the host's patience ends.
//!
//! The ticket outlives the call: the same call repeated finds it again. While the call is held, the person in front of
//! the client is asked too, when the client can ask.

use super::{Machine, verdict};
use crate::approvals::Approvals;
use crate::call::Call;
use crate::front::Asker;
use crate::limits::APPROVAL_POLL_MIN;
use crate::ports::{AuditVerdict, Decision, Standing, Ticket, Word};
use crate::wire::codes::VerdictCodes;
use crate::wire::envelope::Body;
use crate::wire::{skim, write};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// What came of holding a call.
pub(super) enum Held {
    /// It runs by this decision.
    Granted(Arc<Decision>),
    /// It does not run.
    Ended {
        /// As far as it is known.
        decision: Arc<Decision>,
        /// The row's.
        verdict: AuditVerdict,
        /// By which it was held, where one was opened.
        ticket: Option<Ticket>,
        /// For the client.
        error: Bytes,
    },
}

/// Holds `call` until a person decided, for the time that the settings and the call's budget leave.
pub(super) async fn hold(
    machine: &Machine,
    call: &Arc<Call>,
    decision: Arc<Decision>,
    budget_ends: Instant,
) -> Held {
    let codes = machine.settings.codes;
    let Some(approvals) = &machine.approvals else {
        let error = verdict::held(&decision, None, "", codes);
        return Held::Ended { decision, verdict: AuditVerdict::NeedsApproval, ticket: None, error };
    };
    let ticket = match approvals.open(call, &decision).await {
        Ok(ticket) => ticket,
        Err(why) => {
            let why = format!("no person could be asked: {why}");
            let error = verdict::held(&decision, None, &why, codes);
            return Held::Ended { decision, verdict: AuditVerdict::NeedsApproval, ticket: None, error };
        }
    };
    let decision = with_id(&decision, &ticket);
    tracing::info!(backend = %call.backend, tool = %call.tool, ticket = ticket.id, "a call waits for approval");
    let until = (Instant::now() + machine.settings.approval_hold).min(budget_ends);
    Holding { machine, approvals, call, decision, ticket, codes }.watch(until).await
}

fn with_id(decision: &Arc<Decision>, ticket: &Ticket) -> Arc<Decision> {
    Arc::new(Decision { approval_id: ticket.id.clone(), ..Decision::clone(decision) })
}

struct Holding<'a> {
    machine: &'a Machine,
    approvals: &'a Approvals,
    call: &'a Arc<Call>,
    decision: Arc<Decision>,
    ticket: Ticket,
    codes: VerdictCodes,
}

impl Holding<'_> {
    async fn watch(self, until: Instant) -> Held {
        let mut question = None;
        loop {
            let unclear = match self.approvals.look(self.call, &self.decision, &self.ticket).await {
                Standing::Granted(granted) => {
                    return Held::Granted(with_id(&Arc::from(granted), &self.ticket));
                }
                Standing::Refused(why) => return self.refused(&why),
                Standing::Used => {
                    return self.still_held("the approval was used by another call that is the same");
                }
                Standing::Waiting => String::new(),
                Standing::Unknown(why) => why,
            };
            if Instant::now() >= until {
                return self.still_held(&unclear);
            }
            let asked = question.get_or_insert_with(|| self.put_question());
            let pause = self.ticket.poll.max(APPROVAL_POLL_MIN);
            let said = tokio::time::timeout_at(until.min(Instant::now() + pause), asked.answer()).await;
            if let Ok(word) = said {
                self.approvals.answered(&self.ticket, word).await;
            }
        }
    }

    fn refused(self, why: &str) -> Held {
        let error = verdict::not_approved(&self.decision, &self.ticket, why, self.codes);
        let (decision, ticket) = (self.decision, Some(self.ticket));
        Held::Ended { decision, verdict: AuditVerdict::Deny, ticket, error }
    }

    fn still_held(self, why: &str) -> Held {
        let error = verdict::held(&self.decision, Some(&self.ticket), why, self.codes);
        let (decision, ticket) = (self.decision, Some(self.ticket));
        Held::Ended { decision, verdict: AuditVerdict::NeedsApproval, ticket, error }
    }

    /// Asks the person in front of the client (MCP 2025-06-18, "Elicitation"), if they may decide and can be asked.
    fn put_question(&self) -> Question {
        let (sender, answer) = oneshot::channel();
        let id = self.ticket.question.as_ref().and_then(|question| {
            let params = elicitation(question);
            let asker = Box::new(Answer(sender));
            self.machine.front.ask_own("elicitation/create", params, asker)
        });
        Question { front: self.machine.front.clone(), id, answer: id.map(|_| answer) }
    }
}

/// The question in front of the client; taken back when nobody waits for its answer any more.
struct Question {
    front: crate::front::Front,
    id: Option<u64>,
    answer: Option<oneshot::Receiver<Body>>,
}

impl Question {
    /// The person's word. Never comes when there is none: nobody was asked, or they left the question unanswered.
    async fn answer(&mut self) -> Word {
        if let Some(answer) = &mut self.answer {
            let said = answer.await;
            (self.answer, self.id) = (None, None);
            if let Some(word) = said.ok().as_ref().and_then(word) {
                return word;
            }
        }
        std::future::pending().await
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.front.cancel_ask(id, "the call does not wait for this answer any more");
        }
    }
}

/// Hands the client's answer to the flow.
struct Answer(oneshot::Sender<Body>);

impl Asker for Answer {
    fn answered(self: Box<Self>, body: Body) {
        let _ = self.0.send(body);
    }

    fn progress(&self, _: Bytes) {}
}

/// A form with one choice and room for a comment.
fn elicitation(question: &str) -> Bytes {
    let mut params = b"{\"message\":".to_vec();
    write::string(&mut params, question);
    params.extend_from_slice(
        br#","requestedSchema":{"type":"object","properties":{"decision":{"type":"string","title":"Decision","enum":["approve","deny"]},"comment":{"type":"string","title":"Comment"}},"required":["decision"]}}"#,
    );
    params.into()
}

/// `accept` with `approve` is yes; `decline`, and `accept` with `deny`, is no; everything else is no word.
fn word(body: &Body) -> Option<Word> {
    let Body::Result(result) = body else { return None };
    let member = |path: &[&str]| skim::path(result, path).and_then(|span| skim::string(&result[span]));
    let comment = member(&["content", "comment"]).unwrap_or_default();
    match (member(&["action"])?.as_str(), member(&["content", "decision"]).as_deref()) {
        ("accept", Some("approve")) => Some(Word { approves: true, comment }),
        ("accept", Some("deny")) | ("decline", _) => Some(Word { approves: false, comment }),
        _ => None,
    }
}

/// When holding must end so that the backend still has its time within the call's budget.
pub(super) fn hold_ends(begun: Instant, budget: Duration, backend: Duration) -> Instant {
    begun + budget.saturating_sub(backend)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(json: &str) -> Option<bool> {
        word(&Body::Result(Bytes::copy_from_slice(json.as_bytes()))).map(|word| word.approves)
    }

    #[test]
    fn only_an_explicit_yes_approves() {
        assert_eq!(said(r#"{"action":"accept","content":{"decision":"approve"}}"#), Some(true));
        assert_eq!(said(r#"{"action":"accept","content":{"decision":"deny","comment":"no"}}"#), Some(false));
        assert_eq!(said(r#"{"action":"decline"}"#), Some(false));
        for no_word in [
            r#"{"action":"cancel"}"#,
            r#"{"action":"accept"}"#,
            r#"{"action":"accept","content":{"decision":true}}"#,
            r#"{"action":"accept","content":{"decision":"Approve"}}"#,
            r#"{"content":{"decision":"approve"}}"#,
            "[]",
        ] {
            assert_eq!(said(no_word), None, "{no_word}");
        }
        assert_eq!(word(&Body::Error(Bytes::from_static(b"{}"))), None);
    }

    #[test]
    fn the_form_is_json() {
        let form: serde_json::Value = serde_json::from_slice(&elicitation("run \"it\"?\n")).expect("JSON");
        assert_eq!(form["message"], "run \"it\"?\n");
        assert_eq!(form["requestedSchema"]["required"][0], "decision");
    }
}
