//! The symbol table: names, sections, and what overlaps.

use super::*;

const SHN_LORESERVE: u64 = 0xff00;
const SHN_LIVEPATCH: u64 = 0xff20;
const SHN_COMMON: u64 = 0xfff2;
const NOTYPE: u64 = 0;
const OBJECT: u64 = 1;
const FUNC: u64 = 2;
const SECTION: u64 = 3;
const GLOBAL: u64 = 0x10;
const WEAK: u64 = 0x20;

/// A module of six sections and one symbol, set as wanted.
fn symbol(name: &str, fields: &[(Field, u64)]) -> Vec<u8> {
    module(|draft| {
        let symbol = draft.symbol(name, SHN_UNDEF, 0);
        fields.iter().for_each(|(field, value)| draft.set_symbol(symbol, *field, *value));
    })
}

#[test]
fn names_are_in_the_string_table() {
    let outside = "danger symbol-name-outside, since 6.13 reject symbol-name-outside";
    let named = |number, at| set_symbol(&symbol("name", &[(ST_SHNDX, 1)]), number, ST_NAME, at);
    expect([
        ("a name that is the last NUL", named(1, 5), "accept"),
        ("one beyond", named(1, 6), outside),
        ("the same of the null symbol", named(0, 5), "accept"),
        ("one beyond", named(0, 6), outside),
    ]);
    assert_eq!(found(&named(1, 6)), ["symbol-name-outside: symbol 1"]);
}

#[test]
fn symbols_are_in_sections_that_exist() {
    let missing = "danger symbol-section, since 6.1 reject symbol-section";
    let in_section = |section| symbol("name", &[(ST_SHNDX, section)]);
    let common = |name| symbol(name, &[(ST_SHNDX, SHN_COMMON)]);
    expect([
        ("the last section", in_section(5), "accept"),
        ("one more", in_section(6), missing),
        ("a reserved one", in_section(SHN_LORESERVE), missing),
        ("no section but a number", in_section(SHN_ABS.into()), "accept"),
        ("one that a live patch finds", in_section(SHN_LIVEPATCH), "accept"),
        ("memory that nobody has set aside", common("name"), "reject common"),
        ("the mark of an object for the linker", common("__gnu_lto_slim"), "accept"),
    ]);
}

#[test]
fn only_what_may_be_missing_needs_no_name() {
    let of = |name, info| symbol(name, &[(ST_INFO, info)]);
    expect([
        ("global", of("", GLOBAL), "reject symbol-nameless"),
        ("local", of("", 0), "reject symbol-nameless"),
        ("a weak type is not a weak symbol", of("", 2), "reject symbol-nameless"),
        ("weak", of("", WEAK), "accept"),
        ("named", of("name", GLOBAL), "accept"),
        ("defined", symbol("", &[(ST_SHNDX, 1)]), "accept"),
    ]);
}

#[test]
fn the_section_of_the_null_symbol_is_read_late() {
    let null = |section| set_symbol(&symbol("name", &[]), 0, ST_SHNDX, section);
    expect([
        ("the last section", null(5), "accept"),
        ("one more", null(6), "danger null-symbol-section"),
        ("the last that is not reserved", null(SHN_LORESERVE - 1), "danger null-symbol-section"),
        ("a reserved one", null(SHN_LORESERVE), "accept"),
    ]);
}

#[test]
fn the_loader_goes_on_behind_a_symbol_that_it_refuses() {
    let file = module(|draft| {
        draft.symbol("", SHN_UNDEF, 0);
        draft.symbol("nowhere", 0x3a70, 0);
    });
    // What it returns is the last refusal.
    expect([("nameless, then nowhere", file.clone(), "danger symbol-section, since 6.1 reject symbol-section")]);
    assert_eq!(found(&file), ["symbol-section: symbol 2 (nowhere)", "symbol-nameless: symbol 1"]);
}

/// A symbol that lies somewhere: section (`.text` of 32 bytes is 3, `.data` of 32 bytes 4, `.comment`, which is not loaded,
/// 5), type, value, size.
type Object = (u16, u64, u64, u64);

