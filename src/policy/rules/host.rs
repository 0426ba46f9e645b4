//! Which host a URL names, in every way in which programs read it: as browsers do (WHATWG URL) and as RFC 3986 says.

use super::path::percent;
use super::truth::Truth;
use std::net::{Ipv4Addr, Ipv6Addr};
use unicode_normalization::UnicodeNormalization;

/// One host, or every name below one: `example.com`, `*.example.com` (which does not mean `example.com` itself),
/// `10.0.0.1`, `[::1]`, or `*` for any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HostPattern {
    /// Any host.
    Any,
    /// That one.
    Host(String),
    /// Every name that ends in this, which begins with a dot.
    Below(String),
}

impl HostPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let (below, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text),
        };
        let unusual = |c: char| c.is_whitespace() || "/@?#*\\%".contains(c);
        if name.is_empty() || name.contains(unusual) || (name.contains(':') && !name.starts_with('[')) {
            return Err(
                "write a host without scheme, port and path, such as example.com or *.example.com".into()
            );
        }
        let host = canonical(name);
        Ok(if below { Self::Below(format!(".{host}")) } else { Self::Host(host) })
    }

    fn matches(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Host(name) => name == host,
            Self::Below(ending) => host.len() > ending.len() && host.ends_with(ending.as_str()),
        }
    }
}

/// Whether the host of the URL `text` is one of the patterns, in every way in which a program may read it. A text
/// without a scheme is read as a URL that lacks one.
pub(super) fn host_in(text: &str, patterns: &[HostPattern]) -> Truth {
    let hosts = [Reader::Browser, Reader::Rfc3986].map(|reader| reader.host(text));
    Truth::agreed(
        hosts.iter().map(|host| {
            host.as_ref().is_some_and(|host| patterns.iter().any(|pattern| pattern.matches(host)))
        }),
    )
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// Blanks inside are dropped, backslashes are slashes, any number of slashes follows the scheme.
    Browser,
    /// Taken as written.
    Rfc3986,
}

impl Reader {
    /// The canonical host; `None` when there is none.
    fn host(self, text: &str) -> Option<String> {
        let text = text.trim_matches(|c: char| c.is_ascii_control() || c == ' ');
        let cleaned: String;
        let text = if self == Self::Browser {
            cleaned = text
                .chars()
                .filter(|c| !matches!(c, '\t' | '\n' | '\r'))
                .map(|c| if c == '\\' { '/' } else { c })
                .collect();
            &cleaned
        } else {
            text
        };
        let after = after_scheme(text, self)?;
        let authority = &after[..after.find(['/', '?', '#']).unwrap_or(after.len())];
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let host = match (host.starts_with('['), host.find(']'), host.rsplit_once(':')) {
            (true, Some(end), _) => &host[..=end],
            (false, _, Some((host, _))) => host,
            _ => host,
        };
        (!host.is_empty()).then(|| canonical(host))
    }
}

/// What follows `scheme://`, or the whole text when no scheme stands there. `None` for a URL without a host.
fn after_scheme(text: &str, reader: Reader) -> Option<&str> {
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    let Some((scheme, rest)) = text.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
        return Some(text.strip_prefix("//").unwrap_or(text)).filter(|text| !text.starts_with('/'));
    };
    let special = ["http", "https", "ws", "wss", "ftp"].iter().any(|word| scheme.eq_ignore_ascii_case(word));
    if special && reader == Reader::Browser {
        return Some(rest.trim_start_matches('/'));
    }
    match rest.strip_prefix("//") {
        Some(rest) => Some(rest),
        // `localhost:8080/x`: a host and a port, not a scheme.
        None if rest.starts_with(|c: char| c.is_ascii_digit()) => Some(text),
        None => None,
    }
}

