//! What can be seen of a module: in its file, and in /proc and /sys while it is loaded.

use modfile::{edit, elf::Elf};

use crate::{
    behaviour::{GPL_EXPORTS_STAND_IN, LAST_UNLOADED},
    check::{Check, Stop},
    errno::Errno,
    guest::{Guest, same},
    scenario,
    scenario::{
        Literature::{Busybox, Framework, Kmod},
        Scenario,
    },
};

pub(super) const ALL: &[Scenario] = &[
    scenario!(modinfo_prints_what_the_file_says)
        .modules(&["hello"])
        .claim(Busybox, "modinfo prints the strings of the section .modinfo"),
    scenario!(modinfo_lists_aliases_and_parameters)
        .modules(&["aliased", "params"])
        .claim(Framework, "MODULE_ALIAS and MODULE_PARM_DESC leave strings in .modinfo, which tools read"),
    scenario!(vermagic_names_release_and_flags)
        .modules(&["hello"])
        .claim(Framework, "version magic is the release, then words for SMP, preemption, unloading and modversions"),
    scenario!(depends_names_the_modules_used)
        .modules(&["dep_base", "dep_mid", "dep_top"])
        .claim(Framework, "the field depends of .modinfo names the modules whose symbols are used"),
    scenario!(exports_stand_in_sections)
        .modules(&["exporter"])
        .claim(Framework, "EXPORT_SYMBOL fills the section __ksymtab, EXPORT_SYMBOL_GPL the section __ksymtab_gpl")
        .until_fact(GPL_EXPORTS_STAND_IN.turn(), "both fill __ksymtab; a flag in __kflagstab tells them apart"),
    scenario!(undefined_symbols_have_checksums)
        .modules(&["dep_base", "dep_mid", "dep_top"])
        .claim(Framework, "modversions: the section __versions has a checksum for each symbol that a module needs"),
    scenario!(names_take_dashes_for_underscores)
        .modules(&["dep_base", "dep_mid", "dep_top"])
        .claim(Busybox, "modprobe takes dashes and underscores in a module's name for the same"),
    scenario!(symbols_lead_to_their_module)
        .modules(&["exporter"])
        .claim(Framework, "depmod writes modules.symbols, so that modprobe finds a symbol's module by symbol:NAME"),
    scenario!(sections_are_files)
        .modules(&["hello"])
        .claim(Framework, "each section that a module occupies memory with has a file with its address in sysfs"),
    scenario!(builtin_name_is_taken)
        .modules(&["hello"])
        .claim(Framework, "a module cannot have the name of a built-in one that is in /sys/module"),
    scenario!(last_unloaded_module_is_named).modules(&["hello", "warns"]).claim(
        Framework,
        "a trace of the kernel lists the modules that are linked in, and names the last unloaded one",
    ),
    scenario!(quiet_modprobe_says_nothing)
        .claim(Kmod, "modprobe -q does not tell of a module that is not there; its exit code does"),
    scenario!(dry_run_changes_nothing)
        .modules(&["dep_base", "dep_mid", "dep_top"])
        .claim(Kmod, "modprobe -n does everything but loading"),
];

/// What modinfo prints for one field.
fn field(guest: &mut Guest, name: &str, module: &str) -> Check<String> {
    let ran = guest.run("modinfo", &["-F", name, module])?;
    ran.succeeds()?;
    Ok(ran.stdout().trim_end().to_owned())
}

fn modinfo_prints_what_the_file_says(guest: &mut Guest) -> Check {
    let file = guest.path_of("hello");
    let ran = guest.run("modinfo", &[&file])?;
    ran.succeeds()?;
    same("first line", ran.stdout().lines().next().unwrap_or_default(), &format!("filename:       {file}"))?;
    for line in ["license:        GPL", "description:    Loads, says so, and leaves", "name:           hello"] {
        if !ran.stdout().lines().any(|printed| printed == line) {
            return Err(Stop::failed(format!("modinfo should print `{line}`; it prints:\n{}", ran.stdout())));
        }
    }
    guest.is_absent("hello")
}

fn modinfo_lists_aliases_and_parameters(guest: &mut Guest) -> Check {
    let aliases = field(guest, "alias", "aliased")?;
    if !aliases.lines().any(|alias| alias.starts_with("modrig-alias-")) {
        return Err(Stop::failed(format!("modinfo should list an alias modrig-alias-; it lists: {aliases}")));
    }
    let ran = guest.run("modinfo", &["-p", "params"])?;
    ran.succeeds()?;
    for (name, kind) in [("i", "int"), ("str", "string"), ("b", "bool")] {
        let found = ran
            .stdout()
            .lines()
            .any(|line| line.starts_with(&format!("{name}:")) && line.contains(&format!("({kind})")));
        if !found {
            return Err(Stop::failed(format!("modinfo -p should list {name} ({kind}); it lists:\n{}", ran.stdout())));
        }
    }
    Ok(())
}

