//! Who may load modules, and how a system stops loading them.

use crate::{
    check::Check,
    errno::Errno,
    guest::{Act, Guest, same},
    scenario,
    scenario::{
        Literature::{Busybox, Framework, Kernel, RequestModule},
        Machine, Scenario,
    },
};

/// One saved guest serves all scenarios that want words on the kernel's command line.
const WITH_WORDS: Machine =
    Machine::DEFAULT.words("module_blacklist=target,nosuch modprobe.blacklist=aliased params.i=7");

pub(super) const ALL: &[Scenario] = &[
    scenario!(capability_is_looked_at_first)
        .claim(Busybox, "without CAP_SYS_MODULE the three system calls fail with EPERM")
        .note("before any argument is looked at: a bad descriptor or address is EPERM, too"),
    scenario!(capability_is_enough)
        .modules(&["hello"])
        .claim(Busybox, "only root can load and unload modules")
        .note("CAP_SYS_MODULE is enough, whoever has it"),
    scenario!(disabling_is_for_ever)
        .modules(&["hello", "target"])
        .claim(
            Kernel,
            "kernel.modules_disabled can be set once, and then nothing is loaded or unloaded until the next boot",
        )
        .note("it cannot be read as 1 and written as 0; loaded modules stay and can be used"),
    scenario!(disabling_comes_before_the_arguments)
        .claim(Kernel, "with modules_disabled the system calls fail with EPERM, whatever they are given"),
    scenario!(disabling_does_not_stop_the_helper)
        .claim(Kernel, "with modules_disabled the kernel still runs the helper; what that loads is refused"),
    scenario!(lockdown_wants_signatures)
        .modules(&["hello", "target"])
        .claim(Kernel, "under lockdown no unsigned module is loaded, and force does not help"),
    scenario!(lockdown_can_only_be_raised)
        .claim(Kernel, "lockdown can be raised from integrity to confidentiality, and never lowered"),
    scenario!(signatures_can_be_demanded)
        .modules(&["hello"])
        .claim(Kernel, "module.sig_enforce demands signatures, and cannot be taken back"),
    scenario!(kernel_has_a_blacklist)
        .modules(&["hello", "target"])
        .machine(WITH_WORDS)
        .claim(Kernel, "module_blacklist= on the kernel's command line refuses modules by name, also to insmod"),
    scenario!(modprobe_has_a_blacklist)
        .modules(&["aliased"])
        .machine(WITH_WORDS)
        .claim(Kernel, "modprobe.blacklist= on the kernel's command line stops modprobe from following aliases"),
    scenario!(command_line_parameters_are_modprobes)
        .modules(&["params"])
        .machine(WITH_WORDS)
        .claim(Framework, "MODULE.PARAMETER=VALUE on the kernel's command line reaches a module loaded later")
        .note("modprobe reads /proc/cmdline and passes it on; insmod and the kernel do not"),
    scenario!(security_module_is_asked_first).modules(&["requester", "forbids_requests"]).claim(
        RequestModule,
        "request_module asks security_kernel_module_request, and fails as that says, before it runs modprobe",
    ),
];

/// Loads and unloads nothing, in three ways: a bad descriptor, a bad address, no name.
fn bad_calls() -> [Act; 3] {
    [
        Act::new("finit_module of no descriptor").call(libc::SYS_finit_module, [(-1).into(), "".into(), 99.into()]),
        Act::new("init_module of no address").call(libc::SYS_init_module, [0.into(), 4096.into(), 0.into()]),
        Act::new("delete_module of no name").call(libc::SYS_delete_module, [0.into(), 0.into()]),
    ]
}

fn capability_is_looked_at_first(guest: &mut Guest) -> Check {
    for (act, errno) in bad_calls().into_iter().zip([Errno::EINVAL, Errno::EFAULT, Errno::EFAULT]) {
        guest.act(act.clone().with_capabilities(&[]))?.fails_with(Errno::EPERM)?;
        guest.act(act.clone().by_user(1000))?.fails_with(Errno::EPERM)?;
        guest.act(act)?.fails_with(errno)?;
    }
    Ok(())
}

/// CAP_SYS_MODULE of linux/capability.h.
const SYS_MODULE: u32 = 16;

fn capability_is_enough(guest: &mut Guest) -> Check {
    let file = guest.path_of("hello");
    guest.act(Act::load(&file).with_capabilities(&[SYS_MODULE]))?.succeeds()?;
    guest.act(Act::unload("hello").with_capabilities(&[SYS_MODULE]))?.succeeds()?;
    guest.act(Act::load(&file).with_capabilities(&[]))?.fails_with(Errno::EPERM)
}

const MODULES_DISABLED: &str = "/proc/sys/kernel/modules_disabled";

