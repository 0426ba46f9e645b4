//! What every request passes before it is looked at: the name it was meant for, who sends it, how much it brings, and
//! how long it may take.

use super::auth;
use super::body::length;
use super::limits::{BODY_BYTES, BODY_PIECE, REQUEST_DEADLINE};
use super::reply::Refusal;
use super::state::App;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// Lets a request through, or refuses it.
pub(super) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let passed = tokio::time::timeout(REQUEST_DEADLINE, pass(&app, request, next)).await;
    let mut response = match passed {
        Ok(Ok(response)) => response,
        Ok(Err(refusal)) => refusal.into_response(),
        Err(_) => Refusal::unavailable("the request took too long").into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    response
}

async fn pass(app: &App, request: Request, next: Next) -> Result<Response, Refusal> {
    let headers = request.headers();
    if !app.hosts.admit(headers, request.uri()) {
        return Err(Refusal::new(
            StatusCode::MISDIRECTED_REQUEST,
            "Host: this name is not served here; start the server with --allow-host NAME to serve it",
        ));
    }
    if !auth::is_own_origin(headers) {
        return Err(Refusal::forbidden("Origin: pages of other sites are not served here"));
    }
    let open = request.uri().path() == "/health";
    let is_admin = app.admin.as_ref().is_some_and(|secret| auth::has_password(headers, secret));
    let is_client = app.credentials.as_ref().is_none_or(|credentials| credentials.admit(headers));
    if !open && !is_client && !is_admin {
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "credentials: missing or wrong"));
    }
    if app.admin.is_some() && !is_admin && auth::is_page(request.uri().path()) {
        // 401, so that the browser asks.
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "credentials: the page needs the admin secret"));
    }
    if app.admin.is_some() && !is_admin && auth::is_administration(request.method(), request.uri().path()) {
        return Err(Refusal::forbidden("credentials: this needs the admin secret"));
    }
    // A body of unknown length may be as long as any.
    let chunked = headers.contains_key(header::TRANSFER_ENCODING);
    let announced = length(headers).unwrap_or(if chunked { BODY_BYTES as u64 } else { 0 });
    let pieces = usize::try_from(announced).unwrap_or(BODY_BYTES).min(BODY_BYTES).div_ceil(BODY_PIECE);
    let pieces = u32::try_from(pieces).unwrap_or(u32::MAX);
    let _room = app.body_room.try_acquire_many(pieces).map_err(|_| Refusal::busy())?;
    Ok(next.run(request).await)
}

/// A path that there is not.
pub(super) async fn nowhere() -> Refusal {
    Refusal::unknown("nothing is served under this path")
}
