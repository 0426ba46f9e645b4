//! What happens to everything that flows toward the model: the local redactor, the AxonFlow response plane, or both;
//! and tool descriptors whose output schema must still fit what a masked answer looks like.

use crate::pdp::axonflow::CheckOutput;
use crate::redact::output_schema;
use crate::redact::port::LocalRedactor;
use callgate_actors::ports::{Carrier, Redact, Redaction, Subject, Withheld};
use callgate_actors::wire::skim;
use callgate_actors::wire::splice::splice;

/// Redacts for the machine.
pub struct ResponsePlane {
    local: LocalRedactor,
    remote: Option<CheckOutput>,
    engine: Engine,
    /// Whether any answer may be changed: then advertised output schemas are relaxed.
    masks: bool,
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
        ResponsePlane { local, remote, engine, masks }
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

    fn descriptor(&self, subject: &Subject, json: &[u8]) -> Result<Redaction, Withheld> {
        let mut redaction = self.local.redact(subject, json)?;
        if !self.masks || subject.tool.is_none() {
            return Ok(redaction);
        }
        let text = redaction.json.as_deref().unwrap_or(json);
        if let Some(span) = skim::member(text, "outputSchema")
            && let Some(relaxed) = output_schema::relax(&text[span.clone()])
        {
            redaction.json = Some(splice(text, &[(span, &relaxed)]));
        }
        Ok(redaction)
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
        if self.goes_remote(subject) {
            return self.through_platform(subject, json);
        }
        if subject.carrier == Carrier::Catalogue {
            return self.descriptor(subject, json);
        }
        self.local.redact(subject, json)
    }
}
