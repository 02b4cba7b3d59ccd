//! request_module: the kernel runs modprobe and waits for it.

use crate::{
    check::{Check, Stop},
    guest::{Guest, Returned, helper, same},
    scenario,
    scenario::{
        Code, Commit,
        Literature::{ExecModprobe, Kernel, RequestModule},
        Scenario,
    },
};

pub(super) const ALL: &[Scenario] = &[
    scenario!(loads_by_name)
        .modules(&["requester", "hello"])
        .claim(RequestModule, "request_module(name) runs modprobe, waits for it, and the module is there"),
    scenario!(loads_by_alias)
        .modules(&["requester", "aliased"])
        .claim(RequestModule, "the name may be an alias, which modprobe resolves from modules.alias"),
    scenario!(helper_gets_its_arguments)
        .modules(&["requester"])
        .claim(ExecModprobe, "the helper is run as `modprobe -s -k name`, with a fixed environment")
        .until("2.6", Code("kernel/kmod.c of 2.6, request_module()"), "it is run as `modprobe -q -- name`"),
    scenario!(helper_is_root_with_nothing_open)
        .modules(&["requester"])
        .claim(ExecModprobe, "the helper has all rights, no open files and no blocked signals, whoever asked"),
    scenario!(modprobe_path_is_a_sysctl)
        .modules(&["requester"])
        .claim(ExecModprobe, "/proc/sys/kernel/modprobe names the helper, and can be changed at any time"),
    scenario!(missing_helper_is_enoent)
        .modules(&["requester"])
        .claim(RequestModule, "a negative result means that modprobe could not be run"),
    scenario!(exit_status_is_returned)
        .modules(&["requester"])
        .claim(RequestModule, "a positive result is the exit status of modprobe, as wait gives it"),
    scenario!(empty_path_is_enoent)
        .modules(&["requester"])
        .claim(RequestModule, "with an empty modprobe_path nothing is run, and 0 returned")
        .until(
            "5.7",
            Commit("d7d27cfc5cf0", "kmod: make request_module() return an error when autoloading is disabled"),
            "nothing is run, and -ENOENT returned",
        ),
    scenario!(name_too_long_is_refused)
        .modules(&["requester"])
        .claim(RequestModule, "a name of MODULE_NAME_LEN or more fails with ENAMETOOLONG, without running modprobe"),
    scenario!(nowait_does_not_see_the_exit_status)
        .modules(&["requester"])
        .claim(RequestModule, "request_module_nowait returns when modprobe has been started"),
    scenario!(chain_of_49_works)
        .modules(&["chain_00"])
        .claim(RequestModule, "modules may request modules in their init, up to 50 modprobes at once"),
    scenario!(chain_of_60_meets_the_limit)
        .modules(&["chain_00"])
        .claim(RequestModule, "the 51st modprobe at once is taken for a runaway loop and fails with -ENOMEM")
        .until(
            "4.13",
            Commit("6d7964a722af", "kmod: throttle kmod thread limit"),
            "it waits 5 s for one of the others to end, then fails with -ETIME",
        ),
    scenario!(self_request_is_stuck_until_killed)
        .modules(&["self_request"])
        .claim(Kernel, "a module that requests itself in its init waits for its own load, until it is killed"),
    scenario!(mutual_requests_are_stuck_until_killed)
        .modules(&["loop_a", "loop_b"])
        .claim(Kernel, "two modules that request each other in their inits wait for each other, until one is killed"),
];

/// What the requester got for one command, such as `request hello`.
fn result_of(guest: &mut Guest, command: &str) -> Check<i64> {
    guest.write("/dev/requester", command)?;
    let text = guest.read("/dev/requester")?;
    let number = text.split_whitespace().last().and_then(|word| word.parse().ok());
    number.ok_or_else(|| Stop::failed(format!("/dev/requester says `{text}`, which is no result")))
}

/// The requester gets this result for a command.
pub(super) fn gives(guest: &mut Guest, command: &str, expected: i64) -> Check {
    let seen = result_of(guest, command)?;
    same(&format!("`{command}` gave"), &seen.to_string(), &expected.to_string())
}

fn loads_by_name(guest: &mut Guest) -> Check {
    guest.load("requester")?.succeeds()?;
    gives(guest, "request hello", 0)?;
    guest.is_live("hello")?;
    gives(guest, "request hello", 0)?;
    gives(guest, "request nosuch", 256)
}

fn loads_by_alias(guest: &mut Guest) -> Check {
    guest.load("requester")?.succeeds()?;
    gives(guest, "request modrig-alias-42", 0)?;
    guest.is_live("aliased")
}

fn helper_gets_its_arguments(guest: &mut Guest) -> Check {
    guest.load("requester")?.succeeds()?;
    guest.set_helper("record")?;
    gives(guest, "request some-name", 0)?;
    let call = guest.only_call()?;
    same("arguments", &call.argv.join(" "), &format!("{} -q -- some-name", helper("record")))?;
    same("environment", &call.environment.join(" "), "HOME=/ TERM=linux PATH=/sbin:/usr/sbin:/bin:/usr/bin")
}

