//! Which of the kernel's code this process reaches: KCOV, where the kernel has it (Documentation/dev-tools/kcov.rst of
//! Linux 4.6 and later).
//!
//! The kernel writes the address of each basic block into memory of ours: first how many there are, then they.

use std::{
    fs::File,
    io,
    ops::Range,
    os::fd::{AsFd as _, AsRawFd as _},
    ptr,
    sync::atomic::{AtomicU64, Ordering},
};

use modrig_agent::slots::REACHED_MAX;
use rustix::{
    io::Errno,
    mm::{MapFlags, ProtFlags, mmap},
    mount::{MountFlags, mount},
};

/// Where KCOV is looked for.
const DEBUGFS: &str = "/sys/kernel/debug";

/// Numbers that the memory holds. A load that gets far reaches some 50000 blocks; what does not fit is lost.
const ENTRIES: usize = 1 << 18;

/// `_IOR('c', 1, unsigned long)`: how many numbers the memory shall hold.
const INIT_TRACE: u64 = 0x8008_6301;
/// `_IO('c', 100)`: from now on, for this thread.
const ENABLE: u64 = 0x6364;
/// Trace addresses, and not comparisons.
const TRACE_PC: u64 = 0;

/// Bytes of code for each bit of [`Watched::settled`]. A block is announced by a call, which has five bytes, so that no two
/// addresses behind such calls share a bit.
const STEP: u64 = 4;

/// The trace of this thread.
pub(crate) struct Kcov {
    trace: &'static [AtomicU64],
    watched: Watched,
    /// Tracing ends when it is closed.
    _file: File,
}

/// What is worth being handed on.
#[derive(Default)]
struct Watched {
    start: u64,
    /// A bit for each [`STEP`] bytes from `start` on: it is not watched, or was handed on.
    settled: Vec<u64>,
}

impl Kcov {
    /// Begins to trace this thread; None where the kernel cannot.
    pub(crate) fn begin() -> io::Result<Option<Self>> {
        match mount("debugfs", DEBUGFS, "debugfs", MountFlags::empty(), None::<&std::ffi::CStr>) {
            Ok(()) | Err(Errno::BUSY) => {}
            Err(_) => return Ok(None),
        }
        let Ok(file) = File::options().read(true).write(true).open(format!("{DEBUGFS}/kcov")) else { return Ok(None) };
        ioctl(&file, INIT_TRACE, ENTRIES as u64)?;
        let both = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a mapping at an address of the kernel's choice disturbs nothing of ours; it is never unmapped, is as long
        // as was asked for, and of what lies in it any bits are numbers.
        let trace = unsafe {
            let start = mmap(ptr::null_mut(), ENTRIES * size_of::<u64>(), both, MapFlags::SHARED, file.as_fd(), 0)?;
            std::slice::from_raw_parts(start.cast(), ENTRIES)
        };
        ioctl(&file, ENABLE, TRACE_PC)?;
        Ok(Some(Self { trace, watched: Watched::default(), _file: file }))
    }

    /// From now on only what lies in these ranges is handed on; the first of them begins lowest.
    pub(crate) fn watch(&mut self, ranges: &[Range<u64>]) {
        self.watched = Watched::new(ranges);
    }

    /// Forgets what was reached so far.
    pub(crate) fn clear(&self) {
        self.trace[0].store(0, Ordering::Relaxed);
    }

    /// What was reached since then, of what is watched and was not handed on before.
    pub(crate) fn reached(&mut self) -> Vec<u32> {
        let count = (self.trace[0].load(Ordering::Relaxed) as usize).min(ENTRIES - 1);
        let mut reached = Vec::new();
        for pc in &self.trace[1..=count] {
            if reached.len() == REACHED_MAX {
                // The rest comes with the next case that reaches it.
                break;
            }
            reached.extend(self.watched.take(pc.load(Ordering::Relaxed)));
        }
        reached
    }
}

impl Watched {
    fn new(ranges: &[Range<u64>]) -> Self {
        let start = ranges.iter().map(|range| range.start).min().unwrap_or_default();
        let end = ranges.iter().map(|range| range.end).max().unwrap_or_default();
        let mut settled = vec![u64::MAX; (end - start).div_ceil(STEP).div_ceil(64) as usize];
        for range in ranges {
            for bit in (range.start - start) / STEP..(range.end - start).div_ceil(STEP) {
                settled[(bit / 64) as usize] &= !(1 << (bit % 64));
            }
        }
        Self { start, settled }
    }

    /// The place of an address, if it is worth being handed on, which then is done.
    fn take(&mut self, pc: u64) -> Option<u32> {
        let at = pc.wrapping_sub(self.start);
        let bit = at / STEP;
        let word = self.settled.get_mut((bit / 64) as usize)?;
        let is_new = *word & 1 << (bit % 64) == 0;
        *word |= 1 << (bit % 64);
        is_new.then_some(at as u32)
    }
}

fn ioctl(file: &File, request: u64, arg: u64) -> io::Result<()> {
    // SAFETY: both of KCOV's requests take a number.
    match unsafe { libc::ioctl(file.as_raw_fd(), request as _, arg) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_watched_is_handed_on_once() {
        let mut watched = Watched::new(&[0x1000..0x1100, 0x2002..0x2010]);
        let taken = [0xfff, 0x1005, 0x100a, 0x1005, 0x1100, 0x1fff, 0x2002, 0x200f, 0x2010, 0x9000, 0];
        let taken: Vec<u32> = taken.into_iter().filter_map(|pc| watched.take(pc)).collect();
        assert_eq!(taken, [0x5, 0xa, 0x1002, 0x100f]);
        assert_eq!(Watched::default().take(0x1000), None);
    }
}
