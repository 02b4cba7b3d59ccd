//! Target `modinfo`: the bytes as a module's file, and as the contents of a `.modinfo` section.

use modfile::{Error, edit, elf::Elf, modinfo::Modinfo, symbols, write::Module};

use crate::borrows;

/// Reads the bytes both ways and checks what the readers promise.
pub fn check(data: &[u8]) {
    check_strings(data, Modinfo::new(data));
    if let Err(error) = check_module(data) {
        assert!(!error.to_string().is_empty());
    }
}

/// Entries are the input's strings, all of them, in order, each split at its first `=`.
fn check_strings(data: &[u8], modinfo: Modinfo<'_>) {
    let mut joined = Vec::new();
    for entry in modinfo.entries() {
        assert!(borrows(data, entry.text) && borrows(data, entry.key) && borrows(data, entry.value));
        assert!(!entry.key.contains(&b'='));
        let has_value = entry.text.len() > entry.key.len();
        let whole = if has_value { [entry.key, b"=", entry.value].concat() } else { entry.key.to_vec() };
        assert_eq!(entry.text, whole);
        joined.extend_from_slice(entry.text);
        joined.push(0);
    }
    let again: Vec<&[u8]> = Modinfo::new(&joined).entries().map(|entry| entry.text).collect();
    assert!(again.into_iter().eq(modinfo.entries().map(|entry| entry.text)), "strings change when written again");
    assert!(modinfo.parameters().iter().all(|parameter| borrows(data, parameter.name)));
    assert!(modinfo.depends().chain(modinfo.aliases()).all(|value| borrows(data, value)));
}

/// Whatever the headers claim, nothing outside the file is given out, and no more of it than the file has room for.
fn check_module(data: &[u8]) -> Result<(), Error> {
    let elf = Elf::parse(data)?;
    assert!(elf.sections().len() * elf.layout().section_header_size() <= data.len());
    for section in elf.sections().flatten() {
        assert!(borrows(data, section.data) && borrows(data, section.name));
        assert_eq!(elf.section_at(section.index), Ok(section));
    }
    let symbols = elf.symbols()?.flatten().map(|symbol| assert!(borrows(data, symbol.name)));
    assert!(symbols.count() * elf.layout().symbol_size() <= data.len());
    let modinfo = Modinfo::of(&elf)?;
    check_strings(data, modinfo);
    check_rename(data, modinfo.name());
    for export in symbols::exports(&elf)? {
        assert!(borrows(data, export.name));
    }
    for need in symbols::needs(&elf)? {
        assert!(borrows(data, need.name));
    }
    Ok(())
}

/// An edit moves nothing, and under the same name changes nothing.
fn check_rename(data: &[u8], name: Option<&[u8]>) {
    let Some(name) = name.and_then(|name| str::from_utf8(name).ok()) else { return };
    if let Ok(same) = edit::rename(data, name, name) {
        assert_eq!(same, data);
    }
    if let Ok(other) = edit::rename(data, name, &"x".repeat(name.len())) {
        assert_eq!(other.len(), data.len());
    }
}

/// Modules that hold each thing the readers know, to start a campaign from. Name and contents.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds = vec![
        ("strings".to_owned(), b"license=GPL\0parmtype=n:int\0parm=n:how many\0depends=a,b\0".to_vec()),
        ("strings-stray".to_owned(), b"\0\0alone\0\0=v\0a==b\0parm=none\0last".to_vec()),
    ];
    for layout in modfile::elf::Layout::ALL {
        let kind = format!("{}{}", if layout.is_64 { 64 } else { 32 }, if layout.is_big { "be" } else { "le" });
        let module = || Module::new("seed").layout(layout);
        let full = module().modinfo("vermagic", "6.1.0 SMP mod_unload ").modinfo("alias", "pci:v*");
        let full = full.exports_with_crc("given", 0x0123_4567).needs("taken").needs_weakly("maybe");
        seeds.push((format!("empty-{kind}"), module().build()));
        seeds.push((format!("exports-{kind}"), module().exports("one").exports("two").build()));
        seeds.push((format!("full-{kind}"), full.version("module_layout", 1).version("taken", 2).build()));
    }
    seeds
}
