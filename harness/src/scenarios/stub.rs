//! The stub module: its init runs modprobe through call_usermodehelper, then fails on purpose.

use crate::{
    check::Check,
    errno::Errno,
    guest::{Guest, helper},
    scenario,
    scenario::{Code, Literature::StubModule, Scenario},
};

pub(super) const ALL: &[Scenario] = &[
    scenario!(removes_itself)
        .modules(&["stub", "target"])
        .claim(StubModule, "an init that loads another module and returns -1 leaves that one and no trace of itself"),
    scenario!(stays_beside_its_target)
        .modules(&["stub", "target"])
        .claim(StubModule, "when the stub returns 0 both stay; neither depends on the other"),
    scenario!(exit_status_becomes_the_result)
        .modules(&["stub"])
        .claim(StubModule, "the result of call_usermodehelper is the helper's status, as wait gives it")
        .note("exit code 1 is 256: a stub that returns it negated makes insmod fail with errno 256, which has no name"),
    scenario!(exit_255_is_no_errno)
        .modules(&["stub"])
        .claim(StubModule, "a stub that returns the helper's status negated is gone, and its loader is told so")
        .note("exit code 255 becomes -65280, which the C library does not take for an error; our insmod does"),
    scenario!(signal_becomes_an_errno)
        .modules(&["stub"])
        .claim(StubModule, "a helper that is killed makes the stub fail, with the signal's number as errno"),
    scenario!(missing_helper_is_enoent)
        .modules(&["stub"])
        .claim(StubModule, "call_usermodehelper fails when the program does not exist")
        .note("with UMH_NO_WAIT it succeeds, since nobody waits for exec"),
    scenario!(wait_for_exec_loses_the_status)
        .modules(&["stub"])
        .claim(StubModule, "call_usermodehelper with 1 as its last argument waits for the helper's end")
        .until(
            "3.4",
            Code("include/linux/kmod.h of 3.4, UMH_WAIT_EXEC"),
            "it waits for exec alone; 2 waits for the end",
        ),
    scenario!(empty_path_runs_nothing)
        .modules(&["stub"])
        .claim(StubModule, "call_usermodehelper with an empty path succeeds without running anything"),
];

fn removes_itself(guest: &mut Guest) -> Check {
    guest.load_with("stub", "result=fail")?.fails_with(Errno::EPERM)?;
    guest.logged("stub: call_usermodehelper = 0")?;
    guest.is_absent("stub")?;
    guest.is_live("target")?;
    guest.unload("target")?.succeeds()
}

fn stays_beside_its_target(guest: &mut Guest) -> Check {
    for first_out in ["stub", "target"] {
        guest.load_with("stub", "result=ok")?.succeeds()?;
        for name in ["stub", "target"] {
            guest.is_live(name)?;
            guest.refcount_is(name, 0)?;
            guest.holders_are(name, &[])?;
        }
        guest.unload(first_out)?.succeeds()?;
        guest.is_absent(first_out)?;
        guest.unload(if first_out == "stub" { "target" } else { "stub" })?.succeeds()?;
    }
    Ok(())
}

/// `ret` is the status as wait gives it, 256 times the exit code, and no errno.
fn exit_status_becomes_the_result(guest: &mut Guest) -> Check {
    for code in [1, 2] {
        let params = format!("result=negate path={}", helper(&format!("exit-{code}")));
        guest.load_with("stub", &params)?.returns(-256 * code)?;
        guest.is_absent("stub")?;
    }
    Ok(())
}

/// The C library takes -1 to -4095 for errors. Our insmod looks at the raw value.
fn exit_255_is_no_errno(guest: &mut Guest) -> Check {
    let path = helper("exit-255");
    guest.load_with("stub", &format!("result=negate path={path}"))?.returns(-65280)?;
    guest.is_absent("stub")?;
    let file = guest.path_of("stub");
    guest.run("insmod", &[&file, "result=negate", &format!("path={path}")])?.exits_with(1)?;
    guest.is_absent("stub")
}

fn signal_becomes_an_errno(guest: &mut Guest) -> Check {
    let params = format!("result=negate path={}", helper("kill-9"));
    guest.load_with("stub", &params)?.fails_with(Errno::EBADF)?;
    guest.is_absent("stub")
}

fn missing_helper_is_enoent(guest: &mut Guest) -> Check {
    let params = "result=negate path=/no/such/program";
    for wait in [2, 1] {
        guest.load_with("stub", &format!("{params} wait={wait}"))?.fails_with(Errno::ENOENT)?;
        guest.is_absent("stub")?;
    }
    guest.load_with("stub", &format!("{params} wait=0"))?.succeeds()?;
    guest.is_live("stub")
}

fn wait_for_exec_loses_the_status(guest: &mut Guest) -> Check {
    let params = format!("result=negate path={}", helper("exit-1"));
    guest.load_with("stub", &format!("{params} wait=2"))?.returns(-256)?;
    guest.load_with("stub", &format!("{params} wait=1"))?.succeeds()?;
    guest.eventually("the helper has run twice", |guest| Ok(guest.calls()?.len() == 2))?;
    guest.is_live("stub")
}

fn empty_path_runs_nothing(guest: &mut Guest) -> Check {
    guest.load_with("stub", "result=negate path=\"\"")?.succeeds()?;
    guest.logged("stub: call_usermodehelper = 0")?;
    guest.is_live("stub")
}
