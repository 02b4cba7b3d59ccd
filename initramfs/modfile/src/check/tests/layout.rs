//! Where sections come to lie, and whether there is room.

use super::*;

const MIB: u64 = 1 << 20;
/// `sh_flags`: written once.
const SHF_RO_AFTER_INIT: u64 = 0x20_0000;
const CODE: u64 = SHF_ALLOC | SHF_EXECINSTR;
const DATA: u64 = SHF_ALLOC | SHF_WRITE;

/// A module with memory of this size that is zeros at first.
fn zeros(name: &str, flags: u64, size: u64) -> Vec<u8> {
    let file = module(|draft| {
        draft.writer.section(name, SHT_NOBITS, flags, vec![]);
    });
    set(&file, name, SIZE, size)
}

#[test]
fn a_module_has_64_mib_of_each_kind_of_memory_and_no_more_than_there_is() {
    let constants = |size| zeros(".rodata.bss", SHF_ALLOC, size);
    // With one block for all that stays, struct module and the null symbol lie behind.
    let rest = 1024 + 24;
    // MODULES_LEN
    let all = 0x3f00_0000;
    expect([
        ("64 MiB with all else", constants(64 * MIB - rest), "accept"),
        ("one more", constants(64 * MIB - rest + 1), "danger much-memory, since 6.4 accept"),
        ("64 MiB", constants(64 * MIB), "danger much-memory, since 6.4 accept"),
        ("one more", constants(64 * MIB + 1), "danger much-memory"),
        ("all memory with all else", constants(all - rest), "danger much-memory"),
        ("one more", constants(all - rest + 1), "reject memory, since 6.4 danger much-memory"),
        ("all memory", constants(all), "reject memory, since 6.4 danger much-memory"),
        ("one more", constants(all + 1), "reject memory"),
    ]);
}

#[test]
fn the_symbol_table_lies_behind_the_data_and_in_memory_for_init() {
    let data = |size| zeros(".bss", DATA, size);
    let init = |size| zeros(".init.bss", DATA, size);
    expect([
        ("data up to 64 MiB", data(64 * MIB - 1024 - 24), "accept"),
        ("one more", data(64 * MIB - 1024 - 24 + 1), "danger much-memory"),
        // The null symbol, and its name aligned to 8.
        ("init up to 64 MiB", init(64 * MIB - 24 - 8), "accept"),
        ("one more", init(64 * MIB - 24 - 7), "danger much-memory"),
    ]);
}

/// A module with two sections: one of 8 bytes, and an empty one that wants to be at 128 MiB, if it is not at 0.
fn pair(first: (&str, u64), second: (&str, u64)) -> Vec<u8> {
    let file = module(|draft| {
        draft.section(first.0, first.1, [0; 8]);
        draft.section(second.0, second.1, []);
    });
    set(&file, second.0, ALIGN, 128 * MIB)
}

#[test]
fn code_constants_and_data_have_memory_of_their_own_since_6_4() {
    let apart = "danger much-memory, since 6.4 accept";
    let together = "danger much-memory";
    let rows = [
        ((".text", CODE), (".text.b", CODE), together),
        ((".text", CODE), (".rodata", SHF_ALLOC), apart),
        ((".text", CODE), (".bss.once", DATA | SHF_RO_AFTER_INIT), apart),
        // Code comes first.
        ((".rodata", SHF_ALLOC), (".text", CODE), "accept"),
        ((".rodata", SHF_ALLOC), (".rodata.b", SHF_ALLOC), together),
        ((".rodata", SHF_ALLOC), (".rodata.c", SHF_ALLOC | SHF_RO_AFTER_INIT), together),
        ((".rodata", SHF_ALLOC), (".data..ro_after_init", DATA), apart),
        ((".data..ro_after_init", DATA), (".rodata", SHF_ALLOC), "accept"),
        ((".data..ro_after_init", DATA), ("__jump_table", DATA), together),
        ((".data..ro_after_init", DATA), (".static_call_sites", DATA), together),
        ((".data..ro_after_init", DATA), (".bss.once", DATA | SHF_RO_AFTER_INIT), together),
        // struct module is data, and begins at 0.
        ((".rodata", SHF_ALLOC), (".data", DATA), together),
    ];
    for (first, second, verdict) in rows {
        assert_eq!(told(&pair(first, second)), verdict, "{first:x?} {second:x?}");
    }
}

