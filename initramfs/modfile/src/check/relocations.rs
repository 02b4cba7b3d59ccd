//! Relocations: `apply_relocations()`, and `apply_relocate_add()` of `arch/x86/kernel/module.c`.

use alloc::{vec, vec::Vec};

use super::{
    Place, Run,
    image::{Image, LAYOUT},
    index::Index,
    layout::Layout,
    rule, symbols,
};
use crate::elf::{SHT_NOBITS, SHT_REL, SHT_RELA};

/// `sh_flags` of Linux: relocations that a live patch applies.
const SHF_RELA_LIVEPATCH: u64 = 0x0010_0000;

/// Bytes of an `Elf64_Rela`.
const RELA: usize = 24;

/// One entry, `Elf64_Rela`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Relocation {
    pub(super) offset: u64,
    pub(super) symbol: u32,
    pub(super) kind: u32,
    pub(super) addend: u64,
}

impl Relocation {
    /// How many bytes it writes; None for a type that the kernel does not know.
    pub(super) const fn width(&self) -> Option<u64> {
        match self.kind {
            0 => Some(0),
            1 | 24 => Some(8),
            2 | 4 | 10 | 11 => Some(4),
            _ => None,
        }
    }
}

/// The entries of a relocation section.
pub(super) fn entries<'a>(image: &Image<'a>, section: usize) -> impl Iterator<Item = Relocation> + use<'a> {
    image.data(section).chunks_exact(RELA).map(|record| Relocation {
        offset: LAYOUT.long(record, 0),
        symbol: LAYOUT.word(record, 12),
        kind: LAYOUT.word(record, 8),
        addend: LAYOUT.long(record, 16),
    })
}

pub(super) fn check(run: &mut Run, image: &Image<'_>, index: &Index, layout: &Layout) {
    let symbols = symbols::entries(image, index).len();
    let mut written: Vec<Option<Vec<u8>>> = vec![None; image.sections.len()];
    // Place in the loader's order over all tables.
    let mut at = 0;
    for (table, header) in image.real_sections() {
        let target = header.info as usize;
        if !layout.is_loaded.get(target).copied().unwrap_or(false) {
            continue;
        }
        if header.flags & SHF_RELA_LIVEPATCH != 0 {
            if !image.name(table).starts_with(b".klp.rela.") {
                run.report(&rule::RELOCATION_LIVEPATCH, super::section(table), at);
            }
        } else if header.kind == SHT_REL {
            run.report(&rule::RELOCATION_REL, super::section(table), at);
        } else if header.kind == SHT_RELA {
            let mut target = Target::new(image, target, &mut written[target]);
            for (entry, relocation) in entries(image, table).enumerate() {
                let place = Place::Entry { section: table as u16, index: entry as u32 };
                if relocation.symbol as usize >= symbols {
                    run.report(&rule::RELOCATION_SYMBOL, place, at);
                }
                if let Some(rule) = target.apply(&relocation) {
                    run.report(rule, place, at);
                }
                at += 1;
            }
        }
        at += 1;
    }
}

/// The section that relocations are for.
struct Target<'a> {
    /// What it holds; empty where it is all zeros.
    data: &'a [u8],
    size: u64,
    /// One bit for each byte that a relocation has written.
    written: &'a mut Vec<u8>,
}

impl<'a> Target<'a> {
    fn new(image: &Image<'a>, index: usize, written: &'a mut Option<Vec<u8>>) -> Self {
        let header = &image.sections[index];
        let data = if header.kind == SHT_NOBITS { &[][..] } else { image.data(index) };
        // A section without bytes in the file may claim any size.
        let bytes = if data.is_empty() { header.size.min(1 << 20) as usize } else { data.len() };
        Self { data, size: header.size, written: written.get_or_insert_with(|| vec![0; bytes.div_ceil(8)]) }
    }

    /// What is wrong with a relocation, if something is.
    fn apply(&mut self, relocation: &Relocation) -> Option<&'static rule::Rule> {
        let Some(width) = relocation.width() else { return Some(&rule::RELOCATION_TYPE) };
        if width == 0 {
            return None;
        }
        let end = relocation.offset.checked_add(width).filter(|end| *end <= self.size);
        let Some(end) = end else { return Some(&rule::RELOCATION_OUTSIDE) };
        let (start, end) = (relocation.offset as usize, end as usize);
        if self.data.get(start..end).is_some_and(|bytes| bytes.iter().any(|byte| *byte != 0)) {
            return Some(&rule::RELOCATION_NONZERO);
        }
        let mut is_twice = false;
        for at in start..end {
            let (byte, bit) = (at / 8, 1 << (at % 8));
            if let Some(byte) = self.written.get_mut(byte) {
                is_twice |= *byte & bit != 0;
                *byte |= bit;
            }
        }
        is_twice.then_some(&rule::RELOCATION_TWICE)
    }
}
