//! libFuzzer's way into [`modrig_fuzz::module`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| modrig_fuzz::module::check(data));
