//! Target `symbols`: the bytes as a module's file: its symbol table, what it exports and what it needs.

use modfile::{
    Error,
    elf::{Elf, SHN_LORESERVE, SHN_UNDEF, STB_WEAK, Symbol, Symbols},
    symbols,
};
use object::{
    Endianness,
    elf::{self, SHT_SYMTAB},
    read::elf::{FileHeader, Sym as _},
};

use crate::{
    Seed,
    promises::{borrows, check_refusal, is_string},
};

/// Reads the bytes and checks what the readers promise.
pub fn check(data: &[u8]) {
    check_refusal(check_module(data));
}

fn check_module(data: &[u8]) -> Result<(), Error> {
    let elf = Elf::parse(data)?;
    let table = elf.symbol_table()?;
    assert!(table.ranges().iter().all(|range| range.end <= data.len() as u64));
    let mut count = 0;
    for (index, symbol) in table.iter().enumerate() {
        if let Ok(symbol) = symbol {
            assert!(is_string(data, symbol.name));
            assert_eq!(table.get(index as u32 + 1), Ok(symbol));
        }
        count = index + 1;
    }
    assert!(count * elf.layout().symbol_size() <= data.len());
    check_beyond(&elf, table, count);
    if elf.layout().is_64 {
        agree_as::<elf::FileHeader64<Endianness>>(data, &elf);
    } else {
        agree_as::<elf::FileHeader32<Endianness>>(data, &elf);
    }
    check_uses(data, &elf)
}

/// There is no symbol beyond the last, even where its place would not fit in 32 bits; and names are those of the table
/// that the symbols' own section names.
fn check_beyond(elf: &Elf<'_>, table: Symbols<'_>, count: usize) {
    let size = elf.layout().symbol_size();
    let first_large = (u32::MAX as usize / size + 1) as u32;
    let beyond = [count as u32 + 1, u32::MAX, first_large, first_large + 1];
    assert!(beyond.into_iter().all(|index| table.get(index).is_err()));
    if let Some(section) = elf.sections().flatten().find(|section| section.kind == SHT_SYMTAB.0) {
        let link = u16::try_from(section.link).expect("there is a section of that number");
        let names = elf.section_at(link);
        assert!(names.map_or(true, |names| names.data.is_empty() || table.ranges()[1].start == names.offset));
    }
}

/// Exports and needs are symbols of the file, and there are not more of them than it has room for.
fn check_uses(data: &[u8], elf: &Elf<'_>) -> Result<(), Error> {
    let exports = symbols::exports(elf)?;
    assert!(exports.len() <= data.len());
    assert!(exports.iter().all(|export| borrows(data, export.name)));
    let checksums = elf.symbols()?.flatten().filter(|symbol| symbol.name.starts_with(b"__crc_"));
    for (export, symbol) in exports.iter().zip(checksums) {
        assert_eq!((export.name, export.crc), (&symbol.name[6..], checksum(elf, &symbol)));
    }
    let needs = symbols::needs(elf)?;
    assert!(needs.len() <= data.len());
    assert!(needs.iter().all(|need| borrows(data, need.name)));
    let undefined = elf.symbols()?.flatten().filter(|symbol| symbol.section == SHN_UNDEF && !symbol.name.is_empty());
    for (need, symbol) in needs.iter().zip(undefined) {
        assert_eq!((need.name, need.is_weak), (symbol.name, symbol.binding() == STB_WEAK));
    }
    Ok(())
}

/// The number that the symbol is, or the four bytes of its section that it names.
fn checksum(elf: &Elf<'_>, symbol: &Symbol<'_>) -> Option<u32> {
    if symbol.section == SHN_UNDEF || symbol.section >= SHN_LORESERVE {
        return Some(symbol.value as u32);
    }
    let section = elf.section_at(symbol.section).ok()?;
    let bytes = section.data.get(usize::try_from(symbol.value).ok()?..)?.first_chunk::<4>()?;
    Some(if elf.layout().is_big { u32::from_be_bytes(*bytes) } else { u32::from_le_bytes(*bytes) })
}

/// The `object` crate reads the same of what both accept.
fn agree_as<H: FileHeader<Endian = Endianness>>(data: &[u8], ours: &Elf<'_>) {
    let theirs = H::parse(data).and_then(|header| {
        let endian = header.endian()?;
        Ok((endian, header.sections(endian, data)?.symbols(endian, data, SHT_SYMTAB)?))
    });
    let (Ok((endian, theirs)), Ok(ours)) = (theirs, ours.symbols()) else { return };
    for (theirs_at, ours) in theirs.iter().skip(1).zip(ours) {
        let (Ok(name), Ok(ours)) = (theirs.symbol_name(endian, theirs_at), ours) else { continue };
        let place = (theirs_at.st_shndx(endian).0, theirs_at.st_value(endian).into(), theirs_at.st_size(endian).into());
        assert_eq!((name, theirs_at.st_info().0), (ours.name, ours.info));
        assert_eq!(place, (ours.section, ours.value, ours.size));
    }
}

/// Modules with and without checksums of what they export.
pub fn seeds() -> Vec<Seed> {
    crate::plan::examples()
}