fn objects(objects: &[Object]) -> Vec<u8> {
    module(|draft| {
        draft.code(".text", [0xcc; 32]);
        draft.data(".data", [0; 32]);
        draft.section(".comment", 0, [0; 32]);
        for (section, kind, value, size) in objects {
            let symbol = draft.symbol("object", *section, *value);
            draft.set_symbol(symbol, ST_INFO, GLOBAL | kind);
            draft.set_symbol(symbol, ST_SIZE, *size);
        }
    })
}

#[test]
fn functions_and_data_do_not_overlap() {
    for (what, symbols, verdict) in [
        ("one behind the other", &[(3, FUNC, 0, 8), (3, FUNC, 8, 8)][..], "accept"),
        ("one byte over", &[(3, FUNC, 0, 9), (3, FUNC, 8, 8)], "danger symbols-overlap"),
        ("data, too", &[(4, OBJECT, 0, 9), (4, OBJECT, 8, 8)], "danger symbols-overlap"),
        ("in any order", &[(4, OBJECT, 8, 8), (4, OBJECT, 0, 9)], "danger symbols-overlap"),
        ("two names of one thing", &[(3, FUNC, 0, 8), (3, FUNC, 0, 8)], "accept"),
        ("of two sizes", &[(3, FUNC, 0, 8), (3, FUNC, 0, 9)], "danger symbols-overlap"),
        ("in two sections", &[(3, FUNC, 0, 16), (4, OBJECT, 8, 8)], "accept"),
        ("without a type", &[(3, FUNC, 0, 16), (3, NOTYPE, 8, 8)], "accept"),
        ("a place in a function", &[(3, FUNC, 0, 16), (3, FUNC, 8, 0)], "accept"),
        ("not loaded", &[(5, OBJECT, 0, 16), (5, OBJECT, 8, 8)], "accept"),
        ("up to the section's end", &[(4, OBJECT, 16, 16)], "accept"),
        ("beyond it", &[(4, OBJECT, 16, 17)], "danger symbols-overlap"),
        ("beyond it, and what has no size", &[(4, OBJECT, 33, 0)], "accept"),
        ("beyond all", &[(4, OBJECT, u64::MAX, 1)], "danger symbols-overlap"),
    ] {
        assert_eq!(told(&objects(symbols)), verdict, "{what}");
    }
    let second = objects(&[(3, FUNC, 0, 9), (4, OBJECT, 0, 8), (3, FUNC, 8, 8)]);
    assert_eq!(found(&second), ["symbols-overlap: symbol 3 (object)"]);
}

#[test]
fn symbols_of_sections_are_at_their_beginning() {
    for (what, symbol, verdict) in [
        ("at 0", (4, SECTION, 0, 0), "accept"),
        ("elsewhere", (4, SECTION, 1, 0), "danger section-symbol"),
        ("another type", (4, NOTYPE, 1, 0), "accept"),
        ("of no section", (SHN_UNDEF, SECTION, 1, 0), "accept"),
        ("a number", (SHN_ABS, SECTION, 1, 0), "accept"),
    ] {
        assert_eq!(told(&objects(&[symbol])), verdict, "{what}");
    }
}

#[test]
fn a_call_is_to_the_beginning_of_a_function() {
    let call = |kind: u64, addend| {
        module(|draft| {
            let text = draft.code(".text", CALL);
            let symbol = draft.symbol("called", text, 16);
            draft.set_symbol(symbol, ST_INFO, kind);
            // That of the section is at 0, where nothing begins.
            let section = draft.symbol("", text, 0);
            draft.set_symbol(section, ST_INFO, SECTION);
            draft.relocate(text, &[(1, R_PLT32, section, addend)]);
        })
    };
    expect([
        ("a global function", call(GLOBAL | FUNC, 16 - 4), "accept"),
        ("a local label", call(NOTYPE, 16 - 4), "accept"),
        ("a byte beyond", call(GLOBAL | FUNC, 17 - 4), "danger call-target"),
        ("where nothing but the section begins", call(GLOBAL | FUNC, -4), "danger call-target"),
    ]);
}
