//! Saved guests: a kernel is booted once to the agent's Ready, and every case gets a private copy of that state.
//!
//! The guest's memory lies in a file that QEMU maps; the state of its devices, about 40 KiB, beside it. A restored
//! guest maps the memory file privately, so that pages are read when touched and copied when written.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    os::fd::{AsRawFd as _, RawFd},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use modrig_agent::wire::{Job, Reply, Request};
use modutils::sys::strerror;
use serde_json::json;

use super::{
    Host, SLICE, Trouble, Vm,
    accel::Accel,
    command_line,
    qemu::{AtEnd, Instance, MEMORY_MIB, Memory, Start},
    saved::{self, About, Facts, KIND, MEMORY, STATE},
    watch::{self, Watch},
};
use crate::{
    cache::{Cache, Digest, Staging},
    error::{Context as _, Error, FULL, Result},
    image::{Image, module_directory},
    kernel::{Kernel, Store},
    machine::Machine,
};

/// Capacity of the pipes that carry the device state, bytes. A state that does not fit is refused, not awaited.
const STATE_BYTES_MAX: usize = 1 << 20;

/// A guest saved at the agent's Ready.
#[derive(Debug, Clone)]
pub struct Snapshot {
    place: PathBuf,
    /// Where its memory is unpacked, until nobody uses it any more.
    unpacked: Option<Arc<Staging>>,
    machine: Machine,
    /// Names kernel, image, machine and QEMU.
    pub digest: Digest,
    /// What is known about it.
    pub about: About,
}

impl Snapshot {
    /// The saved guest of this machine, kernel and initramfs, booted now if it is not in the cache, or damaged there.
    ///
    /// # Errors
    /// The guest does not come up, cannot be saved, or the cache cannot be written.
    pub fn take(store: &Store, host: &Host, machine: Machine, kernel: &Kernel, image: &Image) -> Result<Self> {
        let Store { cache, progress, .. } = store;
        let digest = digest(host, machine, kernel, &image.digest);
        let check = |place: &Path| saved::check(place, &host.qemu.version);
        let build = |place: &Path, wrong: Option<&str>| {
            if let Some(wrong) = wrong {
                progress.say(format!("{}: the saved guest is made anew: {wrong}", kernel.name));
            }
            check_space(cache)?;
            boot_and_save(host, machine, kernel, &image.path, place).map_err(|trouble| {
                let cause = trouble.into_error();
                Error::new(format!(
                    "kernel {} ({}) does not come up on {machine}: {cause}",
                    kernel.name, kernel.release
                ))
            })
        };
        let (place, about) = cache.sound_entry(KIND, digest.as_str(), check, build)?;
        if about.release != kernel.release {
            let (image, wanted) = (&about.release, &kernel.release);
            let text =
                format!("kernel {}: its image is {image}, but its modules would be built for {wanted}", kernel.name);
            return Err(Error::new(text).help("if it is a tree of yours, build it anew"));
        }
        let unpacked = about.unpack(cache, &place)?.map(Arc::new);
        Ok(Self { place, unpacked, machine, digest, about })
    }

    /// Where it lies.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// A private copy, running.
    ///
    /// # Errors
    /// QEMU does not take the state.
    pub fn restore(&self, host: &Host) -> Result<Vm, Trouble> {
        self.restored(host, AtEnd::Exit)
    }

    /// The same; when the guest ends its machine, QEMU stays, so that it can be kept or looked at.
    ///
    /// # Errors
    /// As [`Snapshot::restore`].
    pub fn restore_to_keep(&self, host: &Host) -> Result<Vm, Trouble> {
        self.restored(host, AtEnd::Pause)
    }

