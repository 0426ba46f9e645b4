//! What both databases say of a ticket in the same words.

use super::{Review, StoreError, Ticket, TicketEvent, TicketStats};
use jiff::Timestamp;

impl Review {
    /// Refuses a status that is no decision.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if matches!(self.status.as_str(), "approved" | "rejected" | "overridden") {
            return Ok(());
        }
        let status = &self.status;
        Err(StoreError::Conflict(format!(
            "\"{status}\" decides nothing; use approved, rejected or overridden"
        )))
    }
}

impl Ticket {
    /// Why a ticket that is not pending cannot be decided.
    pub(super) fn already(&self) -> StoreError {
        let Self { request_id, status, .. } = self;
        StoreError::Conflict(match &self.reviewer_id {
            Some(who) => format!("ticket \"{request_id}\" is {status} already, by {who}"),
            None => format!("ticket \"{request_id}\" is {status} already"),
        })
    }

    /// The event of a ticket that ran out, while no writing has put it down.
    pub(super) fn ran_out(&self, events: &[TicketEvent]) -> Option<TicketEvent> {
        let told = events.iter().any(|event| event.event == "expired");
        (self.status == "expired" && !told).then(|| TicketEvent {
            at: self.expires_at,
            event: "expired".into(),
            by: String::new(),
            comment: String::new(),
        })
    }
}

impl TicketStats {
    /// Counts `count` tickets of one status and severity, the oldest of which was opened at `oldest`.
    pub(super) fn add(&mut self, status: String, severity: String, count: u64, oldest: Timestamp) {
        if status == "pending" {
            *self.pending_by_severity.entry(severity).or_default() += count;
            self.oldest_pending = Some(self.oldest_pending.map_or(oldest, |so_far| so_far.min(oldest)));
        }
        *self.by_status.entry(status).or_default() += count;
    }
}
