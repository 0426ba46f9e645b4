//! How calls move through callgate: wire, session, flow, backends, supervision.
//!
//! Imports run strictly downwards:
//! `limits ← wire ← call, reply, gate, workers ← ports ← { pdp, redactor, audit, process, backend } ← directory
//! ← flow ← session ← supervisor ← shutdown`. There is no policy word and no product file name in this crate.

pub mod call;
pub mod guardian;
pub mod http;
pub mod limits;
pub mod ports;
pub mod process;
pub mod wire;
pub mod workers;
