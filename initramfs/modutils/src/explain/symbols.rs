//! Symbols that the kernel could not give, or not in the version that the module wants.

use std::{collections::BTreeSet, fs};

use modfile::symbols;

use super::{Case, Note};

/// Symbols explained one by one; one cause often makes dozens missing.
const SYMBOLS_MAX: usize = 10;

/// Licences with access to all symbols (include/linux/license.h, `license_is_gpl_compatible`).
const GPL_COMPATIBLE: [&str; 6] =
    ["GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"];

pub(super) fn explain(case: &Case<'_>) -> Vec<Note> {
    let mut notes: Vec<Note> = duplicate(case).into_iter().chain(namespace(case)).collect();
    let mut owners = BTreeSet::new();
    let refused: Vec<(&str, &str)> = case.attempt.log.iter().filter_map(|record| refused(record)).collect();
    for (symbol, errno) in refused.iter().take(SYMBOLS_MAX) {
        match *errno {
            "-22" => notes.extend(other_version(case, symbol)),
            "-16" => notes.push(Note::Why(format!("the module that exports {symbol} did not finish its own init"))),
            _ => notes.push(missing(case, symbol, &mut owners)),
        }
    }
    if refused.len() > SYMBOLS_MAX {
        notes.push(Note::Why(format!("and {} more symbols", refused.len() - SYMBOLS_MAX)));
    }
    notes.extend(layout_differs(case));
    if !owners.is_empty() {
        notes.push(load_first(case, owners));
    }
    notes
}

/// Symbol and number of `NAME: Unknown symbol SYMBOL (err NUMBER)`.
fn refused(record: &str) -> Option<(&str, &str)> {
    let (_, rest) = record.split_once(": Unknown symbol ")?;
    rest.strip_suffix(')')?.split_once(" (err ")
}

/// The kernel says the same of a symbol that nobody has and of one that is not for this module.
fn missing(case: &Case<'_>, symbol: &str, owners: &mut BTreeSet<String>) -> Note {
    let exporters = case.attempt.tree.exporters(&format!("symbol:{symbol}"));
    let absent = exporters.iter().find(|owner| case.state().of(owner).is_none());
    if let Some(owner) = absent {
        owners.insert(owner.clone());
        return Note::Why(format!("{symbol} is exported by {owner}, which is not loaded"));
    }
    let owner = exporters.first().map_or("the kernel", String::as_str);
    let is_exported = !exporters.is_empty() || exported_by_kernel(case, symbol);
    let licence = String::from_utf8_lossy(case.modinfo.get("license").unwrap_or(b"unspecified")).into_owned();
    if is_exported && !GPL_COMPATIBLE.contains(&licence.as_str()) {
        return Note::Why(format!(
            "{symbol} is exported by {owner} for GPL modules only, and this module's licence is `{licence}`"
        ));
    }
    if is_exported {
        return Note::Why(format!("{symbol} is exported by {owner}, which did not give it: is it being unloaded?"));
    }
    let directory = case.attempt.tree.directory().display();
    Note::Why(format!("{symbol} is exported neither by this kernel nor by a module in {directory}"))
}

/// Whether the kernel's own list of symbols shows the export.
fn exported_by_kernel(case: &Case<'_>, symbol: &str) -> bool {
    let text = case.kallsyms.get_or_init(|| fs::read_to_string(case.root("proc/kallsyms")).unwrap_or_default());
    let export = format!("__ksymtab_{symbol}");
    text.lines().any(|line| line.split_ascii_whitespace().nth(2) == Some(&export))
}

/// The checksums side by side, as far as they are known.
fn other_version(case: &Case<'_>, symbol: &str) -> Vec<Note> {
    if !case.has_logged(&format!("disagrees about version of symbol {symbol}")) {
        return Vec::new();
    }
    let wanted = case.elf.as_ref().and_then(|elf| {
        symbols::versions(elf).ok()?.filter_map(Result::ok).find(|version| version.name == symbol.as_bytes())
    });
    let wanted = wanted.map_or_else(|| "unknown".into(), |version| format!("0x{:08x}", version.crc));
    let found = checksum(case, symbol).unwrap_or_else(|| "another one".into());
    vec![
        Note::Why(format!(
            "{symbol} has changed: the module was built with checksum {wanted}, this kernel has {found}"
        )),
        Note::Try("build it against the headers of the running kernel (`uname -r`)".into()),
    ]
}

/// A symbol's checksum in the `Module.symvers` of the kernel's headers, where they are installed.
fn checksum(case: &Case<'_>, symbol: &str) -> Option<String> {
    let text = fs::read_to_string(case.attempt.tree.directory().join("build/Module.symvers")).ok()?;
    let line = text.lines().find(|line| line.split('\t').nth(1) == Some(symbol))?;
    line.split('\t').next().map(str::to_owned)
}

/// The one version that is checked before any symbol: that of `struct module` and what it is made of.
fn layout_differs(case: &Case<'_>) -> Option<Note> {
    case.has_logged("disagrees about version of symbol module_layout").then(|| {
        Note::Why("it was built against another configuration or release of the kernel (module_layout differs)".into())
    })
}

fn namespace(case: &Case<'_>) -> Option<Note> {
    let symbol = case.logged("module uses symbol (", ")")?;
    let namespace = case.logged("from namespace ", ",")?;
    Some(Note::Try(format!(
        "{symbol} is in the namespace {namespace}: add MODULE_IMPORT_NS(\"{namespace}\") to the source"
    )))
}

fn duplicate(case: &Case<'_>) -> Option<Note> {
    let symbol = case.logged("exports duplicate symbol ", " (owned by ")?;
    let owner = case.logged(" (owned by ", ")")?;
    Some(Note::Why(format!("it exports {symbol}, which {owner} exports already: the two exclude each other")))
}

fn load_first(case: &Case<'_>, owners: BTreeSet<String>) -> Note {
    let name = &case.name;
    match case.attempt.tree.path(name) {
        Some(_) => Note::Try(format!("`modprobe {name}`, which loads what it needs first")),
        None => {
            let owners: Vec<String> = owners.into_iter().collect();
            Note::Try(format!("`modprobe -a {}` first", owners.join(" ")))
        }
    }
}
