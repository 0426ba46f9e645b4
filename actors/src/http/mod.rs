//! The client side of Streamable HTTP toward one backend (MCP 2025-03-26 to 2025-11-25, "Streamable HTTP").
//!
//! [`HttpConnection`] moves JSON-RPC messages and knows nothing of tools. Every request holds one thread while it is
//! open, since the client below blocks; the threads come on demand and end when idle. How a backend comes up:
//!
//! ```text
//! send(Initialize)  -> Message            the answer, and with it the session id
//! negotiated(version)
//! send(Initialized) -> Accepted           2xx for notifications/initialized
//! open_stream()     -> StreamReady        the GET stream is up, or the server has none
//! send(Request) …                         a call sent earlier may lose the server's requests
//! ```
//!
//! Every [`Kind::Initialize`] and [`Kind::Request`] has exactly one ending: a [`Incoming::Message`] with its id,
//! [`Incoming::NotSent`], [`Incoming::SessionGone`] or [`Incoming::Failed`]; or silence after [`HttpConnection::cancel`]
//! or [`HttpConnection::close`]. Nothing is ever sent twice from here: whether a message may be repeated is for the
//! caller to judge, by what the ending says. There is no "closed": an endpoint has no connection to lose.

mod answer;
mod connection;
mod endpoint;
mod exchange;
mod limits;
mod link;
mod park;
mod post;
mod session;
mod stream;
#[cfg(test)]
mod tests;
mod transport;

pub use connection::HttpConnection;

use bytes::Bytes;
use std::time::Duration;

/// What a person may change of the client's bounds.
#[derive(Clone, Copy, Debug)]
pub struct HttpLimits {
    /// Longest JSON body and longest single event, in bytes.
    pub max_body: usize,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self { max_body: crate::limits::MAX_LINE_BYTES }
    }
}

/// One message for the backend.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// One JSON-RPC message; a line feed at the end is not needed.
    pub line: Bytes,
    /// What it is.
    pub kind: Kind,
}

/// What a message for the backend is; decides its headers and which endings it can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request `initialize` with our id. Goes without a session; its answer begins one.
    Initialize(u64),
    /// Any other request with our id.
    Request(u64),
    /// `notifications/initialized`. Ends with [`Incoming::Accepted`], or as a request does.
    Initialized,
    /// Any other notification, or a response. Told only when it failed.
    Notice,
}

impl Kind {
    /// Our id, when it is a request.
    pub fn request(self) -> Option<u64> {
        match self {
            Self::Initialize(id) | Self::Request(id) => Some(id),
            Self::Initialized | Self::Notice => None,
        }
    }
}

/// What comes from the backend.
#[derive(Clone, Debug)]
pub enum Incoming {
    /// One JSON-RPC message: a well-formed JSON object on one line, nothing more is promised. Ids are for the
    /// receiver to match.
    Message {
        /// The request whose answer stream carried it; `None` on the GET stream.
        during: Option<u64>,
        /// The message.
        json: Bytes,
    },
    /// `notifications/initialized` was accepted.
    Accepted,
    /// The GET stream is up, or the server has none, or it cannot be opened now (then it is tried again): calls
    /// may go. Once per [`HttpConnection::open_stream`].
    StreamReady,
    /// Provably never reached the server whole, so it may be sent again.
    NotSent {
        /// The message.
        what: Kind,
        /// The cause and the way out.
        why: String,
    },
    /// The server does not know our session any more, and so has not executed the message.
    SessionGone {
        /// The message; `None` when the GET stream or the resumption of an answer met it.
        what: Option<Kind>,
        /// `true` once per session: initialize again. `false`: somebody has been told before; send again once the
        /// new session stands.
        renew: bool,
    },
    /// It was sent, or may have been, and there is no answer.
    Failed {
        /// The message.
        what: Kind,
        /// Whether the server may have acted on it.
        executed: Executed,
        /// The cause and the way out, in our words.
        why: String,
        /// The error message of the server in its own words, shortened. Content like any answer: to be redacted
        /// before anybody reads it.
        server_said: Option<String>,
        /// `Retry-After`: when trying again makes sense.
        retry_after: Option<Duration>,
    },
}

/// Whether a server may have acted on a message that it gave no answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Executed {
    /// The server refused it (a redirect, or a 4xx other than 408 and 499) before acting on it.
    No,
    /// Unknown.
    Possibly,
}
