//! Relocations: `apply_relocations()`, and `apply_relocate_add()` of `arch/x86/kernel/module.c`.

use alloc::vec::Vec;

use super::{
    Place, Run,
    image::{Image, LAYOUT},
    index::Index,
    layout::Layout,
    rule, symbols,
};
use crate::elf::{SHT_REL, SHT_RELA};

/// `R_X86_64_64` and so on.
pub(super) const NONE: u32 = 0;
pub(super) const ABS64: u32 = 1;
pub(super) const PC32: u32 = 2;
pub(super) const PLT32: u32 = 4;
pub(super) const ABS32: u32 = 10;
pub(super) const ABS32S: u32 = 11;
pub(super) const PC64: u32 = 24;

/// `sh_flags` of Linux: relocations that a live patch applies.
const SHF_RELA_LIVEPATCH: u64 = 0x0010_0000;

/// How the names of such sections begin; that of what is patched and of its section follow, as in `.klp.rela.vmlinux..text`.
pub(super) const LIVEPATCH: &[u8] = b".klp.rela.";

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
            NONE => Some(0),
            ABS64 | PC64 => Some(8),
            PC32 | PLT32 | ABS32 | ABS32S => Some(4),
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

/// A relocation that is applied.
#[derive(Debug, Clone, Copy)]
pub(super) struct Applied {
    pub(super) relocation: Relocation,
    /// The entry of which table it is.
    pub(super) place: Place,
    /// When the loader comes to it: its number over all tables.
    pub(super) order: usize,
}

/// What is applied to each section, sorted by offset.
pub(super) struct Relocations {
    by_target: Vec<Vec<Applied>>,
}

impl Relocations {
    /// Those of a section.
    pub(super) fn of(&self, section: usize) -> &[Applied] {
        self.by_target.get(section).map_or(&[], Vec::as_slice)
    }

    /// That of the pointer at a place of a section.
    pub(super) fn at(&self, section: usize, offset: u64) -> Option<&Applied> {
        let applied = self.of(section);
        applied.binary_search_by_key(&offset, |applied| applied.relocation.offset).ok().and_then(|at| applied.get(at))
    }
}

pub(super) fn check(run: &mut Run, image: &Image<'_>, index: &Index, layout: &Layout) -> Relocations {
    let count = symbols::entries(image, index.tables).len();
    let mut targets: Vec<Option<Target<'_>>> = image.sections.iter().map(|_| None).collect();
    // Place in the loader's order over all tables.
    let mut at = 0;
    for (table, header) in image.real_sections() {
        at += 1;
        let target = header.info as usize;
        if !layout.is_relocated(run, index, target) {
            continue;
        }
        if header.flags & SHF_RELA_LIVEPATCH != 0 {
            if !image.name(table).starts_with(LIVEPATCH) {
                run.report(&rule::RELOCATION_LIVEPATCH, super::section(table), at);
            }
        } else if header.kind == SHT_REL {
            run.report(&rule::RELOCATION_REL, super::section(table), at);
        } else if header.kind == SHT_RELA {
            let target = targets[target].get_or_insert_with(|| Target::new(image, target));
            for (entry, relocation) in entries(image, table).enumerate() {
                at += 1;
                let place = Place::Entry { section: table as u16, index: entry as u32 };
                if relocation.symbol as usize >= count {
                    run.report(&rule::RELOCATION_SYMBOL, place, at);
                } else if let Some(rule) = target.apply(Applied { relocation, place, order: at }) {
                    run.report(rule, place, at);
                }
            }
        }
    }
    let by_target =
        targets.into_iter().map(|target| sorted(run, target.map(|target| target.applied).unwrap_or_default()));
    Relocations { by_target: by_target.collect() }
}

/// By offset; those that write what another one has written are reported.
fn sorted(run: &mut Run, mut applied: Vec<Applied>) -> Vec<Applied> {
    if !applied.is_sorted_by_key(|applied| applied.relocation.offset) {
        applied.sort_by_key(|applied| applied.relocation.offset);
    }
    for pair in applied.windows(2) {
        let [first, second] = pair else { continue };
        if second.relocation.offset - first.relocation.offset < first.relocation.width().unwrap_or(0) {
            run.report(&rule::RELOCATION_TWICE, second.place.max(first.place), second.order.max(first.order));
        }
    }
    applied
}

/// The section that relocations are for.
struct Target<'a> {
    /// What it holds; empty where it is all zeros.
    data: &'a [u8],
    size: u64,
    applied: Vec<Applied>,
}

impl<'a> Target<'a> {
    fn new(image: &Image<'a>, index: usize) -> Self {
        Self { data: image.contents(index), size: image.sections[index].size, applied: Vec::new() }
    }

    /// What is wrong with a relocation, if something is.
    fn apply(&mut self, applied: Applied) -> Option<&'static rule::Rule> {
        let relocation = applied.relocation;
        let Some(width) = relocation.width() else { return Some(&rule::RELOCATION_TYPE) };
        if width == 0 {
            self.applied.push(applied);
            return None;
        }
        let end = relocation.offset.checked_add(width).filter(|end| *end <= self.size);
        let Some(end) = end else { return Some(&rule::RELOCATION_OUTSIDE) };
        let (start, end) = (relocation.offset as usize, end as usize);
        if self.data.get(start..end).is_some_and(|bytes| bytes.iter().any(|byte| *byte != 0)) {
            return Some(&rule::RELOCATION_NONZERO);
        }
        self.applied.push(applied);
        None
    }
}
