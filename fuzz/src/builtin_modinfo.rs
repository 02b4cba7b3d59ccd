//! Target `builtin_modinfo`: the bytes as `modules.builtin.modinfo`.

use modfile::index::builtin_modinfo;

use crate::{
    Seed,
    promises::{as_text, check_cut_text, check_same, gather},
};

/// Reads the text, writes what was read and reads that.
pub fn check(data: &[u8]) {
    let text = as_text(data);
    let read = gather(builtin_modinfo(&text));
    check_cut_text(&text, &read, builtin_modinfo);
    let mut written = String::with_capacity(2 * text.len());
    for &(module, key, value) in &read {
        assert!(!module.contains(['.', '=']) && !key.contains('='));
        written.extend([module, ".", key, "=", value, "\0"]);
    }
    check_same(builtin_modinfo(&written), read.into_iter());
}

/// Strings as a kernel's build writes them, and odd ones.
pub fn seeds() -> Vec<Seed> {
    crate::texts([
        ("plain", "crc16.alias=crypto-crc16\0crc16.license=GPL\0"),
        ("odd", "\0\0a.parm=x.y=z\0b\0c.d\0.=\0last.key=value"),
    ])
}
