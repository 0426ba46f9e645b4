//! Reads a request's JSON body within its bounds.

use super::limits::{BODY_BYTES, BODY_DEADLINE, DRAINED_BYTES};
use super::reply::Refusal;
use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use http_body_util::BodyExt;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A JSON body. Members that are not known are left alone, so that newer clients are understood.
pub(super) struct Input<T>(pub(super) T);

/// The body as it came, for those who need its exact bytes.
pub(super) struct Raw(pub(super) Bytes);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Input<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let Raw(bytes) = Raw::from_request(request, state).await?;
        parse(&bytes).map(Self)
    }
}

/// The JSON in a body. The message names the place and never the content.
pub(super) fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| {
        use serde_json::error::Category;
        let what = match error.classify() {
            Category::Data => "a member is missing, doubled, or of the wrong type",
            Category::Syntax | Category::Eof | Category::Io => "not valid JSON",
        };
        Refusal::malformed(format!("request body: {what} (line {}, column {})", error.line(), error.column()))
    })
}

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        if !is_json(request.headers()) {
            let text = "the body must be JSON: send Content-Type: application/json";
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
        }
        let too_large = || {
            let text = format!("request body: longer than {BODY_BYTES} bytes");
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text)
        };
        if let Some(announced) = length(request.headers()).filter(|length| *length > BODY_BYTES as u64) {
            drain(request.into_body(), announced).await;
            return Err(too_large());
        }
        let read = axum::body::to_bytes(request.into_body(), BODY_BYTES);
        match tokio::time::timeout(BODY_DEADLINE, read).await {
            Ok(Ok(bytes)) => Ok(Self(bytes)),
            Ok(Err(error)) if is_limit(&error) => Err(too_large()),
            Ok(Err(_)) => Err(Refusal::malformed("request body: it broke off")),
            Err(_) => {
                Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "request body: it did not arrive in time"))
            }
        }
    }
}

/// Reads on without keeping anything, since a client that is still sending does not see the answer. One that announces
/// far too much is cut off instead.
async fn drain(body: Body, announced: u64) {
    if announced > DRAINED_BYTES {
        return;
    }
    let mut body = body;
    let reading = async { while let Some(Ok(_)) = body.frame().await {} };
    let _ = tokio::time::timeout(BODY_DEADLINE, reading).await;
}

fn is_limit(error: &axum::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if inner.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        source = inner.source();
    }
    false
}

/// The length that the head announces.
pub(super) fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// `application/json`, with or without parameters. A form or a plain text, which a web page can send anywhere without
/// being asked, is none.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}
