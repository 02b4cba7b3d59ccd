//! Tables that kernels walk once a module is loaded: every pointer in them has to be there.
//!
//! Found by `find_module_sections()`, `module_finalize()` of x86 and `module_bug_finalize()`; the layouts are those of the
//! structures that they are arrays of. In the file each pointer is zero, and a relocation says what it will be.

use super::{
    Known, Place, Run, Series,
    image::LAYOUT,
    relocations::{ABS64, Applied, PC32, PC64, Relocation},
    rule,
    sections::SHF_EXECINSTR,
    symbols,
};
use crate::elf::{SHN_LORESERVE, SHN_UNDEF};

/// What a pointer of a table may point to, in the module itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum To {
    /// An instruction.
    Code,
    /// An instruction, or the end of all.
    Border,
    Data,
    Any,
}

use To::{Any, Border, Code, Data};

/// A pointer in an entry: where, the type of its relocation, what it points to.
type Pointer = (u64, u32, To);

struct Table {
    name: &'static str,
    /// Bytes of an entry, and the pointers in it, by the series since which it is so.
    layouts: &'static [(Series, u64, &'static [Pointer])],
    /// The series from which on the kernel does not look at it.
    until: Option<Series>,
    /// The kernel takes it also where it is not marked to be loaded.
    is_always_taken: bool,
    /// An entry that is cut off counts as one.
    ends_early: bool,
}

const ALWAYS: Series = Series::new(0, 0);

