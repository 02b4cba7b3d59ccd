//! The sections that each module needs.

use super::*;

const PROGBITS: u64 = SHT_PROGBITS as u64;
const NOBITS: u64 = SHT_NOBITS as u64;
const SYMTAB: u64 = SHT_SYMTAB as u64;
const DATA: u64 = SHF_ALLOC | SHF_WRITE;

/// A module with this `.modinfo`.
fn modinfo(flags: u64, text: &[u8]) -> Vec<u8> {
    object(|draft| {
        draft.data(THIS_MODULE, struct_module("test", 1024));
        draft.section(".modinfo", flags, text);
    })
}

#[test]
fn modinfo_is_strings() {
    let of = |text: &[u8]| modinfo(SHF_ALLOC, text);
    let two = |first: &[u8], second: &[u8]| {
        object(|draft| {
            draft.data(THIS_MODULE, struct_module("test", 1024));
            draft.constants(".modinfo", first);
            draft.section(".modinfo", 0, second);
        })
    };
    expect([
        ("one", of(b"name=test\0"), "accept"),
        ("no NUL", of(b"name=test"), "danger modinfo-end"),
        ("nothing", of(b""), "danger modinfo-outside"),
        ("no bytes", set(&of(b"name=test\0"), ".modinfo", TYPE, NOBITS), "danger modinfo-outside"),
        ("none", set(&modinfo(0, b""), ".modinfo", NAME, 0), "accept"),
        // Up to 6.3 only one that is loaded is found.
        ("not loaded, no NUL", modinfo(0, b"name=test"), "accept, since 6.4 danger modinfo-end"),
        ("a second one", two(b"name=test\0", b"name=test\0"), "accept, since 6.4 reject two-modinfo"),
        ("a second one, no NUL", two(b"name=test\0", b"name=test"), "accept, since 6.4 reject two-modinfo"),
        ("the first without NUL", two(b"name=test", b""), "danger modinfo-end, since 6.4 reject two-modinfo"),
    ]);
    assert_eq!(found(&two(b"\0", b"\0")), ["two-modinfo: section 3 (.modinfo)"]);
}

#[test]
fn there_is_one_symbol_table() {
    let none = set(&sound(), ".symtab", TYPE, PROGBITS);
    let second = |kind| {
        let file = with_section(".symbols", 0, [0; 24]);
        set(&set(&file, ".symbols", LINK, 5), ".symbols", TYPE, kind)
    };
    expect([
        ("none", none, "reject no-symtab"),
        ("two", second(SYMTAB), "accept, since 6.4 reject two-symtabs"),
        ("one", second(PROGBITS), "accept"),
    ]);
    assert_eq!(found(&second(SYMTAB)), ["two-symtabs: section 4 (.symtab)"]);
}

#[test]
fn the_symbol_table_names_its_strings() {
    // Sections: none, struct module, .modinfo, .symtab, .strtab, .shstrtab.
    let link = |index| set(&module(|_| ()), ".symtab", LINK, index);
    let other = |link| {
        let file = with_section(".symbols", 0, []);
        set(&set(&file, ".symbols", TYPE, SYMTAB), ".symbols", LINK, link)
    };
    let missing = "reject symtab-link, since 6.12 reject strtab-index";
    expect([
        ("none", link(0), missing),
        ("the last", link(5), "accept"),
        ("one more", link(6), missing),
        // Up to 6.11 each table is looked at before anybody asks whether there is one.
        ("another one's none", other(0), "reject symtab-link, since 6.12 reject two-symtabs"),
        ("another one's beyond", other(7), "reject symtab-link, since 6.12 reject two-symtabs"),
        ("another one's there", other(5), "accept, since 6.4 reject two-symtabs"),
    ]);
}

#[test]
fn the_strings_of_symbols_are_a_table_of_strings() {
    let strings = |field, value| set(&sound(), ".strtab", field, value);
    let last = field(&sound(), ".strtab", SIZE) - 1;
    let empty = set(&set(&module(|_| ()), ".strtab", SIZE, 0), ".symtab", SIZE, 0);
    let one = set_byte(&module(|_| ()), ".strtab", 0, b'A');
    expect([
        ("of another type", strings(TYPE, PROGBITS), "accept, since 6.12 reject strtab-type"),
        ("without bytes", strings(TYPE, NOBITS), "danger strtab-bytes, since 6.12 reject strtab-type"),
        ("of no type", strings(TYPE, 0), "danger strtab-bytes, since 6.12 reject strtab-type"),
        ("empty, without symbols", empty, "danger strtab-empty, since 6.13 reject strtab-empty"),
        ("empty", strings(SIZE, 0), "danger symbol-name-outside, since 6.13 reject strtab-empty"),
        ("without NUL first", set_byte(&sound(), ".strtab", 0, b'A'), "accept, since 6.13 reject strtab-begin"),
        (
            "without NUL at the end",
            set_byte(&sound(), ".strtab", last, b'A'),
            "danger strtab-end, since 6.13 reject strtab-end",
        ),
        ("one byte, which is no NUL", one.clone(), "danger strtab-end, since 6.13 reject strtab-begin"),
    ]);
    assert_eq!(found(&one), ["strtab-begin: section 4 (.strtab)", "strtab-end: section 4 (.strtab)"]);
}

