//! libFuzzer's way into [`modrig_fuzz::symbols`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| modrig_fuzz::symbols::check(data));
