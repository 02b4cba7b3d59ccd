//! Tables that kernels walk.

use core::ops::Range;

use super::*;

/// A pointer of a table: where, the relocation's type, what it points to and how far from there.
type Pointer = (u64, u32, To, i64);

/// The series from which on something holds, and the one from which on it does not any more.
type Within = Range<(u16, u16)>;

#[derive(Clone, Copy)]
enum To {
    /// 16 bytes of `.text`, section 3.
    Code,
    /// 16 bytes of `.data`, section 4.
    Data,
    /// A symbol of the kernel's.
    Kernel,
    /// A number.
    Number,
}

use To::{Code, Data, Kernel, Number};

/// A module with a table, section 5.
fn table_of(name: &str, flags: u64, bytes: &[u8], pointers: &[Pointer]) -> Vec<u8> {
    module(|draft| {
        let code = draft.code(".text", [0xcc; 16]);
        let data = draft.data(".data", [0; 16]);
        let table = draft.section(name, flags, bytes);
        let [code, data] = [code, data].map(|section| draft.symbol("here", section, 0));
        let kernel = draft.symbol("kernels", SHN_UNDEF, 0);
        let number = draft.symbol("number", SHN_ABS, 0);
        let relocation = |(offset, kind, to, addend): &Pointer| {
            let symbol = match to {
                Code => code,
                Data => data,
                Kernel => kernel,
                Number => number,
            };
            (*offset, *kind, symbol, *addend)
        };
        draft.relocate(table, &pointers.iter().map(relocation).collect::<Vec<_>>());
    })
}

fn table(name: &str, size: usize, pointers: &[Pointer]) -> Vec<u8> {
    table_of(name, SHF_ALLOC, &vec![0; size], pointers)
}

#[test]
fn every_table_has_the_layout_of_its_structure() {
    let (abs, rel) = (R_64, R_PC32);
    let data = |offset| (offset, abs, Data, 0);
    const END: (u16, u16) = (8, 0);
    const ALL: Within = (5, 10)..END;
    let layouts: [(&str, Within, u64, &[Pointer]); 23] = [
        ("__ksymtab", ALL, 12, &[(0, rel, Code, 0), (4, rel, Data, 0), (8, rel, Kernel, 0)]),
        ("__ksymtab_gpl", ALL, 12, &[(0, rel, Data, 0), (4, rel, Data, 0), (8, rel, Data, 0)]),
        ("__ex_table", ALL, 12, &[(0, rel, Code, 0), (4, rel, Code, 0)]),
        ("__mcount_loc", ALL, 8, &[(0, abs, Code, 0)]),
        ("__tracepoints_ptrs", ALL, 4, &[(0, rel, Data, 0)]),
        ("_ftrace_eval_map", ALL, 8, &[data(0)]),
        ("___srcu_struct_ptrs", ALL, 8, &[data(0)]),
        ("_ftrace_events", ALL, 8, &[data(0)]),
        ("__bpf_raw_tp_map", ALL, 32, &[data(0), (8, abs, Code, 0)]),
        ("__dyndbg", ALL, 56, &[data(0), data(8), data(16), data(24)]),
        (".static_call_sites", ALL, 8, &[(0, rel, Code, 0), (4, rel, Kernel, 0)]),
        ("__bug_table", (5, 10)..(7, 0), 12, &[(0, rel, Code, 0), (4, rel, Data, 0)]),
        ("__bug_table", (7, 0)..END, 16, &[(0, rel, Code, 0), (4, rel, Data, 0), (8, rel, Data, 0)]),
        (".altinstructions", (5, 10)..(6, 3), 12, &[(0, rel, Code, 0), (4, rel, Code, 0)]),
        (".altinstructions", (6, 3)..END, 14, &[(0, rel, Code, 0), (4, rel, Code, 0)]),
        (".parainstructions", (5, 10)..(6, 8), 16, &[(0, abs, Code, 0)]),
        (".retpoline_sites", ALL, 4, &[(0, rel, Code, 0)]),
        (".smp_locks", (5, 10)..(7, 3), 4, &[(0, rel, Code, 0)]),
        (".return_sites", ALL, 4, &[(0, rel, Code, 0)]),
        (".call_sites", ALL, 4, &[(0, rel, Code, 0)]),
        (".cfi_sites", ALL, 4, &[(0, rel, Code, 0)]),
        (".ibt_endbr_seal", ALL, 4, &[(0, rel, Code, 0)]),
        (".orc_unwind_ip", ALL, 4, &[(0, rel, Code, 0)]),
    ];
    let complains = |file: &[u8], series| {
        let rules: Vec<_> = findings(file, series).iter().map(|finding| finding.rule.name).collect();
        rules.iter().any(|rule| ["table-size", "table-pointer", "table-target"].contains(rule))
    };
    for (name, within, size, pointers) in layouts {
        let (since, until) = (Series::new(within.start.0, within.start.1), Series::new(within.end.0, within.end.1));
        // Two entries, of which the second lacks one pointer or the other.
        let second = |pointer: &Pointer| (pointer.0 + size, pointer.1, pointer.2, pointer.3);
        let both: Vec<_> = pointers.iter().copied().chain(pointers.iter().map(second)).collect();
        for series in all_series().filter(|series| (since..until).contains(series)) {
            let file = |pointers: &[Pointer]| table(name, 2 * size as usize, pointers);
            assert!(!complains(&file(&both), series), "{series} {name}");
            for missing in 0..both.len() {
                let mut rest = both.clone();
                rest.remove(missing);
                assert!(complains(&file(&rest), series), "{series} {name} without {missing}");
            }
        }
    }
}

