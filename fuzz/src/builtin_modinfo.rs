//! Target `builtin_modinfo`: the bytes as `modules.builtin.modinfo`.

use modfile::index::builtin_modinfo;

use crate::{
    Seed,
    promises::{as_text, check_cut_text},
};

/// Module, key and value.
type Entry = (String, String, String);

fn read(text: &str) -> Vec<Entry> {
    builtin_modinfo(text).map(|(module, key, value)| (module.to_owned(), key.to_owned(), value.to_owned())).collect()
}

/// Reads the text, writes what was read and reads that.
pub fn check(data: &[u8]) {
    let entries = check_cut_text(&as_text(data), read);
    let written: String = entries.iter().map(|(module, key, value)| format!("{module}.{key}={value}\0")).collect();
    assert_eq!(read(&written), entries);
}

/// Strings as a kernel's build writes them, and odd ones.
pub fn seeds() -> Vec<Seed> {
    crate::texts([
        ("plain", "crc16.alias=crypto-crc16\0crc16.license=GPL\0"),
        ("odd", "\0\0a.parm=x.y=z\0b\0c.d\0.=\0last.key=value"),
    ])
}
