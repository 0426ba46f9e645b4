//! The text of an audit row: the AxonFlow contract, section 7.1, field by field in its order.

use super::JournalOptions;
use super::hmac::HmacKey;
use super::keys::hex;
use super::records::record_count;
use crate::canonical::{go_json, hex_sha256, push_go_string};
use crate::log::is_dangerous;
use callgate_actors::ports::{AuditVerdict, Decision, Ending, Outcome};
use jiff::Timestamp;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;

/// Appends one row without its line feed.
///
/// Behind the contract's fields stand our own: `outcome`, which says what became of the call where `verdict` only
/// says what was decided; `would`, what monitor mode let pass; `tier`, which tier of the policies decided; `approval_id`
/// where a person was asked; `redactions`, how many values of each type were masked, and `redacted_fields`, at which JSON
/// paths; `scoped`, how many of each type a setting spared; `response_policies`, who spoke about the answer;
/// `parameters_hmac`, which nobody without our key can guess arguments with; and `call_id`, which no two calls share.
pub(super) fn push(out: &mut Vec<u8>, author: &Author<'_>, ending: &Ending) {
    let Author { options, run, digests } = author;
    let call = &ending.call;
    let malformed = call.tool.is_empty();
    let decision = ending.decision.as_deref();
    let masked: u64 = ending.masked.values().copied().map(u64::from).sum();
    let mut row = Row { out, next: b'{' };

    row.text("timestamp", &timestamp(ending));
    row.text("session_id", &options.session_id);
    row.text("leader_email", &options.leader_email);
    row.text("tool_name", &call.tool);
    if !malformed && !call.backend.is_empty() {
        row.text("server", &call.backend);
    }
    row.text("parameters_hash", if malformed { "" } else { &digests.hash });
    row.number("response_record_count", if malformed { 0 } else { record_count(&ending.result) });
    row.number("duration_ms", if malformed { 0 } else { ending.duration.as_millis() });
    row.text("decision_id", decision.map_or("", |decision| &decision.decision_id));
    row.text("verdict", if malformed { "error" } else { verdict(ending.verdict) });
    row.list("evaluated_policies", policies(decision));
    row.text("trace_id", decision.map_or("", |decision| &decision.trace_id));
    row.text("ai_agent", &options.ai_agent);
    row.text("gateway_id", &options.gateway_id);
    row.number("redaction_count", masked);

    row.text("outcome", outcome(ending.outcome));
    if let Some(would) = ending.findings.would(decision) {
        row.text("would", would.word());
    }
    if let Some(decision) = decision.filter(|decision| !decision.tier.is_empty()) {
        row.text("tier", decision.tier);
    }
    if let Some(decision) = decision.filter(|decision| !decision.approval_id.is_empty()) {
        row.text("approval_id", &decision.approval_id);
    }
    row.counts("redactions", &ending.masked);
    let findings = &ending.findings;
    if !findings.fields.is_empty() {
        row.list("redacted_fields", &findings.fields);
    }
    if findings.fields_left_out > 0 {
        row.number("redacted_fields_left_out", findings.fields_left_out);
    }
    row.counts("scoped", &findings.scoped);
    if !findings.matched.is_empty() {
        let spoke = findings.matched.iter().map(|spoke| format!("{}:{}", spoke.action, spoke.policy_id));
        row.list("response_policies", &spoke.collect::<Vec<_>>());
    }
    if !malformed && !digests.hmac.is_empty() {
        row.text("parameters_hmac", &digests.hmac);
    }
    row.text("call_id", &format!("{run}-{}", call.number));
    row.out.push(b'}');
}

/// Who writes a row.
pub(super) struct Author<'a> {
    pub(super) options: &'a JournalOptions,
    /// Names this process among all that ever used the audit file.
    pub(super) run: &'a str,
    /// The digests of this call's arguments.
    pub(super) digests: &'a Digests,
}

/// The digests of a call's arguments, made once for its intent and its row.
#[derive(Clone, Debug, Default)]
pub(super) struct Digests {
    /// `parameters_hash`
    hash: String,
    /// `parameters_hmac`: HMAC-SHA-256 over the same canonical text; empty without a key.
    hmac: String,
}

impl Digests {
    /// Arguments without a canonical text are refused before a call is made; should some get here they have no
    /// digest.
    pub(super) fn of(arguments: Option<&[u8]>, key: Option<&HmacKey>) -> Self {
        let Ok(text) = go_json(arguments) else { return Self::default() };
        Self { hash: hex_sha256(&text), hmac: key.map_or_else(String::new, |key| hex(&key.sign(&text))) }
    }
}

/// A row as a line of the log.
pub(super) fn for_a_person(row: &[u8]) -> Vec<u8> {
    [b"AUDIT ", &*harmless(row)].concat()
}

/// A row that drives no terminal. The row escapes the controls below 0x20 only; what else could do harm is escaped too,
/// so that the text differs and the JSON value does not.
pub fn harmless(row: &[u8]) -> Cow<'_, [u8]> {
    if row.iter().all(|byte| (b' '..=b'~').contains(byte)) {
        return Cow::Borrowed(row);
    }
    let mut line = Vec::with_capacity(row.len() + 16);
    for character in String::from_utf8_lossy(row).chars() {
        if is_dangerous(character) {
            // Writing to a vector cannot fail; no such character is outside the basic plane.
            let _ = write!(line, "\\u{:04x}", u32::from(character));
        } else {
            line.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    Cow::Owned(line)
}

/// RFC 3339 in UTC with as many digits of the second as there are.
fn timestamp(ending: &Ending) -> String {
    Timestamp::try_from(ending.ended_at).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

fn policies(decision: Option<&Decision>) -> &[String] {
    decision.map_or(&[], |decision| &decision.evaluated_policies)
}

fn verdict(verdict: AuditVerdict) -> &'static str {
    match verdict {
        AuditVerdict::Allow => "allow",
        AuditVerdict::Deny => "deny",
        AuditVerdict::NeedsApproval => "needs_approval",
        AuditVerdict::AllowFailopen => "allow_failopen",
        AuditVerdict::Error => "error",
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "ok",
        Outcome::ToolError => "tool_error",
        Outcome::Failed => "failed",
        Outcome::TimedOut => "timed_out",
        Outcome::Cancelled => "cancelled",
        Outcome::Withheld => "withheld",
        Outcome::NotForwarded => "not_forwarded",
        Outcome::Unknown => "unknown",
    }
}

/// Writes the members of one JSON object in the order given.
struct Row<'a> {
    out: &'a mut Vec<u8>,
    /// What stands before the next member.
    next: u8,
}

impl Row<'_> {
    fn name(&mut self, name: &str) {
        self.out.push(self.next);
        self.next = b',';
        push_go_string(self.out, name);
        self.out.push(b':');
    }

    fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        push_go_string(self.out, text);
    }

    fn number(&mut self, name: &str, number: impl std::fmt::Display) {
        self.name(name);
        // Writing to a vector cannot fail.
        let _ = write!(self.out, "{number}");
    }

    /// Counts by type; left out when there are none.
    fn counts(&mut self, name: &str, counts: &BTreeMap<&'static str, u32>) {
        if counts.is_empty() {
            return;
        }
        self.name(name);
        let mut types = Row { out: self.out, next: b'{' };
        for (kind, count) in counts {
            types.number(kind, *count);
        }
        types.out.push(b'}');
    }

    fn list(&mut self, name: &str, texts: &[String]) {
        self.name(name);
        self.out.push(b'[');
        for (index, text) in texts.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            push_go_string(self.out, text);
        }
        self.out.push(b']');
    }
}
