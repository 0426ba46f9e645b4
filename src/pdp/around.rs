//! What stands around every decision point: pseudonyms in the arguments are turned back into values before anybody
//! decides, and the time of deciding is taken.
//!
//! So policies judge what the backend will be sent. The audit row's `parameters_hash` stays that of the client's own
//! arguments, pseudonyms included: it says what the client asked for, and can be checked against the client's log.

use crate::redact::pseudonyms::Pseudonyms;
use callgate_actors::call::Call;
use callgate_actors::ports::{Approve, Decide, Decision, Standing, Ticket, Verdict, Word};
use std::sync::Arc;
use std::time::Instant;

/// A decision point with what stands around it.
pub struct Around {
    inner: Arc<dyn Decide>,
    pseudonyms: Option<Arc<Pseudonyms>>,
}

impl Around {
    /// Around `inner`; without pseudonyms it only takes the time.
    pub fn new(inner: Arc<dyn Decide>, pseudonyms: Option<Arc<Pseudonyms>>) -> Self {
        Self { inner, pseudonyms }
    }

    fn decide_restored(&self, call: &Call, deadline: Instant) -> Decision {
        let Some((restored, names)) = restored(self.pseudonyms.as_deref(), call) else {
            return self.inner.decide(call, deadline);
        };
        let mut decision = self.inner.decide(&restored, deadline);
        // An obligation changed the restored arguments already, where there was one.
        match &mut decision.verdict {
            Verdict::Allow { arguments, .. } => *arguments = arguments.take().or(restored.arguments),
            Verdict::NeedsApproval => {
                decision.approved_arguments = decision.approved_arguments.take().or(restored.arguments);
            }
            Verdict::Deny | Verdict::Unavailable { .. } => {}
        }
        decision.restored = names;
        decision
    }
}

/// The call with the values that its pseudonyms stand for, and their names; `None` when it has none.
pub(crate) fn restored(pseudonyms: Option<&Pseudonyms>, call: &Call) -> Option<(Call, Vec<String>)> {
    let restored = pseudonyms?.restore(&call.backend, call.arguments.as_deref()?)?;
    Some((Call { arguments: Some(restored.json.into()), ..call.clone() }, restored.names))
}

/// Approvals with the same around them: a person sees what the backend would be sent, and a grant is bound to values.
/// A name stands for another value in the next session, so a grant for the name would be one for anybody.
pub struct AroundApprovals {
    inner: Arc<dyn Approve>,
    pseudonyms: Option<Arc<Pseudonyms>>,
}

impl AroundApprovals {
    /// Around `inner`.
    pub fn new(inner: Arc<dyn Approve>, pseudonyms: Option<Arc<Pseudonyms>>) -> Self {
        Self { inner, pseudonyms }
    }
}

impl Approve for AroundApprovals {
    fn open(&self, call: &Call, decision: &Decision, deadline: Instant) -> Result<Ticket, String> {
        match restored(self.pseudonyms.as_deref(), call) {
            Some((call, _)) => self.inner.open(&call, decision, deadline),
            None => self.inner.open(call, decision, deadline),
        }
    }

    fn look(&self, call: &Call, decision: &Decision, ticket: &Ticket, deadline: Instant) -> Standing {
        match restored(self.pseudonyms.as_deref(), call) {
            Some((call, _)) => self.inner.look(&call, decision, ticket, deadline),
            None => self.inner.look(call, decision, ticket, deadline),
        }
    }

    fn answered(&self, ticket: &Ticket, word: Word) -> Result<(), String> {
        self.inner.answered(ticket, word)
    }
}

impl Decide for Around {
    fn is_quick(&self, call: &Call) -> bool {
        self.inner.is_quick(call)
    }

    fn decide(&self, call: &Call, deadline: Instant) -> Decision {
        let begun = Instant::now();
        let mut decision = self.decide_restored(call, deadline);
        decision.took = begun.elapsed();
        decision
    }