    fn restored(&self, host: &Host, at_end: AtEnd) -> Result<Vm, Trouble> {
        let state = fs::read(self.place.join(STATE)).context(|| self.unusable())?;
        let (reader, mut writer) = pipe().context(|| "cannot make a pipe")?;
        // The pipe is larger than any state that was saved, so this never waits.
        writer.write_all(&state).context(|| "cannot write the guest's state")?;
        drop(writer);
        let memory = self.unpacked.as_deref().map_or(self.place.as_path(), Staging::path).join(MEMORY);
        let memory = Memory::CopyOf(memory);
        let start = Start::State(reader.as_raw_fd());
        let instance = Instance {
            machine: self.machine,
            accel: host.accel,
            memory,
            start,
            at_end,
            plugged: Vec::new(),
            shared: None,
        };
        let mut vm = resume(host, &instance, reader)?;
        if self.machine.shares {
            vm.watch = Watch::new(watch::CAMPAIGN);
        }
        vm.release.clone_from(&self.about.release);
        Ok(vm)
    }

    fn unusable(&self) -> String {
        format!("the saved guest `{}` cannot be read", self.place.display())
    }
}

fn digest(host: &Host, machine: Machine, kernel: &Kernel, image: &Digest) -> Digest {
    let accel = host.accel.to_string();
    // A state saved with -cpu host fits this processor only.
    let processor = match host.accel {
        Accel::Kvm => fs::read_to_string("/proc/cpuinfo").unwrap_or_default().lines().take(27).collect::<String>(),
        Accel::Tcg => String::new(),
    };
    let layout = "7"; // counted up when the machine's command line changes, or what is done before it is saved
    let (name, words) = (machine.to_string(), command_line(machine));
    let (kernel, qemu) = (kernel.digest.as_str(), host.qemu.version.as_str());
    Digest::of([layout, kernel, image.as_str(), qemu, &accel, &processor, &name, &words])
}

/// A guest whose memory file meets a full disk dies of SIGBUS, which tells nobody why.
fn check_space(cache: &Cache) -> Result<()> {
    match cache.free_bytes() {
        Some(free) if free < u64::from(MEMORY_MIB) << 20 => Err(Error::new(format!(
            "no space to save a guest in `{}`: it may need {MEMORY_MIB} MiB, {} MiB are free",
            cache.root().display(),
            free >> 20
        ))
        .help(FULL)),
        _ => Ok(()),
    }
}

fn boot_and_save(host: &Host, machine: Machine, kernel: &Kernel, initrd: &Path, place: &Path) -> Result<(), Trouble> {
    let begun = Instant::now();
    let mut vm = Vm::boot_with(host, machine, Memory::Shared(place.join(MEMORY)), kernel, initrd)?;
    let boot_ms = begun.elapsed().as_millis() as u64;
    if machine.shares {
        begin_campaign(&mut vm)?
    } else {
        rehearse(&mut vm)?
    }
    let state = save(&mut vm)?;
    let stored = || format!("cannot store a saved guest in `{}`", place.display());
    fs::write(place.join(STATE), state).context(stored)?;
    fs::write(place.join("boot.log"), vm.console().text()).context(stored)?;
    let release = vm.release.clone();
    // What is sealed must not change any more.
    drop(vm);
    Ok(saved::seal(place, Facts { release: &release, boot_ms, machine, qemu: &host.qemu.version })?)
}

/// Has the guest do once what every case does: run a tool, fork. What is made at the first time, such as page tables and
/// cached pages, is then part of the saved guest.
fn rehearse(vm: &mut Vm) -> Result<(), Trouble> {
    let tool = Job::Exec { argv: vec!["/sbin/lsmod".into()], env: Vec::new() };
    for job in [tool, Job::Calls(Vec::new())] {
        if let Reply::Started { job, .. } = vm.ask(&Request::Start(job))? {
            vm.ask(&Request::Wait { job, timeout_ms: SLICE.as_millis() as u32 })?;
        }
    }
    Ok(())
}

