//! libFuzzer's way into [`modrig_fuzz::deb822`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| modrig_fuzz::deb822::check(data));
