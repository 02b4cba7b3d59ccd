//! The symbol table: names, as `layout_symtab()`, `simplify_symbols()` and `add_kallsyms()` read them, and sections.

use alloc::vec::Vec;

use super::{
    Place, Run,
    image::{Image, LAYOUT},
    index::{Index, Tables},
    rule,
};
use crate::elf::{SHN_ABS, SHN_LORESERVE, SHN_UNDEF, STB_WEAK, STT_OBJECT};

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
    pub(super) size: u64,
}

impl Symbol {
    fn decode(record: &[u8]) -> Self {
        Self {
            name: LAYOUT.word(record, 0),
            info: record.get(4).copied().unwrap_or(0),
            section: LAYOUT.half(record, 6),
            value: LAYOUT.long(record, 8),
            size: LAYOUT.long(record, 16),
        }
    }

    pub(super) const fn kind(&self) -> u8 {
        self.info & 0xf
    }
}

/// All entries, the null one first.
pub(super) fn entries<'a>(image: &Image<'a>, tables: Tables) -> impl ExactSizeIterator<Item = Symbol> + use<'a> {
    image.data(tables.symtab).chunks_exact(LAYOUT.symbol_size()).map(Symbol::decode)
}

/// The entry that a relocation names.
pub(super) fn entry(image: &Image<'_>, tables: Tables, at: u32) -> Option<Symbol> {
    let size = LAYOUT.symbol_size();
    let record = image.data(tables.symtab).get(at as usize * size..)?.get(..size)?;
    Some(Symbol::decode(record))
}

pub(super) fn check(run: &mut Run, image: &Image<'_>, index: &Index) {
    let names = image.data(index.tables.strtab);
    for (at, symbol) in entries(image, index.tables).enumerate() {
        let place = Place::Symbol(at as u32);
        if symbol.name as usize >= names.len() {
            run.report(&rule::SYMBOL_NAME_OUTSIDE, place, at);
        }
        if at == 0 {
            // It is only looked at when it is too late: elf_type() of add_kallsyms().
            if usize::from(symbol.section) >= image.sections.len() && symbol.section < SHN_LORESERVE {
                run.report(&rule::NULL_SYMBOL_SECTION, place, at);
            }
            continue;
        }
        let name = names.get(symbol.name as usize..).unwrap_or_default();
        match symbol.section {
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

/// `st_info`: the name of a section.
const STT_SECTION: u8 = 3;
const STT_FUNC: u8 = 2;

/// What symbols say lies in the sections.
pub(super) struct Objects {
    /// Where something begins: the section, and the place in it, sorted.
    starts: Vec<(u16, u64)>,
}

impl Objects {
    /// Reports those that lie over others: nothing that a compiler makes does.
    pub(super) fn check(run: &mut Run, image: &Image<'_>, index: &Index) -> Self {
        let mut starts = Vec::new();
        let mut sized = Vec::new();
        for (at, symbol) in entries(image, index.tables).enumerate().skip(1) {
            let Some(header) = image.sections.get(usize::from(symbol.section)).filter(|_| symbol.section != 0) else {
                continue;
            };
            if symbol.kind() != STT_SECTION {
                starts.push((symbol.section, symbol.value));
            } else if symbol.value != 0 {
                run.report(&rule::SECTION_SYMBOL, Place::Symbol(at as u32), at);
            }
            if symbol.size != 0 && matches!(symbol.kind(), STT_OBJECT | STT_FUNC) && header.is_alloc() {
                sized.push((symbol.section, symbol.value, symbol.value.saturating_add(symbol.size), at));
            }
        }
        starts.sort_unstable();
        sized.sort_unstable();
        let mut before = (0, 0, 0);
        for (section, start, end, at) in sized {
            let is_alias = (section, start, end) == before;
            let is_over = section == before.0 && start < before.2;
            let is_beyond = end > image.sections[usize::from(section)].size;
            if (is_over && !is_alias) || is_beyond {
                run.report(&rule::SYMBOLS_OVERLAP, Place::Symbol(at as u32), at);
            }
            before = (section, start, end);
        }
        Self { starts }
    }

    /// Whether a symbol is there.
    pub(super) fn begins_at(&self, section: u16, place: u64) -> bool {
        self.starts.binary_search(&(section, place)).is_ok()
    }
}
