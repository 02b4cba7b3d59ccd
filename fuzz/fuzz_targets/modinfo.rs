//! libFuzzer's way into [`modrig_fuzz::modinfo`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| modrig_fuzz::modinfo::check(data));
