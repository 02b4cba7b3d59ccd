//! What relocations make the module's code and data point to. The loader does not look at it; the module runs into it.
//!
//! None of this is law: it is what compilers do, found to hold for all modules that Debian ships with the five kernels.

use super::{
    Known, Run,
    image::Image,
    relocations::{ABS32, ABS32S, ABS64, Applied, NONE, PC32, PLT32, Relocation},
    rule::{self, Rule},
    sections::SHF_EXECINSTR,
    symbols::{self, Symbol},
};
use crate::elf::{SHN_ABS, SHN_LORESERVE, SHN_UNDEF};

/// How far from a symbol of another module or the kernel something may be: the largest objects there are.
const FAR: u64 = 1 << 20;

/// How far from a section an instruction may begin to count that adds an index: i40e of 6.12 begins 2.5 MB before it, as its
/// indices do not begin at 0.
const FAR_FOR_INDEX: u64 = 16 << 20;

/// How far beyond a section a pointer may be that is moved into a register: loops end so, where the compiler knows how often
/// they run. 32 bytes in Debian's modules.
const PAST_END: i64 = 256;

pub(super) fn check(run: &mut Run, known: &Known<'_>) {
    for (target, header) in known.image.real_sections() {
        let from = From { known, target, is_code: header.has(SHF_EXECINSTR) };
        for applied in known.relocations.of(target) {
            if let Some(rule) = from.fault(applied) {
                run.report(rule, applied.place, applied.order);
            }
        }
    }
}

/// A section whose relocations are looked at.
struct From<'a> {
    known: &'a Known<'a>,
    target: usize,
    is_code: bool,
}

/// Where something points to, relative to its symbol's section, or to the symbol where that is not here.
const fn point(relocation: &Relocation, symbol: &Symbol, is_code: bool) -> i64 {
    let point = symbol.value.wrapping_add(relocation.addend) as i64;
    // An instruction counts from its end: four bytes further on, where nothing follows.
    if is_code && matches!(relocation.kind, PC32 | PLT32) { point.wrapping_add(4) } else { point }
}

