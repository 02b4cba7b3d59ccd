//! What code and data point to.

use super::*;

const KIB: i64 = 1 << 10;
const MIB: i64 = 1 << 20;

/// Instructions up to the four or eight bytes that are relocated.
const CALL_REL32: &[u8] = &[0xe8];
const JMP_REL32: &[u8] = &[0xe9];
const JE_REL32: &[u8] = &[0x0f, 0x84];
/// `lea x(%rip), %rdi`
const LEA_RIP: &[u8] = &[0x48, 0x8d, 0x3d];
/// `mov $x, %rdi`, with a sign
const MOV_IMM32: &[u8] = &[0x48, 0xc7, 0xc7];
/// `mov x(,%rax,8), %rax`
const MOV_INDEX: &[u8] = &[0x48, 0x8b, 0x04, 0xc5];
const MOVABS: &[u8] = &[0x48, 0xb8];
const NOP: &[u8] = &[0x90];

/// What may be pointed to, as symbols.
#[derive(Clone, Copy)]
enum To {
    /// No symbol at all.
    None,
    /// A symbol of the kernel's.
    Kernel,
    /// A number.
    Number(u64),
    /// What a live patch finds.
    Patched,
    /// A function at 16 of 64 bytes of `.text.to`.
    Code,
    /// A function of the same kind in `.init.text.to`.
    Init,
    /// The beginning of 64 bytes of `.data.to`.
    Data,
    /// The same of `.data..percpu`.
    PerCpu,
    /// The same of `.comment`, which is not loaded.
    Unloaded,
}

/// A module in which a section points to something: its name, what lies before the relocated bytes, the relocation's type
/// and addend.
fn pointing(from: &str, before: &[u8], kind: u32, to: To, addend: i64) -> Vec<u8> {
    module(|draft| {
        let bytes = [before, &[0; 8]].concat();
        let from = match from {
            _ if from.contains("text") || from.starts_with(".altinstr") => draft.code(from, bytes),
            _ if from.starts_with(".data") => draft.data(from, bytes),
            _ => draft.constants(from, bytes),
        };
        let code = draft.code(".text.to", [0xcc; 64]);
        let init = draft.code(".init.text.to", [0xcc; 64]);
        let data = draft.data(".data.to", [0; 64]);
        let percpu = draft.data(".data..percpu", [0; 64]);
        let unloaded = draft.section(".comment", 0, [0; 64]);
        let symbol = match to {
            To::None => 0,
            To::Kernel => draft.symbol("_printk", SHN_UNDEF, 0),
            To::Number(number) => draft.symbol("number", SHN_ABS, number),
            To::Patched => draft.symbol("patched", 0xff20, 0),
            To::Code => draft.symbol("to", code, 16),
            To::Init => draft.symbol("to", init, 16),
            To::Data => draft.symbol("to", data, 0),
            To::PerCpu => draft.symbol("to", percpu, 0),
            To::Unloaded => draft.symbol("to", unloaded, 0),
        };
        draft.relocate(from, &[(before.len() as u64, kind, symbol, addend)]);
    })
}

type Row<'a> = (&'a str, (&'a str, &'a [u8]), u32, To, i64, &'a str);

