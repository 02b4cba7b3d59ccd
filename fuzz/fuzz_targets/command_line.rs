//! libFuzzer's way into [`modrig_fuzz::command_line`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| modrig_fuzz::command_line::check(data));
