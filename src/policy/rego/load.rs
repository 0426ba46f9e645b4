//! Reads and compiles the files of a set. What cannot be used is refused with file, line and column.

use super::files::{Text, digest};
use super::message::{self, Told};
use super::{File, Package, RegoPath, RegoSet, Syntax, calls, input, unknown_call};
use crate::fault::{Fault, quoted};
use crate::policy::model::Action;
use crate::policy::understand;
use regorus::{Engine, Value};
use std::sync::atomic::AtomicBool;

/// The packages that are asked: the pages of the Agent Action Firewall use both names.
const PACKAGES: [&str; 2] = ["aaf.policy", "firewall"];
/// What rules of v0 may lack: those pages write `in` without saying where it comes from.
const KEYWORD: &str = "import future.keywords.in";
/// Functions that those pages call without defining them: is the host of a URL a private one?
const HELPERS: [&str; 2] = ["is_private_network", "is_private_ip"];

impl RegoPath {
    /// Reads and compiles the rules.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn load(&self) -> Result<RegoSet, Vec<Fault>> {
        RegoSet::compile(&self.read()?)
    }
}

impl RegoSet {
    /// Rules of one file with this text, for tests and benchmarks.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn of_text(name: &str, text: &str) -> Result<Self, Vec<Fault>> {
        Self::compile(&[Text { name: name.to_owned(), text: text.to_owned(), is_data: false }])
    }

    pub(super) fn compile(texts: &[Text]) -> Result<Self, Vec<Fault>> {
        let mut engine = Engine::new();
        // What `print` says would go to stderr, the call's content with it.
        engine.set_gather_prints(true);
        let (mut files, mut faults) = (Vec::new(), Vec::new());
        for text in texts {
            let added = if text.is_data { add_data(&mut engine, text) } else { add_rules(&mut engine, text) };
            match added {
                Ok(syntax) => files.push(File { name: text.name.clone(), syntax }),
                Err(fault) => faults.push(fault),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        for name in HELPERS {
            // An own function of this name is in a package and comes first.
            engine
                .add_extension(name.to_owned(), 1, Box::new(helper))
                .map_err(|error| vec![fault(&message::read(&error.to_string()), name)])?;
        }
        calls::check(&mut engine, &HELPERS).map_err(|told| vec![fault(&told, "")])?;
        let (packages, rules) = entries(&mut engine, texts).map_err(|fault| vec![fault])?;
        let mut set = Self {
            engine,
            packages,
            files,
            notes: Vec::new(),
            rules,
            digest: digest(texts),
            slow: AtomicBool::new(false),
        };
        set.notes = notes(&set, texts);
        Ok(set)
    }
}

fn helper(params: Vec<Value>) -> anyhow::Result<Value> {
    Ok(match params.first() {
        Some(Value::String(url)) => understand::is_private(url).into(),
        _ => Value::Undefined,
    })
}

fn add_data(engine: &mut Engine, text: &Text) -> Result<Syntax, Fault> {
    let data = input::tree(text.text.as_bytes())
        .map_err(|error| Fault::settings(&text.name, error.to_string(), "repair it"))?;
    for package in PACKAGES {
        let top = package.split('.').next().unwrap_or(package);
        if data[top] != Value::Undefined {
            let what = format!("holds \"{top}\", which is where the rules stand");
            return Err(Fault::settings(&text.name, what, "choose another name"));
        }
    }
    engine.add_data(data).map_err(|error| fault(&message::read(&error.to_string()), &text.name))?;
    Ok(Syntax::Data)
}

/// Tries the syntaxes, the newest first. What is wrong is told for the one that got furthest.
fn add_rules(engine: &mut Engine, text: &Text) -> Result<Syntax, Fault> {
    engine.set_rego_v0(false);
    let Err(error) = engine.add_policy(text.name.clone(), text.text.clone()) else { return Ok(Syntax::V1) };
    let mut furthest = message::read(&error.to_string());
    // A rule of v1 that is wrong is not read as v0, where `if` is a name like any other.
    let older = furthest.what.contains("keyword") || !has_word(&text.text, "if");
    engine.set_rego_v0(true);
    for source in [Some(text.text.clone()), with_keyword(&text.text)].into_iter().flatten().filter(|_| older)
    {
        match engine.add_policy(text.name.clone(), source) {
            Ok(_) => return Ok(Syntax::V0),
            Err(error) => {
                let told = message::read(&error.to_string());
                if (told.line, told.column) > (furthest.line, furthest.column) {
                    furthest = told;
                }
            }
        }
    }
    Err(fault(&furthest, &text.name))
}

/// Whether a word stands in the text, outside of comments.
fn has_word(text: &str, word: &str) -> bool {
    let code = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    code.flat_map(|line| line.split(|c: char| !(c.is_alphanumeric() || c == '_'))).any(|one| one == word)
}

/// The text with the keyword `in`, on the line of the package so that all lines keep their numbers.
fn with_keyword(text: &str) -> Option<String> {
    let at = text.lines().position(|line| line.trim_start().starts_with("package "))?;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let line = lines.get_mut(at)?;
    let end = line.find('#').unwrap_or(line.len());
    line.insert_str(end, &format!(" {KEYWORD} "));
    Some(lines.join("\n"))
}

fn fault(told: &Told, place: &str) -> Fault {
    let place = if told.file.is_empty() {
        place.to_owned()
    } else {
        format!("{}:{}:{}", told.file, told.line, told.column)
    };
    Fault::settings(place, told.what.clone(), "correct the rule")
}

/// The rules that are asked, and how many there are altogether.
fn entries(engine: &mut Engine, texts: &[Text]) -> Result<(Vec<Package>, usize), Fault> {
    let place = texts.first().map_or("", |text| &text.name);
    let broken = |error: anyhow::Error| fault(&message::read(&error.to_string()), place);
    let rules = engine.get_modules().iter().map(|module| module.policy.len()).sum();
    let of_files: Vec<(String, String)> = {
        let names = engine.get_packages().unwrap_or_default();
        texts.iter().filter(|text| !text.is_data).map(|text| text.name.clone()).zip(names).collect()
    };
    let declared = |package: &str, rule: &str| {
        let path = format!("data.{package}.{rule}");
        let within = format!("data.{package}");
        let here = |(file, own): &(String, String)| {
            *own == within && engine.has_declared_rule_rooted_at(file, rule).unwrap_or(false)
        };
        of_files.iter().any(here).then_some(path)
    };
    let packages: Vec<Package> = PACKAGES
        .iter()
        .map(|name| Package {
            name,
            decision: declared(name, "decision"),
            reason: declared(name, "reason"),
            deny: declared(name, "deny"),
            require_approval: declared(name, "require_approval"),
        })
        .filter(|package| package.entries().next().is_some())
        .collect();
    let Some(entry) = packages.iter().flat_map(Package::entries).next() else {
        let what = "no package aaf.policy has a rule `decision`, `deny` or `require_approval`, so nothing would be asked";
        return Err(Fault::settings(place, what, "name the package and the rules like that"));
    };
    // Everything is analysed now, and copies of the engine share it.
    engine.compile_with_entrypoint(&entry.into()).map_err(broken)?;
    Ok((packages, rules))
}

/// What is worth telling: that no call gets past the rules, and that they fail where they know nothing.
fn notes(set: &RegoSet, texts: &[Text]) -> Vec<String> {
    let mut notes = Vec::new();
    let mut answered = false;
    for text in texts.iter().filter(|text| !text.is_data) {
        for (number, line) in text.text.lines().enumerate() {
            let Some(rest) = line.trim_start().strip_prefix("default ") else { continue };
            let rest = rest.trim_start();
            let Some(value) = rest.strip_prefix("decision").filter(|rest| !rest.starts_with('_')) else {
                continue;
            };
            answered = true;
            let place = format!("{}:{}", text.name, number + 1);
            notes.push(match value.contains("\"allow\"") {
                true => format!(
                    "{place}: `default decision` allows every call that no rule names, so the policy file, stored \
                     policies and the policies of the program are never asked; remove the line to let them decide"
                ),
                false => format!(
                    "{place}: `default decision` answers every call that no rule names, so no other policy is ever asked; \
                     remove the line to let them decide"
                ),
            });
        }
    }
    match set.judge(&unknown_call()) {
        Ok(Some(said)) if !answered => {
            let action = said.first().map(|found| found.action);
            let why = said.first().and_then(|found| found.message.clone()).unwrap_or_default();
            notes.push(match action {
                Some(Action::Log) => {
                    "a call that they do not know is allowed, and no other policy is asked then; leave \
                     `decision` undefined to let the others decide"
                        .to_owned()
                }
                _ => format!("a call that they do not know does not run: {}", quoted(&why)),
            });
        }
        _ => {}
    }
    notes
}
