//! Reads which tools may run: the variables for all backends, and the `tools` object of a backend.

use super::families::nearest;
use super::reader::{Reader, Wrong};
use super::table::{self, Setting};
use super::values;
use crate::fault::{Fault, quoted};
use crate::governance::rules::{MAX_AGENTS, MAX_PATTERNS};
use crate::governance::{Limits, Pattern, Profile, ToolRules};
use crate::located::{self, Node, Value};

/// Keys of `tools` in an entry. The JSON schema in `config/` lists the same; a test compares them.
pub(super) const TOOLS: &[&str] = &["profile", "allow", "deny", "read_only", "agents"];
/// Keys of one agent.
pub(super) const AGENT: &[&str] = &["profile", "allow", "deny"];

/// Told of everything that is wrong, with its path.
type Report<'r> = dyn FnMut(&str, &Node, Wrong) + 'r;

/// What the variables say.
pub(super) fn read(reader: &mut Reader<'_>) -> ToolRules {
    let profile = reader.parsed(&table::TOOLS_PROFILE, Profile::Unrestricted, profile);
    let allow = patterns_of(reader, &table::TOOLS_ALLOW);
    let deny = patterns_of(reader, &table::TOOLS_DENY).unwrap_or_default();
    let read_only = patterns_of(reader, &table::TOOLS_READ_ONLY).unwrap_or_default();
    ToolRules { limits: Limits { profile, allow, deny }, read_only, agents: agents_of(reader) }
}

fn profile(text: &str) -> Result<Profile, Wrong> {
    values::one_of(Profile::WORDS, text)
}

/// Patterns with commas between them; `None` when the variable is unset.
fn patterns_of(reader: &mut Reader<'_>, setting: &'static Setting) -> Option<Vec<Pattern>> {
    reader.parsed(setting, None, |text| {
        let patterns: Vec<Pattern> = text.split(',').map(pattern).collect::<Result<_, _>>()?;
        few_enough(patterns.len(), MAX_PATTERNS)?;
        Ok(Some(patterns))
    })
}

fn pattern(text: &str) -> Result<Pattern, Wrong> {
    Pattern::new(text).map_err(|(what, hint)| Wrong::new(format!("{} {what}", quoted(text)), hint))
}

fn few_enough(count: usize, most: usize) -> Result<(), Wrong> {
    if count <= most {
        return Ok(());
    }
    Err(Wrong::new(format!("has {count} entries"), format!("write at most {most}, with * in them")))
}

fn agents_of(reader: &mut Reader<'_>) -> Vec<(Pattern, Limits)> {
    let Some(text) = reader.text(&table::TOOLS_AGENTS) else { return Vec::new() };
    let name = table::TOOLS_AGENTS.name;
    let mut faults = Vec::new();
    let mut told = |line: usize, path: &str, wrong: Wrong| {
        let place = if path.is_empty() { String::new() } else { format!(": {path}") };
        faults.push(Fault::settings(format!("{name}:{line}{place}"), wrong.what, wrong.hint));
    };
    let agents = match located::parse(text) {
        Err(problem) => {
            let hint = r#"write JSON such as {"claude-*":{"deny":["delete_*"]}}"#;
            told(problem.line, "", Wrong::new(problem.what, hint));
            Vec::new()
        }
        Ok((node, duplicates)) => {
            for problem in duplicates {
                told(problem.line, "", Wrong::new(problem.what, "remove one of the two"));
            }
            agents("", &node, &mut |path, node, wrong| told(located::line_of(text, node.at), path, wrong))
        }
    };
    reader.extend(faults, Vec::new());
    agents
}

/// The `tools` object that stands at `path`.
pub(super) fn rules(path: &str, node: &Node, report: &mut Report<'_>) -> ToolRules {
    let Some(members) = object(path, node, TOOLS, report) else { return ToolRules::default() };
    let at = |key: &str| format!("{path}.{key}");
    ToolRules {
        limits: limits(path, members, report),
        read_only: list(&at("read_only"), member(members, "read_only"), report).unwrap_or_default(),
        agents: member(members, "agents").map_or_else(Vec::new, |node| agents(&at("agents"), node, report)),
    }
}

fn member<'n>(members: &'n [(String, Node)], key: &str) -> Option<&'n Node> {
    members.iter().find(|(name, _)| name == key).map(|(_, node)| node)
}

