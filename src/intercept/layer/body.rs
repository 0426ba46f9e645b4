//! Reading the body of a request within its bounds.

use super::refuse::Refused;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use callgate_actors::wire::codes::{INVALID_REQUEST, PARSE_ERROR};
use http_body_util::LengthLimitError;
use std::error::Error;
use std::time::Duration;

/// How long a client may take to send a body.
const DEADLINE: Duration = Duration::from_secs(30);

/// The whole body of at most `limit` bytes.
pub(super) async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Refused> {
    if headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        let what = "a compressed message cannot be decided on; send it as it is";
        return Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, INVALID_REQUEST, what));
    }
    match tokio::time::timeout(DEADLINE, axum::body::to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_limit(&error) => {
            let what = format!("the message is longer than the limit of {limit} bytes");
            Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE, INVALID_REQUEST, &what))
        }
        Ok(Err(_)) => Err(Refused::new(StatusCode::BAD_REQUEST, PARSE_ERROR, "the message broke off")),
        Err(_) => {
            Err(Refused::new(StatusCode::REQUEST_TIMEOUT, PARSE_ERROR, "the message did not arrive in time"))
        }
    }
}

/// Whether this says that a body is too long.
pub(super) fn is_limit(error: &(dyn Error + 'static)) -> bool {
    let mut source = Some(error);
    while let Some(inner) = source {
        if inner.is::<LengthLimitError>() {
            return true;
        }
        source = inner.source();
    }
    false
}
