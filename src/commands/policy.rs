//! `callgate policy`: what decides here, and whether a policy file is right.

use super::tell;
use crate::fault::{EXIT_FAILURE, EXIT_OK, Fault};
use crate::policy::authority::PolicySet;
use crate::policy::builder::PolicySetBuilder;
use crate::policy::model::{Action, Phase, Policy};
use crate::policy::posture::Class;
use crate::policy::rego::{File, RegoPath, RegoSet};
use crate::policy::rules::watch::Watched;
use crate::policy::rules::{PolicyFile, Rule};
use crate::settings::{self, Settings};
use crate::wiring;
use clap::Subcommand;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

/// What `callgate policy` is told.
#[derive(Clone, Debug, Subcommand)]
pub enum PolicyCommand {
    /// List every policy and rule with what is done about it here
    List {
        /// As a JSON array
        #[arg(long)]
        json: bool,
        /// Only of this category
        #[arg(long, value_name = "CATEGORY")]
        category: Option<String>,
    },
    /// Show everything about one policy or rule, as JSON
    Show {
        /// Its id
        id: String,
    },
    /// Check a policy file, or Rego rules: exit code 0 when they are right, 2 when they are not
    Lint {
        /// The policy file, or a .rego file or folder of such
        file: PathBuf,
    },
    /// Run the tests of a policy file: exit code 0 when all hold, 1 when one does not, 2 when the file is wrong
    Test {
        /// The file
        file: PathBuf,
        /// Rego rules to ask first, in the place of those that are set: a .rego file or folder of such
        #[arg(long, value_name = "PATH")]
        rego: Option<PathBuf>,
    },
}

/// Runs the command.
pub fn run(command: &PolicyCommand, out: &mut dyn Write) -> ExitCode {
    match decide(command, out) {
        Ok(true) => ExitCode::from(EXIT_OK),
        Ok(false) => ExitCode::from(EXIT_FAILURE),
        Err(faults) => tell(&faults),
    }
}

fn decide(command: &PolicyCommand, out: &mut dyn Write) -> Result<bool, Vec<Fault>> {
    let written = |result: io::Result<bool>| {
        result.map_err(|error| vec![Fault::failure(error.to_string(), "check where the output goes")])
    };
    match command {
        PolicyCommand::List { json, category } => {
            let (_, set) = settings_and_set()?;
            let rows =
                rows(&set).into_iter().filter(|row| category.as_ref().is_none_or(|c| *c == row.category));
            written(list(rows.collect(), *json, out))
        }
        PolicyCommand::Show { id } => {
            let (_, set) = settings_and_set()?;
            let shown = show(&set, id).ok_or_else(|| {
                let known = rows(&set).into_iter().map(|row| row.id).collect::<Vec<_>>();
                let near = settings::families::nearest(id, known.iter().map(String::as_str));
                let hint = near.map_or("`callgate policy list` shows them".into(), |near| {
                    format!("did you mean {near}")
                });
                vec![Fault::failure(format!("there is no policy {}", crate::fault::quoted(id)), hint)]
            })?;
            written(pretty(&shown, out).map(|()| true))
        }
        PolicyCommand::Lint { file } if is_rego(file) => {
            let set = read_rego(file)?;
            written(show_rego(&set, out).map(|()| true))
        }
        PolicyCommand::Lint { file } => {
            let (rules, overrides, tests) = {
                let file = read(file)?;
                (file.rules.rules().len(), file.overrides.len(), file.cases.len())
            };
            let line = format!("{}: {rules} rules, {overrides} overrides, {tests} tests", file.display());
            written(writeln!(out, "{line}").map(|()| true))
        }
        PolicyCommand::Test { file, rego } => test(file, rego.as_deref(), out),
    }
}

/// The settings, which need no backends here, and the set that they make.
///
/// # Errors
/// Everything that is wrong.
pub(super) fn settings_and_set() -> Result<(Settings, PolicySet), Vec<Fault>> {
    let env = settings::environment();
    let settings = Settings::load_without_backends(&env, &settings::read_file)?;
    let set = wiring::policy_set(&settings).map_err(|fault| vec![fault])?;
    Ok((settings, set))
}

fn read(file: &Path) -> Result<PolicyFile, Vec<Fault>> {
    let env = settings::environment();
    let home_name = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    let home = settings::lookup(&env, home_name).and_then(|home| home.to_str()).map(str::to_owned);
    Watched { path: file.to_owned(), home }.read()
}

