//! `callgate wrap`: governs one server that is started as if it had been run itself. Signals go to it, its standard error
//! is ours, and its exit code is ours.

mod options;

pub use options::WrapOptions;

use super::serve::introduce;
use super::tell;
use crate::fault::{EXIT_FAILURE, Fault};
use crate::launch::{NotRunnable, Wrapped};
use crate::settings::{self, Environment, Settings};
use crate::{log, signals, wiring};
use callgate_actors::machine::Running;
use callgate_actors::process::{Ended, Tether};
use callgate_actors::wire::stdio;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Longest wait for the last log lines.
const LAST_LOG: Duration = Duration::from_millis(50);
/// Longest wait for how the server ended, once it was killed.
const LAST_NEWS: Duration = Duration::from_secs(1);
/// The audit file in the state directory where the settings name none: without one a call could not be recorded, since
/// standard error is the server's.
const AUDIT_FILE: &str = "audit.jsonl";
/// What a shell adds to the number of the signal that ended a command.
const SIGNALLED: i32 = 128;
/// What a shell ends with when a command was found and cannot be run.
const NOT_EXECUTABLE: u8 = 126;

/// Runs the server until it ends, and ends as it did.
pub fn run(options: &WrapOptions) -> ExitCode {
    let host = settings::environment();
    let (env, settings) = match load(options, &host) {
        Ok(loaded) => loaded,
        Err(faults) => return tell(&faults),
    };
    let server = match Wrapped::find(options.program(), options.arguments(), &host) {
        Ok(server) => server,
        Err(NotRunnable { exit_code, what, hint }) => {
            tell(&[Fault::failure(what, hint)]);
            return ExitCode::from(exit_code);
        }
    };
    let log = log::init(&settings.log);
    introduce(&settings);
    options.warn();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return tell(&[Fault::failure(format!("no runtime: {error}"), "check the system's limits")]);
        }
    };
    let served = runtime.block_on(serve(&settings, &env, server, options.verbose));
    runtime.shutdown_background();
    log.flush(Instant::now() + LAST_LOG);
    match served {
        Ok(code) => ExitCode::from(code),
        Err(fault) => tell(&[fault]),
    }
}

/// The settings of the environment under those of the options.
fn load(options: &WrapOptions, host: &Environment) -> Result<(Environment, Settings), Vec<Fault>> {
    let overlay = options.over(host)?;
    let loaded = Settings::load(&overlay.env, &settings::read_file);
    let mut settings = loaded.map_err(|faults| overlay.named(faults))?;
    if settings.audit_log.is_none() {
        settings.audit_log = Some(settings.state_dir.join(AUDIT_FILE));
    }
    Ok((overlay.env, settings))
}

async fn serve(settings: &Settings, env: &Environment, server: Wrapped, verbose: bool) -> Result<u8, Fault> {
    let tether = Tether::default();
    let plan = wiring::wrap_plan(settings, env, server, tether.clone(), verbose)?;
    let streams = stdio::open();
    let (input, output) = streams.map_err(|error| {
        Fault::failure(format!("standard streams: {error}"), "start it from an MCP client")
    })?;
    // In a task of its own: signals are for the server also while it leaves.
    let signals = tokio::spawn(signals::hand_on(tether.clone()));
    let started = Running::start(plan, output).await;
    let mut machine = started.map_err(|error| {
        Fault::failure(error.to_string(), "start it again; report it if it happens twice")
    })?;
    let stop = async { signals.await.unwrap_or("the signals are not watched any more") };
    let why = machine.serve(input, stop).await;
    tracing::info!("leaving: {why}");
    let directory = machine.directory();
    let late = machine.shut_down().await;
    if !late.is_empty() {
        tracing::info!("did not end in time and were cut off: {}", late.join(", "));
    }
    if !tether.has_run() {
        let why = directory.borrow().over().map_or(why, |why| why.to_string());
        tracing::error!("the server did not run: {why}");
        return Ok(NOT_EXECUTABLE);
    }
    // A system under load is slow to say how a process ended.
    let ended = tokio::time::timeout(LAST_NEWS, tether.ended()).await;
    Ok(ended.map_or(EXIT_FAILURE, exit_code))
}

/// The server's exit code as a shell would see it.
fn exit_code(ended: Ended) -> u8 {
    let code = match ended {
        Ended::Exited(code) => code,
        Ended::Signalled(signal) => SIGNALLED + signal,
        Ended::Unknown => i32::from(EXIT_FAILURE),
    };
    u8::try_from(code).unwrap_or(EXIT_FAILURE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_what_a_shell_would_see() {
        assert_eq!(exit_code(Ended::Exited(0)), 0);
        assert_eq!(exit_code(Ended::Exited(255)), 255);
        assert_eq!(exit_code(Ended::Signalled(9)), 137);
        assert_eq!(exit_code(Ended::Unknown), 1);
        assert_eq!(exit_code(Ended::Exited(-1_073_741_510)), 1, "of Windows, too large for any shell");
    }
}
