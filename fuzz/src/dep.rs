//! Target `dep`: the bytes as `modules.dep`.

use modfile::index::deps;

use crate::{
    Seed,
    promises::{as_text, check_cut_text},
};

/// Reads the text, writes what was read and reads that.
pub fn check(data: &[u8]) {
    let text = as_text(data);
    check_cut_text(&text, deps);
    let mut written = String::new();
    for dep in deps(&text) {
        assert!(!dep.path.contains(':'));
        written.extend([dep.path, ":"]);
        let load_order: Vec<_> = dep.load_order().collect();
        load_order.iter().rev().for_each(|dependency| written.extend([" ", dependency]));
        written.push('\n');
    }
    assert_eq!(deps(&written).count(), deps(&text).count());
    for (again, before) in deps(&written).zip(deps(&text)) {
        assert_eq!(again.path, before.path);
        assert!(again.load_order().eq(before.load_order()));
    }
}

/// Lines as depmod writes them, and odd ones.
pub fn seeds() -> Vec<Seed> {
    crate::texts([
        ("plain", "kernel/fs/a.ko: kernel/lib/b.ko kernel/lib/c.ko\nkernel/lib/b.ko:\n"),
        ("absolute", "# x\n\n/opt/a.ko.xz: \tkernel/b.ko\r\nnothing\n:\n"),
    ])
}