/// Checks rows: what is special, the section with the bytes before the place, type, symbol, addend; the verdict.
#[track_caller]
fn points(rows: &[Row<'_>]) {
    expect(rows.iter().map(|(what, (from, before), kind, to, addend, verdict)| {
        (*what, pointing(from, before, *kind, *to, *addend), *verdict)
    }));
}

const DATA: (&str, &[u8]) = (".data", &[]);
const RODATA: (&str, &[u8]) = (".rodata", &[]);

const fn text(before: &[u8]) -> (&str, &[u8]) {
    (".text", before)
}

const OVERFLOW: &str = "reject relocation-overflow";
const OUTSIDE: &str = "danger reference-outside";

#[test]
fn a_relocation_is_for_some_symbol() {
    let none = "danger reference-none";
    points(&[
        ("call of nothing", text(CALL_REL32), R_PLT32, To::None, 0, none),
        ("data", DATA, R_64, To::None, 0, none),
        ("left out, no symbol", text(NOP), R_NONE, To::None, 0, none),
        // objtool puts a NOP in the place of a call, and leaves the relocation.
        ("left out of code", text(NOP), R_NONE, To::Code, 0, "accept"),
        ("left out of a call that is still there", text(CALL_REL32), R_NONE, To::Code, 0, none),
        ("left out of an operand", text(LEA_RIP), R_NONE, To::Data, 0, none),
        ("left out of data", DATA, R_NONE, To::Data, 0, none),
        ("left out of data behind a NOP", (".data", NOP), R_NONE, To::Data, 0, none),
        ("for a live patch to find", DATA, R_32, To::Patched, -1, "accept"),
    ]);
}

#[test]
fn numbers_fit_in_their_place() {
    let max = u32::MAX.into();
    points(&[
        ("32 bits", DATA, R_32, To::Number(max), 0, "accept"),
        ("one more", DATA, R_32, To::Number(max), 1, OVERFLOW),
        ("less than none", DATA, R_32, To::Number(0), -1, OVERFLOW),
        ("31 bits", DATA, R_32S, To::Number(0x7fff_ffff), 0, "accept"),
        ("one more", DATA, R_32S, To::Number(0x8000_0000), 0, OVERFLOW),
        ("the least", DATA, R_32S, To::Number(0), -0x8000_0000, "accept"),
        ("one less", DATA, R_32S, To::Number(0), -0x8000_0001, OVERFLOW),
        ("64 bits", DATA, R_64, To::Number(u64::MAX), 0, "accept"),
    ]);
}

#[test]
fn what_the_kernel_has_is_up_to_a_mib_large() {
    points(&[
        // No address of the kernel's has 32 bits.
        ("32 bits", DATA, R_32, To::Kernel, 0, OVERFLOW),
        ("with a sign", text(MOV_IMM32), R_32S, To::Kernel, 0, "accept"),
        ("4 GiB on", text(MOV_IMM32), R_32S, To::Kernel, 1 << 32, OVERFLOW),
        ("4 GiB back", text(MOV_IMM32), R_32S, To::Kernel, -1 << 32, OVERFLOW),
        ("a byte less", text(MOV_IMM32), R_32S, To::Kernel, (1 << 32) - 1, OUTSIDE),
        ("call", text(CALL_REL32), R_PLT32, To::Kernel, -4, "accept"),
        ("call of what lies behind", text(CALL_REL32), R_PLT32, To::Kernel, -3, "danger call-target"),
        ("call of what lies before", text(CALL_REL32), R_PLT32, To::Kernel, -5, "danger call-target"),
        ("its end from data", DATA, R_64, To::Kernel, MIB, "accept"),
        ("a byte beyond", DATA, R_64, To::Kernel, MIB + 1, OUTSIDE),
        ("a byte before", DATA, R_64, To::Kernel, -1, OUTSIDE),
        ("relative from data", DATA, R_PC32, To::Kernel, 0, "accept"),
        ("a byte before", DATA, R_PC32, To::Kernel, -1, OUTSIDE),
        // Relative to the instruction's end; compilers leave what is never run.
        ("8 KiB behind from code", text(LEA_RIP), R_PC32, To::Kernel, MIB + 8 * KIB - 4, "accept"),
        ("a byte more", text(LEA_RIP), R_PC32, To::Kernel, MIB + 8 * KIB - 3, OUTSIDE),
        ("8 KiB before", text(LEA_RIP), R_PC32, To::Kernel, -8 * KIB - 4, "accept"),
        ("a byte less", text(LEA_RIP), R_PC32, To::Kernel, -8 * KIB - 5, OUTSIDE),
        ("a number to compute with", text(MOVABS), R_64, To::Kernel, 1 << 40, "accept"),
    ]);
}

#[test]
fn data_points_to_what_stays_and_not_beyond_it() {
    points(&[
        ("its end", DATA, R_64, To::Data, 64, "accept"),
        ("a byte beyond", DATA, R_64, To::Data, 65, OUTSIDE),
        ("a byte before", DATA, R_64, To::Data, -1, OUTSIDE),
        ("far beyond", DATA, R_64, To::Data, 1 << 40, OUTSIDE),
        ("its end, relative", DATA, R_PC32, To::Data, 64, "accept"),
        ("a byte beyond", DATA, R_PC32, To::Data, 65, OUTSIDE),
        ("its end, relative with 64 bits", DATA, R_PC64, To::Data, 64, "accept"),
        ("a byte beyond", DATA, R_PC64, To::Data, 65, OUTSIDE),
        ("32 bits", DATA, R_32, To::Data, 0, OVERFLOW),
        ("32 bits, to each processor's", DATA, R_32, To::PerCpu, 0, "accept"),
        ("beyond those", DATA, R_32, To::PerCpu, 65, OUTSIDE),
        ("what is not loaded", DATA, R_64, To::Unloaded, 0, "danger reference-not-loaded"),
        ("each processor's", DATA, R_64, To::PerCpu, 0, "accept"),
        ("init code", DATA, R_64, To::Init, 0, "accept"),
    ]);
}

#[test]
fn code_that_stays_does_not_lead_to_code_that_is_freed() {
    let jump = |from: &'static str, to, verdict| ("a jump", (from, JMP_REL32), R_PC32, to, -4, verdict);
    points(&[
        jump(".text", To::Code, "accept"),
        jump(".init.text", To::Init, "accept"),
        jump(".init.text", To::Code, "accept"),
        jump(".text", To::Init, "danger reference-init"),
        // Code that is put into another's place.
        jump(".altinstr_aux", To::Init, "accept"),
        ("an address", text(MOV_IMM32), R_32S, To::Init, 0, "danger reference-init"),
    ]);
}

#[test]
fn calls_and_jumps_lead_to_code() {
    let target = "danger call-target";
    points(&[
        ("a function", text(CALL_REL32), R_PLT32, To::Code, -4, "accept"),
        ("its middle", text(CALL_REL32), R_PLT32, To::Code, -3, target),
        ("data", text(CALL_REL32), R_PLT32, To::Data, -4, target),
        // To a function's unlikely part and back.
        ("a jump to the middle", text(JMP_REL32), R_PC32, To::Code, -3, "accept"),
        ("a conditional one", text(JE_REL32), R_PC32, To::Code, -3, "accept"),
        ("a jump to data", text(JMP_REL32), R_PC32, To::Data, -4, target),
        ("a conditional one", text(JE_REL32), R_PC32, To::Data, -4, target),
        ("an operand in data", text(LEA_RIP), R_PC32, To::Data, -4, "accept"),
        ("a call from data", DATA, R_PLT32, To::Code, 0, "accept"),
        ("to the middle", DATA, R_PLT32, To::Code, -4, target),
    ]);
}

#[test]
fn addresses_in_code_are_near_what_they_are_for() {
    let far = 16 * MIB;
    points(&[
        ("its end", text(MOV_IMM32), R_32S, To::Data, 64 + 256, "accept"),
        ("a byte beyond", text(MOV_IMM32), R_32S, To::Data, 64 + 257, OUTSIDE),
        ("its beginning", text(MOV_IMM32), R_32S, To::Data, 0, "accept"),
        ("a byte before", text(MOV_IMM32), R_32S, To::Data, -1, OUTSIDE),
        ("of 4 GiB", text(MOV_IMM32), R_32S, To::Data, 1 << 32, OVERFLOW),
        ("of a byte less", text(MOV_IMM32), R_32S, To::Data, (1 << 32) - 1, OUTSIDE),
        // An index may begin anywhere.
        ("of an index", text(MOV_INDEX), R_32S, To::Data, 64 + far - 1, "accept"),
        ("too far", text(MOV_INDEX), R_32S, To::Data, 64 + far, OUTSIDE),
        ("of an index from before", text(MOV_INDEX), R_32S, To::Data, -64 - far + 1, "accept"),
        ("too far", text(MOV_INDEX), R_32S, To::Data, -64 - far, OUTSIDE),
        ("64 bits", text(MOVABS), R_64, To::Data, 64 + far - 1, "accept"),
        ("too far", text(MOVABS), R_64, To::Data, 64 + far, OUTSIDE),
        ("32 bits", text(MOV_IMM32), R_32, To::Data, 0, OVERFLOW),
        ("32 bits, of each processor's", text(MOV_IMM32), R_32, To::PerCpu, 0, "accept"),
        ("8 KiB behind", text(LEA_RIP), R_PC32, To::Data, 64 + 8 * KIB - 4, "accept"),
        ("a byte more", text(LEA_RIP), R_PC32, To::Data, 64 + 8 * KIB - 3, OUTSIDE),
        ("8 KiB before", text(LEA_RIP), R_PC32, To::Data, -8 * KIB - 4, "accept"),
        ("a byte less", text(LEA_RIP), R_PC32, To::Data, -8 * KIB - 5, OUTSIDE),
    ]);
}

#[test]
fn pointers_to_code_in_data_are_to_functions() {
    points(&[
        ("a function", DATA, R_64, To::Code, 0, "accept"),
        ("its middle", DATA, R_64, To::Code, 1, "danger code-pointer"),
        ("its middle from another section of data", (".data.rel.ro", &[]), R_64, To::Code, 1, "danger code-pointer"),
        // A table of jumps.
        ("its middle from constants", RODATA, R_64, To::Code, 1, "accept"),
        ("its middle, relative", DATA, R_PC32, To::Code, 1, "accept"),
        ("the middle of data", DATA, R_64, To::Data, 1, "accept"),
        ("its middle from code", text(MOVABS), R_64, To::Code, 1, "accept"),
    ]);
}

#[test]
fn pointers_are_aligned_where_nothing_is_packed() {
    points(&[
        ("at 8", (".data", &[0; 8]), R_64, To::Data, 0, "accept"),
        ("at 4", (".data", &[0; 4]), R_64, To::Data, 0, "danger pointer-alignment"),
        ("at 4 of constants", (".rodata", &[0; 4]), R_64, To::Data, 0, "accept"),
        ("at 4, relative", (".data", &[0; 4]), R_PC32, To::Data, 0, "accept"),
        ("at 4, of the kernel's", (".data", &[0; 4]), R_64, To::Kernel, 0, "danger pointer-alignment"),
    ]);
}

#[test]
fn relocations_fit_their_instructions() {
    let not = "danger instruction";
    let mut rows = vec![
        ("a call", text(CALL_REL32), R_PLT32, To::Kernel, -4, "accept"),
        ("a tail call", text(JMP_REL32), R_PLT32, To::Kernel, -4, "accept"),
        ("no call", text(NOP), R_PLT32, To::Kernel, -4, not),
        ("an operand", text(LEA_RIP), R_PLT32, To::Kernel, -4, not),
        ("nothing before", text(&[]), R_PLT32, To::Kernel, -4, not),
        ("relative", text(LEA_RIP), R_PC32, To::Kernel, -4, "accept"),
        ("relative call", text(CALL_REL32), R_PC32, To::Kernel, -4, "accept"),
        ("no operand", text(NOP), R_PC32, To::Kernel, -4, not),
        ("nothing before", text(&[]), R_PC32, To::Kernel, -4, not),
        ("64 bits", text(MOVABS), R_64, To::Kernel, 0, "accept"),
        ("of no movabs", text(NOP), R_64, To::Kernel, 0, not),
        ("signed, any", text(NOP), R_32S, To::Kernel, 0, "accept"),
    ];
    // Conditional jumps, and registers as operands.
    for (before, verdict) in [
        (&[0x0f, 0x7f][..], not),
        (&[0x0f, 0x80], "accept"),
        (&[0x0f, 0x8f], "accept"),
        (&[0x0f, 0x90], not),
        (&[0x90, 0x80], not),
        // ModRM: 00 xxx 101
        (&[0x05], "accept"),
        (&[0x3d], "accept"),
        (&[0x04], not),
        (&[0x45], not),
        (&[0x85], not),
    ] {
        rows.push(("before it", text(before), R_PC32, To::Kernel, -4, verdict));
    }
    for (before, verdict) in [(&[0xb7][..], not), (&[0xb8], "accept"), (&[0xbf], "accept"), (&[0xc0], not)] {
        rows.push(("before 64 bits", text(before), R_64, To::Kernel, 0, verdict));
    }
    points(&rows);
}

#[test]
fn only_moves_into_registers_are_held_to_the_end() {
    for (before, verdict) in [
        (&[0x48, 0xc7, 0xc0][..], OUTSIDE),
        (&[0x49, 0xc7, 0xc7], OUTSIDE),
        (&[0x4a, 0xc7, 0xc0], "accept"),
        (&[0x48, 0xc6, 0xc0], "accept"),
        // To memory
        (&[0x48, 0xc7, 0x07], "accept"),
        (&[0x48, 0xc7, 0xc8], "accept"),
    ] {
        points(&[(&format!("{before:x?}"), text(before), R_32S, To::Data, 1 << 20, verdict)]);
    }
}
