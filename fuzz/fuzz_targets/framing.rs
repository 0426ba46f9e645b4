//! libFuzzer on the target `framing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::framing(data));
