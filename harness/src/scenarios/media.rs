//! A disc in a drive: what is loaded on demand to read it, and must stay while it is mounted.

use super::hotplug::{announce, appears};
use crate::{
    check::Check,
    errno::Errno,
    guest::{Act, Guest, same},
    scenario,
    scenario::{
        Literature::{ExecModprobe, Framework},
        Machine, Scenario,
    },
};

pub(super) const ALL: &[Scenario] = &[
    scenario!(drive_is_found_step_by_step)
        .stock(DRIVE)
        .machine(Machine::PC)
        .claim(Framework, "from the controller's MODALIAS to /dev/sr0 each driver announces what the next one is for"),
    scenario!(opening_the_drive_loads_its_driver).stock(DRIVE).machine(Machine::PC).claim(
        ExecModprobe,
        "opening a block device without a driver asks for block-major-N, so a CD-ROM driver is loaded",
    ),
    scenario!(mounting_loads_the_file_system)
        .stock(DRIVE)
        .machine(Machine::PC)
        .claim(ExecModprobe, "mounting a CD-ROM asks for the file system's module, and fails if it cannot be loaded"),
    scenario!(mounted_file_system_must_not_go).stock(DRIVE).machine(Machine::PC).claim(
        ExecModprobe,
        "a module under a mounted file system must not go away: it has users until it is unmounted",
    ),
    scenario!(open_drive_must_not_go)
        .stock(DRIVE)
        .machine(Machine::PC)
        .claim(Framework, "an open device holds its driver and the drivers below it"),
    scenario!(unknown_file_system_is_enodev)
        .stock(DRIVE)
        .machine(Machine::PC)
        .claim(ExecModprobe, "a file system that no module has is asked for, and then unknown"),
];

/// What a disc in the drive needs.
const DRIVE: &[&str] = &["ata_piix", "sr_mod", "isofs"];

/// The drive's controller, as a modalias has it.
const CONTROLLER: &str = "pci:v00008086d00007010";

/// The drive as SCSI sees it, before it has a driver.
const FOUND: &str = "/sys/bus/scsi/devices";

fn drive_is_found_step_by_step(guest: &mut Guest) -> Check {
    guest.listen_for_devices()?;
    announce(guest, CONTROLLER)?;
    appears(guest, "/dev/sr0")?;
    for name in ["ata_piix", "libata", "scsi_mod", "sr_mod", "cdrom"] {
        guest.eventually(&format!("{name} is live"), |guest| guest.state_is(name, "live"))?;
    }
    guest.eventually("the drive was announced", |guest| {
        Ok(guest.devices_heard_of()?.contains(&"scsi:t-0x05 0".to_owned()))
    })
}

fn opening_the_drive_loads_its_driver(guest: &mut Guest) -> Check {
    guest.run("modprobe", &["ata_piix"])?.succeeds()?;
    guest.eventually("SCSI has found the drive", |guest| {
        Ok(guest.list(FOUND)?.iter().any(|name| name.contains(':') && !name.contains("host")))
    })?;
    guest.is_absent("sr_mod")?;
    guest.act(Act::make_node("/tmp/cdrom", libc::S_IFBLK, 11, 0))?.succeeds()?;
    let open = Act::open("/tmp/cdrom", libc::O_RDONLY);
    let file = open.result();
    guest.act(open.call(libc::SYS_close, [file]))?.succeeds()?;
    guest.is_live("sr_mod")
}

fn mounting_loads_the_file_system(guest: &mut Guest) -> Check {
    with_drive(guest)?;
    guest.set_modprobe("/no/such/program")?;
    guest.act(disc())?.fails_with(Errno::ENODEV)?;
    guest.is_absent("isofs")?;
    guest.set_modprobe("/sbin/modprobe")?;
    guest.act(disc())?.succeeds()?;
    guest.is_live("isofs")?;
    same("names on the disc", &guest.list("/mnt")?.join(" "), "readme")?;
    guest.file_is("/mnt/readme", "This is the disc of modrig.")
}

fn mounted_file_system_must_not_go(guest: &mut Guest) -> Check {
    with_drive(guest)?;
    guest.act(disc())?.succeeds()?;
    for name in ["isofs", "sr_mod", "ata_piix"] {
        guest.unload(name)?.fails_with(Errno::EAGAIN)?;
    }
    guest.run("modprobe", &["-r", "isofs"])?.exits_with(1)?;
    guest.file_is("/mnt/readme", "This is the disc of modrig.")?;
    guest.act(Act::unmount("/mnt", 0))?.succeeds()?;
    for name in ["isofs", "sr_mod", "ata_piix"] {
        guest.refcount_is(name, 0)?;
        guest.unload(name)?.succeeds()?;
    }
    same("the drive's node", &guest.exists("/dev/sr0")?.to_string(), "false")
}

fn open_drive_must_not_go(guest: &mut Guest) -> Check {
    with_drive(guest)?;
    let opener = guest.start_act(Act::open("/dev/sr0", libc::O_RDONLY).and_stays())?;
    guest.eventually("sr_mod is in use", |guest| {
        Ok(guest.module("sr_mod")?.is_some_and(|module| module.refcnt == Some(1)))
    })?;
    for name in ["sr_mod", "ata_piix"] {
        guest.unload(name)?.fails_with(Errno::EAGAIN)?;
    }
    guest.kill(&opener)?;
    guest.finish(opener)?.was_killed()?;
    guest.unload("sr_mod")?.succeeds()
}

fn unknown_file_system_is_enodev(guest: &mut Guest) -> Check {
    guest.set_helper("record")?;
    guest.act(Act::mount("none", "/mnt", "nosuchfs", 0))?.fails_with(Errno::ENODEV)?;
    let calls = guest.calls()?;
    let asked: Vec<&str> = calls.iter().filter_map(|call| call.argv.last()).map(String::as_str).collect();
    same("what was asked for", &asked.join(" "), "fs-nosuchfs")
}

/// Loads what the drive needs.
fn with_drive(guest: &mut Guest) -> Check {
    for name in ["ata_piix", "sr_mod"] {
        guest.run("modprobe", &[name])?.succeeds()?;
    }
    appears(guest, "/dev/sr0")
}

fn disc() -> Act {
    Act::mount("/dev/sr0", "/mnt", "iso9660", libc::MS_RDONLY)
}
