//! Target `modprobe_d`: the bytes as a file of `modprobe.d`, or as `modules.softdep` or `modules.weakdep`.

use std::borrow::Cow;

use modfile::modprobe_d::{Directive, Problem, Softdep, directive, first, logical_lines};

use crate::{
    Seed,
    promises::{as_text, check_numbers, check_same, check_start, cut, gather},
};

/// Reads the text, writes what was read and reads that.
pub fn check(data: &[u8]) {
    let read = gather(logical_lines(data));
    check_start(read.iter(), logical_lines(&data[..cut(data)]));
    let (mut written, mut directive, mut last) = (Vec::with_capacity(2 * data.len()), String::with_capacity(64), 0);
    for (number, line) in &read {
        assert!(*number > last && !line.contains(&0));
        last = *number;
        escape(line, &mut written);
        check_line(&as_text(line), &mut directive);
    }
    check_numbers(data, last);
    check_same(logical_lines(&written).map(|(_, line)| line), read.into_iter().map(|(_, line)| line));
}

/// The line as it is written: nothing in it is special but the backslash and the line's end.
fn escape(line: &[u8], written: &mut Vec<u8>) {
    for byte in line {
        if *byte == b'\\' {
            written.push(b'\\');
        }
        written.push(*byte);
    }
    written.push(b'\n');
}

fn check_line(line: &str, written: &mut String) {
    match directive(line) {
        Ok(None) => assert_eq!(first(line), None),
        Ok(Some(read)) => {
            assert!(first(line).is_some());
            written.clear();
            // To copy takes long.
            if line.len() < 32 {
                assert_eq!(format!("{:?}", read.clone().into_owned()), format!("{read:?}"));
            }
            if write(&read, written) {
                check_kept(line, &read, written);
                assert_eq!(directive(written), Ok(Some(read)), "{written:?}");
            }
        }
        Err(Problem::Unknown | Problem::Obsolete | Problem::Incomplete | Problem::OddBracket) => {
            assert!(first(line).is_some());
        }
    }
}

/// Of a text or a list of names nothing gets lost.
fn check_kept(line: &str, directive: &Directive<Cow<'_, str>>, written: &str) {
    let letters = |text: &str| text.chars().filter(|character| !matches!(character, ' ' | '\t'..='\r')).count();
    match directive {
        Directive::Options { text, .. } => assert!(!text.contains('\t') && letters(line) == letters(written)),
        Directive::Install { .. } | Directive::Remove { .. } | Directive::Weakdep { .. } => {
            assert_eq!(letters(line), letters(written));
        }
        _ => {}
    }
}

/// The directive as a line; false for a list of nothing, which cannot be written.
fn write(directive: &Directive<Cow<'_, str>>, out: &mut String) -> bool {
    match directive {
        Directive::Alias { pattern, module } => out.extend(["alias ", pattern, " ", module]),
        Directive::Blacklist(module) => out.extend(["blacklist ", module]),
        Directive::Options { module, text } => out.extend(["options ", module, " ", text]),
        Directive::Install { pattern, command } => out.extend(["install ", pattern, " ", command]),
        Directive::Remove { pattern, command } => out.extend(["remove ", pattern, " ", command]),
        Directive::Softdep(Softdep { pattern, pre, post }) => {
            out.extend(["softdep ", pattern, " pre:"]);
            pre.iter().for_each(|name| out.extend([" ", name]));
            out.push_str(" post:");
            post.iter().for_each(|name| out.extend([" ", name]));
        }
        Directive::Weakdep { names, .. } if names.is_empty() => return false,
        Directive::Weakdep { pattern, names } => out.extend(["weakdep ", pattern, " ", names]),
    }
    true
}

/// Each directive, and what the syntax allows between them.
pub fn seeds() -> Vec<Seed> {
    crate::texts([
        // More than a byte counts.
        ("lines", &"\n".repeat(300)),
        ("plain", "alias a-[0-9] b\nblacklist c\noptions a x=\"1 2\" y\nsoftdep a pre: b c post: d\nweakdep a b c\n"),
        ("commands", "install a /sbin/modprobe --ignore-install a && true\nremove a* /bin/true\n"),
        ("odd", "# comment\n\n  options \\\n a\tb \\\\ \\n\nalias x] y\ninclude z\nconfig\nnonsense\nalias a\nlast\\"),
        ("blanks", "softdep a  pre: b\nsoftdep a x post:\nweakdep a  b\nweakdep a  \noptions a   b\0c\n"),
    ])
}
