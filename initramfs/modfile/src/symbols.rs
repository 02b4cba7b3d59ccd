//! What a module gives to others and takes from others, seen as depmod sees it.
//!
//! ```text
//! exports: a `__crc_NAME` symbol per export (CONFIG_MODVERSIONS); without those, the strings of `__ksymtab_strings`
//! needs:   the undefined symbols, then the versions that are not among them (such as `module_layout`)
//! versions: `__version_ext_names` and `__version_ext_crcs` (CONFIG_EXTENDED_MODVERSIONS), or else `__versions`
//! ```

use alloc::vec::Vec;

use crate::{
    Error,
    bytes::nul,
    elf::{Elf, Layout, SHN_ABS, SHN_LORESERVE, SHN_UNDEF, STB_WEAK, Section, Symbol},
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

/// The checksum that a needed symbol had when the module was built.
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
/// The symbol table or the versions are damaged.
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

/// The versions, in order; none where the kernel was built without. A module with both forms is read by the extended
/// one, as the kernel does: names that are too long for `__versions` are only there.
///
/// # Errors
/// A table is no whole number of entries, or one of the two extended sections is missing. An entry without a name that
/// can be read is an error of that item alone.
pub fn versions<'a>(elf: &Elf<'a>) -> Result<impl Iterator<Item = Result<Version<'a>, Error>> + use<'a>, Error> {
    let [basic, crcs, names] = elf.sections_named(["__versions", CRCS, NAMES])?;
    let extended = match (crcs, names) {
        (None, None) => None,
        (Some(crcs), Some(names)) => Some(extended_versions(elf.layout(), &crcs, &names)?),
        (Some(part), None) | (None, Some(part)) => {
            return Err(Error::new("module has only one of __version_ext_crcs and __version_ext_names", part.offset));
        }
    };
    let basic = match (basic, &extended) {
        (Some(section), None) => Some(basic_versions(elf.layout(), &section)?),
        _ => None,
    };
    Ok(extended.into_iter().flatten().chain(basic.into_iter().flatten()))
}

const CRCS: &str = "__version_ext_crcs";
const NAMES: &str = "__version_ext_names";

/// Bytes of an entry of `__versions`: a C `long`, then the name fills the rest (struct modversion_info).
pub(crate) const VERSION_SIZE: usize = 64;

fn basic_versions<'a>(
    layout: Layout,
    section: &Section<'a>,
) -> Result<impl Iterator<Item = Result<Version<'a>, Error>> + use<'a>, Error> {
    let (data, at) = (section.data, section.offset);
    if data.len() % VERSION_SIZE != 0 {
        return Err(Error::new("__versions is no whole number of entries", at));
    }
    Ok(data.chunks_exact(VERSION_SIZE).enumerate().map(move |(i, entry)| {
        let unterminated = Error::new("name in __versions is not terminated", at + (i * VERSION_SIZE) as u64);
        version(layout, entry).ok_or(unterminated)
    }))
}

fn version(layout: Layout, entry: &[u8]) -> Option<Version<'_>> {
    let crc = layout.long(entry, 0) as u32;
    let name = entry.get(layout.word_size()..)?;
    Some(Version { name: name.get(..nul(name)?)?, crc })
}

/// The two sections side by side. Beyond the last checksum there are bytes: the compiler ends the names as one string.
fn extended_versions<'a>(
    layout: Layout,
    crcs: &Section<'a>,
    names: &Section<'a>,
) -> Result<impl Iterator<Item = Result<Version<'a>, Error>> + use<'a>, Error> {
    if !crcs.data.len().is_multiple_of(4) {
        return Err(Error::new("__version_ext_crcs is no whole number of checksums", crcs.offset));
    }
    let (mut rest, missing) = (names.data, Error::new("__version_ext_names ends before its last name", names.offset));
    Ok(crcs.data.chunks_exact(4).map(move |crc| {
        let (name, after) = rest.split_at(nul(rest).ok_or(missing)?);
        rest = &after[1..];
        Ok(Version { name, crc: layout.word(crc, 0) })
    }))
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
    fn extended_versions_go_before_the_others() {
        let long = "_RNvNtCs1234_6kernel5print11call_printk_with_a_name_that_would_not_fit_in_there";
        for layout in Layout::ALL {
            let module = Module::new("m").layout(layout).needs("short").version("short", 1);
            let bytes = module.extended_version("short", 2).extended_version(long, 0x1234_5678).build();
            let elf = Elf::parse(&bytes).unwrap();
            let read: Vec<_> = versions(&elf).unwrap().map(Result::unwrap).collect();
            let version = |name: &'static str, crc| Version { name: name.as_bytes(), crc };
            assert_eq!(read, [version("short", 2), version(long, 0x1234_5678)], "{layout:?}");
            let names: Vec<_> = needs(&elf).unwrap().iter().map(|need| need.name).collect();
            assert_eq!(names, [b"short", long.as_bytes()]);
        }
    }

    #[test]
    fn no_symbol_lies_beyond_the_last() {
        for layout in Layout::ALL {
            let bytes = Module::new("m").layout(layout).exports("one").build();
            let table = Elf::parse(&bytes).unwrap().symbol_table().unwrap();
            let size = layout.symbol_size() as u64;
            // The last two are where a place in the table no longer fits in 32 bits.
            for index in [table.iter().count() as u32 + 1, u32::MAX, ((1 << 32) / size + 1) as u32, 1 << 31] {
                assert_eq!(table.get(index).unwrap_err().what, "no such symbol", "{index:#x} {layout:?}");
            }
        }
    }

    #[test]
    fn damaged_extended_versions_are_named() {
        let check = |sections: &[(&str, &[u8])], expected: &str| {
            let mut module = Module::new("m");
            for (name, data) in sections {
                module = module.section(name, data.to_vec());
            }
            let bytes = module.build();
            let error = needs(&Elf::parse(&bytes).unwrap()).unwrap_err();
            assert_eq!(error.what, expected);
        };
        let one_alone = "module has only one of __version_ext_crcs and __version_ext_names";
        check(&[(CRCS, &[0; 4])], one_alone);
        check(&[(NAMES, b"a\0")], one_alone);
        check(&[(CRCS, &[0; 5]), (NAMES, b"a\0")], "__version_ext_crcs is no whole number of checksums");
        check(&[(CRCS, &[0; 8]), (NAMES, b"a\0")], "__version_ext_names ends before its last name");
        check(&[(CRCS, &[0; 4]), (NAMES, b"a")], "__version_ext_names ends before its last name");
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
