//! What every reader promises, whatever the format.

use std::{borrow::Cow, fmt::Debug};

use modfile::Error;

/// Whether `part` lies within the memory of `whole`: a reader that promises to borrow has not made things up.
pub(crate) fn borrows(whole: &[u8], part: &[u8]) -> bool {
    let (whole, part) = (whole.as_ptr_range(), part.as_ptr_range());
    part.is_empty() || (whole.start <= part.start && part.end <= whole.end)
}

/// Where in `whole` the part lies that a reader has borrowed from it.
pub(crate) fn offset(whole: &[u8], part: &[u8]) -> usize {
    let at = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
    assert!(at <= whole.len() && part.len() <= whole.len() - at, "what was read is not of the input");
    at
}

/// Whether `part` is a string of `whole`: it holds no NUL, and one ends it.
pub(crate) fn is_string(whole: &[u8], part: &[u8]) -> bool {
    whole.get(offset(whole, part) + part.len()) == Some(&0) && !part.contains(&0)
}

/// Lines are numbered as an editor does: the last one ends at the last line break, or is what follows it.
pub(crate) fn check_numbers(data: &[u8], last: usize) {
    let breaks = data.iter().filter(|byte| **byte == b'\n').count();
    assert!(last == breaks || last == breaks + 1, "{last} of {breaks} lines");
}

/// A place in the input that any change of its first bytes moves: where an oracle cuts it.
pub(crate) fn cut(data: &[u8]) -> usize {
    let sum = data.iter().take(32).fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    usize::from(sum) * data.len() / 256
}

/// What was read of a text's beginning does not change with what follows, but for the item that the cut goes through.
pub(crate) fn check_cut_text<'a, T, I>(text: &'a str, items: &[T], read: impl Fn(&'a str) -> I)
where
    T: PartialEq + Debug,
    I: Iterator<Item = T>,
{
    let at = (0..=cut(text.as_bytes())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    check_start(items.iter(), read(&text[..at]));
}

/// All items, with room for as many as most inputs have: each growth costs more than all of their reading.
pub(crate) fn gather<T>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut all = Vec::with_capacity(32);
    all.extend(items);
    all
}

/// All items of `start` but its last are those of `whole`.
pub(crate) fn check_start<'a, T: PartialEq + Debug + 'a>(
    mut whole: impl Iterator<Item = &'a T>,
    start: impl Iterator<Item = T>,
) {
    let mut start = start.peekable();
    while let Some(item) = start.next().filter(|_| start.peek().is_some()) {
        assert_eq!(whole.next(), Some(&item), "what follows changes what came before");
    }
}

/// What is written and read again is what it was.
pub(crate) fn check_same<T: PartialEq + Debug>(mut again: impl Iterator<Item = T>, before: impl Iterator<Item = T>) {
    for item in before {
        assert_eq!(again.next(), Some(item));
    }
    assert_eq!(again.next(), None);
}

/// Bytes as the tools take them for text.
pub(crate) fn as_text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Bytes may be refused, if the error says why.
pub(crate) fn check_refusal(result: Result<(), Error>) {
    if let Err(error) = result {
        check_error(error);
    }
}

/// An error says what is wrong.
pub(crate) fn check_error(error: Error) {
    assert!(!error.what.is_empty() && error.to_string().starts_with(error.what));
}
