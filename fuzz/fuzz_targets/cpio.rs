//! libFuzzer's way into [`modrig_fuzz::cpio`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| modrig_fuzz::cpio::check(data));
