//! Who asks: Basic authentication, and the addresses that a request may be meant for.

use crate::secret::Secret;
use axum::http::{HeaderMap, Method, Uri, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The one client that is let in.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// User of Basic authentication.
    pub client_id: String,
    /// Its password.
    pub client_secret: Secret,
}

impl Credentials {
    /// Whether the request carries them. Takes as long for a wrong secret as for the right one: digests are compared,
    /// whole and whatever differs first.
    pub(super) fn admit(&self, headers: &HeaderMap) -> bool {
        let Some((user, password)) = basic(headers) else { return false };
        let same_user = same(user.as_bytes(), self.client_id.as_bytes());
        let same_password = same(password.as_bytes(), self.client_secret.expose().as_bytes());
        same_user & same_password
    }
}

/// Whether the request carries this password, under whatever name.
pub(super) fn has_password(headers: &HeaderMap, secret: &Secret) -> bool {
    basic(headers).is_some_and(|(_, password)| same(password.as_bytes(), secret.expose().as_bytes()))
}

/// Whether a request changes what is decided, or decides what is held: for those who administer. To put something into
/// the queue is not.
pub(super) fn is_administration(method: &Method, path: &str) -> bool {
    if method.is_safe() {
        return false;
    }
    let path = path.trim_end_matches('/');
    let below =
        |root: &str| path == root || path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'));
    (below("/api/v1/static-policies") && path != "/api/v1/static-policies/test")
        || below("/api/v1/overrides")
        || (below("/api/v1/hitl") && path != "/api/v1/hitl/queue")
}

/// Whether a path is the page's, which shows what is held and decides it.
pub(super) fn is_page(path: &str) -> bool {
    path == "/approvals" || path.starts_with("/approvals/")
}

/// Whether two texts are the same, without telling by the time taken where they differ.
pub(super) fn same(one: &[u8], other: &[u8]) -> bool {
    let (one, other) = (Sha256::digest(one), Sha256::digest(other));
    one.iter().zip(&other).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

/// User and password, split at the first colon (the AxonFlow contract, section 1.4). Two headers are none.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// The client's name: the Basic user, else `X-Client-ID`, else nothing. Proven only where credentials are configured.
pub(super) fn client(headers: &HeaderMap) -> String {
    let named = || headers.get("x-client-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    basic(headers).map(|(user, _)| user).or_else(named).map(|name| plain(&name)).unwrap_or_default()
}

/// The person named by `X-User-Email`: asserted, not proven.
pub(super) fn person(headers: &HeaderMap) -> String {
    headers.get("x-user-email").and_then(|value| value.to_str().ok()).map(plain).unwrap_or_default()
}

/// At most 128 printable characters.
pub(super) fn plain(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(128).collect()
}

/// The names under which this server may be addressed. A page in a browser that made its own name point here (DNS
/// rebinding) is told by the name.
#[derive(Clone, Debug)]
pub enum Hosts {
    /// Loopback names and addresses, and these.
    Loopback(Vec<String>),
    /// Any: the server is reached from elsewhere and asks for credentials, which a browser does not have.
    Any,
}

impl Hosts {
    /// Whether the request names this server. Without a `Host` (HTTP/1.0) there is no browser.
    pub(super) fn admit(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        let Self::Loopback(more) = self else { return true };
        let named = headers.get(header::HOST).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let Some(host) = named.or_else(|| uri.authority().map(ToString::to_string)) else { return true };
        let name = host_name(&host);
        is_loopback(name) || more.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
    }
}

/// Whether the request comes from no web page, or from one of this very server.
pub(super) fn is_own_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    matches!((origin, host), (Some(origin), Some(host)) if origin.eq_ignore_ascii_case(host))
}

/// The host without its port.
fn host_name(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(v6),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

fn is_loopback(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().expect("name"), value.parse().expect("value")))
            .collect()
    }

    fn credentials() -> Credentials {
        Credentials { client_id: "org".into(), client_secret: Secret::new("se:cret") }
    }

    #[test]
    fn only_the_right_pair_is_let_in() {
        let with = |pair: &str| headers(&[("authorization", &format!("Basic {}", STANDARD.encode(pair)))]);
        assert!(credentials().admit(&with("org:se:cret")), "split at the first colon");
        for wrong in ["org:secret", "org:se:cret2", "or:se:cret", "org", ":", "org:"] {
            assert!(!credentials().admit(&with(wrong)), "{wrong}");
        }
        assert!(!credentials().admit(&HeaderMap::new()));
        assert!(!credentials().admit(&headers(&[("authorization", "Bearer org:se:cret")])));
        let mut two = with("org:se:cret");
        two.append("authorization", "Basic b3JnOnNlOmNyZXQ=".parse().expect("value"));
        assert!(!credentials().admit(&two), "two are none");
        assert!(!format!("{:?}", credentials()).contains("se:cret"));
    }

    #[test]
    fn what_changes_decisions_is_administration() {
        for (method, path, expected) in [
            (Method::POST, "/api/v1/hitl/queue/x/approve", true),
            (Method::POST, "/api/v1/hitl/expire", true),
            (Method::POST, "/api/v1/static-policies", true),
            (Method::PATCH, "/api/v1/static-policies/x", true),
            (Method::DELETE, "/api/v1/overrides/x", true),
            (Method::POST, "/api/v1/overrides", true),
            (Method::GET, "/api/v1/overrides", false),
            (Method::POST, "/api/v1/hitl/queue", false),
            (Method::POST, "/api/v1/static-policies/test", false),
            (Method::POST, "/api/v1/decide", false),
        ] {
            assert_eq!(is_administration(&method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn a_name_that_points_here_is_not_ours() {
        let hosts = Hosts::Loopback(vec!["gate.lan".into()]);
        let admits = |host: &str| hosts.admit(&headers(&[("host", host)]), &Uri::from_static("/"));
        for ours in ["localhost:8080", "LOCALHOST", "127.0.0.1:1", "[::1]:8080", "127.8.9.1", "Gate.LAN:80"] {
            assert!(admits(ours), "{ours}");
        }
        for theirs in
            ["evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", ""]
        {
            assert!(!admits(theirs), "{theirs}");
        }
    }

    #[test]
    fn pages_of_others_are_refused() {
        assert!(is_own_origin(&headers(&[("host", "localhost:8080")])));
        assert!(is_own_origin(&headers(&[("host", "localhost:8080"), ("origin", "http://localhost:8080")])));
        for origin in ["http://localhost:3000", "https://evil.example", "null"] {
            assert!(!is_own_origin(&headers(&[("host", "localhost:8080"), ("origin", origin)])), "{origin}");
        }
    }
}