/// A table that stayed as it is since 5.10, of those that `find_module_sections()` finds.
const fn found(name: &'static str, layouts: &'static [(Series, u64, &'static [Pointer])]) -> Table {
    Table { name, layouts, until: None, is_always_taken: false, ends_early: false }
}

/// A table that is found by its name alone.
const fn taken(name: &'static str, layouts: &'static [(Series, u64, &'static [Pointer])]) -> Table {
    Table { name, layouts, until: None, is_always_taken: true, ends_early: false }
}

/// 32-bit offsets to instructions.
const SITES: &[(Series, u64, &[Pointer])] = &[(ALWAYS, 4, &[(0, PC32, Code)])];
/// 64-bit pointers to data.
const POINTERS: &[(Series, u64, &[Pointer])] = &[(ALWAYS, 8, &[(0, ABS64, Data)])];
const EXPORTS: &[(Series, u64, &[Pointer])] = &[(ALWAYS, 12, &[(0, PC32, Any), (4, PC32, Data), (8, PC32, Data)])];
const ALTERNATIVES: &[Pointer] = &[(0, PC32, Code), (4, PC32, Border)];

const TABLES: &[Table] = &[
    // struct kernel_param; the argument may be none
    found(PARAMETERS, &[(ALWAYS, PARAMETER, &[(0, ABS64, Data), (8, ABS64, Data), (16, ABS64, Any)])]),
    // struct kernel_symbol
    found("__ksymtab", EXPORTS),
    found("__ksymtab_gpl", EXPORTS),
    // struct exception_table_entry
    found("__ex_table", &[(ALWAYS, 12, &[(0, PC32, Border), (4, PC32, Border)])]),
    // struct jump_entry
    found(JUMP_LABELS, &[(ALWAYS, JUMP_LABEL, &[(0, PC32, Border), (4, PC32, Border), (8, PC64, Data)])]),
    // struct static_call_site; the lowest bits of the key are flags
    found(".static_call_sites", &[(ALWAYS, 8, &[(0, PC32, Border), (4, PC32, Data)])]),
    found("__mcount_loc", &[(ALWAYS, 8, &[(0, ABS64, Code)])]),
    found("__tracepoints_ptrs", &[(ALWAYS, 4, &[(0, PC32, Data)])]),
    found("_ftrace_events", POINTERS),
    found("_ftrace_eval_map", POINTERS),
    found("___srcu_struct_ptrs", POINTERS),
    // struct bpf_raw_event_map
    found("__bpf_raw_tp_map", &[(ALWAYS, 32, &[(0, ABS64, Data), (8, ABS64, Code)])]),
    // struct _ddebug
    found("__dyndbg", &[(ALWAYS, 56, &[(0, ABS64, Data), (8, ABS64, Data), (16, ABS64, Data), (24, ABS64, Data)])]),
    // struct bug_entry
    taken(
        "__bug_table",
        &[
            (ALWAYS, 12, &[(0, PC32, Border), (4, PC32, Data)]),
            (Series::new(7, 0), 16, &[(0, PC32, Border), (4, PC32, Data), (8, PC32, Data)]),
        ],
    ),
    // struct alt_instr; the processor's feature has 32 bits since 5d1dd961e743
    taken(ALTINSTRUCTIONS, &[(ALWAYS, 12, ALTERNATIVES), (Series::new(6, 3), 14, ALTERNATIVES)]),
    // struct paravirt_patch_site; the last one lacks what fills up the others
    Table {
        name: ".parainstructions",
        layouts: &[(ALWAYS, 16, &[(0, ABS64, Code)])],
        until: Some(Series::new(6, 8)),
        is_always_taken: true,
        ends_early: true,
    },
    taken(".retpoline_sites", SITES),
    taken(".return_sites", SITES),
    taken(".call_sites", SITES),
    taken(".cfi_sites", SITES),
    taken(".ibt_endbr_seal", SITES),
    Table {
        name: ".smp_locks",
        layouts: SITES,
        until: Some(Series::new(7, 3)),
        is_always_taken: true,
        ends_early: false,
    },
    taken(".orc_unwind_ip", &[(ALWAYS, 4, &[(0, PC32, Border)])]),
];

/// How many features and bugs of processors there are: `(NCAPINTS + NBUGINTS) * 32`, one word more in 5.10.
const FEATURES: u16 = 24 * 32;

const PARAMETERS: &str = "__param";
/// Bytes of a `struct kernel_param`.
const PARAMETER: u64 = 40;
const ARRAY_OPERATIONS: &[u8] = b"param_array_ops\0";
const JUMP_LABELS: &str = "__jump_table";
/// Bytes of a `struct jump_entry`.
const JUMP_LABEL: u64 = 16;
const ALTINSTRUCTIONS: &str = ".altinstructions";

pub(super) fn check(run: &mut Run, known: &Known<'_>) {
    let image = known.image;
    for (at, header) in image.real_sections().filter(|(_, header)| header.size != 0) {
        let name = image.name(at);
        let is_walked = |table: &&Table| table.until.is_none_or(|until| run.kernel.series < until);
        let table = TABLES.iter().find(|table| table.name.as_bytes() == name).filter(is_walked);
        let Some(table) = table else { continue };
        if header.is_alloc() {
            known.table(run, table, at);
        } else if table.is_always_taken {
            run.section(&rule::TABLE_NOT_LOADED, at);
        }
    }
    known.unwinding(run);
    known.exports(run);
}

impl Known<'_> {
    fn table(&self, run: &mut Run, table: &Table, at: usize) {
        let layout = table.layouts.iter().rev().find(|(since, ..)| *since <= run.kernel.series);
        let Some((_, size, pointers)) = layout else { return };
        let bytes = self.image.sections[at].size;
        if !bytes.is_multiple_of(*size) && !table.ends_early {
            run.section(&rule::TABLE_SIZE, at);
        }
        // A table without contents in the file may claim to be of any size; its first entry tells enough.
        let count = if self.image.contents(at).is_empty() { 1 } else { bytes.div_ceil(*size) };
        let mut applied = self.relocations.of(at).iter().peekable();
        for entry in 0..count {
            for (offset, kind, to) in *pointers {
                let wanted = entry * size + offset;
                if wanted >= bytes {
                    break;
                }
                while applied.next_if(|applied| applied.relocation.offset < wanted).is_some() {}
                let found = applied.peek().filter(|applied| applied.relocation.offset == wanted);
                let place = Place::Entry { section: at as u16, index: entry as u32 };
                match found {
                    Some(applied) if applied.relocation.kind == *kind => {
                        if !self.points_to(*to, &applied.relocation) {
                            run.report(&rule::TABLE_TARGET, place, at);
                        }
                    }
                    _ => run.report(&rule::TABLE_POINTER, place, at),
                }
            }
        }
        if table.name == PARAMETERS {
            self.arguments(run, at, count);
        }
        if table.name == JUMP_LABELS {
            self.jump_labels(run, at, count);
        }
        if table.name == ALTINSTRUCTIONS {
            self.alternatives(run, at, *size);
        }
    }

    /// A parameter needs operations, and of one of the kernel's types a variable to set; an array says which type its
    /// elements have.
    fn arguments(&self, run: &mut Run, at: usize, count: u64) {
        for entry in 0..count {
            let [operations, argument] = [16, 32].map(|offset| self.relocations.at(at, entry * PARAMETER + offset));
            let Some(operations) = operations else { continue };
            let is_sound = self.are_operations(operations)
                && match (self.foreign_name(operations), argument) {
                    (None, _) => true,
                    (Some(name), Some(applied)) if name.starts_with(ARRAY_OPERATIONS) => self.is_array(applied),
                    (Some(_), Some(applied)) => {
                        applied.relocation.kind == ABS64 && self.points_to(Data, &applied.relocation)
                    }
                    (Some(_), None) => false,
                };
            if !is_sound {
                run.report(&rule::TABLE_POINTER, Place::Entry { section: at as u16, index: entry as u32 }, at);
            }
        }
    }

    /// Whether a pointer leads to a `struct kparam_array`: how many elements of which size there may be, where to count them,
    /// operations of an element, and memory for that many. `param_array_free()` follows all of it.
    fn is_array(&self, applied: &Applied) -> bool {
        self.variable(applied).is_some_and(|(section, place)| {
            let [count, operations, elements] =
                [8, 16, 24].map(|offset| self.relocations.at(section, place.wrapping_add(offset)));
            let is_whole = |applied: &Applied| applied.relocation.kind == ABS64;
            let bytes = self.image.contents(section).get(place as usize..).unwrap_or_default();
            let room = u64::from(LAYOUT.word(bytes, 0)) * u64::from(LAYOUT.word(bytes, 4));
            count.is_none_or(|applied| is_whole(applied) && self.has_room(applied, 4))
                && operations.is_some_and(|applied| is_whole(applied) && self.are_operations(applied))
                && elements.is_some_and(|applied| is_whole(applied) && self.has_room(applied, room))
        })
    }

    /// Whether so many bytes of data are where a pointer leads to; true where that is not in this module.
    fn has_room(&self, applied: &Applied, bytes: u64) -> bool {
        let Some((section, place)) = self.place(applied) else { return true };
        let Some(header) = self.image.sections.get(usize::from(section)) else { return true };
        let is_inside = place.checked_add(bytes).is_some_and(|end| end <= header.size);
        section == SHN_UNDEF || (!header.has(SHF_EXECINSTR) && is_inside)
    }

    /// Where a pointer leads: its symbol's section, and the place in that.
    fn place(&self, applied: &Applied) -> Option<(u16, u64)> {
        let relocation = &applied.relocation;
        let symbol = symbols::entry(self.image, self.index.tables, relocation.symbol)?;
        Some((symbol.section, symbol.value.wrapping_add(relocation.addend)))
    }

    /// Whether a pointer leads to a `struct kernel_param_ops`: one of the kernel's, by its name, or one of the module's. That
    /// is flags, then the functions `set`, `get` and `free`, of which there is at least one; `module_destroy_params()` calls
    /// the last if it is not null.
    fn are_operations(&self, applied: &Applied) -> bool {
        if let Some(name) = self.foreign_name(applied) {
            let is_named = name.starts_with(b"param_ops_") || name.starts_with(ARRAY_OPERATIONS);
            return is_named && applied.relocation.addend == 0;
        }
        let Some((section, place)) = self.place(applied) else { return true };
        let section = usize::from(section);
        let Some(header) = self.image.sections.get(section) else { return true };
        let is_inside = place.checked_add(32).is_some_and(|end| end <= header.size);
        let functions = [8, 16, 24].map(|offset| place.wrapping_add(offset));
        // What no relocation writes has to be null.
        let is_null =
            |at: u64| self.image.contents(section).get(at as usize..).is_none_or(|it| it.starts_with(&[0; 8]));
        is_inside
            && functions.iter().any(|at| self.relocations.at(section, *at).is_some())
            && functions.iter().all(|at| match self.relocations.at(section, *at) {
                Some(applied) => applied.relocation.kind == ABS64,
                None => is_null(*at),
            })
    }

    /// Where a static branch may be, there is a jump or a NOP of a jump's length: the kernel looks before it writes another
    /// one there, and 5.10 does so while it loads the module.
    fn jump_labels(&self, run: &mut Run, at: usize, count: u64) {
        const SITES: [&[u8]; 4] = [&[0x0f, 0x1f, 0x44, 0, 0], &[0x66, 0x90], &[0xe9], &[0xeb]];
        for entry in 0..count {
            let code = self.relocations.at(at, entry * JUMP_LABEL).and_then(|applied| {
                let (section, place) = self.place(applied)?;
                self.image.contents(section.into()).get(usize::try_from(place).ok()?..)
            });
            if code.is_some_and(|code| !SITES.iter().any(|site| code.starts_with(site))) {
                run.report(&rule::JUMP_LABEL, Place::Entry { section: at as u16, index: entry as u32 }, at);
            }
        }
    }

    /// The name of the kernel's symbol that a pointer leads to, and what follows it; None for the module's own.
    fn foreign_name(&self, applied: &Applied) -> Option<&[u8]> {
        let symbol = symbols::entry(self.image, self.index.tables, applied.relocation.symbol)?;
        let names = self.image.data(self.index.tables.strtab);
        (symbol.section == SHN_UNDEF).then(|| names.get(symbol.name as usize..).unwrap_or_default())
    }

    /// The section and place of the module's variable that begins where a pointer leads to.
    fn variable(&self, applied: &Applied) -> Option<(usize, u64)> {
        let (section, place) = self.place(applied)?;
        let is_known = applied.relocation.kind == ABS64 && self.objects.begins_at(section, place);
        is_known.then_some((section.into(), place))
    }

    /// Whether a pointer leads to what it is to, and to some byte of it where that is code.
    fn points_to(&self, to: To, relocation: &Relocation) -> bool {
        let Some(symbol) = symbols::entry(self.image, self.index.tables, relocation.symbol) else { return true };
        match symbol.section {
            SHN_UNDEF => matches!(to, Data | Any),
            SHN_LORESERVE.. => to == Any,
            section => {
                let Some(header) = self.image.sections.get(usize::from(section)) else { return true };
                let is_inside = symbol.value.wrapping_add(relocation.addend) < header.size;
                let is_code = header.has(SHF_EXECINSTR);
                match to {
                    Any => true,
                    Data => !is_code,
                    Border => is_code,
                    Code => is_code && is_inside,
                }
            }
        }
    }

    /// `apply_alternatives()`: the last bytes of an entry are the lengths of the original and of its replacement.
    fn alternatives(&self, run: &mut Run, at: usize, size: u64) {
        for (entry, record) in self.image.contents(at).chunks_exact(size as usize).enumerate() {
            let [_, _, _, _, _, _, _, _, low, high, .., length, replacement] = record else { continue };
            let start = entry as u64 * size;
            let fits = self.reaches(at, start, *length) && self.reaches(at, start + 4, *replacement);
            // Up to 6.2 the upper bit says that the feature must not be there.
            let feature = u16::from_le_bytes([*low, *high]) & if size == 12 { 0x7fff } else { 0xffff };
            if feature >= FEATURES || !fits || replacement > length {
                run.report(&rule::ALTERNATIVE, Place::Entry { section: at as u16, index: entry as u32 }, at);
            }
        }
    }

    /// Whether so many bytes lie where an offset of a table points to; true where it points to nowhere.
    fn reaches(&self, table: usize, offset: u64, length: u8) -> bool {
        let target = self.relocations.at(table, offset).and_then(|applied| {
            let (section, place) = self.place(applied)?;
            Some((self.image.sections.get(usize::from(section))?, place))
        });
        let Some((section, place)) = target else { return true };
        place.checked_add(length.into()).is_some_and(|end| end <= section.size)
    }

    /// `unwind_module_init()` wants as many places as descriptions, and each table whole.
    fn unwinding(&self, run: &mut Run) {
        const PLACE: u64 = 4;
        const DESCRIPTION: u64 = 6;
        let last = |name| self.image.named(name).last();
        let (Some(places), Some(descriptions)) = (last(".orc_unwind_ip"), last(".orc_unwind")) else { return };
        let [place_bytes, bytes] = [places, descriptions].map(|at| self.image.sections[at].size);
        let is_whole = bytes.is_multiple_of(DESCRIPTION) && bytes / DESCRIPTION == place_bytes / PLACE;
        if !is_whole {
            run.section(&rule::TABLE_LENGTHS, descriptions);
        } else if !self.layout.is_loaded[descriptions] && bytes != 0 {
            run.section(&rule::TABLE_NOT_LOADED, descriptions);
        }
    }

    /// Checksums and flags are in tables beside the symbols'; nobody compares how long they are.
    fn exports(&self, run: &mut Run) {
        const SYMBOL: u64 = 12;
        let count = |name| self.image.allocated(name).map_or(0, |at| self.image.sections[at].size / SYMBOL);
        for (symbols, beside, size) in
            [("__ksymtab", "__kcrctab", 4), ("__ksymtab_gpl", "__kcrctab_gpl", 4), ("__ksymtab", "__kflagstab", 1)]
        {
            let (count, table) = (count(symbols), self.image.allocated(beside));
            match table {
                Some(at) if self.image.sections[at].size < count * size => {
                    run.section(&rule::TABLE_LENGTHS, at);
                }
                None if count != 0 && size == 1 => run.report(&rule::EXPORT_FLAGS, Place::File, 0),
                _ => {}
            }
        }
    }
}
