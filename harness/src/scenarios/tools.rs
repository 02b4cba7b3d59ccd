//! The module tools at work: what they load and unload, in which order, with which parameters, and what they say.

use super::versions::other_flag_word;
use crate::{
    check::Check,
    errno::Errno,
    guest::{Guest, Packing, same},
    scenario,
    scenario::{
        Commit,
        Literature::{Busybox, Framework, Kernel, Kmod, StubModule},
        Scenario,
    },
};

pub(super) const ALL: &[Scenario] = &[
    scenario!(insmod_passes_parameters)
        .modules(&["params"])
        .claim(Busybox, "insmod joins what follows the file's name to the parameters that it gives to init_module"),
    scenario!(force_ignores_vermagic)
        .modules(&["hello"])
        .claim(Framework, "a module of another version can be forced in, which taints the kernel"),
    scenario!(compressed_files_load)
        .modules(&["hello"])
        .claim(Kmod, "a compressed module is unpacked by the kernel where it can, else by the tool"),
    scenario!(xz_wants_crc32)
        .modules(&["hello"])
        .claim(Kernel, "the kernel unpacks xz files whose check is CRC32 or none, and no others"),
    scenario!(configuration_is_obeyed).modules(&["params", "aliased"]).claim(
        Framework,
        "modprobe's configuration gives modules options and aliases, and keeps some from automatic loading",
    ),
    scenario!(soft_dependencies_surround_a_module)
        .modules(&["hello", "target", "dep_base"])
        .claim(Kmod, "modules that belong together without sharing a symbol are loaded together: softdep"),
    scenario!(install_commands_need_a_shell)
        .modules(&["hello"])
        .claim(Kmod, "an install line runs a command in the place of loading the module"),
    scenario!(show_depends_loads_nothing)
        .modules(&["dep_base", "dep_mid", "dep_top"])
        .claim(Busybox, "modprobe -D prints what would be loaded, in order"),
    scenario!(a_path_still_has_dependencies)
        .modules(&["dep_base", "dep_mid", "dep_top"])
        .claim(Kmod, "modprobe of a file loads what the index says of its name"),
    scenario!(all_operands_are_tried)
        .modules(&["hello", "target"])
        .claim(Busybox, "modprobe -a goes on after a module that is not there"),
    scenario!(first_time_makes_nothing_an_error)
        .modules(&["hello"])
        .claim(StubModule, "modprobe of a loaded module succeeds; with --first-time it fails"),
    scenario!(holders_go_first_when_asked)
        .modules(&["dep_base", "dep_mid", "dep_top"])
        .claim(Kmod, "modprobe -r of a module in use fails, and with --remove-holders unloads its users first"),
    scenario!(modprobe_waits_for_the_last_user)
        .modules(&["chardev"])
        .claim(Framework, "rmmod --wait blocks in the kernel until the refcount is 0")
        .until(
            "3.13",
            Commit("3f2b9c9cdf38", "module: remove rmmod --wait option."),
            "the kernel never waits; modprobe -r --wait tries again",
        ),
    scenario!(rmmod_goes_on_after_an_error)
        .modules(&["hello", "no_exit"])
        .claim(Busybox, "rmmod reports what it cannot unload, and unloads the rest"),
    scenario!(lsmod_of_a_fresh_guest_is_a_heading)
        .claim(Busybox, "lsmod prints a heading and then the lines of /proc/modules, of which there may be none"),
    scenario!(lsmod_shows_what_sysfs_says)
        .modules(&["dep_base", "dep_mid", "dep_top"])
        .claim(Busybox, "lsmod shows names, sizes, use counts and users of /proc/modules"),
    scenario!(missing_symbols_are_explained)
        .modules(&["dep_base", "dep_mid", "dep_top", "missing_symbol"])
        .claim(Framework, "`Unknown symbol in module`: the log says which, the index says whose"),
    scenario!(other_refusals_are_explained)
        .modules(&["hello", "params", "init_fails"])
        .claim(Framework, "the tool has but an error number; why a module was refused is in the kernel's log"),
    scenario!(policies_are_explained)
        .modules(&["hello"])
        .claim(Kernel, "the kernel can be told to load signed modules only, and no more modules at all"),
];

fn insmod_passes_parameters(guest: &mut Guest) -> Check {
    let file = guest.path_of("params");
    guest.run("insmod", &[&file, "i=-5", "s=a b", "arr=1,2"])?.succeeds()?;
    for (name, value) in [("i", "-5"), ("s", "a b"), ("arr", "1,2")] {
        guest.file_is(&format!("/sys/module/params/parameters/{name}"), value)?;
    }
    Ok(())
}

fn force_ignores_vermagic(guest: &mut Guest) -> Check {
    let file = other_flag_word(guest)?;
    guest
        .run("insmod", &[&file])?
        .fails_saying("insmod: ERROR: could not insert module /tmp/hello.ko: Invalid module format")?;
    guest.run("modprobe", &["--force-vermagic", &file])?.succeeds()?;
    guest.logged("hello: bad vermagic: kernel tainted.")?;
    guest.run("rmmod", &["hello"])?.succeeds()?;
    guest.run("insmod", &["-f", &file])?.succeeds()?;
    same("taint", &guest.taint()?, "FOE")
}

