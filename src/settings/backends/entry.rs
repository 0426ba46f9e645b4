//! Reads one backend entry, as callgate writes it or as a host does.

use super::super::families::nearest;
use super::super::reader::Wrong;
use super::super::{duration, tools, url};
use super::{BackendEntry, Findings, HttpEntry, Origin, StdioEntry, Transport, keys};
use crate::fault::quoted;
use crate::governance::ToolRules;
use crate::located::{Node, Value};
use std::path::PathBuf;
use std::time::Duration;

const MAX_ID_LENGTH: usize = 64;

/// How an entry is written.
#[derive(Clone, Copy)]
pub(super) enum Dialect<'n> {
    /// Callgate's own way, with an `id`.
    Own,
    /// A host's way, under a name.
    Host { name: &'n str },
}

/// An entry that could be read.
pub(super) struct Read {
    pub(super) id: String,
    /// `None` when it is disabled.
    pub(super) entry: Option<BackendEntry>,
}

/// Reads an entry; `None` when it is wrong, which was told then.
pub(super) fn read(
    path: &str,
    node: &Node,
    dialect: Dialect<'_>,
    origin: &Origin<'_>,
    findings: &mut Findings<'_>,
) -> Option<Read> {
    let Value::Object(members) = &node.value else {
        let hint = "write an object with \"command\" or \"url\"";
        findings.fault(path, node, format!("is {} and not a backend", node.kind()), hint);
        return None;
    };
    let before = findings.faults.len();
    let mut entry = Entry { path, node, members, dialect, origin, findings };
    entry.check_keys();
    let id = entry.id();
    let enabled = entry.enabled();
    let parts = if enabled {
        entry.transport().zip(Some((entry.timeout(), entry.spare(), entry.tools())))
    } else {
        None
    };
    let faultless = entry.findings.faults.len() == before;
    let id = id.filter(|_| faultless)?;
    let source = findings.place_of(path, node);
    let entry = parts.map(|(transport, (timeout, spare, tools))| BackendEntry {
        id: id.clone(),
        transport,
        timeout,
        spare,
        tools,
        source,
    });
    Some(Read { id, entry })
}

/// An entry that is being read.
pub(super) struct Entry<'e, 'n, 't> {
    path: &'e str,
    node: &'n Node,
    members: &'n [(String, Node)],
    dialect: Dialect<'n>,
    pub(super) origin: &'e Origin<'e>,
    findings: &'e mut Findings<'t>,
}

impl<'n> Entry<'_, 'n, '_> {
    pub(super) fn member(&self, key: &str) -> Option<&'n Node> {
        self.members.iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    fn is_host(&self) -> bool {
        matches!(self.dialect, Dialect::Host { .. })
    }

