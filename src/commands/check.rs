//! `callgate check`: the settings, the audit file, and every backend started once.

use super::serve::{MONITOR, audits, decides};
use super::tell;
use crate::fault::{EXIT_CHECK, EXIT_OK, Fault};
use crate::governance::{Governance, Tool};
use crate::journal::Journal;
use crate::log::escape;
use crate::settings::{self, BackendEntry, Environment, Pdp, Settings};
use crate::{log, wiring};
use callgate_actors::directory::{self, Directory, Route, Standing, State};
use callgate_actors::machine::Running;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

/// How long a backend may take to come up: a first start may download packages.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest name of a tool as some hosts count it: 64 less the prefix that they put before it.
const HOST_NAME: usize = 49;

/// Checks everything and writes what it found to `out`.
pub fn run(out: &mut dyn Write) -> ExitCode {
    let env = settings::environment();
    let settings = match Settings::load(&env, &settings::read_file) {
        Ok(settings) => settings,
        Err(faults) => return tell(&faults),
    };
    let _log = log::init(if settings.log == "info" { "warn" } else { &settings.log });
    match check(&settings, &env, out) {
        Ok(true) => ExitCode::from(EXIT_OK),
        Ok(false) => ExitCode::from(EXIT_CHECK),
        Err(fault) => tell(&[fault]),
    }
}

fn check(settings: &Settings, env: &Environment, out: &mut dyn Write) -> Result<bool, Fault> {
    let failed =
        |error: io::Error| Fault::failure(error.to_string(), "check the system's limits and the terminal");
    show_settings(settings, out).map_err(failed)?;
    let decides = show_reach(settings, out)?;
    let records = show_audit(settings, out).map_err(failed)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let directory = runtime.block_on(look(settings, env))?;
    runtime.shutdown_background();
    let backends = show_backends(settings, &directory, out).map_err(failed)?;
    Ok(decides && records && backends)
}

fn show_settings(settings: &Settings, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "callgate {}", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "decisions   {}", decides(settings))?;
    if let Some((_, rego)) = &settings.rego {
        for file in rego.files() {
            writeln!(out, "rego        {}, {}", file.name, file.syntax.word())?;
        }
    }
    writeln!(out, "fail mode   {}", settings.fail_mode)?;
    writeln!(out, "redaction   {}, engine {}", settings.redact_responses, settings.redact_engine)?;
    let lines = wiring::governance(settings).lines();
    for line in if lines.is_empty() { vec!["unrestricted".to_owned()] } else { lines } {
        writeln!(out, "tools       {}", escape(&line))?;
    }
    if settings.monitor {
        writeln!(out, "monitor     {MONITOR}")?;
    }
    writeln!(out, "audit       {}", audits(settings))?;
    writeln!(out, "state       {}", settings.state_dir.display())?;
    for note in &settings.notes {
        writeln!(out, "note        {note}")?;
    }
    writeln!(out)
}

/// Whether the Agent Action Firewall answers. No action is made for it.
fn show_reach(settings: &Settings, out: &mut dyn Write) -> Result<bool, Fault> {
    if settings.pdp != Pdp::Aaf {
        return Ok(true);
    }
    let reached = wiring::aaf(settings)?.reach(std::time::Instant::now() + settings.decide_timeout);
    let (word, what) = match &reached {
        Ok(what) => ("ok     ", *what),
        Err(why) => ("FAILED ", why.as_str()),
    };
    let told = writeln!(out, "{word} {}  {what}\n", settings.aaf.url);
    told.map_err(|error| Fault::failure(error.to_string(), "check the terminal"))?;
    Ok(reached.is_ok())
}

/// Whether a call could be recorded now.
fn show_audit(settings: &Settings, out: &mut dyn Write) -> io::Result<bool> {
    if settings.audit_log.is_none() {
        return Ok(true);
    }
    match Journal::open(wiring::journal_options(settings)).prove() {
        Ok(()) => Ok(true),
        Err(error) => {
            writeln!(out, "FAILED      {error}\n")?;
            Ok(!settings.audit_required)
        }
    }
}

