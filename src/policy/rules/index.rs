//! Finds the rules that may speak of a call without asking them all: by tool, backend or agent where a rule names them,
//! then by the argument that it asks for.

use super::argument::{Presence, Test, text};
use super::condition::{Condition, Context};
use super::glob::Glob;
use super::pointer::Pointer;
use crate::policy::authority::Question;
use regex::{RegexSet, RegexSetBuilder};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::OnceLock;

/// From so many expressions on, those of one place are searched together.
const TOGETHER: usize = 4;
/// Memory that one such search may take, compiled and while it runs; above the first the rules are asked one by one.
const SET_BYTES: usize = 32 * 1024 * 1024;

/// Rules, by what they need. Each rule stands in one of the parts.
#[derive(Debug, Default)]
pub(super) struct Index {
    by_tool: BTreeMap<String, Bucket>,
    by_backend: BTreeMap<String, Bucket>,
    by_agent: BTreeMap<String, Bucket>,
    any: Bucket,
}

/// Rules that need the same.
#[derive(Debug, Default)]
struct Bucket {
    always: Vec<usize>,
    /// By the outermost key of the argument.
    by_key: BTreeMap<String, Vec<Place>>,
    /// With a pointer that has no such key.
    anywhere: Vec<Place>,
    /// One of the expressions has to be in a text.
    texts: Together,
}

/// Rules that ask for the same argument.
#[derive(Debug)]
struct Place {
    pointer: Pointer,
    /// Something has to stand there.
    present: Vec<usize>,
    /// One of these texts has to stand there.
    equals: BTreeMap<String, Vec<usize>>,
    /// A match of an expression has to stand there.
    matching: Together,
}

/// Expressions that are searched in one go.
#[derive(Debug, Default)]
struct Together {
    expressions: Vec<String>,
    owners: Vec<usize>,
    set: OnceLock<Option<RegexSet>>,
}

impl Together {
    fn add(&mut self, expressions: impl Iterator<Item = String>, owner: usize) {
        for expression in expressions {
            self.expressions.push(expression);
            self.owners.push(owner);
        }
    }

    /// Whose expressions are in the text. Too few to be worth it, or too many to be compiled: everybody's.
    fn find(&self, text: &str, found: &mut Vec<usize>) {
        let build = || {
            let mut builder = RegexSetBuilder::new(&self.expressions);
            builder.size_limit(SET_BYTES).dfa_size_limit(SET_BYTES).build().ok()
        };
        let worth = self.expressions.len() >= TOGETHER;
        match worth.then(|| self.set.get_or_init(build).as_ref()).flatten() {
            // Nearly always none is there, which is found faster than which one.
            Some(set) if !set.is_match(text) => {}
            Some(set) => found.extend(set.matches(text).into_iter().map(|at| self.owners[at])),
            None => found.extend(&self.owners),
        }
    }
}

impl Index {
    /// Puts the rule `at` where it is found. `all` are its conditions, which all have to hold.
    pub(super) fn add(&mut self, at: usize, all: &[Condition]) {
        let literal = |pick: &dyn Fn(&Condition) -> Option<&[Glob]>| -> Option<Vec<String>> {
            let globs = all.iter().find_map(pick)?;
            globs.iter().map(|glob| glob.exact().map(str::to_owned)).collect()
        };
        let tools = literal(&|one| if let Condition::Tool(globs) = one { Some(globs) } else { None });
        let backends = literal(&|one| if let Condition::Backend(globs) = one { Some(globs) } else { None });
        let agents = literal(&|one| if let Condition::Agent(globs) = one { Some(globs) } else { None });
        let named =
            [(tools, &mut self.by_tool), (backends, &mut self.by_backend), (agents, &mut self.by_agent)];
        for (names, map) in named {
            if let Some(mut names) = names {
                names.sort_unstable();
                names.dedup();
                names.into_iter().for_each(|name| map.entry(name).or_default().add(at, all));
                return;
            }
        }
        self.any.add(at, all);
    }