#[test]
fn tables_end_with_an_entry() {
    let bug = |size, entries: &[u64]| {
        let entry = |at: &u64| [(*at, R_PC32, Code, 0), (at + 4, R_PC32, Data, 0), (at + 8, R_PC32, Data, 0)];
        let pointers: Vec<_> = entries.iter().flat_map(entry).filter(|pointer| size != 12 || pointer.0 < 8).collect();
        table("__bug_table", size, &pointers)
    };
    let mcount = |size| table("__mcount_loc", size, &[(0, R_64, Code, 0)]);
    let paravirt = |size| table(".parainstructions", size, &[(0, R_64, Code, 0)]);
    expect([
        ("an entry of old", bug(12, &[0]), "accept, since 7.0 danger table-size"),
        ("an entry of today", bug(16, &[0]), "danger table-size, since 7.0 accept"),
        ("no entry", table("__bug_table", 0, &[]), "accept"),
        ("a whole one", mcount(8), "accept"),
        ("a byte of another", mcount(9), "danger table-size"),
        ("what fills up the last entry may lack", paravirt(10), "accept"),
        ("a byte of another", paravirt(17), "danger table-pointer, since 6.8 accept"),
    ]);
}

#[test]
fn pointers_are_of_the_types_of_their_places() {
    let extra = [(0, R_64, Data, 0), (8, R_64, Data, 0), (16, R_64, Data, 0), (24, R_64, Data, 0), (40, R_64, Data, 0)];
    let second = extra.map(|(offset, kind, to, addend)| (offset + 56, kind, to, addend));
    let writable = |file| table_of("__dyndbg", SHF_ALLOC | SHF_WRITE, &[0; 112], file);
    expect([
        ("none", table("__mcount_loc", 8, &[]), "danger table-pointer"),
        ("relative", table("__mcount_loc", 8, &[(0, R_PC64, Code, 0)]), "danger table-pointer"),
        (
            "at another place",
            table("__mcount_loc", 16, &[(0, R_64, Code, 0), (9, R_PC32, Code, 0)]),
            "danger table-pointer",
        ),
        ("and another between them", writable(&[extra, second].concat()), "accept"),
        ("and none behind that", writable(&[&extra[..], &second[1..]].concat()), "danger table-pointer"),
    ]);
    let third = table("__mcount_loc", 32, &[0, 8, 24].map(|offset| (offset, R_64, Code, 0)));
    assert_eq!(found(&third), ["table-pointer: section 5 (__mcount_loc), entry 2"]);
    let target = table("__mcount_loc", 16, &[(0, R_64, Code, 0), (8, R_64, Data, 0)]);
    assert_eq!(found(&target), ["table-target: section 5 (__mcount_loc), entry 1"]);
    // A table that is all zeros at first may be of any size.
    let zeros = set(&table("__mcount_loc", 16, &[]), "__mcount_loc", TYPE, SHT_NOBITS.into());
    assert_eq!(found(&zeros)[0], "table-pointer: section 5 (__mcount_loc), entry 0");
    assert_eq!(found(&zeros).iter().filter(|finding| finding.starts_with("table-pointer")).count(), 1);
}

