//! What sections hold, by their names.

use super::*;

const CODE: u64 = SHF_ALLOC | SHF_EXECINSTR;
const DATA: u64 = SHF_ALLOC | SHF_WRITE;

/// A module with a section of eight zeros.
fn section(name: &str, flags: u64) -> Vec<u8> {
    with_section(name, flags, [0; 8])
}

fn empty(name: &str, flags: u64) -> Vec<u8> {
    with_section(name, flags, [])
}

#[test]
fn code_is_executable() {
    let not = "danger not-executable";
    expect([
        (".text", section(".text", CODE), "accept"),
        (".text, only loaded", section(".text", SHF_ALLOC), not),
        (".text, only executable", section(".text", SHF_EXECINSTR), not),
        (".text, neither", section(".text", 0), not),
        ("a function's own section", section(".text.unlikely", SHF_ALLOC), not),
        (".init.text", section(".init.text", SHF_ALLOC), not),
        ("replacements of code", section(".altinstr_replacement", SHF_ALLOC), not),
        ("an empty one", empty(".text", SHF_ALLOC), "accept"),
        ("another name", section(".tex", SHF_ALLOC), "accept"),
        ("relocations of code", section(".rela.init.text", SHF_ALLOC), "accept"),
    ]);
}

#[test]
fn data_is_writable() {
    let not = "danger not-writable";
    expect([
        (".data", section(".data", DATA), "accept"),
        (".data, only loaded", section(".data", SHF_ALLOC), not),
        (".data, only writable", section(".data", SHF_WRITE), not),
        (".data, neither", section(".data", 0), not),
        (".bss", section(".bss", SHF_ALLOC), not),
        ("a variable's own section", section(".data.once", SHF_ALLOC), not),
        ("an empty one", empty(".data", SHF_ALLOC), "accept"),
        // In a module of Rust it is constant.
        (".init.data", section(".init.data", SHF_ALLOC), "accept"),
        (".rodata", section(".rodata", SHF_ALLOC), "accept"),
        ("struct module", set(&module(|_| ()), THIS_MODULE, FLAGS, SHF_ALLOC), not),
    ]);
    let tables =
        ["__jump_table", ".static_call_sites", "__tracepoints", "_ftrace_events", "__dyndbg", "__bpf_raw_tp_map"];
    for name in tables {
        // Most of them are tables, and these lack their pointers.
        let is_found = |flags| found(&section(name, flags)).contains(&format!("not-writable: section 3 ({name})"));
        assert!(is_found(SHF_ALLOC) && !is_found(DATA), "{name}");
    }
}

#[test]
fn only_bss_has_no_bytes() {
    let bare = |name, flags| {
        let file = module(|draft| {
            draft.writer.section(name, SHT_NOBITS, flags, vec![]);
        });
        set(&file, name, SIZE, 8)
    };
    expect([
        (".data", bare(".data", DATA), "danger no-bytes"),
        ("a short name", bare("x", DATA), "danger no-bytes"),
        (".bss", bare(".bss", DATA), "accept"),
        (".init.bss", bare(".init.bss", DATA), "accept"),
        (".data..percpu..bss", bare(".data..percpu..bss", DATA), "accept"),
        ("not loaded", bare("x", 0), "accept"),
        ("empty", set(&bare("x", DATA), "x", SIZE, 0), "accept"),
    ]);
}

