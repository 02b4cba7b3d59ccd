//! What is written is an ELF file to the `object` crate, too, and both readers take everything in it for the same.

mod common;

use common::module;
use modfile::{
    elf::{Elf, Layout, Relocation, SHF_ALLOC, SHF_WRITE, Section},
    param,
};
use object::{
    Endianness,
    elf::{FileHeader32, FileHeader64, SHT_SYMTAB},
    read::elf::{FileHeader, Rel as _, Rela as _, SectionHeader as _, Sym as _},
};

/// Compares all of a file, however its numbers are written.
fn agrees(bytes: &[u8], layout: Layout) {
    if layout.is_64 { compare::<FileHeader64<Endianness>>(bytes) } else { compare::<FileHeader32<Endianness>>(bytes) }
}

fn compare<Header: FileHeader<Endian = Endianness>>(bytes: &[u8]) {
    let (elf, header) = (Elf::parse(bytes).unwrap(), Header::parse(bytes).unwrap());
    let endian = header.endian().unwrap();
    let sections = header.sections(endian, bytes).unwrap();
    assert_eq!(elf.machine(), header.e_machine(endian).0);
    assert_eq!(elf.sections().len(), sections.len());
    for (ours, theirs) in elf.sections().zip(sections.iter()) {
        let Section { name, kind, flags, offset, size, link, info, align, entry_size, data, .. } = ours.unwrap();
        assert_eq!(name, sections.section_name(endian, theirs).unwrap());
        assert_eq!((kind, flags), (theirs.sh_type(endian).0, theirs.sh_flags(endian).0));
        assert_eq!((offset, size), (theirs.sh_offset(endian).into(), theirs.sh_size(endian).into()));
        assert_eq!((link, info), (theirs.sh_link(endian), theirs.sh_info(endian)));
        assert_eq!((align, entry_size), (theirs.sh_addralign(endian).into(), theirs.sh_entsize(endian).into()));
        assert_eq!(data, theirs.data(endian, bytes).unwrap());
    }
    let symbols = sections.symbols(endian, bytes, SHT_SYMTAB).unwrap();
    let table = elf.symbol_table().unwrap();
    for (index, theirs) in symbols.enumerate() {
        let ours = table.get(index.0 as u32).unwrap();
        assert_eq!(ours.name, theirs.name(endian, symbols.strings()).unwrap());
        assert_eq!((ours.info, ours.section), (theirs.st_info().0, theirs.st_shndx(endian).0));
        assert_eq!((ours.value, ours.size), (theirs.st_value(endian).into(), theirs.st_size(endian).into()));
    }
    for (index, _) in sections.enumerate() {
        let mut expected = Vec::new();
        for theirs in sections.iter().filter(|section| section.sh_info(endian) as usize == index.0) {
            if let Some((entries, _)) = theirs.rel(endian, bytes).unwrap() {
                expected.extend(entries.iter().map(|entry| Relocation {
                    offset: entry.r_offset(endian).into(),
                    symbol: entry.r_sym(endian),
                    kind: entry.r_type(endian).0,
                    addend: None,
                }));
            }
            if let Some((entries, _)) = theirs.rela(endian, bytes).unwrap() {
                expected.extend(entries.iter().map(|entry| Relocation {
                    offset: entry.r_offset(endian).into(),
                    symbol: entry.r_sym(endian, false),
                    kind: entry.r_type(endian, false).0,
                    addend: Some(Into::<i64>::into(entry.r_addend(endian)) as u64),
                }));
            }
        }
        assert_eq!(elf.relocations(index.0 as u16).unwrap().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn both_read_the_same() {
    for layout in Layout::ALL {
        for in_place in [false, true] {
            agrees(&module(layout).addends_in_place(in_place).build(), layout);
        }
    }
}

#[test]
fn what_is_described_is_written() {
    for layout in Layout::ALL {
        for in_place in [false, true] {
            let bytes = module(layout).addends_in_place(in_place).build();
            let elf = Elf::parse(&bytes).unwrap();
            let parameters: Vec<_> = param::parameters(&elf).unwrap().map(Result::unwrap).collect();
            let read: Vec<_> =
                parameters.iter().map(|it| (it.name, it.permissions, it.level, it.ops.unwrap())).collect();
            let first: (&[u8], u16, i8, &[u8]) = (b"debug", 0o644, -1, b"param_ops_int");
            assert_eq!(read, [first, (b"mode", 0, -1, b"mode_ops")]);
            assert_eq!(parameters[0].kind(), Some(&b"int"[..]));
            assert_eq!(parameters[1].kind(), None);
            let section = |name| elf.section(name).unwrap().unwrap();
            assert_eq!(section("__param").flags, SHF_ALLOC | SHF_WRITE);
            let this = section(".gnu.linkonce.this_module");
            assert_eq!((this.flags, this.data.len()), (SHF_ALLOC | SHF_WRITE, 2 * layout.word_size() + 64));
            let name = 3 * layout.word_size();
            assert_eq!(this.data[name..name + 5], *b"full\0");
        }
    }
}

#[test]
fn where_addends_are_is_as_the_compilers_of_its_class_do() {
    for layout in Layout::ALL {
        let bytes = module(layout).build();
        let elf = Elf::parse(&bytes).unwrap();
        let param = elf.section("__param").unwrap().unwrap().index;
        assert!(elf.relocations(param).unwrap().all(|relocation| relocation.addend.is_some() == layout.is_64));
    }
}
