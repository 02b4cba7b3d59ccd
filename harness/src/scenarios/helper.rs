//! The process that the kernel starts in place of modprobe, as the article on 2.2 describes exec_modprobe: it owes
//! nothing to who asked.

use modrig_agent::call::Call;

use super::request_module::gives;
use crate::{
    check::{Check, Stop},
    errno::Errno,
    guest::{Act, Guest, helper, same},
    scenario,
    scenario::{
        Code,
        Literature::{ExecModprobe, Kernel, RequestModule},
        Scenario,
    },
};

pub(super) const ALL: &[Scenario] = &[
    scenario!(has_roots_credentials)
        .claim(ExecModprobe, "the helper has root's credentials and all capabilities, whoever asked"),
    scenario!(has_no_files_of_who_asked).claim(ExecModprobe, "the helper closes all files before it executes modprobe"),
    scenario!(has_default_signals)
        .claim(ExecModprobe, "the helper flushes all signals and gives each its default action"),
    scenario!(has_inits_root_and_directory).claim(ExecModprobe, "the helper has init's root and working directory"),
    scenario!(has_no_session_of_who_asked)
        .claim(Kernel, "the helper is a kernel thread's child, in no session or process group of who asked"),
    scenario!(has_its_own_niceness_and_limits)
        .claim(Kernel, "the helper has niceness 0 and the first process's limits, whatever those of who asked are"),
    scenario!(name_is_one_argument).claim(ExecModprobe, "modprobe gets the name as one argument, and no shell sees it"),
    scenario!(name_with_a_dash_is_no_option)
        .modules(&["requester", "hello"])
        .claim(ExecModprobe, "a name that begins with a dash is taken for an option")
        .until("2.4", Code("kernel/kmod.c of 2.4, exec_modprobe()"), "the arguments have `--` before the name"),
    scenario!(path_longer_than_255_is_cut)
        .claim(ExecModprobe, "modprobe_path is an array of 256 characters, which the sysctl fills as far as it can"),
    scenario!(sysctl_bounds_its_capabilities)
        .claim(RequestModule, "kernel.usermodehelper.bset takes capabilities away from helpers, until the next boot"),
    scenario!(program_that_cannot_run_is_told_apart)
        .modules(&["requester"])
        .claim(ExecModprobe, "request_module fails with the error of execve when modprobe cannot be executed"),
];

/// What the helper saw when this act, which asks for a module that is not there, had failed.
fn call_for(guest: &mut Guest, act: Act) -> Check<Call> {
    guest.set_helper("record")?;
    guest.act(act)?.fails_with(Errno::EAFNOSUPPORT)?;
    guest.only_call()
}

/// Asks for net-pf-9.
fn asking() -> Act {
    Act::socket(libc::AF_X25, libc::SOCK_SEQPACKET, 0)
}

/// A field of the helper's /proc/self/status.
fn status_is(call: &Call, field: &str, expected: &str) -> Check {
    same(field, call.status_field(field).unwrap_or_default(), expected)
}

fn has_roots_credentials(guest: &mut Guest) -> Check {
    let call = call_for(guest, asking().by_user(1000))?;
    for field in ["Uid", "Gid"] {
        status_is(&call, field, "0\t0\t0\t0")?;
    }
    status_is(&call, "Groups", "")?;
    status_is(&call, "CapEff", call.status_field("CapBnd").unwrap_or_default())?;
    status_is(&call, "Umask", "0022")
}

fn has_no_files_of_who_asked(guest: &mut Guest) -> Check {
    let asks = Act::open("/dev/null", libc::O_RDWR)
        .call(libc::SYS_socket, [libc::AF_X25.into(), libc::SOCK_SEQPACKET.into(), 0.into()]);
    let call = call_for(guest, asks)?;
    same("open descriptors", &format!("{:?}", call.descriptors), "[]")
}

fn has_default_signals(guest: &mut Guest) -> Check {
    let call = call_for(guest, asking().ignoring(libc::SIGHUP).blocking(libc::SIGTERM))?;
    for field in ["SigPnd", "ShdPnd", "SigBlk", "SigIgn"] {
        status_is(&call, field, "0000000000000000")?;
    }
    Ok(())
}

