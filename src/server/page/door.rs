//! Who may speak to the page, and what its answers tell the browser.

use super::{Page, Shared};
use crate::secret::Secret;
use crate::server::auth;
use crate::server::body::Input;
use crate::server::reply::Refusal;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The header that carries the key. Not `Authorization`, which is the browser's own where the service asks for a
/// password.
pub(super) const KEY_HEADER: &str = "x-callgate-key";
/// Random bytes of a key.
const KEY_BYTES: usize = 32;
/// How long an address that opens the page once is good: a browser that starts cold takes some seconds.
const CODE_LIFE: Duration = Duration::from_secs(60);
/// Where data is asked for and decisions are made.
const API: &str = "/approvals/api/";
/// Where a code is exchanged for the key.
const ENTER: &str = "/approvals/api/enter";

/// Nothing from elsewhere, nothing in line, no frames, and no text that becomes markup or script (Content Security Policy
/// Level 3; Trusted Types).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// What every answer of the page tells the browser.
const HEADERS: &[(&str, &str)] = &[
    ("content-security-policy", POLICY),
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// The page's key, and the code that opens it once.
pub(super) struct Keys {
    key: Secret,
    code: Mutex<Option<(Secret, Instant)>>,
}

impl Keys {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { key: random()?, code: Mutex::new(None) })
    }

    pub(super) fn key(&self) -> &Secret {
        &self.key
    }

    /// A new code; the one before it is void.
    pub(super) fn code(&self) -> io::Result<Secret> {
        let code = random()?;
        let good_until = Instant::now() + CODE_LIFE;
        *self.code.lock().unwrap_or_else(PoisonError::into_inner) = Some((code.clone(), good_until));
        Ok(code)
    }

    /// Uses the code up, whether or not it was the right one: nobody guesses twice.
    fn redeem(&self, code: &str, now: Instant) -> bool {
        let kept = self.code.lock().unwrap_or_else(PoisonError::into_inner).take();
        kept.is_some_and(|(kept, good_until)| {
            now < good_until && auth::same(code.as_bytes(), kept.expose().as_bytes())
        })
    }

    fn admit(&self, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(KEY_HEADER).iter();
        let (Some(key), None) = (values.next(), values.next()) else { return false };
        auth::same(key.as_bytes(), self.key.expose().as_bytes())
    }
}

fn random() -> io::Result<Secret> {
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
}

/// Lets a request through, or refuses it.
pub(super) async fn door(State(page): State<Arc<Page>>, request: Request, next: Next) -> Response {
    let mut response = match check(&page, &request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

fn check(page: &Page, request: &Request) -> Result<(), Refusal> {
    let (headers, path) = (request.headers(), request.uri().path());
    // Browsers always say which name they mean, and so must whoever else comes here.
    if !headers.contains_key(header::HOST) || !page.hosts.admit(headers, request.uri()) {
        let text = "Host: the page is served under the names of this machine only";
        return Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, text));
    }
    if !auth::is_own_origin(headers) {
        return Err(Refusal::forbidden("Origin: only the page itself may ask"));
    }
    if !path.starts_with(API) {
        return Ok(());
    }
    // Fetch Metadata Request Headers; older browsers do not send it.
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    if site.is_some_and(|site| site != b"same-origin") {
        return Err(Refusal::forbidden("Sec-Fetch-Site: only the page itself may ask"));
    }
    if path == ENTER || page.keys.admit(headers) {
        return Ok(());
    }
    // Not 401: the browser would ask for a password that there is not.
    Err(Refusal::forbidden("key: missing or wrong; open the page with the address that callgate printed"))
}

/// A code of [`Page::address_for_once`].
#[derive(Deserialize)]
pub(super) struct Entry {
    code: String,
}

/// Gives the key for a code, once.
pub(super) async fn enter(page: Shared, Input(entry): Input<Entry>) -> Result<Json<Value>, Refusal> {
    if !page.keys.redeem(&entry.code, Instant::now()) {
        return Err(Refusal::forbidden(
            "code: used, too old or wrong; open the address that callgate printed",
        ));
    }
    Ok(Json(json!({"key": page.keys.key().expose()})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_long_and_new_each_time() {
        let (one, other) = (random().expect("random"), random().expect("random"));
        assert_eq!(one.expose().len(), 43);
        assert_ne!(one.expose(), other.expose());
    }

    #[test]
    fn a_code_is_good_once_and_not_for_long() {
        let (keys, now) = (Keys::new().expect("random"), Instant::now());
        assert!(!keys.redeem("", now), "there is none");
        let code = keys.code().expect("random");
        assert!(keys.redeem(code.expose(), now));
        assert!(!keys.redeem(code.expose(), now), "used");
        let code = keys.code().expect("random");
        assert!(!keys.redeem("guess", now) && !keys.redeem(code.expose(), now), "one guess uses it up");
        let code = keys.code().expect("random");
        assert!(!keys.redeem(code.expose(), now + CODE_LIFE * 2), "too old");
    }

    #[test]
    fn the_key_is_one_header() {
        let keys = Keys::new().expect("random");
        let key: HeaderValue = keys.key().expose().parse().expect("a value");
        let mut headers = HeaderMap::new();
        assert!(!keys.admit(&headers));
        headers.insert(KEY_HEADER, key.clone());
        assert!(keys.admit(&headers));
        headers.append(KEY_HEADER, key);
        assert!(!keys.admit(&headers), "two are none");
        headers.insert(KEY_HEADER, HeaderValue::from_static("A"));
        assert!(!keys.admit(&headers));
    }
}
