//! Target `modinfo`: the bytes as a module's file, and as the contents of a `.modinfo` section.

use modfile::{Error, edit, elf::Elf, modinfo::Modinfo};

use crate::{
    Seed,
    promises::{borrows, check_error},
};

/// Reads the bytes both ways and checks what the readers promise.
pub fn check(data: &[u8]) {
    check_strings(data, Modinfo::new(data));
    if let Err(error) = check_module(data) {
        check_error(error);
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

fn check_module(data: &[u8]) -> Result<(), Error> {
    let elf = Elf::parse(data)?;
    let modinfo = Modinfo::of(&elf)?;
    check_strings(data, modinfo);
    check_rename(data, modinfo.name());
    check_hide(data, modinfo);
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

/// A string that is hidden is gone, and no other.
fn check_hide(data: &[u8], modinfo: Modinfo<'_>) {
    let Some(key) = modinfo.entries().nth(1).and_then(|entry| str::from_utf8(entry.key).ok()) else { return };
    let Ok(hidden) = edit::hide_modinfo(data, key) else { return };
    assert_eq!(hidden.len(), data.len());
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