/// The helper's path leads nowhere from the root of who asks.
fn has_inits_root_and_directory(guest: &mut Guest) -> Check {
    let call = call_for(guest, asking().in_directory("/").with_root("/proc/sys"))?;
    same("working directory", &call.directory, "/")
}

fn has_no_session_of_who_asked(guest: &mut Guest) -> Check {
    let call = call_for(guest, asking())?;
    same("parent", call.parent.split('/').next().unwrap_or_default(), "kworker")?;
    for (field, number) in [("process group", 5), ("session", 6), ("terminal", 7)] {
        same(field, call.stat_field(number).unwrap_or_default(), "0")?;
    }
    Ok(())
}

fn has_its_own_niceness_and_limits(guest: &mut Guest) -> Check {
    let call = call_for(guest, asking().with_open_files_at_most(8).at_niceness(7))?;
    same("niceness", call.stat_field(19).unwrap_or_default(), "0")?;
    let files = call.limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap_or_default();
    let soft = files.split_whitespace().next().unwrap_or_default();
    same("limit of open files", soft, "1024")
}

fn name_is_one_argument(guest: &mut Guest) -> Check {
    const NAME: &str = "a b;c $(d) `e` *\"'\\";
    guest.set_helper("record")?;
    guest.act(Act::mount("none", "/tmp", NAME, 0))?.fails_with(Errno::ENODEV)?;
    let call = guest.only_call()?;
    let expected = [&helper("record"), "-q", "--", &format!("fs-{NAME}")].map(str::to_owned);
    same("arguments", &format!("{:?}", call.argv), &format!("{expected:?}"))
}

/// Without `--`, `modprobe -q -r` would complain or unload.
fn name_with_a_dash_is_no_option(guest: &mut Guest) -> Check {
    guest.load("requester")?.succeeds()?;
    guest.load("hello")?.succeeds()?;
    gives(guest, "request --remove", 1 << 8)?;
    gives(guest, "request -V", 1 << 8)?;
    guest.is_live("hello")
}

fn path_longer_than_255_is_cut(guest: &mut Guest) -> Check {
    let path = format!("/{}", "p".repeat(300));
    guest.set_modprobe(&path)?;
    guest.file_is("/proc/sys/kernel/modprobe", &path[..255])
}

fn program_that_cannot_run_is_told_apart(guest: &mut Guest) -> Check {
    guest.load("requester")?.succeeds()?;
    guest.put("/tmp/not-executable", b"")?;
    guest.put_program("/tmp/no-program", b"neither ELF nor #!")?;
    let errors = [
        ("/tmp/nothing", libc::ENOENT),
        ("/tmp/not-executable", libc::EACCES),
        ("/tmp", libc::EACCES),
        ("/tmp/not-executable/x", libc::ENOTDIR),
        ("/tmp/no-program", libc::ENOEXEC),
    ];
    for (path, errno) in errors {
        guest.set_modprobe(path)?;
        gives(guest, "request some-name", -i64::from(errno))?;
    }
    Ok(())
}

/// The sysctl is two numbers of 32 bits, the lower one first.
fn sysctl_bounds_its_capabilities(guest: &mut Guest) -> Check {
    const SYS_MODULE: u64 = 1 << 16;
    let bset = "/proc/sys/kernel/usermodehelper/bset";
    let all = guest.read(bset)?;
    let numbers: Vec<u64> = all.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    let [low, high] = numbers[..] else {
        return Err(Stop::failed(format!("{bset} should be two numbers; it is `{}`", all.trim())));
    };
    guest.write(bset, &format!("{} {high}", low & !SYS_MODULE))?;
    let call = call_for(guest, asking())?;
    let left = format!("{:016x}", (high << 32 | low) & !SYS_MODULE);
    for field in ["CapEff", "CapBnd"] {
        status_is(&call, field, &left)?;
    }
    guest.write(bset, &all)?;
    same(
        "what cannot be given back",
        guest.read(bset)?.split_whitespace().next().unwrap_or_default(),
        &(low & !SYS_MODULE).to_string(),
    )
}
