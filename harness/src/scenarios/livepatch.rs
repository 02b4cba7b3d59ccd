//! Live patches: modules that replace functions of the running kernel.

use crate::{
    check::Check,
    errno::Errno,
    guest::{Guest, same},
    scenario,
    scenario::{Literature::Kernel, Scenario},
};

pub(super) const ALL: &[Scenario] = &[
    scenario!(patch_replaces_a_function)
        .modules(&["patches_cmdline"])
        .claim(Kernel, "a live patch replaces a function of the kernel while that runs, task by task"),
    scenario!(patch_taints).modules(&["patches_cmdline"]).claim(Kernel, "a live patch taints the kernel with K"),
    scenario!(patch_holds_itself_until_disabled)
        .modules(&["patches_cmdline"])
        .claim(Kernel, "an enabled patch cannot be unloaded; it is disabled in sysfs, and can go then"),
    scenario!(patch_needs_the_mark)
        .modules(&["patches_cmdline"])
        .claim(Kernel, "only a module marked with MODULE_INFO(livepatch) can enable a patch"),
    scenario!(disabled_patch_is_not_enabled_again)
        .modules(&["patches_cmdline"])
        .claim(Kernel, "a patch that was disabled is enabled again by unloading and loading it"),
];

const PATCH: &str = "/sys/kernel/livepatch/patches_cmdline";
const PATCHED: &str = "this has been live patched";

/// Loads the patch and waits until all tasks have taken the new function.
fn patch(guest: &mut Guest) -> Check {
    guest.load("patches_cmdline")?.succeeds()?;
    guest.eventually("all tasks are patched", |guest| {
        guest.has_logged("livepatch: 'patches_cmdline': patching complete")
    })
}

/// Disables the patch and waits until all tasks have the old function again.
fn unpatch(guest: &mut Guest) -> Check {
    guest.write(&format!("{PATCH}/enabled"), "0")?;
    guest
        .eventually("no task is patched", |guest| guest.has_logged("livepatch: 'patches_cmdline': unpatching complete"))
}

fn patch_replaces_a_function(guest: &mut Guest) -> Check {
    let original = guest.read("/proc/cmdline")?;
    patch(guest)?;
    guest.file_is("/proc/cmdline", PATCHED)?;
    unpatch(guest)?;
    same("/proc/cmdline", &guest.read("/proc/cmdline")?, &original)?;
    guest.logged_in_order(&[
        "livepatch: enabling patch 'patches_cmdline'",
        "livepatch: 'patches_cmdline': starting patching transition",
        "livepatch: 'patches_cmdline': patching complete",
        "livepatch: 'patches_cmdline': starting unpatching transition",
        "livepatch: 'patches_cmdline': unpatching complete",
    ])
}

fn patch_taints(guest: &mut Guest) -> Check {
    patch(guest)?;
    guest.logged("patches_cmdline: tainting kernel with TAINT_LIVEPATCH")?;
    guest.module_taint_is("patches_cmdline", "OEK")?;
    same("taint", &guest.taint()?, "OEK")
}

fn patch_holds_itself_until_disabled(guest: &mut Guest) -> Check {
    patch(guest)?;
    guest.file_is(&format!("{PATCH}/enabled"), "1")?;
    guest.file_is(&format!("{PATCH}/transition"), "0")?;
    guest.refcount_is("patches_cmdline", 1)?;
    guest.unload("patches_cmdline")?.fails_with(Errno::EAGAIN)?;
    unpatch(guest)?;
    guest.eventually("the patch is free", |guest| Ok(guest.refcount_is("patches_cmdline", 0).is_ok()))?;
    guest.unload("patches_cmdline")?.succeeds()?;
    guest.is_absent("patches_cmdline")
}

fn patch_needs_the_mark(guest: &mut Guest) -> Check {
    let file = guest.edited("patches_cmdline", |bytes| modfile::edit::hide_modinfo(bytes, "livepatch"))?;
    guest.load_file(&file, "", 0)?.fails_with(Errno::EINVAL)?;
    guest.logged("module patches_cmdline is not marked as a livepatch module")?;
    same("taint", &guest.taint()?, "OE")
}

fn disabled_patch_is_not_enabled_again(guest: &mut Guest) -> Check {
    patch(guest)?;
    unpatch(guest)?;
    guest.eventually("the patch has left sysfs", |guest| Ok(!guest.exists(PATCH)?))?;
    guest.unload("patches_cmdline")?.succeeds()?;
    guest.load("patches_cmdline")?.succeeds()?;
    guest.eventually("it is patched again", |guest| Ok(guest.read("/proc/cmdline")?.trim_end() == PATCHED))
}