fn compressed_files_load(guest: &mut Guest) -> Check {
    for packing in [Packing::Gzip, Packing::Xz, Packing::Zstd] {
        let file = guest.packed("hello", packing)?;
        guest.run("insmod", &[&file])?.succeeds()?;
        guest.is_live("hello")?;
        guest.run("rmmod", &[&file])?.succeeds()?;
    }
    Ok(())
}

fn xz_wants_crc32(guest: &mut Guest) -> Check {
    let file = guest.packed("hello", Packing::XzCrc64)?;
    let ran = guest.run("insmod", &["--explain", &file])?;
    if !guest.exists("/sys/module/compression")? {
        return ran.succeeds();
    }
    ran.says(&format!("insmod: ERROR: could not insert module {file}: Invalid parameters"))?;
    ran.says("insmod: try: compress it with `xz --check=crc32`, the only check that the kernel's decoder knows")
}

fn configuration_is_obeyed(guest: &mut Guest) -> Check {
    guest.configure("options params i=7\nalias some-name params\nblacklist aliased\n")?;
    guest.run("modprobe", &["some-name", "u=9"])?.succeeds()?;
    guest.file_is("/sys/module/params/parameters/i", "7")?;
    guest.file_is("/sys/module/params/parameters/u", "9")?;
    guest.run("modprobe", &["modrig-other-name"])?.succeeds()?;
    guest.is_absent("aliased")?;
    guest.run("modprobe", &["-b", "aliased"])?.succeeds()?;
    guest.is_absent("aliased")?;
    guest.run("modprobe", &["aliased"])?.succeeds()?;
    guest.is_live("aliased")
}

fn soft_dependencies_surround_a_module(guest: &mut Guest) -> Check {
    guest.configure("softdep hello pre: target nosuch post: dep_base\n")?;
    guest.run("modprobe", &["hello"])?.succeeds()?;
    guest.logged_in_order(&["target: init", "hello: init", "dep_base: init"])?;
    guest.run("modprobe", &["-r", "hello"])?.succeeds()?;
    guest.logged_in_order(&["dep_base: exit", "hello: exit", "target: exit"])
}

/// There is no /bin/sh in a guest, which the tool reports as system(3) does.
fn install_commands_need_a_shell(guest: &mut Guest) -> Check {
    guest.configure("install hello /bin/true\n")?;
    guest
        .run("modprobe", &["hello"])?
        .says("modprobe: ERROR: Error running install command '/bin/true' for module hello: retcode 127")?;
    guest.is_absent("hello")?;
    guest.run("modprobe", &["-i", "hello"])?.succeeds()?;
    guest.is_live("hello")
}

fn show_depends_loads_nothing(guest: &mut Guest) -> Check {
    let expected: String =
        ["dep_base", "dep_mid", "dep_top"].map(|name| format!("insmod {} \n", guest.path_of(name))).concat();
    let ran = guest.run("modprobe", &["-D", "dep_top"])?;
    ran.succeeds()?;
    same("standard output", &ran.stdout(), &expected)?;
    guest.is_absent("dep_base")
}

fn a_path_still_has_dependencies(guest: &mut Guest) -> Check {
    let bytes = guest.module_file("dep_top")?;
    guest.put("/tmp/dep_top.ko", &bytes)?;
    guest.run("modprobe", &["/tmp/dep_top.ko"])?.succeeds()?;
    guest.logged_in_order(&["dep_base: init", "dep_mid: init", "dep_top: init"])
}

fn all_operands_are_tried(guest: &mut Guest) -> Check {
    let directory = format!("/lib/modules/{}", guest.release());
    guest
        .run("modprobe", &["-a", "hello", "nosuch", "target"])?
        .fails_saying(&format!("modprobe: WARNING: Module nosuch not found in directory {directory}"))?;
    guest.is_live("hello")?;
    guest.is_live("target")
}

fn first_time_makes_nothing_an_error(guest: &mut Guest) -> Check {
    for _ in 0..2 {
        guest.run("modprobe", &["hello"])?.succeeds()?;
    }
    guest
        .run("modprobe", &["--first-time", "hello"])?
        .fails_saying("modprobe: ERROR: could not insert 'hello': Module already in kernel")?;
    for _ in 0..2 {
        guest.run("modprobe", &["-r", "hello"])?.succeeds()?;
    }
    guest
        .run("modprobe", &["-r", "--first-time", "hello"])?
        .fails_saying("modprobe: FATAL: Module hello is not in kernel.")
}

