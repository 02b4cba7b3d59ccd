//! Target `alias`: the bytes as `modules.alias` or `modules.symbols`.

use modfile::index::aliases;

use crate::{
    Seed,
    promises::{as_text, check_cut_text},
};

fn read(text: &str) -> Vec<(String, String)> {
    aliases(text).map(|(pattern, module)| (pattern.to_owned(), module.to_owned())).collect()
}

/// Reads the text, writes what was read and reads that.
pub fn check(data: &[u8]) {
    let lines = check_cut_text(&as_text(data), read);
    let written: String = lines.iter().map(|(pattern, module)| format!("alias {pattern} {module}\n")).collect();
    assert_eq!(read(&written), lines);
}

/// Lines as depmod writes them, and odd ones.
pub fn seeds() -> Vec<Seed> {
    crate::texts([
        ("alias", "# Aliases extracted from modules themselves.\nalias pci:v00008086d*sv* e1000\nalias fs-ext4 ext4\n"),
        ("symbols", "# Aliases for symbols, used by symbol_request().\nalias symbol:crc16 crc16\n"),
        ("odd", "alias dmi:*Some Maker* some_maker\nalias lonely\nalias  x\n alias a b\t\n"),
    ])
}
