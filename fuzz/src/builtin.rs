//! Target `builtin`: the bytes as `modules.builtin`.

use modfile::index::builtins;

use crate::{
    Seed,
    promises::{as_text, check_cut_text},
};

fn read(text: &str) -> Vec<String> {
    builtins(text).map(str::to_owned).collect()
}

/// Reads the text, writes what was read and reads that.
pub fn check(data: &[u8]) {
    let paths = check_cut_text(&as_text(data), read);
    assert!(paths.iter().all(|path| !path.is_empty() && !path.contains('\n')));
    assert_eq!(read(&paths.join("\n")), paths);
}

/// A list as a kernel's build writes it, and an odd one.
pub fn seeds() -> Vec<Seed> {
    crate::texts([("plain", "kernel/fs/proc.ko\nkernel/lib/crc16.ko\n"), ("odd", "# x\n\n \tkernel/a.ko \r\nlast")])
}
