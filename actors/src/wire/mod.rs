//! Bytes and JSON-RPC: framing, strict reading, raw splicing, error codes, event streams, the process's own streams.
//! No state of a session.

pub mod codes;
pub mod envelope;
pub mod frame;
pub mod skim;
pub mod splice;
pub mod sse;
pub mod stdio;
pub mod strict;
pub mod write;
