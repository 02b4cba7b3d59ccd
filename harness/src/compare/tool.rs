//! The two sets of tools, and one call of one of them: nothing of the caller's surroundings, no privilege over
//! modules, bounded time and memory.

use std::{
    ffi::OsString,
    fs, io,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use duct::Expression;

use super::words::Call;
use crate::{
    cache::{Cache, Digest},
    error::{Context as _, Error, Result},
    peers::Kmod,
    process, programs,
};

/// Names that stand for one of the compared programs, the last for none of their tools; any other word at the start of
/// a call is a program of the host.
const NAMES: [&str; 8] = ["depmod", "insmod", "kmod", "lsmod", "modinfo", "modprobe", "rmmod", "no-such-tool"];

/// Memory that a tool may use, bytes: a damaged count must not take the machine's.
const MEMORY_MAX: u64 = 4 << 30;

/// The privilege to load and remove modules (linux/capability.h).
const CAP_SYS_MODULE: libc::c_ulong = 16;

/// What is compared.
#[derive(Debug, Clone)]
pub struct Tools {
    kmod: Kmod,
    ours: PathBuf,
}

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The real kmod.
    Kmod,
    /// Our modutils.
    Ours,
}

/// How a call has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// With this exit code.
    Exit(i32),
    /// By this signal.
    Signal(i32),
    /// Not at all: it was killed after the time it may take.
    Late(Duration),
}

/// What a call has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// How it ended.
    pub end: End,
    /// Standard output.
    pub out: Vec<u8>,
    /// Standard error.
    pub err: Vec<u8>,
}

impl Tools {
    /// The real kmod beside the modutils that `modrig` carries, which are put into the cache.
    ///
    /// # Errors
    /// They cannot be written, or not be executed there.
    pub fn new(kmod: Kmod, cache: &Cache) -> Result<Self> {
        let key = Digest::of([programs::MODUTILS]);
        let place = cache.entry("program", key.as_str(), |place| write_program(&place.join("modutils")))?;
        let tools = Self { kmod, ours: place.join("modutils") };
        for side in [Side::Kmod, Side::Ours] {
            tools.probe(side, &place)?;
        }
        Ok(tools)
    }

    /// Version of the real kmod's package.
    pub fn version(&self) -> &str {
        &self.kmod.version
    }

    /// A cache on a file system that is mounted `noexec` is noticed before it spoils every case.
    fn probe(&self, side: Side, place: &Path) -> Result<()> {
        let call = Call { environment: vec![], program: "modprobe".into(), arguments: vec!["--version".into()] };
        let said = self.call(side, &call, place, Duration::from_secs(60));
        let help = "the cache must lie where programs may be executed; name another place with --cache";
        match said.map_err(|error| error.help(help))? {
            Said { end: End::Exit(0), .. } => Ok(()),
            said => {
                Err(Error::new(format!("{side:?} does not work here: {}", String::from_utf8_lossy(&said.err)))
                    .help(help))
            }
        }
    }

    /// Program and first arguments of a tool, and the name it is started under.
    pub fn command(&self, side: Side, tool: &str) -> (Vec<OsString>, Option<OsString>) {
        match side {
            _ if !NAMES.contains(&tool) => (vec![tool.into()], None),
            Side::Kmod => (self.kmod.command(tool), None),
            Side::Ours => (vec![self.ours.clone().into()], Some(tool.into())),
        }
    }

    /// Runs one call in a directory.
    ///
    /// # Errors
    /// It cannot be started, or the user asked to stop.
    pub fn call(&self, side: Side, call: &Call, directory: &Path, limit: Duration) -> Result<Said> {
        let (mut words, name) = self.command(side, &call.program);
        // Some operands must be absolute.
        let here = directory.display().to_string();
        words.extend(call.arguments.iter().map(|argument| OsString::from(argument.replace("$PWD", &here))));
        let environment =
            [("PATH".to_owned(), "/usr/sbin:/usr/bin:/sbin:/bin".to_owned()), ("LC_ALL".into(), "C".into())];
        let command = duct::cmd(&words[0], &words[1..])
            .dir(directory)
            .full_env(environment.into_iter().chain(call.environment.iter().cloned()))
            .stdout_capture()
            .stderr_capture();
        let output = process::run_within(&call.program, prepared(command, name), limit)?;
        Ok(output.map_or_else(|| Said::late(limit), Said::of))
    }
}

impl Said {
    fn late(limit: Duration) -> Self {
        Self { end: End::Late(limit), out: vec![], err: vec![] }
    }

    fn of(output: Output) -> Self {
        let end = match (output.status.code(), output.status.signal()) {
            (Some(code), _) => End::Exit(code),
            (None, signal) => End::Signal(signal.unwrap_or_default()),
        };
        Self { end, out: output.stdout, err: output.stderr }
    }
}

fn write_program(path: &Path) -> Result<()> {
    let failed = || format!("cannot write `{}`", path.display());
    fs::write(path, programs::MODUTILS).context(failed)?;
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).context(failed)
}

/// Sets the name that the program sees, and takes from it what it must not have.
fn prepared(command: Expression, name: Option<OsString>) -> Expression {
    command.before_spawn(move |command: &mut Command| {
        if let Some(name) = &name {
            command.arg0(name);
        }
        // SAFETY: between fork and exec only system calls are made.
        unsafe { command.pre_exec(restrict) };
        Ok(())
    })
}

/// A case with a mistake in it must not load a module into this machine's kernel, nor fill its memory or directories.
fn restrict() -> io::Result<()> {
    // SAFETY: PR_CAPBSET_DROP takes a number. It fails for whoever is not root, who lacks the privilege anyway.
    unsafe { libc::prctl(libc::PR_CAPBSET_DROP, CAP_SYS_MODULE, 0, 0, 0) };
    for (resource, value) in [(libc::RLIMIT_CORE, 0), (libc::RLIMIT_AS, MEMORY_MAX)] {
        let limit = libc::rlimit { rlim_cur: value, rlim_max: value };
        // SAFETY: the structure is readable for the call's duration.
        if unsafe { libc::setrlimit(resource, &limit) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
