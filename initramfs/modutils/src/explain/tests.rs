//! Explanations of made failures: what is said, and in which words.

use modfile::write::Module;

use super::*;
use crate::fake::Root;

/// What is said of a load: the module, what the kernel returned, and what it logged.
fn explained(root: &Root, module: &[u8], value: i32, log: &[&str]) -> Vec<String> {
    let path = root.path("m.ko");
    fs::write(&path, module).unwrap();
    let log: Vec<String> = log.iter().map(|record| (*record).to_owned()).collect();
    let refusal = Refusal(value.into());
    let attempt = Attempt { path: &path, refusal, log: &log, tree: &root.indexes(), root: path.parent().unwrap() };
    explain(&attempt).iter().skip(log.len()).map(Note::to_string).collect()
}

#[test]
fn the_kernels_words_come_first_and_a_flood_is_cut() {
    let root = Root::new();
    // Two of them are of somebody else, who is left out first.
    let of = |number| if number == 3 || number == 5 { "clock" } else { "m" };
    let log: Vec<String> = (0..13).map(|number| format!("{}: record {number}", of(number))).collect();
    fs::write(root.path("m.ko"), Module::new("m").build()).unwrap();
    let path = root.path("m.ko");
    let attempt = Attempt {
        path: &path,
        refusal: Refusal(-i64::from(libc::ENODEV)),
        log: &log,
        tree: &root.indexes(),
        root: path.parent().unwrap(),
    };
    let notes = explain(&attempt);
    assert_eq!(notes[0], Note::Log("m: record 0".into()));
    assert_eq!(notes[3..5], [Note::Log("m: record 4".into()), Note::Log("m: record 6".into())]);
    assert_eq!(notes[10], Note::Log("... and 3 more".into()));
    assert_eq!(notes[11..], [Note::Why("m found no device to work with: its init function returned ENODEV".into())]);
}

#[test]
fn version_magic_is_put_side_by_side() {
    let log = ["m: version magic '6.1.0-1 SMP mod_unload modversions ' should be '7.3.4 SMP preempt mod_unload '"];
    assert_eq!(
        explained(&Root::new(), &Module::new("m").build(), -libc::ENOEXEC, &log),
        [
            "why: the module was built for   6.1.0-1 SMP mod_unload modversions",
            "why: but the running kernel is  7.3.4 SMP preempt mod_unload",
            "why: the module was built with, and the kernel without: modversions",
            "why: the kernel was built with, and the module without: preempt",
            "try: build it against the headers of the running kernel (`uname -r`)",
        ]
    );
}

#[test]
fn what_is_no_module_is_named() {
    let root = Root::new();
    assert_eq!(
        explained(&root, b"#!/bin/sh\necho no module\n", -libc::ENOEXEC, &[]),
        ["why: the file is no module: not an ELF file (magic) (at byte 0x0)"]
    );
    fs::remove_file(root.path("m.ko")).unwrap();
    let path = root.path("m.ko");
    let attempt =
        Attempt { path: &path, refusal: Refusal(-2), log: &[], tree: &root.indexes(), root: path.parent().unwrap() };
    assert!(explain(&attempt)[0].to_string().contains("m.ko cannot be read: No such file"));
}

#[test]
fn missing_symbols_have_an_owner_or_none() {
    let root = Root::new();
    root.tree("modules.dep", "kernel/m.ko: kernel/base.ko\nkernel/base.ko:\nkernel/there.ko:\n");
    root.tree("modules.symbols", "alias symbol:base_symbol base\nalias symbol:there_symbol there\n");
    root.loaded("there", "live", Some(0), &[]);
    root.write("proc/kallsyms", "0000 r __ksymtab_gpl_symbol\n");
    let log = [
        "m: Unknown symbol base_symbol (err -2)",
        "m: Unknown symbol there_symbol (err -2)",
        "m: Unknown symbol gpl_symbol (err -2)",
        "m: Unknown symbol nowhere (err -2)",
    ];
    let module = Module::new("m").modinfo("license", "Proprietary").build();
    let directory = root.indexes().directory().display().to_string();
    assert_eq!(
        explained(&root, &module, -libc::ENOENT, &log),
        [
            "why: base_symbol is exported by base, which is not loaded",
            "why: there_symbol is exported by there for GPL modules only, and this module's licence is `Proprietary`",
            "why: gpl_symbol is exported by the kernel for GPL modules only, and this module's licence is `Proprietary`",
            &format!("why: nowhere is exported neither by this kernel nor by a module in {directory}"),
            "try: `modprobe m`, which loads what it needs first",
        ]
    );
}

