//! Standing in the place of one stdio server, on any streams: for `callgate wrap` and for programs that do the same.

use crate::fault::{EXIT_FAILURE, Fault};
use callgate_actors::machine::{Plan, Running};
use callgate_actors::process::{Ended, Tether};
use std::future::Future;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// Longest wait for how the server ended, once it was killed.
const LAST_NEWS: Duration = Duration::from_secs(1);
/// What a shell adds to the number of the signal that ended a command.
const SIGNALLED: i32 = 128;
/// What a shell ends with when a command was found and cannot be run.
const NOT_EXECUTABLE: u8 = 126;

/// Serves the client on `input` and `output` until the server has ended or `stop` says why; then the server's exit code.
pub(crate) async fn serve(
    plan: Plan,
    tether: &Tether,
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin + Send + 'static,
    stop: impl Future<Output = &'static str>,
) -> Result<u8, Fault> {
    let started = Running::start(plan, output).await;
    let mut machine = started.map_err(|error| {
        Fault::failure(error.to_string(), "start it again; report it if it happens twice")
    })?;
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
