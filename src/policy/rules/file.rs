//! The policy file: the operator's own rules, overrides of shipped policies, and cases that prove them.
//!
//! ```json
//! { "rules": [ … ], "overrides": [ … ], "tests": [ … ] }
//! ```
//!
//! A rule only tightens. Whoever wants less than what is shipped writes an override, which names the policy and says why.

use super::cases::{self, Case};
use super::rate::MAX_RATES;
use super::reading::{Item, Members, Reading};
use super::when;
use super::{Rule, RuleSet};
use crate::fault::{Fault, quoted};
use crate::located::{Node, parse_within};
use crate::policy::builder::ScopedOverride;
use crate::policy::catalogue;
use crate::policy::model::{Action, Phase, Policy, Severity};
use crate::policy::posture::{Class, Override};
use crate::settings::families::nearest;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Most rules in one file.
pub const MAX_RULES: usize = 10_000;
/// Deepest nesting of a file: values to compare with may be deep themselves.
const MAX_DEPTH: usize = 64;
/// Longest id, in characters, as in the AxonFlow contract, section 4.1.
const MAX_ID: usize = 100;
/// Longest name, as there.
const MAX_NAME: usize = 255;
/// Longest message and reason, as there.
const MAX_TEXT: usize = 500;

/// Keys of the whole file.
pub(super) const TOP: &[&str] = &["$schema", "rules", "overrides", "tests"];
/// Keys of a rule.
pub(super) const RULE: &[&str] = &[
    "id",
    "name",
    "description",
    "enabled",
    "phase",
    "category",
    "severity",
    "priority",
    "action",
    "message",
    "when",
];
/// Keys of an override.
pub(super) const OVERRIDE: &[&str] = &["policy_id", "action", "enabled", "reason", "expires_at", "tool"];

/// What can be done.
pub(super) const ACTIONS: &[(&str, Action)] = &[
    ("block", Action::Block),
    ("require_approval", Action::RequireApproval),
    ("redact", Action::Redact),
    ("warn", Action::Warn),
    ("log", Action::Log),
];
/// When a rule is asked.
pub(super) const PHASES: &[(&str, Phase)] =
    &[("request", Phase::Request), ("response", Phase::Response), ("both", Phase::Both)];
/// How bad it is.
pub(super) const SEVERITIES: &[(&str, Severity)] = &[
    ("low", Severity::Low),
    ("medium", Severity::Medium),
    ("high", Severity::High),
    ("critical", Severity::Critical),
];

/// A file that was read.
#[derive(Clone, Debug, Default)]
pub struct PolicyFile {
    /// The rules.
    pub rules: RuleSet,
    /// The overrides.
    pub overrides: Vec<ScopedOverride>,
    /// The cases.
    pub cases: Vec<Case>,
}

/// Reads the text of a policy file that is called `place` in messages; `home` is what `~` means in paths.
///
/// # Errors
/// Everything that is wrong, each with line, column, JSON pointer and way out.
pub fn parse(text: &str, place: &str, home: Option<&str>) -> Result<PolicyFile, Vec<Fault>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let at_line =
        |line: usize, what: String, hint: &str| Fault::settings(format!("{place}:{line}"), what, hint);
    let (node, duplicates) = parse_within(text, MAX_DEPTH)
        .map_err(|problem| vec![at_line(problem.line, problem.what, "repair it there")])?;
    let mut reading = Reading { place, text, home, faults: Vec::new() };
    for problem in duplicates {
        reading.faults.push(at_line(problem.line, problem.what, "remove one of the two"));
    }
    let file = top(&mut reading, &node);
    if reading.faults.is_empty() { Ok(file) } else { Err(reading.faults) }
}

fn top(reading: &mut Reading<'_>, node: &Node) -> PolicyFile {
    let whole = Item { node, pointer: String::new() };
    let Some(members) = reading.object(&whole, TOP) else { return PolicyFile::default() };
    let shipped = catalogue::shipped().unwrap_or_default();
    let mut rules: Vec<Rule> = Vec::new();
    if let Some(item) = members.get("rules") {
        let items = reading.list(item);
        if items.len() > MAX_RULES {
            let hint = format!("write at most {MAX_RULES}");
            reading.wrong(item, format!("there are {} rules", items.len()), hint);
        }
        let mut seen = BTreeMap::new();
        for item in items.iter().take(MAX_RULES) {
            let Some(rule) = rule(reading, item, &shipped) else { continue };
            if let Some(first) = seen.insert(rule.id.clone(), item.pointer.clone()) {
                let what = format!("the id {} stands at {first} already", quoted(&rule.id));
                reading.wrong(item, what, "give every rule an id of its own");
            }
            rules.push(rule);
        }
        if rules.iter().filter(|rule| rule.rate.is_some()).count() > MAX_RATES {
            reading.wrong(
                item,
                "there are too many rates",
                format!("write at most {MAX_RATES} rules with a rate"),
            );
        }
    }
    let overrides = match members.get("overrides") {
        Some(item) => overrides(reading, item, &shipped),
        None => Vec::new(),
    };
    let cases = match members.get("tests") {
        Some(item) => {
            let items = reading.list(item);
            items.iter().filter_map(|item| cases::case(reading, item)).collect()
        }
        None => Vec::new(),
    };
    PolicyFile { rules: RuleSet::new(rules, reading.text), overrides, cases }
}

