//! What happens to everything that flows toward the model: the local redactor, the AxonFlow response plane, or both;
//! the policies' second phase; the report in a result's `_meta`; and tool descriptors whose output schema must still fit
//! what a masked answer looks like.

use crate::pdp::axonflow::CheckOutput;
use crate::redact::port::LocalRedactor;
use crate::redact::{output_schema, report};
use crate::response_phase::ResponsePhase;
use callgate_actors::ports::{Carrier, Redact, Redaction, Subject, Withheld};
use callgate_actors::wire::skim;
use callgate_actors::wire::splice::splice;
use std::time::Instant;

/// Redacts for the machine.
pub struct ResponsePlane {
    local: LocalRedactor,
    remote: Option<CheckOutput>,
    engine: Engine,
    /// Whether any answer may be changed: then advertised output schemas are relaxed.
    masks: bool,
    phase: Option<ResponsePhase>,
    /// Whether results of tools carry a report.
    reports: bool,
    /// What would be withheld by a verdict passes, and is told.
    monitors: bool,
}

/// Who redacts the answers of calls. Everything else is always redacted locally: the remote plane knows calls only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// In this process.
    Local,
    /// The AxonFlow platform; the local redactor only checks that the answer is JSON.
    Remote,
    /// The platform first, then this process over what it returned.
    Both,
}

impl ResponsePlane {
    /// `remote` is needed by every engine but the local one; without it such answers are withheld.
    pub fn new(local: LocalRedactor, remote: Option<CheckOutput>, engine: Engine, masks: bool) -> Self {
        ResponsePlane { local, remote, engine, masks, phase: None, reports: false, monitors: false }
    }

    /// The same with policies that judge what was masked. With [`Engine::Remote`] the answers of calls are left to the
    /// platform, which has a response phase of its own.
    #[must_use]
    pub fn with_policies(self, phase: ResponsePhase) -> Self {
        Self { phase: Some(phase), ..self }
    }

    /// The same with a report in the `_meta` of each tool's result.
    #[must_use]
    pub fn with_reports(self) -> Self {
        Self { reports: true, ..self }
    }

    /// The same in monitor mode: nothing is withheld because a policy says so. What cannot be masked still is.
    #[must_use]
    pub fn monitoring(self) -> Self {
        Self { monitors: true, phase: self.phase.map(ResponsePhase::monitoring), ..self }
    }

    /// What is masked, by whoever redacts.
    fn masked(&self, subject: &Subject, json: &[u8]) -> Result<Redaction, Withheld> {
        if !self.goes_remote(subject) {
            return self.local.redact(subject, json);
        }
        match self.through_platform(subject, json) {
            // The platform keeps its masked text to itself then; what passes is masked here.
            Err(withheld) if self.monitors && withheld.blocked => {
                let mut redaction = self.local.redact(subject, json)?;
                redaction.findings.would_withhold = true;
                Ok(redaction)
            }
            redacted => redacted,
        }
    }

    /// What the policies say of it.
    fn judge(&self, subject: &Subject, json: &[u8], redaction: &mut Redaction) -> Result<(), Withheld> {
        let Some(phase) = self.phase.as_ref().filter(|_| self.masks) else { return Ok(()) };
        if self.engine == Engine::Remote && self.goes_remote(subject) {
            return Ok(());
        }
        phase.judge(subject, json, redaction, self.local.masks(subject))
    }

    fn goes_remote(&self, subject: &Subject) -> bool {
        let is_answer = match subject.carrier {
            Carrier::ToolResult => true,
            Carrier::Error => subject.tool.is_some(),
            _ => false,
        };
        is_answer && self.engine != Engine::Local && self.local.masks(subject)
    }

    fn through_platform(&self, subject: &Subject, json: &[u8]) -> Result<Redaction, Withheld> {
        let Some(remote) = &self.remote else {
            let reason = "no response plane is configured".to_owned();
            return Err(Withheld { reason, ..Withheld::default() });
        };
        crate::redact::check(json).map_err(|fault| Withheld {
            reason: format!("the answer cannot be redacted: {fault}"),
            ..Withheld::default()
        })?;
        let returned = remote.check(json)?;
        let mut redaction = Redaction::default();
        if let Some(returned) = returned {
            redaction.masked.insert("remote", count_masks(&returned));
            redaction.json = Some(returned);
        }
        if self.engine == Engine::Both {
            let local = self.local.redact(subject, redaction.json.as_deref().unwrap_or(json))?;
            redaction.json = local.json.or(redaction.json);
            redaction.masked.extend(local.masked);
        }
        Ok(redaction)
    }

    /// A tool's descriptor with an output schema that masked answers satisfy.
    fn relax(&self, subject: &Subject, json: &[u8], redaction: &mut Redaction) {
        if !self.masks || subject.tool.is_none() {
            return;
        }
        let text = redaction.json.as_deref().unwrap_or(json);
        if let Some(span) = skim::member(text, "outputSchema")
            && let Some(relaxed) = output_schema::relax(&text[span.clone()])
        {
            redaction.json = Some(splice(text, &[(span, &relaxed)]));
        }
    }
}

/// The platform does not say how much it masked: its tokens are counted, and a change without one counts once.
fn count_masks(json: &[u8]) -> u32 {
    let tokens = memchr::memmem::find_iter(json, b"[REDACTED").count();
    u32::try_from(tokens.max(1)).unwrap_or(u32::MAX)
}

impl Redact for ResponsePlane {
    fn is_quick(&self, subject: &Subject, len: usize) -> bool {
        !self.goes_remote(subject) && self.local.is_quick(subject, len)
    }

    fn redact(&self, subject: &Subject, json: &[u8]) -> Result<Redaction, Withheld> {
        let begun = Instant::now();
        let mut redaction = self.masked(subject, json)?;
        self.judge(subject, json, &mut redaction)?;
        match subject.carrier {
            Carrier::Catalogue => self.relax(subject, json, &mut redaction),
            Carrier::ToolResult if self.reports => {
                let decision = subject.decision.as_deref();
                let report = report::report(&redaction, decision, begun.elapsed(), self.monitors);
                let text = redaction.json.as_deref().unwrap_or(json);
                if let Some(told) = report::with_report(text, &report) {
                    redaction.json = Some(told);
                }
            }
            _ => {}
        }
        Ok(redaction)
    }
}
