//! libFuzzer's way into [`modrig_fuzz::pattern`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| modrig_fuzz::pattern::check(data));
