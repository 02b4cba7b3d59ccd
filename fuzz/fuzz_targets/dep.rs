//! libFuzzer's way into [`modrig_fuzz::dep`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| modrig_fuzz::dep::check(data));
