//! Every bound of the server, once, with its arithmetic.

use std::time::Duration;

/// Connections that are open at once; one more waits in the listener's queue. A gate holds as many as it has decisions
/// in flight (128 threads), so this is a few busy gates or some hundred quiet ones.
pub const CONNECTIONS: u32 = 512;
/// Longest life of a connection, so that one whose client reads nothing does not keep its place for ever. A client that
/// is well connects again.
pub const CONNECTION_LIFE: Duration = Duration::from_secs(15 * 60);
/// How long a client may take to send the head of a request. A connection that is idle for so long is closed, too.
pub const HEAD_DEADLINE: Duration = Duration::from_secs(30);
/// Longest head of a request.
pub const HEAD_BYTES: usize = 64 * 1024;
/// How long a client may take to send the body.
pub const BODY_DEADLINE: Duration = Duration::from_secs(30);
/// Longest body: what the response plane of the AxonFlow contract takes (section 2.1).
pub const BODY_BYTES: usize = 8 * 1024 * 1024;
/// Longest body that is read to its end although it is too long, so that its sender sees why.
pub const DRAINED_BYTES: u64 = 8 * BODY_BYTES as u64;
/// Bodies are counted in pieces of this size.
pub const BODY_PIECE: usize = 64 * 1024;
/// Pieces of bodies that are held at once: 256 MiB. Parsed and masked they may take three times that.
pub const BODY_PIECES: usize = 256 * 1024 * 1024 / BODY_PIECE;
/// Longest time of one request from its body to its answer. A gate waits 10 s by default.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(60);
/// Longest time one judgement may take: 8 MiB at 10 MB/s take less than one.
pub const JUDGE_DEADLINE: Duration = Duration::from_secs(20);
/// Texts up to this size are judged where the request is read; a hop to a thread costs more.
pub const JUDGE_IN_PLACE_BYTES: usize = 16 * 1024;
/// Threads for large texts and for the database.
pub const WORKERS: usize = 32;
/// Jobs waiting for such a thread; one more is told to come back (429).
pub const JOBS_QUEUED: usize = 512;
/// Longest wait for the database.
pub const STORE_DEADLINE: Duration = Duration::from_secs(10);
/// What `Retry-After` says when there is too much work.
pub const RETRY_AFTER_SECONDS: u64 = 1;
/// How long open requests may still take when the server leaves.
pub const DRAIN_DEADLINE: Duration = Duration::from_secs(10);
/// How long the last decisions may take to be written when the server leaves.
pub const LAST_ROWS_DEADLINE: Duration = Duration::from_secs(5);

/// Decisions waiting to be written: at about 1 KiB a row 4 MiB.
pub const ROWS_QUEUED: usize = 4096;
/// Decisions written in one transaction.
pub const ROWS_AT_ONCE: usize = 256;
/// How long a decision waits for room in that queue before it goes unrecorded.
pub const ROW_PATIENCE: Duration = Duration::from_secs(1);

/// How long an allow may be relied on (the AxonFlow contract, section 1.5).
pub const DECISION_LIFE: Duration = Duration::from_secs(5 * 60);
/// How long a call may wait for a person, and the grant be used.
pub const APPROVAL_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// Longest text of a call that is shown to the person who decides.
pub const SHOWN_QUERY_BYTES: usize = 4096;
/// Policies named in one answer.
pub const NAMED: usize = 32;
/// Reasons given in one answer.
pub const REASONS: usize = 5;

/// Answers of check-input that are kept for their `Idempotency-Key`: at most 64 MiB.
pub const IDEMPOTENT_ANSWERS: usize = 1024;
/// Longest of them that is kept.
pub const IDEMPOTENT_BYTES: usize = 64 * 1024;
/// How long they are kept.
pub const IDEMPOTENT_LIFE: Duration = Duration::from_secs(10 * 60);
/// Longest `Idempotency-Key`.
pub const IDEMPOTENCY_KEY_BYTES: usize = 256;

/// Texts that one request may test a pattern with.
pub const TEST_INPUTS: usize = 1000;

/// Calls that may be open at the backends of the connector plane.
pub const CONNECTOR_CALLS: usize = 64;
/// How long a backend's tools are waited for when nothing is known of them yet.
pub const CONNECTOR_START: Duration = Duration::from_secs(15);
/// Bytes on the way to and from the machine in this process.
pub const PIPE_BYTES: usize = 256 * 1024;
/// Paths of masked values in one answer.
pub const REDACTED_FIELDS: usize = 1000;

/// Open pages that are told what changes; a person has a few.
pub const PAGE_LISTENERS: usize = 16;
/// How often the store is read while a page is open. A reading takes less than a millisecond.
pub const PAGE_POLL: Duration = Duration::from_millis(500);
/// How often an open page hears that it is connected. It takes silence three times as long for a broken connection.
pub const PAGE_BEAT: Duration = Duration::from_secs(10);
/// Longest life of one stream, below [`CONNECTION_LIFE`]; the page connects anew.
pub const PAGE_LIFE: Duration = Duration::from_secs(10 * 60);
/// Waiting tickets that are shown, the oldest first. With arguments of 16 KiB each they are 1.6 MB.
pub const PAGE_WAITING: u32 = 100;
/// Decided tickets that are shown.
pub const PAGE_DECIDED: u32 = 25;
/// Threads of the page for the database: one reads, one decides.
pub const PAGE_WORKERS: usize = 2;
/// Jobs of the page waiting for such a thread.
pub const PAGE_JOBS_QUEUED: usize = 64;