#[test]
fn pointers_lead_to_what_the_kernel_takes_them_for() {
    let code = |to, addend| table(".return_sites", 4, &[(0, R_PC32, to, addend)]);
    let border = |to, addend| table("__ex_table", 12, &[(0, R_PC32, Code, 0), (4, R_PC32, to, addend)]);
    let data = |to| table("__tracepoints_ptrs", 4, &[(0, R_PC32, to, 0)]);
    // Of exports, the symbol itself.
    let any = |to| table("__ksymtab_gpl", 12, &[(0, R_PC32, to, 0), (4, R_PC32, Data, 0), (8, R_PC32, Data, 0)]);
    let target = "danger table-target";
    expect([
        ("an instruction", code(Code, 15), "accept"),
        ("behind all", code(Code, 16), target),
        ("before all", code(Code, -1), target),
        ("data", code(Data, 0), target),
        ("the kernel's", code(Kernel, 0), target),
        ("a number", code(Number, 0), target),
        ("an instruction, or", border(Code, 15), "accept"),
        ("the end of all", border(Code, 16), "accept"),
        ("data", border(Data, 0), target),
        ("the kernel's", border(Kernel, 0), target),
        ("data", data(Data), "accept"),
        ("the kernel's data", data(Kernel), "accept"),
        ("code", data(Code), target),
        ("a number", data(Number), target),
        ("any data", any(Data), "accept"),
        ("any code", any(Code), "accept"),
        ("anything of the kernel's", any(Kernel), "accept"),
        ("any number", any(Number), "accept"),
    ]);
}

#[test]
fn tables_that_are_found_by_name_alone_are_loaded() {
    let unloaded = |name, size: usize| table_of(name, 0, &vec![0; size], &[]);
    let not = "danger table-not-loaded";
    expect([
        ("of bugs", unloaded("__bug_table", 16), not),
        ("of returns", unloaded(".return_sites", 4), not),
        ("an empty one", unloaded(".return_sites", 0), "accept"),
        ("of locks", unloaded(".smp_locks", 4), "danger table-not-loaded, since 7.3 accept"),
        ("of paravirt", unloaded(".parainstructions", 16), "danger table-not-loaded, since 6.8 accept"),
        ("of exceptions, which is not taken then", unloaded("__ex_table", 12), "accept"),
        ("no table", unloaded(".other_sites", 4), "accept"),
    ]);
}

#[test]
fn a_static_branch_is_a_jump_or_a_nop() {
    let branch = |code: &[u8], target: u64| {
        let code = code.to_vec();
        module(|draft| {
            let text = draft.code(".text", code);
            let table = draft.data("__jump_table", [0; 32]);
            let key = draft.data(".data", [0; 16]);
            let [text, key] = [text, key].map(|section| draft.symbol("x", section, 0));
            let entry = |at, place| [(at, R_PC32, text, place), (at + 4, R_PC32, text, 0), (at + 8, R_PC64, key, 0)];
            draft.relocate(table, &[entry(0, 0), entry(16, target as i64)].concat());
        })
    };
    let neither = "danger jump-label";
    expect([
        ("NOP of five bytes", branch(&[0x0f, 0x1f, 0x44, 0, 0], 0), "accept"),
        ("NOP of two", branch(&[0x66, 0x90], 0), "accept"),
        ("jump", branch(&[0xe9, 0, 0, 0, 0], 0), "accept"),
        ("short jump", branch(&[0xeb, 0], 0), "accept"),
        ("another instruction", branch(&[0x48, 0x89, 0xc7, 0x90, 0x90], 0), neither),
        ("NOP of another length", branch(&[0x0f, 0x1f, 0x40, 0, 0], 0), neither),
        ("cut", branch(&[0x0f, 0x1f, 0x44, 0], 0), neither),
        ("a jump, then another instruction", branch(&[0xeb, 0, 0x90], 2), neither),
        ("a jump, then the end", branch(&[0xeb, 0], 2), neither),
    ]);
    assert_eq!(found(&branch(&[0xeb, 0, 0x90], 2)), ["jump-label: section 4 (__jump_table), entry 1"]);
}

