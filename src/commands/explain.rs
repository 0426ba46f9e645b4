//! `callgate explain`: what would become of one call, and who says so.

use super::policy::settings_and_set;
use super::tell;
use crate::fault::{EXIT_FAILURE, EXIT_OK, Fault};
use crate::governance::Tool;
use crate::policy::authority::{Judgement, Matched, PolicySet};
use crate::policy::cascade::CascadeTier;
use crate::policy::model::{Action, Phase};
use crate::policy::rules::cases::WrittenCall;
use crate::policy::signal::Signal;
use crate::settings::{self, Settings};
use crate::strict::{Strings, read_object};
use crate::wiring;
use clap::Args;
use serde_json::{Value, json};
use std::io::{self, Read, Write};
use std::process::ExitCode;

/// Longest call that is read: the longest message that any setting allows (1 GiB).
const LONGEST_CALL_BYTES: u64 = 1 << 30;

/// What `callgate explain` is told.
#[derive(Clone, Debug, Args)]
pub struct ExplainOptions {
    /// The call as JSON: {"backend":"db","tool":"query","arguments":{…}}; also "annotations", "agent", "at", "phase"
    /// and "text". Read from standard input when it is left out
    pub call: Option<String>,
    /// As one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Explains the call of `options` or `input`. Ends with [`EXIT_OK`] whatever the verdict is.
pub fn run(options: &ExplainOptions, input: impl Read, out: &mut dyn Write) -> ExitCode {
    let explained = settings_and_set().and_then(|(settings, set)| {
        let call = WrittenCall::parse(&text(options, input)?, "call")?;
        let mut explained = explanation(&call, &set, &settings.identity.ai_agent);
        govern(&call, settings, &mut explained);
        Ok(explained)
    });
    let written = match explained {
        Err(faults) => return tell(&faults),
        Ok(explained) if options.json => writeln!(out, "{explained:#}"),
        Ok(explained) => for_a_person(&explained, out),
    };
    ExitCode::from(if written.is_ok() { EXIT_OK } else { EXIT_FAILURE })
}

fn text(options: &ExplainOptions, input: impl Read) -> Result<String, Vec<Fault>> {
    if let Some(call) = &options.call {
        return Ok(call.clone());
    }
    let mut text = String::new();
    let read = input.take(LONGEST_CALL_BYTES).read_to_string(&mut text);
    read.map_err(|error| {
        vec![Fault::settings("call", error.to_string(), "write the call as JSON in UTF-8")]
    })?;
    Ok(text)
}

/// The verdict as the gate would give it.
pub fn verdict(judged: &Result<Judgement, String>) -> &'static str {
    match judged {
        Err(_) => "deny",
        Ok(judged) => match (judged.action, &judged.masked) {
            (Some(Action::Block), _) | (Some(Action::Redact), None) => "deny",
            (Some(Action::RequireApproval), _) => "needs_approval",
            _ => "allow",
        },
    }
}

fn explanation(call: &WrittenCall, set: &PolicySet, agent: &str) -> Value {
    let judged = call.judge(set, agent);
    let word = |severity| serde_json::to_value(severity).unwrap_or_default();
    let mut shown = json!({"verdict": verdict(&judged), "policy_version": set.version()});
    match &judged {
        Err(error) => {
            shown["reasons"] = json!([format!("the arguments cannot be decided on: {error}")]);
            shown["matched"] = json!([]);
        }
        Ok(judged) => {
            let matched: Vec<Value> = judged
                .matched
                .iter()
                .map(|found| {
                    let is_rule = set.rules().rules().iter().any(|rule| rule.id == found.policy_id);
                    let kind = match judged.tier {
                        Some(CascadeTier::Rego) => "rego",
                        _ if is_rule => "rule",
                        _ => "policy",
                    };
                    json!({"policy_id": found.policy_id, "policy_name": found.policy_name,
                        "category": found.category, "severity": word(found.severity),
                        "action": found.action.word(), "message": found.message,
                        "kind": kind})
                })
                .collect();
            let told = judged.matched.iter().filter(|found| found.action != Action::Log);
            shown["action"] = json!(judged.action.map(Action::word));
            shown["reasons"] = told.map(|found| found.reason()).collect();
            shown["matched"] = matched.into();
            shown["tier"] = json!(judged.tier.map(CascadeTier::word));
            shown["evaluated"] = judged.evaluated.into();
            shown["masked"] = json!(judged.masked.as_deref().map(|bytes| {
                serde_json::from_slice::<Value>(bytes)
                    .unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned().into())
            }));
        }
    }
    shown["signals"] = json!(signals(call, set));
    shown
}

