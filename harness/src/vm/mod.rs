//! Virtual machines: a QEMU process, its three channels, and watchdogs over them.
//!
//! A [`Vm`] is driven by the thread that owns it and lives no longer than that thread.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use modrig_agent::wire::{self, Reply, Request, WIRE_VERSION};
use serde_json::{Value, json};

pub mod accel;
mod channels;
mod device;
mod qemu;
mod qmp;
pub mod snapshot;
mod watch;

pub use qemu::Qemu;

use crate::{
    console::{Console, Severity},
    error::{Context as _, Error},
    interrupt,
    kernel::Kernel,
    machine::{Device, Machine},
};
use accel::Accel;
use channels::Channels;
use qemu::{Instance, Memory, Process, Start};
use watch::{Limits, Watch};

/// Longest the agent is asked to wait for one job before it answers, so that a living guest is never silent.
pub const SLICE: Duration = Duration::from_secs(2);

/// More console output than this, bytes, is a flood. A boot is about 25 KiB, an oops 4 KiB.
const FLOOD_BYTES: u64 = 2 << 20;

/// Kernel command line of every guest. The crypto self-tests cost a fifth of a boot; `no_timer_check` avoids a
/// panic that TCG can provoke on a loaded host; `panic=-1` with `-no-reboot` makes a panic end QEMU, by a triple
/// fault, the one way to reset a machine without firmware; the last word keeps user space's messages in the log
/// however many there are.
pub const COMMAND_LINE: &str = "console=ttyS0 cryptomgr.notests no_timer_check panic=-1 reboot=t printk.devkmsg=on";

/// The kernel command line on a machine.
fn command_line(machine: Machine) -> String {
    format!("{COMMAND_LINE} {}", machine.words).trim_end().to_owned()
}

/// Why a guest is of no more use.
#[derive(Debug, Clone)]
pub enum Trouble {
    /// The kernel panicked, died or hangs.
    Guest {
        /// What happened, in one line.
        what: String,
        /// The console's log around it.
        log: String,
        /// Nothing was ever received.
        never_spoke: bool,
    },
    /// The rig failed, or what the guest sent makes no sense.
    Rig(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Rig(error)
    }
}

impl Trouble {
    /// The same as an error of the rig, for places where no guest may fail.
    pub fn into_error(self) -> Error {
        match self {
            Self::Guest { what, log, .. } if log.is_empty() => Error::new(what),
            Self::Guest { what, log, .. } => Error::new(format!("{what}; the end of its log:\n{log}")),
            Self::Rig(error) => error,
        }
    }
}

/// Where a guest runs.
#[derive(Debug, Clone)]
pub struct Host {
    /// The emulator.
    pub qemu: Qemu,
    /// Its accelerator.
    pub accel: Accel,
}

/// A running guest.
#[derive(Debug)]
pub struct Vm {
    process: Process,
    channels: Channels,
    watch: Watch,
    /// `uname -r` of the guest, from the agent's Ready.
    release: String,
}

impl Vm {
    /// Boots a kernel with an initramfs and waits for the agent. A boot that never printed anything is tried twice:
    /// on a loaded host TCG loses a guest before its first line now and then.
    ///
    /// # Errors
    /// The guest did not come up, or the rig failed.
    pub fn boot(host: &Host, machine: Machine, kernel: &Kernel, initrd: &Path) -> Result<Self, Trouble> {
        Self::boot_with(host, machine, Memory::Anonymous, kernel, initrd)
    }

    fn boot_with(
        host: &Host,
        machine: Machine,
        memory: Memory,
        kernel: &Kernel,
        initrd: &Path,
    ) -> Result<Self, Trouble> {
        let start = Start::Kernel {
            image: kernel.image.clone(),
            initrd: initrd.to_owned(),
            command_line: command_line(machine),
        };
        let instance = Instance { machine, accel: host.accel, memory, start };
        let boot = || {
            let mut vm = Self::start(host, &instance, watch::BOOT)?;
            vm.meet_agent()?;
            Ok(vm)
        };
        match boot() {
            Err(Trouble::Guest { never_spoke: true, .. }) => boot(),
            result => result,
        }
    }

    fn start(host: &Host, instance: &Instance, limits: Limits) -> Result<Self, Trouble> {
        let (channels, ends) = Channels::new().context(|| "cannot make a guest's channels")?;
        let process = Process::start(&host.qemu, instance, ends)?;
        Ok(Self { process, channels, watch: Watch::new(limits), release: String::new() })
    }

    fn meet_agent(&mut self) -> Result<(), Trouble> {
        match self.reply()? {
            Reply::Ready { version: WIRE_VERSION, release } => {
                self.release = release;
                Ok(())
            }
            Reply::Ready { version, .. } => {
                Err(Error::new(format!("the guest's agent speaks version {version}, this modrig {WIRE_VERSION}"))
                    .into())
            }
            other => Err(Error::new(format!("the guest's agent began with {other:?}")).into()),
        }
    }

    /// `uname -r` of the guest.
    pub fn release(&self) -> &str {
        &self.release
    }

    /// The kernel's log so far.
    pub fn console(&self) -> &Console {
        &self.channels.console
    }

    /// From now on, an event of the console whose title contains this text is no trouble.
    pub fn expect_fault(&mut self, text: &'static str) {
        self.channels.console.expect(text);
    }

    /// Gives the next piece of work its whole time.
    pub fn restart_watch(&mut self) {
        self.watch.restart();
    }

