//! What a module says of itself, and how it taints the kernel.

use modfile::edit;

use crate::{
    check::Check,
    guest::{Guest, same},
    scenario,
    scenario::{
        Literature::{Framework, Kernel},
        Machine, Scenario,
    },
};

pub(super) const ALL: &[Scenario] = &[
    scenario!(out_of_tree_and_unsigned_taint)
        .modules(&["hello", "target"])
        .claim(Kernel, "a module built outside the kernel's tree taints it (O), and one without signature (E)"),
    scenario!(missing_licence_is_proprietary)
        .modules(&["hello"])
        .claim(Framework, "a module without MODULE_LICENSE counts as proprietary and taints the kernel"),
    scenario!(other_licence_is_proprietary)
        .modules(&["hello", "target"])
        .claim(Framework, "any licence but those of the GPL family taints the kernel, which is said once"),
    scenario!(staging_taints)
        .modules(&["staging"])
        .claim(Framework, "a module of drivers/staging taints the kernel as crap"),
    scenario!(test_module_taints)
        .modules(&["test_module"])
        .since(6, 0)
        .claim(Kernel, "a test module taints the kernel (N)")
        .note("since 2852ca7fba9f (\"panic: Taint kernel if tests are run\", 6.0)"),
    scenario!(signed_module_leaves_no_taint)
        .stock(&["e1000"])
        .machine(Machine::PC)
        .claim(Kernel, "a module that is signed with the kernel's key loads without a taint, unless it is forced")
        .note("the key is the distribution's, so its own modules show it"),
    scenario!(taint_outlives_the_module)
        .modules(&["hello"])
        .claim(Framework, "a taint stays until the next boot, also when its module is unloaded"),
];

/// The two messages come once in the life of a kernel; the module's own taint is there every time.
fn out_of_tree_and_unsigned_taint(guest: &mut Guest) -> Check {
    same("taint", &guest.taint()?, "")?;
    guest.load("hello")?.succeeds()?;
    guest.logged("hello: loading out-of-tree module taints kernel.")?;
    guest.logged("hello: module verification failed: signature and/or required key missing - tainting kernel")?;
    guest.load("target")?.succeeds()?;
    guest.not_logged("target: loading out-of-tree module")?;
    for name in ["hello", "target"] {
        guest.module_taint_is(name, "OE")?;
    }
    same("taint", &guest.taint()?, "OE")
}

fn missing_licence_is_proprietary(guest: &mut Guest) -> Check {
    let file = guest.edited("hello", |bytes| edit::hide_modinfo(bytes, "license"))?;
    guest.load_file(&file, "", 0)?.succeeds()?;
    guest.logged("hello: module license 'unspecified' taints kernel.")?;
    guest.module_taint_is("hello", "POE")
}

fn other_licence_is_proprietary(guest: &mut Guest) -> Check {
    for name in ["hello", "target"] {
        let file = guest.edited(name, |bytes| edit::replace_in_modinfo(bytes, "license", "GPL", "Own"))?;
        guest.load_file(&file, "", 0)?.succeeds()?;
        guest.module_taint_is(name, "POE")?;
    }
    guest.logged("hello: module license 'Own' taints kernel.")?;
    guest.logged("Disabling lock debugging due to kernel taint")?;
    guest.not_logged("target: module license")
}

fn staging_taints(guest: &mut Guest) -> Check {
    guest.load("staging")?.succeeds()?;
    guest.logged("staging: module is from the staging directory, the quality is unknown, you have been warned.")?;
    guest.module_taint_is("staging", "COE")
}

fn test_module_taints(guest: &mut Guest) -> Check {
    guest.load("test_module")?.succeeds()?;
    guest.logged("test_module: loading test module taints kernel.")?;
    guest.module_taint_is("test_module", "OEN")
}

fn taint_outlives_the_module(guest: &mut Guest) -> Check {
    guest.load("hello")?.succeeds()?;
    guest.unload("hello")?.succeeds()?;
    same("taint", &guest.taint()?, "OE")
}

/// A forced load does not look at the signature, so that the module counts as unsigned as well.
fn signed_module_leaves_no_taint(guest: &mut Guest) -> Check {
    guest.run("modprobe", &["e1000"])?.succeeds()?;
    guest.module_taint_is("e1000", "")?;
    same("taint", &guest.taint()?, "")?;
    guest.not_logged("module verification failed")?;
    guest.run("modprobe", &["-r", "e1000"])?.succeeds()?;
    guest.run("modprobe", &["--force-vermagic", "e1000"])?.succeeds()?;
    guest.module_taint_is("e1000", "FE")
}
