//! Devices that a scenario plugs in and takes away, and the listener that loads drivers for them.

use modrig_agent::call::HOTPLUG_LOG;

use super::{Guest, helper};
use crate::{
    check::Check,
    machine::Device,
    vm::{Trouble, Vm},
};

impl Guest {
    /// Gives the machine a device, under a name for [`Guest::unplug`].
    ///
    /// # Errors
    /// The guest is in trouble.
    pub fn plug(&mut self, device: Device, id: &str) -> Check {
        self.at_the_machine(format!("plug in a {device} as {id}"), |vm| vm.plug(device, id))
    }

    /// Starts a listener that runs modprobe for every device that appears from now on, as udev does.
    ///
    /// # Errors
    /// It does not start, or the guest is in trouble.
    pub fn listen_for_devices(&mut self) -> Check {
        self.start_program(helper("hotplug"), &[])?;
        self.eventually("the listener listens", |guest| guest.exists(HOTPLUG_LOG))
    }

    /// What the listener has run modprobe for, with the exit code: `ALIAS EXIT_CODE`, oldest first.
    ///
    /// # Errors
    /// The guest is in trouble.
    pub fn devices_heard_of(&mut self) -> Check<Vec<String>> {
        Ok(self.read(HOTPLUG_LOG)?.lines().map(str::to_owned).collect())
    }

    /// Takes a device away again; the kernel has let go of it when this ends.
    ///
    /// # Errors
    /// The guest is in trouble.
    pub fn unplug(&mut self, id: &str) -> Check {
        self.at_the_machine(format!("take {id} away"), |vm| vm.unplug(id))
    }

    /// Does something from outside the guest, and writes it down as a step.
    fn at_the_machine(&mut self, action: String, act: impl FnOnce(&mut Vm) -> Result<(), Trouble>) -> Check {
        let at_ms = self.transcript.now_ms();
        let result = act(&mut self.vm);
        self.transcript.changed(at_ms, action, result.is_ok());
        Ok(result?)
    }
}