    /// The rules that may speak, in the order written.
    pub(super) fn candidates(&self, context: &Context<'_>) -> Vec<usize> {
        let Question { backend, tool, agent, .. } = *context.question;
        let mut found = Vec::new();
        let named = [self.by_tool.get(tool), self.by_backend.get(backend), self.by_agent.get(agent)];
        for bucket in named.into_iter().flatten().chain([&self.any]) {
            bucket.find(context, &mut found);
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

impl Bucket {
    fn add(&mut self, at: usize, all: &[Condition]) {
        let arguments = all.iter().filter_map(|one| match one {
            Condition::Argument(argument) if argument.presence == Presence::Present => Some(argument),
            _ => None,
        });
        // The one whose value narrows it down most.
        let rank =
            |tests: &[Test]| tests.iter().filter_map(anchor).map(|anchor| anchor.rank()).min().unwrap_or(9);
        let Some(argument) = arguments.min_by_key(|argument| rank(&argument.tests)) else {
            match all.iter().find_map(|one| if let Condition::Text(all) = one { Some(all) } else { None }) {
                Some(texts) => self.texts.add(texts.iter().map(|regex| regex.as_str().to_owned()), at),
                None => self.always.push(at),
            }
            return;
        };
        let places = match argument.pointer.first_key() {
            Some(key) => self.by_key.entry(key.to_owned()).or_default(),
            None => &mut self.anywhere,
        };
        let place = match places.iter().position(|place| place.pointer == argument.pointer) {
            Some(there) => &mut places[there],
            None => {
                places.push(Place::new(&argument.pointer));
                let last = places.len() - 1;
                &mut places[last]
            }
        };
        match argument.tests.iter().filter_map(anchor).min_by_key(Anchor::rank) {
            Some(Anchor::Equals(texts)) => {
                for text in texts {
                    place.equals.entry(text).or_default().push(at);
                }
            }
            Some(Anchor::Matching(expressions)) => place.matching.add(expressions.into_iter(), at),
            None => place.present.push(at),
        }
    }

    fn find(&self, context: &Context<'_>, found: &mut Vec<usize>) {
        found.extend(&self.always);
        if !self.texts.owners.is_empty() {
            context.each_text().for_each(|text| self.texts.find(text, found));
        }
        if self.by_key.is_empty() && self.anywhere.is_empty() {
            return;
        }
        // Reading the arguments costs more than everything else here: not for keys that do not occur.
        let occurs = || {
            self.by_key.keys().any(|key| !key.is_ascii())
                || context.each_key().any(|key| self.by_key.contains_key(key))
        };
        if self.anywhere.is_empty() && !occurs() {
            return;
        }
        let arguments = context.arguments();
        let keys = arguments.as_object().into_iter().flat_map(serde_json::Map::keys);
        let named = keys.filter_map(|key| self.by_key.get(key)).flatten();
        named.chain(&self.anywhere).for_each(|place| place.find(arguments, found));
    }
}

impl Place {
    fn new(pointer: &Pointer) -> Self {
        Self {
            pointer: pointer.clone(),
            present: Vec::new(),
            equals: BTreeMap::new(),
            matching: Together::default(),
        }
    }

    fn find(&self, arguments: &Value, found: &mut Vec<usize>) {
        let mut any = false;
        let _ = self.pointer.visit(arguments, &mut |value| {
            any = true;
            if let Some(text) = text(value) {
                if let Some(owners) = self.equals.get(text.as_ref()) {
                    found.extend(owners);
                }
                if !self.matching.owners.is_empty() {
                    self.matching.find(&text, found);
                }
            }
            ControlFlow::Continue(())
        });
        if any {
            found.extend(&self.present);
        }
    }
}

/// What a value must be for a test to pass.
enum Anchor {
    Equals(Vec<String>),
    Matching(Vec<String>),
}

impl Anchor {
    fn rank(&self) -> u8 {
        match self {
            Self::Equals(_) => 0,
            Self::Matching(_) => 1,
        }
    }
}

fn anchor(test: &Test) -> Option<Anchor> {
    match test {
        Test::In(values) => {
            let texts = values.iter().map(|value| value.as_str().map(str::to_owned));
            texts.collect::<Option<Vec<_>>>().map(Anchor::Equals)
        }
        Test::Glob(globs) => Some(match globs.iter().map(|glob| glob.exact().map(str::to_owned)).collect() {
            Some(texts) => Anchor::Equals(texts),
            None => Anchor::Matching(globs.iter().map(Glob::expression).collect()),
        }),
        Test::Regex(all) => {
            Some(Anchor::Matching(all.iter().map(|regex| regex.as_str().to_owned()).collect()))
        }
        _ => None,
    }
}
