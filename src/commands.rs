//! The commands of the binary.

pub mod approvals;
mod audit;
pub mod check;
pub mod explain;
pub mod page;
pub mod pdp;
pub mod policy;
pub mod scan;
pub mod serve;
pub mod wrap;

use crate::demo;
use crate::fault::{EXIT_FAILURE, EXIT_OK, Fault, exit_code};
use crate::settings::table;
use clap::{Parser, Subcommand};
use std::io::{self, Write};
use std::process::ExitCode;

/// A supervised MCP governance proxy.
///
/// Without a command it serves: an MCP client starts it and speaks MCP over its standard streams.
#[derive(Debug, Parser)]
#[command(name = "callgate", version, after_long_help = table::help(), disable_help_subcommand = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the MCP client on standard input and output (the default)
    Serve,
    /// Govern one server: run it behind the gate, as if it had been started itself
    Wrap(wrap::WrapOptions),
    /// Check the settings, start every backend once and list its tools
    Check,
    /// Show the gate at work with sample servers; needs no settings, account or network
    Demo,
    /// Decide what waits for a person
    #[command(subcommand)]
    Approvals(approvals::ApprovalsCommand),
    /// Show the policies that decide here, and check and test a policy file
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Tell what would become of a call, and who says so
    Explain(explain::ExplainOptions),
    /// Judge JSON lines from standard input as calls or answers are judged, and tell what was found
    Scan(scan::ScanOptions),
    /// Serve the AxonFlow API with the embedded policies, for a fleet of gates
    Pdp(pdp::PdpOptions),
    /// Read, check and hand on the audit record
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    #[command(hide = true)]
    Guardian,
    #[command(hide = true)]
    SampleServer,
    #[command(hide = true)]
    DemoService,
}

impl Arguments {
    /// Runs the command.
    pub fn run(self) -> ExitCode {
        match self.command {
            None | Some(Command::Serve) => serve::run(),
            Some(Command::Wrap(options)) => wrap::run(&options),
            Some(Command::Check) => check::run(&mut standard_output()),
            Some(Command::Demo) => run_demo(),
            Some(Command::Approvals(command)) => approvals::run(&command, &mut standard_output()),
            Some(Command::Policy(command)) => policy::run(&command, &mut standard_output()),
            Some(Command::Explain(options)) => {
                explain::run(&options, io::stdin().lock(), &mut standard_output())
            }
            Some(Command::Scan(options)) => {
                let set = match policy::settings_and_set() {
                    Ok((_, set)) => set,
                    Err(faults) => return tell(&faults),
                };
                let scanned = scan::run(&options, &set, io::stdin().lock(), &mut standard_output());
                ended(scanned.map(|_| true))
            }
            Some(Command::Pdp(options)) => pdp::run(&options, &mut standard_output()),
            Some(Command::Audit(command)) => audit::run(&command, &mut standard_output()),
            Some(Command::Guardian) => callgate_actors::guardian::run(io::stdin()),
            Some(Command::SampleServer) => demo::server::serve_sample(io::stdin().lock(), standard_output()),
            Some(Command::DemoService) => {
                let served = demo::decision_service::serve_until_end(io::stdin(), &mut standard_output());
                ended(served.map(|()| true))
            }
        }
    }
}

/// The one place where commands other than `serve` get the standard output.
#[expect(
    clippy::disallowed_methods,
    reason = "these commands do not speak MCP; their output is for a person"
)]
fn standard_output() -> io::Stdout {
    io::stdout()
}

fn run_demo() -> ExitCode {
    ended(demo::Options::of_this_binary().and_then(|options| demo::run(&options, &mut standard_output())))
}

fn ended(result: io::Result<bool>) -> ExitCode {
    match result {
        Ok(true) => ExitCode::from(EXIT_OK),
        Ok(false) => ExitCode::from(EXIT_FAILURE),
        Err(error) => tell(&[Fault::failure(error.to_string(), "see the lines above")]),
    }
}

/// Tells a person what is wrong, a line each, and gives the exit code.
fn tell(faults: &[Fault]) -> ExitCode {
    let mut stderr = io::stderr().lock();
    for fault in faults {
        // Nobody reads stderr: the exit code still tells.
        let _ = writeln!(stderr, "{fault}");
    }
    ExitCode::from(exit_code(faults))
}