/// Lower case, compatibility forms folded, international names in their ASCII form, every spelling of an address as
/// one, without the dot at the end.
fn canonical(host: &str) -> String {
    let decoded = percent(host).unwrap_or_else(|| host.to_owned());
    let folded: String = decoded
        .nfkc()
        .filter(|c| !matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}'))
        .map(|c| if matches!(c, '\u{3002}' | '\u{ff0e}' | '\u{ff61}') { '.' } else { c })
        .flat_map(char::to_lowercase)
        .collect();
    let name = folded.strip_suffix('.').unwrap_or(&folded);
    if let Some(inner) = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        let address = inner.split('%').next().unwrap_or_default().parse::<Ipv6Addr>();
        return match address {
            Ok(address) => match address.to_ipv4_mapped() {
                Some(four) => four.to_string(),
                None => format!("[{address}]"),
            },
            Err(_) => name.to_owned(),
        };
    }
    if let Some(address) = four(name) {
        return address.to_string();
    }
    let labels: Vec<String> = name.split('.').map(ascii_label).collect();
    labels.join(".")
}

/// An IPv4 address in any spelling: one to four parts, each decimal, octal or hexadecimal (WHATWG URL, "IPv4 parser").
fn four(name: &str) -> Option<Ipv4Addr> {
    let parts: Vec<&str> = name.split('.').collect();
    if parts.len() > 4 {
        return None;
    }
    let (last, first) = parts.split_last()?;
    let mut address: u64 = 0;
    for part in first {
        address = (address << 8) | number(part).filter(|part| *part < 256)?;
    }
    let free = 32 - 8 * u32::try_from(first.len()).ok()?;
    let last = number(last).filter(|last| *last < 1 << free)?;
    u32::try_from((address << free) | last).ok().map(Ipv4Addr::from)
}

fn number(text: &str) -> Option<u64> {
    if let Some(hex) = text.strip_prefix("0x") {
        return if hex.is_empty() { Some(0) } else { u64::from_str_radix(hex, 16).ok() };
    }
    match text.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => u64::from_str_radix(octal, 8).ok(),
        _ => text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?,
    }
}

/// A label as it stands in the name system (RFC 3492): `xn--` and Punycode when it is not ASCII.
fn ascii_label(label: &str) -> String {
    if label.is_ascii() {
        return label.to_owned();
    }
    match punycode(label) {
        Some(code) => format!("xn--{code}"),
        None => label.to_owned(),
    }
}

/// RFC 3492, section 6.3. `None` when numbers run over, which no real name makes them.
fn punycode(label: &str) -> Option<String> {
    let points: Vec<u32> = label.chars().map(u32::from).collect();
    let mut out: String = label.chars().filter(char::is_ascii).collect();
    let basic = u32::try_from(out.len()).ok()?;
    if basic > 0 {
        out.push('-');
    }
    let (mut code, mut delta, mut bias, mut handled) = (128u32, 0u32, 72u32, basic);
    // Longer labels cannot stand in the name system, and the work grows with the square of the length.
    if points.len() > 255 {
        return None;
    }
    while (handled as usize) < points.len() {
        let next = points.iter().copied().filter(|point| *point >= code).min()?;
        delta = delta.checked_add((next - code).checked_mul(handled + 1)?)?;
        code = next;
        for &point in &points {
            if point < code {
                delta = delta.checked_add(1)?;
            }
            if point == code {
                digits(delta, bias, &mut out);
                bias = adapted(delta, handled + 1, handled == basic);
                delta = 0;
                handled += 1;
            }
        }
        delta = delta.checked_add(1)?;
        code += 1;
    }
    Some(out)
}

fn digits(delta: u32, bias: u32, out: &mut String) {
    let digit = |value: u32| LETTERS.get(value as usize).map_or('a', |letter| char::from(*letter));
    let mut rest = delta;
    for k in (36..).step_by(36) {
        let threshold = if k <= bias { 1 } else { (k - bias).min(26) };
        if rest < threshold {
            break;
        }
        out.push(digit(threshold + (rest - threshold) % (36 - threshold)));
        rest = (rest - threshold) / (36 - threshold);
    }
    out.push(digit(rest));
}

const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

