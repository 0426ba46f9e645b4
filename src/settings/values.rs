//! The values that settings can take, and how each is read from text.

use super::reader::Wrong;
use crate::fault::quoted;
use crate::journal::Sync;
use crate::pdp::aaf::ParamsMember;
use crate::policy::model::Action;
use crate::policy::posture::Profile;
use crate::secret::Secret;
use std::fmt;
use std::time::Duration;

/// Who decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pdp {
    /// The policies inside callgate.
    Embedded,
    /// An AxonFlow platform, asked over HTTP.
    Axonflow,
    /// The API of the Agent Action Firewall, asked over HTTP.
    Aaf,
}

/// Where stored policies and decisions are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// Nowhere.
    Off,
    /// `callgate.db` in the state directory.
    Sqlite,
    /// The database at [`super::StoreSettings::database_url`].
    Postgres,
}

/// Whether a desktop notification tells of a new ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notify {
    /// Where there is a session that can show one.
    Auto,
    /// In any case, and it is told when that is not possible.
    On,
    /// Never.
    Off,
}

/// What happens with a call while the PDP is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailMode {
    /// The call does not run.
    Closed,
    /// The call runs, and the audit row says so. Only a true outage opens.
    Open,
}

/// Which answers are redacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedactResponses {
    /// All of them.
    Always,
    /// Those that a decision obliges to.
    OnObligation,
    /// None.
    Off,
}

/// Who redacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedactEngine {
    /// The detectors inside callgate.
    Local,
    /// The platform's check-output.
    Remote,
    /// The platform's, then callgate's own.
    Both,
}

/// How sure a run of digits must be to count as a payment card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardMatch {
    /// Any 13 to 19 digits in one piece or printed as on a card.
    Loose,
    /// Only what passes the check digit and carries a known issuer's prefix and length.
    Precise,
}

pub(super) const ON_OFF: &[(&str, bool)] =
    &[("on", true), ("off", false), ("true", true), ("false", false), ("1", true), ("0", false)];
pub(super) const STORE: &[(&str, Option<StoreKind>)] = &[
    ("auto", None),
    ("sqlite", Some(StoreKind::Sqlite)),
    ("postgres", Some(StoreKind::Postgres)),
    ("off", Some(StoreKind::Off)),
];
pub(super) const NOTIFY: &[(&str, Notify)] =
    &[("auto", Notify::Auto), ("on", Notify::On), ("off", Notify::Off)];
pub(super) const REDACT_RESPONSES: &[(&str, RedactResponses)] = &[
    ("always", RedactResponses::Always),
    ("on-obligation", RedactResponses::OnObligation),
    ("off", RedactResponses::Off),
    ("on_obligation", RedactResponses::OnObligation),
];
pub(super) const REDACT_ENGINE: &[(&str, RedactEngine)] =
    &[("local", RedactEngine::Local), ("remote", RedactEngine::Remote), ("both", RedactEngine::Both)];
pub(super) const CARD_MATCH: &[(&str, CardMatch)] =
    &[("loose", CardMatch::Loose), ("precise", CardMatch::Precise)];
pub(super) const PROFILE: &[(&str, Profile)] = &[
    ("shipped", Profile::Shipped),
    ("dev", Profile::Dev),
    ("default", Profile::Default),
    ("strict", Profile::Strict),
    ("compliance", Profile::Compliance),
];
pub(super) const DATA_ACTION: &[(&str, Action)] = &[
    ("block", Action::Block),
    ("require_approval", Action::RequireApproval),
    ("redact", Action::Redact),
    ("warn", Action::Warn),
    ("log", Action::Log),
];
/// Commands and statements are not masked: they would be others then.
pub(super) const CODE_ACTION: &[(&str, Action)] = &[
    ("block", Action::Block),
    ("require_approval", Action::RequireApproval),
    ("warn", Action::Warn),
    ("log", Action::Log),
];
/// `None` is `auto`.
pub(super) const PDP: &[(&str, Option<Pdp>)] = &[
    ("auto", None),
    ("embedded", Some(Pdp::Embedded)),
    ("axonflow", Some(Pdp::Axonflow)),
    ("aaf", Some(Pdp::Aaf)),
];
pub(super) const AAF_PARAMS: &[(&str, ParamsMember)] = &[
    ("params", ParamsMember::Params),
    ("parameters", ParamsMember::Parameters),
    ("both", ParamsMember::Both),
];

