//! Child processes that never outlive us.

use std::{
    fs, io,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{Command, ExitStatus, Output},
    time::{Duration, Instant},
};

use duct::Expression;

use crate::{
    error::{Context as _, Result},
    interrupt, pace,
};

/// Runs a command, [`tied`] and without input, to its end, whatever its exit status.
///
/// # Errors
/// It cannot be started, or the user asked to stop: then its whole process group is killed.
pub fn run(what: &str, command: Expression) -> Result<Output> {
    run_beside(what, command, || ())
}

/// As [`run`], for so long at most on an idle machine; `None` when it had to be killed.
///
/// # Errors
/// As [`run`].
pub fn run_within(what: &str, command: Expression, limit: Duration) -> Result<Option<Output>> {
    wait(what, command, limit, || ())
}

/// As [`run`], and does something meanwhile, some times in each second.
///
/// # Errors
/// As [`run`].
pub fn run_beside(what: &str, command: Expression, meanwhile: impl FnMut()) -> Result<Output> {
    Ok(wait(what, command, Duration::MAX, meanwhile)?.expect("no time is that long"))
}

fn wait(what: &str, command: Expression, limit: Duration, mut meanwhile: impl FnMut()) -> Result<Option<Output>> {
    let begun = Instant::now();
    let handle = tied(command).stdin_null().unchecked().start().context(|| format!("cannot start {what}"))?;
    loop {
        let pause = Duration::from_millis(200).min(limit);
        if let Some(output) = handle.wait_timeout(pause).context(|| format!("cannot wait for {what}"))? {
            return Ok(Some(output.clone()));
        }
        meanwhile();
        let is_late = begun.elapsed() >= limit
            && begun.elapsed() >= limit.mul_f64(pace::slowness(handle.pids().first().copied()));
        if interrupt::asked() || is_late {
            for leader in handle.pids() {
                // SAFETY: kill takes two numbers. The child has not been waited for, so its number is still its own.
                unsafe { libc::kill(-(leader as libc::pid_t), libc::SIGKILL) };
            }
            handle.kill().context(|| format!("cannot kill {what}"))?;
            interrupt::check()?;
            return Ok(None);
        }
    }
}

/// What a finished child has used: seconds, seconds, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Spent {
    /// Of processors, its own and the kernel's for it.
    pub cpu: f64,
    /// From start to end.
    pub wall: f64,
    /// Of memory at its peak; 0 where it needed less than we do, for the kernel counts what a child is copied
    /// from.
    pub memory: f64,
}

impl Spent {
    /// Counts another child's times too; of memory the larger peak.
    pub fn add(&mut self, other: &Self) {
        *self = Self { cpu: self.cpu + other.cpu, wall: self.wall + other.wall, memory: self.memory.max(other.memory) };
    }
}

/// Runs a command to its end, and says what it has used.
///
/// # Errors
/// It cannot be started or waited for.
pub fn measured(what: &str, mut command: Command) -> Result<(ExitStatus, Spent)> {
    tie(&mut command);
    let begun = Instant::now();
    let child = command.spawn().context(|| format!("cannot start {what}"))?;
    let mut status = 0;
    // SAFETY: an all-zero rusage is a valid value of that plain structure.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both are writable for the call's duration, and nobody else waits for this child.
        match unsafe { libc::wait4(child.id() as libc::pid_t, &raw mut status, 0, &raw mut usage) } {
            -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            -1 => return Err(io::Error::last_os_error()).context(|| format!("cannot wait for {what}")),
            _ => break,
        }
    }
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    let memory = usage.ru_maxrss as f64 * 1024.0;
    let spent = Spent {
        cpu: seconds(usage.ru_utime) + seconds(usage.ru_stime),
        wall: begun.elapsed().as_secs_f64(),
        memory: if memory > own_memory()? * 1.1 { memory } else { 0.0 },
    };
    Ok((ExitStatus::from_raw(status), spent))
}

/// What this process has in memory now, bytes.
fn own_memory() -> Result<f64> {
    let text = fs::read_to_string("/proc/self/statm").context(|| "cannot read how much memory modrig uses")?;
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok());
    // SAFETY: sysconf takes a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as f64;
    Ok(pages.unwrap_or_default() * page)
}

/// Ties the child to this thread: the kernel kills it when the thread that starts it ends, however it ends
/// (return, panic, SIGKILL of the process). Also puts it in a process group of its own, so that Ctrl-C in the
/// terminal reaches us first and we decide.
///
/// Start it from a thread that lives as long as the child should.
pub fn tied(expression: Expression) -> Expression {
    expression.before_spawn(|command| {
        command.process_group(0);
        tie(command);
        Ok(())
    })
}

/// Ties a command's child to the thread that starts it, as [`tied`] does, and leaves its process group.
pub fn tie(command: &mut Command) {
    let parent = std::process::id();
    // SAFETY: between fork and exec only async-signal-safe calls are made: prctl, getppid.
    unsafe { command.pre_exec(move || die_with(parent)) };
}

fn die_with(parent: u32) -> io::Result<()> {
    // SAFETY: prctl with PR_SET_PDEATHSIG takes a signal number and no pointer.
    if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // The parent may have died before the call above; then nobody will send the signal.
    // SAFETY: getppid has no preconditions.
    if unsafe { libc::getppid() } as u32 != parent {
        return Err(io::Error::other("the parent process is gone"));
    }
    Ok(())
}
