//! `callgate audit`: reading, checking and handing on the record.

mod export;
mod filter;
mod show;
mod stats;
mod verify;
mod would;

use crate::fault::{EXIT_OK, Fault};
use crate::journal::evidence::Evidence;
use crate::journal::keys::Keys;
use crate::settings::{self, Settings};
use clap::{Args, Subcommand};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// What is asked of the record.
#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Check that no row was changed, removed, moved or added (exit code 3 if one was)
    Verify(verify::VerifyOptions),
    /// Show rows as lines of text
    Show(show::ShowOptions),
    /// Show the last rows, and with -f those that come
    Tail(show::TailOptions),
    /// Count calls, verdicts and outcomes, by backend and tool
    Stats(stats::StatsOptions),
    /// Write rows as JSON lines or CSV
    Export(export::ExportOptions),
    /// Show the public key that this installation's checkpoints are signed with
    Key,
}

/// Which files are meant.
#[derive(Args, Debug)]
struct Files {
    /// Audit file, or several parts of one record; AXONFLOW_AUDIT_LOG unless given. One file brings the earlier
    /// files beside it along
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Files {
    /// The files named, or the one that is set.
    fn paths(&self) -> Result<Vec<PathBuf>, Vec<Fault>> {
        if !self.files.is_empty() {
            return Ok(self.files.clone());
        }
        match settings()?.audit_log {
            Some(path) => Ok(vec![path]),
            None => Err(vec![Fault::settings(
                "AXONFLOW_AUDIT_LOG",
                "no audit file is set",
                "set it, or name the file",
            )]),
        }
    }

    fn open(&self) -> Result<Evidence, Vec<Fault>> {
        Evidence::open(&self.paths()?, None).map_err(|error| vec![unreadable(&error)])
    }
}

fn settings() -> Result<Settings, Vec<Fault>> {
    Settings::load_without_backends(&settings::environment(), &settings::read_file)
}

fn unreadable(error: &io::Error) -> Fault {
    Fault::failure(error.to_string(), "check the path and its permissions")
}

/// Runs the command and writes what a person or a program asked for to `out`.
pub(super) fn run(command: &AuditCommand, out: &mut dyn Write) -> ExitCode {
    let done = match command {
        AuditCommand::Verify(options) => return verify::run(options, out),
        AuditCommand::Show(options) => show::show(options, out),
        AuditCommand::Tail(options) => show::tail(options, out),
        AuditCommand::Stats(options) => stats::run(options, out),
        AuditCommand::Export(options) => export::run(options, out),
        AuditCommand::Key => key(out),
    };
    match done {
        Ok(()) => ExitCode::from(EXIT_OK),
        Err(faults) => super::tell(&faults),
    }
}

type Done = Result<(), Vec<Fault>>;

/// Writing failed: a closed pipe is how `head` says that it has enough.
fn written(result: io::Result<()>) -> Done {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => {
            Err(vec![Fault::failure(error.to_string(), "check the file and where the output goes")])
        }
        Ok(()) => Ok(()),
    }
}

fn key(out: &mut dyn Write) -> Done {
    let state_dir = settings()?.state_dir;
    let keys = Keys::open(&state_dir).map_err(|error| {
        let what = format!("the key {:?}: {error}", Keys::path(&state_dir));
        vec![Fault::failure(what, "check CALLGATE_STATE_DIR and its permissions")]
    })?;
    written(writeln!(out, "ed25519 {}", keys.public_hex()))
}
