//! Target `modinfo`: the bytes as a module's file, or where they do not begin like one as the contents of `.modinfo`.

use modfile::{
    Error,
    elf::Elf,
    modinfo::{Entry, Modinfo},
};

use crate::{
    Seed,
    promises::{borrows, check_cut, check_refusal, check_same},
};

/// More strings than this say nothing new.
const STRINGS_MAX: usize = 2048;

/// Reads the bytes and checks what the readers promise.
pub fn check(data: &[u8]) {
    if !data.starts_with(b"\x7fELF") {
        let data = &data[..data.len().min(STRINGS_MAX)];
        check_strings(data, Modinfo::new(data));
        check_written(data);
    } else {
        check_refusal(check_module(data));
    }
}

/// Reads the whole table of sections and the strings.
fn check_module(data: &[u8]) -> Result<(), Error> {
    let elf = Elf::parse(data)?;
    for section in elf.sections().flatten() {
        assert!(borrows(data, section.data) && borrows(data, section.name));
    }
    let modinfo = Modinfo::of(&elf)?;
    check_strings(data, modinfo);
    Ok(())
}

/// Entries are the input's strings, each split at its first `=`.
fn check_strings(data: &[u8], modinfo: Modinfo<'_>) {
    let mut count = 0;
    for Entry { text, key, value } in modinfo.entries() {
        assert!(borrows(data, text) && borrows(data, key) && borrows(data, value));
        assert!(!text.is_empty());
        let is_split = text.starts_with(key) && text.ends_with(value) && text.get(key.len()) == Some(&b'=');
        assert!(if text == key { value.is_empty() } else { is_split && text.len() == key.len() + 1 + value.len() });
        count += 1;
    }
    assert!(count <= data.len());
    let parameters = modinfo.parameters();
    assert!(parameters.len() <= count && parameters.iter().all(|parameter| borrows(data, parameter.name)));
    assert!(modinfo.depends().all(|value| borrows(data, value)));
    assert!([modinfo.name(), modinfo.vermagic(), modinfo.aliases().next()].iter().flatten().all(|text| borrows(data, text)));
}

/// Strings written one after the other read the same, and so do those of a shorter input but for its last.
fn check_written(data: &[u8]) {
    check_cut(data, texts);
    let mut joined = Vec::new();
    for text in texts(data) {
        joined.extend_from_slice(text);
        joined.push(0);
    }
    check_same(texts(&joined), texts(data));
}

fn texts(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    Modinfo::new(data).entries().map(|entry| entry.text)
}

/// Modules of every layout, and strings alone.
pub fn seeds() -> Vec<Seed> {
    let mut seeds = crate::plan::examples();
    seeds.extend(crate::texts([
        ("strings", "license=GPL\0parmtype=n:int\0parm=n:how many\0depends=a,b\0"),
        ("strings-stray", "\0\0alone\0\0=v\0a==b\0parm=none\0last"),
    ]));
    seeds
}
