//! An MCP server for fault injection. Healthy by default; every fault is a flag (see `options.rs`), every tool
//! is in `tools.rs`.
#![allow(
    clippy::disallowed_methods,
    reason = "a test server: it owns its stdout and exits where it is told to"
)]

mod catalogue;
mod faults;
mod http;
mod lane;
mod options;
mod server;
mod stdio;
mod tools;

use options::Options;
use server::Server;
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(why) => return refuse(&why),
    };
    if let Err(why) = faults::before_start(&options) {
        return refuse(&why);
    }
    if options.exit_at_start || options.up_file.as_ref().is_some_and(|file| !file.exists()) {
        return ExitCode::from(7);
    }
    let server = Arc::new(Server::new(options));
    match server.options.http {
        Some(port) => http::serve(&server, port),
        None => stdio::serve(&server),
    }
}

#[allow(clippy::print_stderr, reason = "a test server's way to say what is wrong")]
fn refuse(why: &str) -> ExitCode {
    eprintln!("stub-mcp: {why}");
    ExitCode::from(2)
}
