//! One MCP endpoint: its address, its headers and the client that talks to it.

use super::limits::{
    CONNECT_DEADLINE, DELETE_DEADLINE, HEAD_BYTES, HEAD_DEADLINE, IDLE_AGE, IDLE_CONNECTIONS,
    READ_BUFFER_BYTES, RESOLVE_DEADLINE, WRITE_BUFFER_BYTES, WRITE_DEADLINE,
};
use super::session::Ticket;
use super::transport::TiedConnector;
use crate::ports::HttpPlan;
use bytes::Bytes;
use std::net::IpAddr;
use std::time::Duration;
use ureq::http::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::{Agent, Body, Proxy};

pub(super) const SESSION_ID: &str = "mcp-session-id";
const PROTOCOL_VERSION: &str = "mcp-protocol-version";
const LAST_EVENT_ID: &str = "last-event-id";

/// Headers that belong to the transport.
const RESERVED: [&str; 9] = [
    "accept",
    "connection",
    "content-length",
    "content-type",
    "host",
    LAST_EVENT_ID,
    PROTOCOL_VERSION,
    SESSION_ID,
    "transfer-encoding",
];

/// An endpoint. One agent, so that shutting it down ends exactly this backend's reads.
pub(super) struct Endpoint {
    agent: Agent,
    uri: Uri,
    headers: HeaderMap,
    origin: String,
}

impl Endpoint {
    /// Checks `plan`; touches no network. No error quotes a header's value or the address beyond its origin, since
    /// both may hold secrets.
    pub(super) fn new(plan: &HttpPlan) -> Result<Self, String> {
        let (uri, origin) = address(&plan.url)?;
        let mut headers = HeaderMap::new();
        for (name, value) in &plan.headers {
            let (name, value) = header(name, value)?;
            headers.append(name, value);
        }
        let host = uri.host().unwrap_or_default();
        let proxy = if is_loopback(host) { None } else { Proxy::try_from_env() };
        let config = Agent::config_builder()
            // The body of a refusal is read, and a POST is never sent to another place.
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(proxy)
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            // Events must come as they are written, and compressors hold them back.
            .accept_encoding("identity")
            .timeout_resolve(Some(RESOLVE_DEADLINE))
            .timeout_connect(Some(CONNECT_DEADLINE))
            .timeout_per_write(Some(WRITE_DEADLINE))
            .timeout_recv_response(Some(HEAD_DEADLINE))
            .max_idle_connections(IDLE_CONNECTIONS)
            .max_idle_connections_per_host(IDLE_CONNECTIONS)
            .max_idle_age(IDLE_AGE)
            .input_buffer_size(READ_BUFFER_BYTES)
            .output_buffer_size(WRITE_BUFFER_BYTES)
            .max_response_header_size(HEAD_BYTES)
            .build();
        let agent = Agent::with_parts(config, TiedConnector::default(), DefaultResolver::default());
        Ok(Self { agent, uri, headers, origin })
    }

    /// Scheme, host and port: what may be shown of the address.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// Posts one message. `budget` bounds the whole exchange; without it only the head of the answer is bounded.
    pub(super) fn post(
        &self,
        ticket: &Ticket,
        message: &Bytes,
        budget: Option<Duration>,
    ) -> Result<Response<Body>, ureq::Error> {
        let mut request = Request::post(self.uri.clone()).body(message.as_ref())?;
        self.put_headers(request.headers_mut(), ticket, "application/json, text/event-stream");
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match budget {
            None => self.agent.run(request),
            budget => self.agent.run(self.agent.configure_request(request).timeout_global(budget).build()),
        }
    }

    /// Opens an event stream, after `last_event_id` if there is one. `idle` is the longest silence it may have.
    pub(super) fn get(
        &self,
        ticket: &Ticket,
        last_event_id: Option<&HeaderValue>,
        idle: Option<Duration>,
    ) -> Result<Response<Body>, ureq::Error> {
        let mut request = Request::get(self.uri.clone()).body(())?;
        self.put_headers(request.headers_mut(), ticket, "text/event-stream");
        if let Some(id) = last_event_id {
            request.headers_mut().insert(LAST_EVENT_ID, id.clone());
        }
        self.agent.run(self.agent.configure_request(request).timeout_per_read(idle).build())
    }

    /// Ends the session at the server.
    pub(super) fn delete(&self, ticket: &Ticket) -> Result<Response<Body>, ureq::Error> {
        let mut request = Request::delete(self.uri.clone()).body(())?;
        self.put_headers(request.headers_mut(), ticket, "application/json");
        let budget = Some(DELETE_DEADLINE);
        self.agent.run(self.agent.configure_request(request).timeout_global(budget).build())
    }

