//! The QEMU program: finding it, and starting it as a child that never outlives us.

use std::{
    env,
    ffi::OsString,
    fs,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::{
        fd::{AsRawFd as _, OwnedFd, RawFd},
        unix::process::{CommandExt as _, ExitStatusExt as _},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use modrig_agent::slots;

use super::{accel::Accel, device};
use crate::{
    cache::Cache,
    error::{Context as _, Error, Result},
    machine::{Board, Device, Machine},
    media, memo, process,
};

/// Oldest QEMU that has all we use: `microvm` with `acpi=off`, memory back ends in a file, x-ignore-shared.
const OLDEST: (u32, u32) = (5, 2);

const PACKAGE: &str = "qemu-system-x86";

/// A QEMU program that can be used.
#[derive(Debug, Clone)]
pub struct Qemu {
    /// The program, as found.
    pub program: PathBuf,
    /// Its version, as it prints it, such as `7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)`.
    pub version: String,
}

impl Qemu {
    /// Finds the program that `MODRIG_QEMU` names, or `qemu-system-x86_64` in `PATH`.
    ///
    /// # Errors
    /// There is none, it does not run, or it is older than 5.2.
    pub fn find() -> Result<Self> {
        let program = program()?;
        Ok(Self { version: version_of(&program)?, program })
    }

    /// The same; a program that was asked for its version before, and is still the same file, is not asked again.
    ///
    /// # Errors
    /// As [`Qemu::find`].
    pub fn find_known(cache: &Cache) -> Result<Self> {
        let program = program()?;
        // A script may start another program tomorrow, and be the same file.
        let stamp = memo::stamp(&program).ok().filter(|_| is_elf(&program));
        if let Some(version) = stamp.as_ref().and_then(|stamp| memo::recall(cache, "qemu", &[stamp])) {
            return Ok(Self { version, program });
        }
        let version = version_of(&program)?;
        if let Some(stamp) = stamp {
            memo::remember(cache, "qemu", &[&stamp], &version);
        }
        Ok(Self { version, program })
    }
}

fn program() -> Result<PathBuf> {
    match env::var_os("MODRIG_QEMU").filter(|program| !program.is_empty()) {
        Some(program) => Ok(PathBuf::from(program)),
        None => in_path("qemu-system-x86_64").ok_or_else(|| {
            Error::new("QEMU is missing: no qemu-system-x86_64 in PATH")
                .help(format!("install {PACKAGE}, or name the program with MODRIG_QEMU"))
        }),
    }
}

fn is_elf(file: &Path) -> bool {
    let mut magic = [0; 4];
    fs::File::open(file).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == *b"\x7fELF"
}

fn version_of(program: &Path) -> Result<String> {
    let failed = || {
        Error::new(format!("QEMU does not run: `{}`", program.display()))
            .help(format!("install {PACKAGE}, or name another program with MODRIG_QEMU"))
    };
    let text = duct::cmd(program, ["--version"]).stderr_null().read().map_err(|cause| failed().because(cause))?;
    let version =
        text.lines().next().and_then(|line| line.strip_prefix("QEMU emulator version ")).ok_or_else(failed)?;
    if crate::kernel::version_of(version) < OLDEST {
        let (major, minor) = OLDEST;
        return Err(Error::new(format!("QEMU {version} is too old: modrig needs {major}.{minor} or newer"))
            .help("install a newer one, or name one with MODRIG_QEMU"));
    }
    Ok(version.to_owned())
}

fn in_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// Size of a guest's memory, MiB.
pub(super) const MEMORY_MIB: u32 = 256;

/// Where the guest's memory comes from.
#[derive(Debug, Clone)]
pub(super) enum Memory {
    /// Its own, in no file.
    Own,
    /// A file that shall hold the memory when the state is saved.
    Shared(PathBuf),
    /// A private copy of such a file, made page by page as the guest writes.
    CopyOf(PathBuf),
}

/// How a guest begins.
#[derive(Debug, Clone)]
pub(super) enum Start {
    /// From its kernel: image, initramfs and command line.
    Kernel { image: PathBuf, initrd: PathBuf, command_line: String },
    /// From a saved device state, which the monitor will be told to read from this descriptor.
    State(RawFd),
}

/// Everything that differs between two guests.
#[derive(Debug, Clone)]
pub(super) struct Instance {
    pub(super) machine: Machine,
    pub(super) accel: Accel,
    pub(super) memory: Memory,
    pub(super) start: Start,
    pub(super) at_end: AtEnd,
    /// Devices besides those of the machine, with their names.
    pub(super) plugged: Vec<(Device, String)>,
    /// The memory that the machine shares with us, if it does.
    pub(super) shared: Option<RawFd>,
}

/// What QEMU does when the guest ends its machine, as a panic does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AtEnd {
    /// Exits.
    Exit,
    /// Stays, so that the memory can be looked at.
    Pause,
}

/// Descriptors of a guest's three channels, QEMU's ends.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) console: OwnedFd,
    pub(super) link: OwnedFd,
    pub(super) qmp: OwnedFd,
}

