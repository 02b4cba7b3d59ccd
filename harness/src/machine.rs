//! The machine that a scenario asks for, as data.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a guest finds around its kernel. Each machine costs a saved guest per kernel: add one only for what no other
/// has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// What holds the rest together.
    pub board: Board,
    /// How many processors.
    pub processors: u8,
    /// What is there when the guest boots.
    pub devices: &'static [Device],
    /// Whether its kernel is of the flavour with all drivers. That one is four times as much to fetch, and has the
    /// stock modules.
    pub drivers: bool,
    /// Whether it shares memory with us, for campaigns (see [`modrig_agent::slots`]).
    pub shares: bool,
    /// Words that are added to the kernel's command line.
    pub words: &'static str,
}

/// QEMU's kinds of main boards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Board {
    /// Two serial ports and nothing to find: no PCI, no firmware tables. Boots fastest.
    Microvm,
    /// A PC of 1996 with PCI and ACPI.
    Pc,
}

/// What a machine can have, or be given while it runs: see `Guest::plug`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Device {
    /// An ATAPI drive with a disc in it (see [`crate::media`]).
    CdDrive,
    /// A PCI card whose driver is e1000.
    NetworkCard,
    /// A PCI card whose driver is virtio_pci, and on its own bus virtio_rng.
    RandomNumbers,
    /// A PCI card with ports, whose driver is xhci_pci.
    UsbPorts,
    /// A stick with the same content as the disc, for a machine with [`Device::UsbPorts`].
    UsbStick,
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CdDrive => "CD drive",
            Self::NetworkCard => "network card",
            Self::RandomNumbers => "source of random numbers",
            Self::UsbPorts => "USB ports",
            Self::UsbStick => "USB stick",
        })
    }
}

impl Machine {
    /// The one that a scenario has when it does not ask.
    pub const DEFAULT: Self =
        Self { board: Board::Microvm, processors: 1, devices: &[], drivers: false, shares: false, words: "" };
    /// Two processors. Distributions' kernels find the second one by ACPI only, kernels without ACPI by the MP table.
    pub const SMP: Self = Self { board: Board::Pc, processors: 2, ..Self::DEFAULT };

    /// A PC with a disc in its drive and ports for USB, whose kernel has drivers for them.
    pub const PC: Self =
        Self { board: Board::Pc, devices: &[Device::CdDrive, Device::UsbPorts], drivers: true, ..Self::DEFAULT };

    /// One for campaigns. Its kernel dies of the first oops, and does not wait for grace periods, which makes a load that
    /// gets far 30 times faster. That it need not defend itself makes every system call cheaper.
    pub const CAMPAIGN: Self = Self {
        board: Board::Pc,
        shares: true,
        words: "oops=panic unknown_nmi_panic rcupdate.rcu_expedited=1 mitigations=off",
        ..Self::DEFAULT
    };

    /// The same with more words on the kernel's command line, separated by blanks: `lockdown=integrity`.
    #[must_use]
    pub const fn words(mut self, words: &'static str) -> Self {
        self.words = words;
        self
    }
}

/// For people and records: `microvm`, or `pc, 2 processors, nomodule`.
impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.board {
            Board::Microvm => "microvm",
            Board::Pc => "pc",
        })?;
        if self.processors > 1 {
            write!(f, ", {} processors", self.processors)?;
        }
        for device in self.devices {
            write!(f, ", {device}")?;
        }
        if self.drivers {
            f.write_str(", drivers")?;
        }
        if self.shares {
            f.write_str(", shared memory")?;
        }
        if !self.words.is_empty() {
            write!(f, ", {}", self.words)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_named_by_what_it_has() {
        assert_eq!(Machine::DEFAULT.to_string(), "microvm");
        assert_eq!(Machine::PC.to_string(), "pc, CD drive, USB ports, drivers");
        assert_eq!(Machine::SMP.words("nomodule").to_string(), "pc, 2 processors, nomodule");
    }
}
