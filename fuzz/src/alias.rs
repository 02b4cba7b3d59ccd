//! Target `alias`: the bytes as `modules.alias` or `modules.symbols`.

use modfile::index::aliases;

use crate::{
    Seed,
    promises::{as_text, check_cut_text, check_same, gather},
};

/// Reads the text, writes what was read and reads that.
pub fn check(data: &[u8]) {
    let text = as_text(data);
    let read = gather(aliases(&text));
    check_cut_text(&text, &read, aliases);
    let mut written = String::with_capacity(2 * text.len());
    for &(pattern, module) in &read {
        assert!(!module.contains(' '));
        written.extend(["alias ", pattern, " ", module, "\n"]);
    }
    check_same(aliases(&written), read.into_iter());
}

/// Lines as depmod writes them, and odd ones.
pub fn seeds() -> Vec<Seed> {
    crate::texts([
        ("alias", "# Aliases extracted from modules themselves.\nalias pci:v00008086d*sv* e1000\nalias fs-ext4 ext4\n"),
        ("symbols", "# Aliases for symbols, used by symbol_request().\nalias symbol:crc16 crc16\n"),
        ("odd", "alias dmi:*Some Maker* some_maker\nalias lonely\nalias  x\n alias a b\t\n"),
    ])
}
