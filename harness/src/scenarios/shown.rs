//! What /proc and /sys show of a module that is loaded, and its file of itself.

use crate::{
    check::{Check, Stop},
    errno::Errno,
    guest::{Guest, same},
    scenario,
    scenario::{
        Literature::{Framework, Kernel},
        Scenario,
    },
};

pub(super) const ALL: &[Scenario] = &[
    scenario!(directory_has_these_files)
        .modules(&["hello"])
        .claim(Framework, "each module has a directory in /sys/module, with files for its state, size and sections"),
    scenario!(built_in_modules_have_no_state).claim(
        Framework,
        "a module that is built in has a directory in /sys/module if it has parameters, and no state",
    ),
    scenario!(code_lies_where_proc_modules_says)
        .modules(&["exporter"])
        .claim(Framework, "the address of a module in /proc/modules is that of its code"),
    scenario!(addresses_can_be_hidden)
        .modules(&["exporter"])
        .claim(Kernel, "kernel.kptr_restrict hides the addresses in /proc/modules, /proc/kallsyms and sysfs"),
    scenario!(notes_are_kept)
        .modules(&["hello"])
        .claim(Framework, "the note sections of a module's file are in /sys/module/NAME/notes, byte for byte"),
    scenario!(module_says_its_version)
        .modules(&["described", "hello"])
        .claim(Framework, "MODULE_VERSION gives a module a file `version`, beside the checksum of its source"),
    scenario!(modinfo_shows_what_a_module_says)
        .modules(&["described"])
        .claim(Framework, "author, description, licence, version and parameters are in .modinfo, for modinfo to show"),
    scenario!(modules_are_listed_newest_first)
        .modules(&["hello", "target"])
        .claim(Framework, "/proc/modules lists the module that was loaded last first"),
    scenario!(device_comes_and_goes_with_its_module)
        .modules(&["chardev"])
        .claim(Framework, "a driver's node appears in /dev when it is loaded, and disappears when it is unloaded"),
];

fn directory_has_these_files(guest: &mut Guest) -> Check {
    guest.load("hello")?.succeeds()?;
    let files = "coresize holders initsize initstate notes refcnt sections taint uevent";
    same("/sys/module/hello", &guest.list("/sys/module/hello")?.join(" "), files)?;
    guest.file_is("/sys/module/hello/taint", "OE")?;
    let size = guest.module("hello")?.map_or(0, |module| module.size);
    guest.file_is("/sys/module/hello/coresize", &size.to_string())
}

fn built_in_modules_have_no_state(guest: &mut Guest) -> Check {
    let files = guest.list("/sys/module/printk")?;
    same("parameters of printk", &files.contains(&"parameters".to_owned()).to_string(), "true")?;
    for name in ["initstate", "refcnt", "sections"] {
        same(&format!("printk has {name}"), &files.contains(&name.to_owned()).to_string(), "false")?;
    }
    same("printk in /proc/modules", &guest.module("printk")?.is_some().to_string(), "false")
}

/// A section's address, as sysfs shows it.
fn section(guest: &mut Guest, name: &str) -> Check<u64> {
    let text = guest.read(&format!("/sys/module/exporter/sections/{name}"))?;
    let digits = text.trim().strip_prefix("0x").unwrap_or_default();
    u64::from_str_radix(digits, 16).map_err(|_| Stop::failed(format!("{name} is at `{text}`, which is no address")))
}

fn code_lies_where_proc_modules_says(guest: &mut Guest) -> Check {
    guest.load("exporter")?.succeeds()?;
    let module = guest.module("exporter")?.ok_or_else(|| Stop::failed("exporter should be loaded"))?;
    let text = section(guest, ".text")?;
    same("page of .text", &format!("{:x}", text >> 12), &format!("{:x}", module.address >> 12))
}

fn addresses_can_be_hidden(guest: &mut Guest) -> Check {
    guest.load("exporter")?.succeeds()?;
    guest.write("/proc/sys/kernel/kptr_restrict", "2")?;
    same("address of exporter", &guest.module("exporter")?.map_or(1, |module| module.address).to_string(), "0")?;
    same("address of .text", &section(guest, ".text")?.to_string(), "0")?;
    let lines = guest.lines_with("/proc/kallsyms", "[exporter]")?;
    let shown = lines.iter().filter(|line| !line.starts_with("0000000000000000 ")).count();
    same("symbols of exporter with an address", &shown.to_string(), "0")
}

fn notes_are_kept(guest: &mut Guest) -> Check {
    const NOTE: &str = ".note.gnu.build-id";
    guest.load("hello")?.succeeds()?;
    let file = guest.module_file("hello")?;
    let elf = modfile::elf::Elf::parse(&file).map_err(|error| Stop::failed(error.to_string()))?;
    let note = elf.section(NOTE).ok().flatten().map(|section| section.data.to_vec()).unwrap_or_default();
    let kept = guest.read_all(&format!("/sys/module/hello/notes/{NOTE}"))?;
    same(NOTE, &format!("{kept:x?}"), &format!("{note:x?}"))
}

fn module_says_its_version(guest: &mut Guest) -> Check {
    guest.load("described")?.succeeds()?;
    guest.file_is("/sys/module/described/version", "1.2.3")?;
    let srcversion = guest.run("modinfo", &["-F", "srcversion", "described"])?.stdout();
    guest.file_is("/sys/module/described/srcversion", srcversion.trim_end())?;
    guest.load("hello")?.succeeds()?;
    same("hello has a version", &guest.exists("/sys/module/hello/version")?.to_string(), "false")
}

fn modinfo_shows_what_a_module_says(guest: &mut Guest) -> Check {
    let fields = [
        ("author", "Somebody <somebody@example.org>"),
        ("description", "Describes itself"),
        ("license", "Dual MIT/GPL"),
        ("version", "1.2.3"),
        ("alias", "described-alias"),
        ("softdep", "pre: target"),
        ("parm", "level:how much, from 0 to 9 (int)"),
    ];
    for (field, value) in fields {
        let ran = guest.run("modinfo", &["-F", field, "described"])?;
        ran.succeeds()?;
        same(field, ran.stdout().trim_end(), value)?;
    }
    Ok(())
}

fn modules_are_listed_newest_first(guest: &mut Guest) -> Check {
    for [first, second] in [["hello", "target"], ["target", "hello"]] {
        guest.load(first)?.succeeds()?;
        guest.load(second)?.succeeds()?;
        let lines = guest.read("/proc/modules")?;
        let names: Vec<&str> = lines.lines().filter_map(|line| line.split(' ').next()).collect();
        same("/proc/modules", &names.join(" "), &format!("{second} {first}"))?;
        guest.unload(first)?.succeeds()?;
        guest.unload(second)?.succeeds()?;
    }
    Ok(())
}

fn device_comes_and_goes_with_its_module(guest: &mut Guest) -> Check {
    for _ in 0..2 {
        same("/dev/chardev is there", &guest.exists("/dev/chardev")?.to_string(), "false")?;
        guest.load("chardev")?.succeeds()?;
        same("/dev/chardev is there", &guest.exists("/dev/chardev")?.to_string(), "true")?;
        guest.unload("chardev")?.succeeds()?;
    }
    guest.unload("chardev")?.fails_with(Errno::ENOENT)
}
