//! Version magic, symbol versions, and what the force flags of finit_module ignore.

use modfile::edit;

use crate::{
    behaviour::{COMPRESSED_FILE_IS_KNOWN, PRINTK_IS},
    check::{Check, Stop},
    errno::Errno,
    guest::{Guest, same},
    scenario,
    scenario::{
        Literature::{Framework, Kernel},
        Scenario,
    },
};

/// Flags of finit_module (include/uapi/linux/module.h).
const IGNORE_MODVERSIONS: u32 = 1;
const IGNORE_VERMAGIC: u32 = 2;
const COMPRESSED_FILE: u32 = 4;

pub(super) const ALL: &[Scenario] = &[
    scenario!(changed_flag_word_is_enoexec)
        .modules(&["hello"])
        .claim(Framework, "a module built for another kind of kernel is refused by its vermagic"),
    scenario!(release_counts_without_checksums).modules(&["hello"]).claim(
        Framework,
        "a module of another release is refused, unless the checksums of its symbols say that it fits",
    ),
    scenario!(without_vermagic_it_is_forced)
        .modules(&["hello"])
        .claim(Framework, "a module without version magic loads only under MODULE_FORCE_LOAD, and taints the kernel"),
    scenario!(flags_ignore_what_they_name)
        .modules(&["hello"])
        .claim(Framework, "insmod --force loads a module whose version magic differs, and taints the kernel")
        .note("by a flag of finit_module; before 3.8 the tool cut the version magic out of the file"),
    scenario!(unknown_flags_are_einval)
        .modules(&["hello"])
        .claim(Kernel, "finit_module refuses flags that it does not know"),
    scenario!(changed_checksum_is_einval)
        .modules(&["hello"])
        .claim(Framework, "modversions: a symbol whose checksum differs refuses the module"),
    scenario!(changed_layout_is_enoexec)
        .modules(&["hello"])
        .claim(Framework, "modversions: module_layout stands for struct module itself, and is checked first"),
    scenario!(without_checksums_it_is_tainted).modules(&["hello"]).claim(
        Framework,
        "modversions: a module built without checksums loads only under MODULE_FORCE_LOAD, and taints the kernel",
    ),
    scenario!(missing_checksum_is_einval)
        .modules(&["hello"])
        .claim(Framework, "modversions: a symbol that is not in __versions refuses the module"),
    scenario!(force_taints_what_did_not_need_it)
        .modules(&["hello"])
        .claim(Kernel, "a module that is loaded by force taints the kernel, also when nothing had to be ignored")
        .note("IGNORE_MODVERSIONS does not where symbols have no checksums: there is nothing to ignore"),
    scenario!(refused_force_taints)
        .modules(&["hello"])
        .claim(Kernel, "a load by force that is refused taints the kernel all the same")
        .note("when checksums were to be ignored, and the version magic then differs"),
];

/// A copy of hello with a flag word of its version magic changed.
pub(super) fn other_flag_word(guest: &mut Guest) -> Check<String> {
    guest.edited("hello", |bytes| edit::replace_in_modinfo(bytes, "vermagic", " SMP ", " SMQ "))
}

fn changed_flag_word_is_enoexec(guest: &mut Guest) -> Check {
    let file = other_flag_word(guest)?;
    guest.load_file(&file, "", 0)?.fails_with(Errno::ENOEXEC)?;
    guest.logged("hello: version magic '")?;
    guest.is_absent("hello")
}

/// With CONFIG_MODVERSIONS the first word is left out of the comparison (kernel/module/version.c, `same_magic`).
fn release_counts_without_checksums(guest: &mut Guest) -> Check {
    let first = guest.release().chars().next().unwrap_or('6');
    let (from, to) = (format!("{first}."), "4.");
    let file = guest.edited("hello", |bytes| edit::replace_in_modinfo(bytes, "vermagic", &from, to))?;
    let loaded = guest.load_file(&file, "", 0)?;
    if guest.has_modversions("hello")? {
        loaded.succeeds()?;
        return guest.module_taint_is("hello", "OE");
    }
    loaded.fails_with(Errno::ENOEXEC)?;
    guest.logged("hello: version magic '4.")
}

fn without_vermagic_it_is_forced(guest: &mut Guest) -> Check {
    let file = guest.edited("hello", |bytes| edit::hide_modinfo(bytes, "vermagic"))?;
    guest.load_file(&file, "", 0)?.succeeds()?;
    guest.logged("hello: bad vermagic: kernel tainted.")?;
    guest.module_taint_is("hello", "FOE")?;
    same("taint", &guest.taint()?, "FOE")
}

