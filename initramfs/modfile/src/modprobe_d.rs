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

use alloc::{borrow::Cow, string::String, vec::Vec};

use crate::{alias::normalise, bytes::find, lines};

/// What one line says. Names are normalised, texts and names inside of lists are not. What is read borrows from the line
/// where that says the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directive<T = String> {
    /// A name, or a pattern, stands for a module.
    Alias {
        /// The pattern.
        pattern: T,
        /// The module.
        module: T,
    },
    /// A module's own aliases are not heeded.
    Blacklist(T),
    /// Parameters.
    Options {
        /// The module, or an alias that leads to one.
        module: T,
        /// The parameters, tabs replaced by blanks.
        text: T,
    },
    /// A command loads the module.
    Install {
        /// Which modules.
        pattern: T,
        /// The command.
        command: T,
    },
    /// A command unloads the module.
    Remove {
        /// Which modules.
        pattern: T,
        /// The command.
        command: T,
    },
    /// Modules that are loaded before and after, and may be missing.
    Softdep(Softdep<T>),
    /// Modules that may be loaded later; nothing is done with them but listing.
    Weakdep {
        /// Which modules.
        pattern: T,
        /// The names, one blank between.
        names: T,
    },
}

/// A `softdep` line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Softdep<T = String> {
    /// Which modules.
    pub pattern: T,
    /// What is loaded before.
    pub pre: Vec<T>,
    /// What is loaded after.
    pub post: Vec<T>,
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
pub fn logical_lines(bytes: &[u8]) -> impl Iterator<Item = (usize, Cow<'_, [u8]>)> {
    lines::logical_lines(bytes).map(|(number, mut line)| {
        if let Some(end) = find(&line, 0) {
            match &mut line {
                Cow::Borrowed(line) => *line = line.get(..end).unwrap_or_default(),
                Cow::Owned(line) => line.truncate(end),
            }
        }
        (number, line)
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
pub fn directive(line: &str) -> Result<Option<Directive<Cow<'_, str>>>, Problem> {
    let Some((word, rest)) = split_word(line).filter(|_| !line.starts_with('#')) else { return Ok(None) };
    if matches!(word, "include" | "config") {
        return Err(Problem::Obsolete);
    }
    if !["alias", "blacklist", "options", "install", "remove", "softdep", "weakdep"].contains(&word) {
        return Err(Problem::Unknown);
    }
    let (name, rest) = split_word(rest).ok_or(Problem::Incomplete)?;
    let some = || if rest.is_empty() { Err(Problem::Incomplete) } else { Ok(rest) };
    let second = || split_word(rest).map(|(word, _)| word).ok_or(Problem::Incomplete);
    let pattern = || normalise(name).ok_or(Problem::OddBracket);
    Ok(Some(match word {
        "alias" => {
            let module = normalise(second()?).ok_or(Problem::OddBracket)?;
            Directive::Alias { pattern: pattern()?, module }
        }
        "blacklist" => Directive::Blacklist(pattern()?),
        "options" => Directive::Options { text: without_tabs(some()?), module: pattern()? },
        "install" => Directive::Install { command: some()?.into(), pattern: pattern()? },
        "remove" => Directive::Remove { command: some()?.into(), pattern: pattern()? },
        "softdep" => Directive::Softdep(Softdep::parse(some()?, pattern()?)),
        _ => Directive::Weakdep { names: joined(some()?), pattern: pattern()? },
    }))
}

/// A text of parameters: kmod makes blanks of tabs.
pub(crate) fn without_tabs(text: &str) -> Cow<'_, str> {
    if find(text.as_bytes(), b'\t').is_some() { text.replace('\t', " ").into() } else { text.into() }
}

impl Directive<Cow<'_, str>> {
    /// The same with texts of its own.
    pub fn into_owned(self) -> Directive {
        let own = Cow::into_owned;
        match self {
            Self::Alias { pattern, module } => Directive::Alias { pattern: own(pattern), module: own(module) },
            Self::Blacklist(module) => Directive::Blacklist(own(module)),
            Self::Options { module, text } => Directive::Options { module: own(module), text: own(text) },
            Self::Install { pattern, command } => Directive::Install { pattern: own(pattern), command: own(command) },
            Self::Remove { pattern, command } => Directive::Remove { pattern: own(pattern), command: own(command) },
            Self::Softdep(Softdep { pattern, pre, post }) => Directive::Softdep(Softdep {
                pattern: own(pattern),
                pre: pre.into_iter().map(own).collect(),
                post: post.into_iter().map(own).collect(),
            }),
            Self::Weakdep { pattern, names } => Directive::Weakdep { pattern: own(pattern), names: own(names) },
        }
    }
}