fn vermagic_names_release_and_flags(guest: &mut Guest) -> Check {
    let vermagic = field(guest, "vermagic", "hello")?;
    let words: Vec<&str> = vermagic.split_whitespace().collect();
    same("first word", words.first().unwrap_or(&""), guest.release())?;
    let has_checksums = guest.has_modversions("hello")?;
    for (word, expected) in [("SMP", true), ("mod_unload", true), ("modversions", has_checksums)] {
        same(&format!("`{word}` in `{vermagic}`"), &words.contains(&word).to_string(), &expected.to_string())?;
    }
    Ok(())
}

fn depends_names_the_modules_used(guest: &mut Guest) -> Check {
    for (module, depends) in [("dep_top", "dep_mid"), ("dep_mid", "dep_base"), ("dep_base", "")] {
        same(&format!("depends of {module}"), &field(guest, "depends", module)?, depends)?;
    }
    Ok(())
}

/// Where a module's file has a section, and something in it.
fn has_section(guest: &mut Guest, module: &str, section: &str) -> Check<bool> {
    let bytes = guest.module_file(module)?;
    let found = Elf::parse(&bytes).and_then(|elf| Ok(elf.section(section)?.is_some_and(|section| section.size > 0)));
    found.map_err(|error| Stop::failed(format!("{module} should be a module: {error}")))
}

fn exports_stand_in_sections(guest: &mut Guest) -> Check {
    let expected = GPL_EXPORTS_STAND_IN.on(guest.version());
    for (section, there) in
        [("__ksymtab", true), ("__ksymtab_gpl", expected == "__ksymtab_gpl"), ("__kflagstab", expected == "__ksymtab")]
    {
        let found = has_section(guest, "exporter", section)?;
        same(&format!("the exporter has {section}"), &found.to_string(), &there.to_string())?;
    }
    Ok(())
}

fn undefined_symbols_have_checksums(guest: &mut Guest) -> Check {
    if !guest.has_modversions("dep_top")? {
        return Err(Stop::Skipped("this kernel is built without CONFIG_MODVERSIONS".into()));
    }
    let ran = guest.run("modprobe", &["--dump-modversions", &guest.path_of("dep_top")])?;
    ran.succeeds()?;
    for symbol in ["module_layout", "dep_mid_value"] {
        let listed = ran.stdout().lines().any(|line| line.starts_with("0x") && line.ends_with(&format!("\t{symbol}")));
        if !listed {
            return Err(Stop::failed(format!("__versions should have {symbol}; it has:\n{}", ran.stdout())));
        }
    }
    Ok(())
}

fn names_take_dashes_for_underscores(guest: &mut Guest) -> Check {
    guest.run("modprobe", &["dep-top"])?.succeeds()?;
    for name in ["dep_base", "dep_mid", "dep_top"] {
        guest.is_live(name)?;
    }
    guest.run("rmmod", &["dep-top"])?.succeeds()?;
    guest.is_absent("dep_top")
}

fn symbols_lead_to_their_module(guest: &mut Guest) -> Check {
    guest.run("modprobe", &["symbol:exporter_plain"])?.succeeds()?;
    guest.is_live("exporter")
}

fn sections_are_files(guest: &mut Guest) -> Check {
    guest.load("hello")?.succeeds()?;
    for section in [".gnu.linkonce.this_module", ".strtab", ".symtab"] {
        let address = guest.read(&format!("/sys/module/hello/sections/{section}"))?;
        let digits = address.trim().strip_prefix("0x").unwrap_or_default();
        if u64::from_str_radix(digits, 16).unwrap_or_default() == 0 {
            return Err(Stop::failed(format!("{section} should have an address; its file has `{}`", address.trim())));
        }
    }
    same("a file for .comment", &guest.exists("/sys/module/hello/sections/.comment")?.to_string(), "false")
}

fn builtin_name_is_taken(guest: &mut Guest) -> Check {
    same("block is built in", &guest.exists("/sys/module/block/parameters")?.to_string(), "true")?;
    let file = guest.edited("hello", |bytes| edit::rename(bytes, "hello", "block"))?;
    guest.load_file(&file, "", 0)?.fails_with(Errno::EINVAL)?;
    guest.logged("block: module is already loaded")?;
    guest.not_logged("hello: init")
}

fn last_unloaded_module_is_named(guest: &mut Guest) -> Check {
    guest.expect_splat("WARNING in warns_init");
    guest.load("hello")?.succeeds()?;
    guest.unload("hello")?.succeeds()?;
    guest.load("warns")?.succeeds()?;
    guest.logged(&format!("Modules linked in: warns(OE+) {}", LAST_UNLOADED.on(guest.version())))
}

fn quiet_modprobe_says_nothing(guest: &mut Guest) -> Check {
    let ran = guest.run("modprobe", &["-q", "nosuch"])?;
    ran.exits_with(1)?;
    same("what it says", &ran.stderr(), "")?;
    same("what it prints", &ran.stdout(), "")
}

fn dry_run_changes_nothing(guest: &mut Guest) -> Check {
    guest.run("modprobe", &["-n", "dep_top"])?.succeeds()?;
    for name in ["dep_base", "dep_mid", "dep_top"] {
        guest.is_absent(name)?;
    }
    Ok(())
}
