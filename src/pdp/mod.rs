//! Who decides a call: the implementations of [`callgate_actors::ports::Decide`].
//!
//! [`axonflow`] and [`aaf`] ask a remote policy service; [`embedded`] judges by the policies of this process;
//! [`recorded`] keeps what another one decides.

pub mod aaf;
pub mod around;
pub mod axonflow;
pub mod embedded;
pub mod recorded;
mod remote;
mod text;
pub(crate) mod trace;