fn is_rego(path: &Path) -> bool {
    path.is_dir() || path.extension().is_some_and(|ending| ending == "rego")
}

fn read_rego(path: &Path) -> Result<RegoSet, Vec<Fault>> {
    RegoPath { path: path.to_owned() }.load()
}

/// Which file is written in which syntax, what is asked, and what is worth telling.
fn show_rego(set: &RegoSet, out: &mut dyn Write) -> io::Result<()> {
    for file in set.files() {
        writeln!(out, "{}: {}", file.name, file.syntax.word())?;
    }
    let entries: Vec<&str> = set.entries().collect();
    writeln!(out, "{} rules; asked for {}", set.rules(), entries.join(", "))?;
    set.notes().iter().try_for_each(|note| writeln!(out, "note: {note}"))
}

fn test(path: &Path, rego: Option<&Path>, out: &mut dyn Write) -> Result<bool, Vec<Fault>> {
    let file = read(path)?;
    // The file under test stands in the place of the one that is set; posture and profile are the settings'.
    let (settings, set) = settings_and_set()?;
    let broken =
        |error: &dyn ToString| vec![Fault::failure(error.to_string(), "report this build as broken")];
    let mut parts: PolicySetBuilder = set.parts().clone();
    parts.set_file(file.rules.clone(), file.overrides.clone());
    if let Some(rego) = rego {
        parts.set_rego(Some(Arc::new(read_rego(rego)?)));
    }
    let set = parts.build().map_err(|error| broken(&error))?;
    let mut failed = 0;
    let mut lines = Vec::new();
    for case in &file.cases {
        if let Err(instead) = case.run(&set, &settings.identity.ai_agent) {
            failed += 1;
            let by = case.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
            lines.push(format!("FAILED  {}: expected {}{by}; {instead}", case.name, case.expect.word()));
        }
    }
    lines.push(format!("{} of {} tests hold", file.cases.len() - failed, file.cases.len()));
    lines.iter().try_for_each(|line| writeln!(out, "{line}")).map_err(|error| broken(&error))?;
    Ok(failed == 0)
}

/// One line of the list.
struct Row {
    id: String,
    name: String,
    severity: String,
    category: String,
    phase: String,
    /// What is done here in each phase that it is asked in.
    action: String,
    source: &'static str,
}

fn word(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn rows(set: &PolicySet) -> Vec<Row> {
    let mut rows: Vec<Row> = set.parts().rego().iter().flat_map(|rego| rows_of_rego(rego)).collect();
    rows.extend(set.rules().rules().iter().map(row_of_rule));
    rows.extend(set.engine().policies().map(|policy| row_of_policy(set, policy)));
    rows
}

/// One row for each package: what its rules say is only known of a call.
fn rows_of_rego(rego: &RegoSet) -> Vec<Row> {
    let row = |package: &str| Row {
        id: format!("rego:{package}"),
        name: "Rego rules, asked before all others".into(),
        severity: "high".into(),
        category: "rego".into(),
        phase: word(Phase::Request),
        action: "decides".into(),
        source: "rego",
    };
    rego.packages().map(row).collect()
}

fn row_of_rule(rule: &Rule) -> Row {
    Row {
        id: rule.id.clone(),
        name: rule.name.clone(),
        severity: word(rule.severity),
        category: rule.category.clone(),
        phase: word(rule.phase),
        action: if rule.enabled { rule.action.word().into() } else { "off".into() },
        source: "policy file",
    }
}

fn row_of_policy(set: &PolicySet, policy: &Policy) -> Row {
    let done = |phase| action_here(set, policy, phase).map_or("off", Action::word);
    let action = match policy.phase {
        Phase::Request => done(Phase::Request).to_owned(),
        Phase::Response => done(Phase::Response).to_owned(),
        Phase::Both => format!("{}/{}", done(Phase::Request), done(Phase::Response)),
    };
    Row {
        id: policy.policy_id.clone(),
        name: policy.name.clone(),
        severity: word(policy.severity),
        category: policy.category.clone(),
        phase: word(policy.phase),
        action,
        source: source(set, policy),
    }
}

fn action_here(set: &PolicySet, policy: &Policy, phase: Phase) -> Option<Action> {
    let now = SystemTime::now();
    set.posture("", "", now).action(policy, phase, now)
}

/// Where the action comes from.
fn source(set: &PolicySet, policy: &Policy) -> &'static str {
    let now = SystemTime::now();
    let posture = set.posture("", "", now);
    let over = posture.overrides.get(&policy.policy_id);
    let own = |phase: Phase| match phase {
        Phase::Response => policy.action_response,
        Phase::Request | Phase::Both => policy.action_request,
    };
    if over.is_some_and(|over| over.expires_at.is_none_or(|end| now < end)) {
        "override"
    } else if policy.observe_only {
        "shipped"
    } else if posture.actions.contains_key(&Class::of(&policy.category)) {
        "setting"
    } else if [Phase::Request, Phase::Response]
        .iter()
        .any(|phase| action_here(set, policy, *phase).is_some_and(|action| action != own(*phase)))
    {
        "profile"
    } else if set.parts().stored().iter().any(|stored| stored.policy_id == policy.policy_id) {
        "database"
    } else {
        "shipped"
    }
}