fn limits(path: &str, members: &[(String, Node)], report: &mut Report<'_>) -> Limits {
    let at = |key: &str| format!("{path}.{key}");
    let profile = match member(members, "profile") {
        None => Profile::Unrestricted,
        Some(node) => {
            let read = match &node.value {
                Value::String(text) => profile(text),
                _ => {
                    Err(Wrong::new(format!("is {}", node.kind()), "write unrestricted, read_only or locked"))
                }
            };
            read.unwrap_or_else(|wrong| {
                report(&at("profile"), node, wrong);
                Profile::Locked
            })
        }
    };
    Limits {
        profile,
        allow: list(&at("allow"), member(members, "allow"), report),
        deny: list(&at("deny"), member(members, "deny"), report).unwrap_or_default(),
    }
}

/// The patterns of a list; `None` when there is no list.
fn list(path: &str, node: Option<&Node>, report: &mut Report<'_>) -> Option<Vec<Pattern>> {
    let node = node?;
    let Value::Array(items) = &node.value else {
        let what = format!("is {} and not a list", node.kind());
        report(path, node, Wrong::new(what, r#"write a list such as ["get_*", "find_user"]"#));
        return None;
    };
    if let Err(wrong) = few_enough(items.len(), MAX_PATTERNS) {
        report(path, node, wrong);
        return None;
    }
    let mut patterns = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let read = match &item.value {
            Value::String(text) => pattern(text),
            _ => {
                Err(Wrong::new(format!("is {} and not a text", item.kind()), "write a tool's name in quotes"))
            }
        };
        match read {
            Ok(pattern) => patterns.push(pattern),
            Err(wrong) => report(&format!("{path}[{index}]"), item, wrong),
        }
    }
    Some(patterns)
}

/// Limits by the names of agents.
fn agents(path: &str, node: &Node, report: &mut Report<'_>) -> Vec<(Pattern, Limits)> {
    let Value::Object(members) = &node.value else {
        let what = format!("is {} and not an object", node.kind());
        report(
            path,
            node,
            Wrong::new(what, r#"write an object such as {"claude-*": {"deny": ["delete_*"]}}"#),
        );
        return Vec::new();
    };
    if let Err(wrong) = few_enough(members.len(), MAX_AGENTS) {
        report(path, node, wrong);
        return Vec::new();
    }
    let mut agents = Vec::new();
    for (name, node) in members {
        let at = if path.is_empty() { quoted(name) } else { format!("{path}.{}", quoted(name)) };
        let named = pattern(name).map_err(|wrong| report(&at, node, wrong));
        let Some(members) = object(&at, node, AGENT, report) else { continue };
        let limits = limits(&at, members, report);
        agents.extend(named.ok().map(|named| (named, limits)));
    }
    agents
}

/// The members of an object that has these keys only.
fn object<'n>(
    path: &str,
    node: &'n Node,
    known: &[&'static str],
    report: &mut Report<'_>,
) -> Option<&'n [(String, Node)]> {
    let Value::Object(members) = &node.value else {
        let what = format!("is {} and not an object", node.kind());
        report(path, node, Wrong::new(what, format!("write an object with {}", known.join(", "))));
        return None;
    };
    for (key, node) in members.iter().filter(|(key, _)| !known.contains(&key.as_str())) {
        let hint = nearest(key, known.iter().copied())
            .map_or_else(|| format!("use {}", known.join(", ")), |near| format!("did you mean \"{near}\""));
        report(path, node, Wrong::new(format!("unknown key {}", quoted(key)), hint));
    }
    Some(members)
}

#[cfg(test)]
mod tests {
    use super::super::{Environment, Settings};
    use super::*;
    use std::ffi::OsString;
    use std::io;

    fn load(pairs: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
        let home =
            [("HOME", "/h"), ("USERPROFILE", "/h"), ("AXONFLOW_BACKENDS", r#"[{"id":"crm","command":"x"}]"#)];
        let env: Environment =
            home.iter().chain(pairs).map(|(name, value)| ((*name).into(), OsString::from(value))).collect();
        let loaded = Settings::load(&env, &|_| Err(io::Error::from(io::ErrorKind::NotFound)));
        loaded.map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    fn backend(tools: &str) -> Result<ToolRules, Vec<String>> {
        let backends = format!(r#"[{{"id":"crm","command":"x","tools":{tools}}}]"#);
        load(&[("AXONFLOW_BACKENDS", &backends)]).map(|settings| settings.backends[0].tools.clone())
    }

    fn texts(patterns: &[Pattern]) -> Vec<&str> {
        patterns.iter().map(Pattern::as_str).collect()
    }

    #[test]
    fn variables_and_entries_say_the_same() {
        let settings = load(&[
            ("CALLGATE_TOOLS_PROFILE", "Read_Only"),
            ("CALLGATE_TOOLS_ALLOW", " get_* , crm/find "),
            ("CALLGATE_TOOLS_DENY", "get_secret"),
            ("CALLGATE_TOOLS_READ_ONLY", "count"),
            ("CALLGATE_TOOLS_AGENTS", r#"{"// c":1,"a*":{"profile":"locked","allow":["x"],"deny":["y"]}}"#),
            ("CALLGATE_MONITOR", "on"),
        ]);
        let settings = settings.expect("it is right");
        let entry = backend(
            r#"{"profile":"read_only","allow":["get_*","crm/find"],"deny":["get_secret"],"read_only":["count"],"agents":
                {"a*":{"profile":"locked","allow":["x"],"deny":["y"]}}}"#,
        );
        assert_eq!(Ok(&settings.tools), entry.as_ref());
        assert!(settings.monitor);
        assert_eq!(settings.tools.limits.allow.as_deref().map(texts), Some(vec!["get_*", "crm/find"]));
        let plain = load(&[]).expect("it is right");
        assert!(plain.tools == ToolRules::default() && !plain.monitor);
        assert_eq!(
            backend(r#"{"allow":[]}"#).expect("right").limits.allow,
            Some(Vec::new()),
            "an empty list is one"
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_place_and_way_out() {
        let told = |pairs: &[(&str, &str)]| load(pairs).expect_err("it is wrong").join("\n");
        assert_eq!(
            told(&[("CALLGATE_TOOLS_PROFILE", "readonly")]),
            "settings: CALLGATE_TOOLS_PROFILE: \"readonly\" is not known; set it to one of unrestricted, read_only, locked"
        );
        assert!(
            told(&[("CALLGATE_TOOLS_DENY", "a,,b")]).contains("CALLGATE_TOOLS_DENY: \"\" is empty; write")
        );
        assert!(
            told(&[("CALLGATE_MONITOR", "dry")])
                .contains("CALLGATE_MONITOR: \"dry\" is not known; set it to")
        );
        assert!(told(&[("CALLGATE_TOOLS_AGENTS", "deny")]).contains("CALLGATE_TOOLS_AGENTS:1: not JSON"));
        assert_eq!(
            told(&[("CALLGATE_TOOLS_AGENTS", "{\n\"a\":{\"denny\":[]}}")]),
            "settings: CALLGATE_TOOLS_AGENTS:2: \"a\": unknown key \"denny\"; did you mean \"deny\""
        );
        assert!(told(&[("CALLGATE_TOOLS_AGENT", "x")]).contains("did you mean CALLGATE_TOOLS_AGENTS"));
        for (tools, wrong) in [
            ("[]", "[0].tools: is a list and not an object; write an object with profile, allow"),
            (r#"{"profiles":"locked"}"#, "[0].tools: unknown key \"profiles\"; did you mean \"profile\""),
            (r#"{"profile":"lock"}"#, "[0].tools.profile: \"lock\" is not known; set it to one of"),
            (r#"{"profile":true}"#, "[0].tools.profile: is true or false; write unrestricted"),
            (r#"{"allow":"get"}"#, "[0].tools.allow: is a text and not a list; write a list"),
            (r#"{"deny":["ok",1]}"#, "[0].tools.deny[1]: is a number and not a text; write"),
            (
                r#"{"deny":["a/"]}"#,
                "[0].tools.deny[0]: \"a/\" has nothing on one side of its /; write server/tool",
            ),
            (
                r#"{"agents":{"a":{"read_only":[]}}}"#,
                "[0].tools.agents.\"a\": unknown key \"read_only\"; use",
            ),
            (r#"{"agents":{"":{}}}"#, "[0].tools.agents.\"\": \"\" is empty"),
            (r#"{"agents":[]}"#, "[0].tools.agents: is a list and not an object"),
        ] {
            let told = backend(tools).expect_err(tools).join("\n");
            assert!(told.contains(wrong), "{tools}: {told}");
        }
    }

    #[test]
    fn a_hosts_list_of_tools_is_noted_and_its_object_is_ours() {
        let host = |tools: &str| {
            let servers = format!(r#"{{"mcpServers":{{"crm":{{"command":"x","tools":{tools}}}}}}}"#);
            load(&[("AXONFLOW_BACKENDS", &servers)]).expect("it is right")
        };
        let listed = host(r#"["*"]"#);
        assert!(listed.backends[0].tools == ToolRules::default());
        assert!(listed.notes.iter().any(|note| note.contains("tools: skipped")), "{:?}", listed.notes);
        assert_eq!(texts(&host(r#"{"deny":["x"]}"#).backends[0].tools.limits.deny), ["x"]);
    }
}
