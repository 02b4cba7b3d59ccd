//! The syntax of `depmod.d/*.conf`: which of several files with one module name depmod takes, and where it looks.
//!
//! ```text
//! search updates built-in               the first directory is the strongest; several lines add up
//! override MODULE KERNEL DIRECTORY      for kernels that the pattern matches, this directory's file is taken
//! external KERNEL DIRECTORY             an absolute directory to search as well
//! exclude NAME...                       entries of directories to pass over
//! ```
//! A `#` in the first column begins a comment; a backslash before a line's end joins the next line, before any other
//! character it vanishes.

use alloc::{borrow::ToOwned, vec::Vec};

/// A word of a line. A path need not be UTF-8.
pub type Word = Vec<u8>;

/// A line that says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number in the file, from 1; the last one's of lines that are joined.
    pub number: usize,
    /// What it says, or the first word of a line that is not understood.
    pub directive: Result<Directive, Word>,
}

/// What a line asks for. `kernel` is a POSIX extended regular expression that the release has to match, or `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directive {
    /// Directories by rank, among them perhaps `built-in` and `external`.
    Search(Vec<Word>),
    /// The file of this module in this directory wins.
    Override {
        /// The file's name up to its first dot.
        module: Word,
        /// Of which kernels.
        kernel: Word,
        /// Below the module directory.
        directory: Word,
    },
    /// A directory outside of the module directory.
    External {
        /// For which kernels.
        kernel: Word,
        /// Absolute.
        directory: Word,
    },
    /// Names of files and directories that are not looked at.
    Exclude(Vec<Word>),
    /// A word of older versions that no longer does anything.
    Obsolete(Word),
}

/// The lines of a file that are neither blank nor comments.
pub fn parse(text: &[u8]) -> impl Iterator<Item = Line> {
    logical_lines(text).filter_map(|(number, line)| Some(Line { number, directive: directive(&line)? }))
}

/// None for a blank line and a comment.
fn directive(line: &[u8]) -> Option<Result<Directive, Word>> {
    let mut words =
        line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty()).map(<[u8]>::to_owned);
    let first = words.next().filter(|_| !line.starts_with(b"#"))?;
    let read = match first.as_slice() {
        b"search" => Some(Directive::Search(words.collect())),
        b"override" => take(words).map(|[module, kernel, directory]| Directive::Override { module, kernel, directory }),
        b"external" => take(words).map(|[kernel, directory]| Directive::External { kernel, directory }),
        b"exclude" => Some(Directive::Exclude(words.collect())),
        b"include" | b"make_map_files" => Some(Directive::Obsolete(first.clone())),
        _ => None,
    };
    Some(read.ok_or(first))
}

/// As many words as are wanted; further ones do not count.
fn take<const N: usize>(words: impl Iterator<Item = Word>) -> Option<[Word; N]> {
    words.take(N).collect::<Vec<_>>().try_into().ok()
}

/// Lines with their numbers, backslashes resolved.
fn logical_lines(text: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    let (mut bytes, mut number) = (text.iter().copied().peekable(), 0);
    core::iter::from_fn(move || {
        bytes.peek()?;
        number += 1;
        // Room for a usual line: to grow takes longer than to read it.
        let mut line = Vec::with_capacity(64);
        while let Some(byte) = bytes.next().filter(|byte| *byte != b'\n') {
            let byte = if byte == b'\\' { bytes.next() } else { Some(byte) };
            match byte {
                Some(b'\n') => number += 1,
                byte => line.extend(byte),
            }
        }
        Some((number, line))
    })
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString as _};

    use super::*;

    fn words<const N: usize>(words: [&str; N]) -> Vec<Word> {
        words.iter().map(|word| word.as_bytes().to_vec()).collect()
    }

    fn read(text: &str) -> Vec<(usize, Result<Directive, String>)> {
        let lines = parse(text.as_bytes());
        lines.map(|line| (line.number, line.directive.map_err(|word| String::from_utf8(word).unwrap()))).collect()
    }

    #[test]
    fn every_directive_is_read() {
        let [a, b, c] = ["a", "b", "c"].map(|word| word.as_bytes().to_vec());
        assert_eq!(
            read("search updates\t built-in\noverride a b c d\nexternal a b\nexclude a\ninclude x\nmake_map_files no"),
            [
                (1, Ok(Directive::Search(words(["updates", "built-in"])))),
                (2, Ok(Directive::Override { module: a.clone(), kernel: b.clone(), directory: c })),
                (3, Ok(Directive::External { kernel: a.clone(), directory: b })),
                (4, Ok(Directive::Exclude([a].to_vec()))),
                (5, Ok(Directive::Obsolete(b"include".to_vec()))),
                (6, Ok(Directive::Obsolete(b"make_map_files".to_vec()))),
            ]
        );
    }

    #[test]
    fn lines_join_and_comments_begin_in_the_first_column() {
        assert_eq!(
            read("# x\n\n \t\nsearch a\\\nb \\\n c\\d\\\\\n # y\n#\\\nbad\nSearch"),
            [
                (6, Ok(Directive::Search(words(["ab", "cd\\"])))),
                (7, Err("#".to_string())),
                (10, Err("Search".to_string())),
            ]
        );
    }

    #[test]
    fn a_directive_that_lacks_words_is_not_understood() {
        for line in ["override a b", "override", "external a", "external", "searching", "\\"] {
            let expected = line.split(' ').next().filter(|word| *word != "\\").map(String::from);
            assert_eq!(read(line).into_iter().next().map(|line| line.1.unwrap_err()), expected, "{line}");
        }
        assert_eq!(read("search"), [(1, Ok(Directive::Search(Vec::new())))]);
    }
}
