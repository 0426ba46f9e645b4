//! `callgate`: serve one MCP client on standard input and output. Log, settings, build, run, drain.

use super::tell;
use crate::fault::{EXIT_OK, Fault};
use crate::settings::{self, Environment, Pdp, Settings};
use crate::{log, signals, wiring};
use callgate_actors::machine::Running;
use callgate_actors::wire::stdio;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Told at the start, so that nobody takes a trial for a guard.
pub(super) const MONITOR: &str =
    "MONITOR MODE (CALLGATE_MONITOR=on): every call is decided and recorded, NOTHING IS BLOCKED";
/// Longest wait for the last log lines.
const LAST_LOG: Duration = Duration::from_millis(50);

/// Serves until the client leaves or a signal comes.
pub fn run() -> ExitCode {
    let env = settings::environment();
    let settings = match Settings::load(&env, &settings::read_file) {
        Ok(settings) => settings,
        Err(faults) => return tell(&faults),
    };
    let log = log::init(&settings.log);
    introduce(&settings);
    // One thread moves messages; a second would only add hops between processors.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return tell(&[Fault::failure(format!("no runtime: {error}"), "check the system's limits")]);
        }
    };
    let served = runtime.block_on(serve(&settings, &env));
    runtime.shutdown_background();
    log.flush(Instant::now() + LAST_LOG);
    match served {
        Ok(()) => ExitCode::from(EXIT_OK),
        Err(fault) => tell(&[fault]),
    }
}

async fn serve(settings: &Settings, env: &Environment) -> Result<(), Fault> {
    let plan = wiring::plan(settings, env)?;
    let streams = stdio::open();
    let (input, output) = streams.map_err(|error| {
        Fault::failure(format!("standard streams: {error}"), "start it from an MCP client")
    })?;
    let started = Running::start(plan, output).await;
    let mut machine = started.map_err(|error| {
        Fault::failure(error.to_string(), "start it again; report it if it happens twice")
    })?;
    let why = machine.serve(input, signals::leave()).await;
    tracing::info!("leaving: {why}");
    let late = machine.shut_down().await;
    if !late.is_empty() {
        tracing::warn!("did not end in time and were cut off: {}", late.join(", "));
    }
    Ok(())
}

/// Tells in the log who starts and with what.
pub(super) fn introduce(settings: &Settings) {
    let version = env!("CARGO_PKG_VERSION");
    let backends = settings.backends.len();
    tracing::info!(
        version,
        backends,
        "callgate starts; decisions: {}; audit: {}",
        decides(settings),
        audits(settings)
    );
    for line in wiring::governance(settings).lines() {
        tracing::info!("tools: {line}");
    }
    if settings.monitor {
        tracing::warn!("{MONITOR}");
    }
    for note in &settings.notes {
        tracing::warn!("{note}");
    }
}

/// Who decides, for a person.
pub(super) fn decides(settings: &Settings) -> String {
    match settings.pdp {
        Pdp::Embedded => "embedded".into(),
        Pdp::Axonflow => format!("axonflow, {}", settings.platform.endpoint),
        Pdp::Aaf => format!("aaf, {}, agent {}", settings.aaf.url, settings.aaf.agent_id),
    }
}

/// Where the record goes, for a person.
pub(super) fn audits(settings: &Settings) -> String {
    match &settings.audit_log {
        Some(path) => path.display().to_string(),
        None => "stderr only (set AXONFLOW_AUDIT_LOG for a file)".into(),
    }
}
