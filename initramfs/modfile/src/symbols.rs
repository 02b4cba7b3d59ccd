//! What a module gives to others and takes from others, seen as depmod sees it.
//!
//! ```text
//! exports: a `__crc_NAME` symbol per export (CONFIG_MODVERSIONS); without those, the strings of `__ksymtab_strings`
//! needs:   the undefined symbols, then those of `__versions` that are not among them (such as `module_layout`)
//! ```

use alloc::vec::Vec;

use crate::{
    Error,
    bytes::nul,
    elf::{Elf, Layout, SHN_ABS, SHN_LORESERVE, SHN_UNDEF, STB_WEAK, Symbol},
};

const CRC_PREFIX: &[u8] = b"__crc_";

/// A symbol that a module exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Export<'a> {
    /// Name.
    pub name: &'a [u8],
    /// Checksum of its type, where the kernel was built with CONFIG_MODVERSIONS.
    pub crc: Option<u32>,
}

/// A symbol that a module wants from the kernel or another module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need<'a> {
    /// Name.
    pub name: &'a [u8],
    /// The module can do without.
    pub is_weak: bool,
}

/// An entry of `__versions`: the checksum that a needed symbol had when the module was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version<'a> {
    /// Name.
    pub name: &'a [u8],
    /// Checksum.
    pub crc: u32,
}

/// The symbols that a module exports, in file order.
///
/// # Errors
/// The symbol table is damaged.
pub fn exports<'a>(elf: &Elf<'a>) -> Result<Vec<Export<'a>>, Error> {
    let mut exports = Vec::new();
    for symbol in elf.symbols()? {
        let symbol = symbol?;
        if let Some(name) = symbol.name.strip_prefix(CRC_PREFIX) {
            exports.push(Export { name, crc: Some(crc(elf, &symbol)?) });
        }
    }
    if exports.is_empty() {
        let strings = elf.section("__ksymtab_strings")?.map_or(&[][..], |section| section.data);
        let names = strings.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        exports.extend(names.map(|name| Export { name, crc: None }));
    }
    Ok(exports)
}

/// The symbols that a module needs, in file order, each once per mention.
///
/// # Errors
/// The symbol table or `__versions` is damaged.
pub fn needs<'a>(elf: &Elf<'a>) -> Result<Vec<Need<'a>>, Error> {
    let mut needs = Vec::new();
    for symbol in elf.symbols()? {
        let symbol = symbol?;
        if symbol.section == SHN_UNDEF && !symbol.name.is_empty() {
            needs.push(Need { name: symbol.name, is_weak: symbol.binding() == STB_WEAK });
        }
    }
    let mut undefined: Vec<&[u8]> = needs.iter().map(|need| need.name).collect();
    undefined.sort_unstable();
    for version in versions(elf)? {
        let name = version?.name;
        if undefined.binary_search(&name).is_err() {
            needs.push(Need { name, is_weak: false });
        }
    }
    Ok(needs)
}

/// The entries of `__versions`, in order; none when there is no such section.
///
/// # Errors
/// The section is no whole number of entries. A name that is not terminated is an error of that item alone.
pub fn versions<'a>(elf: &Elf<'a>) -> Result<impl Iterator<Item = Result<Version<'a>, Error>> + use<'a>, Error> {
    let (data, at) = elf.section("__versions")?.map_or((&[][..], 0), |section| (section.data, section.offset));
    if data.len() % VERSION_SIZE != 0 {
        return Err(Error::new("__versions is no whole number of entries", at));
    }
    let layout = elf.layout();
    Ok(data.chunks_exact(VERSION_SIZE).enumerate().map(move |(i, entry)| {
        let unterminated = Error::new("name in __versions is not terminated", at + (i * VERSION_SIZE) as u64);
        version(layout, entry).ok_or(unterminated)
    }))
}

/// Bytes of an entry of `__versions`: a C `long`, then the name fills the rest (struct modversion_info).
pub(crate) const VERSION_SIZE: usize = 64;

fn version(layout: Layout, entry: &[u8]) -> Option<Version<'_>> {
    let crc = layout.long(entry, 0) as u32;
    let name = entry.get(layout.word_size()..)?;
    Some(Version { name: name.get(..nul(name)?)?, crc })
}

/// A `__crc_` symbol is the checksum itself, or the place of the four bytes that are, as the kernel was built.
fn crc(elf: &Elf<'_>, symbol: &Symbol<'_>) -> Result<u32, Error> {
    if matches!(symbol.section, SHN_UNDEF | SHN_ABS) || symbol.section >= SHN_LORESERVE {
        return Ok(symbol.value as u32);
    }
    let section = elf.section_at(symbol.section)?;
    let outside = Error::new("checksum lies outside its section", section.offset);
    let at = usize::try_from(symbol.value).map_err(|_| outside)?;
    let bytes = section.data.get(at..).and_then(<[u8]>::first_chunk::<4>).ok_or(outside)?;
    Ok(elf.layout().word(bytes, 0))
}

#[cfg(test)]
mod tests {
    use alloc::{format, vec};

    use super::*;
    use crate::write::Module;

    #[test]
    fn exports_come_from_checksum_symbols_or_else_from_strings() {
        for layout in Layout::ALL {
            let bytes = Module::new("m").layout(layout).exports("one").exports("two").build();
            let found = exports(&Elf::parse(&bytes).unwrap()).unwrap();
            assert_eq!(found, [Export { name: b"one", crc: None }, Export { name: b"two", crc: None }], "{layout:?}");

            let bytes = Module::new("m").layout(layout).exports_with_crc("one", 0x1234_5678).exports("two").build();
            let found = exports(&Elf::parse(&bytes).unwrap()).unwrap();
            assert_eq!(found, [Export { name: b"one", crc: Some(0x1234_5678) }], "{layout:?}");
        }
    }

    #[test]
    fn needs_are_undefined_symbols_and_then_unseen_versions() {
        for layout in Layout::ALL {
            let module = Module::new("m").layout(layout).needs("strong").needs_weakly("weak").exports("own");
            let bytes = module.version("module_layout", 7).version("strong", 9).build();
            let elf = Elf::parse(&bytes).unwrap();
            let need = |name, is_weak| Need { name, is_weak };
            assert_eq!(
                needs(&elf).unwrap(),
                [need(b"strong" as &[u8], false), need(b"weak", true), need(b"module_layout", false)],
                "{layout:?}"
            );
            let read: Vec<_> = versions(&elf).unwrap().map(Result::unwrap).collect();
            let version = |name, crc| Version { name, crc };
            assert_eq!(read, [version(b"module_layout" as &[u8], 7), version(b"strong", 9)]);
        }
    }

    #[test]
    fn damaged_versions_are_named() {
        let check = |data: Vec<u8>, expected: &str| {
            let bytes = Module::new("m").section("__versions", data).build();
            let error = needs(&Elf::parse(&bytes).unwrap()).unwrap_err();
            assert!(format!("{error}").starts_with(expected), "{error}");
        };
        check(vec![1; 63], "__versions is no whole number of entries");
        check(vec![1; 64], "name in __versions is not terminated");
    }
}
