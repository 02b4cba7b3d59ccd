//! Ctrl-C: the first asks everything to stop and clean up, the second leaves at once.

use std::{
    io,
    os::fd::{AsRawFd, RawFd},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use crate::error::{Error, Result};

static ASKED: AtomicBool = AtomicBool::new(false);
static WAKE: OnceLock<EventFd> = OnceLock::new();
static SAY: Mutex<Option<Say>> = Mutex::new(None);

type Say = Box<dyn Fn(&str) + Send>;

/// Exit code of a process that was interrupted, as shells count it.
pub const EXIT_CODE: i32 = 130;

/// Installs the handlers. Call once, from `main`.
///
/// # Errors
/// The event descriptor or the signal thread cannot be made.
pub fn install() -> io::Result<()> {
    wake();
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for _ in signals.forever() {
            if ASKED.swap(true, Ordering::SeqCst) {
                eprintln!("modrig: stopped at once; virtual machines die with this process, the cache stays whole");
                std::process::exit(EXIT_CODE);
            }
            say("modrig: stopping after cleaning up (again: at once)");
            let _ = wake().write(1);
        }
    })?;
    Ok(())
}

/// Who says that we stop, in the place of plain standard error: whoever has bars there, which would be written over it.
pub fn say_by(by: impl Fn(&str) + Send + 'static) {
    *SAY.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(by));
}

fn say(line: &str) {
    match &*SAY.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(say) => say(line),
        None => eprintln!("{line}"),
    }
}

/// Whether the user asked to stop.
pub fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}

/// `Err(interrupted)` when the user asked to stop; for loops and between steps.
///
/// # Errors
/// The user asked to stop.
pub fn check() -> Result<()> {
    if asked() { Err(Error::interrupted()) } else { Ok(()) }
}

/// A descriptor that becomes, and stays, readable when the user asks to stop.
pub fn descriptor() -> RawFd {
    wake().as_raw_fd()
}

fn wake() -> &'static EventFd {
    WAKE.get_or_init(|| EventFd::new(EFD_NONBLOCK).expect("an eventfd costs one descriptor"))
}