/// The command line of a machine with no default devices, no network and two serial ports.
fn arguments(instance: &Instance, ends: &Ends, disc: Option<RawFd>) -> Vec<OsString> {
    let mut words: Vec<OsString> = Vec::new();
    let mut add = |text: &[&str]| words.extend(text.iter().map(OsString::from));
    add(&["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
    // A kernel without ACPI reads the firmware's MP table, which lists one processor of each socket.
    let processors = instance.machine.processors;
    add(&["-smp", &format!("{processors},sockets={processors}")]);
    add(&["-accel", &instance.accel.to_string()]);
    add(&["-cpu", processor(instance.accel)]);
    add(&["-object", &memory(&instance.memory)]);
    let size = match instance.shared {
        Some(descriptor) => {
            let size = format!("{}M", slots::BYTES >> 20);
            let path = format!("mem-path=/proc/self/fd/{descriptor},share=on");
            add(&["-object", &format!("memory-backend-file,id=slots,size={size},{path}")]);
            // Of two pieces of memory each is a node's.
            add(&["-numa", "node,memdev=ram", "-numa", "node,memdev=slots"]);
            MEMORY_MIB + (slots::BYTES >> 20) as u32
        }
        None => MEMORY_MIB,
    };
    add(&["-m", &format!("{size}M")]);
    if instance.at_end == AtEnd::Pause {
        add(&["-action", "shutdown=pause"]);
    }
    let memory = if instance.shared.is_some() { "" } else { ",memory-backend=ram" };
    add(&["-machine", &format!("{}{memory}", board(instance.machine.board))]);
    let console = format!("file,id=console,path=/proc/self/fd/{}", ends.console.as_raw_fd());
    let link = format!("socket,id=link,fd={}", ends.link.as_raw_fd());
    for (name, chardev) in [("console", &console), ("link", &link)] {
        add(&["-chardev", chardev]);
        add(&["-device", &format!("isa-serial,chardev={name}")]);
    }
    add(&["-chardev", &format!("socket,id=qmp,fd={}", ends.qmp.as_raw_fd()), "-mon", "chardev=qmp,mode=control"]);
    if let Some(disc) = disc {
        add(&["-add-fd", &format!("fd={disc},set={}", device::DISC_SET)]);
    }
    let own = instance.machine.devices.iter().map(|device| (*device, device::name(*device)));
    let plugged = instance.plugged.iter().map(|(device, name)| (*device, name.as_str()));
    for (device, name) in own.chain(plugged) {
        if let Some(disc) = device::disc(device, name) {
            add(&["-blockdev", &disc.to_string()]);
        }
        add(&["-device", &device::option(device, name)]);
    }
    match &instance.start {
        Start::Kernel { image, initrd, command_line } => {
            words.extend([
                "-kernel".into(),
                image.into(),
                "-initrd".into(),
                initrd.into(),
                "-append".into(),
                command_line.into(),
            ]);
        }
        Start::State(_) => words.extend(["-incoming".into(), "defer".into()]),
    }
    words
}

/// The object `ram`. Its name stands in saved states, so that each kind of memory takes the states of all.
fn memory(memory: &Memory) -> String {
    let (path, share) = match memory {
        Memory::Own => return format!("memory-backend-ram,id=ram,size={MEMORY_MIB}M"),
        Memory::Shared(path) => (path, "on"),
        Memory::CopyOf(path) => (path, "off"),
    };
    // A comma would end the value; QEMU reads two as one.
    let path = path.display().to_string().replace(',', ",,");
    format!("memory-backend-file,id=ram,size={MEMORY_MIB}M,mem-path={path},share={share}")
}

/// `microvm` without ACPI boots fastest under TCG, and calibrates its clock against the PIT, which TCG does
/// reliably; with ACPI half the boots of some kernels stall there.
fn board(board: Board) -> &'static str {
    match board {
        Board::Microvm => "microvm,acpi=off,isa-serial=off",
        Board::Pc => "pc",
    }
}

/// TCG gets the flags wrong when an interrupt follows a cmpxchg16b: it pushes bits of an address in their place, and
/// the interrupted kernel dies of a double fault later, mostly in the slab allocator (seen with QEMU 7.2 and Linux
/// 6.12). Kernels do without the instruction when the processor does not offer it.
fn processor(accel: Accel) -> &'static str {
    match accel {
        Accel::Kvm => "host",
        Accel::Tcg => "qemu64,-cx16",
    }
}

