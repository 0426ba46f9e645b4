//! The AxonFlow SDKs from PyPI and crates.io against `callgate pdp`: what their users write works here, too.
//!
//! `scripts/test` installs the one and builds the other.
#![allow(clippy::expect_used, reason = "a test says by a panic what it missed")]

#[path = "../it/harness/mod.rs"]
mod harness;

use harness::{Service, Setup, callgate};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;

const ID: &str = "desk";
const SECRET: &str = "s3cret";

/// The service as both drivers expect it.
fn service() -> (Setup, Service) {
    let setup = Setup::new()
        .env("AXONFLOW_CLIENT_ID", ID)
        .env("AXONFLOW_CLIENT_SECRET", SECRET)
        .env("PII_ACTION", "redact")
        .env("SQLI_ACTION", "require_approval");
    let file = setup.path("backends.json");
    let ledger = json!([{"id": "ledger", "command": callgate(), "args": ["sample-server"]}]);
    std::fs::write(&file, ledger.to_string()).expect("written");
    let service = setup.service("pdp", &["--backends", &file]);
    (setup, service)
}

fn installed(path: PathBuf) -> PathBuf {
    assert!(path.exists(), "{} is missing: run scripts/test", path.display());
    path
}

fn drives(mut driver: Command) {
    let (setup, service) = service();
    // The SDKs tell their maker that they are used, unless they are told not to.
    driver.args([service.endpoint(), ID, SECRET]).env("AXONFLOW_TELEMETRY", "off");
    driver.env("HOME", setup.path("home")).current_dir(setup.dir.path());
    let output = driver.output().expect("the driver starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\nthe service:\n{}", service.log());
}

#[test]
fn the_python_sdk_finds_what_it_expects() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk");
    let mut python = Command::new(installed(folder.join(".venv/bin/python")));
    python.arg(folder.join("drive.py"));
    drives(python);
}

#[test]
fn the_rust_sdk_finds_what_it_expects() {
    let targets = callgate().parent().and_then(Path::parent).expect("a target folder").to_owned();
    drives(Command::new(installed(targets.join("sdk/debug/callgate-sdk-driver"))));
}
