//! libFuzzer's way into [`modrig_fuzz::param`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| modrig_fuzz::param::check(data));
