//! libFuzzer's way into [`modrig_fuzz::elf`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| modrig_fuzz::elf::check(data));
