//! Each section header by itself: the place of the contents, the name, what memory it asks for.
//!
//! The loops of `elf_validity_check()`, and `module_enforce_rwx_sections()`.

use alloc::vec::Vec;

use super::{
    Run,
    image::{Header, Image, SHT_NULL},
    layout::Layout,
    rule,
};
use crate::elf::{SHF_WRITE, SHT_NOBITS, SHT_SYMTAB};

/// `sh_flags`: holds code.
pub(super) const SHF_EXECINSTR: u64 = 4;

pub(super) fn check(run: &mut Run, image: &Image<'_>) {
    if let Some(zeroth) = image.sections.first() {
        name(run, image, 0, zeroth);
        writable_code(run, 0, zeroth);
    }
    for (index, header) in image.real_sections() {
        place(run, image, index, header);
        name(run, image, index, header);
        if header.is_alloc() && !image.name(index).iter().all(u8::is_ascii_graphic) {
            run.section(&rule::NAME_ODD, index);
        }
        writable_code(run, index, header);
    }
}

/// Of all sections, also the first and those that are not loaded.
fn writable_code(run: &mut Run, index: usize, header: &Header) {
    if header.has(SHF_WRITE | SHF_EXECINSTR) {
        run.section(&rule::WRITABLE_CODE, index);
    }
}

fn place(run: &mut Run, image: &Image<'_>, index: usize, header: &Header) {
    if header.kind == SHT_SYMTAB && (header.link == 0 || header.link as usize >= image.sections.len()) {
        run.section(&rule::SYMTAB_LINK, index);
    }
    let is_inside = header.is_inside(image.bytes.len());
    if header.has_bytes() && !is_inside {
        run.section(&rule::CONTENTS_OUTSIDE, index);
    }
    // Its place was not checked, its bytes are copied nevertheless.
    if header.kind == SHT_NULL && header.is_alloc() && !is_inside {
        run.section(&rule::NULL_OUTSIDE, index);
    }
}

/// Up to 6.12 only names of sections that are loaded are checked, though all of them are read later.
fn name(run: &mut Run, image: &Image<'_>, index: usize, header: &Header) {
    if image.names.is_empty() || (header.name as usize) < image.names.len() {
        return;
    }
    run.section(
        match header.kind {
            // Also that of the first: module_finalize() compares the names of all.
            SHT_NULL => &rule::NAME_OUTSIDE_NULL,
            SHT_NOBITS => &rule::NAME_OUTSIDE_NOT_LOADED,
            _ if header.is_alloc() => &rule::NAME_OUTSIDE,
            _ => &rule::NAME_OUTSIDE_NOT_LOADED,
        },
        index,
    );
}

/// Each section that is loaded gets a file of its name below `/sys/module`, two of one name none (`add_sect_attrs()`).
pub(super) fn duplicates(run: &mut Run, image: &Image<'_>, layout: &Layout) {
    let loaded = image.real_sections().filter(|(index, header)| layout.is_loaded[*index] && header.size != 0);
    let mut names: Vec<_> = loaded.map(|(index, _)| (image.name(index), index)).collect();
    names.sort_unstable();
    for pair in names.windows(2) {
        if let [(first, _), (second, index)] = pair
            && first == second
        {
            run.section(&rule::DUPLICATE_NAME, *index);
        }
    }
}
