//! Every bound of the machine, once, with its arithmetic.
//!
//! A bound that a person may change is only the default here; the setting that changes it is named beside it.

use std::time::Duration;

/// Longest line that is read from the client or from a backend. Setting `CALLGATE_MAX_LINE`.
pub const MAX_LINE_BYTES: usize = 64 * 1024 * 1024;
/// Deepest nesting of arrays and objects in a message from the client.
pub const MAX_DEPTH: usize = 128;
/// Longest raw JSON text of a request id; anything longer is no id but an attack on memory.
pub const MAX_ID_BYTES: usize = 256;

/// Requests of the client that may be open at once. Hosts hold a few dozen; the yardstick drives 128.
pub const REQUESTS_IN_FLIGHT: usize = 1024;
/// Notifications and requests toward the client that may wait for the writer besides the answers.
pub const NOTICES_QUEUED: usize = 512;
/// The writer's queue: one place for every answer, so that an answer never waits, and the notices.
pub const OUT_QUEUE: usize = REQUESTS_IN_FLIGHT + NOTICES_QUEUED;
/// Requests of backends that wait for an answer of the client (sampling, elicitation, roots).
pub const CLIENT_REQUESTS_IN_FLIGHT: usize = 128;
/// Longest time the client may take for one of them: a person may have to read and type.
pub const CLIENT_REQUEST_DEADLINE: Duration = Duration::from_secs(600);

/// Requests that may be open at one backend. Half of all, so that one hanging backend cannot take every place.
pub const BACKEND_IN_FLIGHT: usize = REQUESTS_IN_FLIGHT / 2;
/// Lines of a child that may be on the way to its actor: the pump waits for a place, the pipe fills, the child waits.
pub const BACKEND_LINES_QUEUED: usize = 64;
/// Lines on the way to a child: every open request, its cancellation, and control messages.
pub const BACKEND_OUT_QUEUE: usize = 2 * BACKEND_IN_FLIGHT + 64;
/// Pages that are read of one list before a backend is taken to page for ever.
pub const MAX_PAGES: usize = 1_000;
/// Entries kept of one list of one backend.
pub const MAX_LIST_ENTRIES: usize = 20_000;

/// Threads that may wait for a remote decision at once: as wide as the yardstick's widest load.
pub const DECISION_THREADS: usize = 128;
/// Decisions asked and not yet answered.
pub const DECISIONS_IN_FLIGHT: usize = REQUESTS_IN_FLIGHT;
/// Arguments up to this size are judged by a quick engine where the messages move (about 1 µs per 100 bytes).
pub const DECIDE_IN_PLACE_BYTES: usize = 16 * 1024;

/// Threads that redact large answers: the machine's cores, at least this many, so that one 8 MB answer holds up no other.
pub const REDACTOR_THREADS_MIN: usize = 2;
/// Redaction jobs waiting for a thread.
pub const REDACTIONS_QUEUED: usize = 256;
/// Answers up to this size are redacted where the messages move: a hop to a thread and back costs 5 to 50 µs,
/// scanning 32 KiB about 30 µs.
pub const REDACT_IN_PLACE_BYTES: usize = 32 * 1024;
/// Longest time one answer may be with the redactor.
pub const REDACT_DEADLINE: Duration = Duration::from_secs(30);

/// Audit requests on the way to the writer: an intent and an ending for every open request.
pub const RECORDS_IN_FLIGHT: usize = 2 * REQUESTS_IN_FLIGHT;
/// Longest time the audit writer may take for one record.
pub const RECORD_DEADLINE: Duration = Duration::from_secs(5);

/// A thread that found nothing to do for so long ends.
pub const IDLE_THREAD: Duration = Duration::from_secs(10);
/// Stack of a worker thread; virtual memory until touched. TLS and a recursive-descent SQL parser fit.
pub const WORKER_STACK_BYTES: usize = 2 * 1024 * 1024;

const _: () = assert!(BACKEND_IN_FLIGHT < REQUESTS_IN_FLIGHT);
const _: () = assert!(OUT_QUEUE > REQUESTS_IN_FLIGHT);
const _: () = assert!(DECIDE_IN_PLACE_BYTES <= REDACT_IN_PLACE_BYTES);
