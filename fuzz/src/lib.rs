//! Fuzz oracles for the module formats and the guest's messages, as ordinary functions.
//!
//! An oracle takes arbitrary bytes, reads them with the code under test and panics where a promise is broken. The
//! libFuzzer targets in `fuzz_targets/` only call these; `tests/corpus.rs` replays the corpus without libFuzzer.

pub mod modinfo;
pub mod wire;

/// Whether `part` lies within the memory of `whole`: a reader that promises to borrow has not made things up.
fn borrows(whole: &[u8], part: &[u8]) -> bool {
    let (whole, part) = (whole.as_ptr_range(), part.as_ptr_range());
    part.is_empty() || (whole.start <= part.start && part.end <= whole.end)
}
