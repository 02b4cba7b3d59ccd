//! libFuzzer's way into [`modrig_fuzz::signature`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| modrig_fuzz::signature::check(data));
