//! Modules that break the kernel: what is left of the module, of its loader and of the rest.

use crate::{
    behaviour::OOPS_IN_INIT,
    check::Check,
    errno::Errno,
    guest::{Guest, same},
    scenario,
    scenario::{
        Literature::{Framework, Kernel},
        Scenario,
    },
};

pub(super) const ALL: &[Scenario] = &[
    scenario!(oops_in_init_leaves_it_coming)
        .modules(&["oopses", "hello"])
        .claim(Framework, "an oops in init kills the loader; the module stays coming and can never be unloaded"),
    scenario!(bug_in_init_leaves_it_coming)
        .modules(&["bugs", "hello"])
        .claim(Kernel, "BUG in init kills the loader like an oops, by SIGSEGV rather than SIGKILL"),
    scenario!(oops_in_exit_leaves_it_going)
        .modules(&["exit_oopses", "hello"])
        .claim(Framework, "an oops in exit kills who unloads; the module stays going"),
    scenario!(warning_in_init_only_taints)
        .modules(&["warns"])
        .claim(Framework, "WARN prints a trace and taints the kernel; the module lives on"),
];

fn oops_in_init_leaves_it_coming(guest: &mut Guest) -> Check {
    guest.expect_fault("kernel NULL pointer dereference");
    guest.expect_fault("Oops: ");
    guest.load("oopses")?.was_killed()?;
    guest.logged(OOPS_IN_INIT.on(guest.version()))?;
    stays(guest, "oopses", "coming", "1")?;
    others_still_load(guest)
}

fn bug_in_init_leaves_it_coming(guest: &mut Guest) -> Check {
    guest.expect_fault("kernel BUG at ");
    guest.expect_fault("invalid opcode");
    guest.expect_fault("Oops: ");
    // An invalid instruction's signal; that of a bad access in the kernel is SIGKILL (arch/x86, `oops_end`).
    guest.load("bugs")?.died_of(libc::SIGSEGV)?;
    guest.logged("kernel BUG at ")?;
    stays(guest, "bugs", "coming", "1")?;
    others_still_load(guest)
}

fn oops_in_exit_leaves_it_going(guest: &mut Guest) -> Check {
    guest.expect_fault("kernel NULL pointer dereference");
    guest.expect_fault("Oops: ");
    guest.load("exit_oopses")?.succeeds()?;
    guest.unload("exit_oopses")?.was_killed()?;
    stays(guest, "exit_oopses", "going", "-1")?;
    guest.load("exit_oopses")?.fails_with(Errno::EBUSY)?;
    others_still_load(guest)
}

fn warning_in_init_only_taints(guest: &mut Guest) -> Check {
    guest.load("warns")?.succeeds()?;
    guest.logged("warns: init")?;
    guest.logged("WARNING: ")?;
    guest.logged("Modules linked in: warns(OE+)")?;
    guest.is_live("warns")?;
    same("taint", &guest.taint()?, "WOE")?;
    guest.unload("warns")?.succeeds()
}

/// Neither force nor patience gets it out of this state.
fn stays(guest: &mut Guest, name: &str, state: &str, refcount: &str) -> Check {
    guest.file_is(&format!("/sys/module/{name}/initstate"), state)?;
    guest.file_is(&format!("/sys/module/{name}/refcnt"), refcount)?;
    guest.unload(name)?.fails_with(Errno::EBUSY)?;
    guest.force_unload(name)?.fails_with(Errno::EBUSY)
}

fn others_still_load(guest: &mut Guest) -> Check {
    guest.load("hello")?.succeeds()?;
    guest.unload("hello")?.succeeds()?;
    same("taint", &guest.taint()?, "DOE")
}