/// Starts the machine as a client would and waits for every backend.
async fn look(settings: &Settings, env: &Environment) -> Result<Arc<Directory>, Fault> {
    let failed = |error: String| Fault::failure(error, "start it again; report it if it happens twice");
    let plan = wiring::plan(settings, env)?;
    let mut machine =
        Running::start(plan, tokio::io::sink()).await.map_err(|error| failed(error.to_string()))?;
    let reader = machine.directory();
    let (mut client, input) = tokio::io::duplex(4096);
    client.write_all(OPENING).await.map_err(|error| failed(error.to_string()))?;
    let settled = |standing: &Standing| !matches!(standing.state, State::Starting);
    let watched = async {
        let enough = |directory: &Directory| directory.has_begun && directory.standings.iter().all(settled);
        directory::wait(&reader, Instant::now() + PATIENCE, enough).await
    };
    let directory = tokio::select! {
        directory = watched => directory,
        why = machine.serve(input, std::future::pending()) => return Err(failed(why)),
    };
    machine.shut_down().await;
    Ok(directory)
}

/// A client that declares nothing.
const OPENING: &[u8] = br#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"callgate-check","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
"#;

fn show_backends(settings: &Settings, directory: &Directory, out: &mut dyn Write) -> io::Result<bool> {
    let governance = wiring::governance(settings);
    let mut all_up = true;
    let mut all = Vec::new();
    for (entry, standing) in settings.backends.iter().zip(&directory.standings) {
        let is_up = show_backend(entry, standing, directory, out)?;
        all_up &= is_up;
        if is_up {
            let exposed = directory.listing.tools_of(&entry.id);
            let routes: Vec<&Route> = exposed.filter_map(|name| directory.listing.tool(name)).collect();
            let tools: Vec<Tool<'_>> = routes.into_iter().map(tool).collect();
            show_governance(settings, &governance, &entry.id, &tools, out)?;
            all.extend(tools);
        }
    }
    for idle in governance.idle(&all) {
        writeln!(out, "note    {}", escape(&idle))?;
    }
    Ok(all_up)
}

fn tool(route: &Route) -> Tool<'_> {
    let Route { id, own, exposed, hints, .. } = route;
    Tool { backend: id, own, exposed, is_annotated: hints.told.read_only == Some(true) }
}

/// What holds for one backend's tools besides, and which of them do not run, each with the reason.
fn show_governance(
    settings: &Settings,
    governance: &Governance,
    id: &str,
    tools: &[Tool<'_>],
    out: &mut dyn Write,
) -> io::Result<()> {
    for line in governance.lines_of(id) {
        writeln!(out, "        {}", escape(&line))?;
    }
    let word = if settings.monitor { "would be denied" } else { "denied" };
    for tool in tools {
        if let Some(denial) = governance.judge(tool) {
            let line = format!("{word}  {}: {} ({})", tool.exposed, denial.reason, denial.policy_id);
            writeln!(out, "        {}", escape(&line))?;
        }
    }
    Ok(())
}

fn show_backend(
    entry: &BackendEntry,
    standing: &Standing,
    directory: &Directory,
    out: &mut dyn Write,
) -> io::Result<bool> {
    let why = match &standing.state {
        State::Up(_) => None,
        State::Starting => Some(format!("was not ready after {} s", PATIENCE.as_secs())),
        State::Restarting { why, .. } | State::Parked { why, .. } | State::Over { why } => {
            Some(why.to_string())
        }
    };
    if let Some(why) = why {
        writeln!(out, "FAILED  {}  {}\n        {why}", entry.id, entry.target())?;
        return Ok(false);
    }
    let tools: Vec<&str> = directory.listing.tools_of(&entry.id).collect();
    writeln!(
        out,
        "ok      {}  {}\n        {} tools: {}",
        entry.id,
        entry.target(),
        tools.len(),
        tools.join(", ")
    )?;
    for name in tools.iter().filter(|name| name.len() > HOST_NAME) {
        writeln!(out, "        note: {name} has {} characters; some hosts refuse it", name.len())?;
    }
    Ok(true)
}