fn disabling_is_for_ever(guest: &mut Guest) -> Check {
    guest.load("hello")?.succeeds()?;
    guest.write(MODULES_DISABLED, "1")?;
    guest.write_fails_with(MODULES_DISABLED, "0", Errno::EINVAL)?;
    guest.file_is(MODULES_DISABLED, "1")?;
    guest.load("target")?.fails_with(Errno::EPERM)?;
    guest.unload("hello")?.fails_with(Errno::EPERM)?;
    guest.force_unload("hello")?.fails_with(Errno::EPERM)?;
    guest.is_live("hello")
}

fn disabling_comes_before_the_arguments(guest: &mut Guest) -> Check {
    guest.write(MODULES_DISABLED, "1")?;
    for act in bad_calls() {
        guest.act(act)?.fails_with(Errno::EPERM)?;
    }
    guest.unload("nosuch")?.fails_with(Errno::EPERM)
}

fn disabling_does_not_stop_the_helper(guest: &mut Guest) -> Check {
    guest.write(MODULES_DISABLED, "1")?;
    guest.set_helper("record")?;
    guest.act(Act::mount("none", "/tmp", "nosuchfs", 0))?.fails_with(Errno::ENODEV)?;
    guest.only_call().map(drop)
}

const LOCKDOWN: &str = "/sys/kernel/security/lockdown";

/// Mounts securityfs and locks the kernel down.
fn lock_down(guest: &mut Guest, level: &str) -> Check {
    guest.act(Act::mount("securityfs", "/sys/kernel/security", "securityfs", 0))?.works()?;
    guest.file_is(LOCKDOWN, "[none] integrity confidentiality")?;
    guest.write(LOCKDOWN, level)
}

fn lockdown_wants_signatures(guest: &mut Guest) -> Check {
    const IGNORE_VERMAGIC: u32 = 2;
    guest.load("hello")?.succeeds()?;
    lock_down(guest, "integrity")?;
    guest.load("target")?.fails_with(Errno::EPERM)?;
    guest.logged("unsigned module loading is restricted; see man kernel_lockdown.7")?;
    let file = guest.path_of("target");
    guest.load_file(&file, "", IGNORE_VERMAGIC)?.fails_with(Errno::EPERM)?;
    guest.unload("hello")?.succeeds()?;
    guest.load("hello")?.fails_with(Errno::EPERM)
}

fn lockdown_can_only_be_raised(guest: &mut Guest) -> Check {
    lock_down(guest, "integrity")?;
    guest.write_fails_with(LOCKDOWN, "none", Errno::EPERM)?;
    guest.write(LOCKDOWN, "confidentiality")?;
    guest.write_fails_with(LOCKDOWN, "integrity", Errno::EPERM)?;
    guest.file_is(LOCKDOWN, "none integrity [confidentiality]")
}

fn signatures_can_be_demanded(guest: &mut Guest) -> Check {
    const SIG_ENFORCE: &str = "/sys/module/module/parameters/sig_enforce";
    guest.load("hello")?.succeeds()?;
    guest.unload("hello")?.succeeds()?;
    guest.write(SIG_ENFORCE, "1")?;
    guest.load("hello")?.fails_with(Errno::EKEYREJECTED)?;
    guest.logged("Loading of unsigned module is rejected")?;
    guest.write_fails_with(SIG_ENFORCE, "0", Errno::EROFS)
}

fn kernel_has_a_blacklist(guest: &mut Guest) -> Check {
    guest.load("target")?.fails_with(Errno::EPERM)?;
    guest.logged("Module target is blacklisted")?;
    guest.run("modprobe", &["target"])?.exits_with(1)?;
    guest.load("hello")?.succeeds()
}

fn modprobe_has_a_blacklist(guest: &mut Guest) -> Check {
    guest.run("modprobe", &["modrig-other-name"])?.succeeds()?;
    guest.is_absent("aliased")?;
    guest.load("aliased")?.succeeds()
}

fn command_line_parameters_are_modprobes(guest: &mut Guest) -> Check {
    for (by_modprobe, value) in [(false, "0"), (true, "7")] {
        match by_modprobe {
            true => guest.run("modprobe", &["params"])?.succeeds()?,
            false => guest.load("params")?.succeeds()?,
        }
        guest.file_is("/sys/module/params/parameters/i", value)?;
        guest.unload("params")?.succeeds()?;
    }
    Ok(())
}

/// The security module is a live patch in the place of the hook, because none of a stock kernel can be told to refuse
/// by name without a policy loaded at boot.
fn security_module_is_asked_first(guest: &mut Guest) -> Check {
    guest.load("requester")?.succeeds()?;
    guest.load("forbids_requests")?.succeeds()?;
    guest.eventually("the live patch is in place", |guest| {
        Ok(guest.read("/sys/kernel/livepatch/forbids_requests/transition")?.trim() == "0")
    })?;
    guest.set_helper("record")?;
    super::request_module::gives(guest, "request forbidden-name", -i64::from(libc::EACCES))?;
    super::request_module::gives(guest, "request other-name", 0)?;
    let call = guest.only_call()?;
    same("name passed on", call.argv.last().map_or("", String::as_str), "other-name")?;
    guest.logged_in_order(&["forbids_requests: asked for forbidden-name", "forbids_requests: asked for other-name"])
}