fn holders_go_first_when_asked(guest: &mut Guest) -> Check {
    guest.run("modprobe", &["dep_top"])?.succeeds()?;
    guest.run("modprobe", &["-r", "dep_base"])?.fails_saying("modprobe: FATAL: Module dep_base is in use.")?;
    guest.run("modprobe", &["-r", "--remove-holders", "dep_mid"])?.succeeds()?;
    guest.logged_in_order(&["dep_top: exit", "dep_mid: exit"])?;
    guest.is_absent("dep_mid")
}

fn modprobe_waits_for_the_last_user(guest: &mut Guest) -> Check {
    guest.load("chardev")?.succeeds()?;
    let file = guest.open("/dev/chardev")?;
    guest.run("modprobe", &["-r", "chardev"])?.fails_saying("modprobe: FATAL: Module chardev is in use.")?;
    guest
        .run("modprobe", &["-r", "-w", "20", "chardev"])?
        .fails_saying("modprobe: ERROR: could not remove 'chardev': Resource temporarily unavailable")?;
    let waiting = guest.start_run("modprobe", &["-r", "--wait", "10000", "chardev"])?;
    guest.close(file)?;
    guest.finish_run(waiting)?.succeeds()?;
    guest.is_absent("chardev")
}

fn rmmod_goes_on_after_an_error(guest: &mut Guest) -> Check {
    guest.load("hello")?.succeeds()?;
    guest.load("no_exit")?.succeeds()?;
    let ran = guest.run("rmmod", &["nosuch", "no_exit", "hello"])?;
    ran.says("rmmod: ERROR: Module nosuch is not currently loaded")?;
    ran.says("rmmod: ERROR: could not remove module no_exit: Device or resource busy")?;
    ran.exits_with(1)?;
    guest.is_absent("hello")?;
    guest.run("rmmod", &["-f", "no_exit"])?.succeeds()?;
    guest.is_absent("no_exit")
}

fn lsmod_of_a_fresh_guest_is_a_heading(guest: &mut Guest) -> Check {
    let ran = guest.run("lsmod", &[])?;
    ran.succeeds()?;
    same("standard output", &ran.stdout(), "Module                  Size  Used by\n")
}

fn lsmod_shows_what_sysfs_says(guest: &mut Guest) -> Check {
    guest.run("modprobe", &["dep_top"])?.succeeds()?;
    let mut expected = "Module                  Size  Used by\n".to_owned();
    for (name, users) in [("dep_top", "0"), ("dep_mid", "1 dep_top"), ("dep_base", "1 dep_mid")] {
        let size = guest.read(&format!("/sys/module/{name}/coresize"))?;
        expected.push_str(&format!("{name:<19} {:>8}  {users}\n", size.trim()));
    }
    let ran = guest.run("lsmod", &[])?;
    ran.succeeds()?;
    same("standard output", &ran.stdout(), &expected)
}

fn missing_symbols_are_explained(guest: &mut Guest) -> Check {
    let file = guest.path_of("dep_top");
    let ran = guest.run("insmod", &["--explain", &file])?;
    ran.says(&format!("insmod: ERROR: could not insert module {file}: Unknown symbol in module"))?;
    ran.says("insmod: log: dep_top: Unknown symbol dep_mid_value (err -2)")?;
    ran.says("insmod: why: dep_mid_value is exported by dep_mid, which is not loaded")?;
    ran.says("insmod: try: `modprobe dep_top`, which loads what it needs first")?;
    let directory = format!("/lib/modules/{}", guest.release());
    guest.run("modprobe", &["--explain", "missing_symbol"])?.says(&format!(
        "modprobe: why: nobody_exports_this is exported neither by this kernel nor by a module in {directory}"
    ))
}

fn other_refusals_are_explained(guest: &mut Guest) -> Check {
    let file = other_flag_word(guest)?;
    let ran = guest.run("insmod", &["--explain", &file])?;
    ran.says("insmod: why: the module was built with, and the kernel without: SMQ")?;
    guest
        .run("modprobe", &["--explain", "params", "i=many"])?
        .says("modprobe: why: parameter i takes an int, and `many` is none")?;
    guest
        .run("modprobe", &["--explain", "params", "stt=x"])?
        .says("modprobe: why: it has no parameter `stt`, so that is ignored; did you mean `str`?")?;
    guest
        .run("modprobe", &["--explain", "init_fails"])?
        .says("modprobe: why: init_fails found no device to work with: its init function returned ENODEV")
}

fn policies_are_explained(guest: &mut Guest) -> Check {
    guest.write("/sys/module/module/parameters/sig_enforce", "1")?;
    guest.load("hello")?.fails_with(Errno::EKEYREJECTED)?;
    guest
        .run("modprobe", &["--explain", "hello"])?
        .says("modprobe: why: it is not signed, and this kernel loads signed modules only")?;
    guest.write("/proc/sys/kernel/modules_disabled", "1")?;
    guest.load("hello")?.fails_with(Errno::EPERM)?;
    guest.unload("hello")?.fails_with(Errno::EPERM)?;
    guest
        .run("modprobe", &["--explain", "hello"])?
        .says("modprobe: why: modules are switched off until the next boot (kernel.modules_disabled=1)")
}
