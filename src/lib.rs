//! What calls mean: settings, decisions, redaction, journal, commands.

pub mod canonical;
pub mod catalogue;
pub mod demo;
pub mod fault;
pub mod journal;
pub mod launch;
pub mod log;
pub mod secret;
pub mod settings;
