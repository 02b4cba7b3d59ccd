//! libFuzzer's way into [`modrig_fuzz::versions`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| modrig_fuzz::versions::check(data));
