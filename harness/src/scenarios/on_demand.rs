//! Modules that are loaded by being used: each answers to the name that the kernel requests, and then serves who asked.

use crate::{
    behaviour::UNKNOWN_FORMAT_IS_ASKED_FOR,
    check::{Check, Stop},
    errno::Errno,
    guest::{Act, Guest, same},
    scenario,
    scenario::{
        Literature::{ExecModprobe, Framework},
        Scenario,
    },
};

pub(super) const ALL: &[Scenario] = &[
    scenario!(mount_loads_its_file_system)
        .modules(&["lazy_fs"])
        .claim(ExecModprobe, "a file system is loaded by mount, cannot go while it is mounted, and can after"),
    scenario!(open_loads_the_driver)
        .modules(&["lazy_char"])
        .claim(ExecModprobe, "a character device's driver is loaded by the first open, and held while it is open"),
    scenario!(socket_loads_its_family)
        .modules(&["lazy_socket"])
        .claim(ExecModprobe, "a protocol family is loaded by the first socket, and held while there is one"),
    scenario!(interface_is_loaded_by_who_asks_for_it)
        .modules(&["lazy_netdev"])
        .claim(Framework, "a network interface comes with its module when it is asked for by name"),
    scenario!(algorithm_is_loaded_by_who_needs_it)
        .modules(&["lazy_hash", "seeks_hash"])
        .claim(Framework, "an algorithm is loaded by who looks for it, and held while it is used"),
    scenario!(format_is_loaded_by_exec)
        .modules(&["lazy_format"])
        .claim(ExecModprobe, "a format of programs is loaded by executing one")
        .until_fact(UNKNOWN_FORMAT_IS_ASKED_FOR.turn(), "it has to be loaded before"),
    scenario!(static_node_loads_its_driver)
        .modules(&["lazy_misc"])
        .claim(Framework, "modules.devname names nodes that can be made before their driver is loaded"),
    scenario!(ordinary_user_loads_by_use)
        .modules(&["lazy_char"])
        .claim(ExecModprobe, "who cannot load a module can cause one to be loaded"),
    scenario!(blacklist_stops_loading_on_demand)
        .modules(&["lazy_fs"])
        .claim(Framework, "an alias is not followed to a module that the configuration keeps out")
        .note("a blacklist line is about aliases alone; by its own name the module can be loaded"),
    scenario!(disabled_helper_stops_loading_on_demand)
        .modules(&["lazy_fs"])
        .claim(ExecModprobe, "with an empty modprobe path nothing is loaded on demand, and mount fails"),
];

/// The module is live with this many references; none of them keeps it from being unloaded if that is 0.
fn is_held(guest: &mut Guest, name: &str, count: i64) -> Check {
    guest.is_live(name)?;
    guest.refcount_is(name, count)?;
    match count {
        0 => guest.unload(name)?.succeeds(),
        _ => guest.unload(name)?.fails_with(Errno::EAGAIN),
    }
}

fn mount_loads_its_file_system(guest: &mut Guest) -> Check {
    guest.act(Act::make_directory("/tmp/mounted"))?.works()?;
    guest.act(Act::mount("none", "/tmp/mounted", "lazy_fs", 0))?.works()?;
    is_held(guest, "lazy_fs", 1)?;
    guest.act(Act::unmount("/tmp/mounted", 0))?.works()?;
    guest.eventually("the module is free", |guest| Ok(guest.refcount_is("lazy_fs", 0).is_ok()))?;
    is_held(guest, "lazy_fs", 0)
}

/// An open character device holds its module twice: by its number, and by its operations.
fn open_loads_the_driver(guest: &mut Guest) -> Check {
    guest.act(Act::make_node("/dev/local", libc::S_IFCHR, 240, 5))?.works()?;
    let file = guest.open("/dev/local")?;
    is_held(guest, "lazy_char", 2)?;
    guest.close(file)?;
    is_held(guest, "lazy_char", 0)
}

/// PF_NETBEUI, which lazy_socket has taken.
const NETBEUI: i32 = 13;

