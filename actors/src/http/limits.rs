//! The bounds of the HTTP client, with their arithmetic.

use crate::limits::BACKEND_IN_FLIGHT;
use std::time::Duration;

/// Longest time for a host name to resolve.
pub(super) const RESOLVE_DEADLINE: Duration = Duration::from_secs(5);
/// Longest time for TCP, proxy and TLS together.
pub(super) const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// Longest time one write may wait for a server that does not read.
pub(super) const WRITE_DEADLINE: Duration = Duration::from_secs(30);
/// Longest time until the head of an answer, whatever the caller's deadline: a thread must come back one day.
pub(super) const HEAD_DEADLINE: Duration = Duration::from_secs(600);
/// Longest time for a notification or response to be accepted; nobody waits for it with a deadline of their own.
pub(super) const NOTICE_DEADLINE: Duration = Duration::from_secs(30);
/// Longest time the session's DELETE may take of the deadline of closing.
pub(super) const DELETE_DEADLINE: Duration = Duration::from_secs(2);
/// A GET stream that was silent for so long is opened again. Servers send keep-alives every 15 to 60 s; a connection
/// that a middlebox has dropped looks the same as silence.
pub(super) const STREAM_IDLE: Duration = Duration::from_secs(300);

/// Time until a stream is opened again when the server named none.
pub(super) const RETRY_DEFAULT: Duration = Duration::from_secs(1);
/// A server that asks for less would be asked in a tight loop.
pub(super) const RETRY_MIN: Duration = Duration::from_millis(100);
/// A server that asks for more would silently cost the stream.
pub(super) const RETRY_MAX: Duration = Duration::from_secs(60);
/// Longest wait that doubling after failures leads to.
pub(super) const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// Failures in a row after which the answer of a request is given up: 1 + 1 + 2 + 4 + 8 s of
/// pauses with the default retry.
pub(super) const RESUME_ATTEMPTS: u32 = 5;

/// Streams that have given their answer and are read on for their end, so that the connection can be used again. A
/// server that never ends them loses the oldest.
pub(super) const LINGERING: usize = 16;
/// A request in flight holds a thread: one for each, so that nobody waits for a sleeper, and the lingering ones.
pub(super) const REQUEST_THREADS: usize = BACKEND_IN_FLIGHT + LINGERING;
/// Requests waiting for a thread: those that were taken back take a moment to leave theirs.
pub(super) const REQUESTS_WAITING: usize = LINGERING;
/// Threads for notifications, responses and the DELETE: never behind a request.
pub(super) const NOTICE_THREADS: usize = 4;
/// Notifications and responses waiting for a thread: a cancellation for every open request, and some.
pub(super) const NOTICES_WAITING: usize = BACKEND_IN_FLIGHT + 64;
/// The GET stream, and the one before it while it ends.
pub(super) const STREAM_THREADS: usize = 2;

/// Idle connections that are kept: as many as the widest load of the yardstick has in flight.
pub(super) const IDLE_CONNECTIONS: usize = 128;
/// A connection idle for longer is not used again. Node closes after 5 s, and a request that meets the closing has
/// an unknown outcome.
pub(super) const IDLE_AGE: Duration = Duration::from_secs(4);
/// What one read takes from a connection; allocated per connection.
pub(super) const READ_BUFFER_BYTES: usize = 32 * 1024;
/// What one write gives to a connection; allocated per connection.
pub(super) const WRITE_BUFFER_BYTES: usize = 16 * 1024;
/// Longest head of an answer; it must fit the read buffer.
pub(super) const HEAD_BYTES: usize = 16 * 1024;
/// Longest body of a refusal that is looked at for a JSON-RPC error.
pub(super) const REFUSAL_BYTES: usize = 64 * 1024;
/// Longest part of a server's own words that is kept, in characters.
pub(super) const SERVER_WORDS: usize = 300;
/// Longest session id. It goes with every request, and servers refuse heads above 8 to 16 KiB.
pub(super) const SESSION_ID_BYTES: usize = 4 * 1024;

const _: () = assert!(HEAD_BYTES <= READ_BUFFER_BYTES);
const _: () = assert!(SESSION_ID_BYTES < HEAD_BYTES);
