//! What calls mean: settings, decisions, redaction, journal, commands.

pub mod fault;
pub mod launch;
pub mod secret;
pub mod settings;
