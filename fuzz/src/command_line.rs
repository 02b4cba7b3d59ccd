//! Target `command_line`: the bytes as `/proc/cmdline`.

use modfile::command_line::{Word, words};

use crate::{
    Seed,
    promises::{as_text, check_same, cut, gather},
};

/// Reads the text, writes what was read and reads that.
pub fn check(data: &[u8]) {
    let text = as_text(data);
    let read = gather(words(&text));
    assert!(read.len() <= text.len());
    let mut written = String::with_capacity(text.len());
    read.iter().take(4).for_each(|word| check_word(word, &mut written));
    check_parts(&text, &read);
}

fn check_word(word: &Word<'_>, written: &mut String) {
    let Word::Options { module, text } = word else { return };
    assert!(!text.contains(['\t', '\0']) && !module.contains('.'));
    let parameter = text.split('=').next().unwrap_or_default();
    assert!(!parameter.contains(['.', '"']) && text.matches('"').count() % 2 == 0);
    // Where quotes are, GRUB may have moved them, and they cannot be told from the user's.
    if !text.contains('"') {
        written.clear();
        written.extend([module, ".", text]);
        assert!(words(written).eq([word.clone()]), "{written}");
    }
}

/// Words do not depend on each other, unless quotes or a NUL lie between.
fn check_parts(text: &str, whole: &[Word<'_>]) {
    let at = (cut(text.as_bytes())..text.len()).find(|at| text.as_bytes()[*at] == b' ');
    if let Some((start, end)) = at.map(|at| text.split_at(at)).filter(|_| !text.contains(['"', '\0'])) {
        check_same(words(start).chain(words(end)), whole.iter().cloned());
    }
}

/// Each form of a word.
pub fn seeds() -> Vec<Seed> {
    crate::texts([
        ("plain", "quiet root=/dev/sda1 my-mod.p=1.5 my_mod.flag modprobe.blacklist=a-b,,c\n"),
        ("quoted", "m.q=\"v w\" \"m.r=v w\" \"modprobe.blacklist=a,b\" m.s=1\"2 3\"4 \"m s.t=1\""),
        ("odd", "a[1-2].b=1 a].b=1 a.b.c=1 a..b =a.b .b=1 . a.b=c=d\ta.b= modprobe.blacklist x.y=1\0z.z"),
    ])
}
