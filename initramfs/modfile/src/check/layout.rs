//! Where the loader puts each section: `layout_sections()`, `layout_symtab()` and `move_module()`, with their arithmetic
//! of 32 bits.

use alloc::vec::Vec;

use super::{
    Run,
    image::{Header, Image},
    index::Index,
    rule,
    sections::SHF_EXECINSTR,
};
use crate::elf::{SHF_ALLOC, SHF_WRITE};

/// `sh_flags` of Linux: written once, while the module starts.
const SHF_RO_AFTER_INIT: u64 = 0x0020_0000;

/// What there is for modules: `MODULES_LEN` of x86-64.
const MODULES_LEN: u32 = 0x3f00_0000;

/// More than any module has, and more than a small machine may have left.
const MUCH: u32 = 64 << 20;

/// Which sections are in memory of their own, and which of them the loader copies there.
pub(super) struct Layout {
    /// By index; others are only in the temporary copy of the file.
    pub(super) is_loaded: Vec<bool>,
}

impl Layout {
    /// Whether relocations for a section are applied. Those of `.data..percpu`, which is copied elsewhere, are in 6.18.15
    /// and not in 6.12.118 (`apply_relocations()`).
    pub(super) fn is_relocated(&self, run: &Run, index: &Index, section: usize) -> bool {
        let is_percpu = section != 0 && section == index.percpu && run.since(6, 13);
        is_percpu || self.is_loaded.get(section).copied().unwrap_or(false)
    }
}

pub(super) fn check(run: &mut Run, image: &Image<'_>, index: &Index) -> Layout {
    let mut is_loaded: Vec<bool> = image.sections.iter().map(Header::is_alloc).collect();
    // The loader takes from them what it needs, or copies them elsewhere.
    for dropped in [index.modinfo, index.versions, index.percpu].into_iter().filter(|dropped| *dropped != 0) {
        is_loaded[dropped] = false;
    }
    let mut memory = Memory { is_split: run.since(6, 4), sizes: [0; 2 * CLASSES] };
    for is_init in [false, true] {
        for class in 0..CLASSES {
            // The first, which should be none, asks for an alignment nevertheless.
            for (at, header) in image.sections.iter().enumerate().filter(|(at, _)| is_loaded[*at]) {
                if is_init == image.name(at).starts_with(b".init") && class == class_of(image, at, header) {
                    memory.place(run, at, header, is_init, class);
                }
            }
        }
    }
    for table in [index.tables.symtab, index.tables.strtab] {
        is_loaded[table] = true;
        memory.place(run, table, &image.sections[table], true, CLASSES - 1);
    }
    // Those of its symbols that stay are copied behind the data.
    memory.place(run, index.tables.symtab, &image.sections[index.tables.symtab], false, CLASSES - 1);
    memory.check_sizes(run);
    percpu(run, image, index.percpu);
    Layout { is_loaded }
}

/// Code, constants, constants after the start, data: `masks` of `layout_sections()`.
const CLASSES: usize = 4;

fn class_of(image: &Image<'_>, at: usize, header: &Header) -> usize {
    let is_fixed_later = header.has(SHF_RO_AFTER_INIT)
        || [&b".data..ro_after_init"[..], b"__jump_table", b".static_call_sites"].contains(&image.name(at));
    match header {
        header if header.has(SHF_EXECINSTR | SHF_ALLOC) => 0,
        header if !header.has(SHF_WRITE) => 1,
        _ if is_fixed_later => 2,
        _ => 3,
    }
}

/// How much of each kind of memory is taken, in `unsigned int` as in the kernel.
struct Memory {
    /// Each class has memory of its own; before ac3b43283923, of 6.4, there were two blocks.
    is_split: bool,
    sizes: [u32; 2 * CLASSES],
}

impl Memory {
    fn place(&mut self, run: &mut Run, at: usize, header: &Header, is_init: bool, class: usize) {
        let block = CLASSES * usize::from(is_init) + if self.is_split { class } else { 0 };
        let taken = self.sizes[block];
        let mask = if header.align == 0 { 0 } else { (header.align as u32).wrapping_sub(1) };
        let start = taken.wrapping_add(mask) & !mask;
        let end = u32::try_from(header.size).ok().and_then(|size| start.checked_add(size));
        if start < taken || end.is_none() {
            run.section(&rule::OVERLAP, at);
        }
        self.sizes[block] = end.unwrap_or(start).max(taken);
    }

    fn check_sizes(&self, run: &mut Run) {
        let largest = self.sizes.iter().max().copied().unwrap_or(0);
        if largest > MODULES_LEN {
            run.report(&rule::MEMORY, super::Place::File, 0);
        } else if largest > MUCH {
            run.report(&rule::MUCH_MEMORY, super::Place::File, 0);
        }
    }
}

/// `percpu_modalloc()` and `pcpu_alloc()`: what there is for modules, `PERCPU_MODULE_RESERVE`, and a page.
fn percpu(run: &mut Run, image: &Image<'_>, index: usize) {
    const RESERVE: u64 = 8 << 10;
    const PAGE: u64 = 4096;
    /// `PCPU_MIN_ALLOC_SIZE`: what is less becomes this.
    const MIN: u64 = 4;
    let Some(header) = image.sections.get(index).filter(|header| index != 0 && header.size != 0) else { return };
    let is_alignment = header.align < MIN || header.align.is_power_of_two() || header.align > PAGE;
    if header.size > RESERVE || !is_alignment {
        run.section(&rule::PERCPU, index);
    }
}
