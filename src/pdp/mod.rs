//! Who decides a call: the implementations of [`callgate_actors::ports::Decide`].
//!
//! [`axonflow`] asks a remote policy service; [`embedded`] judges by the rules that come with the program.

pub mod around;
pub mod axonflow;
pub mod embedded;
mod text;
mod trace;
