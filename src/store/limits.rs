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
/// Connections to PostgreSQL of one process. Statements take about a millisecond, so four carry 4,000 a second; a
/// server's default of 100 connections serves 25 gates.
pub const POSTGRES_CONNECTIONS: usize = 4;
/// How long a connection to PostgreSQL may take to be made, address by address.
pub const POSTGRES_CONNECT: Duration = Duration::from_secs(3);
/// How long one piece of work with PostgreSQL may take altogether, its connection included. Below the 10 s that a
/// decision may take.
pub const POSTGRES_WORK: Duration = Duration::from_secs(5);
/// Decisions that wait for their writer: at about 1 KB each 4 MB, and half a minute of 100 calls a second while the
/// database is slow.
pub const DECISION_QUEUE: usize = 4096;
/// Decisions in one transaction.
pub const DECISION_BATCH: usize = 256;
/// How long the writer waits for more decisions once it has one: at most five transactions a second.
pub const DECISION_GATHER: Duration = Duration::from_millis(200);
/// Decisions in which no policy spoke that are kept in one second. A person and an agent make a few; 100 rows of 15 µs
/// are less than a fifth of a percent of a processor.
pub const PLAIN_DECISIONS: u32 = 100;
/// How often rows beyond their bounds are removed.
pub const PRUNE_EVERY: Duration = Duration::from_secs(60 * 60);
/// How long the last decisions may take to be written at the end.
pub const LAST_DECISIONS: Duration = Duration::from_millis(500);