/// Entries of `.altinstructions`, as 6.3 and later have them: the feature, how long code and replacement are, and where in
/// 16 bytes each the code and the replacement are.
fn alternatives(entries: &[(u16, u8, u8, i64, i64)]) -> Vec<u8> {
    module(|draft| {
        let code = draft.code(".text", [0x90; 16]);
        let new = draft.code(".altinstr_replacement", [0x90; 16]);
        let [code, new] = [code, new].map(|section| draft.symbol("x", section, 0));
        let record = |(feature, length, replacement, ..): &(u16, u8, u8, i64, i64)| {
            let [low, high] = feature.to_le_bytes();
            [0, 0, 0, 0, 0, 0, 0, 0, low, high, 0, 0, *length, *replacement]
        };
        let table = draft.constants(".altinstructions", entries.iter().flat_map(record).collect::<Vec<_>>());
        let pointers = |(entry, (.., from, to)): (usize, &(u16, u8, u8, i64, i64))| {
            [(14 * entry as u64, R_PC32, code, *from), (14 * entry as u64 + 4, R_PC32, new, *to)]
        };
        draft.relocate(table, &entries.iter().enumerate().flat_map(pointers).collect::<Vec<_>>());
    })
}

#[test]
fn alternatives_fit_in_what_they_replace() {
    let one = |feature, length, replacement, from, to| alternatives(&[(feature, length, replacement, from, to)]);
    let accept = "danger table-size, since 6.3 accept";
    let not = "danger table-size, since 6.3 danger alternative";
    expect([
        ("of the same length", one(0, 5, 5, 0, 0), accept),
        ("shorter", one(0, 5, 3, 0, 0), accept),
        ("longer", one(0, 5, 6, 0, 0), not),
        ("the last feature", one(24 * 32 - 1, 5, 5, 0, 0), accept),
        ("one more", one(24 * 32, 5, 5, 0, 0), not),
        ("with the upper bit", one(0x8000, 5, 5, 0, 0), not),
        ("code to the end", one(0, 16, 5, 0, 0), accept),
        ("beyond it", one(0, 17, 5, 0, 0), not),
        ("later code to the end", one(0, 5, 5, 11, 0), accept),
        ("beyond it", one(0, 5, 5, 12, 0), not),
        ("replacement to the end", one(0, 5, 5, 0, 11), accept),
        ("beyond it", one(0, 5, 5, 0, 12), not),
        ("both beyond", one(0, 5, 5, 12, 12), not),
        ("before all", one(0, 5, 5, -1, 0), "danger table-size, since 6.3 danger table-target"),
        ("a second one", alternatives(&[(0, 5, 5, 0, 0), (0, 5, 5, 11, 11)]), accept),
        ("a second one, code beyond", alternatives(&[(0, 5, 5, 0, 0), (0, 5, 5, 12, 0)]), not),
        ("a second one, replacement beyond", alternatives(&[(0, 5, 5, 0, 0), (0, 5, 5, 0, 12)]), not),
        ("the first one", alternatives(&[(0, 5, 5, 12, 0), (0, 5, 5, 0, 0)]), not),
    ]);
    let second = alternatives(&[(0, 5, 5, 0, 0), (0, 5, 6, 0, 0)]);
    assert_eq!(found(&second), ["alternative: section 5 (.altinstructions), entry 1"]);
}

#[test]
fn up_to_6_2_a_feature_may_be_one_that_is_not_there() {
    let one = |feature: u16, replacement| {
        let [low, high] = feature.to_le_bytes();
        let record = [0, 0, 0, 0, 0, 0, 0, 0, low, high, 5, replacement];
        table_of(".altinstructions", SHF_ALLOC, &record, &[(0, R_PC32, Code, 0), (4, R_PC32, Code, 0)])
    };
    let not = "danger alternative, since 6.3 danger table-size";
    expect([
        ("there", one(1, 5), "accept, since 6.3 danger table-size"),
        ("not there", one(0x8001, 5), "accept, since 6.3 danger table-size"),
        ("no feature", one(0x8000 + 24 * 32, 5), not),
        ("longer", one(1, 6), not),
    ]);
}

