//! Real MCP servers from npm and PyPI, and two real clients, with and without the proxy between them.
//!
//! `scripts/test` installs what these tests need into this folder.
#![allow(clippy::expect_used, reason = "a test says by a panic what it missed")]

#[path = "../it/harness/mod.rs"]
mod harness;
mod install;
mod masked;
mod parity;
mod several;
mod wrap;
