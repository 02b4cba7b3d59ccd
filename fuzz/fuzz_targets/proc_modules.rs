//! libFuzzer's way into [`modrig_fuzz::proc_modules`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| modrig_fuzz::proc_modules::check(data));
