//! libFuzzer's way into [`modrig_fuzz::edit`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| modrig_fuzz::edit::check(data));
