//! Unloading: who holds a module, and what force can and cannot do.

use crate::{
    check::{Check, Stop},
    errno::Errno,
    guest::{Act, Guest, same},
    scenario,
    scenario::{
        Commit,
        Literature::{Busybox, ExecModprobe, Framework, Kernel},
        Scenario,
    },
};

pub(super) const ALL: &[Scenario] = &[
    scenario!(holders_are_shown_by_lsmod)
        .modules(&["dep_base", "dep_mid", "dep_top"])
        .claim(Framework, "a module that uses another's symbol holds it: refcount and users are seen in lsmod"),
    scenario!(used_module_is_eagain)
        .modules(&["dep_base", "dep_mid", "dep_top"])
        .claim(Framework, "a module that another one uses cannot be unloaded, not even by force"),
    scenario!(open_device_is_eagain)
        .modules(&["chardev"])
        .claim(ExecModprobe, "a module in use must not go away; it can when its last user closes"),
    scenario!(missing_exit_is_ebusy_until_forced)
        .modules(&["no_exit"])
        .claim(Framework, "a module with init and without exit stays, unless it is forced out, which taints"),
    scenario!(held_module_goes_by_force)
        .modules(&["holds_itself"])
        .claim(Framework, "O_TRUNC unloads a module whose refcount is not 0, and taints the kernel"),
    scenario!(loading_module_is_ebusy)
        .modules(&["slow_init"])
        .claim(Framework, "a module is coming while its init runs, and cannot be unloaded then"),
    scenario!(leaving_module_is_ebusy)
        .modules(&["slow_exit"])
        .claim(Framework, "a module is going while its exit runs; neither load nor unload touches it then"),
    scenario!(unknown_module_is_enoent)
        .claim(Busybox, "delete_module of a name that is not loaded fails; a built-in is not loaded either"),
    scenario!(module_with_nothing_goes)
        .modules(&["empty"])
        .claim(Framework, "a module may have neither init nor exit, and can then be unloaded"),
    scenario!(exit_of_a_forced_module_gets_no_reference)
        .modules(&["holds_itself"])
        .claim(Framework, "while a module goes, try_module_get of it fails"),
    scenario!(unloading_does_not_wait)
        .modules(&["chardev"])
        .claim(Framework, "without O_NONBLOCK, delete_module waits until the module is free")
        .until("3.13", Commit("3f2b9c9cdf38", "module: remove rmmod --wait option."), "it fails at once, too"),
    scenario!(forced_module_can_come_again)
        .modules(&["holds_itself", "no_exit"])
        .claim(Kernel, "a module that was forced out can be loaded again; the taint stays"),
];

fn holders_are_shown_by_lsmod(guest: &mut Guest) -> Check {
    guest.run("modprobe", &["dep_top"])?.succeeds()?;
    guest.refcount_is("dep_base", 1)?;
    guest.holders_are("dep_base", &["dep_mid"])?;
    guest.refcount_is("dep_top", 0)?;
    let shown = guest.run("lsmod", &[])?;
    shown.prints_line_of(&["dep_top", "0"])?;
    shown.prints_line_of(&["dep_mid", "1", "dep_top"])?;
    shown.prints_line_of(&["dep_base", "1", "dep_mid"])
}

fn used_module_is_eagain(guest: &mut Guest) -> Check {
    guest.run("modprobe", &["dep_top"])?.succeeds()?;
    guest.unload("dep_base")?.fails_with(Errno::EAGAIN)?;
    guest.force_unload("dep_base")?.fails_with(Errno::EAGAIN)?;
    guest.run("rmmod", &["dep_mid"])?.fails_saying("rmmod: ERROR: Module dep_mid is in use by: dep_top")?;
    for name in ["dep_top", "dep_mid", "dep_base"] {
        guest.unload(name)?.succeeds()?;
    }
    guest.is_absent("dep_base")
}

fn open_device_is_eagain(guest: &mut Guest) -> Check {
    guest.load("chardev")?.succeeds()?;
    let file = guest.open("/dev/chardev")?;
    guest.refcount_is("chardev", 1)?;
    guest.unload("chardev")?.fails_with(Errno::EAGAIN)?;
    guest.close(file)?;
    guest.refcount_is("chardev", 0)?;
    guest.unload("chardev")?.succeeds()?;
    guest.is_absent("chardev")
}

