//! The proxy from outside: a raw client in front, stub servers behind, a stub decision service beside it.
//!
//! Tests named `w01_…` to `w63_…` stand for one known weakness each of an earlier proxy of this kind.
#![allow(clippy::expect_used, reason = "a test says by a panic what it missed")]

mod aaf;
mod approvals;
mod audit;
mod backends;
mod bundle;
mod bypass;
mod commands;
mod enforcement;
mod front;
mod governance;
mod harness;
mod hostile;
mod http_backends;
mod journal;
mod library;
mod names;
#[cfg(target_os = "linux")]
mod notifications;
mod page;
mod pdp_server;
mod policies;
mod redaction;
mod rego;
mod relay;
mod remote_pdp;
mod shutdown;
#[cfg(unix)]
mod stores;
mod stubs;
mod supervision;
mod tidy;
#[cfg(unix)]
mod wrap;
