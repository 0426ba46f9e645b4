//! Requests to a policy service: one HTTP client, its limits, and what counts as an outage. Redirects are not followed.

use super::gather::Gathering;
use super::resolver::CachingResolver;
use callgate_actors::limits::DECISION_THREADS;
use std::io::ErrorKind;
use std::time::{Duration, Instant, SystemTime};
use ureq::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use ureq::http::{Request, Response, Uri};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::transport::{Connector, DefaultConnector};
use ureq::{Agent, AsSendBody, Body, Error, Proxy};

/// Per connection: longest response head. With the other buffer and as many connections as decisions are asked
/// at once, 128 × 24 KiB = 3 MiB at the worst; they are made when first used.
const INPUT_BUFFER_BYTES: usize = 16 * 1024;
/// Per connection: a request goes out in pieces of this size.
const OUTPUT_BUFFER_BYTES: usize = 8 * 1024;
/// Idle connections are closed before the 60 s after which common servers close them.
const IDLE_CONNECTION: Duration = Duration::from_secs(50);
/// Longest `Retry-After` that is told to anybody.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// The client of one policy service; connections are shared by all who hold it.
pub(in crate::pdp) struct PolicyClient {
    agent: Agent,
    resolver: CachingResolver,
    /// Without a trailing slash.
    endpoint: String,
    /// The headers of every request. Values that are secrets are marked sensitive, so `Debug` hides them.
    headers: HeaderMap,
}

/// A request of ours.
pub(in crate::pdp) struct Post<'a> {
    pub(in crate::pdp) path: &'a str,
    pub(in crate::pdp) headers: &'a [(HeaderName, HeaderValue)],
    pub(in crate::pdp) body: &'a [u8],
    /// Longest body read back, after decompression.
    pub(in crate::pdp) max_reply_bytes: usize,
    pub(in crate::pdp) deadline: Instant,
}

/// What came back, whatever the status.
pub(in crate::pdp) struct Reply {
    pub(in crate::pdp) status: u16,
    pub(in crate::pdp) retry_after: Option<Duration>,
    pub(in crate::pdp) body: Result<Vec<u8>, NoReply>,
}

/// Why there is no reply, or none that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::pdp) struct NoReply {
    /// Nobody answered. `false`: somebody did, but not with a reply.
    pub(in crate::pdp) outage: bool,
    /// What happened, to stand behind "policy service unavailable: ".
    pub(in crate::pdp) text: &'static str,
}

const fn outage(text: &'static str) -> NoReply {
    NoReply { outage: true, text }
}

const fn unreadable(text: &'static str) -> NoReply {
    NoReply { outage: false, text }
}

/// The endpoint is no absolute `http` or `https` address, or has a query.
#[derive(Debug)]
pub(in crate::pdp) struct NotAnAddress;

impl PolicyClient {
    /// A client of the service at `endpoint`, which sends `headers` with every request. Nothing is connected yet.
    pub(in crate::pdp) fn new(
        endpoint: &str,
        version: &str,
        mut headers: HeaderMap,
    ) -> Result<Self, NotAnAddress> {
        let (endpoint, uri) = self::endpoint(endpoint)?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let resolver = CachingResolver::default();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(proxy_for(&uri))
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
            .user_agent(format!("callgate/{version}"))
            .input_buffer_size(INPUT_BUFFER_BYTES)
            .output_buffer_size(OUTPUT_BUFFER_BYTES)
            .max_idle_connections(DECISION_THREADS)
            .max_idle_connections_per_host(DECISION_THREADS)
            .max_idle_age(IDLE_CONNECTION)
            .build();
        let connector = DefaultConnector::default().chain(Gathering);
        let agent = Agent::with_parts(config, connector, resolver.clone());
        Ok(Self { agent, resolver, endpoint, headers })
    }

    /// Sends one request and reads the reply. A connection that broke before any reply, as a pooled one may have
    /// while it lay idle, is replaced once; nothing else is tried twice.
    pub(in crate::pdp) fn post(&self, post: &Post<'_>) -> Result<Reply, NoReply> {
        let Post { path, headers, body, max_reply_bytes, deadline } = *post;
        self.exchange(max_reply_bytes, |max_idle| {
            let mut request = Request::post(self.address(path)).body(body)?;
            request.headers_mut().extend(headers.iter().cloned());
            self.send(request, deadline, max_idle)
        })
    }

