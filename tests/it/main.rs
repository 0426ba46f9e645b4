//! The proxy from outside: a raw client in front, stub servers behind, a stub decision service beside it.
//!
//! Tests named `w01_…` to `w60_…` stand for one known weakness each of an earlier proxy of this kind.

mod harness;
mod stubs;
