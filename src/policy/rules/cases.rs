//! Cases that stand beside the rules: a call, and what has to become of it.

use super::condition::Hint;
use super::file::{ACTIONS, PHASES};
use super::reading::{Item, Reading};
use crate::fault::{Fault, quoted};
use crate::located::parse_within;
use crate::policy::authority::{Content, Judgement, PolicySet, Question};
use crate::policy::model::{Action, Phase};
use callgate_actors::call::{Hints, ToldHints};
use jiff::Timestamp;
use std::time::SystemTime;

/// Keys of a case.
pub(super) const CASE: &[&str] = &["name", "call", "expect", "by", "times"];
/// Keys of a call.
pub(super) const CALL: &[&str] =
    &["backend", "tool", "arguments", "annotations", "agent", "at", "phase", "text"];
/// Most times that a case may repeat its call.
const MAX_TIMES: i64 = 100_000;
/// Deepest nesting of a call's arguments.
const MAX_DEPTH: usize = 127;

/// A call as a person writes it down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenCall {
    /// The backend's id; may be empty.
    pub backend: String,
    /// The tool's own name; may be empty.
    pub tool: String,
    /// The arguments as they were written; empty when there are none.
    pub arguments: String,
    /// A text in place of arguments, as an answer has.
    pub text: Option<String>,
    /// What the backend says of the tool.
    pub hints: Hints,
    /// Who calls; `None` when it is not said.
    pub agent: Option<String>,
    /// When; `None` is now.
    pub at: Option<SystemTime>,
    /// Before the call, or its answer.
    pub phase: Phase,
}

/// What has to become of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It runs as it is: nobody says more than warn.
    Allow,
    /// This is the strongest that is done.
    Action(Action),
}

/// A case.
#[derive(Clone, Debug)]
pub struct Case {
    /// For people; the JSON pointer unless it was given.
    pub name: String,
    /// The call.
    pub call: WrittenCall,
    /// What has to become of it.
    pub expect: Expected,
    /// The rule or policy that has to speak; `None` for any.
    pub by: Option<String>,
    /// How often it is made; the last time counts.
    pub times: u32,
}

impl WrittenCall {
    /// Reads a call from JSON text that is called `place` in messages.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn parse(text: &str, place: &str) -> Result<Self, Vec<Fault>> {
        let (node, duplicates) = parse_within(text, MAX_DEPTH).map_err(|problem| {
            vec![Fault::settings(format!("{place}:{}", problem.line), problem.what, "repair it there")]
        })?;
        let mut reading = Reading { place, text, home: None, faults: Vec::new() };
        // A key twice inside the arguments is for the gate to refuse.
        drop(duplicates);
        let call = call(&mut reading, &Item { node: &node, pointer: String::new() });
        match call {
            Some(call) if reading.faults.is_empty() => Ok(call),
            _ => Err(reading.faults),
        }
    }

    /// What `set` says of it; `agent` calls unless the call says who.
    ///
    /// # Errors
    /// Why it cannot be judged; then it would be denied.
    pub fn judge(&self, set: &PolicySet, agent: &str) -> Result<Judgement, String> {
        let content = match &self.text {
            Some(text) => Content::Text(text),
            None => Content::Json(self.arguments.as_bytes()),
        };
        set.judge(&Question {
            phase: self.phase,
            content,
            backend: &self.backend,
            tool: &self.tool,
            agent: self.agent.as_deref().unwrap_or(agent),
            hints: self.hints,
            at: self.at.unwrap_or_else(SystemTime::now),
        })
    }
}