#[test]
fn relocations_are_for_the_section_of_their_name() {
    let file = |name: &str| {
        module(|draft| {
            let target = draft.data(".target", [0; 16]);
            draft.data(".other", [0; 16]);
            let symbol = draft.symbol("symbol", target, 0);
            draft.relocate_as(name, target, &[(0, R_64, symbol, 0), (8, R_64, symbol, 0)]);
        })
    };
    let changed = |name, field, value| set(&file(name), name, field, value);
    const PROGBITS: u64 = SHT_PROGBITS as u64;
    expect([
        ("as they are to be", file(".rela.target"), "accept"),
        ("of another type", changed(".rela.target", TYPE, PROGBITS), "danger relocations-lost"),
        ("for another section", changed(".rela.target", INFO, 4), "danger relocations-lost"),
        ("both", set(&changed(".rela.target", INFO, 4), ".rela.target", TYPE, PROGBITS), "danger relocations-lost"),
        ("empty", changed(".rela.target", SIZE, 0), "danger section-cut"),
        ("of a section that is not there", file(".rela.gone"), "accept"),
        ("the same, of another type", changed(".rela.gone", TYPE, PROGBITS), "accept"),
        ("by another name", changed(".relo.target", TYPE, PROGBITS), "accept"),
        ("cut within an entry", changed(".rela.target", SIZE, 47), "danger section-cut"),
    ]);
    let unloaded = set(&changed(".rela.target", TYPE, PROGBITS), ".target", FLAGS, SHF_WRITE);
    expect([("of a section that is not loaded", unloaded, "accept")]);
}

#[test]
fn symbols_are_whole() {
    let file = module(|draft| {
        draft.symbol("symbol", 1, 0);
    });
    expect([("cut within a symbol", set(&file, ".symtab", SIZE, 47), "danger section-cut")]);
}

/// `.one` of 16 bytes and `.two` of 24 lie one behind the other, sections 3 and 4, with `.none` behind them, which is
/// empty.
fn neighbours() -> Vec<u8> {
    module(|draft| {
        draft.constants(".one", [0; 16]);
        draft.constants(".two", [0; 24]);
        draft.section(".none", 0, []);
        draft.constants(".three", [0; 8]);
    })
}

#[test]
fn sections_share_no_bytes() {
    let file = neighbours();
    let (one, headers) = (field(&file, ".one", OFFSET), get(&file, 40, 8));
    let at = |section, offset| set(&file, section, OFFSET, offset);
    let end = file.len() as u64;
    let longer = [&file[..], &[0; 8]].concat();
    let behind = |section| set(&set(&longer, section, OFFSET, end), section, SIZE, 8);
    let shared = "danger shared-bytes";
    expect([
        ("one at the other's place", at(".two", one), shared),
        ("one in the other", at(".three", one + 8), shared),
        ("one up to a byte into the other", set(&file, ".one", SIZE, 17), shared),
        ("an empty one in another", at(".none", one + 8), "accept"),
        ("one without bytes in another", set(&at(".none", one + 8), ".none", TYPE, SHT_NOBITS.into()), "accept"),
        ("one in the ELF header", at(".three", 0), shared),
        ("one in the first section header", at(".three", headers), shared),
        ("one in the last", at(".three", end - 8), shared),
        ("one that ends in the section headers", at(".three", headers - 4), shared),
        ("one behind the section headers", behind(".none"), "accept"),
        ("two there", set(&behind(".none"), ".three", OFFSET, end), shared),
    ]);
    // What is no header is named.
    for offset in [0, 8, headers, headers + 64, headers - 4] {
        let found = found(&at(".three", offset));
        assert!(found.contains(&"shared-bytes: section 6 (.three)".into()), "{offset}: {found:?}");
    }
}

#[test]
fn no_room_is_left_between_sections() {
    let file = neighbours();
    let cut = |section, size| set(&file, section, SIZE, size);
    let end_of_two = field(&file, ".two", OFFSET) + 16;
    let cut_and_empty = |offset| set(&cut(".two", 16), ".none", OFFSET, offset);
    let unused = |flags| set(&cut(".two", 16), ".two", FLAGS, flags);
    expect([
        ("seven bytes", cut(".two", 17), "accept"),
        ("eight bytes", cut(".two", 16), "danger section-cut"),
        ("eight, as the next is aligned to 16", set(&cut(".two", 16), ".none", ALIGN, 16), "accept"),
        ("sixteen", set(&cut(".two", 8), ".none", ALIGN, 16), "danger section-cut"),
        ("and an empty section at the end", cut_and_empty(end_of_two), "danger section-cut"),
        ("behind what is not loaded", unused(0), "accept"),
    ]);
    assert_eq!(found(&cut(".two", 16)), ["section-cut: section 4 (.two)"]);

    let with_relocations = module(|draft| {
        let data = draft.data(".data", [0; 16]);
        let symbol = draft.symbol("symbol", data, 0);
        draft.relocate(data, &[(0, R_64, symbol, 0), (8, R_64, symbol, 0)]);
    });
    // So are tables, though they are not loaded.
    expect([
        ("relocations", set(&with_relocations, ".rela", SIZE, 24), "danger section-cut"),
        ("symbols", set(&with_relocations, ".symtab", SIZE, 24), "danger relocation-symbol"),
    ]);
    assert!(found(&set(&with_relocations, ".symtab", SIZE, 24)).contains(&"section-cut: section 5 (.symtab)".into()));
}

