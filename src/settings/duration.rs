//! Durations as people write them: Go's (`1m30s`, `1.5s`, `500ms`) and humantime's (`2 minutes`).

use super::reader::Wrong;
use crate::fault::quoted;
use std::time::Duration;

/// Longest wait that may be set. Nothing here waits for days, and adding it to a clock never overflows.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Units of Go's `time.ParseDuration` with their length in nanoseconds. `ms` stands before `m` and `s`.
const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Parses a duration as [`parse`] does, or `0`, which is no time at all.
pub(super) fn parse_or_none(text: &str) -> Result<Duration, Wrong> {
    if matches!(text.trim(), "0" | "0s" | "0ms") { Ok(Duration::ZERO) } else { parse(text) }
}

/// Parses a duration greater than zero and of at most 24 hours.
pub(super) fn parse(text: &str) -> Result<Duration, Wrong> {
    let text = text.trim();
    let shown = quoted(text);
    if text.starts_with('-') {
        return Err(Wrong::new(format!("{shown} is below zero"), "write a duration such as 10s"));
    }
    let digits_only = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if digits_only && text.bytes().any(|byte| (b'1'..=b'9').contains(&byte)) {
        return Err(Wrong::new(format!("{shown} has no unit"), format!("write {text}s or {text}ms")));
    }
    let duration = go(text).or_else(|| humantime::parse_duration(text).ok());
    match duration {
        _ if digits_only && !text.is_empty() => Err(no_wait(&shown)),
        None => Err(Wrong::new(
            format!("{shown} is not a duration"),
            "write a duration such as 10s, 1m30s or 500ms",
        )),
        Some(duration) if duration.is_zero() => Err(no_wait(&shown)),
        Some(duration) if duration > LONGEST => {
            Err(Wrong::new(format!("{shown} is longer than 24h"), "write a duration such as 10s"))
        }
        Some(duration) => Ok(duration),
    }
}

fn no_wait(shown: &str) -> Wrong {
    Wrong::new(format!("{shown} is no time at all"), "write a duration above zero such as 10s")
}

/// Go's form: an optional sign, then numbers with an optional fraction, each with a unit.
fn go(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest.is_empty() {
        return None;
    }
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let (whole, after) = digits(rest);
        let (fraction, after) = after.strip_prefix('.').map_or(("", after), digits);
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let letters = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let length = UNITS.iter().find(|(name, _)| *name == unit)?.1;
        nanos = nanos.checked_add(part(whole, fraction, length)?)?;
        rest = after;
    }
    Some(Duration::from_nanos(u64::try_from(nanos).ok()?))
}

/// `whole.fraction` units of so many nanoseconds. Digits beyond the twelfth of a fraction are below a nanosecond.
fn part(whole: &str, fraction: &str, length: u128) -> Option<u128> {
    let number =
        |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse::<u64>().ok().map(u128::from) };
    let fraction = &fraction[..fraction.len().min(13)];
    let scale = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    Some(number(whole)? * length + number(fraction)? * length / scale)
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_writing_are_read() {
        for (text, millis) in [
            ("10s", 10_000),
            ("1m30s", 90_000),
            ("500ms", 500),
            ("1.5s", 1_500),
            (".5s", 500),
            ("+1h", 3_600_000),
            ("0h0m2.250s", 2_250),
            ("2 minutes", 120_000),
            ("1min 30sec", 90_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(parse("1µs"), Ok(Duration::from_micros(1)));
        assert_eq!(parse("0.3333333333333333333s"), Ok(Duration::from_nanos(333_333_333)));
    }

    #[test]
    fn what_is_no_wait_is_refused_with_a_way_out() {
        for (text, what) in [
            ("0", "no time at all"),
            ("0s", "no time at all"),
            ("0.0ms", "no time at all"),
            ("0.1ns", "no time at all"),
            ("-5s", "below zero"),
            ("10", "no unit"),
            ("1.5", "no unit"),
            ("10x", "not a duration"),
            ("s", "not a duration"),
            ("1..5s", "not a duration"),
            ("ten", "not a duration"),
            ("", "not a duration"),
            ("25h", "longer than 24h"),
            ("99999999999999999999h", "not a duration"),
        ] {
            let wrong = parse(text).expect_err(text);
            assert!(wrong.what.contains(what), "{text}: {wrong:?}");
            assert!(!wrong.hint.is_empty());
        }
    }
}
