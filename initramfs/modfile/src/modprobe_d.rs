//! The syntax of modprobe's configuration, `/etc/modprobe.d/*.conf`, and of `modules.softdep` and `modules.weakdep`.
//!
//! ```text
//! # comment              only in the first column, and only at a line's beginning
//! alias PATTERN MODULE
//! blacklist MODULE
//! options MODULE TEXT
//! install PATTERN COMMAND
//! remove PATTERN COMMAND
//! softdep PATTERN pre: NAME ... post: NAME ...
//! weakdep PATTERN NAME ...
//! ```
//! Words are apart by blanks and tabs. A backslash takes the meaning of the next character away, that of the end of a
//! line included: such lines are one.

use alloc::{
    borrow::ToOwned as _,
    string::{String, ToString as _},
    vec::Vec,
};

use crate::{alias::normalise, bytes::find};

/// What one line says. Names are normalised, texts and names inside of lists are not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directive {
    /// A name, or a pattern, stands for a module.
    Alias {
        /// The pattern.
        pattern: String,
        /// The module.
        module: String,
    },
    /// A module's own aliases are not heeded.
    Blacklist(String),
    /// Parameters.
    Options {
        /// The module, or an alias that leads to one.
        module: String,
        /// The parameters, tabs replaced by blanks.
        text: String,
    },
    /// A command loads the module.
    Install {
        /// Which modules.
        pattern: String,
        /// The command.
        command: String,
    },
    /// A command unloads the module.
    Remove {
        /// Which modules.
        pattern: String,
        /// The command.
        command: String,
    },
    /// Modules that are loaded before and after, and may be missing.
    Softdep(Softdep),
    /// Modules that may be loaded later; nothing is done with them but listing.
    Weakdep {
        /// Which modules.
        pattern: String,
        /// The names, one blank between.
        names: String,
    },
}

/// A `softdep` line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Softdep {
    /// Which modules.
    pub pattern: String,
    /// What is loaded before.
    pub pre: Vec<String>,
    /// What is loaded after.
    pub post: Vec<String>,
}

/// Why a line is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// There is no such directive.
    Unknown,
    /// There was one, `include` or `config`.
    Obsolete,
    /// Something is missing after the word.
    Incomplete,
    /// A bracket in a name has no partner.
    OddBracket,
}

/// Lines with their numbers. Where several are joined it is the last one's.
///
/// A line ends for its reader at a NUL, and a backslash at the very end of the file is nothing.
pub fn logical_lines(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    let (mut rest, mut number) = (bytes, 0);
    core::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut line = Vec::with_capacity(find(rest, b'\n').unwrap_or(rest.len()));
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            match (byte, after) {
                (b'\n', _) => break,
                (b'\\', [b'\n', after @ ..]) => {
                    number += 1;
                    rest = after;
                }
                (b'\\', [escaped, after @ ..]) => {
                    line.push(*escaped);
                    rest = after;
                }
                (b'\\', []) => {}
                _ => line.push(byte),
            }
        }
        number += 1;
        line.truncate(line.iter().position(|byte| *byte == 0).unwrap_or(line.len()));
        Some((number, line))
    })
}

/// The first word of a line that is neither empty nor a comment.
pub fn first(line: &str) -> Option<&str> {
    let (word, _) = split_word(line).filter(|_| !line.starts_with('#'))?;
    Some(word)
}

/// What a line says; None if it is empty or a comment.
///
/// # Errors
/// The line is no directive.
pub fn directive(line: &str) -> Result<Option<Directive>, Problem> {
    let Some((word, rest)) = split_word(line).filter(|_| !line.starts_with('#')) else { return Ok(None) };
    if matches!(word, "include" | "config") {
        return Err(Problem::Obsolete);
    }
    if !["alias", "blacklist", "options", "install", "remove", "softdep", "weakdep"].contains(&word) {
        return Err(Problem::Unknown);
    }
    let (name, rest) = split_word(rest).ok_or(Problem::Incomplete)?;
    let some = || if rest.is_empty() { Err(Problem::Incomplete) } else { Ok(rest.to_owned()) };
    let second = || split_word(rest).map(|(word, _)| word).ok_or(Problem::Incomplete);
    let pattern = || normalise(name).ok_or(Problem::OddBracket);
    Ok(Some(match word {
        "alias" => {
            let module = normalise(second()?).ok_or(Problem::OddBracket)?;
            Directive::Alias { pattern: pattern()?, module }
        }
        "blacklist" => Directive::Blacklist(pattern()?),
        "options" => Directive::Options { text: some()?.replace('\t', " "), module: pattern()? },
        "install" => Directive::Install { command: some()?, pattern: pattern()? },
        "remove" => Directive::Remove { command: some()?, pattern: pattern()? },
        "softdep" => Directive::Softdep(Softdep::parse(pattern()?, &some()?)),
        _ => Directive::Weakdep { names: words(&some()?).collect::<Vec<_>>().join(" "), pattern: pattern()? },
    }))
}

impl Softdep {
    fn parse(pattern: String, text: &str) -> Self {
        let mut softdep = Self { pattern, ..Self::default() };
        let mut before = None;
        for word in words(text) {
            match (word, before) {
                ("pre:", _) => before = Some(true),
                ("post:", _) => before = Some(false),
                (word, Some(true)) => softdep.pre.push(word.to_string()),
                (word, Some(false)) => softdep.post.push(word.to_string()),
                (_, None) => {}
            }
        }
        softdep
    }
}

