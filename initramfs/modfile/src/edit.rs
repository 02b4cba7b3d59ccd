//! A module's bytes with a few of them replaced by as many others.
//!
//! The ways in which a name or a version string can be changed without linking again: nothing moves, so every
//! offset and relocation in the file stays true.

use alloc::vec::Vec;
use core::ops::Range;

use crate::{
    Error,
    elf::{Elf, SHF_ALLOC, Section},
    symbols::{self, VERSION_SIZE},
};

/// The module `old` under the name `new`, of the same length.
///
/// Changed are `name=` in `.modinfo` and the name field of `struct module` in `.gnu.linkonce.this_module`, which is
/// what the kernel and sysfs go by. Strings in code and data keep the old name.
///
/// # Errors
/// The lengths differ, or the module is not called `old` in both places.
pub fn rename(bytes: &[u8], old: &str, new: &str) -> Result<Vec<u8>, Error> {
    let elf = Elf::parse(bytes)?;
    let mut edited = replace_in_modinfo(bytes, "name", old, new)?;
    let this_module = section(&elf, ".gnu.linkonce.this_module", "module has no .gnu.linkonce.this_module")?;
    // The name follows zeros (state and list head) and ends with one, unlike a coincidence elsewhere in the struct.
    let field = [&[0], old.as_bytes(), &[0]].concat();
    let at = find(this_module.data, &field).ok_or(at(&this_module, 0, "struct module has another name"))?;
    overwrite(&mut edited, &this_module, at + 1, new.as_bytes());
    Ok(edited)
}

/// The module with `from` replaced by `to`, of the same length, wherever the values of `key` in `.modinfo` hold it.
///
/// # Errors
/// The lengths differ, or no value of `key` holds `from`.
pub fn replace_in_modinfo(bytes: &[u8], key: &str, from: &str, to: &str) -> Result<Vec<u8>, Error> {
    let elf = Elf::parse(bytes)?;
    let modinfo = section(&elf, ".modinfo", "module has no .modinfo")?;
    if from.len() != to.len() || from.is_empty() {
        return Err(at(&modinfo, 0, "replacement is not of the same length"));
    }
    let mut edited = bytes.to_vec();
    let (mut start, mut found) = (0, false);
    for text in modinfo.data.split(|byte| *byte == 0) {
        if let Some(value) = text.strip_prefix(key.as_bytes()).and_then(|rest| rest.strip_prefix(b"=")) {
            let value_start = start + text.len() - value.len();
            let mut from_here = 0;
            while let Some(hit) = value.get(from_here..).and_then(|rest| find(rest, from.as_bytes())) {
                overwrite(&mut edited, &modinfo, value_start + from_here + hit, to.as_bytes());
                found = true;
                from_here += hit + from.len();
            }
        }
        start += text.len() + 1;
    }
    if found { Ok(edited) } else { Err(at(&modinfo, 0, ".modinfo does not hold the text to replace")) }
}

/// The module without the kernel seeing its `__versions`: the section is kept out of memory, so that symbols are not
/// compared. A module without that section stays as it is.
///
/// # Errors
/// The module is damaged.
pub fn hide_versions(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let elf = Elf::parse(bytes)?;
    let mut edited = bytes.to_vec();
    if let Some(versions) = elf.section("__versions")? {
        let word = elf.layout().word_size();
        elf.write_header(&mut edited, versions.index, 8, word, versions.flags & !SHF_ALLOC);
    }
    Ok(edited)
}

/// The module without the first string of `key` in `.modinfo`: `vermagic`, so that the kernel has none to compare.
///
/// # Errors
/// The module is damaged, or has no such string.
pub fn hide_modinfo(bytes: &[u8], key: &str) -> Result<Vec<u8>, Error> {
    let elf = Elf::parse(bytes)?;
    let modinfo = section(&elf, ".modinfo", "module has no .modinfo")?;
    let mut start = 0;
    for text in modinfo.data.split(|byte| *byte == 0) {
        if text.strip_prefix(key.as_bytes()).is_some_and(|rest| rest.starts_with(b"=")) {
            let mut edited = bytes.to_vec();
            overwrite(&mut edited, &modinfo, start, &alloc::vec![0; text.len()]);
            return Ok(edited);
        }
        start += text.len() + 1;
    }
    Err(at(&modinfo, 0, ".modinfo has no such string"))
}

