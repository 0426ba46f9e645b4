//! What is answered when a request is refused: one form for all planes.

use super::limits::RETRY_AFTER_SECONDS;
use crate::store::StoreError;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A request that was not carried out: status and a text for people.
///
/// The body holds `error` and `message` (the same text, since clients look for either), `success: false`, and
/// `verdict: "deny"`, which is no verdict but keeps callers shut that look at nothing else (the AxonFlow contract,
/// section 1.6). It never holds `allowed`, by which a block is told from a refusal (section 2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    text: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }

    /// What is wrong.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// 400
    pub(super) fn malformed(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    /// 403
    pub(super) fn forbidden(text: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, text)
    }

    /// 404
    pub(super) fn unknown(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, text)
    }

    /// 429
    pub(super) fn busy() -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too many requests at once; try again in a moment")
    }

    /// 503
    pub(super) fn unavailable(text: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, text)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let status = match error {
            StoreError::Missing(_) => StatusCode::NOT_FOUND,
            StoreError::Conflict(_) => StatusCode::CONFLICT,
            StoreError::Full(_) => StatusCode::TOO_MANY_REQUESTS,
            StoreError::Failed(_) => {
                tracing::warn!("the store failed: {error}");
                return Self::unavailable("the store is not available now; try again later");
            }
        };
        Self::new(status, error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({"error": self.text, "message": self.text, "success": false, "verdict": "deny"});
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        match self.status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
            }
            StatusCode::UNAUTHORIZED => {
                let challenge = HeaderValue::from_static("Basic realm=\"callgate\", charset=\"UTF-8\"");
                headers.insert(header::WWW_AUTHENTICATE, challenge);
            }
            _ => {}
        }
        response
    }
}
