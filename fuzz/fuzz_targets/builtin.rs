//! libFuzzer's way into [`modrig_fuzz::builtin`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| modrig_fuzz::builtin::check(data));
