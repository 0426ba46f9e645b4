//! Bytes and JSON-RPC: framing, strict reading, raw splicing, error codes. No IO decisions, no state of a session.

pub mod codes;
pub mod envelope;
pub mod frame;
pub mod skim;
pub mod splice;
pub mod strict;
pub mod write;
