//! Target `dep`: the bytes as `modules.dep`.

use modfile::index::deps;

use crate::{
    Seed,
    promises::{as_text, check_cut_text, gather},
};

/// Reads the text, writes what was read and reads that.
pub fn check(data: &[u8]) {
    let text = as_text(data);
    let read = gather(deps(&text));
    check_cut_text(&text, &read, deps);
    let mut written = String::with_capacity(2 * text.len());
    for dep in &read {
        assert!(!dep.path.contains(':'));
        written.extend([dep.path, ":"]);
        dep.load_order().rev().for_each(|dependency| written.extend([" ", dependency]));
        written.push('\n');
    }
    let mut again = deps(&written);
    for before in read {
        let again = again.next().expect("what is written can be read");
        assert_eq!(again.path, before.path);
        assert!(again.load_order().eq(before.load_order()));
    }
    assert_eq!(again.next(), None);
}

/// Lines as depmod writes them, and odd ones.
pub fn seeds() -> Vec<Seed> {
    crate::texts([
        ("plain", "kernel/fs/a.ko: kernel/lib/b.ko kernel/lib/c.ko\nkernel/lib/b.ko:\n"),
        ("absolute", "# x\n\n/opt/a.ko.xz: \tkernel/b.ko\r\nnothing\n:\n"),
    ])
}