fn adapted(delta: u32, handled: u32, first: bool) -> u32 {
    let mut delta = if first { delta / 700 } else { delta / 2 };
    delta += delta / handled;
    let mut k = 0;
    while delta > 455 {
        delta /= 35;
        k += 36;
    }
    k + 36 * delta / (delta + 38)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_in(url: &str, patterns: &[&str]) -> Truth {
        let patterns: Vec<HostPattern> =
            patterns.iter().map(|text| HostPattern::new(text).expect("a pattern")).collect();
        host_in(url, &patterns)
    }

    #[test]
    fn the_host_is_found_behind_everything() {
        for (url, pattern, wanted) in [
            ("https://example.com/x", "example.com", Truth::Yes),
            ("HTTPS://EXAMPLE.com.:443/x?y#z", "example.com", Truth::Yes),
            ("https://user:pass@example.com/", "example.com", Truth::Yes),
            ("https://example.com@evil.net/", "example.com", Truth::No),
            ("https://example.com:80@evil.net/", "evil.net", Truth::Yes),
            ("https://example.com.evil.net/", "example.com", Truth::No),
            ("https://notexample.com/", "*.example.com", Truth::No),
            ("https://a.b.example.com/", "*.example.com", Truth::Yes),
            ("https://example.com/", "*.example.com", Truth::No),
            ("https://b\u{fc}cher.example/", "xn--bcher-kva.example", Truth::Yes),
            ("https://xn--bcher-kva.example/", "B\u{dc}CHER.example", Truth::Yes),
            ("https://\u{ff45}xample\u{3002}com/", "example.com", Truth::Yes),
            ("https://ex%61mple.com/", "example.com", Truth::Yes),
            ("http://2130706433/", "127.0.0.1", Truth::Yes),
            ("http://0x7f.1/", "127.0.0.1", Truth::Yes),
            ("http://0177.0.0.1:8080/", "127.0.0.1", Truth::Yes),
            ("http://[::ffff:7f00:1]/", "127.0.0.1", Truth::Yes),
            ("http://[0:0::1]:80/", "[::1]", Truth::Yes),
            ("example.com/path", "example.com", Truth::Yes),
            ("//example.com/path", "example.com", Truth::Yes),
            ("localhost:8080/x", "localhost", Truth::Yes),
            ("mailto:jane@example.com", "example.com", Truth::No),
            ("/path/only", "*", Truth::No),
            ("https://anything.example/", "*", Truth::Yes),
            ("", "*", Truth::No),
        ] {
            assert_eq!(is_in(url, &[pattern]), wanted, "{url} in {pattern}");
        }
    }

    #[test]
    fn what_programs_read_differently_is_unsure() {
        for url in [r"https://example.com\@evil.net/", "https:///example.com/", "https:example.com/"] {
            assert_eq!(is_in(url, &["example.com"]), Truth::Unsure, "{url}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for wrong in ["", "https://a", "a/b", "a b", "*.", "a:80", "*", "a*b"] {
            assert_eq!(HostPattern::new(wrong).is_err(), wrong != "*", "{wrong}");
        }
    }

    #[test]
    fn international_names_as_in_the_rfc() {
        // RFC 3492, section 7.1, samples A, B and L.
        for (name, code) in [
            (
                "\u{644}\u{64a}\u{647}\u{645}\u{627}\u{628}\u{62a}\u{643}\u{644}\u{645}\u{648}\u{634}\u{639}\u{631}\u{628}\u{64a}\u{61f}",
                "egbpdaj6bu4bxfgehfvwxn",
            ),
            (
                "\u{4ed6}\u{4eec}\u{4e3a}\u{4ec0}\u{4e48}\u{4e0d}\u{8bf4}\u{4e2d}\u{6587}",
                "ihqwcrb4cv8a8dqg056pqjye",
            ),
            ("3\u{5e74}b\u{7d44}\u{91d1}\u{516b}\u{5148}\u{751f}", "3b-ww4c5e180e575a65lsy2b"),
        ] {
            assert_eq!(punycode(name).as_deref(), Some(code));
        }
    }

    proptest! {
        #[test]
        fn no_url_breaks_it(text in "(https?:|//|/|\\\\|@|:|\\[|\\]|%61|a|\\.|0x|1|é|\u{3002}|#|\\?| ){0,20}") {
            is_in(&text, &["a", "*.a", "*"]);
        }
    }
}
