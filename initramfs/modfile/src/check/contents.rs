//! What sections hold, and whether it can be used as their names say.

use alloc::{collections::BTreeSet, vec::Vec};

use super::{
    Run,
    image::{Header, Image, LAYOUT},
    index::Index,
    relocations::{ABS64, LIVEPATCH, Relocations},
    rule,
    sections::SHF_EXECINSTR,
    symbols,
};
use crate::elf::{SHF_WRITE, SHT_NOBITS, SHT_RELA, SHT_STRTAB, SHT_SYMTAB};

pub(super) fn check(run: &mut Run, image: &Image<'_>, index: &Index, relocations: &Relocations) {
    shared(run, image);
    let loaded = image.real_sections().filter(|(_, header)| header.is_alloc()).map(|(at, _)| image.name(at));
    let loaded: BTreeSet<&[u8]> = loaded.collect();
    for (at, header) in image.real_sections().filter(|(_, header)| header.size != 0) {
        let name = image.name(at);
        let (is_code, is_data) = (is_code(name), is_data(name));
        if is_code && !(header.is_alloc() && header.has(SHF_EXECINSTR)) {
            run.section(&rule::NOT_EXECUTABLE, at);
        }
        if is_data && !(header.is_alloc() && header.has(SHF_WRITE)) {
            run.section(&rule::NOT_WRITABLE, at);
        }
        relocations_of(run, image, at, header, &loaded);
        if header.kind == SHT_NOBITS && header.is_alloc() && !name.windows(3).any(|part| part == b"bss") {
            run.section(&rule::NO_BYTES, at);
        }
    }
    if !image.data(index.tables.symtab).len().is_multiple_of(LAYOUT.symbol_size()) {
        run.section(&rule::SECTION_CUT, index.tables.symtab);
    }
    this_module(run, image, index, relocations);
}

/// `.text`, `.init.text`, `.text.unlikely`, `.static_call.text` and so on.
fn is_code(name: &[u8]) -> bool {
    let is_named = name.starts_with(b".text") || name.ends_with(b".text") || name.starts_with(b".altinstr_");
    let is_relocations = name.starts_with(b".rel") || name.starts_with(LIVEPATCH);
    is_named && !is_relocations
}

/// What is written to while the module runs. Of `.init.data` that is not certain: in a module of Rust it is constant.
fn is_data(name: &[u8]) -> bool {
    const WRITTEN: [&[u8]; 7] = [
        b".gnu.linkonce.this_module",
        b"__jump_table",
        b".static_call_sites",
        b"__tracepoints",
        b"_ftrace_events",
        b"__dyndbg",
        b"__bpf_raw_tp_map",
    ];
    let is_named = name.starts_with(b".data") || name.starts_with(b".bss");
    is_named || WRITTEN.contains(&name)
}

/// `.rela.text` is for `.text`, whatever its header says.
fn relocations_of(run: &mut Run, image: &Image<'_>, at: usize, header: &Header, loaded: &BTreeSet<&[u8]>) {
    const ENTRY: u64 = 24;
    let wanted = image.name(at).strip_prefix(b".rela").filter(|wanted| loaded.contains(wanted));
    let Some(wanted) = wanted else { return };
    if header.kind != SHT_RELA || image.name(header.info as usize) != wanted {
        run.section(&rule::RELOCATIONS_LOST, at);
    } else if !header.size.is_multiple_of(ENTRY) {
        run.section(&rule::SECTION_CUT, at);
    }
}

/// More than this is left free for no section's sake.
const MIN_GAP: u64 = 8;

/// Bytes of the file that two sections, or a section and the headers, claim; and those that none does.
fn shared(run: &mut Run, image: &Image<'_>) {
    let len = image.bytes.len() as u64;
    let mut ranges: Vec<_> = image
        .real_sections()
        .map(|(at, header)| (at, header.offset, if header.has_bytes() { header.size } else { 0 }))
        .filter_map(|(at, start, size)| Some((start, start.checked_add(size)?, at)))
        .filter(|(_, end, _)| *end <= len)
        .collect();
    let is_used = |header: &Header| header.is_alloc() || matches!(header.kind, SHT_RELA | SHT_SYMTAB | SHT_STRTAB);
    let table = LAYOUT.long(image.bytes, 40);
    let headers = (image.sections.len() * LAYOUT.section_header_size()) as u64;
    ranges.extend([(0, LAYOUT.header_size() as u64, 0), (table, table + headers, 0)]);
    ranges.sort_unstable();
    let (mut end, mut before) = (0, 0);
    for (start, this_end, at) in ranges {
        // What has no bytes shares none, but a linker puts it where it is aligned: `.bss` may leave room before it.
        let gap = start.saturating_sub(end);
        if start < end && start != this_end {
            // Of the two, the one that is no header.
            run.section(&rule::SHARED_BYTES, if at == 0 { before } else { at });
        } else if gap >= MIN_GAP.max(image.sections[at].align) && is_used(&image.sections[before]) {
            run.section(&rule::SECTION_CUT, before);
        }
        if this_end > end {
            end = this_end;
            before = if image.sections[at].has_bytes() { at } else { before };
        }
    }
}

/// A compiler fills in the name and two functions; all else is the kernel's, and zero.
fn this_module(run: &mut Run, image: &Image<'_>, index: &Index, relocations: &Relocations) {
    let at = index.this_module;
    let contents = image.contents(at);
    let name = 24..24 + 56;
    if contents.iter().enumerate().any(|(byte, value)| *value != 0 && !name.contains(&byte)) {
        run.section(&rule::THIS_MODULE_CONTENTS, at);
    }
    let functions = relocations.of(at);
    let is_function = |offset: u64, wanted: &[u8], known: Option<u64>| {
        known.is_none_or(|known| known == offset)
            && functions.iter().any(|applied| {
                let relocation = &applied.relocation;
                let Some(symbol) = symbols::entry(image, index.tables, relocation.symbol) else { return false };
                let name = image.data(index.tables.strtab).get(symbol.name as usize..).unwrap_or_default();
                let is_code = image.sections.get(usize::from(symbol.section)).is_some_and(|it| it.has(SHF_EXECINSTR));
                relocation.offset == offset
                    && relocation.kind == ABS64
                    && relocation.addend == 0
                    && is_code
                    && name.strip_prefix(wanted).is_some_and(|rest| rest.first() == Some(&0))
            })
    };
    let known = run.kernel.module;
    for applied in functions {
        let offset = applied.relocation.offset;
        let is_known = is_function(offset, b"init_module", known.and_then(|module| module.init))
            || is_function(offset, b"cleanup_module", known.and_then(|module| module.exit));
        if !is_known {
            run.report(&rule::THIS_MODULE_FUNCTION, applied.place, at);
        }
    }
}
