//! Target `modprobe_d`: the bytes as a file of `modprobe.d`, or as `modules.softdep` or `modules.weakdep`.

use modfile::modprobe_d::{Directive, Problem, Softdep, directive, first, logical_lines};

use crate::{
    Seed,
    promises::{as_text, check_cut},
};

/// Reads the text, writes what was read and reads that.
pub fn check(data: &[u8]) {
    let lines = check_cut(data, |bytes| logical_lines(bytes).collect());
    assert!(lines.is_sorted_by_key(|(number, _)| *number));
    assert!(lines.iter().all(|(_, line)| !line.contains(&0)));
    let written: Vec<u8> = lines.iter().flat_map(|(_, line)| escaped(line)).collect();
    assert!(logical_lines(&written).map(|(_, line)| line).eq(lines.iter().map(|(_, line)| line.clone())));
    lines.iter().for_each(|(_, line)| check_line(&as_text(line)));
}

/// The line as it is written: nothing in it is special but the backslash and the line's end.
fn escaped(line: &[u8]) -> Vec<u8> {
    let escape = |byte: &u8| if *byte == b'\\' { vec![b'\\'; 2] } else { vec![*byte] };
    line.iter().flat_map(escape).chain([b'\n']).collect()
}

fn check_line(line: &str) {
    match directive(line) {
        Ok(None) => assert_eq!(first(line), None),
        Ok(Some(read)) => {
            assert!(first(line).is_some());
            let written = write(&read);
            assert_eq!(written.as_deref().map_or(Ok(Some(read.clone())), directive), Ok(Some(read)), "{written:?}");
        }
        Err(Problem::Unknown | Problem::Obsolete | Problem::Incomplete | Problem::OddBracket) => {
            assert!(first(line).is_some());
        }
    }
}

/// The directive as a line; None for a list of nothing, which cannot be written.
fn write(directive: &Directive) -> Option<String> {
    Some(match directive {
        Directive::Alias { pattern, module } => format!("alias {pattern} {module}"),
        Directive::Blacklist(module) => format!("blacklist {module}"),
        Directive::Options { module, text } => format!("options {module} {text}"),
        Directive::Install { pattern, command } => format!("install {pattern} {command}"),
        Directive::Remove { pattern, command } => format!("remove {pattern} {command}"),
        Directive::Softdep(Softdep { pattern, pre, post }) => {
            format!("softdep {pattern} pre: {} post: {}", pre.join(" "), post.join(" "))
        }
        Directive::Weakdep { names, .. } if names.is_empty() => return None,
        Directive::Weakdep { pattern, names } => format!("weakdep {pattern} {names}"),
    })
}

/// Each directive, and what the syntax allows between them.
pub fn seeds() -> Vec<Seed> {
    crate::texts([
        ("plain", "alias a-[0-9] b\nblacklist c\noptions a x=\"1 2\" y\nsoftdep a pre: b c post: d\nweakdep a b c\n"),
        ("commands", "install a /sbin/modprobe --ignore-install a && true\nremove a* /bin/true\n"),
        ("odd", "# comment\n\n  options \\\n a\tb \\\\ \\n\nalias x] y\ninclude z\nconfig\nnonsense\nalias a\nlast\\"),
        ("blanks", "softdep a  pre: b\nsoftdep a x post:\nweakdep a  b\nweakdep a  \noptions a   b\0c\n"),
    ])
}