    fn warm(&self) {
        self.inner.warm();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::port::{LocalRedactor, RedactMode};
    use crate::redact::scoping::Spares;
    use crate::redact::style::{Replacer, Style, Styles};
    use crate::redact::treatment::Treatment;
    use crate::redact::{Options, Redactor};
    use bytes::Bytes;
    use callgate_actors::call::Hints;
    use callgate_actors::ports::{Carrier, Redact, Subject};
    use std::sync::Mutex;
    use std::time::{Duration, SystemTime};

    /// Allows everything, and keeps what it was asked.
    #[derive(Default)]
    struct Asked(Mutex<Vec<String>>, Option<Bytes>);

    impl Decide for Asked {
        fn is_quick(&self, _: &Call) -> bool {
            true
        }

        fn decide(&self, call: &Call, _: Instant) -> Decision {
            let arguments = call.arguments.as_deref().unwrap_or_default();
            self.0.lock().unwrap().push(String::from_utf8_lossy(arguments).into_owned());
            Decision::of(Verdict::Allow { arguments: self.1.clone(), redact: false })
        }
    }

    fn call(backend: &str, arguments: &'static str) -> Call {
        Call {
            number: 1,
            received_at: SystemTime::now(),
            backend: backend.into(),
            tool: "mail".into(),
            exposed: "mail".into(),
            arguments: Some(Bytes::from_static(arguments.as_bytes())),
            meta: None,
            hints: Hints::default(),
        }
    }

    fn subject(decision: Option<Decision>) -> Subject {
        Subject {
            backend: "crm".into(),
            tool: Some("get".into()),
            carrier: Carrier::ToolResult,
            obliged: false,
            decision: decision.map(Arc::new),
        }
    }

    /// A session in which the backend `crm` gave one customer.
    fn session() -> (Arc<Pseudonyms>, LocalRedactor, String) {
        let names = Arc::new(Pseudonyms::new(false));
        let styles: Styles = "pseudonym".parse().unwrap();
        assert!(styles.has(Style::Pseudonym));
        let replacer = Replacer::new(styles, None, Some(names.clone()));
        let redactor = LocalRedactor::new(Redactor::new(Options::default()), RedactMode::Always)
            .with_treatment(Treatment::new(replacer, Spares::default()));
        let answer = br#"{"passport":"X1234567","mail":"jane@acme.com"}"#;
        let seen = redactor.redact(&subject(None), answer).unwrap().json.unwrap();
        (names, redactor, String::from_utf8(seen).unwrap())
    }

    #[test]
    fn the_point_decides_on_values_and_they_are_forwarded() {
        let (names, _, seen) = session();
        assert_eq!(seen, r#"{"passport":"[PASSPORT_1]","mail":"[EMAIL_1]"}"#);
        let asked = Arc::new(Asked::default());
        let around = Around::new(asked.clone(), Some(names));
        let deadline = Instant::now() + Duration::from_secs(1);
        let decision = around.decide(&call("crm", r#"{"to":"[EMAIL_1]"}"#), deadline);
        let Verdict::Allow { arguments: Some(arguments), .. } = decision.verdict else { panic!("allowed") };
        assert_eq!(arguments, r#"{"to":"jane@acme.com"}"#.as_bytes());
        assert_eq!(decision.restored, ["EMAIL_1"]);
        let other = around.decide(&call("mail", r#"{"to":"[EMAIL_1]"}"#), deadline);
        assert!(matches!(other.verdict, Verdict::Allow { arguments: None, .. }));
        assert_eq!(
            *asked.0.lock().unwrap(),
            [r#"{"to":"jane@acme.com"}"#, r#"{"to":"[EMAIL_1]"}"#],
            "the other backend never gave the value"
        );
    }

    /// Keeps the arguments that it was asked about.
    #[derive(Default)]
    struct Tickets(Mutex<Vec<Bytes>>);

    impl Approve for Tickets {
        fn open(&self, call: &Call, _: &Decision, _: Instant) -> Result<Ticket, String> {
            self.0.lock().unwrap().extend(call.arguments.clone());
            Ok(Ticket::default())
        }

        fn look(&self, call: &Call, decision: &Decision, ticket: &Ticket, deadline: Instant) -> Standing {
            self.open(call, decision, deadline).unwrap();
            let _ = ticket;
            Standing::Used
        }

        fn answered(&self, _: &Ticket, _: Word) -> Result<(), String> {
            Ok(())
        }
    }

    #[test]
    fn a_grant_is_bound_to_the_value_and_not_to_its_name() {
        let (names, ..) = session();
        let tickets = Arc::new(Tickets::default());
        let around = AroundApprovals::new(tickets.clone(), Some(names));
        let held = Decision::of(Verdict::NeedsApproval);
        let call = call("crm", r#"{"to":"[EMAIL_1]"}"#);
        around.open(&call, &held, Instant::now()).unwrap();
        around.look(&call, &held, &Ticket::default(), Instant::now());
        let asked = tickets.0.lock().unwrap();
        assert_eq!(asked.len(), 2);
        assert!(asked.iter().all(|asked| asked == r#"{"to":"jane@acme.com"}"#.as_bytes()));
    }

    #[test]
    fn what_an_obligation_changed_stands() {
        let (names, ..) = session();
        let masked = Bytes::from_static(b"{}");
        let around = Around::new(Arc::new(Asked(Mutex::default(), Some(masked.clone()))), Some(names));
        let decision = around.decide(&call("crm", r#"{"to":"[EMAIL_1]"}"#), Instant::now());
        let Verdict::Allow { arguments, .. } = decision.verdict else { panic!("allowed") };
        assert_eq!(arguments, Some(masked));
    }

    #[test]
    fn a_value_that_comes_back_without_its_label_is_masked() {
        let (names, redactor, _) = session();
        let around = Around::new(Arc::new(Asked::default()), Some(names));
        let decision = around.decide(&call("crm", r#"{"q":"[PASSPORT_1]"}"#), Instant::now());
        let echo = br#"{"text":"nothing for X1234567, X12345678 or nX1234567","n":[1,"X1234567"]}"#;
        assert!(redactor.redact(&subject(None), echo).unwrap().json.is_none(), "no label, no finding");
        let redacted = redactor.redact(&subject(Some(decision)), echo).unwrap();
        assert_eq!(
            String::from_utf8(redacted.json.unwrap()).unwrap(),
            r#"{"text":"nothing for [PASSPORT_1], X12345678 or nX1234567","n":[1,"[PASSPORT_1]"]}"#
        );
        assert_eq!(redacted.findings.fields, ["text", "n[1]"]);
    }
}
