//! Devices that come and go: the kernel says so, user space loads the driver, the driver finds its device.

use crate::{
    check::{Check, Stop},
    errno::Errno,
    guest::{Act, Guest, same},
    scenario,
    scenario::{
        Device,
        Literature::{Framework, Kernel, StubModule},
        Machine, Scenario,
    },
};

pub(super) const ALL: &[Scenario] = &[
    scenario!(stub_loads_e1000).modules(&["stub"]).stock(&["e1000"]).machine(Machine::PC).claim(
        StubModule,
        "a stub that runs `modprobe --first-time e1000` and returns -1 leaves the real driver and no trace of itself",
    ),
    scenario!(stub_finds_e1000_loaded).modules(&["stub"]).stock(&["e1000"]).machine(Machine::PC).claim(
        StubModule,
        "when the real driver is loaded already, `modprobe --first-time` fails, and the stub's init returns that",
    ),
    scenario!(card_is_announced_and_no_more).stock(&["e1000"]).machine(Machine::PC).claim(
        Framework,
        "for a new device the kernel sends a uevent with MODALIAS; to load a driver is left to user space",
    ),
    scenario!(listener_loads_the_driver).stock(&["e1000"]).machine(Machine::PC).claim(
        Framework,
        "user space runs modprobe with the MODALIAS of the uevent, which finds the driver in modules.alias",
    ),
    scenario!(driver_waits_for_its_device)
        .stock(RANDOM_NUMBERS)
        .machine(Machine::PC)
        .claim(Framework, "a driver that is loaded before its device gets it when it comes, without user space"),
    scenario!(bound_device_does_not_hold_its_driver).stock(RANDOM_NUMBERS).machine(Machine::PC).claim(
        Kernel,
        "a device that is bound to a driver does not hold its module: unloading takes the driver from it",
    ),
    scenario!(one_driver_announces_the_next)
        .stock(RANDOM_NUMBERS)
        .machine(Machine::PC)
        .claim(Framework, "a driver that finds a bus announces what is on it, and so on to the last driver"),
    scenario!(usb_stick_becomes_a_disk)
        .stock(STICK)
        .machine(Machine::PC)
        .claim(Framework, "a USB stick is plugged in, usb-storage and what it needs are loaded, and the disk is there")
        .note("while it is mounted, none of them can be removed"),
];

/// A card with a bus of its own, and what is on it; the driver of the card may be built in.
const RANDOM_NUMBERS: &[&str] = &["virtio_pci", "virtio_rng"];

/// Where the sources of random numbers stand that have a driver.
const SOURCES: &str = "/sys/class/misc/hw_random/rng_available";

/// What a stick in a port needs.
const STICK: &[&str] = &["xhci_pci", "usb_storage", "sd_mod", "isofs"];

/// Class of a USB controller with xHCI, as a modalias has it.
const XHCI: &str = "bc0Csc03i30";

fn stub_loads_e1000(guest: &mut Guest) -> Check {
    guest.plug(Device::NetworkCard, "card")?;
    guest.load_with("stub", "arg=e1000 result=fail")?.fails_with(Errno::EPERM)?;
    guest.logged("stub: call_usermodehelper = 0")?;
    guest.is_absent("stub")?;
    guest.is_live("e1000")?;
    appears(guest, "/sys/class/net/eth0")?;
    same("driver of eth0", &driver_of(guest, "/sys/class/net/eth0/device")?, "e1000")
}

fn stub_finds_e1000_loaded(guest: &mut Guest) -> Check {
    guest.run("modprobe", &["--first-time", "e1000"])?.succeeds()?;
    guest.load_with("stub", "arg=e1000 result=negate")?.returns(-256)?;
    guest.is_absent("stub")?;
    guest.load_with("stub", "arg=e1000 result=fail")?.fails_with(Errno::EPERM)?;
    guest.load_with("stub", "arg=e1000 result=ok")?.succeeds()?;
    guest.logged("stub: call_usermodehelper = 256")?;
    guest.is_live("stub")?;
    guest.is_live("e1000")
}

fn card_is_announced_and_no_more(guest: &mut Guest) -> Check {
    guest.plug(Device::NetworkCard, "card")?;
    let alias = announced(guest, "pci:v00008086d0000100E")?;
    guest.is_absent("e1000")?;
    guest.run("modprobe", &["--first-time", &alias])?.succeeds()?;
    guest.is_live("e1000")?;
    appears(guest, "/sys/class/net/eth0")
}

fn listener_loads_the_driver(guest: &mut Guest) -> Check {
    guest.listen_for_devices()?;
    guest.plug(Device::NetworkCard, "card")?;
    appears(guest, "/sys/class/net/eth0")?;
    let alias = announced(guest, "pci:v00008086d0000100E")?;
    // The interface is there before the driver's init has returned.
    guest.eventually("modprobe has ended", |guest| Ok(guest.devices_heard_of()?.contains(&format!("{alias} 0"))))?;
    guest.is_live("e1000")?;
    guest.unplug("card")?;
    guest.eventually("the interface is gone", |guest| Ok(!guest.exists("/sys/class/net/eth0")?))?;
    taken_back(guest, &alias)?;
    guest.is_live("e1000")?;
    guest.unload("e1000")?.succeeds()
}

