//! See `tests/properties/`.
#![no_main]

#[allow(dead_code, unused_imports, reason = "every target uses a part of it")]
#[path = "../../tests/properties/mod.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::answer(bytes));
