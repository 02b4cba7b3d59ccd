//! Target `builtin`: the bytes as `modules.builtin`.

use modfile::index::builtins;

use crate::{
    Seed,
    promises::{as_text, check_cut_text, check_same, gather},
};

/// Reads the text, writes what was read and reads that.
pub fn check(data: &[u8]) {
    let text = as_text(data);
    let read = gather(builtins(&text));
    check_cut_text(&text, &read, builtins);
    let mut written = String::with_capacity(2 * text.len());
    for &path in &read {
        assert!(!path.is_empty() && !path.contains('\n'));
        written.extend([path, "\n"]);
    }
    check_same(builtins(&written), read.into_iter());
}

/// A list as a kernel's build writes it, and an odd one.
pub fn seeds() -> Vec<Seed> {
    crate::texts([("plain", "kernel/fs/proc.ko\nkernel/lib/crc16.ko\n"), ("odd", "# x\n\n \tkernel/a.ko \r\nlast")])
}