fn list(rows: Vec<Row>, as_json: bool, out: &mut dyn Write) -> io::Result<bool> {
    if as_json {
        let rows: Vec<Value> = rows
            .iter()
            .map(|row| {
                json!({"policy_id": row.id, "name": row.name, "severity": row.severity, "category": row.category,
                    "phase": row.phase, "action": row.action, "source": row.source})
            })
            .collect();
        pretty(&Value::from(rows), out)?;
        return Ok(true);
    }
    let widest = |pick: fn(&Row) -> &str| rows.iter().map(|row| pick(row).chars().count()).max().unwrap_or(0);
    let (id, category, action) =
        (widest(|row| &row.id), widest(|row| &row.category), widest(|row| &row.action));
    for row in &rows {
        writeln!(
            out,
            "{:id$}  {:8}  {:category$}  {:8}  {:action$}  {}",
            row.id, row.severity, row.category, row.phase, row.action, row.source
        )?;
    }
    Ok(true)
}

fn show(set: &PolicySet, id: &str) -> Option<Value> {
    if let Some(rego) = set.parts().rego()
        && let Some(package) = id.strip_prefix("rego:").filter(|id| rego.packages().any(|own| own == *id))
    {
        let file = |file: &File| json!({"file": file.name, "syntax": file.syntax.word()});
        return Some(json!({"policy_id": id, "package": package, "category": "rego", "phase": "request",
            "source": "rego", "rules": rego.rules(), "asked": rego.entries().collect::<Vec<_>>(),
            "files": rego.files().iter().map(file).collect::<Vec<_>>(), "notes": rego.notes()}));
    }
    if let Some(rule) = set.rules().rules().iter().find(|rule| rule.id == id) {
        let written = set.rules().written(id);
        return Some(json!({"policy_id": rule.id, "name": rule.name, "description": rule.description,
            "category": rule.category, "severity": word(rule.severity), "priority": rule.priority,
            "phase": word(rule.phase), "action": rule.action.word(), "enabled": rule.enabled,
            "message": rule.message, "source": "policy file", "written": written}));
    }
    let policy = set.engine().policies().find(|policy| policy.policy_id == id)?;
    let here = |phase| action_here(set, policy, phase).map(Action::word);
    let overrides: Vec<Value> = set
        .parts()
        .overrides()
        .filter(|over| over.policy_id == id)
        .map(|over| {
            let ends = over.change.expires_at.and_then(|end| jiff::Timestamp::try_from(end).ok());
            json!({"action": over.change.action.map_or("off", Action::word), "reason": over.change.reason,
                "tool": over.tool, "expires_at": ends.map(|end| end.to_string())})
        })
        .collect();
    Some(json!({"policy_id": policy.policy_id, "name": policy.name, "category": policy.category,
        "severity": word(policy.severity), "tier": word(policy.tier), "priority": policy.priority,
        "phase": word(policy.phase), "action_request": policy.action_request.word(),
        "action_response": policy.action_response.word(), "observe_only": policy.observe_only,
        "here": {"request": here(Phase::Request), "response": here(Phase::Response), "source": source(set, policy)},
        "overrides": overrides,
        "patterns": policy.detect.patterns.iter().map(|pattern| &pattern.regex).collect::<Vec<_>>(),
        "signals": policy.detect.signals, "personal_data": policy.detect.personal_data,
        "finds": policy.must_match, "passes": policy.must_not_match}))
}

fn pretty(value: &Value, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{value:#}")
}