    /// As [`PolicyClient::post`], asking for what is at `path`.
    pub(in crate::pdp) fn get(
        &self,
        path: &str,
        max_reply_bytes: usize,
        deadline: Instant,
    ) -> Result<Reply, NoReply> {
        self.exchange(max_reply_bytes, |max_idle| {
            self.send(Request::get(self.address(path)).body(())?, deadline, max_idle)
        })
    }

    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.endpoint)
    }

    fn exchange(
        &self,
        max_reply_bytes: usize,
        send: impl Fn(Duration) -> Result<Response<Body>, Error>,
    ) -> Result<Reply, NoReply> {
        let sent = match send(IDLE_CONNECTION) {
            Err(Error::Io(e)) if is_broken(e.kind()) => send(Duration::ZERO),
            sent => sent,
        };
        let response = sent.map_err(|e| {
            self.resolver.forget();
            no_reply(&e)
        })?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|v| retry_after(v, SystemTime::now()));
        let body = response
            .into_body()
            .into_with_config()
            .limit(max_reply_bytes as u64)
            .read_to_vec()
            .map_err(|e| broken_body(&e));
        Ok(Reply { status, retry_after, body })
    }

    fn send(
        &self,
        mut request: Request<impl AsSendBody>,
        deadline: Instant,
        max_idle: Duration,
    ) -> Result<Response<Body>, Error> {
        let left = deadline.saturating_duration_since(Instant::now());
        let own = std::mem::take(request.headers_mut());
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().extend(own);
        let request = self.agent.configure_request(request);
        self.agent.run(request.timeout_global(Some(left)).max_idle_age(max_idle).build())
    }
}

/// Trims the endpoint's trailing slashes and checks that it is an HTTP URL.
fn endpoint(text: &str) -> Result<(String, Uri), NotAnAddress> {
    let trimmed = text.trim().trim_end_matches('/');
    let uri: Uri = trimmed.parse().map_err(|_| NotAnAddress)?;
    let usable = matches!(uri.scheme_str(), Some("http" | "https"))
        && uri.host().is_some_and(|host| !host.is_empty())
        && uri.query().is_none();
    if usable { Ok((trimmed.to_owned(), uri)) } else { Err(NotAnAddress) }
}

/// The HTTP proxy that the environment names for this address, else the system's (Windows); never for loopback nor
/// for what `NO_PROXY` lists.
fn proxy_for(uri: &Uri) -> Option<Proxy> {
    if uri.host().is_none_or(is_loopback) {
        return None;
    }
    let system = Proxy::try_from_env();
    if system.as_ref().is_some_and(|proxy| proxy.is_no_proxy(uri)) {
        return None;
    }
    let env = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    match proxy_url(uri, env) {
        Some(url) => Proxy::new(url.trim()).ok(),
        // A variable for the other scheme alone means: no proxy for this one.
        None if ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"]
            .iter()
            .any(|n| env(n).is_some()) =>
        {
            None
        }
        None => system.filter(|_| cfg!(windows)),
    }
}