#[test]
fn changed_symbols_show_both_checksums() {
    let root = Root::new();
    root.tree("build/Module.symvers", "0x00000009\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n");
    let log = ["m: disagrees about version of symbol printk", "m: Unknown symbol printk (err -22)"];
    assert_eq!(
        explained(&root, &Module::new("m").version("printk", 7).build(), -libc::EINVAL, &log)[0],
        "why: printk has changed: the module was built with checksum 0x00000007, this kernel has 0x00000009"
    );
}

#[test]
fn a_bad_value_is_held_against_its_parameter() {
    let module = Module::new("m").modinfo("parmtype", "n:int").modinfo("parm", "n:how many").build();
    assert_eq!(
        explained(&Root::new(), &module, -libc::EINVAL, &["m: `abc' invalid for parameter `n'"]),
        ["why: parameter n (how many) takes an int, and `abc` is none"]
    );
}

#[test]
fn an_unknown_parameter_has_a_nearest_name() {
    let module = Module::new("m").modinfo("parmtype", "number:int").modinfo("parmtype", "word:charp").build();
    for (params, expected) in [
        ("number=1 word=x -- y=1", &[][..]),
        ("nubmer=1", &["why: it has no parameter `nubmer`, so that is ignored; did you mean `number`?"]),
        ("zz dyndbg async_probe=1", &["why: it has no parameter `zz`, so that is ignored; it has number, word"]),
    ] {
        let notes: Vec<String> = unknown_parameters(&module, params).iter().map(Note::to_string).collect();
        assert_eq!(notes, expected, "{params}");
    }
}

#[test]
fn policies_are_told_apart() {
    let root = Root::new();
    let module = Module::new("m").build();
    let unsigned = "why: it is not signed, and this kernel loads signed modules only";
    assert_eq!(explained(&root, &module, -libc::EKEYREJECTED, &[])[0], unsigned);
    if !rustix::process::geteuid().is_root() {
        assert!(explained(&root, &module, -libc::EPERM, &[])[0].contains("only root"));
        return;
    }
    let log = ["Module m is blacklisted"];
    assert!(explained(&root, &module, -libc::EPERM, &log)[0].contains("module_blacklist="));
    root.write("sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
    let log = ["Lockdown: insmod: unsigned module loading is restricted; see man kernel_lockdown.7"];
    let notes = explained(&root, &module, -libc::EPERM, &log);
    assert!(notes[0].contains("locked down (none [integrity] confidentiality)"), "{notes:?}");
    assert_eq!(notes[1], unsigned);
    root.write("proc/sys/kernel/modules_disabled", "1\n");
    assert!(explained(&root, &module, -libc::EPERM, &[])[0].contains("kernel.modules_disabled=1"));
}

#[test]
fn a_module_of_the_same_name_is_in_the_way() {
    let root = Root::new();
    root.loaded("m", "going", Some(-1), &[]);
    let module = Module::new("m").build();
    assert_eq!(explained(&root, &module, -libc::EBUSY, &[]), ["why: a module called m is being unloaded"]);
    assert_eq!(
        explained(&root, &module, -libc::EEXIST, &[]),
        ["why: a module called m is loaded; `rmmod m` unloads it"]
    );
}

#[test]
fn what_init_returned_is_the_last_resort() {
    let module = Module::new("m").build();
    assert_eq!(
        explained(&Root::new(), &module, -65280, &[]),
        ["why: m's init function returned -65280, which is no error number; it is not loaded"]
    );
    assert_eq!(
        explained(&Root::new(), &module, -256, &[]),
        ["why: nothing else is wrong with it: m's own init function returned -256"]
    );
}
