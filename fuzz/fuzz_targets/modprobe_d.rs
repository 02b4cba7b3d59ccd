//! libFuzzer's way into [`modrig_fuzz::modprobe_d`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| modrig_fuzz::modprobe_d::check(data));