/// Longest a QEMU that has closed its channels may take to exit.
const EXIT_MAX: Duration = Duration::from_secs(2);

/// A running QEMU. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Process {
    handle: duct::Handle,
    messages: fs::File,
}

impl Process {
    /// Starts a machine. The thread that calls this must live as long as the guest (see [`process::tied`]).
    pub(super) fn start(qemu: &Qemu, instance: &Instance, ends: Ends) -> Result<Self> {
        let failed = || format!("cannot start QEMU `{}`", qemu.program.display());
        let messages = tempfile::tempfile().context(failed)?;
        let disc = match instance.machine.board {
            Board::Microvm => None,
            Board::Pc => Some(disc().context(|| "cannot make the disc of a guest")?),
        };
        let disc_descriptor = disc.as_ref().map(fs::File::as_raw_fd);
        let mut inherited = vec![ends.console.as_raw_fd(), ends.link.as_raw_fd(), ends.qmp.as_raw_fd()];
        inherited.extend(disc_descriptor);
        inherited.extend(instance.shared);
        if let Start::State(descriptor) = instance.start {
            inherited.push(descriptor);
        }
        let command = duct::cmd(&qemu.program, arguments(instance, &ends, disc_descriptor))
            .stdin_null()
            .stdout_null()
            .stderr_file(messages.try_clone().context(failed)?)
            .unchecked()
            .before_spawn(move |command| {
                let inherited = inherited.clone();
                // SAFETY: between fork and exec only fcntl is called, which is async-signal-safe.
                unsafe { command.pre_exec(move || inherited.iter().try_for_each(|end| keep_open(*end))) };
                Ok(())
            });
        let handle = process::tied(command).start().context(failed)?;
        Ok(Self { handle, messages })
    }

    /// Its number, while it has one.
    pub(super) fn number(&self) -> Option<u32> {
        self.handle.pids().first().copied()
    }

    /// Ends it and says how it ended.
    pub(super) fn end(&mut self) -> End {
        // One that has closed its channels is about to exit; killed now, it could not say why.
        if !matches!(self.handle.wait_timeout(EXIT_MAX), Ok(Some(_))) {
            let _ = self.handle.kill();
        }
        let (mut said, status) = match self.handle.wait() {
            Ok(output) => (output.status.to_string(), Some(output.status)),
            Err(error) => (error.to_string(), None),
        };
        let mut messages = String::new();
        let read = self.messages.seek(SeekFrom::Start(0)).and_then(|_| self.messages.read_to_string(&mut messages));
        if let (Ok(_), Some(last)) = (read, messages.lines().last()) {
            said.push_str(": ");
            said.push_str(last);
        }
        End {
            said,
            by_guest: status.is_some_and(|status| status.success()),
            disk_full: status.is_some_and(|status| status.signal() == Some(libc::SIGBUS)),
        }
    }
}

/// How a QEMU has ended.
#[derive(Debug)]
pub(super) struct End {
    /// Its exit status and last message.
    pub(super) said: String,
    /// Because the guest ended its machine: QEMU was not killed, and met no error of its own.
    pub(super) by_guest: bool,
    /// The guest's memory found no room in its file.
    pub(super) disk_full: bool,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.handle.kill();
        let _ = self.handle.wait();
    }
}

/// The disc, opened as QEMU wants it: for reading only.
fn disc() -> io::Result<fs::File> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(&media::disc())?;
    fs::File::open(file.path())
}

fn keep_open(descriptor: RawFd) -> io::Result<()> {
    // SAFETY: fcntl with F_SETFD takes no pointer.
    match unsafe { libc::fcntl(descriptor, libc::F_SETFD, 0) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
