//! The shared store: a PostgreSQL database, which may be AxonFlow's own.
//!
//! Policies and overrides are in AxonFlow's tables `static_policies` and `policy_overrides` (the AxonFlow contract,
//! sections 3.3 and 4.1), of any age; decisions and tickets in tables of our own. Tables that are missing are made,
//! none is ever altered.

mod address;
mod decisions;
mod links;
mod policies;
mod schema;
#[cfg(unix)]
#[cfg(test)]
mod tests;
mod tickets;

use super::{
    DecisionFilter, DecisionRow, Review, Store, StoreError, StoredOverride, StoredPolicy, Ticket,
    TicketEvent, TicketFilter, TicketStats,
};
use crate::secret::Secret;
use links::Links;

/// One PostgreSQL database. No method may be called where a tokio runtime runs its tasks: they block, each
/// [`super::limits::POSTGRES_WORK`] at most.
pub struct PostgresStore {
    links: Links,
}

impl PostgresStore {
    /// The database at `url` (`postgres://user:password@host:5432/database?sslmode=require` or a list of
    /// `key=value`), which is asked when it is needed and not before. `org_id` is what the row-level security of an
    /// AxonFlow database goes by; empty for none.
    ///
    /// # Errors
    /// What is no address, or one of another machine that may be reached unencrypted without saying
    /// `sslmode=disable`.
    pub fn new(url: &Secret, org_id: &str) -> Result<Self, StoreError> {
        Ok(Self { links: Links::new(address::read(url)?, org_id.to_owned()) })
    }
}

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PostgresStore").field(&self.links.shown()).finish()
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Failed(format!("a row that cannot be read: {error}; correct it in the database"))
    }
}

impl Store for PostgresStore {
    fn policies(&self, tenant: &str) -> Result<Vec<StoredPolicy>, StoreError> {
        self.links.run(async |client| policies::list(client, tenant).await)
    }

    fn create_policy(&self, policy: &StoredPolicy) -> Result<(), StoreError> {
        self.links.run(async |client| policies::create(client, policy).await)
    }

    fn update_policy(&self, policy: &StoredPolicy) -> Result<StoredPolicy, StoreError> {
        self.links.run(async |client| policies::update(client, policy).await)
    }

    fn delete_policy(&self, tenant: &str, policy_id: &str) -> Result<(), StoreError> {
        self.links.run(async |client| policies::delete(client, tenant, policy_id).await)
    }

    fn overrides(&self, tenant: &str) -> Result<Vec<StoredOverride>, StoreError> {
        self.links.run(async |client| policies::overrides(client, tenant).await)
    }

    fn create_override(&self, row: &StoredOverride) -> Result<(), StoreError> {
        self.links.run(async |client| policies::create_override(client, row).await)
    }

    fn revoke_override(&self, tenant: &str, id: &str) -> Result<(), StoreError> {
        self.links.run(async |client| policies::revoke_override(client, tenant, id).await)
    }

    fn record_decisions(&self, rows: &[DecisionRow]) -> Result<(), StoreError> {
        self.links.run(async |client| decisions::record(client, rows).await)
    }

    fn decision(&self, tenant: &str, decision_id: &str) -> Result<Option<DecisionRow>, StoreError> {
        self.links.run(async |client| decisions::get(client, tenant, decision_id).await)
    }

    fn decisions(&self, tenant: &str, filter: &DecisionFilter) -> Result<Vec<DecisionRow>, StoreError> {
        self.links.run(async |client| decisions::list(client, tenant, filter).await)
    }

    fn decision_count(&self, tenant: &str, filter: &DecisionFilter) -> Result<u64, StoreError> {
        self.links.run(async |client| decisions::count(client, tenant, filter).await)
    }

    fn open_ticket(&self, ticket: &Ticket) -> Result<Ticket, StoreError> {
        self.links.run(async |client| tickets::open(client, ticket).await)
    }

    fn ticket(&self, tenant: &str, request_id: &str) -> Result<Option<Ticket>, StoreError> {
        self.links.run(async |client| tickets::get(client, tenant, request_id).await)
    }

    fn tickets(&self, tenant: &str, filter: &TicketFilter) -> Result<(Vec<Ticket>, u64), StoreError> {
        self.links.run(async |client| tickets::list(client, tenant, filter).await)
    }

    fn decide_ticket(&self, tenant: &str, request_id: &str, review: &Review) -> Result<Ticket, StoreError> {
        self.links.run(async |client| tickets::decide(client, tenant, request_id, review).await)
    }

    fn consume_ticket(
        &self,
        tenant: &str,
        request_id: &str,
        digest: &str,
        policy_version: &str,
    ) -> Result<bool, StoreError> {
        self.links
            .run(async |client| tickets::consume(client, tenant, request_id, digest, policy_version).await)
    }

    fn ticket_history(&self, tenant: &str, request_id: &str) -> Result<Vec<TicketEvent>, StoreError> {
        self.links.run(async |client| tickets::history(client, tenant, request_id).await)
    }

    fn ticket_stats(&self, tenant: &str) -> Result<TicketStats, StoreError> {
        self.links.run(async |client| tickets::stats(client, tenant).await)
    }

    fn expire_tickets(&self, tenant: &str) -> Result<u64, StoreError> {
        self.links.run(async |client| tickets::expire(client, tenant).await)
    }

    fn prune(&self) -> Result<u64, StoreError> {
        self.links.run(async |client| Ok(decisions::prune(client).await? + tickets::prune(client).await?))
    }
}
