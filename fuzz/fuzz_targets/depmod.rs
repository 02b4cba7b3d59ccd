//! libFuzzer's way into [`modrig_fuzz::depmod`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| modrig_fuzz::depmod::check(data));
