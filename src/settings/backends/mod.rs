//! The backends file: a list, `{"backends": […]}`, or a host's `{"mcpServers": {…}}`.
//!
//! The AxonFlow contract, section 6.1, names the first two; the third is what people already have.

mod entry;
mod expand;
mod fields;
mod keys;
#[cfg(test)]
mod schema_tests;
mod spare;
#[cfg(test)]
mod tests;

use super::families::nearest;
use super::machine::Places;
use crate::fault::{Fault, quoted};
use crate::governance::ToolRules;
use crate::located::{self, Node, Value};
use crate::redact::scoping::Spare;
use crate::secret::Secret;
use entry::{Dialect, Read};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Most backends in one file: each is a process or a connection, and no host shows that many tools.
pub const MAX_BACKENDS: usize = 256;

const EXAMPLE: &str = r#"write {"backends":[{"id":"crm","command":"node","args":["crm.js"]}]}"#;

/// One backend that is to be started or connected.
#[derive(Clone, Debug)]
pub struct BackendEntry {
    /// 1 to 64 of `A-Z a-z 0-9 _ -`, unique whatever the case.
    pub id: String,
    /// How it is reached.
    pub transport: Transport,
    /// Longest wait for one of its answers; `None` leaves `AXONFLOW_BACKEND_TIMEOUT`.
    pub timeout: Option<Duration>,
    /// What is not masked in the answers of its tools.
    pub spare: Vec<Spare>,
    /// Which of its tools may run, beside what holds for all backends.
    pub tools: ToolRules,
    /// Where it was written: file or variable, line and key.
    pub source: String,
}

/// How a backend is reached.
#[derive(Clone, Debug)]
pub enum Transport {
    /// A child process.
    Stdio(StdioEntry),
    /// A Streamable HTTP endpoint.
    Http(HttpEntry),
}

/// A child process, as declared. `Debug` prints neither arguments nor values, which may hold secrets.
#[derive(Clone)]
pub struct StdioEntry {
    /// Program: a name to look up in `PATH`, or a path.
    pub command: String,
    /// Arguments, without the program.
    pub args: Vec<String>,
    /// Variables added to the child's environment.
    pub env: BTreeMap<String, Secret>,
    /// Working directory, absolute; `None` leaves callgate's own.
    pub cwd: Option<PathBuf>,
}

/// A Streamable HTTP endpoint, as declared. `Debug` prints neither query nor header values, which may hold secrets.
#[derive(Clone)]
pub struct HttpEntry {
    /// The endpoint, `http` or `https`.
    pub url: String,
    /// Headers for every request.
    pub headers: Vec<(String, Secret)>,
}

impl BackendEntry {
    /// Program or address, to show to a person: nothing in it can be a secret.
    pub fn target(&self) -> &str {
        match &self.transport {
            Transport::Stdio(stdio) => &stdio.command,
            Transport::Http(http) => super::url::without_secrets(&http.url),
        }
    }
}

impl fmt::Debug for StdioEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StdioEntry")
            .field("command", &self.command)
            .field("args", &self.args.len())
            .field("env", &self.env)
            .field("cwd", &self.cwd)
            .finish()
    }
}

impl fmt::Debug for HttpEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = super::url::without_secrets(&self.url);
        f.debug_struct("HttpEntry").field("url", &url).field("headers", &self.headers).finish()
    }
}

/// Where a text comes from and what it may refer to.
pub(super) struct Origin<'a> {
    /// File or variable, for messages.
    pub(super) place: &'a str,
    /// Directory that a relative `cwd` is taken from.
    pub(super) base: Option<&'a Path>,
    /// Callgate's own environment, for `${VAR}`.
    pub(super) env: &'a BTreeMap<String, OsString>,
    /// The person's home.
    pub(super) places: &'a Places,
}

/// Parses the text of a backends file; the entries count only when there is no fault.
pub(super) fn parse(text: &str, origin: &Origin<'_>) -> (Vec<BackendEntry>, Vec<Fault>, Vec<String>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut findings = Findings { text, place: origin.place, faults: Vec::new(), notes: Vec::new() };
    let (node, duplicates) = match located::parse(text) {
        Ok(parsed) => parsed,
        Err(problem) => {
            let hint = if text.trim_start().starts_with(['{', '[']) {
                "repair it there"
            } else {
                "write JSON here; a file goes into AXONFLOW_BACKENDS_FILE"
            };
            findings.fault_in_line(problem.line, problem.what, hint);
            return (Vec::new(), findings.faults, findings.notes);
        }
    };
    for problem in duplicates {
        findings.fault_in_line(problem.line, problem.what, "remove one of the two");
    }
    let found = top(&node, &mut findings);
    let entries = read_all(found, origin, &mut findings);
    (entries, findings.faults, findings.notes)
}

/// One entry before it is read: its key path, the value, and how it is written.
struct Found<'n> {
    path: String,
    node: &'n Node,
    dialect: Dialect<'n>,
}