/// One rule. `None` when it has no id to be known by, which was told.
fn rule(reading: &mut Reading<'_>, item: &Item<'_>, shipped: &[Policy]) -> Option<Rule> {
    let members = reading.object(item, RULE)?;
    let id = id(reading, &members, shipped);
    let phase = members.get("phase").and_then(|item| reading.word(item, PHASES)).unwrap_or(Phase::Request);
    let action = required(reading, &members, "action").and_then(|item| action(reading, &item));
    let (when, rate) = match required(reading, &members, "when") {
        Some(item) => {
            let (when, rate) = when::when(reading, &item);
            if when.is_empty() && rate.is_none() && reading.faults.is_empty() {
                let hint = "write a condition; {\"tool\": \"*\"} means every call";
                reading.wrong(&item, "holds no condition", hint);
            }
            if phase != Phase::Request {
                only_text(reading, &item);
            }
            (when, rate)
        }
        None => (Vec::new(), None),
    };
    let mut line = |key: &str, most| members.get(key).and_then(|item| reading.line(item, most));
    let (name, description) = (line("name", MAX_NAME), line("description", MAX_TEXT));
    let (message, category) = (line("message", MAX_TEXT), line("category", MAX_ID));
    let id = id?;
    Some(Rule {
        name: name.unwrap_or_else(|| id.clone()),
        description: description.unwrap_or_default(),
        enabled: members.get("enabled").and_then(|item| reading.truth(item)).unwrap_or(true),
        phase,
        category: category.unwrap_or_else(|| "custom".into()),
        severity: members
            .get("severity")
            .and_then(|item| reading.word(item, SEVERITIES))
            .unwrap_or(Severity::Medium),
        priority: members
            .get("priority")
            .and_then(|item| reading.whole(item, -1_000..=1_000))
            .and_then(|number| i32::try_from(number).ok())
            .unwrap_or(50),
        action: action?,
        message,
        when,
        rate,
        id,
    })
}

fn required<'n>(reading: &mut Reading<'_>, members: &Members<'n>, key: &str) -> Option<Item<'n>> {
    let item = members.get(key).cloned();
    if item.is_none() {
        reading.wrong(&members.whole, format!("has no {key:?}"), format!("add {key:?}"));
    }
    item
}

fn id(reading: &mut Reading<'_>, members: &Members<'_>, shipped: &[Policy]) -> Option<String> {
    let item = required(reading, members, "id")?;
    let text = reading.text(&item)?;
    let right = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if text.is_empty() || text.len() > MAX_ID || !text.chars().all(right) {
        let hint = format!("write 1 to {MAX_ID} letters, digits, dots, underscores and hyphens");
        reading.wrong(&item, format!("{} is no id", quoted(text)), hint);
        return None;
    }
    if shipped.iter().any(|policy| policy.policy_id == text) {
        let hint = "choose another id; to change the shipped policy write an entry in \"overrides\"";
        reading.wrong(&item, format!("{} is a shipped policy", quoted(text)), hint);
        return None;
    }
    Some(text.to_owned())
}

/// An action. `allow` is not one: a rule would weaken every policy that it does not name.
fn action(reading: &mut Reading<'_>, item: &Item<'_>) -> Option<Action> {
    if reading.text(item)? == "allow" {
        let hint = "what no rule and no policy stops is allowed; to weaken a shipped policy write an entry in \
                    \"overrides\" that names it and says why";
        reading.wrong(item, "a rule cannot allow", hint);
        return None;
    }
    reading.word(item, ACTIONS)
}