/// Adds what the rules about tools say, which are asked first, and whether anything is blocked at all.
fn govern(call: &WrittenCall, settings: Settings, shown: &mut Value) {
    let agent = call.agent.clone().unwrap_or_else(|| settings.identity.ai_agent.clone());
    let (mut settings, note) = with_backends(settings);
    settings.identity.ai_agent = agent;
    let backend = call.backend.as_str();
    // With one backend nothing else is meant.
    let backend = match &settings.backends[..] {
        [only] if backend.is_empty() => only.id.as_str(),
        _ => backend,
    };
    let tool = Tool {
        backend,
        own: &call.tool,
        exposed: &call.tool,
        is_annotated: call.hints.told.read_only == Some(true),
    };
    let is_judged = call.phase == Phase::Request && !call.tool.is_empty();
    if let Some(denial) = wiring::governance(&settings).judge(&tool).filter(|_| is_judged) {
        let spoke = Matched::from(denial);
        shown["verdict"] = json!("deny");
        shown["action"] = json!(Action::Block.word());
        prepend(&mut shown["reasons"], json!(spoke.reason()));
        prepend(
            &mut shown["matched"],
            json!({"policy_id": spoke.policy_id, "policy_name": spoke.policy_name, "category": spoke.category,
                "severity": spoke.severity.word(), "action": spoke.action.word(), "message": spoke.message,
                "kind": "governance"}),
        );
    }
    if settings.monitor {
        shown["monitor"] = json!(true);
    }
    if let Some(note) = note {
        shown["notes"] = json!([note]);
    }
}

/// The settings with the backends, whose entries hold rules about their tools; without them, and a note, where they
/// cannot be read.
fn with_backends(settings: Settings) -> (Settings, Option<String>) {
    let env = settings::environment();
    let is_set = |name| settings::lookup(&env, name).is_some_and(|value| !value.is_empty());
    if !is_set("AXONFLOW_BACKENDS") && !is_set("AXONFLOW_BACKENDS_FILE") {
        return (settings, None);
    }
    match Settings::load(&env, &settings::read_file) {
        Ok(settings) => (settings, None),
        Err(faults) => {
            let why = faults.first().map(ToString::to_string).unwrap_or_default();
            (settings, Some(format!("the rules about tools in the backends' entries are not asked: {why}")))
        }
    }
}

fn prepend(list: &mut Value, value: Value) {
    if let Some(list) = list.as_array_mut() {
        list.insert(0, value);
    }
}

/// What the texts of the call were understood to do.
fn signals(call: &WrittenCall, set: &PolicySet) -> Vec<Signal> {
    struct Each<'a>(&'a PolicySet, Vec<Signal>);
    impl Strings for Each<'_> {
        fn key(&mut self, text: &str) {
            self.value(text);
        }
        fn value(&mut self, text: &str) {
            let found = self.0.engine().signals(text);
            self.1.extend(found);
        }
    }
    let mut each = Each(set, Vec::new());
    match &call.text {
        Some(text) => each.value(text),
        // What cannot be read was told by the verdict.
        None => drop(read_object(call.arguments.as_bytes(), &mut each)),
    }
    let mut found = each.1;
    found.sort_unstable();
    found.dedup();
    found
}

fn for_a_person(shown: &Value, out: &mut dyn Write) -> io::Result<()> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    writeln!(out, "verdict   {}", text(&shown["verdict"]))?;
    for reason in shown["reasons"].as_array().into_iter().flatten() {
        writeln!(out, "reason    {}", text(reason))?;
    }
    for found in shown["matched"].as_array().into_iter().flatten() {
        let column = |key: &str| text(&found[key]);
        writeln!(
            out,
            "{:8}  {}  {}  {}  {}: {}",
            column("kind"),
            column("policy_id"),
            column("severity"),
            column("category"),
            column("action"),
            column("policy_name")
        )?;
    }
    if !shown["tier"].is_null() {
        writeln!(out, "tier      {}", text(&shown["tier"]))?;
    }
    let signals: Vec<String> = shown["signals"].as_array().into_iter().flatten().map(text).collect();
    if !signals.is_empty() {
        writeln!(out, "signals   {}", signals.join(", "))?;
    }
    if !shown["masked"].is_null() {
        writeln!(out, "masked    {}", shown["masked"])?;
    }
    if shown["monitor"] == true {
        writeln!(out, "monitor   on: the verdict would be recorded, and the call would run")?;
    }
    for note in shown["notes"].as_array().into_iter().flatten() {
        writeln!(out, "note      {}", text(note))?;
    }
    if !shown["evaluated"].is_null() {
        writeln!(out, "asked     {} policies and rules", shown["evaluated"])?;
    }
    writeln!(out, "version   {}", text(&shown["policy_version"]))
}
