//! Reads the hosts of addresses as a resolver does: decimal, octal, hexadecimal and short IPv4 forms, IPv4 inside IPv6.

use crate::policy::signal::{Signal, Signals};
use std::net::{Ipv4Addr, Ipv6Addr};

/// What wakes this kind of understanding: a scheme with its slashes, or a scheme that reaches inside by itself.
pub(super) const WAKE: &str = r"[a-z]:/|[a-z]:\\\\|\b(?:gopher|dict|file|jar|netdoc):|//[\[\d]|%3a%2f%2f|metadata\.|169\.254\.|\.(?:nip|sslip|xip)\.io\b|localtest\.me|lvh\.me|\A\s*(?:0x[0-9a-f]+|0\d+|\d+)\.[0-9a-fx.]+\s*\z|\.burpcollaborator\.net|\.oast(?:ify)?\.|\.interact\.sh|\.dnslog\.cn|\.ceye\.io";

/// Addresses of clouds' metadata services.
const METADATA: &[Ipv4Addr] = &[
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(169, 254, 169, 123),
];
/// Names of clouds' metadata services.
const METADATA_NAMES: &[&str] = &[
    "metadata.google.internal",
    "metadata.azure.internal",
    "metadata.azure.com",
    "metadata.goog",
    "instance-data",
];
/// Names that resolve to whatever address they carry, or to this machine, and those under which testers listen for
/// calls from inside.
const REBINDING: &[&str] = &[
    ".nip.io",
    ".sslip.io",
    ".xip.io",
    ".localtest.me",
    ".lvh.me",
    "localtest.me",
    "lvh.me",
    ".burpcollaborator.net",
    ".oastify.com",
    ".oast.fun",
    ".oast.live",
    ".oast.me",
    ".oast.online",
    ".oast.pro",
    ".oast.site",
    ".interact.sh",
    ".dnslog.cn",
    ".ceye.io",
];

/// Adds where the addresses in `text` lead.
pub(super) fn judge(text: &str, signals: &mut Signals) {
    let bytes = text.as_bytes();
    for slashes in memchr::memmem::find_iter(bytes, b"//") {
        // A scheme before, or the very start of the text.
        let before = text[..slashes].trim_end_matches(' ');
        if before.is_empty() || before.ends_with(':') {
            host(authority(&text[slashes + 2..]), signals);
        }
    }
    let trimmed = text.trim();
    if trimmed.len() < 128 && !trimmed.contains(' ') {
        bare(trimmed, signals);
    }
    if contains(text, "gopher://") || contains(text, "dict://") {
        signals.add(Signal::UrlDisguised);
    }
}

fn contains(text: &str, what: &str) -> bool {
    text.as_bytes().windows(what.len()).any(|window| window.eq_ignore_ascii_case(what.as_bytes()))
}

/// A host without a scheme, and nothing else: plain addresses are values like others.
fn bare(text: &str, signals: &mut Signals) {
    let name = text.split(['/', ':']).next().unwrap_or_default();
    let mut found = Signals::default();
    // A number alone is a number.
    if name.contains('.') {
        host(name, &mut found);
    }
    if is_metadata(name) || found.has(Signal::UrlMetadata) {
        signals.add(Signal::UrlMetadata);
    } else if found.has(Signal::UrlDisguised) {
        signals.add(Signal::UrlDisguised);
    }
}

fn is_metadata(host: &str) -> bool {
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    METADATA_NAMES.iter().any(|name| host.eq_ignore_ascii_case(name))
        || host.parse::<Ipv4Addr>().is_ok_and(|ip| METADATA.contains(&ip))
}

/// The host of what follows `//`: without user, port, path; brackets stay.
fn authority(rest: &str) -> &str {
    let end = rest.find(['/', '?', '#', '\\', ' ', '"', '\'', '<', '>', ')', '\n', '`', '|', ';', ',']);
    let authority = &rest[..end.unwrap_or(rest.len())];
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if authority.starts_with('[') {
        return authority.find(']').map_or(authority, |end| &authority[..=end]);
    }
    authority.split(':').next().unwrap_or_default()
}

/// Whether the host of a URL is this machine, a private network or a metadata service, in any spelling. A host without
/// a scheme counts as one.
pub(in crate::policy) fn is_private(url: &str) -> bool {
    let mut signals = Signals::default();
    let rest = url.trim().split_once("://").map_or(url.trim(), |(_, rest)| rest);
    host(authority(rest), &mut signals);
    !signals.is_empty()
}

