//! libFuzzer's way into [`modrig_fuzz::wire`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| modrig_fuzz::wire::check(data));
