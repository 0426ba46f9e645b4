//! Real processes that are killed, stopped, starved and cut off, and what must hold after each: no forwarded call
//! without a row, no row twice, no write executed twice, an unbroken chain (`docs/reliability.md`).
//!
//! `cargo test --test chaos` does a few dozen kills; `CALLGATE_CHAOS_KILLS=500 cargo test --test chaos kills` does so
//! many, `CALLGATE_CHAOS_SEED` others.
#![cfg(unix)]
#![allow(clippy::expect_used, reason = "a test says by a panic what it missed")]

mod approvals;
#[path = "../it/harness/mod.rs"]
mod harness;
mod kills;
mod others;
mod world;
