//! What every reader promises, whatever the format.

use std::{borrow::Cow, fmt::Debug};

use modfile::Error;

/// Whether `part` lies within the memory of `whole`: a reader that promises to borrow has not made things up.
pub(crate) fn borrows(whole: &[u8], part: &[u8]) -> bool {
    let (whole, part) = (whole.as_ptr_range(), part.as_ptr_range());
    part.is_empty() || (whole.start <= part.start && part.end <= whole.end)
}

/// A place in the input that any change of its first bytes moves: where an oracle cuts it.
pub(crate) fn cut(data: &[u8]) -> usize {
    let sum = data.iter().take(32).fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    usize::from(sum) * data.len() / 256
}

/// What was read of an input's beginning does not change with what follows, but for the item that the cut goes through.
pub(crate) fn check_cut<T: PartialEq + Debug>(data: &[u8], read: impl Fn(&[u8]) -> Vec<T>) -> Vec<T> {
    let whole = read(data);
    let start = read(&data[..cut(data)]);
    let settled = start.len().saturating_sub(1);
    assert_eq!(start.get(..settled), whole.get(..settled), "what follows changes what came before");
    whole
}

/// The same for readers of text.
pub(crate) fn check_cut_text<T: PartialEq + Debug>(text: &str, read: impl Fn(&str) -> Vec<T>) -> Vec<T> {
    check_cut(text.as_bytes(), |bytes| read(&as_text(bytes)))
}

/// Bytes as the tools take them for text.
pub(crate) fn as_text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// An error says what is wrong.
pub(crate) fn check_error(error: Error) {
    assert!(!error.what.is_empty() && error.to_string().starts_with(error.what));
}