/// The entries of the whole file; `None` when its shape is wrong, which was told then.
fn top<'n>(node: &'n Node, findings: &mut Findings<'_>) -> Option<Vec<Found<'n>>> {
    let members = match &node.value {
        Value::Array(items) => return Some(list("", items)),
        Value::Object(members) => members,
        _ => {
            findings.fault("", node, format!("is {} and not a list of backends", node.kind()), EXAMPLE);
            return None;
        }
    };
    let member = |name: &str| members.iter().find(|(key, _)| key == name).map(|(_, node)| node);
    let (backends, servers) = (member("backends"), member("mcpServers"));
    if backends.is_none()
        && servers.is_none()
        && ["command", "url", "id"].iter().any(|key| member(key).is_some())
    {
        findings.fault(
            "",
            node,
            "is a single backend and not a list".into(),
            r#"put it into {"backends":[…]}"#,
        );
        return None;
    }
    for (key, node) in members {
        check_top_key(key, node, servers.is_some(), findings);
    }
    match (backends, servers) {
        (Some(_), Some(servers)) => {
            findings.fault("mcpServers", servers, "stands beside \"backends\"".into(), "keep one of the two");
            None
        }
        (None, None) => {
            findings.fault("", node, "has neither \"backends\" nor \"mcpServers\"".into(), EXAMPLE);
            None
        }
        (Some(Node { value: Value::Array(items), .. }), None) => Some(list("backends", items)),
        (Some(backends), None) => {
            findings.fault("backends", backends, format!("is {} and not a list", backends.kind()), EXAMPLE);
            None
        }
        (None, Some(Node { value: Value::Object(members), .. })) => Some(host_map(members)),
        (None, Some(servers)) => {
            let hint = r#"write {"mcpServers":{"crm":{"command":"node","args":["crm.js"]}}}"#;
            findings.fault("mcpServers", servers, format!("is {} and not an object", servers.kind()), hint);
            None
        }
    }
}

fn check_top_key(key: &str, node: &Node, of_host: bool, findings: &mut Findings<'_>) {
    if keys::TOP.contains(&key) {
        return;
    }
    if of_host && keys::HOST_TOP.contains(&key) {
        findings.note(key, node, "skipped; it only concerns the host");
        return;
    }
    let hint = match nearest(key, keys::TOP.iter().copied()) {
        _ if key == "servers" => "rename it to \"mcpServers\"".to_owned(),
        Some(near) => format!("did you mean \"{near}\""),
        None => "remove it, or begin its name with // to make it a comment".to_owned(),
    };
    findings.fault("", node, format!("unknown key {}", quoted(key)), &hint);
}

fn list<'n>(path: &str, items: &'n [Node]) -> Vec<Found<'n>> {
    let found = |(index, node)| Found { path: format!("{path}[{index}]"), node, dialect: Dialect::Own };
    items.iter().enumerate().map(found).collect()
}

fn host_map(members: &[(String, Node)]) -> Vec<Found<'_>> {
    let found = |(name, node)| Found {
        path: format!("mcpServers.{}", key_text(name)),
        node,
        dialect: Dialect::Host { name },
    };
    members.iter().map(|(name, node)| (name.as_str(), node)).map(found).collect()
}

fn read_all(
    found: Option<Vec<Found<'_>>>,
    origin: &Origin<'_>,
    findings: &mut Findings<'_>,
) -> Vec<BackendEntry> {
    let Some(found) = found else { return Vec::new() };
    let faults_before = findings.faults.len();
    if found.len() > MAX_BACKENDS {
        let what = format!("there are {} backends", found.len());
        findings.fault_in_line(1, what, &format!("keep at most {MAX_BACKENDS}"));
        return Vec::new();
    }
    let count = found.len();
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    let mut entries = Vec::new();
    for Found { path, node, dialect } in found {
        let Some(Read { id, entry }) = entry::read(&path, node, dialect, origin, findings) else { continue };
        if let Some(other) = taken.insert(id.to_ascii_lowercase(), path.clone()) {
            let what = format!("the id {} is that of {other} too", quoted(&id));
            findings.fault(&path, node, what, "give each backend an id of its own, whatever the case");
        }
        entries.extend(entry);
    }
    if entries.is_empty() && findings.faults.len() == faults_before {
        let (what, hint) = match count {
            0 => ("there are no backends in it".to_owned(), EXAMPLE),
            1 => ("its only backend is disabled".to_owned(), "enable it"),
            _ => (format!("all its {count} backends are disabled"), "enable one"),
        };
        findings.fault_in_line(1, what, hint);
    }
    entries
}

/// What was found in a file, each with its place in it.
struct Findings<'a> {
    text: &'a str,
    place: &'a str,
    faults: Vec<Fault>,
    notes: Vec<String>,
}

impl Findings<'_> {
    fn place_of(&self, path: &str, node: &Node) -> String {
        let line = located::line_of(self.text, node.at);
        if path.is_empty() {
            format!("{}:{line}", self.place)
        } else {
            format!("{}:{line}: {path}", self.place)
        }
    }

    fn fault(&mut self, path: &str, node: &Node, what: String, hint: &str) {
        self.faults.push(Fault::settings(self.place_of(path, node), what, hint));
    }

    fn fault_in_line(&mut self, line: usize, what: String, hint: &str) {
        self.faults.push(Fault::settings(format!("{}:{line}", self.place), what, hint));
    }

    fn note(&mut self, path: &str, node: &Node, what: &str) {
        self.notes.push(format!("{}: {what}", self.place_of(path, node)));
    }
}

/// A key in a path: as it is when it reads as one word, in quotes otherwise.
fn key_text(key: &str) -> String {
    let plain =
        !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-$".contains(&byte));
    if plain { key.to_owned() } else { quoted(key) }
}
