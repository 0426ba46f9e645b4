//! What the clients of remote decision services share: the HTTP client, when not to ask, and what a refusal means.

pub(super) mod breaker;
mod gather;
pub(super) mod http;
pub(super) mod refusal;
mod resolver;
#[cfg(test)]
pub(super) mod stub;
