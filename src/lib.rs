//! What calls mean: settings, decisions, redaction, journal, commands.

pub mod canonical;
pub mod catalogue;
pub mod journal;
pub mod log;
