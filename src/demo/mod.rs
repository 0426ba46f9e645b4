//! Parts of the binary that only show it at work: a sample MCP server, a decision service, and the tour behind
//! `callgate demo`.

mod client;
pub mod decision_service;
mod ledger;
mod screen;
pub mod server;
mod tour;

pub use tour::{Options, run};
