//! What is kept in a database: stored policies, overrides, decisions and approval tickets.
//!
//! The rows have the columns of the AxonFlow contract (sections 3 and 4.1), so that a store that AxonFlow filled can be
//! read. Everything here blocks: callers choose the thread, and never the one that moves messages.
//!
//! Times are kept in microseconds, as PostgreSQL does; what a store gives back is cut to them.

pub mod limits;
#[cfg(test)]
pub(crate) mod promises;
mod rows;
#[cfg(test)]
pub(crate) mod samples;
pub mod sqlite;
mod tickets;

pub use rows::{
    DecisionFilter, DecisionRow, MatchedRow, Review, StoredOverride, StoredPolicy, Ticket, TicketEvent,
    TicketFilter, TicketStats,
};
pub use sqlite::SqliteStore;

/// One database.
pub trait Store: Send + Sync {
    /// The policies that hold for `tenant`: its own and those of tenant `global`, deleted ones left out, the higher
    /// priority first. An id may stand there twice, then the tenant's own row is meant. More than
    /// [`limits::POLICIES`] are an error, since a part of them is not what holds.
    fn policies(&self, tenant: &str) -> Result<Vec<StoredPolicy>, StoreError>;
    /// Adds a policy. Fails with [`StoreError::Conflict`] when the id is taken.
    fn create_policy(&self, policy: &StoredPolicy) -> Result<(), StoreError>;
    /// Replaces the policy with the same `policy_id` and tenant; `version` counts on, and `id`, `created_at` and
    /// `created_by` stay.
    fn update_policy(&self, policy: &StoredPolicy) -> Result<StoredPolicy, StoreError>;
    /// Marks a policy as deleted.
    fn delete_policy(&self, tenant: &str, policy_id: &str) -> Result<(), StoreError>;

    /// The overrides that hold for `tenant` now: expired and revoked ones left out.
    fn overrides(&self, tenant: &str) -> Result<Vec<StoredOverride>, StoreError>;
    /// Adds an override; it takes the place of an older one for the same policy and tool.
    fn create_override(&self, row: &StoredOverride) -> Result<(), StoreError>;
    /// Ends an override.
    fn revoke_override(&self, tenant: &str, id: &str) -> Result<(), StoreError>;

    /// Keeps decisions, for explaining them later. One transaction.
    fn record_decisions(&self, rows: &[DecisionRow]) -> Result<(), StoreError>;
    /// One decision.
    fn decision(&self, tenant: &str, decision_id: &str) -> Result<Option<DecisionRow>, StoreError>;
    /// Decisions, the newest first; at most [`limits::PAGE`].
    fn decisions(&self, tenant: &str, filter: &DecisionFilter) -> Result<Vec<DecisionRow>, StoreError>;
    /// How many decisions the filter finds without its limit.
    fn decision_count(&self, tenant: &str, filter: &DecisionFilter) -> Result<u64, StoreError>;

    /// Opens a ticket; when a pending or approved, unconsumed, unexpired one with the same tenant, `digest` and
    /// `policy_version` exists, that one is returned instead (a grant of another version could never be used).
    /// [`StoreError::Full`] when [`limits::PENDING_TICKETS`] of the tenant wait already.
    fn open_ticket(&self, ticket: &Ticket) -> Result<Ticket, StoreError>;
    /// One ticket; one whose time has run out while it was pending reads as expired.
    fn ticket(&self, tenant: &str, request_id: &str) -> Result<Option<Ticket>, StoreError>;
    /// Tickets, as the filter orders them, and how many there are without its limit; at most [`limits::PAGE`].
    fn tickets(&self, tenant: &str, filter: &TicketFilter) -> Result<(Vec<Ticket>, u64), StoreError>;
    /// Decides a pending ticket. [`StoreError::Conflict`] when it is decided already or expired.
    fn decide_ticket(&self, tenant: &str, request_id: &str, review: &Review) -> Result<Ticket, StoreError>;
    /// Consumes an approved ticket: `true` for exactly one caller among all processes, and only if digest and policy
    /// version are those of the ticket and its time has not run out. `true` is lasting when it is returned; after an
    /// error the ticket may be consumed all the same, so the call must not run.
    fn consume_ticket(
        &self,
        tenant: &str,
        request_id: &str,
        digest: &str,
        policy_version: &str,
    ) -> Result<bool, StoreError>;
    /// What happened to a ticket, the oldest first.
    fn ticket_history(&self, tenant: &str, request_id: &str) -> Result<Vec<TicketEvent>, StoreError>;
    /// How many tickets stand where.
    fn ticket_stats(&self, tenant: &str) -> Result<TicketStats, StoreError>;
    /// Writes down that pending tickets whose time has run out are expired, and returns how many; they read as
    /// expired before that, too.
    fn expire_tickets(&self, tenant: &str) -> Result<u64, StoreError>;

    /// Removes decisions and ended tickets beyond their bounds ([`limits::DECISIONS`], [`limits::DECISION_AGE`],
    /// [`limits::TICKET_AGE`]) for all tenants; returns how many rows went. Stored policies and overrides stay.
    fn prune(&self) -> Result<u64, StoreError>;
}

/// Why the database did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no such row.
    #[error("{0} is not known")]
    Missing(String),
    /// The row is there already, or its state forbids it.
    #[error("{0}")]
    Conflict(String),
    /// There are as many rows of that kind as there may be.
    #[error("{0}")]
    Full(String),
    /// The database cannot be reached or failed; the text never holds its address's password.
    #[error("{0}")]
    Failed(String),
}