fn flags_ignore_what_they_name(guest: &mut Guest) -> Check {
    let file = other_flag_word(guest)?;
    guest.load_file(&file, "", IGNORE_MODVERSIONS)?.fails_with(Errno::ENOEXEC)?;
    for flags in [IGNORE_VERMAGIC, IGNORE_VERMAGIC | IGNORE_MODVERSIONS] {
        guest.load_file(&file, "", flags)?.succeeds()?;
        guest.module_taint_is("hello", "FOE")?;
        guest.unload("hello")?.succeeds()?;
    }
    Ok(())
}

/// Flag 4 is for compressed files. A kernel that knows it, and is built without, says EOPNOTSUPP.
fn unknown_flags_are_einval(guest: &mut Guest) -> Check {
    let file = guest.path_of("hello");
    for flags in [8, 16, 1 << 31] {
        guest.load_file(&file, "", flags)?.fails_with(Errno::EINVAL)?;
    }
    let unpacks = guest.exists("/sys/module/compression")?;
    let expected = match COMPRESSED_FILE_IS_KNOWN.on(guest.version()) {
        true if !unpacks => Errno::EOPNOTSUPP,
        _ => Errno::EINVAL,
    };
    guest.load_file(&file, "", COMPRESSED_FILE)?.fails_with(expected)
}

/// Leaves the scenario where the kernel checks no symbol versions.
fn needs_modversions(guest: &mut Guest) -> Check {
    match guest.has_modversions("hello")? {
        true => Ok(()),
        false => Err(Stop::Skipped("this kernel is built without CONFIG_MODVERSIONS".into())),
    }
}

/// What modules print with.
fn printk(guest: &Guest) -> &'static str {
    PRINTK_IS.on(guest.version())
}

fn changed_checksum_is_einval(guest: &mut Guest) -> Check {
    needs_modversions(guest)?;
    let symbol = printk(guest);
    let file = guest.edited("hello", |bytes| edit::change_version(bytes, symbol))?;
    for flags in [0, IGNORE_VERMAGIC] {
        guest.load_file(&file, "", flags)?.fails_with(Errno::EINVAL)?;
    }
    guest.logged(&format!("hello: disagrees about version of symbol {symbol}"))?;
    guest.logged(&format!("hello: Unknown symbol {symbol} (err -22)"))?;
    guest.load_file(&file, "", IGNORE_MODVERSIONS)?.succeeds()?;
    guest.module_taint_is("hello", "FOE")
}

fn changed_layout_is_enoexec(guest: &mut Guest) -> Check {
    needs_modversions(guest)?;
    let file = guest.edited("hello", |bytes| edit::change_version(bytes, "module_layout"))?;
    guest.load_file(&file, "", 0)?.fails_with(Errno::ENOEXEC)?;
    guest.logged("hello: disagrees about version of symbol module_layout")?;
    guest.not_logged("Unknown symbol")
}

fn without_checksums_it_is_tainted(guest: &mut Guest) -> Check {
    needs_modversions(guest)?;
    let file = guest.edited("hello", edit::hide_versions)?;
    guest.load_file(&file, "", 0)?.succeeds()?;
    guest.module_taint_is("hello", "FOE")
}

fn missing_checksum_is_einval(guest: &mut Guest) -> Check {
    needs_modversions(guest)?;
    let symbol = printk(guest);
    let file = guest.edited("hello", |bytes| edit::rename_version(bytes, symbol))?;
    guest.load_file(&file, "", 0)?.fails_with(Errno::EINVAL)?;
    guest.logged(&format!("hello: no symbol version for {symbol}"))
}

fn force_taints_what_did_not_need_it(guest: &mut Guest) -> Check {
    let file = guest.path_of("hello");
    let without_checksums = if guest.has_modversions("hello")? { "FOE" } else { "OE" };
    for (flags, taint) in [(0, "OE"), (IGNORE_MODVERSIONS, without_checksums), (IGNORE_VERMAGIC, "FOE")] {
        guest.load_file(&file, "", flags)?.succeeds()?;
        guest.module_taint_is("hello", taint)?;
        guest.unload("hello")?.succeeds()?;
    }
    Ok(())
}

fn refused_force_taints(guest: &mut Guest) -> Check {
    needs_modversions(guest)?;
    let file = other_flag_word(guest)?;
    guest.load_file(&file, "", IGNORE_MODVERSIONS)?.fails_with(Errno::ENOEXEC)?;
    guest.is_absent("hello")?;
    same("taint", &guest.taint()?, "F")
}
