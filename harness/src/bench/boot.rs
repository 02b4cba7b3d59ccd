//! Measures booting: this rig against a bare QEMU in the fastest configuration known, in turns.

use std::{
    ffi::OsString,
    io::{BufRead as _, BufReader},
    path::Path,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use modrig_agent::call::INIT_REACHED;

use crate::{
    error::{Context as _, Error, Result},
    interrupt,
    kernel::Kernel,
    machine::Machine,
    process, programs,
    run::Prepared,
    vm::{COMMAND_LINE, Host, Trouble, Vm},
};

/// Longest a bare boot may take.
const BARE_MAX: Duration = Duration::from_secs(60);

/// Times of one kernel, seconds, one per round.
#[derive(Debug, Clone, Default)]
pub struct Boots {
    /// From starting a bare QEMU, with a one-file initramfs, until its init prints a line.
    pub bare: Vec<f64>,
    /// From starting QEMU with the full image until the agent is ready.
    pub ready: Vec<f64>,
    /// From starting QEMU with the saved state until the agent has answered.
    pub restore: Vec<f64>,
}

/// Boots a kernel `rounds` times each way, the ways in turns.
///
/// # Errors
/// A boot fails.
pub fn boots(host: &Host, prepared: &Prepared, rounds: usize) -> Result<Boots> {
    let Prepared { kernel, image, guest, .. } = prepared;
    let directory = tempfile::tempdir().context(|| "cannot make a directory for the bare initramfs")?;
    let bare_initrd = directory.path().join("initramfs");
    std::fs::write(&bare_initrd, crate::image::only_init(programs::HELPER)?)
        .context(|| "cannot write the bare initramfs")?;
    let mut boots = Boots::default();
    for _ in 0..rounds {
        interrupt::check()?;
        boots.bare.push(bare(host, kernel, &bare_initrd)?);
        boots.ready.push(timed(|| Vm::boot(host, Machine::DEFAULT, kernel, &image.path))?);
        boots.restore.push(timed(|| {
            let mut vm = guest.restore(host)?;
            vm.ask(&modrig_agent::wire::Request::Log)?;
            Ok(vm)
        })?);
    }
    Ok(boots)
}

fn timed(start: impl FnOnce() -> Result<Vm, Trouble>) -> Result<f64> {
    let begun = Instant::now();
    let vm = start().map_err(Trouble::into_error)?;
    let took = begun.elapsed();
    drop(vm);
    Ok(took.as_secs_f64())
}

/// The configuration that was measured fastest: microvm without ACPI, PVH entry, no crypto self-tests; one serial
/// port on QEMU's standard output. Written out here, so that it stays what it is when the rig changes.
fn bare(host: &Host, kernel: &Kernel, initrd: &Path) -> Result<f64> {
    let failed = || "cannot run a bare QEMU".to_owned();
    let accel = host.accel.to_string();
    let mut words: Vec<OsString> = Vec::new();
    words
        .extend(["-machine", "microvm,acpi=off", "-nodefaults", "-no-user-config", "-display", "none"].map(Into::into));
    words.extend(["-no-reboot", "-accel", &accel, "-m", "256M", "-smp", "1", "-serial", "stdio"].map(Into::into));
    words.extend(["-append".into(), COMMAND_LINE.into(), "-kernel".into(), kernel.image.clone().into()]);
    words.extend(["-initrd".into(), initrd.into()]);
    let begun = Instant::now();
    let output = process::tied(duct::cmd(&host.qemu.program, words).stdin_null().stderr_null().unchecked())
        .reader()
        .context(failed)?;
    let reached = within(BARE_MAX, &output, || {
        BufReader::new(&output).lines().map_while(Result::ok).any(|line| line.contains(INIT_REACHED))
    });
    let took = begun.elapsed();
    output.kill().context(failed)?;
    if !reached {
        return Err(Error::new(format!("a bare QEMU does not bring {} up to its init", kernel.release)));
    }
    Ok(took.as_secs_f64())
}

/// Does something with a child's output, and kills the child when that takes longer than `limit`.
fn within<T>(limit: Duration, child: &duct::ReaderHandle, work: impl FnOnce() -> T) -> T {
    let (done, waiting) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            if waiting.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                let _ = child.kill();
            }
        });
        let result = work();
        drop(done);
        result
    })
}
