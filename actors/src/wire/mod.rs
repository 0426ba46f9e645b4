//! Bytes and JSON-RPC: framing, strict reading, raw splicing, error codes, event streams, the process's own streams.
//! No state of a session.

pub mod codes;
pub mod envelope;
pub mod frame;
#[cfg(target_os = "linux")]
pub(crate) mod pipe;
pub mod skim;
pub mod splice;
pub mod sse;
pub mod stdio;
pub mod strict;
pub mod write;