/// The module with another checksum for a symbol it needs, in the table of versions that the kernel looks at.
///
/// # Errors
/// The module is damaged, or has no version of that symbol.
pub fn change_version(bytes: &[u8], symbol: &str) -> Result<Vec<u8>, Error> {
    invert_in_version(bytes, symbol, |place| (place.crcs, place.crc))
}

/// The module with another name for a symbol in the table of versions, so that the symbol has no version any more.
///
/// # Errors
/// As [`change_version`].
pub fn rename_version(bytes: &[u8], symbol: &str) -> Result<Vec<u8>, Error> {
    invert_in_version(bytes, symbol, |place| (place.names, place.name..place.name + 1))
}

/// Where a symbol's version lies: the sections that hold checksum and name, and the places in them.
struct VersionPlace<'a> {
    crcs: Section<'a>,
    crc: Range<usize>,
    names: Section<'a>,
    name: usize,
}

/// Inverts some of the bytes of a symbol's version.
fn invert_in_version<'a>(
    bytes: &'a [u8],
    symbol: &str,
    part: impl FnOnce(VersionPlace<'a>) -> (Section<'a>, Range<usize>),
) -> Result<Vec<u8>, Error> {
    let elf = Elf::parse(bytes)?;
    let (section, part) = part(version_place(&elf, symbol)?);
    let inverted: Vec<u8> = section.data.get(part.clone()).unwrap_or_default().iter().map(|byte| !byte).collect();
    let mut edited = bytes.to_vec();
    overwrite(&mut edited, &section, part.start, &inverted);
    Ok(edited)
}

fn version_place<'a>(elf: &Elf<'a>, symbol: &str) -> Result<VersionPlace<'a>, Error> {
    let names = symbols::versions(elf)?.map(|version| version.map(|version| version.name));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let index = names.iter().position(|name| *name == symbol.as_bytes());
    let [basic, crcs, ext_names] = elf.sections_named(["__versions", "__version_ext_crcs", "__version_ext_names"])?;
    if let (Some(crcs), Some(names_section)) = (crcs, ext_names) {
        let index = index.ok_or(at(&names_section, 0, "__version_ext_names has no such symbol"))?;
        let name = names.iter().take(index).map(|name| name.len() + 1).sum();
        return Ok(VersionPlace { crcs, crc: 4 * index..4 * index + 4, names: names_section, name });
    }
    let section = basic.ok_or(Error::new("module has no __versions", 0))?;
    let start = index.ok_or(at(&section, 0, "__versions has no such symbol"))? * VERSION_SIZE;
    // The checksum's bytes are the first four or the last four of a long; all are changed.
    let name = start + elf.layout().word_size();
    Ok(VersionPlace { crcs: section, crc: start..name, names: section, name })
}

/// A field of a section's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// `sh_name`: where the name lies in the table of names.
    Name,
    /// `sh_type`.
    Type,
    /// `sh_offset`.
    Offset,
    /// `sh_size`.
    Size,
}

/// The module with another number in a section's header.
///
/// # Errors
/// The module is damaged, or has no such section.
pub fn set_field(bytes: &[u8], name: &str, field: Field, value: u64) -> Result<Vec<u8>, Error> {
    let elf = Elf::parse(bytes)?;
    let index = section(&elf, name, "module has no such section")?.index;
    let word = elf.layout().word_size();
    let (at, size) = match field {
        Field::Name => (0, 4),
        Field::Type => (4, 4),
        Field::Offset => (8 + 2 * word, word),
        Field::Size => (8 + 3 * word, word),
    };
    let mut edited = bytes.to_vec();
    elf.write_header(&mut edited, index, at, size, value);
    Ok(edited)
}