/// Refuses conditions on what an answer does not have.
fn only_text(reading: &mut Reading<'_>, when: &Item<'_>) {
    let Some(members) = reading.open_object(when) else { return };
    for (key, item) in members.iter() {
        match *key {
            "arguments" => {
                let hint = "use \"text\" here, or \"phase\": \"request\"";
                reading.wrong(item, "an answer has no arguments", hint);
            }
            "rate" => {
                let hint = "use \"phase\": \"request\"";
                reading.wrong(item, "calls are counted before they run", hint);
            }
            "not" => only_text(reading, item),
            "any" => {
                for item in reading.one_or_more(item) {
                    only_text(reading, &item);
                }
            }
            _ => {}
        }
    }
}

fn overrides(reading: &mut Reading<'_>, item: &Item<'_>, shipped: &[Policy]) -> Vec<ScopedOverride> {
    let mut seen = BTreeMap::new();
    let mut found = Vec::new();
    for item in reading.list(item) {
        let Some(over) = one_override(reading, &item, shipped) else { continue };
        let key = (over.policy_id.clone(), over.tool.clone());
        if let Some(first) = seen.insert(key, item.pointer.clone()) {
            let what = format!("the same policy is overridden at {first} already");
            reading.wrong(&item, what, "remove one of the two");
        }
        found.push(over);
    }
    found
}

fn one_override(reading: &mut Reading<'_>, item: &Item<'_>, shipped: &[Policy]) -> Option<ScopedOverride> {
    let members = reading.object(item, OVERRIDE)?;
    let policy = overridden(reading, &members, shipped);
    let reason = match members.get("reason") {
        Some(item) => reading.line(item, MAX_TEXT),
        None => {
            let hint = "add \"reason\": it is shown to whoever asks why the policy does not hold";
            reading.wrong(item, "has no \"reason\"", hint);
            None
        }
    };
    let enabled = members.get("enabled").map(|item| (item.clone(), reading.truth(item)));
    let action = members.get("action").map(|item| (item.clone(), action(reading, item)));
    let change = match (enabled, action) {
        (Some((_, Some(false))), None) => Some(None),
        (None, Some((item, action))) => {
            action.filter(|action| fits(reading, &item, *action, policy)).map(Some)
        }
        (Some((_, None)), _) => None,
        _ => {
            reading.wrong(item, "says not what is to change", "write \"action\", or \"enabled\": false");
            None
        }
    };
    let expires_at = match members.get("expires_at") {
        Some(item) => Some(expiry(reading, item)?),
        None => None,
    };
    let tool = match members.get("tool") {
        Some(item) => Some(tool(reading, item)?),
        None => None,
    };
    Some(ScopedOverride {
        policy_id: policy?.policy_id.clone(),
        tool,
        change: Override { action: change?, reason: reason?, expires_at },
    })
}

fn overridden<'p>(
    reading: &mut Reading<'_>,
    members: &Members<'_>,
    shipped: &'p [Policy],
) -> Option<&'p Policy> {
    let item = required(reading, members, "policy_id")?;
    let text = reading.text(&item)?;
    let policy = shipped.iter().find(|policy| policy.policy_id == text);
    if policy.is_none() {
        let hint = match nearest(text, shipped.iter().map(|policy| policy.policy_id.as_str())) {
            Some(near) => format!("did you mean \"{near}\""),
            None => "`callgate policy list` shows them".into(),
        };
        reading.wrong(&item, format!("{} is no shipped policy", quoted(text)), hint);
    }
    policy
}

/// Masking is for data: a statement without its dangerous words would be another statement.
fn fits(reading: &mut Reading<'_>, item: &Item<'_>, action: Action, policy: Option<&Policy>) -> bool {
    let is_data =
        |policy: &Policy| matches!(Class::of(&policy.category), Class::PersonalData | Class::SensitiveData);
    let right = action != Action::Redact || policy.is_none_or(is_data);
    if !right {
        reading.wrong(
            item,
            "what this policy finds cannot be masked",
            "write block, require_approval, warn or log",
        );
    }
    right
}

fn expiry(reading: &mut Reading<'_>, item: &Item<'_>) -> Option<std::time::SystemTime> {
    let text = reading.text(item)?;
    match text.parse::<Timestamp>() {
        Ok(at) => Some(at.into()),
        Err(_) => {
            reading.wrong(item, format!("{} is no time", quoted(text)), "write it as 2027-01-31T18:00:00Z");
            None
        }
    }
}

fn tool(reading: &mut Reading<'_>, item: &Item<'_>) -> Option<String> {
    let text = reading.line(item, MAX_NAME)?;
    if text.contains(['*', '?']) {
        let hint = "write the tool's whole name, or backend/tool";
        reading.wrong(item, "an override holds for one tool or for all", hint);
        return None;
    }
    Some(text)
}
