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
/// Answers up to this size are not counted: 1,024 of them are 64 MiB.
pub const LIGHT_ANSWER_BYTES: usize = 64 * 1024;
/// Bytes of larger answers that may wait for a client that reads slowly.
pub const ANSWER_BYTES_QUEUED: usize = 256 * 1024 * 1024;
/// How long a large answer waits for room.
pub const ANSWER_DEADLINE: Duration = Duration::from_secs(60);
/// Requests of backends that wait for an answer of the client (sampling, elicitation, roots).
pub const CLIENT_REQUESTS_IN_FLIGHT: usize = 128;
/// Longest time the client may take for one of them: a person may have to read and type.
pub const CLIENT_REQUEST_DEADLINE: Duration = Duration::from_secs(600);

/// Lines of backends that are kept until the client has sent `notifications/initialized`.
pub const EARLY_LINES: usize = 256;
/// Largest notification or request of a backend toward the client: scanning it in place takes about 1 ms.
pub const NOTICE_BYTES: usize = 1024 * 1024;

/// Requests that may be open at one backend. Half of all, so that one hanging backend cannot take every place.
pub const BACKEND_IN_FLIGHT: usize = REQUESTS_IN_FLIGHT / 2;
/// Lines of a child that may be on the way to its actor: the pump waits for a place, the pipe fills, the child waits.
pub const BACKEND_LINES_QUEUED: usize = 64;
/// Lines on the way to a child: every open request, its cancellation, and control messages.
pub const BACKEND_OUT_QUEUE: usize = 2 * BACKEND_IN_FLIGHT + 64;
/// Calls that were taken back or timed out and may still be answered; beyond this the oldest are forgotten.
pub const ZOMBIES: usize = 128;
/// Longest time from the start of a backend to its catalogue: a first `npx` or `uvx` start downloads packages.
pub const START_DEADLINE: Duration = Duration::from_secs(120);
/// `list_changed` notices of a backend within this time cause one refresh.
pub const REFRESH_PAUSE: Duration = Duration::from_millis(200);
/// Pause before a list that could not be read is asked for again.
pub const REFRESH_RETRY: Duration = Duration::from_secs(5);
/// Notices a backend may send in one second before its pipe is slowed down.
pub const NOTICES_PER_SECOND: u32 = 1_000;
/// How long the place of one notice is kept from a backend that floods: 64 places make 3,200 notices a second.
pub const FLOOD_PAUSE: Duration = Duration::from_millis(20);
/// Calls in a row that time out without a sign of life before a backend is taken to hang and started anew.
pub const SILENT_TIMEOUTS: u32 = 3;
/// A call that makes progress, or waits for the client's answer to the backend's question, may take this many times
/// the backend's timeout.
pub const TIMEOUT_STRETCH: u32 = 20;
/// Bytes of a backend's standard error that are logged in one second; the rest is counted.
pub const STDERR_BYTES_PER_SECOND: usize = 16 * 1024;
/// Longest line of a backend's standard error that is logged whole.
pub const STDERR_LINE_BYTES: usize = 2 * 1024;

/// How long the news of a child's end may come behind the end of its output.
pub const EXIT_NEWS: Duration = Duration::from_millis(20);
/// How long output of a child that has ended is still waited for, when a process it left behind holds the pipe.
pub const LAST_OUTPUT: Duration = Duration::from_millis(100);
/// How long answers to other requests are waited for after an HTTP session was lost.
pub const SESSION_DRAIN: Duration = Duration::from_secs(2);
/// Longest time the end of an HTTP session may take (its DELETE).
pub const HTTP_CLOSE: Duration = Duration::from_millis(500);

/// Longest instructions of one backend that the model is told, in bytes.
pub const INSTRUCTION_BYTES: usize = 8 * 1024;

/// Pages that are read of one list before a backend is taken to page for ever.
pub const MAX_PAGES: usize = 1_000;
/// Bytes kept of one list of one backend: 20,000 tools of 800 bytes each.
pub const MAX_LIST_BYTES: usize = 16 * 1024 * 1024;
/// Longest cursor of a list.
pub const MAX_CURSOR_BYTES: usize = 16 * 1024;
/// Longest name of a method.
pub const MAX_METHOD_BYTES: usize = 128;
/// How long one page of a list is waited for once a backend is up.
pub const PAGE_DEADLINE: Duration = Duration::from_secs(60);
/// Entries kept of one list of one backend.
pub const MAX_LIST_ENTRIES: usize = 20_000;

/// Threads that may wait for a remote decision at once: as wide as the yardstick's widest load.
pub const DECISION_THREADS: usize = 128;
/// Decisions asked and not yet answered.
pub const DECISIONS_IN_FLIGHT: usize = REQUESTS_IN_FLIGHT;
/// How long behind its deadline a decision is still waited for: an engine that ran out of time says so itself, and
/// only it knows whether that is an outage.
pub const DECISION_GRACE: Duration = Duration::from_millis(500);
/// Threads that may be with the keeper of approvals at once: a look takes some 20 µs, opening a ticket some
/// milliseconds, a question to a remote service its round trip.
pub const APPROVAL_THREADS: usize = 16;
/// Looks and openings that may wait for such a thread: one for every open request.
pub const APPROVALS_IN_FLIGHT: usize = REQUESTS_IN_FLIGHT;
/// Longest time for one of them.
pub const APPROVAL_STEP: Duration = Duration::from_secs(5);
/// Shortest pause between two looks at one ticket.
pub const APPROVAL_POLL_MIN: Duration = Duration::from_millis(50);
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
/// How long after something was recorded the journal may tidy up: a checkpoint for what came within one minute.
pub const TIDY_EVERY: Duration = Duration::from_secs(60);