/// `HTTPS_PROXY` for https, `HTTP_PROXY` for http, else `ALL_PROXY`; each in capitals or small letters.
fn proxy_url(uri: &Uri, env: impl Fn(&str) -> Option<String>) -> Option<String> {
    let by_scheme = if uri.scheme_str() == Some("https") {
        ["HTTPS_PROXY", "https_proxy"]
    } else {
        ["HTTP_PROXY", "http_proxy"]
    };
    by_scheme.into_iter().chain(["ALL_PROXY", "all_proxy"]).find_map(env)
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost")
        || host.to_ascii_lowercase().ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The connection went away, as an idle one does when the server closed it.
fn is_broken(kind: ErrorKind) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

/// Tells an outage from an answer that is none. What is not known to be an outage is not one: a certificate that
/// does not hold, or something that does not speak HTTP, must not open a gate.
fn no_reply(error: &Error) -> NoReply {
    use ErrorKind::{
        AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkDown, NetworkUnreachable, NotConnected,
        TimedOut,
    };
    match error {
        Error::Timeout(_) => outage("it did not answer in time"),
        Error::HostNotFound => outage("its host name was not found"),
        Error::ConnectionFailed => outage("it could not be connected"),
        Error::Io(e) => match e.kind() {
            ConnectionRefused => outage("the connection was refused"),
            HostUnreachable | NetworkUnreachable | NetworkDown | AddrNotAvailable => {
                outage("the network does not reach it")
            }
            TimedOut => outage("it did not answer in time"),
            NotConnected => outage("the connection broke"),
            kind if is_broken(kind) => outage("the connection broke"),
            _ => unreadable("the connection failed, perhaps its certificate is not trusted"),
        },
        Error::Tls(_) | Error::Rustls(_) => unreadable("its certificate or TLS version was not accepted"),
        Error::ConnectProxyFailed(_) | Error::InvalidProxyUrl => {
            unreadable("the HTTP proxy refused to connect")
        }
        Error::LargeResponseHeader(..) => unreadable("its answer's head is too large"),
        _ => unreadable("its answer is not HTTP that can be read"),
    }
}

/// A reply whose body cannot be had is no outage, somebody did answer; only silence in the middle of it is.
fn broken_body(error: &Error) -> NoReply {
    match error {
        Error::Timeout(_) => outage("it did not finish its answer in time"),
        Error::BodyExceedsLimit(_) => unreadable("its answer is too large"),
        _ => unreadable("its answer broke off"),
    }
}

/// `Retry-After` (RFC 9110, section 10.2.3): seconds or an HTTP date.
fn retry_after(value: &HeaderValue, now: SystemTime) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(wait.min(LONGEST_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(text: &str) -> Option<u64> {
        let now = httpdate::parse_http_date("Fri, 20 Nov 2026 12:00:00 GMT").expect("a date");
        retry_after(&HeaderValue::from_str(text).expect("a header"), now).map(|d| d.as_secs())
    }

    #[test]
    fn w39_retry_after_is_seconds_or_a_date_and_bounded() {
        assert_eq!(wait("7"), Some(7));
        assert_eq!(wait(" 0 "), Some(0));
        assert_eq!(wait("Fri, 20 Nov 2026 12:01:30 GMT"), Some(90));
        assert_eq!(wait("Fri, 20 Nov 2026 11:00:00 GMT"), Some(0), "a date in the past");
        assert_eq!(wait("99999999999"), Some(3600));
        assert_eq!(wait("soon"), None);
        assert_eq!(wait("-1"), None);
    }

    #[test]
    fn endpoints_are_http_urls() {
        assert_eq!(endpoint("http://localhost:8080//").expect("good").0, "http://localhost:8080");
        assert_eq!(endpoint("https://p.example/base/").expect("good").0, "https://p.example/base");
        for bad in ["", "localhost:8080", "ftp://x", "http://", "not a url", "http://x/?a=b"] {
            assert!(endpoint(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_proxy_is_chosen_by_scheme_and_never_stands_before_loopback() {
        let chosen = |uri: &str, set: &[&str]| {
            let env = |name: &str| set.contains(&name).then(|| name.to_owned());
            proxy_url(&uri.parse().expect("a URI"), env)
        };
        let all = ["HTTPS_PROXY", "http_proxy", "ALL_PROXY"];
        assert_eq!(chosen("https://p.example", &all).as_deref(), Some("HTTPS_PROXY"));
        assert_eq!(chosen("http://p.example", &all).as_deref(), Some("http_proxy"));
        assert_eq!(chosen("http://p.example", &["ALL_PROXY"]).as_deref(), Some("ALL_PROXY"));
        assert_eq!(chosen("http://p.example", &["HTTPS_PROXY"]), None);
        for local in ["http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1", "http://a.localhost"] {
            let uri: Uri = local.parse().expect("a URI");
            assert!(uri.host().is_some_and(is_loopback), "{local}");
        }
        assert!(!is_loopback("localhost.example") && !is_loopback("10.0.0.1"));
    }

    #[test]
    fn unknown_failures_are_no_outage() {
        assert!(no_reply(&Error::Io(ErrorKind::ConnectionRefused.into())).outage);
        assert!(no_reply(&Error::HostNotFound).outage);
        assert!(!no_reply(&Error::Io(ErrorKind::InvalidData.into())).outage, "a bad certificate");
        assert!(!no_reply(&Error::Tls("bad")).outage);
        assert!(!no_reply(&Error::TooManyRedirects).outage);
    }
}
