//! Lines that are no directives, and directives that say less than they seem to.

use std::borrow::Cow;

use modfile::modprobe_d::{self, Directive, Problem};

use super::{Finding, LIKENESS_MIN, Place};
use crate::nearest::nearest;

const WORDS: [&str; 7] = ["alias", "blacklist", "options", "install", "remove", "softdep", "weakdep"];

/// Why a line is passed over.
pub(super) fn explain(line: &str, problem: Problem, place: Place) -> Finding {
    let word = modprobe_d::first(line).unwrap_or_default();
    let (why, instead) = match problem {
        Problem::Unknown if word.starts_with('#') => {
            ("passed over: a comment begins in the first column".into(), "remove the blanks before the `#`".into())
        }
        Problem::Unknown if word == "\r" => {
            ("passed over: the line is not empty, it ends with CR LF".into(), UNIX_LINES.into())
        }
        Problem::Unknown => {
            let known = nearest(&word.to_lowercase(), WORDS.into_iter(), LIKENESS_MIN);
            (
                "passed over: there is no such directive".into(),
                known.map(|word| format!("write `{word}`")).unwrap_or_default(),
            )
        }
        Problem::Obsolete => {
            ("passed over: kmod reads no further files".into(), "put the files into /etc/modprobe.d".into())
        }
        Problem::Incomplete => (format!("passed over: something is missing after `{word}`"), form(word).into()),
        Problem::OddBracket => (
            "passed over: a bracket in a name has no partner".into(),
            "write `[` and `]` around a set of characters".into(),
        ),
    };
    Finding { place, rule: word.trim_end().into(), why, instead }
}

/// How a directive is written.
fn form(word: &str) -> &'static str {
    match word {
        "alias" => "write `alias PATTERN MODULE`",
        "blacklist" => "write `blacklist MODULE`",
        "options" => "write `options MODULE PARAMETER=VALUE`",
        "install" => "write `install MODULE COMMAND`",
        "remove" => "write `remove MODULE COMMAND`",
        "softdep" => "write `softdep MODULE pre: NAME post: NAME`",
        _ => "write `weakdep MODULE NAME`",
    }
}

const UNIX_LINES: &str = "end lines with LF only";

/// Why a directive does not say what it seems to.
pub(super) fn odd(line: &str, directive: &Directive<Cow<'_, str>>, place: &Place) -> Option<Finding> {
    let rule = line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let finding = |why: &str, instead: &str| {
        Some(Finding { place: place.clone(), rule, why: why.into(), instead: instead.into() })
    };
    match directive {
        Directive::Softdep(softdep) if softdep.pre.is_empty() && softdep.post.is_empty() => {
            let text = line.split_whitespace().skip(2);
            match text.clone().next() {
                Some("pre:" | "post:") if text.clone().all(|word| matches!(word, "pre:" | "post:")) => None,
                Some("pre:" | "post:") => finding(
                    "names nothing: with two blanks after the module kmod does not see the first word",
                    "leave one blank there",
                ),
                _ => finding(
                    "names nothing: what comes before `pre:` and `post:` is dropped",
                    "write `pre:` or `post:` before the names",
                ),
            }
        }
        Directive::Alias { module, .. } | Directive::Blacklist(module) if module.ends_with('\r') => {
            finding("the name ends with a CR, so that it is no module's", UNIX_LINES)
        }
        _ => None,
    }
}
