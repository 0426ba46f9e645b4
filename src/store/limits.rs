//! Bounds of the stores.

use std::time::Duration;

/// Stored policies and overrides of a tenant, each. Two hundred times the shipped catalogue would be 20,000; a set of
/// 10,000 patterns of 500 characters is 5 MB of text and takes a second or two to compile.
pub const POLICIES: u32 = 10_000;
/// Rows in one answer of a list: the most that the AxonFlow contract gives for decisions (section 3.1).
pub const PAGE: u32 = 1000;
/// Tickets of one tenant that wait at one time. A person reads a few dozen; what floods the queue is refused.
pub const PENDING_TICKETS: u64 = 1000;
/// Decisions kept, all tenants together: at about 600 bytes a row 60 MB.
pub const DECISIONS: u64 = 100_000;
/// Decisions older than this go: the longest time of the AxonFlow contract's tiers is 30 days (section 3.1).
pub const DECISION_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Ended tickets older than this go; what was decided stands in the audit file for ever.
pub const TICKET_AGE: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// How long a writer of SQLite waits for another one. A writing takes 2 ms, so 5 s are a queue of 2,500.
pub const SQLITE_BUSY: Duration = Duration::from_secs(5);