    fn put_headers(&self, headers: &mut HeaderMap, ticket: &Ticket, accept: &'static str) {
        headers.extend(self.headers.clone());
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        if let Some(id) = &ticket.id {
            headers.insert(SESSION_ID, id.clone());
        }
        if let Some(version) = &ticket.version {
            headers.insert(PROTOCOL_VERSION, version.clone());
        }
    }

    /// Ends every connection, and with them every blocked read, for good.
    pub(super) fn shutdown(&self) {
        self.agent.clone().shutdown();
    }
}

fn address(url: &str) -> Result<(Uri, String), String> {
    let uri: Uri = url
        .parse()
        .map_err(|_| "the address is not a URL; set \"url\" to one like \"https://host/mcp\"".to_owned())?;
    let origin = origin_of(&uri)
        .ok_or("the address names no http or https server; set \"url\" to one like \"https://host/mcp\"")?;
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(format!(
            "the address of {origin} carries a user name or password; put credentials into \"headers\" with \"${{VAR}}\""
        ));
    }
    Ok((uri, origin))
}

/// Scheme, host and port of an `http` or `https` address.
fn origin_of(uri: &Uri) -> Option<String> {
    let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"))?;
    let host = uri.host().filter(|host| !host.is_empty())?;
    let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{scheme}://{host}{port}"))
}

/// Where a redirect leads, as far as it may be shown.
pub(super) fn redirect_target(headers: &HeaderMap) -> String {
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    match location.map(str::parse::<Uri>) {
        Some(Ok(uri)) => origin_of(&uri).unwrap_or_else(|| "another path of the same server".to_owned()),
        _ => "no readable address".to_owned(),
    }
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let parsed = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("{name:?} is no header name; use letters, digits and \"-\""))?;
    if RESERVED.contains(&parsed.as_str()) {
        return Err(format!("header {name:?} belongs to the transport; remove it from \"headers\""));
    }
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| format!("the value of header {name:?} has control characters; check its variable"))?;
    value.set_sensitive(true);
    Ok((parsed, value))
}

/// Whether a host is this machine, which no proxy reaches.
fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().map_or_else(
        |_| {
            let name = bare.trim_end_matches('.').to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost")
        },
        |ip| ip.is_loopback(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(url: &str, headers: &[(&str, &str)]) -> Result<Endpoint, String> {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Endpoint::new(&HttpPlan { url: url.to_owned(), headers })
    }

    fn error(url: &str, headers: &[(&str, &str)]) -> String {
        open(url, headers).err().unwrap_or_default()
    }

    #[test]
    fn only_the_origin_of_an_address_is_shown() {
        let endpoint = open("https://crm.example:8443/mcp?key=s3cret", &[]).unwrap();
        assert_eq!(endpoint.origin(), "https://crm.example:8443");
        for bad in ["", "crm", "ftp://crm/x", "/mcp", "http://"] {
            assert!(error(bad, &[]).contains("\"url\""), "{bad:?}: {}", error(bad, &[]));
        }
        let refused = error("https://ann:s3cret@crm.example/mcp", &[]);
        assert!(refused.contains("\"headers\"") && !refused.contains("s3cret"), "{refused}");
    }

    #[test]
    fn bad_headers_are_refused_without_quoting_their_value() {
        assert!(open("http://crm/", &[("Authorization", "Bearer t"), ("X-Team", "a")]).is_ok());
        assert!(error("http://crm/", &[("Mcp-Session-Id", "x")]).contains("belongs to the transport"));
        assert!(error("http://crm/", &[("X Y", "x")]).contains("no header name"));
        let refused = error("http://crm/", &[("Authorization", "s3cret\r\nX: y")]);
        assert!(refused.contains("Authorization") && !refused.contains("s3cret"), "{refused}");
    }

    #[test]
    fn this_machine_is_reached_without_a_proxy() {
        for host in ["localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "127.8.9.1", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.example", "10.0.0.1", "128.0.0.1", "[::2]", "notlocalhost"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_redirect_is_named_by_origin() {
        let target = |location: &str| {
            redirect_target(&HeaderMap::from_iter([(LOCATION, HeaderValue::from_str(location).unwrap())]))
        };
        assert_eq!(target("https://login.example/x?state=s3cret"), "https://login.example");
        assert_eq!(target("/mcp/"), "another path of the same server");
        assert_eq!(redirect_target(&HeaderMap::new()), "no readable address");
    }
}
