//! The connector plane: a statement is judged, run by a tool of a backend, and what it answers is judged and masked
//! (the AxonFlow contract, section 2.4).
//!
//! The backends live in a machine of this process, as behind `callgate serve`, with one client: this plane. Every call
//! carries a decision that was made here before; the machine lets no other call through.

mod backends;
mod decided;
mod fields;
mod handlers;
mod mapping;
mod pipe;

pub use backends::Connectors;
pub(super) use handlers::{health, list, query, request, show};
