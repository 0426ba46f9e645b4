//! What calls mean: settings, decisions, redaction, journal, commands.

pub mod approvals;
pub mod canonical;
pub mod catalogue;
pub mod commands;
pub mod demo;
pub mod fault;
pub mod governance;
pub mod intercept;
pub mod journal;
pub mod launch;
mod located;
pub mod log;
pub mod pdp;
pub mod policy;
pub mod redact;
pub mod response_phase;
pub mod response_plane;
#[cfg(test)]
mod schema_check;
pub mod secret;
pub mod server;
pub mod settings;
mod signals;
pub mod store;
pub mod strict;
pub mod wiring;
