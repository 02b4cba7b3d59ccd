//! Target `builtin_modinfo`: the bytes as `modules.builtin.modinfo`.

use modfile::index::builtin_modinfo;

use crate::{
    Seed,
    promises::{as_text, check_cut_text, check_same},
};

/// Reads the text, writes what was read and reads that.
pub fn check(data: &[u8]) {
    let text = as_text(data);
    check_cut_text(&text, builtin_modinfo);
    let mut written = String::new();
    for (module, key, value) in builtin_modinfo(&text) {
        assert!(!module.contains(['.', '=']) && !key.contains('='));
        written.extend([module, ".", key, "=", value, "\0"]);
    }
    check_same(builtin_modinfo(&written), builtin_modinfo(&text));
}

/// Strings as a kernel's build writes them, and odd ones.
pub fn seeds() -> Vec<Seed> {
    crate::texts([
        ("plain", "crc16.alias=crypto-crc16\0crc16.license=GPL\0"),
        ("odd", "\0\0a.parm=x.y=z\0b\0c.d\0.=\0last.key=value"),
    ])
}