impl fmt::Display for Pdp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word(PDP, &Some(*self)))
    }
}

impl fmt::Display for FailMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Open { "open" } else { "closed" })
    }
}

impl fmt::Display for RedactResponses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word(REDACT_RESPONSES, self))
    }
}

impl fmt::Display for RedactEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word(REDACT_ENGINE, self))
    }
}

/// The first word for a value.
fn word<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> &'static str {
    words.iter().find(|(_, known)| known == value).map_or("", |(word, _)| word)
}

/// One of a few words, in any case.
pub(super) fn one_of<T: Copy>(words: &[(&str, T)], text: &str) -> Result<T, Wrong> {
    if let Some((_, value)) = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)) {
        return Ok(*value);
    }
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    Err(Wrong::new(
        format!("{} is not known", quoted(text)),
        format!("set it to one of {}", known.join(", ")),
    ))
}

/// A number of bytes: `65536`, `64KiB`, `64MiB`, `1GiB`, also in powers of a thousand (`64MB`).
pub(super) fn size(text: &str) -> Result<usize, Wrong> {
    const UNITS: [(&str, usize); 8] = [
        ("", 1),
        ("b", 1),
        ("kib", 1 << 10),
        ("mib", 1 << 20),
        ("gib", 1 << 30),
        ("kb", 1_000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
    ];
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit = unit.trim().to_ascii_lowercase();
    let bytes = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .and_then(|(_, factor)| number.parse::<usize>().ok()?.checked_mul(*factor));
    bytes.ok_or_else(|| {
        Wrong::new(format!("{} is not a size", quoted(text)), "write bytes or a size such as 64MiB")
    })
}

/// When audit rows reach the disk: `always`, `off`, or a duration.
pub(super) fn sync(text: &str) -> Result<Sync, Wrong> {
    match text.to_ascii_lowercase().as_str() {
        "always" => Ok(Sync::Always),
        "off" => Ok(Sync::Off),
        _ => super::duration::parse(text)
            .map(Sync::Every)
            .map_err(|wrong| Wrong::new(wrong.what, "set it to always, off or a duration such as 1s")),
    }
}

/// A whole number of milliseconds, at most an hour.
pub(super) fn milliseconds(text: &str) -> Result<Duration, Wrong> {
    const LONGEST: usize = 3_600_000;
    let number = text.parse().map_err(|_| {
        Wrong::new(format!("{} is not a number of milliseconds", quoted(text)), "write a number such as 5000")
    })?;
    within(1..=LONGEST, number, ["1", "3600000"]).map(|ms| Duration::from_millis(ms as u64))
}

/// The size at which the audit file is rotated, or `off`. Below 64 KiB there would be more files than sense.
pub(super) fn rotate_size(text: &str) -> Result<Option<u64>, Wrong> {
    const LEAST: usize = 64 << 10;
    if text.eq_ignore_ascii_case("off") {
        return Ok(None);
    }
    within(LEAST..=usize::MAX, size(text)?, ["64KiB", "what the disk holds"]).map(|bytes| Some(bytes as u64))
}

/// The age at which the audit file is rotated, or `off`.
pub(super) fn rotate_age(text: &str) -> Result<Option<Duration>, Wrong> {
    const LEAST: Duration = Duration::from_secs(60);
    if text.eq_ignore_ascii_case("off") {
        return Ok(None);
    }
    match humantime::parse_duration(text) {
        Ok(age) if age >= LEAST => Ok(Some(age)),
        _ => Err(Wrong::new(
            format!("{} is not an age of a minute or more", quoted(text)),
            "set it to off, or to an age such as 12h or 30d",
        )),
    }
}

/// A number between two bounds, both included.
pub(super) fn within(
    range: std::ops::RangeInclusive<usize>,
    number: usize,
    shown: [&str; 2],
) -> Result<usize, Wrong> {
    if range.contains(&number) {
        return Ok(number);
    }
    let [least, most] = shown;
    Err(Wrong::new(format!("{number} is out of bounds"), format!("set it between {least} and {most}")))
}

/// A text that is sent as the value of an HTTP header or as an identity: printable ASCII, at most 256 bytes (the
/// AxonFlow contract, section 1.2).
pub(super) fn header_text(text: &str) -> Result<(), Wrong> {
    if text.len() > 256 {
        return Err(Wrong::new(format!("is {} bytes long", text.len()), "write at most 256 bytes"));
    }
    if !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        let hint = "write printable ASCII characters only";
        return Err(Wrong::new(format!("{} cannot stand in a header", quoted(text)), hint));
    }
    Ok(())
}

