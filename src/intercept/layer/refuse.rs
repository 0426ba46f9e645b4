//! What is answered in place of the handler.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, StatusCode, header};
use callgate_actors::wire::codes::{ErrorObject, UNAVAILABLE};
use callgate_actors::wire::write::{Line, escape_line_separators};

/// A request that was no message, or one that must not be read on.
#[derive(Debug)]
pub(super) struct Refused {
    status: StatusCode,
    id: Bytes,
    error: Bytes,
}

impl Refused {
    pub(super) fn new(status: StatusCode, code: i64, what: &str) -> Self {
        Self { status, id: Bytes::from_static(b"null"), error: ErrorObject::new(code, what).into_bytes() }
    }

    /// The same, as the answer to a request.
    pub(super) fn to(self, id: Bytes) -> Self {
        Self { id, ..self }
    }

    pub(super) fn response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(Line::error(&self.id, self.error).to_bytes()));
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

/// The documented answer to a blocked call: 200, and one event with the error. A status of its own would tell some clients
/// that they speak to a server of another protocol version.
pub(super) fn event(id: &[u8], error: &Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(data(&Line::error(id, error.clone()).to_bytes())));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// One event of the default type.
pub(super) fn data(message: &[u8]) -> Bytes {
    let mut event = b"event: message\n".to_vec();
    push_data(&mut event, message);
    event.push(b'\n');
    event.into()
}

/// The `data` lines for a message.
pub(super) fn push_data(event: &mut Vec<u8>, message: &[u8]) {
    let escaped = escape_line_separators(message);
    let message = escaped.as_deref().unwrap_or(message);
    for line in message.split(|byte| matches!(byte, b'\n' | b'\r')) {
        event.extend_from_slice(b"data: ");
        event.extend_from_slice(line);
        event.push(b'\n');
    }
}

/// There is no decision, because the interceptor has ended.
pub(super) fn no_decision() -> Bytes {
    ErrorObject::new(UNAVAILABLE, "no policy decision, so the call was not run: the gate has ended")
        .text("verdict", "unavailable")
        .text("outcome", "not_forwarded")
        .into_bytes()
}
