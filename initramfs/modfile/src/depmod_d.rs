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

use alloc::{borrow::Cow, vec::Vec};
use core::array;

use crate::lines::logical_lines;

/// A word of a line; of a line without backslashes it borrows. A path need not be UTF-8.
pub type Word<'a> = Cow<'a, [u8]>;

/// A line that says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its number in the file, from 1; the last one's of lines that are joined.
    pub number: usize,
    /// What it says, or the first word of a line that is not understood.
    pub directive: Result<Directive<'a>, Word<'a>>,
}

/// What a line asks for. `kernel` is a POSIX extended regular expression that the release has to match, or `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directive<'a> {
    /// Directories by rank, among them perhaps `built-in` and `external`.
    Search(Vec<Word<'a>>),
    /// The file of this module in this directory wins.
    Override {
        /// The file's name up to its first dot.
        module: Word<'a>,
        /// Of which kernels.
        kernel: Word<'a>,
        /// Below the module directory.
        directory: Word<'a>,
    },
    /// A directory outside of the module directory.
    External {
        /// For which kernels.
        kernel: Word<'a>,
        /// Absolute.
        directory: Word<'a>,
    },
    /// Names of files and directories that are not looked at.
    Exclude(Vec<Word<'a>>),
    /// A word of older versions that no longer does anything.
    Obsolete(Word<'a>),
}

/// The lines of a file that are neither blank nor comments.
pub fn parse(text: &[u8]) -> impl Iterator<Item = Line<'_>> {
    logical_lines(text).filter_map(|(number, line)| {
        let directive = match line {
            Cow::Borrowed(line) => directive(words(line).map(Cow::Borrowed)),
            Cow::Owned(line) => directive(words(&line).map(|word| word.to_vec().into())),
        };
        Some(Line { number, directive: directive? })
    })
}

/// The words of a line that is no comment.
fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_comment = line.starts_with(b"#");
    line.split(|byte| matches!(byte, b' ' | b'\t')).filter(move |word| !is_comment && !word.is_empty())
}

/// None for a line without words.
fn directive<'a>(mut words: impl Iterator<Item = Word<'a>>) -> Option<Result<Directive<'a>, Word<'a>>> {
    let first = words.next()?;
    let read = match first.as_ref() {
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
fn take<'a, const N: usize>(mut words: impl Iterator<Item = Word<'a>>) -> Option<[Word<'a>; N]> {
    let mut taken = array::from_fn(|_| Word::default());
    for place in &mut taken {
        *place = words.next()?;
    }
    Some(taken)
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString as _};

    use super::*;

    fn word(text: &str) -> Word<'_> {
        text.as_bytes().into()
    }

    fn read(text: &str) -> Vec<(usize, Result<Directive<'_>, String>)> {
        let lines = parse(text.as_bytes());
        lines
            .map(|line| (line.number, line.directive.map_err(|word| String::from_utf8(word.into()).unwrap())))
            .collect()
    }

    #[test]
    fn every_directive_is_read() {
        let [a, b, c] = ["a", "b", "c"].map(word);
        assert_eq!(
            read("search updates\t built-in\noverride a b c d\nexternal a b\nexclude a\ninclude x\nmake_map_files no"),
            [
                (1, Ok(Directive::Search(["updates", "built-in"].map(word).into()))),
                (2, Ok(Directive::Override { module: a.clone(), kernel: b.clone(), directory: c })),
                (3, Ok(Directive::External { kernel: a.clone(), directory: b })),
                (4, Ok(Directive::Exclude([a].into()))),
                (5, Ok(Directive::Obsolete(word("include")))),
                (6, Ok(Directive::Obsolete(word("make_map_files")))),
            ]
        );
    }

    #[test]
    fn lines_join_and_comments_begin_in_the_first_column() {
        assert_eq!(
            read("# x\n\n \t\nsearch a\\\nb \\\n c\\d\\\\\n # y\n#\\\nbad\nSearch"),
            [
                (6, Ok(Directive::Search(["ab", "cd\\"].map(word).into()))),
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
