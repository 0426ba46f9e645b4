//! What calls mean: settings, decisions, redaction, journal, commands.

pub mod canonical;
pub mod log;
pub mod pdp;
