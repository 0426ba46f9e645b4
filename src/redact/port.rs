//! The redactor behind the machine's port [`Redact`]: when to mask, by mode and carrier.

use super::treatment::{Answer, Treated, Treatment};
use super::{Malformed, Redactor, Scope, check};
use callgate_actors::limits::REDACT_IN_PLACE_BYTES;
use callgate_actors::ports::{Carrier, Findings, Redact, Redaction, Subject, Withheld};
use std::str::FromStr;
use std::sync::Arc;

/// When answers are masked: `AXONFLOW_REDACT_RESPONSES` (the AxonFlow contract, section 6.1).
///
/// In every mode the bytes are checked: what is no JSON is withheld.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RedactMode {
    /// Everything that flows to the model.
    #[default]
    Always,
    /// The answer of a call, result and error alike, only when its decision obliged the gate to. Nothing decides about
    /// the other carriers (prompts, resources, notices, requests of backends, the catalogue), so they are always
    /// masked.
    OnObligation,
    /// Nothing, on any carrier.
    Off,
}

/// The word is no mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("redaction mode {0:?} is unknown; use \"always\", \"on-obligation\" or \"off\"")]
pub struct UnknownMode(String);

impl FromStr for RedactMode {
    type Err = UnknownMode;

    /// Reads `always`, `on-obligation` (or `on_obligation`) and `off`, in any case, with blanks around.
    fn from_str(word: &str) -> Result<Self, UnknownMode> {
        match word.trim().to_ascii_lowercase().as_str() {
            "always" => Ok(Self::Always),
            "on-obligation" | "on_obligation" => Ok(Self::OnObligation),
            "off" => Ok(Self::Off),
            _ => Err(UnknownMode(word.to_owned())),
        }
    }
}

/// Masks in this process.
#[derive(Clone, Debug)]
pub struct LocalRedactor {
    redactor: Redactor,
    mode: RedactMode,
    treatment: Arc<Treatment>,
}

impl LocalRedactor {
    /// A redactor behind the port.
    pub fn new(redactor: Redactor, mode: RedactMode) -> Self {
        Self { redactor, mode, treatment: Arc::default() }
    }

    /// The same with findings treated so; without it each becomes a token.
    #[must_use]
    pub fn with_treatment(self, treatment: Treatment) -> Self {
        Self { treatment: Arc::new(treatment), ..self }
    }

    /// Whether anything of this subject is masked.
    pub fn masks(&self, subject: &Subject) -> bool {
        let answers_a_call = match subject.carrier {
            Carrier::ToolResult => true,
            Carrier::Error => subject.tool.is_some(),
            Carrier::Content | Carrier::Notice | Carrier::ClientRequest | Carrier::Catalogue => false,
        };
        match self.mode {
            RedactMode::Always => true,
            RedactMode::OnObligation => subject.obliged || !answers_a_call,
            RedactMode::Off => false,
        }
    }
}

/// What of a carrier is masked: the catalogue holds schemas, whose numbers are bounds and no data; everywhere the
/// handles of the protocol are spared.
fn scope(carrier: Carrier) -> Scope {
    Scope { numbers: carrier != Carrier::Catalogue, spare_handles: true }
}

impl Redact for LocalRedactor {
    fn is_quick(&self, _subject: &Subject, len: usize) -> bool {
        len <= REDACT_IN_PLACE_BYTES
    }

    fn redact(&self, subject: &Subject, json: &[u8]) -> Result<Redaction, Withheld> {
        if !self.masks(subject) {
            check(json).map_err(withheld)?;
            return Ok(Redaction::default());
        }
        let answer = Answer {
            backend: &subject.backend,
            tool: subject.tool.as_deref().filter(|_| subject.carrier != Carrier::Catalogue),
            // The catalogue is compared with the one of the session before.
            tokens_only: subject.carrier == Carrier::Catalogue,
            restored: subject.decision.as_ref().map_or(&[], |decision| &decision.restored),
        };
        let scope = scope(subject.carrier);
        let treated = self.treatment.treat(&self.redactor, json, scope, &answer).map_err(withheld)?;
        let Treated { json, masked, scoped, fields, fields_left_out } = treated;
        let findings = Findings { scoped, fields, fields_left_out, ..Findings::default() };
        Ok(Redaction { json, masked, findings })
    }
}

fn withheld(fault: Malformed) -> Withheld {
    Withheld { reason: format!("the answer cannot be redacted: {fault}"), ..Withheld::default() }
}

#[cfg(test)]
mod tests {
    use super::{LocalRedactor, RedactMode};
    use crate::redact::{Options, Redactor};
    use callgate_actors::ports::{Carrier, Redact, Subject};

    const CARRIERS: [Carrier; 6] = [
        Carrier::ToolResult,
        Carrier::Error,
        Carrier::Content,
        Carrier::Notice,
        Carrier::ClientRequest,
        Carrier::Catalogue,
    ];

    fn subject(carrier: Carrier, obliged: bool) -> Subject {
        Subject { backend: "crm".into(), tool: Some("get".into()), carrier, obliged, decision: None }
    }

    fn masks(mode: RedactMode, subject: &Subject) -> bool {
        let redactor = LocalRedactor::new(Redactor::new(Options::default()), mode);
        redactor.redact(subject, br#"{"a":"jane@acme.com"}"#).unwrap().json.is_some()
    }

    #[test]
    fn the_mode_says_what_is_masked() {
        for carrier in CARRIERS {
            let answer = matches!(carrier, Carrier::ToolResult | Carrier::Error);
            for obliged in [false, true] {
                let subject = subject(carrier, obliged);
                assert!(masks(RedactMode::Always, &subject), "{carrier:?}");
                assert_eq!(
                    masks(RedactMode::OnObligation, &subject),
                    obliged || !answer,
                    "{carrier:?} {obliged}"
                );
                assert!(!masks(RedactMode::Off, &subject), "{carrier:?}");
            }
        }
        let other_error = Subject { tool: None, ..subject(Carrier::Error, false) };
        assert!(masks(RedactMode::OnObligation, &other_error));
    }

    #[test]
    fn malformed_json_is_withheld_in_every_mode() {
        for mode in [RedactMode::Always, RedactMode::OnObligation, RedactMode::Off] {
            let redactor = LocalRedactor::new(Redactor::new(Options::default()), mode);
            let fault =
                redactor.redact(&subject(Carrier::ToolResult, false), b"{\"a\":jane@acme.com}").unwrap_err();
            assert!(!fault.blocked);
            assert_eq!(
                fault.reason,
                "the answer cannot be redacted: not valid JSON at byte 5: a value must stand here"
            );
        }
    }

    #[test]
    fn numbers_in_schemas_stay_numbers() {
        let redactor = LocalRedactor::new(Redactor::new(Options::default()), RedactMode::Always);
        let tool =
            br#"{"name":"x","description":"ask jane@acme.com","inputSchema":{"maximum":9999999999999}}"#;
        let out = redactor.redact(&subject(Carrier::Catalogue, false), tool).unwrap().json.unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains("[REDACTED:email]") && out.contains("9999999999999"), "{out}");
    }

    #[test]
    fn modes_are_read_as_written_in_settings() {
        assert_eq!("always".parse(), Ok(RedactMode::Always));
        assert_eq!(" On_Obligation ".parse(), Ok(RedactMode::OnObligation));
        assert_eq!("off".parse(), Ok(RedactMode::Off));
        let error = "never".parse::<RedactMode>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "redaction mode \"never\" is unknown; use \"always\", \"on-obligation\" or \"off\""
        );
    }
}