impl Case {
    /// Whether `set` does what is expected; otherwise what it does instead. Rates begin at zero.
    ///
    /// # Errors
    /// What became of the call.
    pub fn run(&self, set: &PolicySet, agent: &str) -> Result<(), String> {
        let mut parts = set.parts().clone();
        parts.forget_counts();
        let set = parts.build().map_err(|error| error.to_string())?;
        // All in one moment, so that a rate is reached however slow the machine is.
        let call =
            WrittenCall { at: Some(self.call.at.unwrap_or_else(SystemTime::now)), ..self.call.clone() };
        let mut judged = call.judge(&set, agent);
        for _ in 1..self.times {
            judged = call.judge(&set, agent);
        }
        let judged = judged.map_err(|error| format!("it cannot be judged: {error}"))?;
        let right = match self.expect {
            Expected::Allow => judged.action.is_none_or(|action| action >= Action::Warn),
            Expected::Action(action) => judged.action == Some(action),
        };
        let spoke = |id: &String| judged.matched.iter().any(|found| found.policy_id == *id);
        if right && self.by.as_ref().is_none_or(spoke) {
            return Ok(());
        }
        let who: Vec<String> = judged
            .matched
            .iter()
            .map(|found| format!("{} ({})", found.policy_id, found.action.word()))
            .collect();
        Err(match who.is_empty() {
            true => "nobody spoke".into(),
            false => format!("spoke: {}", who.join(", ")),
        })
    }
}

impl Expected {
    /// The word that is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Action(action) => action.word(),
        }
    }
}

pub(super) fn case(reading: &mut Reading<'_>, item: &Item<'_>) -> Option<Case> {
    let members = reading.object(item, CASE)?;
    for key in ["call", "expect"] {
        if members.get(key).is_none() {
            reading.wrong(item, format!("has no {key:?}"), format!("add {key:?}"));
        }
    }
    let mut expectations = vec![("allow", Expected::Allow)];
    expectations.extend(ACTIONS.iter().map(|(word, action)| (*word, Expected::Action(*action))));
    let name = members.get("name").and_then(|item| reading.line(item, 255));
    let by = members.get("by").and_then(|item| reading.line(item, 100));
    let times = members.get("times").and_then(|item| reading.whole(item, 1..=MAX_TIMES)).unwrap_or(1);
    let expect = members.get("expect").and_then(|item| reading.word(item, &expectations));
    let call = members.get("call").and_then(|item| call(reading, item));
    Some(Case {
        name: name.unwrap_or_else(|| item.pointer.clone()),
        call: call?,
        expect: expect?,
        by,
        times: u32::try_from(times).unwrap_or(1),
    })
}

fn call(reading: &mut Reading<'_>, item: &Item<'_>) -> Option<WrittenCall> {
    let members = reading.object(item, CALL)?;
    let mut text = |key: &str| members.get(key).and_then(|item| reading.text(item)).map(str::to_owned);
    let (backend, tool, agent) = (text("backend"), text("tool"), text("agent"));
    let (plain, at) = (text("text"), text("at"));
    let arguments = members.get("arguments").map(|item| {
        if !matches!(item.node.value, crate::located::Value::Object(_) | crate::located::Value::Null) {
            reading.kind(item, "an object");
        }
        reading.raw(item).to_owned()
    });
    let at = match (at, members.get("at")) {
        (Some(text), Some(item)) => match text.parse::<Timestamp>() {
            Ok(at) => Some(SystemTime::from(at)),
            Err(_) => {
                let what = format!("{} is no time", quoted(&text));
                reading.wrong(item, what, "write it as 2027-01-31T18:00:00Z");
                return None;
            }
        },
        _ => None,
    };
    let mut told = ToldHints::default();
    if let Some(item) = members.get("annotations") {
        let known = Hint::ALL.map(|(name, _)| name);
        for (key, item) in reading.open_object(item)?.iter() {
            let Some((_, hint)) = Hint::ALL.iter().find(|(name, _)| name == key) else {
                // Backends say more of a tool, such as its title.
                if !["title"].contains(key) {
                    reading.wrong(
                        item,
                        format!("{} is no annotation", quoted(key)),
                        format!("known are {}", known.join(", ")),
                    );
                }
                continue;
            };
            let value = reading.truth(item);
            match hint {
                Hint::ReadOnly => told.read_only = value,
                Hint::Destructive => told.destructive = value,
                Hint::Idempotent => told.idempotent = value,
                Hint::OpenWorld => told.open_world = value,
            }
        }
    }
    Some(WrittenCall {
        backend: backend.unwrap_or_default(),
        tool: tool.unwrap_or_default(),
        arguments: arguments.unwrap_or_default(),
        text: plain,
        hints: Hints::from(told),
        agent,
        at,
        phase: members
            .get("phase")
            .and_then(|item| reading.word(item, &PHASES[..2]))
            .unwrap_or(Phase::Request),
    })
}
