//! What calls mean: settings, decisions, redaction, journal, commands.

pub mod redact;
