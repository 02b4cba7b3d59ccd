//! Target `elf`: the bytes as a module's file: header, sections, relocations.

use modfile::{
    Error,
    elf::{Elf, Section},
    parts,
};
use object::{Endianness, elf, read::elf::FileHeader};

use crate::{
    Seed,
    promises::{borrows, check_refusal, cut, is_string},
};

/// Reads the bytes and checks what the readers promise.
pub fn check(data: &[u8]) {
    check_parts(data);
    check_refusal(check_module(data));
}

/// Whatever the headers claim, nothing outside the file is given out, and no more of it than the file has room for.
fn check_module(data: &[u8]) -> Result<(), Error> {
    let elf = Elf::parse(data)?;
    assert_eq!(Elf::table_range(data).map(|range| range.end <= data.len() as u64), Ok(true));
    assert!(elf.names_range().end <= data.len() as u64);
    assert!(elf.sections().len() * elf.layout().section_header_size() <= data.len());
    for section in elf.sections().flatten() {
        assert!(borrows(data, section.data) && is_string(data, section.name));
        assert_eq!(elf.section_at(section.index), Ok(section));
        check_relocations(data, &elf, &section);
    }
    check_names(data, &elf);
    check_truncated(data, &elf);
    agree(data, &elf);
    Ok(())
}

fn check_relocations(data: &[u8], elf: &Elf<'_>, section: &Section<'_>) {
    // Every section asks all headers for its table: of many sections only the first.
    if section.index < 16
        && let Ok(relocations) = elf.relocations(section.index)
    {
        assert!(relocations.count() * elf.layout().word_size() * 2 <= data.len());
    }
}

/// The ways to find a section by its name lead to the same one.
fn check_names(data: &[u8], elf: &Elf<'_>) {
    let Ok([modinfo, this_module]) = elf.sections_named([".modinfo", ".gnu.linkonce.this_module"]) else { return };
    assert_eq!(elf.section(".modinfo"), Ok(modinfo));
    assert_eq!(elf.section(".gnu.linkonce.this_module"), Ok(this_module));
    // The lenient reader looks at no types, and of an empty section it wants the place, too, to lie in the file.
    let same = |section: &Section<'_>| !section.data.is_empty() && section.offset > 0 && section.index > 0;
    match (modinfo, parts::section(data, b".modinfo")) {
        (Some(strict), Ok(lenient)) if same(&strict) => assert_eq!(lenient, Some(strict.data)),
        (None, Ok(lenient)) => assert_eq!(lenient, None),
        _ => {}
    }
}

/// A file that is read by parts gives out no more than there is, either.
fn check_parts(data: &[u8]) {
    for name in [&b".modinfo"[..], b".strtab", b""] {
        if let Ok(Some(section)) = parts::section(data, name) {
            assert!(borrows(data, section));
        }
    }
}

/// What can be read of a shorter file is as it was.
fn check_truncated(data: &[u8], whole: &Elf<'_>) {
    let Ok(short) = Elf::parse(&data[..cut(data)]) else { return };
    for section in short.sections().flatten() {
        assert_eq!(whole.section_at(section.index), Ok(section));
    }
}

/// The `object` crate reads the same of what both accept.
fn agree(data: &[u8], ours: &Elf<'_>) {
    if ours.layout().is_64 {
        agree_as::<elf::FileHeader64<Endianness>>(data, ours);
    } else {
        agree_as::<elf::FileHeader32<Endianness>>(data, ours);
    }
}

fn agree_as<H: FileHeader<Endian = Endianness>>(data: &[u8], ours: &Elf<'_>) {
    use object::read::elf::SectionHeader as _;
    let Ok((endian, header)) = H::parse(data).and_then(|header| Ok((header.endian()?, header))) else { return };
    assert_eq!(usize::from(header.e_shentsize(endian)), ours.layout().section_header_size());
    let Ok(sections) = header.sections(endian, data) else { return };
    // A table at the file's beginning is none to them; the kernel and we take it for one.
    if Elf::table_range(data).is_ok_and(|range| range.start == 0) {
        return;
    }
    assert_eq!(sections.len(), ours.sections().len());
    for (theirs, ours) in sections.iter().zip(ours.sections()) {
        let Ok(ours) = ours else { continue };
        if let Ok(name) = sections.section_name(endian, theirs) {
            assert_eq!(name, ours.name);
        }
        if let Ok(bytes) = theirs.data(endian, data) {
            assert_eq!(bytes, ours.data);
        }
        let fields = (theirs.sh_type(endian).0, theirs.sh_flags(endian).0, theirs.sh_info(endian));
        assert_eq!(fields, (ours.kind, ours.flags, ours.info));
        let fields = (theirs.sh_size(endian).into(), theirs.sh_offset(endian).into(), theirs.sh_link(endian));
        assert_eq!(fields, (ours.size, ours.offset, ours.link));
        let fields = (theirs.sh_addralign(endian).into(), theirs.sh_entsize(endian).into());
        assert_eq!(fields, (ours.align, ours.entry_size));
    }
}

/// A module of every layout with each kind of section.
pub fn seeds() -> Vec<Seed> {
    crate::plan::examples()
}