fn missing_exit_is_ebusy_until_forced(guest: &mut Guest) -> Check {
    guest.load("no_exit")?.succeeds()?;
    let permanent = guest.module("no_exit")?.is_some_and(|module| module.permanent);
    same("/proc/modules marks no_exit [permanent]", &permanent.to_string(), "true")?;
    guest.unload("no_exit")?.fails_with(Errno::EBUSY)?;
    guest.force_unload("no_exit")?.succeeds()?;
    guest.is_absent("no_exit")?;
    same("taint", &guest.taint()?, "ROE")
}

fn held_module_goes_by_force(guest: &mut Guest) -> Check {
    guest.load("holds_itself")?.succeeds()?;
    guest.refcount_is("holds_itself", 1)?;
    guest.unload("holds_itself")?.fails_with(Errno::EAGAIN)?;
    guest.force_unload("holds_itself")?.succeeds()?;
    guest.is_absent("holds_itself")?;
    same("taint", &guest.taint()?, "ROE")
}

fn loading_module_is_ebusy(guest: &mut Guest) -> Check {
    let load = guest.load_until_coming("slow_init", "hold=1")?;
    guest.refcount_is("slow_init", 1)?;
    guest.unload("slow_init")?.fails_with(Errno::EBUSY)?;
    guest.force_unload("slow_init")?.fails_with(Errno::EBUSY)?;
    guest.let_go("slow_init", "hold")?;
    guest.finish(load)?.succeeds()?;
    guest.unload("slow_init")?.succeeds()
}

fn leaving_module_is_ebusy(guest: &mut Guest) -> Check {
    guest.load_with("slow_exit", "hold=1")?.succeeds()?;
    let unload = guest.unload_until_going("slow_exit")?;
    guest.refcount_is("slow_exit", -1)?;
    guest.unload("slow_exit")?.fails_with(Errno::EBUSY)?;
    guest.load("slow_exit")?.fails_with(Errno::EBUSY)?;
    guest.let_go("slow_exit", "hold")?;
    guest.finish(unload)?.succeeds()?;
    guest.is_absent("slow_exit")
}

fn unknown_module_is_enoent(guest: &mut Guest) -> Check {
    guest.unload("nosuch")?.fails_with(Errno::ENOENT)?;
    guest.unload("printk")?.fails_with(Errno::ENOENT)?;
    match guest.exists("/sys/module/printk")? {
        true => Ok(()),
        false => Err(Stop::failed("printk should be built in and shown in /sys/module")),
    }
}

fn module_with_nothing_goes(guest: &mut Guest) -> Check {
    guest.load("empty")?.succeeds()?;
    guest.is_live("empty")?;
    guest.unload("empty")?.succeeds()?;
    guest.is_absent("empty")
}

fn exit_of_a_forced_module_gets_no_reference(guest: &mut Guest) -> Check {
    guest.load("holds_itself")?.succeeds()?;
    guest.force_unload("holds_itself")?.succeeds()?;
    guest.logged("holds_itself: exit, try_module_get = 0")
}

fn unloading_does_not_wait(guest: &mut Guest) -> Check {
    guest.load("chardev")?.succeeds()?;
    let file = guest.open("/dev/chardev")?;
    let patient =
        Act::new("unloading chardev without O_NONBLOCK").call(libc::SYS_delete_module, ["chardev".into(), 0.into()]);
    guest.act(patient.clone())?.fails_with(Errno::EAGAIN)?;
    guest.close(file)?;
    guest.act(patient)?.succeeds()
}

fn forced_module_can_come_again(guest: &mut Guest) -> Check {
    for name in ["holds_itself", "no_exit"] {
        for _ in 0..2 {
            guest.load(name)?.succeeds()?;
            guest.force_unload(name)?.succeeds()?;
            guest.is_absent(name)?;
        }
    }
    same("taint", &guest.taint()?, "ROE")
}
