//! Rules on modules of our own writing.

use alloc::{format, string::ToString, vec, vec::Vec};

use super::*;
use crate::{
    edit::{self, Field},
    elf::{Elf, Layout, Relocation, SHF_ALLOC, SHF_WRITE, SHN_ABS, SHT_NOBITS, SHT_PROGBITS, STB_GLOBAL},
    write::Writer,
};

const THIS_MODULE: &str = ".gnu.linkonce.this_module";
const SHF_EXECINSTR: u64 = 4;
const R_64: u32 = 1;
const R_PC32: u32 = 2;
const R_PLT32: u32 = 4;
const R_32: u32 = 10;
const R_32S: u32 = 11;
const R_PC64: u32 = 24;

/// A call at 1, from a function at 0 to one at 16.
const CALL: Relocation = Relocation { offset: 1, symbol: 2, kind: R_PLT32, addend: Some(-4_i64 as u64) };
const INIT: Relocation = Relocation { offset: 128, symbol: 1, kind: R_64, addend: Some(0) };

/// A module with an init function that calls another one.
fn module(calls: &[Relocation], functions: &[Relocation]) -> Vec<u8> {
    let mut writer = Writer::new(Layout::ELF64_LE);
    let mut code = vec![0xcc; 32];
    code[..5].copy_from_slice(&[0xe8, 0, 0, 0, 0]);
    let text = writer.section(".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, code);
    let mut this = vec![0; 1024];
    this[24..28].copy_from_slice(b"call");
    let this = writer.section(THIS_MODULE, SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, this);
    writer.section(".modinfo", SHT_PROGBITS, SHF_ALLOC, b"name=call\0".to_vec());
    writer.section(".empty", SHT_PROGBITS, 0, vec![]);
    writer.symbol("init_module", STB_GLOBAL, text, 0);
    writer.symbol("called", STB_GLOBAL, text, 16);
    writer.relocations(".rela.text", text, calls);
    writer.relocations(".rela.gnu.linkonce.this_module", this, functions);
    writer.finish()
}

fn sound() -> Vec<u8> {
    module(&[CALL], &[INIT])
}

/// What each known series makes of a file, in one line: `5.10 danger strtab-end`.
fn verdicts(file: &[u8]) -> Vec<alloc::string::String> {
    let told = |series: Series| match check(file, series) {
        Verdict::Accept => format!("{series} accept"),
        Verdict::Reject(finding) => format!("{series} reject {}", finding.rule.name),
        Verdict::Danger(finding) => format!("{series} danger {}", finding.rule.name),
    };
    Series::KNOWN.into_iter().map(told).collect()
}

/// Checks that all known series say the same.
#[track_caller]
fn all_say(file: &[u8], verdict: &str) {
    let expected: Vec<_> = Series::KNOWN.iter().map(|series| format!("{series} {verdict}")).collect();
    assert_eq!(verdicts(file), expected);
}

fn patched(at: usize, new: &[u8]) -> Vec<u8> {
    let mut file = sound();
    file[at..at + new.len()].copy_from_slice(new);
    file
}

#[test]
fn a_sound_module_is_accepted_signed_or_not() {
    all_say(&sound(), "accept");
    let trailer = [&[0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 3][..], b"~Module signature appended~\n"].concat();
    all_say(&[&sound()[..], b"sig", &trailer].concat(), "accept");
    // Word size and byte order are not looked at.
    all_say(&patched(4, &[1]), "accept");
}

#[test]
fn each_field_of_the_header_that_is_looked_at_is_enoexec() {
    for (at, new, rule) in [
        (0, &b"\x7fELG"[..], "magic"),
        (0x10, &[2, 0], "type"),
        (0x12, &[3, 0], "machine"),
        (0x3a, &[63, 0], "header-size"),
        (0x28, &[0xff; 8], "headers-outside"),
        (0x3e, &[0, 0], "names-index"),
        (0x3e, &[0, 0xff], "names-index"),
    ] {
        all_say(&patched(at, new), &format!("reject {rule}"));
    }
    all_say(&sound()[..40], "reject file-short");
}

#[test]
fn the_errno_and_the_words_in_the_log_are_those_of_the_series() {
    let told = |file: &[u8], series| match check(file, series) {
        Verdict::Reject(Finding { effect: Effect::Rejects { errno, log }, .. }) => (errno_name(errno), log),
        other => panic!("{other:?}"),
    };
    let (old, new) = (Series::new(5, 10), Series::new(6, 1));
    let other_type = patched(0x10, &[2, 0]);
    assert_eq!(told(&other_type, old), ("ENOEXEC", "Module has invalid ELF structures"));
    assert_eq!(told(&other_type, new), ("ENOEXEC", "Invalid ELF header type"));
    // Nothing is said of a file that is no file of a module's size.
    assert_eq!([old, new].map(|series| told(&sound()[..55], series)), [("ENOEXEC", ""); 2]);
}

#[test]
fn what_was_passed_over_once_is_refused_since() {
    let file = edit::set_bytes(&sound(), ".strtab", 0, b"A").unwrap();
    let says = |series| check(&file, series) == Verdict::Accept;
    assert!(says(Series::new(6, 12)) && !says(Series::new(6, 13)));

    let end = Elf::parse(&sound()).unwrap().section(".strtab").unwrap().unwrap().data.len() - 1;
    let file = edit::set_bytes(&sound(), ".strtab", end, b"A").unwrap();
    let expected = ["5.10 danger", "6.1 danger", "6.12 danger", "7.2 reject", "7.3 reject"];
    assert_eq!(verdicts(&file), expected.map(|verdict| format!("{verdict} strtab-end")));
    let first = findings(&file, Series::new(7, 3))[0];
    assert_eq!(first.rule.since(Series::new(7, 3)), Some(Series::new(6, 13)));
    assert_eq!(first.rule.since(Series::new(6, 1)), None);
}

#[test]
fn an_empty_section_beyond_the_file_is_refused() {
    let file = edit::set_field(&sound(), ".empty", Field::Offset, 0x7fff_ffff).unwrap();
    all_say(&file, "reject contents-outside");
    // The reader of sections does not mind.
    assert!(Elf::parse(&file).unwrap().section(".empty").unwrap().is_some_and(|section| section.data.is_empty()));
}

#[test]
fn room_before_a_section_is_no_more_than_that_section_needs() {
    let module = with(|writer| {
        writer.section(".data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, vec![0; 32]);
        writer.section(".bss", SHT_NOBITS, SHF_ALLOC | SHF_WRITE, vec![]);
    });
    let cut = edit::set_field(&module, ".data", Field::Size, 8).unwrap();
    let header = Elf::parse(&cut).unwrap().section(".bss").unwrap().unwrap().index;
    let aligned_at = u64::from_le_bytes(cut[0x28..0x30].try_into().unwrap()) as usize + 64 * usize::from(header) + 48;
    let aligned = |to: u8| {
        let mut file = cut.clone();
        file[aligned_at] = to;
        file
    };
    all_say(&aligned(32), "accept");
    all_say(&aligned(16), "danger section-cut");
}

#[test]
fn relocations_are_applied_as_the_kernel_does() {
    let with = |call| module(&[call], &[INIT]);
    all_say(&with(Relocation { kind: 99, ..CALL }), "reject relocation-type");
    all_say(&with(Relocation { offset: 2, ..CALL }), "reject relocation-nonzero");
    all_say(&with(Relocation { offset: 29, ..CALL }), "danger relocation-outside");
    all_say(&with(Relocation { symbol: 100, ..CALL }), "danger relocation-symbol");
    all_say(&with(Relocation { symbol: 0, ..CALL }), "danger reference-none");
    all_say(&with(Relocation { addend: Some(0), ..CALL }), "danger call-target");
    all_say(&module(&[CALL, CALL], &[INIT]), "danger relocation-twice");
}

/// The module of a test, and what else it writes into it.
fn with(more: impl Fn(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new(Layout::ELF64_LE);
    let mut this = vec![0; 1024];
    this[24..28].copy_from_slice(b"more");
    writer.section(THIS_MODULE, SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, this);
    writer.section(".modinfo", SHT_PROGBITS, SHF_ALLOC, b"name=more\0".to_vec());
    more(&mut writer);
    writer.finish()
}

#[test]
fn the_first_section_header_asks_for_memory_as_others_do() {
    let headers = u64::from_le_bytes(sound()[0x28..0x30].try_into().unwrap()) as usize;
    let (flags, align) = (headers + 8, headers + 48);
    all_say(&patched(flags, &[2]), "accept");
    all_say(&patched(flags, &[5]), "reject writable-code");
    let mut file = patched(flags, &[2]);
    file[align..align + 8].copy_from_slice(&(1_u64 << 31).to_le_bytes());
    assert_ne!(check(&file, Series::new(6, 1)), Verdict::Accept);
}

#[test]
fn code_that_stays_does_not_lead_to_code_that_is_freed() {
    let jump = |from: &'static str, to: &'static str, flags| {
        with(|writer| {
            let from = writer.section(from, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, vec![0xe9, 0, 0, 0, 0]);
            let to = writer.section(to, SHT_PROGBITS, SHF_ALLOC | flags, vec![0xcc; 16]);
            let symbol = writer.symbol("target", STB_GLOBAL, to, 8);
            let relocation = Relocation { offset: 1, symbol, kind: R_PC32, addend: Some(-4_i64 as u64) };
            writer.relocations(".rela", from, &[relocation]);
        })
    };
    all_say(&jump(".text", ".text.unlikely", SHF_EXECINSTR), "accept");
    all_say(&jump(".init.text", ".init.text.two", SHF_EXECINSTR), "accept");
    all_say(&jump(".altinstr_aux", ".init.text", SHF_EXECINSTR), "accept");
    all_say(&jump(".text", ".init.text", SHF_EXECINSTR), "danger reference-init");
    all_say(&jump(".text", ".rodata", 0), "danger call-target");
}

#[test]
fn operations_of_a_parameter_are_functions_or_null() {
    let parameter = |operations: Vec<u8>, functions: &[u64], place: u64| {
        with(|writer| {
            let text = writer.section(".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, vec![0xcc; 16]);
            let function = writer.symbol("function", STB_GLOBAL, text, 0);
            let table = writer.section("__param", SHT_PROGBITS, SHF_ALLOC, vec![0; 40]);
            let data = writer.section(".rodata", SHT_PROGBITS, SHF_ALLOC, operations.clone());
            let symbol = writer.symbol("operations", STB_GLOBAL, data, place);
            let pointer = |offset, symbol| Relocation { offset, symbol, kind: R_64, addend: Some(0) };
            let functions: Vec<_> = functions.iter().map(|offset| pointer(*offset, function)).collect();
            writer.relocations(".rela__param", table, &[0, 8, 16].map(|offset| pointer(offset, symbol)));
            // The writer takes a table without entries for one without addends.
            if !functions.is_empty() {
                writer.relocations(".rela.rodata", data, &functions);
            }
        })
    };
    all_say(&parameter(vec![0; 32], &[8], 0), "accept");
    all_say(&parameter(vec![0; 32], &[8, 16, 24], 0), "accept");
    all_say(&parameter(vec![0; 32], &[], 0), "danger table-pointer");
    all_say(&parameter(vec![0; 32], &[16], 8), "danger table-pointer");
    let garbage = [vec![0; 24], vec![0xaa; 8]].concat();
    all_say(&parameter(garbage, &[8, 16], 0), "danger table-pointer");
}

#[test]
fn an_array_of_parameters_has_room_for_its_elements() {
    let parameter = |elements: u8, kind: u32| {
        with(|writer| {
            let table = writer.section("__param", SHT_PROGBITS, SHF_ALLOC, vec![0; 40]);
            let array = [vec![elements, 0, 0, 0, 4, 0, 0, 0], vec![0; 24]].concat();
            let array_section = writer.section(".rodata", SHT_PROGBITS, SHF_ALLOC, array);
            let data = writer.section(".data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, vec![0; 16]);
            let array = writer.symbol("array", STB_GLOBAL, array_section, 0);
            let data = writer.symbol("elements", STB_GLOBAL, data, 0);
            let [arrays, ints] = ["param_array_ops", "param_ops_int"].map(|name| writer.symbol(name, STB_GLOBAL, 0, 0));
            let pointer = |(offset, symbol)| Relocation { offset, symbol, kind: R_64, addend: Some(0) };
            writer.relocations(".rela__param", table, &[(0, data), (8, data), (16, arrays), (32, array)].map(pointer));
            let [operations, elements] = [(16, ints), (24, data)].map(pointer);
            writer.relocations(".rela.rodata", array_section, &[operations, Relocation { kind, ..elements }]);
        })
    };
    all_say(&parameter(4, R_64), "accept");
    all_say(&parameter(5, R_64), "danger table-pointer");
    all_say(&parameter(4, R_PC32), "danger table-pointer");
}

#[test]
fn operations_of_a_parameter_are_known_by_name() {
    let parameter = |kernels: &'static str| {
        with(|writer| {
            let table = writer.section("__param", SHT_PROGBITS, SHF_ALLOC, vec![0; 40]);
            let data = writer.section(".rodata", SHT_PROGBITS, SHF_ALLOC, vec![0; 8]);
            let data = writer.symbol("name", STB_GLOBAL, data, 0);
            let operations = writer.symbol(kernels, STB_GLOBAL, 0, 0);
            let pointer = |(offset, symbol)| Relocation { offset, symbol, kind: R_64, addend: Some(0) };
            let pointers = [(0, data), (8, data), (16, operations), (32, data)].map(pointer);
            writer.relocations(".rela__param", table, &pointers);
        })
    };
    all_say(&parameter("param_ops_int"), "accept");
    all_say(&parameter("_printk"), "danger table-pointer");
}

#[test]
fn a_static_branch_is_a_jump_or_a_nop() {
    let branch = |code: &'static [u8]| {
        with(|writer| {
            let text = writer.section(".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, code.to_vec());
            let table = writer.section("__jump_table", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, vec![0; 16]);
            let key = writer.section(".data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, vec![0; 16]);
            let [text, key] = [text, key].map(|section| writer.symbol("x", STB_GLOBAL, section, 0));
            let pointer = |(offset, symbol, kind)| Relocation { offset, symbol, kind, addend: Some(0) };
            writer.relocations(".rela", table, &[(0, text, R_PC32), (4, text, R_PC32), (8, key, R_PC64)].map(pointer));
        })
    };
    all_say(&branch(&[0x0f, 0x1f, 0x44, 0, 0]), "accept");
    all_say(&branch(&[0x66, 0x90]), "accept");
    all_say(&branch(&[0x48, 0x89, 0xc7, 0x90, 0x90]), "danger jump-label");
}

#[test]
fn values_of_relocations_fit() {
    let number = |value| {
        with(|writer| {
            let table = writer.section("__kcrctab", SHT_PROGBITS, SHF_ALLOC, vec![0; 4]);
            let symbol = writer.symbol("__crc_x", STB_GLOBAL, SHN_ABS, value);
            writer.relocations(".rela", table, &[Relocation { offset: 0, symbol, kind: R_32, addend: Some(0) }]);
        })
    };
    all_say(&number(0xffff_ffff), "accept");
    all_say(&number(0x1_0000_0000), "reject relocation-overflow");

    let pointer = |addend: u64| {
        with(|writer| {
            let code = vec![0x48, 0xc7, 0xc7, 0, 0, 0, 0];
            let text = writer.section(".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, code);
            let data = writer.section(".data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, vec![0; 16]);
            let symbol = writer.symbol("lock", STB_GLOBAL, data, 0);
            writer.relocations(".rela", text, &[Relocation { offset: 3, symbol, kind: R_32S, addend: Some(addend) }]);
        })
    };
    all_say(&pointer(16), "accept");
    all_say(&pointer(0x220), "danger reference-outside");
}

#[test]
fn of_two_relocations_the_first_that_the_loader_comes_to_decides() {
    let file = with(|writer| {
        let text = writer.section(".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, vec![0; 64]);
        let data = writer.section(".data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, vec![0; 16]);
        let symbol = writer.symbol("lock", STB_GLOBAL, data, 0);
        let relocation = |offset, kind| Relocation { offset, symbol, kind, addend: Some(0) };
        let harmless = [0, 8, 16].map(|offset| relocation(offset, R_64));
        writer.relocations(".rela1", text, &[&harmless[..], &[relocation(1 << 56, R_64)]].concat());
        writer.relocations(".rela2", data, &[relocation(0, R_32)]);
    });
    all_say(&file, "danger relocation-outside");
}

#[test]
fn the_loader_goes_on_behind_a_symbol_that_it_refuses() {
    let file = with(|writer| {
        writer.symbol("", STB_GLOBAL, 0, 0);
        writer.symbol("nowhere", STB_GLOBAL, 0x3a70, 0);
    });
    let later = |series| format!("{series} reject symbol-section");
    let mut expected = vec!["5.10 danger symbol-section".to_string()];
    expected.extend(Series::KNOWN.into_iter().skip(1).map(later));
    assert_eq!(verdicts(&file), expected);
}

#[test]
fn struct_module_is_what_the_kernel_takes_it_for() {
    let size = |known: u64| {
        let module = StructModule { size: known, init: Some(128), exit: None };
        check(&sound(), Kernel { series: Series::new(7, 3), module: Some(module) })
    };
    assert_eq!(size(1024), Verdict::Accept);
    assert!(matches!(size(1088), Verdict::Reject(finding) if finding.rule.name == "this-module-small"));
    assert_eq!(Kernel::that_loads(Series::new(7, 3), &sound()).module.unwrap().init, Some(128));

    let name = edit::set_bytes(&sound(), THIS_MODULE, 24, &[b'x'; 56]).unwrap();
    all_say(&name, "danger this-module-name-end");
    all_say(&edit::set_bytes(&sound(), THIS_MODULE, 24, &[0]).unwrap(), "reject this-module-name-empty");
    all_say(&edit::set_bytes(&sound(), THIS_MODULE, 512, &[1]).unwrap(), "danger this-module-contents");
    const SHT_NOBITS: u64 = 8;
    let expected = ["5.10 danger", "6.1 danger", "6.12 reject", "7.2 reject", "7.3 reject"];
    let bare = edit::set_field(&sound(), THIS_MODULE, Field::Type, SHT_NOBITS).unwrap();
    assert_eq!(verdicts(&bare), expected.map(|verdict| format!("{verdict} this-module-bytes")));
}

#[test]
fn all_that_is_wrong_is_found_and_the_first_decides() {
    let file = edit::set_bytes(&patched(4, &[2]), THIS_MODULE, 512, &[1]).unwrap();
    let file = edit::set_field(&file, ".empty", Field::Offset, 0x7fff_ffff).unwrap();
    let names: Vec<_> = findings(&file, Series::new(6, 1)).iter().map(|finding| finding.rule.name).collect();
    assert_eq!(names, ["contents-outside", "this-module-contents"]);
    let first = findings(&file, Series::new(6, 1))[0].place;
    assert_eq!(Places::of(&file).text(first), "section 4 (.empty)");
}

#[test]
fn a_series_is_read_from_a_release() {
    let read = |release| Series::of_release(release).map(|series| series.to_string());
    assert_eq!(read("6.1.0-56-cloud-amd64").as_deref(), Some("6.1"));
    assert_eq!(read("7.3").as_deref(), Some("7.3"));
    assert_eq!(read("6.12.118+deb13").as_deref(), Some("6.12"));
    for wrong in ["", "6", "six.one", "6.", "6.x"] {
        assert_eq!(read(wrong), None, "{wrong}");
    }
}
