//! Target `depmod_d`: the bytes as a file of `depmod.d`.

use modfile::depmod_d::{Directive, Line, Word, parse};

use crate::{
    Seed,
    promises::{check_numbers, check_same, check_start, cut, gather},
};

/// Reads the text, writes what was read and reads that.
pub fn check(data: &[u8]) {
    let read = gather(parse(data));
    check_start(read.iter(), parse(&data[..cut(data)]));
    let (mut written, mut last) = (Vec::with_capacity(2 * data.len()), 0);
    for Line { number, directive } in &read {
        assert!(*number > last && is_whole(directive));
        last = *number;
        directive.iter().for_each(|directive| write(directive, &mut written));
    }
    // With a line of ours behind it the input's last line is counted, too.
    if data.last() != Some(&b'\\') && data.len() < 64 {
        let last = parse(&[data, b"\nsearch x"].concat()).last().map_or(0, |line| line.number - 1);
        check_numbers(data, last);
    }
    let understood = read.into_iter().filter_map(|line| line.directive.ok());
    check_same(parse(&written).map(|line| line.directive), understood.map(Ok));
}

/// No word is empty.
fn is_whole(directive: &Result<Directive<'_>, Word<'_>>) -> bool {
    match directive {
        Ok(Directive::Search(words) | Directive::Exclude(words)) => words.iter().all(|word| !word.is_empty()),
        Ok(Directive::Override { module, kernel, directory }) => {
            [module, kernel, directory].iter().all(|word| !word.is_empty())
        }
        Ok(Directive::External { kernel, directory }) => !kernel.is_empty() && !directory.is_empty(),
        Ok(Directive::Obsolete(word)) | Err(word) => !word.is_empty(),
    }
}

fn write(directive: &Directive<'_>, out: &mut Vec<u8>) {
    match directive {
        Directive::Search(directories) => write_words(b"search", directories, out),
        Directive::Override { module, kernel, directory } => {
            write_words(b"override", [module, kernel, directory], out);
        }
        Directive::External { kernel, directory } => write_words(b"external", [kernel, directory], out),
        Directive::Exclude(names) => write_words(b"exclude", names, out),
        Directive::Obsolete(word) => write_words(word, [], out),
    }
}

fn write_words<'a>(first: &[u8], rest: impl IntoIterator<Item = &'a Word<'a>>, out: &mut Vec<u8>) {
    out.extend_from_slice(first);
    for word in rest {
        out.push(b' ');
        for byte in word.iter() {
            if *byte == b'\\' {
                out.push(b'\\');
            }
            out.push(*byte);
        }
    }
    out.push(b'\n');
}

/// Each directive, and what the syntax allows between them.
pub fn seeds() -> Vec<Seed> {
    crate::texts([
        // More than a byte counts.
        ("lines", &"\n".repeat(300)),
        ("plain", "search updates built-in external\noverride a * extra\nexternal ^6\\\\.1 /opt/modules\nexclude .git b\n"),
        ("odd", "# x\n \t\nsearch a\\\nb \\\n c\\d\\\\\n # y\n#\\\nbad\ninclude x\nmake_map_files no\noverride a b\nexternal\n\\"),
    ])
}
