//! Target `builtin`: the bytes as `modules.builtin`.

use modfile::index::builtins;

use crate::{
    Seed,
    promises::{as_text, check_cut_text, check_same},
};

/// Reads the text, writes what was read and reads that.
pub fn check(data: &[u8]) {
    let text = as_text(data);
    check_cut_text(&text, builtins);
    let mut written = String::new();
    for path in builtins(&text) {
        assert!(!path.is_empty() && !path.contains('\n'));
        written.extend([path, "\n"]);
    }
    check_same(builtins(&written), builtins(&text));
}

/// A list as a kernel's build writes it, and an odd one.
pub fn seeds() -> Vec<Seed> {
    crate::texts([("plain", "kernel/fs/proc.ko\nkernel/lib/crc16.ko\n"), ("odd", "# x\n\n \tkernel/a.ko \r\nlast")])
}
