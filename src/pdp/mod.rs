//! Who decides a call: the implementations of [`callgate_actors::ports::Decide`].
//!
//! [`axonflow`] asks a remote policy service; [`embedded`] judges by the policies of this process;
//! [`recorded`] keeps what another one decides.

pub mod around;
pub mod axonflow;
pub mod embedded;
pub mod recorded;
mod text;
pub(crate) mod trace;
