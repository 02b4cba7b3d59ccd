//! modprobe as a user runs it: whole calls on a system in a directory. Nothing is loaded.
//!
//! Where an output is not about an option of our own, it is what kmod 34.2 prints for the same files.

mod common;

use std::{
    ops::Deref,
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use common::{RELEASE, Root, transcript};

/// Indexes and a configuration.
struct System(Root);

impl Deref for System {
    type Target = Root;

    fn deref(&self) -> &Root {
        &self.0
    }
}

impl System {
    fn new() -> Self {
        let system = Self(Root::new());
        system.tree("modules.dep", "top.ko: middle.ko leaf.ko\nmiddle.ko: leaf.ko\nleaf.ko:\n");
        system.tree("modules.alias", "alias two leaf\nalias two top\nalias pci:v*d1 middle\nalias pci:v1* leaf\n");
        system.tree("modules.symbols", "alias symbol:s-1 leaf\n");
        system.tree("modules.softdep", "softdep middle pre: fixed\n");
        system.tree("modules.builtin", "kernel/fixed.ko\n");
        system.tree("modules.builtin.modinfo", "fixed.alias=old-name\0");
        system.write(
            "etc/modprobe.d/a.conf",
            "options top x=1\noptions two y=2\nblacklist leaf\ninstall virtual go $CMDLINE_OPTS\n",
        );
        system
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(PathBuf::from(env!("CARGO_BIN_EXE_modutils")));
        command.arg0("modprobe").args(["-S", RELEASE]).args(line.split(' ').map(|word| self.fill(word)));
        command.env_remove("MODPROBE_OPTIONS").env_remove("KMOD_LOG").current_dir(self.0.path()).stdin(Stdio::null());
        command
    }

    /// Checks exit code, standard output and standard error of a call, as one text.
    #[track_caller]
    fn check(&self, command: &mut Command, expected: &str) {
        let found = transcript(&command.output().unwrap());
        assert_eq!(found, self.fill(expected), "{command:?}");
    }
}

#[test]
fn the_configuration_and_the_modules_of_another_system() {
    let system = System::new();
    for (line, expected) in [
        (
            "--sysroot {root} -D top",
            "insmod {tree}/leaf.ko \nbuiltin fixed\ninsmod {tree}/middle.ko \ninsmod {tree}/top.ko x=1 \n= 0",
        ),
        (
            "--sysroot {root} -aD two",
            "insmod {tree}/leaf.ko \nbuiltin fixed\ninsmod {tree}/middle.ko \ninsmod {tree}/top.ko x=1 y=2 \n= 0",
        ),
        ("--sysroot {root} -R pci:v1d1", "middle\nleaf\n= 0"),
        ("--sysroot {root} -R old-name", "fixed\n= 0"),
        ("--sysroot {root} -R symbol:s-1", "modprobe: FATAL: Module symbol:s-1 not found in directory {tree}\n= 1"),
        ("--sysroot {root} -D virtual a=1", "install go $CMDLINE_OPTS a=1\n= 0"),
        ("--sysroot . -R two", "leaf\ntop\n= 0"),
        (
            "--sysroot={root} -d /none -R top",
            "modprobe: FATAL: Module top not found in directory /none/lib/modules/6.1.0-test\n= 1",
        ),
        ("-C {root}/none -d {root} -D middle", "insmod {tree}/leaf.ko \nbuiltin fixed\ninsmod {tree}/middle.ko \n= 0"),
    ] {
        system.check(&mut system.command(line), expected);
    }
}

#[test]
fn a_bad_configuration_is_told_as_by_kmods_library_whatever_the_level() {
    let system = System::new();
    system.write("bad/a.conf", "options\nblacklist a]\n");
    system.write("bad/sub.conf/x", "");
    let told = "libkmod: ERROR: conf_files_filter_out: Directories inside directories are not supported: bad/sub.conf
libkmod: ERROR: kmod_config_parse: bad/a.conf line 1: ignoring bad line starting with 'options'
libkmod: ERROR: kmod_config_parse: bad/a.conf line 2: ignoring bad line starting with 'blacklist'\n";
    let shown = "leaf\n";
    for line in ["-C bad -d {root} -R leaf", "-q -C bad -d {root} -R leaf"] {
        system.check(&mut system.command(line), &format!("{shown}{told}= 0"));
        for (level, heeded) in
            [("0", false), ("err", true), ("3", true), ("2", false), ("crit", false), ("7", true), ("3x", false)]
        {
            let told = if heeded { told } else { "" };
            system.check(system.command(line).env("KMOD_LOG", level), &format!("{shown}{told}= 0"));
        }
    }
}

#[test]
fn messages_about_the_arguments_come_before_silence() {
    let system = System::new();
    system.check(&mut system.command("-q"), "modprobe: ERROR: missing parameters. See -h.\n= 1");
    system.check(&mut system.command("-q -w x leaf"), "modprobe: ERROR: unexpected wait value 'x'.\n= 1");
    system.check(&mut system.command("-q -d {root} none"), "= 1");
}

#[test]
fn a_damaged_index_is_told_and_the_text_is_read() {
    let system = System::new();
    system.tree("modules.dep.bin", "no index at all");
    let line = "--sysroot {root} -D leaf";
    let shown = "insmod {tree}/leaf.ko \n";
    let told = "modprobe: WARNING: {tree}/modules.dep.bin: not an index of depmod (magic) (at byte 0x0); using modules.dep \
                instead, run depmod to write it anew\n";
    system.check(&mut system.command(line), &format!("{shown}{told}= 0"));
    system.check(&mut system.command(&format!("-q {line}")), &format!("{shown}= 0"));
}

#[test]
fn paths_stay_as_they_were_given() {
    let system = System::new();
    system.write("some/leaf.ko", "");
    for (line, expected) in [
        ("-D ./some/leaf.ko a=1", "insmod {root}/./some/leaf.ko a=1\n= 0"),
        ("-D {root}/some/../some/leaf.ko", "insmod {root}/some/../some/leaf.ko \n= 0"),
        ("-R ./some/leaf.ko", "leaf\n= 0"),
        ("-D ./some/", "modprobe: FATAL: Failed to get module from path ./some/: No such file or directory\n= 1"),
        ("-aD ./none", "modprobe: WARNING: Failed to get module from path ./none: No such file or directory\n= 1"),
        ("--show-exports ./some", "modprobe: FATAL: could not get symbols of ./some: Is a directory\n= 1"),
        (
            "--show-exports ./some/leaf.ko",
            "modprobe: FATAL: could not get symbols of ./some/leaf.ko: Invalid argument\n= 1",
        ),
        ("--show-exports ./some/", "modprobe: FATAL: Module ./some/ not found.\n= 1"),
    ] {
        system.check(&mut system.command(&format!("-C none {line}")), expected);
    }
}

#[test]
fn programs_get_json() {
    let system = System::new();
    for (line, expected) in [
        (
            "-nv virtual a=1",
            "[\n  {\n    \"action\": \"install\",\n    \"module\": \"virtual\",\n    \"command\": \"go $CMDLINE_OPTS\",\n    \
             \"options\": \"a=1\"\n  }\n]\n= 0",
        ),
        (
            "-aR two",
            "[\n  {\n    \"name\": \"two\",\n    \"module\": \"leaf\"\n  },\n  {\n    \"name\": \"two\",\n    \
             \"module\": \"top\"\n  }\n]\n= 0",
        ),
        ("-n top", "[]\n= 0"),
    ] {
        system.check(&mut system.command(&format!("--sysroot {{root}} --json {line}")), expected);
    }
    let output = system.command("--sysroot {root} --json -c").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "\"blacklist\": [\n    \"leaf\"\n  ]",
        "\"module\": \"top\",\n      \"options\": \"x=1\"",
        "\"pattern\": \"middle\",\n      \"pre\": [\n        \"fixed\"\n      ],\n      \"post\": []",
        "\"symbol\": \"symbol:s-1\",\n        \"module\": \"leaf\"",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_check_of_the_configuration_fails_if_there_is_something_to_say() {
    let system = System::new();
    system.write("etc/modprobe.d/a.conf", "blacklist top\n");
    system.check(&mut system.command("--sysroot {root} --check-config"), "= 0");
    system.write("etc/modprobe.d/a.conf", "install middle /bin/false\n");
    system.check(
        &mut system.command("--sysroot {root} --check-config"),
        "{root}/etc/modprobe.d/a.conf:1: install middle: not run for `middle`: modprobe skips it for a module with soft \
         dependencies ({tree}/modules.softdep:1)\n    instead: the first softdep counts, and an empty one leaves the command \
         in force: write `softdep middle pre:` in a file whose name sorts before modules.softdep\n= 1",
    );
    system.write("etc/modprobe.d/a.conf", "softdep middle pre:\ninstall middle /bin/false\n");
    system.check(&mut system.command("--sysroot {root} --check-config"), "= 0");
    system.check(&mut system.command("--sysroot {root} -D middle"), "insmod {tree}/leaf.ko \ninstall /bin/false \n= 0");
}
