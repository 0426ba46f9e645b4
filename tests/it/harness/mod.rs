//! A raw MCP client that starts a server (the proxy, or a stub directly), and looks at everything it does:
//! the lines, the processes, the files.
//!
//! Nothing here knows an SDK: what is sent is what a test wrote, what is read is kept as the raw line.
#![allow(dead_code, unused_imports, reason = "two test binaries share this, and neither uses all of it")]

mod aaf;
mod gate;
mod inbox;
mod page;
mod pdp;
#[cfg(unix)]
mod postgres;
mod processes;
mod reply;
mod service;
mod setup;

pub(crate) use aaf::{AAF_KEY, Aaf};
pub(crate) use gate::Gate;
pub(crate) use page::{Heard, Page, event};
pub(crate) use pdp::{Pdp, http};
#[cfg(unix)]
pub(crate) use postgres::Cluster;
pub(crate) use processes::Process;
pub(crate) use reply::Reply;
pub(crate) use service::{Answer, Service};
pub(crate) use setup::{HttpStub, Setup};

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a test waits for something that should happen at once: long, since machines are shared.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A call that is denied by the built-in rules and by the stub decision service alike.
pub(crate) const STACKED_SQL: &str = "SELECT 1; DROP TABLE customers; --";

/// Waits until `probe` gives a value; panics with `what` when the patience is over.
pub(crate) fn eventually<T>(what: &str, probe: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, probe).unwrap_or_else(|| panic!("waited {PATIENCE:?} in vain: {what}"))
}

/// Waits until `probe` gives a value, at most for `limit`.
pub(crate) fn within<T>(limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(value) = probe() {
            return Some(value);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The proxy's binary.
pub(crate) fn callgate() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_callgate"))
}

/// A stub's binary, which a build of the whole workspace puts beside the proxy's.
pub(crate) fn stub(name: &str) -> PathBuf {
    let path = callgate().with_file_name(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.exists(),
        "{} is missing: run `cargo build --workspace` first (scripts/test does)",
        path.display()
    );
    path
}

/// The lines of a file; none when there is no such file.
pub(crate) fn lines(path: &Path) -> Vec<String> {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
}