    /// The path of a place in this entry, such as `env.TOKEN`.
    fn path_of(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    pub(super) fn fault(&mut self, key: &str, node: &Node, what: impl Into<String>, hint: &str) {
        let path = self.path_of(key);
        self.findings.fault(&path, node, what.into(), hint);
    }

    pub(super) fn wrong(&mut self, key: &str, node: &Node, wrong: Wrong) {
        self.fault(key, node, wrong.what, &wrong.hint);
    }

    // ------------------------------------------------------------------------------------------------ keys

    fn check_keys(&mut self) {
        for (key, node) in self.members {
            let is_own = keys::ENTRY.contains(&key.as_str());
            let known = match self.dialect {
                Dialect::Own => is_own,
                Dialect::Host { .. } => {
                    (is_own && key != "id") || keys::HOST_HONOURED.contains(&key.as_str())
                }
            };
            if known {
                continue;
            }
            let skipped = keys::HOST_SKIPPED.iter().find(|(name, _)| name == key);
            if let (Dialect::Host { .. }, Some((_, meaning))) = (self.dialect, skipped) {
                let path = self.path_of(key);
                self.findings.note(&path, node, &format!("skipped; {meaning}"));
                continue;
            }
            let hint = self.hint_for(key);
            self.findings.fault(self.path, node, format!("unknown key {}", quoted(key)), &hint);
        }
    }

    fn hint_for(&self, key: &str) -> String {
        let of_host =
            keys::HOST_HONOURED.contains(&key) || keys::HOST_SKIPPED.iter().any(|(name, _)| *name == key);
        if key == "id" {
            return "remove it; here the backend's name is its id".to_owned();
        }
        if of_host && !self.is_host() {
            return match key {
                "disabled" => "write \"enabled\": false".to_owned(),
                "httpUrl" | "serverUrl" => "write \"url\"".to_owned(),
                _ => "remove it; it is a host's key and only known under \"mcpServers\"".to_owned(),
            };
        }
        let candidates = keys::ENTRY.iter().filter(|name| !(self.is_host() && **name == "id")).copied();
        nearest(key, candidates).map_or_else(
            || "remove it, or begin its name with // to make it a comment".to_owned(),
            |near| format!("did you mean \"{near}\""),
        )
    }

    // ------------------------------------------------------------------------------------------------ identity

    fn id(&mut self) -> Option<String> {
        if let Dialect::Host { name } = self.dialect {
            return self.id_of_name(name);
        }
        let Some(node) = self.member("id") else {
            self.findings.fault(self.path, self.node, "has no \"id\"".into(), "give it one such as \"crm\"");
            return None;
        };
        let hint = "write 1 to 64 letters, digits, underscores and hyphens";
        match &node.value {
            Value::String(id) if is_id(id) => Some(id.clone()),
            Value::String(id) => {
                self.fault("id", node, format!("{} is not an id", quoted(id)), hint);
                None
            }
            _ => {
                self.fault("id", node, format!("is {} and not a text", node.kind()), hint);
                None
            }
        }
    }

    /// A host's names are free text; the id made of one is the same at every start.
    fn id_of_name(&mut self, name: &str) -> Option<String> {
        let id: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
        let id = id.trim_matches('-');
        let id = id[..id.len().min(MAX_ID_LENGTH)].trim_end_matches('-');
        if id.is_empty() {
            let hint = "use letters, digits, underscores and hyphens";
            self.findings.fault(self.path, self.node, "no id can be made of this name".into(), hint);
            return None;
        }
        if id != name {
            self.findings.note(self.path, self.node, &format!("its id is \"{id}\""));
        }
        Some(id.to_owned())
    }

    fn enabled(&mut self) -> bool {
        let enabled = self.flag("enabled").unwrap_or(true);
        let disabled = self.is_host() && self.flag("disabled").unwrap_or(false);
        let counts = enabled && !disabled;
        if !counts {
            self.findings.note(self.path, self.node, "disabled, so not started");
        }
        counts
    }

    fn flag(&mut self, key: &str) -> Option<bool> {
        let node = self.member(key)?;
        if let Value::Bool(flag) = node.value {
            return Some(flag);
        }
        self.fault(key, node, format!("is {}", node.kind()), "write true or false");
        None
    }

    fn timeout(&mut self) -> Option<Duration> {
        let node = self.member("timeout")?;
        let hint = "write a text with a unit such as \"30s\"";
        match &node.value {
            Value::String(text) => match duration::parse(text) {
                Ok(duration) => return Some(duration),
                Err(wrong) => self.wrong("timeout", node, wrong),
            },
            Value::Number(_) if self.is_host() => {
                let path = self.path_of("timeout");
                self.findings.note(&path, node, &format!("skipped, for hosts differ in its unit; {hint}"));
            }
            _ => self.fault("timeout", node, format!("is {}", node.kind()), hint),
        }
        None
    }

    /// Which tools may run. A host's list under the same key is none of ours.
    fn tools(&mut self) -> ToolRules {
        let Some(node) = self.member("tools") else { return ToolRules::default() };
        if self.is_host() && matches!(node.value, Value::Array(_)) {
            let path = self.path_of("tools");
            self.findings.note(&path, node, &format!("skipped; {}", keys::ALL_TOOLS));
            return ToolRules::default();
        }
        tools::rules("tools", node, &mut |key, node, wrong| self.wrong(key, node, wrong))
    }

    // ------------------------------------------------------------------------------------------------ transport

    fn transport(&mut self) -> Option<Transport> {
        let command = self.member("command");
        let urls: Vec<&str> = ["url", "httpUrl", "serverUrl"]
            .into_iter()
            .filter(|key| self.member(key).is_some() && (*key == "url" || self.is_host()))
            .collect();
        if let [_, second, ..] = urls[..] {
            let node = self.member(second)?;
            self.fault(second, node, "is a second address", "keep one of them");
            return None;
        }
        let way = self.way()?;
        match (command, urls.first()) {
            (Some(_), None) if way != Way::Http => self.stdio().map(Transport::Stdio),
            (None, Some(key)) if way != Way::Stdio => self.http(key).map(Transport::Http),
            (Some(_), Some(_)) => {
                let hint = "keep \"command\" for a program, or the address for a server that runs";
                self.findings.fault(self.path, self.node, "has both a command and an address".into(), hint);
                None
            }
            (None, None) => {
                let near =
                    self.members.iter().find_map(|(key, _)| nearest(key, ["command", "url"].into_iter()));
                // A misspelt key was told already.
                if near.is_none() {
                    let hint = "give it \"command\" for a program, or \"url\" for a server that runs";
                    self.findings.fault(
                        self.path,
                        self.node,
                        "has neither \"command\" nor \"url\"".into(),
                        hint,
                    );
                }
                None
            }
            (Some(_), None) => self.contradiction("command"),
            (None, Some(_)) => self.contradiction("url"),
        }
    }

    fn contradiction(&mut self, has: &str) -> Option<Transport> {
        let hint = "remove \"type\" and \"transport\"; what is there says enough";
        self.findings.fault(self.path, self.node, format!("its \"{has}\" contradicts its type"), hint);
        None
    }

    /// What a host's `type` or `transport` says; `None` when that cannot be used.
    fn way(&mut self) -> Option<Way> {
        let mut way = Way::Unsaid;
        if !self.is_host() {
            return Some(way);
        }
        for key in ["type", "transport"] {
            let Some(node) = self.member(key) else { continue };
            let said = match &node.value {
                Value::String(text) => text.to_ascii_lowercase().replace('_', "-"),
                _ => String::new(),
            };
            way = match said.as_str() {
                "stdio" | "local" => Way::Stdio,
                "http" | "streamable-http" | "streamablehttp" | "remote" => Way::Http,
                "sse" => {
                    let hint = "use the server's Streamable HTTP address with type \"http\", \
                                or run it through a bridge such as npx mcp-remote";
                    self.fault(key, node, "the old HTTP+SSE transport is not spoken", hint);
                    return None;
                }
                _ => {
                    self.fault(key, node, "is not a known transport", "write \"stdio\" or \"http\"");
                    return None;
                }
            };
        }
        Some(way)
    }

    fn stdio(&mut self) -> Option<StdioEntry> {
        self.refuse("headers", "a program takes no headers", "remove it, or pass the value in \"env\"");
        let command = self.text("command");
        let args = self.texts("args");
        let env = self.env();
        let cwd = self.cwd();
        let command = command?;
        let node = self.member("command")?;
        if command.trim().is_empty() {
            self.fault("command", node, "is empty", "name the program to start");
            return None;
        }
        if is_callgate(&command) && (args.is_empty() || args == ["serve"]) {
            let hint = "list the servers behind callgate here, not callgate itself";
            self.fault("command", node, "would start callgate inside callgate", hint);
            return None;
        }
        Some(StdioEntry { command: self.path_text("command", node, &command)?, args, env, cwd: cwd? })
    }

    fn http(&mut self, key: &str) -> Option<HttpEntry> {
        for other in ["args", "env", "cwd"] {
            self.refuse(
                other,
                "only a program takes it",
                "remove it, or write \"command\" in place of the address",
            );
        }
        if key != "url" {
            let (path, node) = (self.path_of(key), self.member(key)?);
            self.findings.note(&path, node, "taken as \"url\"");
        }
        let headers = self.headers();
        let url = self.text(key)?;
        let node = self.member(key)?;
        match url::check(&url) {
            Err(wrong) => {
                self.wrong(key, node, wrong);
                return None;
            }
            Ok(reach) if reach.is_open() && !headers.is_empty() => {
                let path = self.path_of(key);
                self.findings.note(&path, node, "is not encrypted, and headers go over it; use https");
            }
            Ok(_) => {}
        }
        Some(HttpEntry { url, headers })
    }

    fn refuse(&mut self, key: &str, what: &str, hint: &str) {
        let Some(node) = self.member(key) else { return };
        // Hosts write empty ones into every entry.
        let empty = match &node.value {
            Value::Array(items) => items.is_empty(),
            Value::Object(members) => members.is_empty(),
            Value::Null => true,
            _ => false,
        };
        if !(empty && self.is_host()) {
            self.fault(key, node, what, hint);
        }
    }

    /// The working directory: `Some(None)` when none is set, `None` when it is wrong.
    fn cwd(&mut self) -> Option<Option<PathBuf>> {
        let Some(node) = self.member("cwd") else { return Some(None) };
        let text = self.text("cwd")?;
        let path = PathBuf::from(self.path_text("cwd", node, &text)?);
        let path = match self.origin.base {
            Some(base) if path.is_relative() => base.join(path),
            _ => path,
        };
        if text.is_empty() || path.is_relative() {
            self.fault("cwd", node, format!("{} is not absolute", quoted(&text)), "write an absolute path");
            return None;
        }
        Some(Some(path))
    }

    /// A text in which `~/` stands for the home directory.
    fn path_text(&mut self, key: &str, node: &Node, text: &str) -> Option<String> {
        match self.origin.places.path(text) {
            Ok(path) => Some(path.to_string_lossy().into_owned()),
            Err(wrong) => {
                self.wrong(key, node, wrong);
                None
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Unsaid,
    Stdio,
    Http,
}

fn is_id(text: &str) -> bool {
    let character = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=MAX_ID_LENGTH).contains(&text.len()) && text.bytes().all(character)
}

/// Whether a command names this very program.
fn is_callgate(command: &str) -> bool {
    let name = command.rsplit(['/', '\\']).next().unwrap_or(command).to_ascii_lowercase();
    name.strip_suffix(".exe").unwrap_or(&name) == "callgate"
}
