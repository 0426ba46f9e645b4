//! How calls move through callgate: wire, session, flow, backends, supervision.
//!
//! Imports run strictly downwards:
//! `limits ← wire ← call, face, reply, gate, seat, workers ← out, ports ← { pdp, approvals, redactor, audit, guardian }
//! ← { front, process, http } ← backend ← directory ← flow ← supervisor ← session ← machine`.
//! There is no policy word and no product file name in this crate.
//!
//! What is absent: no actor awaits another; no queue is without a number ([`limits`]); nothing here prints.

pub mod approvals;
pub mod audit;
pub mod backend;
pub mod call;
pub mod directory;
pub mod face;
pub mod flow;
pub mod front;
pub mod gate;
pub mod guardian;
pub mod http;
pub mod limits;
pub mod machine;
pub mod out;
pub mod pdp;
pub mod ports;
pub mod process;
pub mod redactor;
pub mod reply;
pub mod seat;
pub mod session;
pub mod supervisor;
pub mod wire;
pub mod workers;
