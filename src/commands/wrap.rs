//! `callgate wrap`: governs one server that is started as if it had been run itself. Signals go to it, its standard error
//! is ours, and its exit code is ours.

mod options;

pub use options::WrapOptions;

use super::serve::introduce;
use super::tell;
use crate::fault::Fault;
use crate::intercept::wrapped;
use crate::launch::{NotRunnable, Wrapped};
use crate::settings::{self, Environment, Settings};
use crate::{log, signals, wiring};
use callgate_actors::process::Tether;
use callgate_actors::wire::stdio;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Longest wait for the last log lines.
const LAST_LOG: Duration = Duration::from_millis(50);
/// The audit file in the state directory where the settings name none: without one a call could not be recorded, since
/// standard error is the server's.
const AUDIT_FILE: &str = "audit.jsonl";

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
    let stop = async { signals.await.unwrap_or("the signals are not watched any more") };
    wrapped::serve(plan, &tether, input, output, stop).await
}
