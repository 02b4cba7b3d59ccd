//! The stub module: its init runs modprobe through call_usermodehelper, then fails on purpose.

use crate::{
    check::Check,
    errno::Errno,
    guest::{Guest, Running, helper},
    scenario,
    scenario::{
        Code,
        Literature::{Kernel, StubModule},
        Scenario,
    },
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
    scenario!(killable_wait_ends_with_its_loader)
        .modules(&["stub"])
        .claim(Kernel, "with UMH_KILLABLE a kill of the loader ends the wait; the helper runs on")
        .note("the call returns -ERESTARTSYS, 512, and init decides what becomes of the module"),
    scenario!(plain_wait_outlives_its_loader)
        .modules(&["stub"])
        .claim(StubModule, "the stub waits for its helper, whatever happens to insmod"),
    scenario!(freezable_wait_is_a_wait)
        .modules(&["stub"])
        .claim(Kernel, "UMH_FREEZABLE changes nothing as long as nothing is frozen")
        .note("before 6.1 the flag is not known, and ignored"),
    scenario!(stub_of_itself_is_never_done)
        .modules(&["stub"])
        .claim(StubModule, "a stub can load any module but itself")
        .note("it waits for a modprobe that waits for it: a hung task, and a kill does not end it"),
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

/// Begins to load a stub with these parameters, and waits until its helper, which sleeps, has begun.
fn load_until_helper(guest: &mut Guest, params: &str) -> Check<Running> {
    let params = format!("{params} path={}", helper("sleep-1"));
    let load = guest.start_load("stub", &params)?;
    guest.eventually("the helper has begun", |guest| Ok(!guest.calls()?.is_empty()))?;
    Ok(load)
}

/// UMH_WAIT_PROC and the flags beside it (linux/umh.h).
const WAIT: u32 = 2;
const KILLABLE: u32 = 4;
const FREEZABLE: u32 = 8;

fn killable_wait_ends_with_its_loader(guest: &mut Guest) -> Check {
    let load = load_until_helper(guest, &format!("result=negate wait={}", WAIT | KILLABLE))?;
    guest.kill(&load)?;
    guest.finish(load)?.was_killed()?;
    guest.logged("stub: call_usermodehelper = -512")?;
    guest.is_absent("stub")?;
    let helper = guest.only_call()?;
    let process = format!("/proc/{}/status", helper.status_field("Pid").unwrap_or_default());
    guest.lines_with(&process, "Name:\tsleep-1").map(drop)
}

fn plain_wait_outlives_its_loader(guest: &mut Guest) -> Check {
    let load = load_until_helper(guest, &format!("result=ok wait={WAIT}"))?;
    guest.kill(&load)?;
    guest.finish(load)?.was_killed()?;
    guest.logged("stub: call_usermodehelper = 0")?;
    guest.is_live("stub")
}

fn freezable_wait_is_a_wait(guest: &mut Guest) -> Check {
    let params = format!("result=negate wait={} path={}", WAIT | FREEZABLE, helper("exit-2"));
    guest.load_with("stub", &params)?.returns(-512)?;
    guest.is_absent("stub")
}

fn stub_of_itself_is_never_done(guest: &mut Guest) -> Check {
    guest.expect_splat("INFO: task hung in *");
    guest.write("/proc/sys/kernel/hung_task_timeout_secs", "1")?;
    let load = guest.start_load("stub", "arg=stub")?;
    guest.eventually("the hung task is reported", |guest| guest.has_logged("blocked for more than "))?;
    guest.kill(&load)?;
    guest.file_is("/sys/module/stub/initstate", "coming")
}
