//! Local governance: which tools may run at all, before any policy and any network is asked. It can only tighten.
//!
//! [`rules`] holds what the operator wrote, [`judge`] what it amounts to for one agent, [`governed`] puts it in front of a
//! decision point. [`monitored`] is the trial: everything is decided and recorded, nothing is blocked.

pub mod governed;
pub mod judge;
mod lookalike;
pub mod monitored;
pub mod pattern;
pub mod rules;

pub use governed::Governed;
pub use judge::{Denial, Governance, Tool};
pub use monitored::Monitored;
pub use pattern::Pattern;
pub use rules::{Limits, Profile, ToolRules};
