//! Target `dep`: the bytes as `modules.dep`.

use modfile::index::deps;

use crate::{
    Seed,
    promises::{as_text, check_cut_text},
};

/// A module's file and those that it needs.
type Line = (String, Vec<String>);

fn read(text: &str) -> Vec<Line> {
    deps(text).map(|dep| (dep.path.to_owned(), dep.load_order().map(str::to_owned).collect())).collect()
}

/// Reads the text, writes what was read and reads that.
pub fn check(data: &[u8]) {
    let lines = check_cut_text(&as_text(data), read);
    let written: String = lines.iter().map(write).collect();
    assert_eq!(read(&written), lines);
}

fn write((path, load_order): &Line) -> String {
    load_order.iter().rev().fold(format!("{path}:"), |line, dependency| line + " " + dependency) + "\n"
}

/// Lines as depmod writes them, and odd ones.
pub fn seeds() -> Vec<Seed> {
    crate::texts([
        ("plain", "kernel/fs/a.ko: kernel/lib/b.ko kernel/lib/c.ko\nkernel/lib/b.ko:\n"),
        ("absolute", "# x\n\n/opt/a.ko.xz: \tkernel/b.ko\r\nnothing\n:\n"),
    ])
}
