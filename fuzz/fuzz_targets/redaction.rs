//! libFuzzer on the target `redaction`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::redaction(data));
