//! The lines of kmod's configuration files. A backslash before a line's end joins the next line, before any other
//! character it vanishes.

use alloc::{borrow::Cow, vec::Vec};

use crate::bytes::find;

/// Lines with their numbers, from 1; where several are joined it is the last one's. A backslash at the very end of the
/// file is nothing.
pub(crate) fn logical_lines(text: &[u8]) -> impl Iterator<Item = (usize, Cow<'_, [u8]>)> {
    let (mut rest, mut number) = (text, 0);
    core::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        number += 1;
        let (line, after) = split(rest, find(rest, b'\n').unwrap_or(rest.len()));
        if find(line, b'\\').is_none() {
            rest = after;
            return Some((number, line.into()));
        }
        let mut joined = Vec::with_capacity(line.len());
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            match (byte, after) {
                (b'\n', _) => break,
                (b'\\', [b'\n', after @ ..]) => {
                    number += 1;
                    rest = after;
                }
                (b'\\', [escaped, after @ ..]) => {
                    joined.push(*escaped);
                    rest = after;
                }
                (b'\\', []) => {}
                _ => joined.push(byte),
            }
        }
        Some((number, joined.into()))
    })
}

/// What comes before and after the byte at `end`.
fn split(text: &[u8], end: usize) -> (&[u8], &[u8]) {
    (text.get(..end).unwrap_or(text), text.get(end + 1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(usize, &str)]) {
        let found: Vec<_> = logical_lines(text.as_bytes()).collect();
        let found: Vec<_> = found.iter().map(|(number, line)| (*number, str::from_utf8(line).unwrap())).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn lines_are_joined_and_characters_escaped_by_a_backslash() {
        check("", &[]);
        check("a\n\nb", &[(1, "a"), (2, ""), (3, "b")]);
        check("a\\\nb \\\n\nc\n", &[(3, "ab "), (4, "c")]);
        check("a\\ b\\\\\nc\\x\n", &[(1, "a b\\"), (2, "cx")]);
        check("a\\", &[(1, "a")]);
        check("a\\\n", &[(2, "a")]);
        check("#a\\\nb\nc", &[(2, "#ab"), (3, "c")]);
        check("c\r\n", &[(1, "c\r")]);
        assert_eq!(logical_lines(&[b'\n'; 300]).last().unwrap().0, 300);
    }

    #[test]
    fn a_line_without_backslashes_is_the_inputs_own() {
        let lines: Vec<_> = logical_lines(b"a b\nc\\ d\ne").collect();
        assert!(matches!(lines[..], [(_, Cow::Borrowed(b"a b")), (_, Cow::Owned(_)), (_, Cow::Borrowed(b"e"))]));
    }
}
