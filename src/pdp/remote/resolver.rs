//! Looks the policy service's name up once and not for every request.
//!
//! ureq resolves before it looks for a pooled connection, and with a time limit it starts a thread for each look-up;
//! on the way of every call that would cost more than the request itself.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// How long an address is used before the name is looked up again.
const KEEP: Duration = Duration::from_secs(30);

/// A resolver with room for one answer: a client talks to one service, directly or through one proxy.
#[derive(Clone, Debug, Default)]
pub(in crate::pdp) struct CachingResolver(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    system: DefaultResolver,
    known: Mutex<Option<Known>>,
}

#[derive(Debug)]
struct Known {
    uri: Uri,
    until: Instant,
    addresses: Vec<SocketAddr>,
}

impl CachingResolver {
    /// Forgets what is known: the connection failed, the service may have moved.
    pub(in crate::pdp) fn forget(&self) {
        *self.0.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn filled(&self, addresses: impl IntoIterator<Item = SocketAddr>) -> ResolvedSocketAddrs {
        let mut filled = self.empty();
        addresses.into_iter().for_each(|address| filled.push(address));
        filled
    }

    fn known(&self, uri: &Uri) -> Option<ResolvedSocketAddrs> {
        let known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.as_ref().filter(|k| k.until > Instant::now() && same_host(&k.uri, uri))?;
        Some(self.filled(known.addresses.iter().copied()))
    }
}

impl Resolver for CachingResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        if let Some(address) = literal(uri) {
            return Ok(self.filled([address]));
        }
        if let Some(known) = self.known(uri) {
            return Ok(known);
        }
        // The look-up's errors have no kind of their own in the standard library.
        let found = self.0.system.resolve(uri, config, timeout).map_err(|e| match e {
            ureq::Error::Io(_) => ureq::Error::HostNotFound,
            other => other,
        })?;
        let known = Known { uri: uri.clone(), until: Instant::now() + KEEP, addresses: found.to_vec() };
        *self.0.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        Ok(found)
    }
}

fn same_host(a: &Uri, b: &Uri) -> bool {
    a.scheme() == b.scheme() && a.authority() == b.authority()
}

/// The address if the host is written as one.
fn literal(uri: &Uri) -> Option<SocketAddr> {
    let ip: IpAddr = uri.host()?.trim_matches(['[', ']']).parse().ok()?;
    let port = uri.port_u16().or(match uri.scheme_str()? {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    })?;
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(uri: &str) -> Option<String> {
        literal(&uri.parse().expect("a URI")).map(|a| a.to_string())
    }

    #[test]
    fn written_addresses_need_no_look_up() {
        assert_eq!(address("http://127.0.0.1:8080/x").as_deref(), Some("127.0.0.1:8080"));
        assert_eq!(address("https://[::1]/").as_deref(), Some("[::1]:443"));
        assert_eq!(address("http://localhost:8080"), None);
    }

    #[test]
    fn a_name_is_looked_up_once_and_again_after_forgetting() {
        let resolver = CachingResolver::default();
        let config = Config::default();
        let uri: Uri = "http://localhost:9".parse().expect("a URI");
        let first = resolver.resolve(&uri, &config, NextTimeout::default()).expect("localhost resolves");
        assert_eq!(resolver.known(&uri).expect("kept").to_vec(), first.to_vec());
        assert!(resolver.known(&"http://localhost:8".parse().expect("a URI")).is_none());
        resolver.forget();
        assert!(resolver.known(&uri).is_none());
    }
}