#[test]
fn what_is_freed_after_init_has_memory_of_its_own() {
    let rows = [
        ((".text", CODE), (".init.text", CODE), "accept"),
        ((".init.text", CODE), (".text", CODE), "accept"),
        ((".init.text", CODE), (".init.text.b", CODE), "danger much-memory"),
        ((".init.text", CODE), (".init.data", DATA), "danger much-memory, since 6.4 accept"),
        ((".init.data", DATA), (".init.text", CODE), "accept"),
        ((".data", DATA), (".init.data", DATA), "accept"),
    ];
    for (first, second, verdict) in rows {
        assert_eq!(told(&pair(first, second)), verdict, "{first:x?} {second:x?}");
    }
}

#[test]
fn places_are_computed_in_32_bits() {
    let aligned = |align| set(&pair((".text", CODE), (".text.b", CODE)), ".text.b", ALIGN, align);
    expect([
        ("without alignment", aligned(0), "accept"),
        ("aligned to 2 GiB", aligned(1 << 31), "reject memory"),
        ("aligned to 4 GiB", aligned(1 << 32), "danger overlap"),
        ("of 4 GiB less a byte, at 0", zeros(".rodata.bss", SHF_ALLOC, 0xffff_ffff), "reject memory"),
        ("of 4 GiB, at 0", zeros(".rodata.bss", SHF_ALLOC, 1 << 32), "danger overlap"),
        ("of 4 GiB less a byte, behind another", zeros(".bss", DATA, 0xffff_ffff), "danger overlap"),
    ]);
}

#[test]
fn the_first_section_header_asks_for_memory_as_others_do() {
    let first = |flags| set(&sound(), "", FLAGS, flags);
    expect([
        ("to be loaded", first(SHF_ALLOC), "accept"),
        ("writable code", first(SHF_WRITE | SHF_EXECINSTR), "reject writable-code"),
    ]);
    // It is of the constants where it is not writable: what it asks for is asked at 0.
    let aligned = |flags, align| set(&set(&sound(), "", FLAGS, flags), "", ALIGN, align);
    expect([
        ("of constants, the first", aligned(SHF_ALLOC, 128 * MIB), "danger much-memory, since 6.4 accept"),
        ("of code, the first", aligned(SHF_ALLOC | SHF_EXECINSTR, 128 * MIB), "accept"),
    ]);
}

#[test]
fn data_of_each_processor_has_8_kib_aligned_to_a_page_at_most() {
    let percpu = |size: usize, align| {
        let file = with_section(".data..percpu", DATA, vec![0; size]);
        set(&file, ".data..percpu", ALIGN, align)
    };
    expect([
        ("8 KiB", percpu(8192, 8), "accept"),
        ("one more", percpu(8193, 8), "reject percpu"),
        ("aligned to none", percpu(8, 0), "accept"),
        // PCPU_MIN_ALLOC_SIZE
        ("aligned to less than what is always so", percpu(8, 3), "accept"),
        ("aligned to no power of two", percpu(8, 5), "reject percpu"),
        ("the same, up to a page", percpu(8, 4095), "reject percpu"),
        ("aligned to a page", percpu(8, 4096), "accept"),
        // It is taken for a page.
        ("aligned to more", percpu(8, 4097), "accept"),
        ("an empty one", percpu(0, 5), "accept"),
    ]);
}

#[test]
fn relocations_are_for_what_is_loaded() {
    let relocated = |name: &str, flags| {
        module(|draft| {
            let section = draft.section(name, flags, [0; 64]);
            draft.relocate(section, &[(0, 99, 0, 0)]);
        })
    };
    let for_section = |index| set(&relocated(".data", DATA), ".rela", INFO, index);
    expect([
        ("data", relocated(".data", DATA), "reject relocation-type"),
        ("what is not loaded", relocated(".comment", 0), "accept"),
        ("data of each processor", relocated(".data..percpu", DATA), "accept, since 6.13 reject relocation-type"),
        ("checksums of symbols", relocated("__versions", SHF_ALLOC), "accept"),
        (".modinfo", for_section(2), "accept"),
        ("no section", for_section(0), "accept"),
        ("a section that does not exist", for_section(100), "accept"),
        ("the symbol table", for_section(5), "reject relocation-type"),
        ("its strings", for_section(6), "reject relocation-type"),
    ]);
}
