//! libFuzzer's way into [`modrig_fuzz::alias`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| modrig_fuzz::alias::check(data));
