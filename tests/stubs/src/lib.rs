//! Parts shared by the stub servers: JSON kept as raw text, and a small HTTP/1.1 server.

pub mod http;
pub mod json;
