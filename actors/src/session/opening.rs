//! `initialize`: answered at once, whatever the backends do, from what they said last time.

use super::Session;
use crate::backend::catalogue::Catalogue;
use crate::backend::{VERSIONS, known_version};
use crate::front::Client;
use crate::limits::INSTRUCTION_BYTES;
use crate::ports::{Carrier, Subject};
use crate::reply::{Answer, ReplySlot};
use crate::supervisor::Begin;
use crate::wire::codes::{ErrorObject, INVALID_PARAMS, clean};
use crate::wire::{skim, write};
use bytes::Bytes;
use std::sync::Arc;

/// How we introduce ourselves.
#[derive(Clone, Debug)]
pub struct Identity {
    /// `serverInfo.name`
    pub name: String,
    /// `serverInfo.title`
    pub title: String,
    /// `serverInfo.version`
    pub version: String,
    /// What the model is told before the backends' own instructions.
    pub preamble: String,
}

impl Session {
    /// Negotiates the version, answers, and has the backends started.
    pub(super) fn initialize(&self, params: Option<Bytes>, slot: ReplySlot) {
        let client = match read_client(params) {
            Ok(client) => client,
            Err(why) => return slot.end(Answer::Error(ErrorObject::new(INVALID_PARAMS, why).into_bytes())),
        };
        let remembered: Vec<Option<Arc<Catalogue>>> =
            self.ids.iter().map(|id| self.remembered(id, &client)).collect();
        let result = self.introduction(&client, &remembered);
        if self.machine.front.client().is_none() {
            self.machine.front.opened_by(client);
        }
        slot.end(Answer::Result(result));
        if self.supervisor.begin(Begin { remembered }).is_err() {
            tracing::error!("the supervisor is gone; no backend can be started");
        }
    }

    fn remembered(&self, id: &str, client: &Client) -> Option<Arc<Catalogue>> {
        let stored = self.launch.remembered(id, &client.capabilities)?;
        Catalogue::from_json(&stored).map(Arc::new)
    }

    fn introduction(&self, client: &Client, remembered: &[Option<Arc<Catalogue>>]) -> Bytes {
        let mut out =
            format!("{{\"protocolVersion\":\"{}\",\"capabilities\":", client.protocol_version).into_bytes();
        out.extend_from_slice(&capabilities(remembered));
        out.extend_from_slice(b",\"serverInfo\":{\"name\":");
        write::string(&mut out, &self.identity.name);
        if client.protocol_version >= "2025-06-18" {
            out.extend_from_slice(b",\"title\":");
            write::string(&mut out, &self.identity.title);
        }
        out.extend_from_slice(b",\"version\":");
        write::string(&mut out, &self.identity.version);
        out.extend_from_slice(b"},\"instructions\":");
        write::string(&mut out, &self.instructions(remembered));
        out.push(b'}');
        out.into()
    }

    /// Our preamble, then each backend's instructions under its id: text for the model that others wrote, so it is
    /// bounded and redacted.
    fn instructions(&self, remembered: &[Option<Arc<Catalogue>>]) -> String {
        let mut text = self.identity.preamble.clone();
        for (id, catalogue) in self.ids.iter().zip(remembered) {
            let own = catalogue.as_ref().and_then(|catalogue| catalogue.instructions.as_deref());
            if let Some(own) = own.and_then(|own| self.redacted(id, own)) {
                text.push_str(&format!("\n\n[{id}]\n{own}"));
            }
        }
        text
    }

    fn redacted(&self, id: &Arc<str>, text: &str) -> Option<String> {
        let mut raw = Vec::new();
        write::string(&mut raw, &bounded(text));
        let subject = Subject {
            backend: id.clone(),
            tool: None,
            carrier: Carrier::Catalogue,
            obliged: false,
            decision: None,
        };
        let redacted = self.machine.redactor.redact_here(&subject, raw.into()).ok()?;
        skim::string(&redacted.json)
    }
}