/// A module with such a section for `struct module`, and a symbol 1 there, `__this_module`.
fn of_struct_module(bytes: Vec<u8>) -> Vec<u8> {
    object(|draft| {
        let section = draft.data(THIS_MODULE, bytes);
        draft.constants(".modinfo", b"name=test\0");
        draft.symbol("__this_module", section, 0);
    })
}

#[test]
fn there_is_one_struct_module() {
    let set_type = |kind| set(&module(|_| ()), THIS_MODULE, TYPE, kind);
    let none = set(&module(|_| ()), THIS_MODULE, NAME, 0);
    let second = |flags| with_section(THIS_MODULE, flags, struct_module("test", 1024));
    let unloaded = set(&module(|_| ()), THIS_MODULE, FLAGS, SHF_WRITE);
    expect([
        ("none", none, "reject no-this-module"),
        ("two", second(DATA), "accept, since 6.4 reject two-this-module"),
        ("one that is not loaded", second(0), "danger not-writable, since 6.4 reject two-this-module"),
        ("not loaded", unloaded, "reject no-this-module, since 6.4 reject this-module-alloc"),
        ("without bytes", set_type(NOBITS), "danger this-module-bytes, since 6.4 reject this-module-bytes"),
    ]);
    assert_eq!(found(&second(DATA))[0], "two-this-module: section 3 (.gnu.linkonce.this_module)");
    // How many there are is counted before they are looked at.
    let second = set(&second(DATA), THIS_MODULE, FLAGS, SHF_WRITE);
    expect([("two, the first not loaded", second, "danger not-writable, since 6.4 reject two-this-module")]);
}

#[test]
fn struct_module_is_of_the_size_that_the_kernel_knows() {
    let file = module(|_| ());
    let small = "danger this-module-small, since 6.4 reject this-module-small";
    for (size, verdict) in [(1023, "accept, since 6.4 reject this-module-large"), (1024, "accept"), (1025, small)] {
        let module = Some(StructModule { size, init: None, exit: None });
        assert_eq!(told_by(|series| check(&file, Kernel { series, module })), verdict, "{size}");
    }
}

#[test]
fn where_nobody_knows_its_symbol_says_how_large_struct_module_is() {
    let size = |size| set_symbol(&of_struct_module(struct_module("test", 1024)), 1, ST_SIZE, size);
    let small = "danger this-module-small, since 6.4 reject this-module-small";
    let large = "accept, since 6.4 reject this-module-large";
    let at_name = |at| set_symbol(&size(1000), 1, ST_NAME, at);
    let longer = object(|draft| {
        let section = draft.data(THIS_MODULE, struct_module("test", 1024));
        draft.constants(".modinfo", b"name=test\0");
        let symbol = draft.symbol("__this_module_too", section, 0);
        draft.set_symbol(symbol, ST_SIZE, 1000);
    });
    expect([
        ("the same", size(1024), "accept"),
        ("more", size(1025), small),
        ("less", size(1023), large),
        ("nothing", size(0), "accept"),
        ("by another name", at_name(2), "accept"),
        ("by a longer name", longer, "accept"),
        ("in another section", set_symbol(&size(1), 1, ST_SHNDX, 2), "accept"),
        ("less than the name takes", of_struct_module(vec![0; 79]), small),
        ("what the name takes", of_struct_module(struct_module("test", 80)), "accept"),
    ]);
    let module = Some(StructModule { size: 1024, init: None, exit: None });
    let known = told_by(|series| check(&size(1000), Kernel { series, module }));
    assert_eq!(known, "accept");
}

#[test]
fn the_name_in_struct_module_ends_within_its_field() {
    let named = |name: &str| of_struct_module(struct_module(name, 1024));
    expect([
        ("empty", named(""), "reject this-module-name-empty"),
        ("55 letters", named(&"x".repeat(55)), "accept"),
        ("56 letters", named(&"x".repeat(56)), "danger this-module-name-end"),
    ]);
}

#[test]
fn extended_versions_have_a_name_for_each_checksum() {
    let versions = |checksums: Option<usize>, names: Option<&[u8]>| {
        module(|draft| {
            if let Some(size) = checksums {
                draft.constants("__version_ext_crcs", vec![0; size]);
            }
            if let Some(names) = names {
                draft.constants("__version_ext_names", names);
            }
        })
    };
    let pair = "accept, since 6.13 reject versions-pair";
    let names = "accept, since 6.13 reject versions-names";
    expect([
        ("two of each", versions(Some(8), Some(b"a\0b\0")), "accept"),
        ("more names", versions(Some(8), Some(b"a\0b\0c\0")), "accept"),
        ("fewer names", versions(Some(12), Some(b"a\0b\0")), names),
        ("a name without end", versions(Some(8), Some(b"a\0b")), names),
        ("a checksum cut", versions(Some(11), Some(b"a\0b\0")), "accept"),
        ("checksums alone", versions(Some(8), None), pair),
        ("names alone", versions(None, Some(b"a\0b\0")), pair),
    ]);
    assert_eq!(found(&versions(None, Some(b"a\0"))), ["versions-pair: section 3 (__version_ext_names)"]);
}
