//! Modules that break the kernel: what is left of the module, of its loader and of the rest.

use crate::{
    behaviour::{FILE_THAT_OOPSED_BREAKS_LOADING, OOPS_IN_INIT},
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
    scenario!(put_too_often_is_a_bug)
        .modules(&["puts_too_often", "hello"])
        .claim(Kernel, "a module that gives back more references than it took is a BUG when it is unloaded")
        .note("who unloads dies with a lock held: no module is loaded or unloaded any more"),
    scenario!(file_that_oopsed_is_not_loaded_again)
        .modules(&["oopses"])
        .claim(Kernel, "a second load of a module whose init oopsed waits for ever, and can be killed")
        .until_fact(FILE_THAT_OOPSED_BREAKS_LOADING.turn(), "it follows a pointer to the dead loader's stack"),
];

/// The title of what the module oopses has done, and the same where [`has_kasan`].
const NULL_IN_INIT: [&str; 2] =
    ["BUG: unable to handle kernel NULL pointer dereference in oopses_init", "general protection fault in oopses_init"];

/// The same of exit_oopses.
const NULL_IN_EXIT: [&str; 2] = [
    "BUG: unable to handle kernel NULL pointer dereference in exit_oopses_exit",
    "general protection fault in exit_oopses_exit",
];

/// Whether the kernel looks at its shadow memory before each access to memory. The shadow of address 0 has no valid
/// address, so that an access there is no page fault but a general protection fault.
pub(super) fn has_kasan(guest: &mut Guest) -> Check<bool> {
    Ok(!guest.lines_with("/proc/kallsyms", " kasan_report")?.is_empty())
}

/// Expects an access to address 0, and gives the signal of that fault, by which its process dies.
fn expect_null(guest: &mut Guest, titles: [&'static str; 2]) -> Check<i32> {
    let kasan = has_kasan(guest)?;
    guest.expect_splat(titles[usize::from(kasan)]);
    Ok(if kasan { libc::SIGSEGV } else { libc::SIGKILL })
}

fn oops_in_init_leaves_it_coming(guest: &mut Guest) -> Check {
    let signal = expect_null(guest, NULL_IN_INIT)?;
    guest.load("oopses")?.died_of(signal)?;
    guest.logged(match signal {
        libc::SIGKILL => OOPS_IN_INIT.on(guest.version()),
        _ => "general protection fault, ",
    })?;
    stays(guest, "oopses", "coming", "1")?;
    others_still_load(guest)
}

fn bug_in_init_leaves_it_coming(guest: &mut Guest) -> Check {
    guest.expect_splat("kernel BUG in bugs_init");
    // An invalid instruction's signal; that of a page fault in the kernel is SIGKILL (arch/x86, `oops_end`).
    guest.load("bugs")?.died_of(libc::SIGSEGV)?;
    guest.logged("kernel BUG at ")?;
    stays(guest, "bugs", "coming", "1")?;
    others_still_load(guest)
}

fn oops_in_exit_leaves_it_going(guest: &mut Guest) -> Check {
    let signal = expect_null(guest, NULL_IN_EXIT)?;
    guest.load("exit_oopses")?.succeeds()?;
    guest.unload("exit_oopses")?.died_of(signal)?;
    stays(guest, "exit_oopses", "going", "-1")?;
    guest.load("exit_oopses")?.fails_with(Errno::EBUSY)?;
    others_still_load(guest)
}

fn warning_in_init_only_taints(guest: &mut Guest) -> Check {
    guest.expect_splat("WARNING in warns_init");
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

/// Loads another module, from memory: a loader that died in `finit_module` has left an entry on its stack in the table of
/// files that are being loaded (since 6.5, commit 9b9879fc0327), and one load in 256 finds its way there.
fn others_still_load(guest: &mut Guest) -> Check {
    let hello = guest.module_file("hello")?;
    guest.load_bytes("hello from memory", &hello)?.succeeds()?;
    guest.unload("hello")?.succeeds()?;
    same("taint", &guest.taint()?, "DOE")
}

fn put_too_often_is_a_bug(guest: &mut Guest) -> Check {
    if has_kasan(guest)? {
        let why = "who waits for the lock looks at the task of the dead, which KASAN reports or not, as time has it";
        return Err(Stop::Skipped(why.into()));
    }
    guest.expect_splat("kernel BUG in *");
    guest.load("puts_too_often")?.succeeds()?;
    guest.refcount_is("puts_too_often", -1)?;
    guest.unload("puts_too_often")?.died_of(libc::SIGSEGV)?;
    let mut load = guest.start_load("hello", "")?;
    match guest.stays_running(&mut load)? {
        true => Ok(()),
        false => Err(Stop::failed("loading hello should never end, but did")),
    }
}

fn file_that_oopsed_is_not_loaded_again(guest: &mut Guest) -> Check {
    if FILE_THAT_OOPSED_BREAKS_LOADING.on(guest.version()) {
        let why = "what lies on the dead loader's stack decides whether the second load oopses or spins for ever";
        return Err(Stop::Skipped(why.into()));
    }
    let signal = expect_null(guest, NULL_IN_INIT)?;
    guest.load("oopses")?.died_of(signal)?;
    let mut second = guest.start_load("oopses", "")?;
    if !guest.stays_running(&mut second)? {
        return Err(Stop::failed("the second load should never end, but did"));
    }
    guest.kill(&second)?;
    guest.finish(second)?.was_killed()
}
