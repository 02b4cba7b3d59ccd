//! Which sections the loader takes for what: `setup_load_info()` up to 6.3, later `elf_validity_cache_index_*()`.

use super::{Place, Run, image::Image, rule, section, series::THIS_MODULE, symbols};
use crate::elf::{SHT_NOBITS, SHT_STRTAB, SHT_SYMTAB};

/// The sections that every module needs, and those that are treated apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Index {
    pub(super) tables: Tables,
    pub(super) this_module: usize,
    /// `.data..percpu`, which is copied for each processor; 0 for none.
    pub(super) percpu: usize,
    /// `.modinfo`, 0 for none.
    pub(super) modinfo: usize,
    /// `__versions`, 0 for none.
    pub(super) versions: usize,
}

/// The symbol table and the section with its names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tables {
    pub(super) symtab: usize,
    pub(super) strtab: usize,
}

/// Of what must be there once, the loader counts how many there are before it looks at any.
const COUNTED: usize = 0;

/// None where the loader would not go on for want of one.
pub(super) fn find(run: &mut Run, image: &Image<'_>) -> Option<Index> {
    let modinfo = modinfo(run, image);
    let tables = symtab(run, image).and_then(|symtab| Some(Tables { symtab, strtab: strtab(run, image, symtab)? }));
    let this_module = this_module(run, image, tables);
    versions(run, image);
    Some(Index {
        tables: tables?,
        this_module: this_module?,
        percpu: image.allocated(".data..percpu").unwrap_or(0),
        modinfo,
        versions: image.allocated("__versions").unwrap_or(0),
    })
}

fn modinfo(run: &mut Run, image: &Image<'_>) -> usize {
    for second in image.named(".modinfo").skip(1) {
        run.report(&rule::TWO_MODINFO, section(second), COUNTED);
    }
    let first = if run.since(6, 4) { image.named(".modinfo").next() } else { image.allocated(".modinfo") };
    let Some(index) = first else { return 0 };
    match image.data(index).last() {
        _ if image.sections[index].kind == SHT_NOBITS => run.section(&rule::MODINFO_OUTSIDE, index),
        None => run.section(&rule::MODINFO_OUTSIDE, index),
        Some(0) => {}
        Some(_) => run.section(&rule::MODINFO_END, index),
    }
    index
}

fn symtab(run: &mut Run, image: &Image<'_>) -> Option<usize> {
    let mut tables = image.real_sections().filter(|(_, header)| header.kind == SHT_SYMTAB).map(|(index, _)| index);
    let Some(first) = tables.next() else {
        run.report(&rule::NO_SYMTAB, Place::File, 0);
        return None;
    };
    tables.for_each(|second| run.section(&rule::TWO_SYMTABS, second));
    Some(first)
}

fn strtab(run: &mut Run, image: &Image<'_>, symtab: usize) -> Option<usize> {
    let index = image.sections[symtab].link as usize;
    let Some(header) = image.sections.get(index).filter(|_| index != 0) else {
        run.section(&rule::STRTAB_INDEX, symtab);
        return None;
    };
    if header.kind != SHT_STRTAB {
        run.section(&rule::STRTAB_TYPE, index);
    }
    if !header.has_bytes() {
        run.section(&rule::STRTAB_BYTES, index);
    }
    let names = image.data(index);
    if names.is_empty() {
        run.section(&rule::STRTAB_EMPTY, index);
    } else if names.first() != Some(&0) {
        run.section(&rule::STRTAB_BEGIN, index);
    }
    if names.last().is_some_and(|last| *last != 0) {
        run.section(&rule::STRTAB_END, index);
    }
    Some(index)
}

fn this_module(run: &mut Run, image: &Image<'_>, tables: Option<Tables>) -> Option<usize> {
    for second in image.named(THIS_MODULE).skip(1) {
        run.report(&rule::TWO_THIS_MODULE, section(second), COUNTED);
    }
    let first = if run.since(6, 4) { image.named(THIS_MODULE).next() } else { image.allocated(THIS_MODULE) };
    let Some(index) = first else {
        run.report(&rule::NO_THIS_MODULE, Place::File, 0);
        return None;
    };
    let header = image.sections[index];
    if header.kind == SHT_NOBITS {
        run.section(&rule::THIS_MODULE_BYTES, index);
    }
    if !header.is_alloc() {
        run.section(&rule::THIS_MODULE_ALLOC, index);
    }
    // Where nobody says how large the kernel's is, the symbol of it does.
    let known = run.kernel.module.map(|module| module.size);
    let wanted = known.or_else(|| object_size(image, tables?, index)).unwrap_or(header.size);
    if header.size < wanted {
        run.section(&rule::THIS_MODULE_SMALL, index);
    } else if header.size > wanted {
        run.section(&rule::THIS_MODULE_LARGE, index);
    }
    module_name(run, image.data(index), index);
    Some(index)
}

/// `char name[MODULE_NAME_LEN]` follows the state and a list.
fn module_name(run: &mut Run, module: &[u8], index: usize) {
    let Some(name) = module.get(24..24 + 56) else { return run.section(&rule::THIS_MODULE_SMALL, index) };
    if name[0] == 0 {
        run.report(&rule::THIS_MODULE_NAME_EMPTY, section(index), 0);
    } else if !name.contains(&0) {
        run.section(&rule::THIS_MODULE_NAME_END, index);
    }
}

/// The size of the `struct module` that a file was compiled with.
fn object_size(image: &Image<'_>, tables: Tables, section: usize) -> Option<u64> {
    let names = image.data(tables.strtab);
    let mut symbols = symbols::entries(image, tables).filter(|symbol| usize::from(symbol.section) == section);
    let is_it = |symbol: &symbols::Symbol| {
        names.get(symbol.name as usize..).is_some_and(|name| name.starts_with(b"__this_module\0"))
    };
    symbols.find(is_it).map(|symbol| symbol.size).filter(|size| *size != 0)
}

/// `elf_validity_cache_index_versions()`: a name for each checksum.
fn versions(run: &mut Run, image: &Image<'_>) {
    let [checksums, names] = ["__version_ext_crcs", "__version_ext_names"].map(|name| image.allocated(name));
    match (checksums, names) {
        (Some(checksums), Some(names)) => {
            let count = image.sections[checksums].size / 4;
            let ends = image.data(names).iter().filter(|byte| **byte == 0).count() as u64;
            if ends < count {
                run.section(&rule::VERSIONS_NAMES, names);
            }
        }
        (None, None) => {}
        (one, other) => run.section(&rule::VERSIONS_PAIR, one.or(other).unwrap_or(0)),
    }
}
