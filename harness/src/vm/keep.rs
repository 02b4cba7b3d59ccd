//! Keeping a guest as a case has left it, and reopening it later: devices and memory, compressed in one file.
//!
//! A running guest is stopped for it. One whose kernel has ended the machine was paused by QEMU at that moment (see
//! `AtEnd::Pause`): its memory can still be looked at, but it will not run again.

use std::{
    fs::{self, File},
    io::{self, PipeReader, PipeWriter, Write as _},
    os::fd::AsRawFd as _,
    path::Path,
    thread,
};

use lz4_flex::frame::{FrameDecoder, FrameEncoder};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Host, Trouble, Vm,
    qemu::{AtEnd, Instance, Memory, Start},
    snapshot,
};
use crate::{
    error::{Context as _, Error, Result},
    machine::{Device, Machine},
};

const STATE: &str = "state.lz4";
const CONSOLE: &str = "console.log";

/// What has to be known to reopen a kept guest, apart from its machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// `uname -r`.
    pub release: String,
    /// Version of the QEMU that kept it; another one may not understand it.
    pub qemu: String,
    /// Number of the last request to the agent.
    pub asked: u32,
    /// The agent has not answered it yet.
    pub waiting: bool,
    /// What was plugged in, with its name: QEMU takes the state of a machine that has the same devices.
    #[serde(default)]
    pub plugged: Vec<(Device, String)>,
}

impl Vm {
    /// Writes everything of the guest into a directory. It does not run any more then.
    ///
    /// # Errors
    /// QEMU is gone or refuses, or the directory cannot be written.
    pub fn keep(&mut self, host: &Host, directory: &Path) -> Result<Facts, Trouble> {
        let failed = || format!("cannot keep a guest in `{}`", directory.display());
        fs::write(directory.join(CONSOLE), self.console().text()).context(failed)?;
        let file = File::create(directory.join(STATE)).context(failed)?;
        let (reader, writer) = snapshot::pipe().context(|| "cannot make a pipe")?;
        self.command("stop", &json!(null), None)?;
        // The default would take half a second for it.
        self.command("migrate-set-parameters", &json!({ "max-bandwidth": 1_u64 << 40 }), None)?;
        thread::scope(|scope| {
            let packed = scope.spawn(|| pack(reader, file));
            snapshot::send_state(self, writer)?;
            packed.join().expect("packing does not panic").context(failed)?;
            Ok::<_, Trouble>(())
        })?;
        let (release, plugged) = (self.release.clone(), self.plugged.clone());
        let (qemu, asked, waiting) = (host.qemu.version.clone(), self.asked, self.waiting);
        Ok(Facts { release, qemu, asked, waiting, plugged })
    }

    /// A guest that was kept in this directory, running on if it can.
    ///
    /// # Errors
    /// It was kept by another QEMU, or QEMU does not take the state.
    pub fn reopen(host: &Host, machine: Machine, directory: &Path, facts: &Facts) -> Result<Self, Trouble> {
        let failed = || format!("cannot reopen the guest in `{}`", directory.display());
        if facts.qemu != host.qemu.version {
            return Err(Error::new(failed()).because(format!("it was kept by QEMU {}", facts.qemu)).into());
        }
        let file = File::open(directory.join(STATE)).context(failed)?;
        let console = fs::read(directory.join(CONSOLE)).context(failed)?;
        let (reader, writer) = snapshot::pipe().context(|| "cannot make a pipe")?;
        let start = Start::State(reader.as_raw_fd());
        let instance = Instance {
            machine,
            accel: host.accel,
            memory: Memory::Own,
            start,
            at_end: AtEnd::Pause,
            plugged: facts.plugged.clone(),
            shared: None,
        };
        let mut vm = thread::scope(|scope| {
            let unpacked = scope.spawn(|| unpack(file, writer));
            let vm = snapshot::resume(host, &instance, reader);
            let unpacked = unpacked.join().expect("unpacking does not panic");
            // A QEMU that gives up closes the pipe; what it says is the better reason.
            let vm = vm?;
            unpacked.context(failed)?;
            Ok::<_, Trouble>(vm)
        })?;
        vm.release.clone_from(&facts.release);
        (vm.asked, vm.waiting) = (facts.asked, facts.waiting);
        vm.plugged.clone_from(&facts.plugged);
        vm.channels.console.feed(&console);
        vm.forgive();
        Ok(vm)
    }
}

fn pack(mut from: PipeReader, to: File) -> io::Result<()> {
    let mut packed = FrameEncoder::new(to);
    io::copy(&mut from, &mut packed)?;
    packed.finish()?.flush()
}

fn unpack(from: File, mut to: PipeWriter) -> io::Result<()> {
    io::copy(&mut FrameDecoder::new(from), &mut to).map(drop)
}