fn driver_waits_for_its_device(guest: &mut Guest) -> Check {
    load_drivers(guest)?;
    guest.plug(Device::RandomNumbers, "source")?;
    has_its_driver(guest)
}

fn bound_device_does_not_hold_its_driver(guest: &mut Guest) -> Check {
    load_drivers(guest)?;
    guest.plug(Device::RandomNumbers, "source")?;
    has_its_driver(guest)?;
    guest.refcount_is("virtio_rng", 0)?;
    guest.unload("virtio_rng")?.succeeds()?;
    same("the source is in use", &is_in_use(guest)?.to_string(), "false")
}

/// Loads the drivers of [`RANDOM_NUMBERS`].
fn load_drivers(guest: &mut Guest) -> Check {
    RANDOM_NUMBERS.iter().try_for_each(|name| guest.run("modprobe", &[name])?.succeeds())
}

fn has_its_driver(guest: &mut Guest) -> Check {
    guest.eventually("the driver has its device", is_in_use)
}

/// Whether the source of random numbers has a driver. The first one that does is virtio_rng.0.
fn is_in_use(guest: &mut Guest) -> Check<bool> {
    Ok(guest.exists(SOURCES)? && guest.read(SOURCES)?.contains("virtio_rng."))
}

fn one_driver_announces_the_next(guest: &mut Guest) -> Check {
    guest.listen_for_devices()?;
    guest.plug(Device::RandomNumbers, "source")?;
    announced(guest, "pci:v00001AF4d00001005")?;
    announced(guest, "virtio:d00000004v00001AF4")?;
    has_its_driver(guest)?;
    guest.eventually("its module is live", |guest| guest.state_is("virtio_rng", "live"))
}

fn usb_stick_becomes_a_disk(guest: &mut Guest) -> Check {
    plug_stick(guest)?;
    announced(guest, "usb:v46F4p0001")?;
    announced(guest, "scsi:t-0x00")?;
    guest.act(Act::mount("/dev/sda", "/mnt", "iso9660", libc::MS_RDONLY))?.succeeds()?;
    guest.file_is("/mnt/readme", "This is the disc of modrig.")?;
    for name in ["isofs", "sd_mod", "usb_storage"] {
        guest.unload(name)?.fails_with(Errno::EAGAIN)?;
    }
    guest.act(Act::unmount("/mnt", 0))?.succeeds()?;
    guest.unplug("stick")?;
    guest.eventually("the disk is gone", |guest| Ok(!guest.exists("/dev/sda")?))?;
    taken_back(guest, "usb:v46F4p0001")?;
    guest.unload("usb_storage")?.succeeds()
}

/// Starts the listener, has it load the driver of the USB ports, and plugs in a stick.
fn plug_stick(guest: &mut Guest) -> Check {
    guest.listen_for_devices()?;
    announce(guest, XHCI)?;
    guest.eventually("the ports are there", |guest| guest.exists("/sys/bus/usb/devices/usb1"))?;
    guest.plug(Device::UsbStick, "stick")?;
    appears(guest, "/dev/sda")?;
    // The disk is there while the driver's init still runs.
    for name in ["usb_storage", "sd_mod"] {
        guest.eventually(&format!("{name} is live"), |guest| guest.state_is(name, "live"))?;
    }
    Ok(())
}

/// Has the kernel announce once more the PCI device whose alias contains this, as udev does after the boot.
pub(super) fn announce(guest: &mut Guest, alias: &str) -> Check {
    for device in guest.list("/sys/bus/pci/devices")? {
        let device = format!("/sys/bus/pci/devices/{device}");
        if guest.read(&format!("{device}/modalias"))?.contains(alias) {
            return guest.write(&format!("{device}/uevent"), "add");
        }
    }
    Err(Stop::failed(format!("there should be a PCI device with {alias} in its modalias")))
}

/// Waits for the uevent of a new device whose alias begins like this; the whole alias.
fn announced(guest: &mut Guest, alias: &str) -> Check<String> {
    let mut found = None;
    guest.eventually(&format!("a uevent has MODALIAS={alias}..."), |guest| {
        let added = guest.uevents()?.iter().filter(|event| event.starts_with("add@"));
        found = added
            .flat_map(|event| event.split(' '))
            .find_map(|word| word.strip_prefix("MODALIAS=").filter(|seen| seen.starts_with(alias)).map(str::to_owned));
        Ok(found.is_some())
    })?;
    Ok(found.unwrap_or_default())
}

/// Waits for the uevent of the end of a device that has this in its alias.
fn taken_back(guest: &mut Guest, alias: &str) -> Check {
    guest.eventually("its end is announced", |guest| {
        Ok(guest.uevents()?.iter().any(|event| event.starts_with("remove@") && event.contains(alias)))
    })
}

pub(super) fn appears(guest: &mut Guest, path: &str) -> Check {
    guest.eventually(&format!("{path} is there"), |guest| guest.exists(path))
}

/// Name of the driver of a device in /sys.
fn driver_of(guest: &mut Guest, device: &str) -> Check<String> {
    let text = guest.read(&format!("{device}/uevent"))?;
    Ok(text.lines().find_map(|line| line.strip_prefix("DRIVER=")).unwrap_or("none").to_owned())
}