/// Lines stay, other control characters go.
fn bounded(text: &str) -> String {
    text.lines()
        .map(|line| clean(line, INSTRUCTION_BYTES))
        .collect::<Vec<_>>()
        .join("\n")
        .chars()
        .take(INSTRUCTION_BYTES)
        .collect()
}

/// What the backends can do together. While one of them was never seen, everything that can be routed is offered:
/// capabilities are told once and a late backend must not lose its own.
fn capabilities(remembered: &[Option<Arc<Catalogue>>]) -> Vec<u8> {
    let can = |path: &[&str]| {
        remembered.iter().any(|catalogue| catalogue.as_ref().is_none_or(|known| known.can(path)))
    };
    let mut parts = vec![r#""tools":{"listChanged":true}"#.to_owned()];
    if can(&["prompts"]) {
        parts.push(r#""prompts":{"listChanged":true}"#.into());
    }
    if can(&["resources"]) {
        let subscribe = can(&["resources", "subscribe"]);
        parts.push(format!(r#""resources":{{"subscribe":{subscribe},"listChanged":true}}"#));
    }
    for plain in ["completions", "logging"] {
        if can(&[plain]) {
            parts.push(format!(r#""{plain}":{{}}"#));
        }
    }
    format!("{{{}}}", parts.join(",")).into_bytes()
}

pub(super) fn read_client(params: Option<Bytes>) -> Result<Client, &'static str> {
    let params = params.ok_or("\"params\" is missing")?;
    let member = |key: &str| skim::member(&params, key).map(|range| params.slice(range));
    let object = |key: &str, default: &'static str| match member(key) {
        Some(raw) if raw.first() == Some(&b'{') => Ok(raw),
        Some(_) => Err("\"capabilities\" and \"clientInfo\" must be objects"),
        None => Ok(Bytes::from_static(default.as_bytes())),
    };
    let asked = member("protocolVersion").ok_or("\"protocolVersion\" is missing")?;
    if asked.first() != Some(&b'"') {
        return Err("\"protocolVersion\" must be a string");
    }
    Ok(Client {
        protocol_version: known_version(&asked).unwrap_or(VERSIONS[VERSIONS.len() - 1]),
        capabilities: object("capabilities", "{}")?,
        info: object("clientInfo", r#"{"name":"unknown","version":"0"}"#)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w07_unknown_versions_are_answered_with_the_newest_known_one() {
        let read = |text: &'static str| read_client(Some(Bytes::from_static(text.as_bytes())));
        let version = |text| read(text).map(|client| client.protocol_version);
        assert_eq!(version(r#"{"protocolVersion":"2024-11-05"}"#), Ok("2024-11-05"));
        assert_eq!(version(r#"{"protocolVersion":"2099-01-01"}"#), Ok("2025-11-25"));
        assert!(version(r#"{"protocolVersion":5}"#).is_err());
        assert!(version(r#"{"protocolVersion":"2025-06-18","capabilities":[]}"#).is_err());
    }

    #[test]
    fn capabilities_are_the_union_of_what_is_known_and_everything_while_one_is_unknown() {
        let known = |text: &'static str| {
            Some(Arc::new(Catalogue {
                capabilities: Bytes::from_static(text.as_bytes()),
                ..Catalogue::default()
            }))
        };
        let text = |remembered: &[Option<Arc<Catalogue>>]| {
            String::from_utf8(capabilities(remembered)).expect("text")
        };
        let plain = known(r#"{"tools":{}}"#);
        assert_eq!(text(std::slice::from_ref(&plain)), r#"{"tools":{"listChanged":true}}"#);
        let logs = known(r#"{"logging":{},"resources":{"subscribe":true}}"#);
        assert!(text(&[plain.clone(), logs]).contains(r#""subscribe":true"#));
        assert!(text(&[plain, None]).contains(r#""prompts""#));
    }
}
