//! Target `depmod_d`: the bytes as a file of `depmod.d`.

use modfile::depmod_d::{Directive, Line, Word, parse};

use crate::{Seed, promises::check_cut};

/// Reads the text, writes what was read and reads that.
pub fn check(data: &[u8]) {
    let lines = check_cut(data, |bytes| parse(bytes).collect());
    assert!(lines.is_sorted_by_key(|line| line.number));
    let words = |line: &Line| line.directive.as_ref().map_or(1, |directive| written(directive).len());
    assert!(lines.iter().map(words).sum::<usize>() <= data.len());
    let understood = || lines.iter().filter_map(|line| line.directive.as_ref().ok());
    let written: Vec<u8> = understood().flat_map(|directive| escaped(&written(directive))).collect();
    assert!(parse(&written).map(|line| line.directive).eq(understood().map(|directive| Ok(directive.clone()))));
}

/// The words of a directive.
fn written(directive: &Directive) -> Vec<Word> {
    let with = |first: &[u8], rest: &[Word]| [&[first.to_vec()], rest].concat();
    match directive {
        Directive::Search(directories) => with(b"search", directories),
        Directive::Override { module, kernel, directory } => {
            with(b"override", &[module.clone(), kernel.clone(), directory.clone()])
        }
        Directive::External { kernel, directory } => with(b"external", &[kernel.clone(), directory.clone()]),
        Directive::Exclude(names) => with(b"exclude", names),
        Directive::Obsolete(word) => vec![word.clone()],
    }
}

fn escaped(words: &[Word]) -> Vec<u8> {
    let escape = |byte: &u8| if *byte == b'\\' { vec![b'\\'; 2] } else { vec![*byte] };
    words.join(&b' ').iter().flat_map(escape).chain([b'\n']).collect()
}

/// Each directive, and what the syntax allows between them.
pub fn seeds() -> Vec<Seed> {
    crate::texts([
        ("plain", "search updates built-in external\noverride a * extra\nexternal ^6\\\\.1 /opt/modules\nexclude .git b\n"),
        ("odd", "# x\n \t\nsearch a\\\nb \\\n c\\d\\\\\n # y\n#\\\nbad\ninclude x\nmake_map_files no\noverride a b\nexternal\n\\"),
    ])
}
