//! Virtual machines: a QEMU process, its three channels, and watchdogs over them.
//!
//! A [`Vm`] is driven by the thread that owns it and lives no longer than that thread.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use modrig_agent::{
    slots::Slots,
    wire::{self, Reply, Request, WIRE_VERSION},
};
use serde_json::{Value, json};

pub mod accel;
mod channels;
mod device;
pub mod keep;
mod pages;
mod qemu;
mod qmp;
pub mod saved;
mod shared;
pub mod snapshot;
mod watch;

pub use qemu::Qemu;

use crate::{
    console::Console,
    error::{Context as _, Error, FULL},
    interrupt,
    kernel::Kernel,
    machine::{Board, Device, Machine},
    pace, text,
    triage::Event,
};
use accel::Accel;
use channels::Channels;
use qemu::{AtEnd, Instance, MEMORY_MIB, Memory, Process, Start};
use shared::Shared;
use watch::{Limits, Watch};

/// Longest the agent is asked to wait for one job before it answers, so that a living guest is never silent.
pub const SLICE: Duration = Duration::from_secs(2);

/// More console output than this, bytes, is a flood. A boot is about 25 KiB, an oops 4 KiB.
const FLOOD_BYTES: u64 = 2 << 20;

/// Lines of the log that go with a trouble.
const EXCERPT_LINES: usize = 60;

/// Kernel command line of every guest. The crypto self-tests cost a fifth of a boot; `no_timer_check` avoids a
/// panic that TCG can provoke on a loaded host; `panic=-1` with `-no-reboot` makes a panic end QEMU, by a triple
/// fault, the one way to reset a machine without firmware; the last word keeps user space's messages in the log
/// however many there are.
pub const COMMAND_LINE: &str = "console=ttyS0 cryptomgr.notests no_timer_check panic=-1 reboot=t printk.devkmsg=on";

/// The kernel command line on a machine. A PC has a second clock to compare the processor's with, and when TCG is kept
/// from running meanwhile, the kernel takes the processor's for far slower than it is and its time flies: it then sees
/// hangs. It does not use a clock that it is told not to trust; on `microvm` it finds that out by itself.
fn command_line(machine: Machine) -> String {
    let clock = match machine.board {
        Board::Microvm => "",
        Board::Pc => "tsc=unstable",
    };
    let memory = if machine.shares { format!("mem={MEMORY_MIB}M") } else { String::new() };
    let words = [COMMAND_LINE, clock, &memory, machine.words];
    words.into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(" ")
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
    /// Number of the last request.
    asked: u32,
    /// It is not answered yet.
    waiting: bool,
    /// What [`Vm::plug`] has given it.
    plugged: Vec<(Device, String)>,
    /// What QEMU does when its guest has ended.
    at_end: AtEnd,
    /// The memory that it shares with us, if it does.
    shared: Option<Shared>,
}