/// The module with other bytes in a section.
///
/// # Errors
/// The module is damaged, or has no such section, or that is too short.
pub fn set_bytes(bytes: &[u8], name: &str, offset: usize, new: &[u8]) -> Result<Vec<u8>, Error> {
    let elf = Elf::parse(bytes)?;
    let found = section(&elf, name, "module has no such section")?;
    if found.data.len() < offset.saturating_add(new.len()) {
        return Err(at(&found, offset, "section is too short"));
    }
    let mut edited = bytes.to_vec();
    overwrite(&mut edited, &found, offset, new);
    Ok(edited)
}

fn section<'a>(elf: &Elf<'a>, name: &str, missing: &'static str) -> Result<Section<'a>, Error> {
    elf.section(name)?.ok_or(Error::new(missing, 0))
}

fn at(section: &Section<'_>, offset: usize, what: &'static str) -> Error {
    Error::new(what, section.offset.saturating_add(offset as u64))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// Writes `new` at `at` of the section. The section lies in the file, as reading it has shown.
fn overwrite(file: &mut [u8], section: &Section<'_>, at: usize, new: &[u8]) {
    let place = usize::try_from(section.offset).ok().and_then(|start| file.get_mut(start + at..start + at + new.len()));
    if let Some(place) = place {
        place.copy_from_slice(new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{elf::Layout, modinfo::Modinfo, write::Module};

    #[test]
    fn a_renamed_module_is_the_module_written_under_the_new_name() {
        for layout in Layout::ALL {
            let module = |name| Module::new(name).layout(layout).modinfo("license", "GPL").exports("chain_00").build();
            assert_eq!(rename(&module("chain_00"), "chain_00", "chain_41").unwrap(), module("chain_41"), "{layout:?}");
        }
    }

    #[test]
    fn a_value_changes_under_its_key_alone() {
        let bytes = Module::new("m").modinfo("vermagic", "6.1 SMP SMP").modinfo("author", "SMP").build();
        let edited = replace_in_modinfo(&bytes, "vermagic", "SMP", "SMQ").unwrap();
        let elf = Elf::parse(&edited).unwrap();
        let info = Modinfo::of(&elf).unwrap();
        assert_eq!((info.vermagic(), info.get("author")), (Some(&b"6.1 SMQ SMQ"[..]), Some(&b"SMP"[..])));
    }

    #[test]
    fn versions_and_vermagic_can_be_hidden_and_nothing_else_changes() {
        for layout in Layout::ALL {
            let module = || Module::new("m").layout(layout).modinfo("vermagic", "6.1 SMP").modinfo("author", "x");
            let bytes = module().version("module_layout", 7).build();
            let hidden = hide_versions(&bytes).unwrap();
            let flags = |bytes: &[u8]| Elf::parse(bytes).unwrap().section("__versions").unwrap().unwrap().flags;
            assert_eq!((flags(&bytes) & SHF_ALLOC, flags(&hidden) & SHF_ALLOC), (SHF_ALLOC, 0), "{layout:?}");
            assert_eq!(bytes.iter().zip(&hidden).filter(|(old, new)| old != new).count(), 1, "{layout:?}");
            assert_eq!(hide_versions(&module().build()).unwrap(), module().build());

            let hidden = hide_modinfo(&bytes, "vermagic").unwrap();
            let elf = Elf::parse(&hidden).unwrap();
            let info = Modinfo::of(&elf).unwrap();
            assert_eq!((info.vermagic(), info.get("author")), (None, Some(&b"x"[..])), "{layout:?}");
        }
        assert_eq!(
            hide_modinfo(&Module::new("m").build(), "vermagic").unwrap_err().what,
            ".modinfo has no such string"
        );
    }

    #[test]
    fn headers_and_contents_of_sections_change() {
        for layout in Layout::ALL {
            let bytes = Module::new("m").layout(layout).modinfo("author", "x").build();
            let edited = set_field(&bytes, ".modinfo", Field::Size, 3).unwrap();
            assert_eq!(Elf::parse(&edited).unwrap().section(".modinfo").unwrap().unwrap().size, 3, "{layout:?}");
            let edited = set_bytes(&bytes, ".modinfo", 1, b"AME").unwrap();
            assert!(Elf::parse(&edited).unwrap().section(".modinfo").unwrap().unwrap().data.starts_with(b"nAME"));
        }
        let bytes = Module::new("m").build();
        assert_eq!(set_bytes(&bytes, ".modinfo", 1000, b"x").unwrap_err().what, "section is too short");
        let len = Elf::parse(&bytes).unwrap().section(".modinfo").unwrap().unwrap().data.len();
        assert_eq!(set_bytes(&bytes, ".modinfo", len - 1, b"xy").unwrap_err().what, "section is too short");
        assert!(set_bytes(&bytes, ".modinfo", len - 2, b"xy").is_ok());
        assert_eq!(set_field(&bytes, ".none", Field::Type, 0).unwrap_err().what, "module has no such section");
    }

    #[test]
    fn one_version_changes_and_the_others_stay() {
        for layout in Layout::ALL {
            let bytes = Module::new("m").layout(layout).version("module_layout", 7).version("printk", 9).build();
            let edited = change_version(&bytes, "printk").unwrap();
            let crcs = symbols::versions(&Elf::parse(&edited).unwrap()).unwrap().map(|version| version.unwrap().crc);
            assert_eq!(crcs.collect::<Vec<_>>(), [7, !9], "{layout:?}");
            let edited = rename_version(&bytes, "printk").unwrap();
            let elf = Elf::parse(&edited).unwrap();
            let names = symbols::versions(&elf).unwrap().map(|version| version.unwrap().name);
            assert_eq!(names.collect::<Vec<_>>(), [&b"module_layout"[..], b"\x8frintk"], "{layout:?}");
        }
        let bytes = Module::new("m").version("printk", 9).build();
        assert_eq!(change_version(&bytes, "other").unwrap_err().what, "__versions has no such symbol");
    }

    #[test]
    fn of_both_forms_of_versions_that_changes_which_the_kernel_looks_at() {
        for layout in Layout::ALL {
            let module = Module::new("m").layout(layout).version("other", 1).version("printk", 2);
            let bytes = module.extended_version("another", 4).extended_version("printk", 3).build();
            let read = |bytes: &[u8]| {
                let versions =
                    symbols::versions(&Elf::parse(bytes).unwrap()).unwrap().map(Result::unwrap).collect::<Vec<_>>();
                versions.iter().map(|version| (version.name.to_vec(), version.crc)).collect::<Vec<_>>()
            };
            let expected = |printk: &[u8], crc| [(b"another".to_vec(), 4), (printk.to_vec(), crc)];
            assert_eq!(read(&change_version(&bytes, "printk").unwrap()), expected(b"printk", !3), "{layout:?}");
            assert_eq!(read(&rename_version(&bytes, "printk").unwrap()), expected(b"\x8frintk", 3), "{layout:?}");
        }
    }

    #[test]
    fn what_cannot_be_replaced_is_refused() {
        let bytes = Module::new("chain_00").build();
        assert_eq!(rename(&bytes, "chain_00", "x").unwrap_err().what, "replacement is not of the same length");
        assert_eq!(rename(&bytes, "", "").unwrap_err().what, "replacement is not of the same length");
        assert_eq!(rename(&bytes, "abc", "xyz").unwrap_err().what, ".modinfo does not hold the text to replace");
        let nameless = Module::new("chain_00").section(".gnu.linkonce.this_module", [0; 40].to_vec()).build();
        assert_eq!(rename(&nameless, "chain_00", "chain_01").unwrap_err().what, "struct module has another name");
    }
}
