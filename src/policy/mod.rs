//! The policies: what they are ([`model`]), the shipped ones ([`catalogue`]), what a text is understood to do
//! ([`signal`] and `understand`), what is done about it ([`posture`]), the [`Engine`] that asks them all, and the [`authority`] that keeps what holds now.
//!
//! Text is judged as the tool will see it, not as JSON writes it, so that no escape hides anything: every decoded
//! string and key for itself, what is packed inside them, and the strings together in their order, because a command
//! line often comes as a list of words.
//!
//! Pure functions: no actor, no channel; the only clock is the one that ends overrides. [`sources`] alone has a thread: it
//! brings in what a store says.

pub(crate) mod answer;
pub mod authority;
pub mod builder;
pub mod cascade;
pub mod catalogue;
mod compile;
mod confirm;
mod documents;
mod engine;
pub mod model;
pub mod posture;
#[cfg(test)]
mod quality;
pub mod rego;
pub mod rules;
mod sentences;
pub mod signal;
pub mod sources;
mod stored;
#[cfg(test)]
mod tests;
mod texts;
mod understand;

pub use engine::{Asked, Engine, Match};
pub(crate) use stored::expression;
pub use texts::Texts;