fn socket_loads_its_family(guest: &mut Guest) -> Check {
    guest.act(Act::socket(NETBEUI, libc::SOCK_DGRAM, 0))?.works()?;
    let holder = guest.start_act(Act::socket(NETBEUI, libc::SOCK_DGRAM, 0).and_stays())?;
    guest.eventually("the socket holds its module", |guest| {
        Ok(guest.module("lazy_socket")?.is_some_and(|module| module.refcnt == Some(1)))
    })?;
    guest.unload("lazy_socket")?.fails_with(Errno::EAGAIN)?;
    guest.kill(&holder)?;
    guest.finish(holder)?.was_killed()?;
    is_held(guest, "lazy_socket", 0)
}

fn interface_is_loaded_by_who_asks_for_it(guest: &mut Guest) -> Check {
    guest.act(Act::interface("modrig0").by_user(1000))?.fails_with(Errno::ENODEV)?;
    guest.act(Act::interface("modrig0"))?.works()?;
    guest.act(Act::interface("modrig0").by_user(1000))?.works()?;
    is_held(guest, "lazy_netdev", 0)?;
    guest.act(Act::interface("modrig0").by_user(1000))?.fails_with(Errno::ENODEV)
}

fn algorithm_is_loaded_by_who_needs_it(guest: &mut Guest) -> Check {
    guest.load("seeks_hash")?.succeeds()?;
    guest.logged_in_order(&["lazy_hash: init", "seeks_hash: found modrig-hash"])?;
    guest.holders_are("lazy_hash", &[])?;
    is_held(guest, "lazy_hash", 1)?;
    guest.unload("seeks_hash")?.succeeds()?;
    is_held(guest, "lazy_hash", 0)
}

fn format_is_loaded_by_exec(guest: &mut Guest) -> Check {
    guest.put_program("/tmp/program", &[1, 2, 3, 4, 5, 6, 7, 8])?;
    if !UNKNOWN_FORMAT_IS_ASKED_FOR.on(guest.version()) {
        guest.act(Act::execute("/tmp/program"))?.fails_with(Errno::ENOEXEC)?;
        guest.load("lazy_format")?.succeeds()?;
    }
    guest.act(Act::execute("/tmp/program"))?.fails_with(Errno::ELIBBAD)?;
    is_held(guest, "lazy_format", 0)
}

/// What `kmod static-nodes` and systemd-tmpfiles make of modules.devname at boot, the scenario does itself.
fn static_node_loads_its_driver(guest: &mut Guest) -> Check {
    let index = format!("/lib/modules/{}/modules.devname", guest.release());
    same(&index, &guest.lines_with(&index, "lazy_misc")?.join(" "), "lazy_misc modrig/lazy c10:245")?;
    guest.act(Act::make_directory("/dev/modrig"))?.works()?;
    guest.act(Act::make_node("/dev/modrig/lazy", libc::S_IFCHR, 10, 245))?.works()?;
    guest.is_absent("lazy_misc")?;
    let file = guest.open("/dev/modrig/lazy")?;
    is_held(guest, "lazy_misc", 1)?;
    guest.close(file)?;
    is_held(guest, "lazy_misc", 0)
}

fn ordinary_user_loads_by_use(guest: &mut Guest) -> Check {
    let file = guest.path_of("lazy_char");
    guest.act(Act::load(&file).by_user(1000))?.fails_with(Errno::EPERM)?;
    guest.act(Act::make_node("/dev/local", libc::S_IFCHR, 240, 5))?.works()?;
    guest.act(Act::open("/dev/local", libc::O_RDONLY).by_user(1000))?.works()?;
    guest.is_live("lazy_char")?;
    guest.act(Act::unload("lazy_char").by_user(1000))?.fails_with(Errno::EPERM)
}

fn blacklist_stops_loading_on_demand(guest: &mut Guest) -> Check {
    guest.configure("blacklist lazy_fs\n")?;
    guest.act(Act::mount("none", "/tmp", "lazy_fs", 0))?.fails_with(Errno::ENODEV)?;
    guest.is_absent("lazy_fs")?;
    guest.run("modprobe", &["lazy_fs"])?.succeeds()?;
    guest.act(Act::mount("none", "/tmp", "lazy_fs", 0))?.works()
}

fn disabled_helper_stops_loading_on_demand(guest: &mut Guest) -> Check {
    guest.set_modprobe("")?;
    guest.act(Act::mount("none", "/tmp", "lazy_fs", 0))?.fails_with(Errno::ENODEV)?;
    guest.is_absent("lazy_fs")?;
    match guest.has_logged("lazy_fs: init")? {
        false => Ok(()),
        true => Err(Stop::failed("the file system was loaded without a helper")),
    }
}