#[test]
fn room_before_a_section_is_no_more_than_that_section_needs() {
    let file = module(|draft| {
        draft.data(".data", [0; 32]);
        draft.writer.section(".bss", SHT_NOBITS, DATA, vec![]);
    });
    let aligned = |to| set(&set(&file, ".data", SIZE, 8), ".bss", ALIGN, to);
    expect([("aligned to 32", aligned(32), "accept"), ("aligned to 16", aligned(16), "danger section-cut")]);
}

#[test]
fn struct_module_holds_a_name_and_nothing_else() {
    let with = |at, value| set_byte(&module(|_| ()), THIS_MODULE, at, value);
    let contents = "danger this-module-contents";
    expect([
        ("before the name", with(23, 1), contents),
        ("at its beginning", with(24, b'T'), "accept"),
        ("at its end", with(79, 1), "accept"),
        ("behind it", with(80, 1), contents),
        ("at the end", with(1023, 1), contents),
    ]);
}

#[test]
fn functions_of_struct_module_are_init_and_exit() {
    let function = |name: &str, section: u16, relocation: (u64, u32, u32, i64)| {
        module(|draft| {
            draft.code(".text", [0xcc; 32]);
            draft.data(".data", [0; 32]);
            draft.symbol(name, section, 8);
            draft.symbol("init_module", 3, 0);
            draft.relocate(1, &[relocation, (512, R_64, 2, 0)]);
        })
    };
    let pointer = (128, R_64, 1, 0);
    let none = "danger this-module-function";
    expect([
        ("init", function("init_module", 3, pointer), "accept"),
        ("exit", function("cleanup_module", 3, pointer), "accept"),
        ("another function", function("init", 3, pointer), none),
        ("a longer name", function("init_module_", 3, pointer), none),
        ("data", function("init_module", 4, pointer), none),
        ("a place behind it", function("init_module", 3, (128, R_64, 1, 8)), none),
        ("a relative pointer", function("init_module", 3, (128, R_PC32, 1, 0)), none),
    ]);
    let other = function("init", 3, pointer);
    assert_eq!(found(&other), ["this-module-function: section 5 (.rela), entry 0"]);
}

#[test]
fn functions_are_where_the_kernel_looks_for_them() {
    let file = sound();
    let told = |file: &[u8], init, exit| {
        let module = Some(StructModule { size: 1024, init, exit });
        told_by(|series| check(file, Kernel { series, module }))
    };
    let unloads = module(|draft| {
        let text = draft.code(".text", [0xcc; 32]);
        let symbol = draft.symbol("cleanup_module", text, 0);
        draft.relocate(1, &[(256, R_64, symbol, 0)]);
    });
    let none = "danger this-module-function";
    for (what, file, init, exit, verdict) in [
        ("init", &file, Some(128), None, "accept"),
        ("init, not known where", &file, None, Some(128), "accept"),
        ("init elsewhere", &file, Some(136), None, none),
        ("init where exit is to be", &file, Some(136), Some(128), none),
        ("exit", &unloads, Some(128), Some(256), "accept"),
        ("exit, not known where", &unloads, Some(256), None, "accept"),
        ("exit elsewhere", &unloads, None, Some(264), none),
    ] {
        assert_eq!(told(file, init, exit), verdict, "{what}");
    }
}
