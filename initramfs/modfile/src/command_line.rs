//! What the kernel's command line, `/proc/cmdline`, says to modprobe.
//!
//! ```text
//! modprobe.blacklist=MODULE,MODULE    MODULE.PARAMETER=VALUE    MODULE.PARAMETER="VALUE WITH BLANKS"
//! ```
//! GRUB moves the quotes around a value to the front of the whole word; they are put back. All words of other forms are
//! somebody else's.

use alloc::{format, string::String, vec::Vec};

use crate::alias::normalise;

/// How much of the command line is read.
pub const BYTES_MAX: usize = 4095;

/// A word that is meant for modprobe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// A module that is not to be loaded by an alias. As it stands there: a `-` in it is never found.
    Blacklist(String),
    /// A parameter.
    Options {
        /// The module, normalised.
        module: String,
        /// `PARAMETER` or `PARAMETER=VALUE`.
        text: String,
    },
    /// The module's name has a bracket without a partner.
    OddBracket(String),
}

/// The words for modprobe of a command line.
pub fn words(line: &str) -> Vec<Word> {
    let line = line.split('\0').next().unwrap_or_default();
    split(line).flat_map(read).collect()
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

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t'..='\r')
}

fn read(word: &str) -> Vec<Word> {
    let (moved_quote, word) = match word.strip_prefix('"') {
        Some(rest) => (true, rest),
        None => (false, word),
    };
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (word, None),
    };
    match (name.split_once('.'), value) {
        _ if name.contains(|character| character == '"' || is_blank(character)) => Vec::new(),
        _ if name.matches('.').count() > 1 => Vec::new(),
        (Some(("modprobe", "blacklist")), Some(value)) => {
            let quote = if moved_quote { "\"" } else { "" };
            format!("{quote}{value}").split(',').map(|module| Word::Blacklist(module.into())).collect()
        }
        (Some((module, parameter)), value) => {
            let Some(normal) = normalise(module) else { return [Word::OddBracket(module.into())].into() };
            let text = match value {
                Some(value) if moved_quote => format!("{parameter}=\"{value}"),
                Some(value) => format!("{parameter}={value}"),
                None => parameter.into(),
            };
            [Word::Options { module: normal, text: text.replace('\t', " ") }].into()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        let shown: Vec<_> = words(line)
            .into_iter()
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