impl From<'_> {
    fn fault(&self, applied: &Applied) -> Option<&'static Rule> {
        let relocation = &applied.relocation;
        let symbol = symbols::entry(self.known.image, self.known.index.tables, relocation.symbol)?;
        if relocation.symbol == 0 || (relocation.kind == NONE && !self.is_left_out(relocation)) {
            return Some(&rule::REFERENCE_NONE);
        }
        if relocation.kind == NONE {
            return None;
        }
        let point = point(relocation, &symbol, self.is_code);
        let fault = match symbol.section {
            SHN_UNDEF => self.fault_abroad(relocation, point),
            SHN_ABS => return fault_of_number(relocation.kind, point),
            SHN_LORESERVE.. => return None,
            section => self.fault_at_home(relocation, section, point),
        };
        fault.or_else(|| self.fault_of_place(relocation))
    }

    /// For a symbol of the kernel or another module.
    fn fault_abroad(&self, relocation: &Relocation, point: i64) -> Option<&'static Rule> {
        match relocation.kind {
            // Nothing that may be pointed to lies below 4 GiB.
            ABS32 => Some(&rule::RELOCATION_OVERFLOW),
            ABS32S if point.unsigned_abs() >> 32 != 0 => Some(&rule::RELOCATION_OVERFLOW),
            PLT32 if point != 0 => Some(&rule::CALL_TARGET),
            // The kernel's addresses are computed with, too.
            ABS64 if self.is_code => None,
            _ if !self.is_near(point, FAR) => Some(&rule::REFERENCE_OUTSIDE),
            _ => None,
        }
    }

    /// For a symbol of the module.
    fn fault_at_home(&self, relocation: &Relocation, section: u16, point: i64) -> Option<&'static Rule> {
        let header = self.known.image.sections.get(usize::from(section))?;
        let is_percpu = usize::from(section) == self.known.index.percpu;
        if !is_percpu && !self.known.layout.is_loaded[usize::from(section)] {
            return Some(&rule::REFERENCE_NOT_LOADED);
        }
        if self.is_code && is_init(self.known.image, section.into()) && self.stays() {
            return Some(&rule::REFERENCE_INIT);
        }
        let begins = || self.known.objects.begins_at(section, point as u64);
        let is_to_code = header.has(SHF_EXECINSTR);
        match relocation.kind {
            ABS32 if !is_percpu => Some(&rule::RELOCATION_OVERFLOW),
            ABS32S if point.unsigned_abs() >> 32 != 0 => Some(&rule::RELOCATION_OVERFLOW),
            PLT32 if !is_to_code || !begins() => Some(&rule::CALL_TARGET),
            // To a function's unlikely part and back, so to the middle, too.
            PC32 if !is_to_code && self.before(relocation).is_some_and(is_jump) => Some(&rule::CALL_TARGET),
            ABS32S if self.before(relocation).is_some_and(is_move) => {
                (!(0..=(header.size as i64).saturating_add(PAST_END)).contains(&point))
                    .then_some(&rule::REFERENCE_OUTSIDE)
            }
            // An index may begin anywhere, and is added by the instruction.
            ABS32S => Self::is_too_far(point, header.size).then_some(&rule::REFERENCE_OUTSIDE),
            ABS64 if self.is_code && Self::is_too_far(point, header.size) => Some(&rule::REFERENCE_OUTSIDE),
            ABS64 if self.is_code => None,
            _ if !self.is_near(point, header.size) => Some(&rule::REFERENCE_OUTSIDE),
            // A table of jumps points anywhere; tables of the kernel's are looked at elsewhere.
            ABS64 if is_to_code && self.known.image.name(self.target).starts_with(b".data") && !begins() => {
                Some(&rule::CODE_POINTER)
            }
            _ => None,
        }
    }

    /// Whether not even an index leads from there into a section of this size.
    const fn is_too_far(point: i64, size: u64) -> bool {
        point.unsigned_abs() >= size.saturating_add(FAR_FOR_INDEX)
    }

    /// Whether something points into a section of this size, or not far beyond where it is code: a compiler also leaves
    /// what is never run, such as an element of an array that it does not have.
    fn is_near(&self, point: i64, size: u64) -> bool {
        let slack = if self.is_code { 8 << 10 } else { 0 };
        (-slack..=(size as i64).saturating_add(slack)).contains(&point)
    }

    /// Whether an instruction has been put in the place of the one that had this relocation, as objtool does with calls.
    fn is_left_out(&self, relocation: &Relocation) -> bool {
        self.is_code && self.before(relocation).is_some_and(|before| !is_relative(before))
    }

    /// Whether the code is there once init has returned, and is run by what is. Alternatives lie apart from the code that they
    /// are for.
    fn stays(&self) -> bool {
        !is_init(self.known.image, self.target) && !self.known.image.name(self.target).starts_with(b".altinstr_")
    }

    /// What the section holds before the place that is written.
    fn before(&self, relocation: &Relocation) -> Option<&[u8]> {
        self.known.image.contents(self.target).get(..usize::try_from(relocation.offset).ok()?)
    }

    /// Whether the place that is written may be such a place.
    fn fault_of_place(&self, relocation: &Relocation) -> Option<&'static Rule> {
        if !self.is_code {
            // Among constants there are packed structures.
            let may_be_packed = self.known.image.name(self.target).starts_with(b".rodata");
            let is_split = relocation.kind == ABS64 && !relocation.offset.is_multiple_of(8) && !may_be_packed;
            return is_split.then_some(&rule::POINTER_ALIGNMENT);
        }
        let before = self.before(relocation)?;
        let fits = match relocation.kind {
            PLT32 => is_jump(before),
            PC32 => is_relative(before),
            ABS64 => matches!(before, [.., 0xb8..=0xbf]),
            _ => true,
        };
        (!fits).then_some(&rule::INSTRUCTION)
    }
}

/// For a symbol that is no address, such as a checksum up to 5.18: the value is known.
fn fault_of_number(kind: u32, value: i64) -> Option<&'static Rule> {
    let fits = match kind {
        ABS32 => u32::try_from(value).is_ok(),
        ABS32S => i32::try_from(value).is_ok(),
        _ => true,
    };
    (!fits).then_some(&rule::RELOCATION_OVERFLOW)
}

/// Whether a section is freed once init has returned: the loader goes by the name.
fn is_init(image: &Image<'_>, section: usize) -> bool {
    image.name(section).starts_with(b".init")
}

/// Whether a call or jump begins with the last of these bytes.
const fn is_jump(before: &[u8]) -> bool {
    matches!(before, [.., 0xe8 | 0xe9] | [.., 0x0f, 0x80..=0x8f])
}

/// Whether what follows these bytes is moved into a register of 64 bits.
const fn is_move(before: &[u8]) -> bool {
    matches!(before, [.., 0x48 | 0x49, 0xc7, 0xc0..=0xc7])
}

/// Whether what follows these bytes counts from the instruction's end: a jump, or an operand whose ModRM is 00 xxx 101.
fn is_relative(before: &[u8]) -> bool {
    is_jump(before) || before.last().is_some_and(|operand| operand & 0xc7 == 5)
}