impl Vm {
    /// Boots a kernel with an initramfs and waits for the agent. A boot that never printed anything is tried twice:
    /// on a loaded host TCG loses a guest before its first line now and then.
    ///
    /// # Errors
    /// The guest did not come up, or the rig failed.
    pub fn boot(host: &Host, machine: Machine, kernel: &Kernel, initrd: &Path) -> Result<Self, Trouble> {
        Self::boot_with(host, machine, Memory::Own, kernel, initrd)
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
        let at_end = AtEnd::Exit;
        let instance =
            Instance { machine, accel: host.accel, memory, start, at_end, plugged: Vec::new(), shared: None };
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
        let shared = instance.machine.shares.then(Shared::new).transpose().context(|| "cannot make shared memory")?;
        let instance = &Instance { shared: shared.as_ref().map(Shared::descriptor), ..instance.clone() };
        let process = Process::start(&host.qemu, instance, ends)?;
        Ok(Self {
            process,
            channels,
            watch: Watch::new(limits),
            release: String::new(),
            asked: 0,
            waiting: false,
            plugged: Vec::new(),
            at_end: instance.at_end,
            shared,
        })
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
            other => Err(Error::new(format!("the guest's agent began with {}", text::beginning(&other, 80))).into()),
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

    /// The same, to tell it what is expected and allowed, and that it is complete.
    pub fn console_mut(&mut self) -> &mut Console {
        &mut self.channels.console
    }

    /// Number of the QEMU process.
    pub fn process_number(&self) -> Option<u32> {
        self.process.number()
    }

    /// Whether the guest has ended its machine, or QEMU is gone: nothing will come from it any more.
    pub fn has_ended(&self) -> bool {
        self.channels.stopped || self.channels.closed
    }

    /// What went wrong until now is known, and no trouble any more. The guest gets new time.
    pub fn forgive(&mut self) {
        self.channels.console.forgive();
        self.watch.restart();
    }

    /// Waits for the answer that a guest still owes, if it does.
    ///
    /// # Errors
    /// As [`Vm::ask`].
    pub fn catch_up(&mut self) -> Result<(), Trouble> {
        if self.waiting { self.reply().map(drop) } else { Ok(()) }
    }

    /// Writes the guest's memory and registers into a file, as an ELF core for gdb or crash.
    ///
    /// # Errors
    /// QEMU is gone, or cannot write there.
    pub fn dump(&mut self, file: &Path) -> Result<(), Trouble> {
        let arguments = json!({ "paging": false, "protocol": format!("file:{}", file.display()) });
        self.command("dump-guest-memory", &arguments, None).map(drop)
    }

    /// The memory that it shares with us, on a machine that does.
    pub fn slots(&self) -> Option<&Slots> {
        self.shared.as_ref().map(|shared| &shared.slots)
    }

    /// Waits for a moment, or until something arrives; for a guest that works without being asked.
    ///
    /// # Errors
    /// The guest has ended, hangs or floods its console.
    pub fn pause(&mut self, limit: Duration) -> Result<(), Trouble> {
        self.turn(limit)?;
        if let Some(shared) = &mut self.shared
            && shared.has_moved()
        {
            self.watch.heard();
        }
        self.check()
    }

    /// How long to wait on this host, as loaded as it is, for what takes so long at most on an idle machine.
    pub fn patience(&self, limit: Duration) -> Duration {
        limit.mul_f64(pace::slowness(self.process.number()))
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
        if self.channels.console.is_reporting() {
            self.drain()?;
        }
        self.check_console()?;
        self.check_silence()
    }

    /// Has the guest end itself, and waits for that.
    ///
    /// # Errors
    /// It does not.
    pub fn power_off(mut self) -> Result<(), Trouble> {
        self.send(&Request::PowerOff)?;
        self.until(|channels| Ok((channels.closed || channels.stopped).then_some(())))
    }

    /// Asks the agent and waits for its answer.
    ///
    /// # Errors
    /// The guest died, hangs or sent nonsense.
    pub fn ask(&mut self, request: &Request) -> Result<Reply, Trouble> {
        self.turn(Duration::ZERO)?;
        self.check_silence()?;
        self.send(request)?;
        self.reply()
    }

    fn send(&mut self, request: &Request) -> Result<(), Trouble> {
        self.asked += 1;
        let frame = wire::encode(self.asked, request).context(|| "cannot ask the guest's agent")?;
        self.channels.send(&frame).context(|| "cannot write to the guest")?;
        self.waiting = true;
        Ok(())
    }

    /// The agent speaks when it is asked: what it says unasked would be taken for the next answer.
    fn check_silence(&self) -> Result<(), Trouble> {
        match self.channels.link.len() {
            0 => Ok(()),
            count => Err(Error::new(format!("the guest sent {count} bytes that nobody asked for")).into()),
        }
    }

    fn reply(&mut self) -> Result<Reply, Trouble> {
        let (number, reply) = self.until(|channels| {
            wire::decode(&mut channels.link).map_err(|cause| {
                Error::new("the guest sent bytes that are no message of its agent").because(cause).into()
            })
        })?;
        if number != self.asked {
            let asked = self.asked;
            return Err(Error::new(format!(
                "the guest sent an answer that nobody asked for: to request {number} when it was asked {asked}"
            ))
            .into());
        }
        self.waiting = false;
        Ok(reply)
    }

    /// Interrupts a guest that hangs, in a way that it cannot mask, and waits a moment for it to die of that: where it was
    /// then stands in its log.
    ///
    /// # Errors
    /// QEMU is gone, or the guest lives on.
    pub fn interrupt(&mut self) -> Result<(), Trouble> {
        self.command("inject-nmi", &json!(null), None)?;
        let deadline = Instant::now() + Duration::from_secs(1);
        while !self.has_ended() {
            if Instant::now() >= deadline {
                return Err(self.trouble("the guest survives an interrupt".into(), false));
            }
            self.turn(Duration::from_millis(20))?;
        }
        self.turn(Duration::ZERO)?;
        Ok(())
    }

    /// Gives the machine another device, under a name that no other has.
    ///
    /// # Errors
    /// QEMU refuses it, or the guest is in trouble.
    pub fn plug(&mut self, device: Device, id: &str) -> Result<(), Trouble> {
        if let Some(disc) = device::disc(device, id) {
            self.command("blockdev-add", &disc, None)?;
        }
        self.command("device_add", &device::properties(device, id), None)?;
        self.plugged.push((device, id.to_owned()));
        Ok(())
    }

    /// Takes a device away, and waits until it is gone: of a card the guest must let go first.
    ///
    /// # Errors
    /// There is none of this name, or the guest does not let go, or is in trouble.
    pub fn unplug(&mut self, id: &str) -> Result<(), Trouble> {
        self.command("device_del", &json!({ "id": id }), None)?;
        self.plugged.retain(|(_, name)| name != id);
        loop {
            let there = self.command("qom-list", &json!({ "path": "/machine/peripheral" }), None)?;
            if !there.as_array().is_some_and(|names| names.iter().any(|child| child["name"] == id)) {
                return Ok(());
            }
            self.check()?;
            self.turn(Duration::from_millis(5))?;
        }
    }

    /// One command to QEMU's monitor, with a descriptor for it if one is given.
    fn command(&mut self, name: &str, arguments: &Value, descriptor: Option<i32>) -> Result<Value, Trouble> {
        let line = qmp::command(name, arguments);
        self.channels.command(&line, descriptor).context(|| format!("cannot send {name} to QEMU's monitor"))?;
        // Whatever the guest does: the monitor is QEMU's, and so is the fault when it does not answer.
        let mut watch = Watch::new(watch::MONITOR);
        loop {
            if let Some(answer) = qmp::answer(&mut self.channels.qmp)? {
                return Ok(answer);
            }
            interrupt::check()?;
            if self.channels.closed {
                return Err(self.gone());
            }
            if let Some(bite) = watch.bite(self.process.number()) {
                return Err(Error::new(format!("QEMU does not answer {name}: {}", bite.what)).into());
            }
            self.turn(watch.left())?;
        }
    }

    /// Moves bytes until `done` finds what it looks for, the guest is in trouble, or a watchdog bites.
    fn until<T>(&mut self, mut done: impl FnMut(&mut Channels) -> Result<Option<T>, Trouble>) -> Result<T, Trouble> {
        loop {
            self.check_console()?;
            if let Some(value) = done(&mut self.channels)? {
                return Ok(value);
            }
            self.check()?;
            self.turn(self.watch.left())?;
        }
    }

    /// Whether it makes sense to wait any longer.
    fn check(&mut self) -> Result<(), Trouble> {
        interrupt::check()?;
        if self.has_ended() {
            return Err(self.ended());
        }
        if self.channels.console.received() > FLOOD_BYTES {
            return Err(self.trouble("the guest floods its console".into(), false));
        }
        match self.watch.bite(self.process.number()) {
            Some(bite) => Err(self.trouble(format!("the guest hangs: {}", bite.what), bite.never_spoke)),
            None => Ok(()),
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
        if self.channels.console.fault().is_none() {
            return Ok(());
        }
        self.drain()?;
        // With the rest of the report its title may have become one that is expected.
        match self.channels.console.fault() {
            Some(event) => Err(self.reported(event)),
            None => Ok(()),
        }
    }

    /// Takes what is on its way, until the guest is quiet for a moment; a flood is cut off.
    fn drain(&mut self) -> Result<(), Trouble> {
        const QUIET: Duration = Duration::from_millis(150);
        let deadline = Instant::now() + Duration::from_secs(2);
        while !self.channels.closed && Instant::now() < deadline && self.turn(QUIET)? {}
        Ok(())
    }

    /// Why nothing comes any more.
    fn ended(&mut self) -> Trouble {
        // Whatever is still in the sockets belongs to the story.
        while let Ok(true) = self.channels.turn(Duration::ZERO) {}
        match self.channels.console.fault() {
            Some(event) => self.reported(event),
            // That its guest has ended is told by the monitor a moment before QEMU goes.
            None if self.channels.closed || self.at_end == AtEnd::Exit => self.gone(),
            None => self.trouble("the guest ended by itself (QEMU keeps its memory)".into(), false),
        }
    }

    /// QEMU has closed its streams.
    fn gone(&mut self) -> Trouble {
        let end = self.process.end();
        let spoke = self.channels.console.received() > 0 || !self.release.is_empty();
        if end.by_guest && spoke {
            return self.trouble(format!("the guest ended by itself (QEMU: {})", end.said), false);
        }
        let error = match spoke {
            true => Error::new(format!("QEMU ended, and not because of its guest ({})", end.said)),
            false => Error::new(format!("QEMU ended before the kernel printed anything ({})", end.said)),
        };
        if end.disk_full { error.help(FULL) } else { error }.into()
    }

    /// The trouble that an event of the log is.
    pub fn reported(&self, event: &Event) -> Trouble {
        let what = format!("the kernel reports: {}", event.title);
        Trouble::Guest { what, log: self.channels.console.excerpt(EXCERPT_LINES, Some(event)), never_spoke: false }
    }

    fn trouble(&self, what: String, never_spoke: bool) -> Trouble {
        Trouble::Guest { what, log: self.channels.console.excerpt(EXCERPT_LINES, None), never_spoke }
    }
}
