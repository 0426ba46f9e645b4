//! Checks of the HTTP addresses that a person sets.

use super::reader::Wrong;
use crate::fault::quoted;
use std::net::IpAddr;
use ureq::http::Uri;

/// What an address says about the way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    /// The way is encrypted (`https`).
    pub(super) encrypted: bool,
    /// The other end is this machine.
    pub(super) loopback: bool,
}

impl Reach {
    /// Whether what is sent can be read on the way.
    pub(super) fn is_open(self) -> bool {
        !self.encrypted && !self.loopback
    }
}

/// Checks an absolute `http` or `https` address without user information or fragment.
pub(super) fn check(text: &str) -> Result<Reach, Wrong> {
    let shown = quoted(without_secrets(text));
    let scheme_hint = "write an address that begins with http:// or https://";
    let lower = text.to_ascii_lowercase();
    let encrypted = lower.starts_with("https://");
    if !encrypted && !lower.starts_with("http://") {
        return Err(Wrong::new(format!("{shown} is not an http address"), scheme_hint));
    }
    if text.contains('#') {
        return Err(Wrong::new(format!("{shown} has a fragment"), "remove the # and what follows"));
    }
    let Ok(uri) = text.parse::<Uri>() else {
        return Err(Wrong::new(format!("{shown} is not an address"), scheme_hint));
    };
    let Some(authority) = uri.authority().filter(|authority| !authority.host().is_empty()) else {
        return Err(Wrong::new(format!("{shown} names no host"), scheme_hint));
    };
    if authority.as_str().contains('@') {
        let hint = "take user and password out of the address";
        return Err(Wrong::new(format!("{shown} holds credentials"), hint));
    }
    Ok(Reach { encrypted, loopback: is_loopback(authority.host()) })
}

/// The address without user information, query and fragment, which may hold secrets.
pub(crate) fn without_secrets(text: &str) -> &str {
    let end = text.find(['?', '#']).unwrap_or(text.len());
    let text = &text[..end];
    match text.split_once("://") {
        Some((scheme, rest)) if rest.split('/').next().is_some_and(|authority| authority.contains('@')) => {
            scheme
        }
        _ => text,
    }
}

/// `localhost` and its subdomains (RFC 6761, section 6.3), 127.0.0.0/8 and ::1.
fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase();
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_an_address_is_known() {
        for (text, encrypted, loopback) in [
            ("http://localhost:8080", false, true),
            ("http://127.8.9.1", false, true),
            ("http://[::1]:8080/x", false, true),
            ("HTTP://LOCALHOST.", false, true),
            ("https://axonflow.example.com/base", true, false),
            ("http://localhost.example.com", false, false),
            ("http://10.0.0.1?q=1", false, false),
        ] {
            assert_eq!(check(text), Ok(Reach { encrypted, loopback }), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_and_its_secrets_are_not_shown() {
        for text in
            ["localhost:8080", "ftp://x", "http://", "https://:80", "http://a b", "http://x/#f", "x", ""]
        {
            assert!(check(text).is_err(), "{text}");
        }
        let wrong = check("https://me:hunter2@example.com/?key=hunter2").expect_err("credentials");
        assert!(!format!("{wrong:?}").contains("hunter2"), "{wrong:?}");
    }
}
