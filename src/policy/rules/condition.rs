//! When a rule speaks: conditions over a call, combined by all, any and not.

use super::argument::Argument;
use super::glob::Glob;
use super::truth::Truth;
use super::window::Window;
use crate::policy::Texts;
use crate::policy::authority::{Content, Question};
use callgate_actors::call::ToldHints;
use regex::Regex;
use serde_json::Value;
use std::cell::OnceCell;

/// One condition.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    /// Every one holds.
    All(Vec<Condition>),
    /// At least one holds.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// The backend's id is one of these.
    Backend(Vec<Glob>),
    /// The tool's own name is one of these.
    Tool(Vec<Glob>),
    /// Whoever calls is one of these.
    Agent(Vec<Glob>),
    /// The tool's annotation has this value.
    Hint(Hint, bool),
    /// The arguments have this.
    Argument(Argument),
    /// It is that time.
    Time(Window),
    /// A decoded string or key of the content holds a match.
    Text(Vec<Regex>),
}

/// A tool annotation of MCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// `readOnlyHint`
    ReadOnly,
    /// `destructiveHint`
    Destructive,
    /// `idempotentHint`
    Idempotent,
    /// `openWorldHint`
    OpenWorld,
}

impl Hint {
    /// All of them with their names.
    pub(super) const ALL: [(&'static str, Self); 4] = [
        ("readOnlyHint", Self::ReadOnly),
        ("destructiveHint", Self::Destructive),
        ("idempotentHint", Self::Idempotent),
        ("openWorldHint", Self::OpenWorld),
    ];

    /// Its value. What was not told has the protocol's default (MCP, "ToolAnnotations"): not read-only, destructive
    /// unless it is read-only, not idempotent, open world.
    pub(super) fn value(self, told: ToldHints) -> bool {
        let read_only = told.read_only.unwrap_or(false);
        match self {
            Self::ReadOnly => read_only,
            Self::Destructive => told.destructive.unwrap_or(!read_only),
            Self::Idempotent => told.idempotent.unwrap_or(false),
            Self::OpenWorld => told.open_world.unwrap_or(true),
        }
    }
}

/// A question and what was read of it so far.
pub(super) struct Context<'a> {
    /// The question.
    pub(super) question: &'a Question<'a>,
    texts: &'a Texts,
    arguments: OnceCell<Value>,
}

impl<'a> Context<'a> {
    /// Nothing is read yet.
    pub(super) fn new(question: &'a Question<'a>, texts: &'a Texts) -> Self {
        Self { question, texts, arguments: OnceCell::new() }
    }

    /// Every decoded string and key of the content, and what is hidden in them.
    pub(super) fn each_text(&self) -> impl Iterator<Item = &str> {
        self.texts.each().map(|(text, _)| text)
    }

    /// The arguments, read when first asked for. None at all are an empty object; a plain text has none.
    pub(super) fn arguments(&self) -> &Value {
        self.arguments.get_or_init(|| match self.question.content {
            Content::Json(json) => match serde_json::from_slice(json) {
                Ok(value @ Value::Object(_)) => value,
                _ => Value::Object(serde_json::Map::new()),
            },
            Content::Text(_) => Value::Object(serde_json::Map::new()),
        })
    }
}

impl Condition {
    /// Whether it holds.
    pub(super) fn holds(&self, context: &Context<'_>) -> Truth {
        let question = context.question;
        let one_of = |globs: &[Glob], name: &str| Truth::from(globs.iter().any(|glob| glob.matches(name)));
        match self {
            Self::All(all) => Truth::all(all.iter().map(|one| one.holds(context))),
            Self::Any(any) => Truth::any(any.iter().map(|one| one.holds(context))),
            Self::Not(one) => one.holds(context).not(),
            Self::Backend(globs) => one_of(globs, question.backend),
            Self::Tool(globs) => one_of(globs, question.tool),
            Self::Agent(globs) => one_of(globs, question.agent),
            Self::Hint(hint, wanted) => Truth::from(hint.value(question.hints.told) == *wanted),
            Self::Argument(argument) => argument.holds(context.arguments()),
            Self::Time(window) => Truth::from(window.holds(question.at)),
            Self::Text(all) => {
                Truth::from(context.each_text().any(|text| all.iter().any(|regex| regex.is_match(text))))
            }
        }
    }
}
