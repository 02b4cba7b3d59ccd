//! Devices of a machine, as QEMU's monitor and command line name them.

use serde_json::{Value, json};

use crate::machine::Device;

/// Number of the descriptor set that has the disc, on QEMU's command line.
pub(super) const DISC_SET: u32 = 1;

/// The bus of [`Device::UsbPorts`]: a bus is named after what it belongs to.
const USB_BUS: &str = "usb-ports.0";

/// QEMU's name for the contents of a device's disc.
fn disc_of(id: &str) -> String {
    format!("{id}-disc")
}

/// What a device is, in QEMU's words.
pub(super) fn properties(device: Device, id: &str) -> Value {
    match device {
        Device::CdDrive => json!({ "driver": "ide-cd", "id": id, "drive": disc_of(id) }),
        // Without a ROM to boot from, which is a file of another package.
        Device::NetworkCard => json!({ "driver": "e1000", "id": id, "romfile": "" }),
        Device::RandomNumbers => json!({ "driver": "virtio-rng-pci", "id": id }),
        Device::UsbPorts => json!({ "driver": "qemu-xhci", "id": id }),
        Device::UsbStick => json!({ "driver": "usb-storage", "id": id, "bus": USB_BUS, "drive": disc_of(id) }),
    }
}

/// The same as an option of the command line. Before 6.2 QEMU takes no JSON there.
pub(super) fn option(device: Device, id: &str) -> String {
    let properties = properties(device, id);
    let pairs = properties.as_object().into_iter().flatten();
    let pairs = pairs.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()));
    pairs.collect::<Vec<_>>().join(",")
}

/// The disc in a device, if it holds one.
pub(super) fn disc(device: Device, id: &str) -> Option<Value> {
    let holds_one = matches!(device, Device::CdDrive | Device::UsbStick);
    holds_one.then(|| {
        let file = json!({ "driver": "file", "filename": format!("/dev/fdset/{DISC_SET}"), "locking": "off" });
        json!({ "driver": "raw", "node-name": disc_of(id), "read-only": true, "file": file })
    })
}

/// Name of a device that is there at boot.
pub(super) fn name(device: Device) -> &'static str {
    match device {
        Device::CdDrive => "cd-drive",
        Device::NetworkCard => "network-card",
        Device::RandomNumbers => "random-numbers",
        Device::UsbPorts => "usb-ports",
        Device::UsbStick => "usb-stick",
    }
}
