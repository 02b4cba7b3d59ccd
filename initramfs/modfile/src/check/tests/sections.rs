//! Section headers, each by itself.

use super::*;
use crate::elf::Elf;

const PROGBITS: u64 = SHT_PROGBITS as u64;
const NOBITS: u64 = SHT_NOBITS as u64;

/// A module with an empty section `.x`, 3, of these numbers.
fn section(fields: &[(Field, u64)]) -> Vec<u8> {
    let file = with_section(".x", 0, []);
    let at = header_of(&file, ".x");
    fields.iter().fold(file, |file, ((offset, bytes), value)| put(&file, at + offset, *bytes, *value))
}

#[test]
fn contents_are_in_the_file() {
    let end = section(&[]).len() as u64;
    let of = |kind, flags, offset, size| section(&[(TYPE, kind), (FLAGS, flags), (OFFSET, offset), (SIZE, size)]);
    let outside = "reject contents-outside";
    expect([
        ("an empty one at the end", of(PROGBITS, 0, end, 0), "accept"),
        ("an empty one beyond", of(PROGBITS, 0, end + 1, 0), outside),
        ("one beyond the end by a byte", of(PROGBITS, 0, end - 7, 8), outside),
        ("one beyond all", of(PROGBITS, 0, u64::MAX, 8), outside),
        ("one without bytes", of(NOBITS, 0, end + 1, 0), "accept"),
        ("one of no type", of(0, 0, end + 1, 8), "accept"),
        ("one of no type, to be loaded", of(0, SHF_ALLOC, end - 7, 8), "danger null-outside"),
        ("an empty one of no type, to be loaded", of(0, SHF_ALLOC, end, 0), "accept"),
        ("one without bytes, to be loaded", of(NOBITS, SHF_ALLOC, end + 1, 0), "accept"),
    ]);
    // The reader of sections does not mind.
    let beyond = of(PROGBITS, 0, end + 1, 0);
    let elf = Elf::parse(&beyond).unwrap();
    assert!(elf.section(".x").unwrap().is_some_and(|section| section.data.is_empty()));
}

#[test]
fn names_are_in_the_table_of_names() {
    let of = |section: &str, name: u64, kind, flags| {
        let file = set(&set(&sound(), section, TYPE, kind), section, FLAGS, flags);
        let at = header_of(&file, section);
        let names = field(&file, ".shstrtab", SIZE);
        put(&file, at, 4, names - 1 + name)
    };
    let late = "danger name-outside, since 6.12 reject name-outside";
    expect([
        ("the last NUL", of(".note", 0, PROGBITS, SHF_ALLOC), "accept"),
        ("one beyond", of(".note", 1, PROGBITS, SHF_ALLOC), "reject name-outside"),
        ("one beyond, not loaded", of(".note", 1, PROGBITS, 0), late),
        ("one beyond, without bytes", of(".note", 1, NOBITS, SHF_ALLOC), late),
        ("one beyond, without a type", of(".note", 1, 0, SHF_ALLOC), "danger name-outside"),
        ("the last NUL, of the first header", of("", 0, 0, 0), "accept"),
        ("one beyond, of the first header", of("", 1, 0, 0), "danger name-outside"),
    ]);
    assert_eq!(found(&of("", 1, 0, 0)), ["name-outside: section 0"]);
    assert_eq!(found(&of(".note", 1, PROGBITS, SHF_ALLOC)), ["name-outside: section 4"]);
}

#[test]
fn names_are_printable_where_they_are_looked_for() {
    let named = |name: &'static str, flags| with_section(name, flags, []);
    let odd = "danger name-odd";
    expect([
        ("printable", named("~x!", SHF_ALLOC), "accept"),
        ("a space", named("x y", SHF_ALLOC), odd),
        ("a control character", named("x\x7f", SHF_ALLOC), odd),
        ("a letter of another script", named("ü", SHF_ALLOC), odd),
        ("none", named("", SHF_ALLOC), "accept"),
        ("a space, not loaded", named("x y", 0), "accept"),
    ]);
}

#[test]
fn of_a_name_the_beginning_counts() {
    let read = |letters: usize| {
        let name = "x".repeat(letters);
        let file = with_section(&name, 0, []);
        let mut run = Run::new(Series::KNOWN[0]);
        let image = super::super::header::read(&mut run, &file).unwrap();
        (image.name(3).len(), image.name(2).to_vec(), image.name(100).len())
    };
    for (letters, expected) in [(1, 1), (1023, 1023), (1024, 1024), (1025, 1024)] {
        assert_eq!(read(letters), (expected, b".modinfo".to_vec(), 0), "{letters}");
    }
}

#[test]
fn the_end_of_the_table_of_names_is_the_end_of_a_name() {
    // The last name is that of the table; one of 1023 letters fills what is read at once, with its NUL.
    for letters in [1022, 1023, 1024, 1025] {
        let file = module(|_| ());
        let names = [&vec![b'x'; letters][..], b"\0"].concat();
        let at = file.len() as u64;
        let longer = [&file[..], &names].concat();
        let old = field(&file, ".shstrtab", OFFSET);
        let size = at - old + names.len() as u64;
        let header = header_of(&longer, ".shstrtab");
        let longer = put(&put(&longer, header + SIZE.0, 8, size), header_of(&longer, ""), 4, at - old);
        let mut run = Run::new(Series::KNOWN[0]);
        let image = super::super::header::read(&mut run, &longer).unwrap();
        assert_eq!(image.name(0).len(), letters.min(1024), "{letters}");
    }
}

#[test]
fn nothing_is_writable_code() {
    let flags = |flags| section(&[(FLAGS, flags)]);
    let (write, code) = (SHF_WRITE, SHF_EXECINSTR);
    expect([
        ("writable", flags(SHF_ALLOC | write), "accept"),
        ("code", flags(SHF_ALLOC | code), "accept"),
        ("both", flags(SHF_ALLOC | write | code), "reject writable-code"),
        ("both, not loaded", flags(write | code), "reject writable-code"),
    ]);
    assert_eq!(found(&flags(write | code)), ["writable-code: section 3 (.x)"]);
}

#[test]
fn sections_that_are_loaded_have_names_of_their_own() {
    let two = |first: (&'static str, u64, usize), second: (&'static str, u64, usize)| {
        module(|draft| {
            for (name, flags, bytes) in [first, second] {
                draft.section(name, flags, vec![0; bytes]);
            }
        })
    };
    let loaded = (".x", SHF_ALLOC, 8);
    expect([
        ("the same", two(loaded, loaded), "accept, since 6.12 reject duplicate-name"),
        ("another", two(loaded, (".y", SHF_ALLOC, 8)), "accept"),
        ("an empty one", two(loaded, (".x", SHF_ALLOC, 0)), "accept"),
        ("two empty ones", two((".x", SHF_ALLOC, 0), (".x", SHF_ALLOC, 0)), "accept"),
        ("one that is not loaded", two(loaded, (".x", 0, 8)), "accept"),
        ("two that are not loaded", two((".x", 0, 8), (".x", 0, 8)), "accept"),
        ("the symbol table's", two(loaded, (".symtab", SHF_ALLOC, 8)), "accept, since 6.12 reject duplicate-name"),
    ]);
    assert_eq!(found(&two(loaded, loaded)), ["duplicate-name: section 4 (.x)"]);
}