impl<'a> Softdep<Cow<'a, str>> {
    fn parse(text: &'a str, pattern: Cow<'a, str>) -> Self {
        let mut softdep = Self { pattern, pre: Vec::new(), post: Vec::new() };
        let mut before = None;
        for word in words(text) {
            match (word, before) {
                ("pre:", _) => before = Some(true),
                ("post:", _) => before = Some(false),
                (word, Some(true)) => softdep.pre.push(word.into()),
                (word, Some(false)) => softdep.post.push(word.into()),
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

/// The words of a list with one blank between.
fn joined(text: &str) -> Cow<'_, str> {
    let is_joined = !text.ends_with(' ') && !text.contains("  ") && !text.contains(|c| c != ' ' && is_blank(c));
    if is_joined { text.into() } else { words(text).collect::<Vec<_>>().join(" ").into() }
}

/// The words of a list. As in kmod, a single blank before the first one belongs to it, so that `softdep a  pre: b` with
/// two blanks after the name says nothing; two more, or none, are as they should be.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut start = text.chars();
    let glued = start.next().is_some_and(is_blank) && start.next().is_some_and(|second| !is_blank(second));
    let first_end = text[usize::from(glued)..].find(is_blank).map_or(text.len(), |end| end + usize::from(glued));
    let (first, rest) = if glued { text.split_at(first_end) } else { ("", text) };
    core::iter::once(first).chain(rest.split(is_blank)).filter(|word| !word.is_empty())
}

pub(crate) fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t'..='\r')
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn a_line_ends_at_a_nul() {
        let lines: Vec<_> =
            logical_lines(b"a\0b\nc\\x\0\n\0").map(|(number, line)| (number, line.into_owned())).collect();
        assert_eq!(lines, [(1, b"a".to_vec()), (2, b"cx".to_vec()), (3, Vec::new())]);
    }

    #[test]
    fn a_list_of_plain_words_is_the_inputs_own() {
        let is_own = |line| matches!(directive(line), Ok(Some(Directive::Weakdep { names: Cow::Borrowed(_), .. })));
        assert!(is_own("weakdep a b c"));
        assert!(["weakdep a b  c", "weakdep a b c ", "weakdep a b\tc"].iter().all(|line| !is_own(line)));
    }

    #[test]
    fn every_directive_is_read() {
        for (line, expected) in [
            ("alias net-* a-b rest", Directive::Alias { pattern: "net_*".into(), module: "a_b".into() }),
            ("\tblacklist bad-one x", Directive::Blacklist("bad_one".into())),
            ("options a-b x=1\ty=2 ", Directive::Options { module: "a_b".into(), text: "x=1 y=2 ".into() }),
            ("options a x=1\ty=2\tz", Directive::Options { module: "a".into(), text: "x=1 y=2 z".into() }),
            ("options a \t", Directive::Options { module: "a".into(), text: " ".into() }),
            ("install a[b-c]-d  x\t$Y", Directive::Install { pattern: "a[b-c]_d".into(), command: " x\t$Y".into() }),
            ("remove a\tb", Directive::Remove { pattern: "a".into(), command: "b".into() }),
            ("weakdep a b-c\t d ", Directive::Weakdep { pattern: "a".into(), names: "b-c d".into() }),
            (
                "weakdep a b c d e f g h i j k",
                Directive::Weakdep { pattern: "a".into(), names: "b c d e f g h i j k".into() },
            ),
            ("weakdep a  b c", Directive::Weakdep { pattern: "a".into(), names: " b c".into() }),
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
            let line = format!("softdep m-n {text}");
            let [pre, post] = [pre, post].map(|names| names.iter().map(|name| Cow::Borrowed(*name)).collect());
            let expected = Softdep { pattern: "m_n".into(), pre, post };
            assert_eq!(directive(&line), Ok(Some(Directive::Softdep(expected))), "{text}");
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