/// Has the guest load its modules, and then wait for what comes through the memory it shares with us.
fn begin_campaign(vm: &mut Vm) -> Result<(), Trouble> {
    let directory = format!("{}/extra", module_directory(vm.release()));
    let Reply::Names(names) = vm.ask(&Request::List { path: directory.clone() })? else {
        return Err(Error::new(format!("the guest's `{directory}` cannot be listed")).into());
    };
    let warm_up = names.iter().map(|name| format!("{directory}/{name}")).collect();
    // Only what a kernel says when it dies shall take the time to be printed.
    let quiet = Request::Write { path: "/proc/sys/kernel/printk".into(), bytes: b"3".into(), mode: 0o644 };
    vm.ask(&quiet)?;
    vm.ask(&Request::Start(Job::Campaign { address: u64::from(MEMORY_MIB) << 20, warm_up }))?;
    loop {
        let slots = vm.slots().ok_or_else(|| Error::new("the machine shares no memory"))?;
        if let Some(errno) = slots.failed() {
            return Err(Error::new(format!("the guest cannot begin a campaign: {}", strerror(errno))).into());
        }
        if slots.is_ready() {
            return Ok(());
        }
        vm.pause(Duration::from_millis(5))?;
    }
}

/// Tells the monitor that memory in a file is not part of a saved state.
fn leave_memory_out(vm: &mut Vm) -> Result<(), Trouble> {
    vm.command("qmp_capabilities", &json!(null), None)?;
    let capabilities = json!({ "capabilities": [{ "capability": "x-ignore-shared", "state": true }] });
    vm.command("migrate-set-capabilities", &capabilities, None).map(drop)
}

/// Starts a guest from the state that comes through a pipe, and has it run if it can.
pub(super) fn resume(host: &Host, instance: &Instance, state: io::PipeReader) -> Result<Vm, Trouble> {
    let uri = format!("fd:{}", state.as_raw_fd());
    let mut vm = Vm::start(host, instance, watch::CASE)?;
    // QEMU has its own: should it end, whoever writes to the pipe shall notice.
    drop(state);
    leave_memory_out(&mut vm)?;
    vm.command("migrate-incoming", &json!({ "uri": uri }), None)?;
    // What is sent to a port before its state has been read is overwritten by that state.
    loop {
        match vm.command("query-status", &json!(null), None)?["status"].as_str() {
            Some("running") => return Ok(vm),
            // A guest that was stopped to be kept.
            Some("paused") => drop(vm.command("cont", &json!(null), None)?),
            Some("inmigrate") => drop(vm.turn(Duration::from_millis(1))?),
            // One that has ended its machine.
            _ => {
                vm.channels.stopped = true;
                return Ok(vm);
            }
        }
    }
}

/// Takes the state of the guest's devices; its memory is in the file already. The guest is not stopped first: one
/// that was saved running runs on by itself when restored.
fn save(vm: &mut Vm) -> Result<Vec<u8>, Trouble> {
    leave_memory_out(vm)?;
    let (mut reader, writer) = pipe().context(|| "cannot make a pipe")?;
    send_state(vm, writer)?;
    let mut state = Vec::new();
    reader.read_to_end(&mut state).context(|| "cannot read the guest's state")?;
    Ok(state)
}

/// Has QEMU write the guest's state into a pipe, and waits until it has.
pub(super) fn send_state(vm: &mut Vm, to: io::PipeWriter) -> Result<(), Trouble> {
    vm.command("getfd", &json!({ "fdname": "state" }), Some(to.as_raw_fd()))?;
    drop(to);
    vm.command("migrate", &json!({ "uri": "fd:state" }), None)?;
    loop {
        let answer = vm.command("query-migrate", &json!(null), None)?;
        match answer["status"].as_str() {
            Some("completed") => return Ok(()),
            Some("failed" | "cancelled") => {
                return Err(Error::new(format!("QEMU cannot save the guest: {}", answer["error-desc"])).into());
            }
            _ => drop(vm.turn(Duration::from_millis(5))?),
        }
    }
}

/// A pipe that holds a whole device state, so that neither end ever waits for the other.
pub(super) fn pipe() -> io::Result<(io::PipeReader, io::PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    enlarge(writer.as_raw_fd())?;
    Ok((reader, writer))
}

fn enlarge(pipe: RawFd) -> io::Result<()> {
    // SAFETY: fcntl with F_SETPIPE_SZ takes no pointer.
    match unsafe { libc::fcntl(pipe, libc::F_SETPIPE_SZ, STATE_BYTES_MAX as i32) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
