//! Bytes on the way in and out.

pub mod stdio;
