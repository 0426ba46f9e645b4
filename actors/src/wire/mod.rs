//! Bytes on the way in and out.

pub mod sse;
pub mod stdio;
