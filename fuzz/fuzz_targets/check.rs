//! libFuzzer's way into [`modrig_fuzz::check`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| modrig_fuzz::check::check(data));
