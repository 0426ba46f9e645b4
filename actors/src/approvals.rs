//! The keeper of approvals as flows see it: every question is answered by a thread, by a deadline.

use crate::call::Call;
use crate::limits::{APPROVAL_STEP, APPROVAL_THREADS, APPROVALS_IN_FLIGHT};
use crate::ports::{Approve, Decision, Standing, Ticket, Word};
use crate::workers::{Threads, Workers};
use std::sync::Arc;
use tokio::time::Instant;

/// Asks the keeper of approvals. Cheap to clone.
#[derive(Clone)]
pub struct Approvals {
    approve: Arc<dyn Approve>,
    workers: Workers,
}

impl Approvals {
    /// Threads in front of `approve`; none is started yet.
    pub fn new(approve: Arc<dyn Approve>, threads: &Threads) -> Self {
        let workers = threads.workers("approve", APPROVAL_THREADS, APPROVALS_IN_FLIGHT);
        Approvals { approve, workers }
    }

    /// The ticket of a held call. An error says why no person can be asked.
    pub async fn open(&self, call: &Arc<Call>, decision: &Arc<Decision>) -> Result<Ticket, String> {
        let (call, decision) = (call.clone(), decision.clone());
        let opened = self.ask(move |approve, deadline| approve.open(&call, &decision, deadline)).await;
        opened.unwrap_or_else(|why| Err(why.to_owned()))
    }

    /// How it stands.
    pub async fn look(&self, call: &Arc<Call>, decision: &Arc<Decision>, ticket: &Ticket) -> Standing {
        let (call, decision, ticket) = (call.clone(), decision.clone(), ticket.clone());
        let looked =
            self.ask(move |approve, deadline| approve.look(&call, &decision, &ticket, deadline)).await;
        looked.unwrap_or_else(|why| Standing::Unknown(why.to_owned()))
    }

    /// The person in front of the client has said something.
    pub async fn answered(&self, ticket: &Ticket, word: Word) {
        let ticket = ticket.clone();
        let told = self.ask(move |approve, _| approve.answered(&ticket, word)).await;
        if let Err(why) = told.unwrap_or_else(|why| Err(why.to_owned())) {
            tracing::warn!("what the person in front of the client said was not kept: {why}");
        }
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Approve, std::time::Instant) -> T + Send + 'static,
    ) -> Result<T, &'static str> {
        let approve = self.approve.clone();
        let deadline = Instant::now() + APPROVAL_STEP;
        let job = move || question(&*approve, deadline.into_std());
        let pending = self.workers.run(job).map_err(|_| "too many calls wait for approval")?;
        match tokio::time::timeout_at(deadline, pending).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err("the keeper of approvals failed"),
            Err(_) => Err("the keeper of approvals took too long"),
        }
    }
}
