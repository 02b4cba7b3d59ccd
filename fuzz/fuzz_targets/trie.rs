//! libFuzzer's way into [`modrig_fuzz::trie`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| modrig_fuzz::trie::check(data));