fn host(host: &str, signals: &mut Signals) {
    let host = host.trim_end_matches('.');
    if is_metadata(host) {
        return signals.add(Signal::UrlMetadata);
    }
    let lower = host.to_ascii_lowercase();
    if REBINDING.iter().any(|name| lower.ends_with(name)) {
        return signals.add(Signal::UrlDisguised);
    }
    if lower == "localhost"
        || lower.ends_with(".localhost")
        || lower.ends_with(".internal")
        || lower.ends_with(".local")
    {
        return signals.add(Signal::UrlInternal);
    }
    if let Some(inner) = host.strip_prefix('[') {
        return six(inner.trim_end_matches(']'), signals);
    }
    let Some((ip, plain)) = four(host) else { return };
    if METADATA.contains(&ip) {
        signals.add(Signal::UrlMetadata);
    } else if is_internal(ip) {
        signals.add(if plain { Signal::UrlInternal } else { Signal::UrlDisguised });
    }
}

fn six(text: &str, signals: &mut Signals) {
    let text = text.split('%').next().unwrap_or_default();
    let Ok(ip) = text.parse::<Ipv6Addr>() else { return };
    let segments = ip.segments();
    let compatible = segments[..6].iter().all(|segment| *segment == 0) && segments[6] != 0;
    // NAT64 (RFC 6052) and 6to4 (RFC 3056) carry an IPv4 address, too.
    let nat64 = (segments[0] == 0x64 && segments[1] == 0xff9b).then_some((segments[6], segments[7]));
    let six_to_four = (segments[0] == 0x2002).then_some((segments[1], segments[2]));
    let carried =
        nat64.or(six_to_four).map(|(high, low)| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    let four = ip.to_ipv4_mapped().or(carried).or_else(|| compatible.then(|| ip.to_ipv4()).flatten());
    if let Some(four) = four {
        if METADATA.contains(&four) {
            signals.add(Signal::UrlMetadata);
        } else if is_internal(four) {
            signals.add(Signal::UrlDisguised);
        }
    } else if segments[..3] == [0xfd00, 0xec2, 0] && segments[7] == 0x254 {
        signals.add(Signal::UrlMetadata);
    } else if ip.is_loopback()
        || ip.is_unspecified()
        || segments[0] & 0xfe00 == 0xfc00
        || segments[0] & 0xffc0 == 0xfe80
    {
        signals.add(Signal::UrlInternal);
    }
}

/// The IPv4 address as `inet_aton` reads it: one to four parts, each decimal, octal or hexadecimal, the last one fills
/// what is left; and whether it was written plainly.
fn four(host: &str) -> Option<(Ipv4Addr, bool)> {
    if !host.as_bytes().first()?.is_ascii_digit() {
        return None;
    }
    let parts: Vec<u64> = host.split('.').map(number).collect::<Option<_>>()?;
    let (last, first) = parts.split_last()?;
    if first.len() > 3 || first.iter().any(|part| *part > 255) || *last >= 1 << (8 * (4 - first.len())) {
        return None;
    }
    let mut ip = *last;
    for (at, part) in first.iter().enumerate() {
        ip |= part << (8 * (3 - at));
    }
    let ip = Ipv4Addr::from(u32::try_from(ip).ok()?);
    Some((ip, ip.to_string() == host))
}

fn number(text: &str) -> Option<u64> {
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u64::from_str_radix(hex, 16).ok();
    }
    match text.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => u64::from_str_radix(octal, 8).ok(),
        _ => text.parse().ok(),
    }
}

fn is_internal(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    ip.is_loopback()
        || ip.is_private()
        || ip.is_link_local()
        || a == 0
        || (a == 100 && (64..128).contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<Signal> {
        crate::policy::understand::found(judge, text)
    }

    #[test]
    fn every_spelling_is_read() {
        for url in [
            "http://169.254.169.254/latest",
            "http://2852039166/",
            "http://0xa9fea9fe",
            "http://0xA9.0xFE.0xA9.0xFE/",
            "http://0251.0376.0251.0376/",
            "http://[::ffff:169.254.169.254]/",
            "http://[::ffff:a9fe:a9fe]",
            "http://169.254.43518/",
            "http://user@169.254.169.254:80/",
            "http://metadata.google.internal./x",
            "http://[64:ff9b::a9fe:a9fe]/",
            "http://[fd00:ec2::254]/",
        ] {
            assert_eq!(of(url), [Signal::UrlMetadata], "{url}");
        }
        for url in [
            "http://2130706433/",
            "http://127.1",
            "http://0177.0.0.1/",
            "http://[::ffff:127.0.0.1]",
            "http://10.0.0.1.nip.io/",
        ] {
            assert_eq!(of(url), [Signal::UrlDisguised], "{url}");
        }
        for url in
            ["http://127.0.0.1:8080", "http://localhost:3000/x", "https://192.168.1.1/", "http://[::1]/"]
        {
            assert_eq!(of(url), [Signal::UrlInternal], "{url}");
        }
        for url in [
            "https://example.com/169",
            "http://1.2.3.4/",
            "// 127.0.0.1 is home",
            "http://8.8.8.8.8/",
            "a//127.0.0.1",
        ] {
            assert_eq!(of(url), [], "{url}");
        }
    }
}