#[test]
fn unwinding_has_a_description_for_each_place() {
    let unwind = |places: usize, flags, bytes: usize| {
        module(|draft| {
            let text = draft.code(".text", [0xcc; 16]);
            let table = draft.constants(".orc_unwind_ip", vec![0; 4 * places]);
            draft.section(".orc_unwind", flags, vec![0; bytes]);
            let text = draft.symbol("x", text, 0);
            draft.relocate(table, &(0..places as u64).map(|at| (4 * at, R_PC32, text, 0)).collect::<Vec<_>>());
        })
    };
    let lengths = "danger table-lengths";
    expect([
        ("two and two", unwind(2, SHF_ALLOC, 12), "accept"),
        ("two and three", unwind(2, SHF_ALLOC, 18), lengths),
        ("two and one", unwind(2, SHF_ALLOC, 6), lengths),
        ("two and a half more", unwind(2, SHF_ALLOC, 15), lengths),
        ("two that are not loaded", unwind(2, 0, 12), "danger table-not-loaded"),
        ("one that is not loaded", unwind(1, 0, 6), "danger table-not-loaded"),
        ("none", unwind(0, 0, 0), "accept"),
        ("none, and one that is not loaded", unwind(0, 0, 6), lengths),
    ]);
    let alone = |name: &str| {
        let file = unwind(2, SHF_ALLOC, 12);
        let at = field(&file, name, NAME);
        set(&file, name, NAME, at + 1)
    };
    expect([
        ("places alone", alone(".orc_unwind"), "accept"),
        ("descriptions alone", alone(".orc_unwind_ip"), "accept"),
    ]);
}

#[test]
fn exports_have_checksums_and_flags() {
    let exports = |name: &str, count: u64, beside: &[(&str, usize)]| {
        module(|draft| {
            let code = draft.code(".text", [0xcc; 16]);
            let strings = draft.constants("__ksymtab_strings", [0; 8]);
            let table = draft.constants(name, vec![0; 12 * count as usize]);
            for (name, bytes) in beside {
                draft.constants(name, vec![0; *bytes]);
            }
            let code = draft.symbol("exported", code, 0);
            let strings = draft.symbol("strings", strings, 0);
            let entry = |at| [(at, R_PC32, code, 0), (at + 4, R_PC32, strings, 0), (at + 8, R_PC32, strings, 0)];
            draft.relocate(table, &(0..count).flat_map(|at| entry(12 * at)).collect::<Vec<_>>());
        })
    };
    let lengths = "danger table-lengths";
    expect([
        ("two of each", exports("__ksymtab", 2, &[("__kcrctab", 8), ("__kflagstab", 2)]), "accept"),
        ("without checksums", exports("__ksymtab", 2, &[("__kflagstab", 2)]), "accept"),
        ("more", exports("__ksymtab", 2, &[("__kcrctab", 12), ("__kflagstab", 3)]), "accept"),
        ("a checksum cut", exports("__ksymtab", 2, &[("__kcrctab", 7), ("__kflagstab", 2)]), lengths),
        ("flags cut", exports("__ksymtab", 3, &[("__kcrctab", 12), ("__kflagstab", 2)]), lengths),
        ("without flags", exports("__ksymtab", 1, &[("__kcrctab", 4)]), "accept, since 7.1 reject export-flags"),
        ("no exports, no flags", exports("__ksymtab", 0, &[]), "accept"),
        ("checksums of none", exports("__ksymtab", 0, &[("__kcrctab", 4)]), "accept"),
        ("GPL", exports("__ksymtab_gpl", 2, &[("__kcrctab_gpl", 8)]), "accept"),
        ("GPL, a checksum cut", exports("__ksymtab_gpl", 2, &[("__kcrctab_gpl", 7)]), lengths),
        ("GPL, the other's checksums", exports("__ksymtab_gpl", 2, &[("__kcrctab", 1)]), "accept"),
    ]);
}
