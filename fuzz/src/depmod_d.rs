//! Target `depmod_d`: the bytes as a file of `depmod.d`.

use modfile::depmod_d::{Directive, Line, Word, parse};

use crate::{
    Seed,
    promises::{check_cut, check_numbers, check_same},
};

/// Reads the text, writes what was read and reads that.
pub fn check(data: &[u8]) {
    check_cut(data, parse);
    let (mut written, mut last) = (Vec::new(), 0);
    for Line { number, directive } in parse(data) {
        assert!(number > last);
        last = number;
        directive.iter().for_each(|directive| write(directive, &mut written));
    }
    // With a comment as its last line every line counts and this one ends the file.
    if !data.ends_with(b"\\") && data.len() < 64 {
        let numbers = parse(&[data, b"\nsearch x"].concat()).last().map(|line| line.number);
        check_numbers(data, numbers.unwrap_or_default() - 1);
    }
    let understood = parse(data).filter_map(|line| line.directive.ok());
    check_same(parse(&written).map(|line| line.directive), understood.map(Ok));
}

fn write(directive: &Directive, out: &mut Vec<u8>) {
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

fn write_words<'a>(first: &[u8], rest: impl IntoIterator<Item = &'a Word>, out: &mut Vec<u8>) {
    out.extend_from_slice(first);
    for word in rest {
        out.push(b' ');
        for byte in word {
            out.extend((*byte == b'\\').then_some(b'\\'));
            out.push(*byte);
        }
    }
    out.push(b'\n');
}

/// Each directive, and what the syntax allows between them.
pub fn seeds() -> Vec<Seed> {
    crate::texts([
        ("plain", "search updates built-in external\noverride a * extra\nexternal ^6\\\\.1 /opt/modules\nexclude .git b\n"),
        ("odd", "# x\n \t\nsearch a\\\nb \\\n c\\d\\\\\n # y\n#\\\nbad\ninclude x\nmake_map_files no\noverride a b\nexternal\n\\"),
    ])
}