/// A word that stands in JSON and in policies: 1 to 64 printable ASCII characters without blanks.
pub(super) fn operation(text: &str) -> Result<(), Wrong> {
    if !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let hint = "write 1 to 64 characters without blanks, such as call";
    Err(Wrong::new(format!("{} is not an operation", quoted(text)), hint))
}

/// A secret that is sent as the value of a header.
pub(super) fn header_secret(secret: &Secret) -> Result<(), Wrong> {
    let text = secret.expose();
    if text.trim() == text && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Ok(());
    }
    let hint = "write it without line breaks, blanks at its ends and characters beyond ASCII";
    Err(Wrong::new("cannot stand in a header", hint))
}

/// The user of Basic authentication, which ends at the first colon (RFC 7617, section 2).
pub(super) fn basic_user(text: &str) -> Result<(), Wrong> {
    if text.contains(':') || text.chars().any(char::is_control) {
        let hint = "put the id here and what follows the colon in AXONFLOW_CLIENT_SECRET";
        return Err(Wrong::new("contains a colon or a control character", hint));
    }
    Ok(())
}

/// An audience of the enforcement-point handshake (the AxonFlow contract, section 1.4).
pub(super) fn audience(text: &str) -> Result<(), Wrong> {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    let right = text.len() <= 128
        && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
        && text.bytes().all(inner);
    if right {
        return Ok(());
    }
    let hint =
        "write 1 to 128 letters, digits, dots, underscores, colons and hyphens, the first a letter or digit";
    Err(Wrong::new(format!("{} is not an audience", quoted(text)), hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in
            [("65536", 65_536), ("64KiB", 65_536), ("64 mib", 64 << 20), ("1GB", 1_000_000_000)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "MiB", "1.5MiB", "-1", "64 parsecs", "99999999999999999999", "99999999999GiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_care_of_the_audit_file_is_read() {
        assert_eq!(sync("ALWAYS"), Ok(Sync::Always));
        assert_eq!(sync("off"), Ok(Sync::Off));
        assert_eq!(sync("250ms"), Ok(Sync::Every(Duration::from_millis(250))));
        assert_eq!(rotate_size("1MiB"), Ok(Some(1 << 20)));
        assert_eq!((rotate_size("Off"), rotate_age("off")), (Ok(None), Ok(None)));
        assert_eq!(rotate_age("30d"), Ok(Some(Duration::from_secs(30 * 24 * 3600))));
        assert!(sync("sometimes").is_err_and(|wrong| wrong.hint.contains("always")));
        assert!(rotate_size("1KiB").is_err() && rotate_age("5s").is_err() && rotate_age("old").is_err());
    }

    #[test]
    fn milliseconds_are_a_number() {
        assert_eq!(milliseconds("5000"), Ok(Duration::from_secs(5)));
        for wrong in ["5s", "0", "-1", "3600001", "", "1.5"] {
            assert!(milliseconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_audience_keeps_to_its_characters() {
        for right in ["a", "gate-1", "https:gate.example", &"a".repeat(128)] {
            assert_eq!(audience(right), Ok(()), "{right}");
        }
        for wrong in ["", "-gate", "a b", "a/b", "ä", &"a".repeat(129)] {
            assert!(audience(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wrong_word_lists_the_right_ones() {
        let wrong = one_of(REDACT_RESPONSES, "alway").expect_err("a typo");
        assert_eq!(wrong.hint, "set it to one of always, on-obligation, off, on_obligation");
        assert_eq!(one_of(REDACT_RESPONSES, "ON_Obligation"), Ok(RedactResponses::OnObligation));
    }
}
