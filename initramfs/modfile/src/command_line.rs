//! What the kernel's command line, `/proc/cmdline`, says to modprobe.
//!
//! ```text
//! modprobe.blacklist=MODULE,MODULE    MODULE.PARAMETER=VALUE    MODULE.PARAMETER="VALUE WITH BLANKS"
//! ```
//! GRUB moves the quotes around a value to the front of the whole word; they are put back. All words of other forms are
//! somebody else's.

use alloc::{borrow::Cow, format};

use crate::{
    alias::normalise,
    modprobe_d::{is_blank, without_tabs},
};

/// How much of the command line is read.
pub const BYTES_MAX: usize = 4095;

/// A word that is meant for modprobe. It borrows from the command line where that says the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word<'a> {
    /// A module that is not to be loaded by an alias. As it stands there: a `-` in it is never found.
    Blacklist(Cow<'a, str>),
    /// A parameter.
    Options {
        /// The module, normalised.
        module: Cow<'a, str>,
        /// `PARAMETER` or `PARAMETER=VALUE`.
        text: Cow<'a, str>,
    },
    /// The module's name has a bracket without a partner.
    OddBracket(&'a str),
}

/// The words for modprobe of a command line.
pub fn words(line: &str) -> impl Iterator<Item = Word<'_>> {
    let line = line.split('\0').next().unwrap_or_default();
    split(line).flat_map(|word| {
        let (word, is_moved) = word.strip_prefix('"').map_or((word, false), |rest| (rest, true));
        let names = word.strip_prefix("modprobe.blacklist=").map(|names| blacklist(names, is_moved));
        let option = if names.is_none() { option(word, is_moved) } else { None };
        names.into_iter().flatten().chain(option)
    })
}

/// Splits at blanks outside of quotes. A word whose quotes do not close is none.
fn split(line: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let words = line.split(move |character: char| {
        quoted ^= character == '"';
        !quoted && is_blank(character)
    });
    words.filter(|word| word.bytes().filter(|byte| *byte == b'"').count() % 2 == 0)
}

/// The modules of a list. `is_moved`: the quote before it stands before the whole word.
fn blacklist(names: &str, is_moved: bool) -> impl Iterator<Item = Word<'_>> {
    names.split(',').enumerate().map(move |(at, name)| {
        Word::Blacklist(if is_moved && at == 0 { format!("\"{name}").into() } else { name.into() })
    })
}

/// The parameter that a word is; None if it has another form.
fn option(word: &str, is_moved: bool) -> Option<Word<'_>> {
    let name = word.split('=').next()?;
    let (module, parameter) = name.split_once('.')?;
    if parameter.contains('.') || name.contains(|character| character == '"' || is_blank(character)) {
        return None;
    }
    let Some(normal) = normalise(module) else { return Some(Word::OddBracket(module)) };
    let text = word.get(module.len() + 1..).unwrap_or_default();
    let text = match text.split_once('=').filter(|_| is_moved) {
        Some((parameter, value)) => format!("{parameter}=\"{}", without_tabs(value)).into(),
        None => without_tabs(text),
    };
    Some(Word::Options { module: normal, text })
}

#[cfg(test)]
mod tests {
    use alloc::{string::ToString as _, vec::Vec};

    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        let shown: Vec<_> = words(line)
            .map(|word| match word {
                Word::Blacklist(module) => format!("blacklist {module}"),
                Word::Options { module, text } => format!("{module}: {text}"),
                Word::OddBracket(module) => format!("odd {module}"),
            })
            .collect();
        assert_eq!(shown, expected.iter().map(|text| text.to_string()).collect::<Vec<_>>(), "{line}");
    }

    #[test]
    fn parameters_and_the_blacklist_are_found() {
        check("quiet root=/dev/sda1 my-mod.p=1.5 my_mod.flag\n", &["my_mod: p=1.5", "my_mod: flag"]);
        check(
            "modprobe.blacklist=a-b,,c modprobe.blacklist",
            &["blacklist a-b", "blacklist ", "blacklist c", "modprobe: blacklist"],
        );
        check("a.b=c=d\ta.b=\na.b", &["a: b=c=d", "a: b=", "a: b"]);
        check("a[1-2].b=1 a].b=1", &["a[1-2]: b=1", "odd a]"]);
        check("a.b=1\0c.d=1", &["a: b=1"]);
    }

    #[test]
    fn words_of_other_forms_are_not_for_modprobe() {
        check("", &[]);
        check("a b=1 a.b.c=1 a..b =a.b x=y.z", &[]);
        check(".b=1 a. .", &[": b=1", "a: ", ": "]);
    }

    #[test]
    fn quotes_hold_blanks_in_values_only() {
        check("m.q=\"v w\" m.r=1\"2 3\"4", &["m: q=\"v w\"", "m: r=1\"2 3\"4"]);
        check("\"m.r=v w\" \"modprobe.blacklist=a,b\"", &["m: r=\"v w\"", "blacklist \"a", "blacklist b\""]);
        check("\"m s.t=1\" m.q=\"1\t2\"", &["m: q=\"1 2\""]);
        check("a\"b.c=d e\"f a.\"b c\"=1 \"a.b\" \"\"a.b=1 x.y", &["x: y"]);
        check("x.y=1 a.b=\"c d", &["x: y=1"]);
    }
}
