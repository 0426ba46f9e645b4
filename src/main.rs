//! The `callgate` binary.

#![forbid(unsafe_code)]

use callgate::commands::Arguments;
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    Arguments::parse().run()
}