/// The first word, and what follows the one blank after it.
fn split_word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start_matches([' ', '\t']);
    let (word, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    (!word.is_empty()).then_some((word, rest))
}

/// The words of a list. As in kmod, a single blank before the first one belongs to it, so that `softdep a  pre: b` with
/// two blanks after the name says nothing; two more, or none, are as they should be.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_blank = |character: char| matches!(character, ' ' | '\t'..='\r');
    let mut start = text.chars();
    let glued = start.next().is_some_and(is_blank) && start.next().is_some_and(|second| !is_blank(second));
    let first_end = text[usize::from(glued)..].find(is_blank).map_or(text.len(), |end| end + usize::from(glued));
    let (first, rest) = if glued { text.split_at(first_end) } else { ("", text) };
    core::iter::once(first).chain(rest.split(is_blank)).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[track_caller]
    fn check_lines(text: &str, expected: &[(usize, &str)]) {
        let found: Vec<_> =
            logical_lines(text.as_bytes()).map(|(number, line)| (number, String::from_utf8(line).unwrap())).collect();
        let found: Vec<_> = found.iter().map(|(number, line)| (*number, line.as_str())).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn lines_are_joined_and_characters_escaped_by_a_backslash() {
        check_lines("", &[]);
        check_lines("a\n\nb", &[(1, "a"), (2, ""), (3, "b")]);
        check_lines("a\\\nb \\\n\nc\n", &[(3, "ab "), (4, "c")]);
        check_lines("a\\ b\\\\\nc\\x\n", &[(1, "a b\\"), (2, "cx")]);
        check_lines("a\\", &[(1, "a")]);
        check_lines("a\\\n", &[(2, "a")]);
        check_lines("#a\\\nb\nc", &[(2, "#ab"), (3, "c")]);
        check_lines("a\0b\nc\r\n", &[(1, "a"), (2, "c\r")]);
        assert_eq!(logical_lines(&[b'\n'; 300]).last(), Some((300, Vec::new())));
    }

    #[test]
    fn every_directive_is_read() {
        let named = |name: &str| name.to_owned();
        for (line, expected) in [
            ("alias net-* a-b rest", Directive::Alias { pattern: named("net_*"), module: named("a_b") }),
            ("\tblacklist bad-one x", Directive::Blacklist(named("bad_one"))),
            ("options a-b x=1\ty=2 ", Directive::Options { module: named("a_b"), text: named("x=1 y=2 ") }),
            ("options a x=1\ty=2\tz", Directive::Options { module: named("a"), text: named("x=1 y=2 z") }),
            ("options a \t", Directive::Options { module: named("a"), text: named(" ") }),
            ("install a[b-c]-d  x\t$Y", Directive::Install { pattern: named("a[b-c]_d"), command: named(" x\t$Y") }),
            ("remove a\tb", Directive::Remove { pattern: named("a"), command: named("b") }),
            ("weakdep a b-c\t d ", Directive::Weakdep { pattern: named("a"), names: named("b-c d") }),
            (
                "weakdep a b c d e f g h i j k",
                Directive::Weakdep { pattern: named("a"), names: named("b c d e f g h i j k") },
            ),
            ("weakdep a  b c", Directive::Weakdep { pattern: named("a"), names: named(" b c") }),
        ] {
            assert_eq!(directive(line), Ok(Some(expected)), "{line}");
        }
        for line in ["", "# alias a b", "  ", "\t"] {
            assert_eq!((directive(line), first(line)), (Ok(None), None), "{line}");
        }
    }

    #[test]
    fn soft_dependencies_are_in_two_lists() {
        for (text, pre, post) in [
            ("x y pre: a b post: c", &["a", "b"][..], &["c"][..]),
            ("post: a pre: b post: c", &["b"], &["a", "c"]),
            ("pre:a", &[], &[]),
            ("pre: post:", &[], &[]),
            ("pre : a", &[], &[]),
            (" pre: a post: b", &[], &["b"]),
            (" x pre: a", &["a"], &[]),
            ("  pre: a\x0bb\r", &["a", "b"], &[]),
            ("\t", &[], &[]),
        ] {
            match directive(&format!("softdep m-n {text}")) {
                Ok(Some(Directive::Softdep(softdep))) => {
                    assert_eq!(
                        (softdep.pattern.as_str(), &softdep.pre[..]),
                        ("m_n", &pre.iter().map(|name| name.to_string()).collect::<Vec<_>>()[..])
                    );
                    assert_eq!(softdep.post, post, "{text}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_line_that_is_none_says_why() {
        for (line, problem) in [
            ("include x", Problem::Obsolete),
            ("config", Problem::Obsolete),
            ("Alias a b", Problem::Unknown),
            (" # x", Problem::Unknown),
            ("\r", Problem::Unknown),
            ("alias a", Problem::Incomplete),
            ("blacklist ", Problem::Incomplete),
            ("options a", Problem::Incomplete),
            ("softdep a ", Problem::Incomplete),
            ("blacklist a]", Problem::OddBracket),
            ("alias a b[", Problem::OddBracket),
            ("softdep a[ pre: b", Problem::OddBracket),
        ] {
            assert_eq!(directive(line), Err(problem), "{line}");
        }
    }
}
