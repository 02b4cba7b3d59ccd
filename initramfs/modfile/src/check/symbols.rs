//! The symbol table: names, as `layout_symtab()`, `simplify_symbols()` and `add_kallsyms()` read them, and sections.

use super::{
    Place, Run,
    image::{Image, LAYOUT},
    index::Index,
    rule,
};
use crate::elf::{SHN_ABS, SHN_UNDEF, STB_WEAK};

/// `st_shndx`: memory that nobody has set aside.
const SHN_COMMON: u16 = 0xfff2;
/// `st_shndx`: a live patch is to find it.
const SHN_LIVEPATCH: u16 = 0xff20;

/// One entry, `Elf64_Sym`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Symbol {
    pub(super) name: u32,
    pub(super) info: u8,
    pub(super) section: u16,
    pub(super) value: u64,
}

/// All entries, the null one first.
pub(super) fn entries<'a>(image: &Image<'a>, index: &Index) -> impl ExactSizeIterator<Item = Symbol> + use<'a> {
    image.data(index.symtab).chunks_exact(LAYOUT.symbol_size()).map(|record| Symbol {
        name: LAYOUT.word(record, 0),
        info: record.get(4).copied().unwrap_or(0),
        section: LAYOUT.half(record, 6),
        value: LAYOUT.long(record, 8),
    })
}

pub(super) fn check(run: &mut Run, image: &Image<'_>, index: &Index) {
    let names = image.data(index.strtab);
    for (at, symbol) in entries(image, index).enumerate() {
        let place = Place::Symbol(at as u32);
        if symbol.name as usize >= names.len() {
            run.report(&rule::SYMBOL_NAME_OUTSIDE, place, at);
        }
        let name = names.get(symbol.name as usize..).unwrap_or_default();
        match symbol.section {
            // The null symbol is not looked at.
            _ if at == 0 => {}
            SHN_COMMON if !name.starts_with(b"__gnu_lto") => run.report(&rule::COMMON, place, at),
            SHN_COMMON | SHN_ABS | SHN_LIVEPATCH => {}
            SHN_UNDEF if name.first() == Some(&0) && symbol.info >> 4 != STB_WEAK => {
                run.report(&rule::SYMBOL_NAMELESS, place, at);
            }
            section if usize::from(section) >= image.sections.len() => run.report(&rule::SYMBOL_SECTION, place, at),
            _ => {}
        }
    }
}