/// Backends that may be starting at once: enough for a desk, few enough not to starve it.
pub const STARTS_AT_ONCE: usize = 16;
/// A start that takes longer (a download, a server that hangs) gives its place to the next one.
pub const LAUNCH_SETTLES: Duration = Duration::from_secs(2);
/// Changes of the lists within this time cause one notice to the client.
pub const ANNOUNCE_PAUSE: Duration = Duration::from_millis(200);
/// Pause before a decision or audit actor that failed is seated again.
pub const RESPAWN_PAUSE: Duration = Duration::from_millis(50);
/// First pause before a backend is started again; doubles with each failure in a row.
pub const RESTART_PAUSE_MIN: Duration = Duration::from_millis(10);
/// Longest pause before a backend is started again.
pub const RESTART_PAUSE_MAX: Duration = Duration::from_secs(30);
/// The window in which restarts are counted.
pub const RESTART_WINDOW: Duration = Duration::from_secs(60);
/// Failed starts within the window before a backend is parked.
pub const FAILED_STARTS_IN_WINDOW: usize = 8;
/// Crashes of a backend that had done work, within the window, before it is parked: one a second.
pub const CRASHES_IN_WINDOW: usize = 60;
/// First pause before a parked backend is tried; doubles each time it fails again.
pub const PARKED_PROBE_MIN: Duration = Duration::from_secs(5);
/// Longest pause between two tries of a parked backend: it is never given up.
pub const PARKED_PROBE_MAX: Duration = Duration::from_secs(60);
/// A backend that ran so long is healthy: its history is forgotten.
pub const HEALTHY_AFTER: Duration = Duration::from_secs(30);

/// The end of the process: how long running requests may still end by themselves.
pub const CLOSE_FLOWS: Duration = Duration::from_millis(250);
/// The end of the process: how long aborted requests may take to write their rows.
pub const CLOSE_ABORTED: Duration = Duration::from_millis(100);
/// The end of the process: a child's time from the end of its stdin to SIGTERM.
pub const CLOSE_CHILD_EXIT: Duration = Duration::from_millis(250);
/// The end of the process: a child's time from SIGTERM to SIGKILL.
pub const CLOSE_CHILD_TERM: Duration = Duration::from_millis(150);
/// The end of the process: the journal's time.
pub const CLOSE_JOURNAL: Duration = Duration::from_millis(100);
/// The end of the process: the client's time to take the last answers.
pub const CLOSE_OUTPUT: Duration = Duration::from_millis(50);
/// The end of a wrapped server: how long what came before the end of the client's input may take to reach it. A session
/// that comes in one piece waits for the server's list, and its calls for a decision; both have as much by default.
pub const WRAPPED_SENDING: Duration = Duration::from_secs(10);
/// How often it is looked at meanwhile.
pub const WRAPPED_LOOK: Duration = Duration::from_millis(5);
/// The end of a wrapped server: its time from the end of its input to the signals above. Clients of the official SDKs
/// send SIGTERM after as much, which is handed on.
pub const WRAPPED_EXIT: Duration = Duration::from_secs(2);
/// The end of a wrapped server: how long what it answered may take to be masked, recorded and written.
pub const WRAPPED_FLOWS: Duration = Duration::from_secs(2);
/// The end of a wrapped server: the client's time to take its last answers.
pub const WRAPPED_OUTPUT: Duration = Duration::from_secs(1);
/// A host kills a server 1 s after the end of its input.
pub const CLOSE_ALL: Duration = Duration::from_secs(1);
const _: () = assert!(
    CLOSE_FLOWS.as_millis()
        + CLOSE_ABORTED.as_millis()
        + CLOSE_CHILD_EXIT.as_millis()
        + CLOSE_CHILD_TERM.as_millis()
        + CLOSE_JOURNAL.as_millis()
        + CLOSE_OUTPUT.as_millis()
        < CLOSE_ALL.as_millis()
);

/// A thread that found nothing to do for so long ends.
pub const IDLE_THREAD: Duration = Duration::from_secs(10);
/// Stack of a worker thread; virtual memory until touched. TLS and a recursive-descent SQL parser fit.
pub const WORKER_STACK_BYTES: usize = 2 * 1024 * 1024;

const _: () = assert!(REQUESTS_IN_FLIGHT * LIGHT_ANSWER_BYTES <= ANSWER_BYTES_QUEUED);
const _: () = assert!(BACKEND_IN_FLIGHT < REQUESTS_IN_FLIGHT);
const _: () = assert!(OUT_QUEUE > REQUESTS_IN_FLIGHT);
const _: () = assert!(DECIDE_IN_PLACE_BYTES <= REDACT_IN_PLACE_BYTES);