fn helper_is_root_with_nothing_open(guest: &mut Guest) -> Check {
    guest.load("requester")?.succeeds()?;
    guest.set_helper("record")?;
    gives(guest, "request some-name", 0)?;
    let call = guest.only_call()?;
    same("working directory", &call.directory, "/")?;
    same("open descriptors", &format!("{:?}", call.descriptors), "[]")?;
    for (field, expected) in [("Uid", "0\t0\t0\t0"), ("Gid", "0\t0\t0\t0"), ("SigBlk", "0000000000000000")] {
        same(field, call.status_field(field).unwrap_or_default(), expected)?;
    }
    same("CapEff", call.status_field("CapEff").unwrap_or_default(), call.status_field("CapBnd").unwrap_or_default())?;
    same("parent", call.parent.split('/').next().unwrap_or_default(), "kworker")
}

fn modprobe_path_is_a_sysctl(guest: &mut Guest) -> Check {
    guest.file_is("/proc/sys/kernel/modprobe", "/sbin/modprobe")?;
    guest.load("requester")?.succeeds()?;
    for (name, result) in [("exit-0", 0), ("exit-2", 2 << 8)] {
        guest.set_helper(name)?;
        gives(guest, "request some-name", result)?;
    }
    same("number of calls of the helper", &guest.calls()?.len().to_string(), "2")
}

fn missing_helper_is_enoent(guest: &mut Guest) -> Check {
    guest.load("requester")?.succeeds()?;
    for (path, errno) in [("/no/such/program", libc::ENOENT), ("/sbin", libc::EACCES)] {
        guest.set_modprobe(path)?;
        gives(guest, "request some-name", -i64::from(errno))?;
    }
    guest.not_logged("failed to exec")
}

fn exit_status_is_returned(guest: &mut Guest) -> Check {
    guest.load("requester")?.succeeds()?;
    for (name, result) in [("exit-1", 1 << 8), ("exit-255", 255 << 8), ("kill-9", 9)] {
        guest.set_helper(name)?;
        gives(guest, "request some-name", result)?;
    }
    Ok(())
}

fn empty_path_is_enoent(guest: &mut Guest) -> Check {
    guest.load("requester")?.succeeds()?;
    guest.set_modprobe("")?;
    gives(guest, "request some-name", -i64::from(libc::ENOENT))
}

/// MODULE_NAME_LEN is 64 minus the size of a long, so 56.
fn name_too_long_is_refused(guest: &mut Guest) -> Check {
    guest.load("requester")?.succeeds()?;
    guest.set_helper("record")?;
    gives(guest, &format!("request {}", "n".repeat(56)), -i64::from(libc::ENAMETOOLONG))?;
    same("number of calls of the helper", &guest.calls()?.len().to_string(), "0")?;
    gives(guest, &format!("request {}", "n".repeat(55)), 0)?;
    let call = guest.only_call()?;
    same("name passed on", call.argv.last().map_or("", String::as_str), &"n".repeat(55))
}

fn nowait_does_not_see_the_exit_status(guest: &mut Guest) -> Check {
    guest.load("requester")?.succeeds()?;
    guest.set_helper("exit-1")?;
    gives(guest, "nowait some-name", 0)?;
    guest.eventually("the helper has run", |guest| Ok(guest.calls()?.len() == 1))?;
    guest.set_modprobe("/no/such/program")?;
    gives(guest, "nowait some-name", -i64::from(libc::ENOENT))
}

/// From `chain_11` to `chain_60` there are 49 requests; the last module asks for one that does not exist.
fn chain_of_49_works(guest: &mut Guest) -> Check {
    guest.load("chain_11")?.succeeds()?;
    guest.logged("chain_11: request_module(chain_12) = 0")?;
    guest.logged("chain_60: request_module(chain_61) = 256")?;
    guest.not_logged("kmod busy")?;
    guest.is_live("chain_60")
}

fn chain_of_60_meets_the_limit(guest: &mut Guest) -> Check {
    guest.load("chain_00")?.succeeds()?;
    guest.logged("modprobe chain_51 cannot be processed, kmod busy with 50 threads for more than 5 seconds now")?;
    guest.logged(&format!("chain_50: request_module(chain_51) = -{}", libc::ETIME))?;
    guest.logged("chain_00: request_module(chain_01) = 0")?;
    guest.is_live("chain_50")?;
    guest.is_absent("chain_51")
}

fn self_request_is_stuck_until_killed(guest: &mut Guest) -> Check {
    killed_when_stuck(guest, "self_request")?.was_killed()?;
    guest.logged("self_request: request_module(self_request) = -512")?;
    guest.is_live("self_request")
}

fn mutual_requests_are_stuck_until_killed(guest: &mut Guest) -> Check {
    killed_when_stuck(guest, "loop_a")?.was_killed()?;
    guest.logged("loop_a: request_module(loop_b) = -512")?;
    guest.is_live("loop_a")?;
    guest.eventually("loop_b is told that loop_a is there", |guest| {
        guest.has_logged("loop_b: request_module(loop_a) = 0")
    })?;
    guest.eventually("loop_b is live", |guest| guest.state_is("loop_b", "live"))
}

/// Loads a module whose init never returns by itself: two seconds later it is still coming, then it is killed.
fn killed_when_stuck(guest: &mut Guest, name: &str) -> Check<Returned> {
    let mut load = guest.start_load(name, "")?;
    if !guest.stays_running(&mut load)? {
        return Err(Stop::failed(format!("loading {name} should never end, but did")));
    }
    same("its state", guest.read(&format!("/sys/module/{name}/initstate"))?.trim_end(), "coming")?;
    guest.kill(&load)?;
    guest.finish(load)
}
