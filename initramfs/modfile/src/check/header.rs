//! The ELF header, where the section headers are, and where their names: without them there is nothing to go on with.
//!
//! `elf_validity_check()` up to 6.12, `elf_validity_ehdr()` and the functions behind it since.

use alloc::vec::Vec;

use super::{
    Place, Run,
    image::{Header, Image, LAYOUT, SHT_NULL},
    rule, section,
};
use crate::elf::{EM_X86_64, ET_REL, MAGIC, SHT_STRTAB};

/// The headers of a file in which the kernel would come that far; what is wrong with them is reported.
pub(super) fn read<'a>(run: &mut Run, bytes: &'a [u8]) -> Option<Image<'a>> {
    let Some(header) = bytes.get(..LAYOUT.header_size()) else {
        run.report(&rule::FILE_SHORT, Place::File, 0);
        return None;
    };
    let half = |at| LAYOUT.half(header, at);
    let checks = [
        (&rule::MAGIC, header.starts_with(&MAGIC)),
        (&rule::TYPE, half(16) == ET_REL),
        (&rule::MACHINE, half(18) == EM_X86_64),
        (&rule::HEADER_SIZE, usize::from(half(58)) == LAYOUT.section_header_size()),
    ];
    for (at, (rule, _)) in checks.into_iter().enumerate().filter(|(_, (_, holds))| !holds) {
        run.report(rule, Place::File, at);
    }
    let (at, count) = (LAYOUT.long(header, 40), usize::from(half(60)));
    let Some(sections) = headers(bytes, at, count) else {
        run.report(&rule::HEADERS_OUTSIDE, Place::File, checks.len());
        return None;
    };
    let mut image = Image { bytes, sections, names: &[] };
    zeroth(run, &image, at);
    names(run, &mut image, usize::from(half(62)));
    Some(image)
}

/// The section headers, if they lie in the file. A table that begins at its very end does not, even an empty one.
fn headers(bytes: &[u8], at: u64, count: usize) -> Option<Vec<Header>> {
    let (size, at) = (LAYOUT.section_header_size(), usize::try_from(at).ok()?);
    let table = bytes.get(at..).filter(|rest| !rest.is_empty())?.get(..count * size)?;
    Some(table.chunks_exact(size).map(Header::read).collect())
}

/// The first header says nothing but that; the loader relies on it wherever it has not found a section. It is looked at
/// before anybody asks whether there is one.
fn zeroth(run: &mut Run, image: &Image<'_>, at: u64) {
    let bytes = usize::try_from(at).ok().and_then(|at| image.bytes.get(at..)?.get(..LAYOUT.section_header_size()));
    match bytes.map(Header::read) {
        Some(zeroth) if zeroth.kind == SHT_NULL && zeroth.size == 0 && zeroth.addr == 0 => {}
        Some(_) => run.section(&rule::SECTION_0, 0),
        None => run.section(&rule::SECTION_0_OUTSIDE, 0),
    }
}

fn names(run: &mut Run, image: &mut Image<'_>, index: usize) {
    let Some(header) = image.sections.get(index).filter(|_| index != 0).copied() else {
        return run.report(&rule::NAMES_INDEX, Place::File, 0);
    };
    if header.kind != SHT_STRTAB {
        run.report(&rule::NAMES_TYPE, section(index), 1);
    }
    if !header.is_inside(image.bytes.len()) {
        return run.report(&rule::NAMES_OUTSIDE, section(index), 2);
    }
    let names = image.data(index);
    match names.last() {
        None => run.report(&rule::NAMES_EMPTY, section(index), 3),
        Some(0) => image.names = names,
        Some(_) => run.report(&rule::NAMES_END, section(index), 4),
    }
}
