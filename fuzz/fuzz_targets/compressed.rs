//! libFuzzer's way into [`modrig_fuzz::compressed`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| modrig_fuzz::compressed::check(data));
