//! What a person is told when something is wrong: its kind, its place, its cause, a way out, and the exit code.

use std::fmt;

/// All went well.
pub const EXIT_OK: u8 = 0;
/// Something failed while running.
pub const EXIT_FAILURE: u8 = 1;
/// The settings or the backends file are wrong; nothing was started.
pub const EXIT_SETTINGS: u8 = 2;
/// `check` found a backend that does not work.
pub const EXIT_CHECK: u8 = 3;

/// Longest piece of a wrong value that is shown back, in characters: enough to recognise it on one line.
const SHOWN_CHARACTERS: usize = 80;

/// What sort of trouble it is. Decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A setting or a backend entry is wrong.
    Settings,
    /// Something failed while running.
    Failure,
    /// A backend does not work.
    Check,
}

impl Kind {
    /// The exit code that this kind ends the process with.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Settings => EXIT_SETTINGS,
            Self::Failure => EXIT_FAILURE,
            Self::Check => EXIT_CHECK,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Settings => "settings",
            Self::Failure => "failure",
            Self::Check => "check",
        })
    }
}

/// One thing that is wrong. Displays as one line: `kind: where: what; way out`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What sort of trouble it is.
    pub kind: Kind,
    /// What is wrong, in lower case, without a full stop. Never contains a secret.
    pub what: String,
    /// The variable, or the file with line and key; may be empty.
    pub where_: String,
    /// The way out; may be empty.
    pub hint: String,
}

impl Fault {
    /// A fault in the settings, which ends the start with [`EXIT_SETTINGS`].
    pub fn settings(where_: impl Into<String>, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { kind: Kind::Settings, what: what.into(), where_: where_.into(), hint: hint.into() }
    }

    /// Something that failed while running.
    pub fn failure(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { kind: Kind::Failure, what: what.into(), where_: String::new(), hint: hint.into() }
    }

    /// A backend that does not work.
    pub fn check(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { kind: Kind::Check, what: what.into(), where_: String::new(), hint: hint.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.kind)?;
        if !self.where_.is_empty() {
            write!(f, "{}: ", self.where_)?;
        }
        f.write_str(&self.what)?;
        if !self.hint.is_empty() {
            write!(f, "; {}", self.hint)?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}

/// The exit code for a list of faults: that of the first one, [`EXIT_OK`] when there is none.
pub fn exit_code(faults: &[Fault]) -> u8 {
    faults.first().map_or(EXIT_OK, |fault| fault.kind.exit_code())
}

/// A wrong value in quotes for a message: control characters escaped, cut when long. Not for secrets.
pub fn quoted(value: &str) -> String {
    if value.chars().count() <= SHOWN_CHARACTERS {
        return format!("{value:?}");
    }
    let start: String = value.chars().take(SHOWN_CHARACTERS).collect();
    format!("{start:?}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_one_line_with_kind_place_cause_and_way_out() {
        let fault = Fault::settings("AXONFLOW_DECIDE_TIMEOUT", "\"0s\" is no wait", "set it to 10s");
        assert_eq!(fault.to_string(), "settings: AXONFLOW_DECIDE_TIMEOUT: \"0s\" is no wait; set it to 10s");
        assert_eq!(Fault::failure("stdin broke", "").to_string(), "failure: stdin broke");
    }

    #[test]
    fn exit_codes_are_the_documented_ones() {
        assert_eq!(exit_code(&[]), 0);
        assert_eq!(exit_code(&[Fault::failure("x", "")]), 1);
        assert_eq!(exit_code(&[Fault::settings("", "x", "")]), 2);
        assert_eq!(exit_code(&[Fault::check("x", "")]), 3);
    }

    #[test]
    fn a_quoted_value_stays_on_its_line_and_short() {
        assert_eq!(quoted("a\nb\u{1b}[0m"), "\"a\\nb\\u{1b}[0m\"");
        assert!(quoted(&"ä".repeat(5_000)).chars().count() < 100);
    }
}