    /// Takes what has arrived and looks at it.
    ///
    /// # Errors
    /// The log shows that the guest died.
    pub fn settle(&mut self) -> Result<(), Trouble> {
        while self.channels.console.received() <= FLOOD_BYTES && self.turn(Duration::ZERO)? {}
        self.check_console()
    }

    /// Has the guest end itself, and waits for that.
    ///
    /// # Errors
    /// It does not.
    pub fn power_off(mut self) -> Result<(), Trouble> {
        let frame = wire::encode(&Request::PowerOff).context(|| "cannot ask the guest's agent")?;
        self.channels.send(&frame).context(|| "cannot write to the guest")?;
        self.until(|channels| Ok(channels.closed.then_some(())))
    }

    /// Asks the agent and waits for its answer.
    ///
    /// # Errors
    /// The guest died, hangs or sent nonsense.
    pub fn ask(&mut self, request: &Request) -> Result<Reply, Trouble> {
        let frame = wire::encode(request).context(|| "cannot ask the guest's agent")?;
        self.channels.send(&frame).context(|| "cannot write to the guest")?;
        self.reply()
    }

    fn reply(&mut self) -> Result<Reply, Trouble> {
        self.until(|channels| {
            wire::decode(&mut channels.link).map_err(|cause| {
                Error::new("the guest sent bytes that are no message of its agent").because(cause).into()
            })
        })
    }

    /// Gives the machine another device, under a name that no other has.
    ///
    /// # Errors
    /// QEMU refuses it, or the guest is in trouble.
    pub fn plug(&mut self, device: Device, id: &str) -> Result<(), Trouble> {
        if let Some(disc) = device::disc(device, id) {
            self.command("blockdev-add", &disc, None)?;
        }
        self.command("device_add", &device::properties(device, id), None).map(drop)
    }

    /// Takes a device away, and waits until it is gone: of a card the guest must let go first.
    ///
    /// # Errors
    /// There is none of this name, or the guest does not let go, or is in trouble.
    pub fn unplug(&mut self, id: &str) -> Result<(), Trouble> {
        self.command("device_del", &json!({ "id": id }), None)?;
        loop {
            let there = self.command("qom-list", &json!({ "path": "/machine/peripheral" }), None)?;
            if !there.as_array().is_some_and(|names| names.iter().any(|child| child["name"] == id)) {
                return Ok(());
            }
            self.turn(Duration::from_millis(5))?;
        }
    }

    /// One command to QEMU's monitor, with a descriptor for it if one is given.
    fn command(&mut self, name: &str, arguments: &Value, descriptor: Option<i32>) -> Result<Value, Trouble> {
        let line = qmp::command(name, arguments);
        self.channels.command(&line, descriptor).context(|| format!("cannot send {name} to QEMU's monitor"))?;
        self.until(|channels| Ok(qmp::answer(&mut channels.qmp)?))
    }

    /// Moves bytes until `done` finds what it looks for, the guest is in trouble, or a watchdog bites.
    fn until<T>(&mut self, mut done: impl FnMut(&mut Channels) -> Result<Option<T>, Trouble>) -> Result<T, Trouble> {
        loop {
            self.check_console()?;
            if let Some(value) = done(&mut self.channels)? {
                return Ok(value);
            }
            interrupt::check()?;
            if self.channels.closed {
                return Err(self.ended());
            }
            if self.channels.console.received() > FLOOD_BYTES {
                return Err(self.trouble("the guest floods its console".into(), false));
            }
            if let Some(bite) = self.watch.bite() {
                return Err(self.trouble(format!("the guest hangs: {}", bite.what), bite.never_spoke));
            }
            self.turn(self.watch.left())?;
        }
    }

    fn turn(&mut self, limit: Duration) -> Result<bool, Trouble> {
        let came = self.channels.turn(limit).context(|| "cannot wait for the guest")?;
        if came {
            self.watch.heard();
        }
        Ok(came)
    }

    /// Whether the log shows that the kernel is no longer itself; then the rest of that report is awaited.
    fn check_console(&mut self) -> Result<(), Trouble> {
        let faulty = |console: &Console| console.worst().is_some_and(|event| event.severity >= Severity::Fault);
        if !faulty(&self.channels.console) {
            return Ok(());
        }
        self.drain()?;
        let worst = self.channels.console.worst().map(|event| event.title.clone()).unwrap_or_default();
        Err(self.trouble(format!("the kernel reports: {worst}"), false))
    }

    /// Takes what is on its way, until the guest is quiet for a moment; a flood is cut off.
    fn drain(&mut self) -> Result<(), Trouble> {
        const QUIET: Duration = Duration::from_millis(150);
        let deadline = Instant::now() + Duration::from_secs(2);
        while !self.channels.closed && Instant::now() < deadline && self.turn(QUIET)? {}
        Ok(())
    }

    fn ended(&mut self) -> Trouble {
        let said = self.process.end();
        // Whatever is still in the sockets belongs to the story.
        while let Ok(true) = self.channels.turn(Duration::ZERO) {}
        match self.channels.console.worst().filter(|event| event.severity >= Severity::Fault) {
            Some(event) => self.trouble(format!("the kernel reports: {}", event.title), false),
            None if self.channels.console.received() > 0 => {
                self.trouble(format!("the guest ended by itself (QEMU: {said})"), false)
            }
            None => Error::new(format!("QEMU ended before the kernel printed anything ({said})")).into(),
        }
    }

    fn trouble(&self, what: String, never_spoke: bool) -> Trouble {
        const LINES: usize = 60;
        Trouble::Guest { what, log: self.channels.console.excerpt(LINES), never_spoke }
    }
}
