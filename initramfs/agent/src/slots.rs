//! The memory that host and guest of a campaign share: a ring of slots, each of which takes a module's file in, and what
//! the kernel made of it out.
//!
//! ```text
//! offset 0        u64 each, in the guest's byte order:
//!                 READY    1 when the guest takes cases
//!                 WRITTEN  how many cases the host has put in
//!                 BEGUN    how many the guest has taken up: when it dies, the last of them was at work
//!                 DONE     how many have their outcome
//!                 FAILED   the errno with which the guest gave up, which is no fault of a case
//! PAGE + n % SLOTS * SLOT_BYTES    slot of case n:
//!                 u64 bytes of the image | i64 result | u64 nanoseconds | u64 modules left | u64 bytes of the log
//!                 log, to the end of the page
//!                 at PAGE: the image, at most IMAGE_BYTES_MAX
//! ```
//! Only one side writes each number. The host copies what it reads, once, and trusts no length.

use std::{
    ptr,
    sync::atomic::{AtomicU64, Ordering},
};

const PAGE: usize = 4096;

/// How many cases fit.
pub const SLOTS: u64 = 128;

/// Bytes of a slot.
const SLOT_BYTES: usize = 96 << 10;

/// Bytes of the whole memory. QEMU and kernels want nodes of whole mebibytes, at least four.
pub const BYTES: usize = 16 << 20;

/// Largest file that a case can have, bytes.
pub const IMAGE_BYTES_MAX: usize = SLOT_BYTES - PAGE;

/// Largest part of the kernel's log that is kept of a case, bytes: a warning with its call trace fits, and the line after it
/// that says what the refusal is for.
pub const LOG_BYTES_MAX: usize = PAGE - LOG;

const _: () = assert!(PAGE + SLOTS as usize * SLOT_BYTES <= BYTES);

const READY: usize = 0;
const WRITTEN: usize = 8;
const BEGUN: usize = 16;
const DONE: usize = 24;
const FAILED: usize = 32;

const IMAGE_LEN: usize = 0;
const RESULT: usize = 8;
const NANOSECONDS: usize = 16;
const LEFT: usize = 24;
const LOG_LEN: usize = 32;
const LOG: usize = 40;

/// What the kernel made of a case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// What `init_module` returned.
    pub result: i64,
    /// How long it took, in the guest's time.
    pub nanoseconds: u64,
    /// Modules that are still loaded and cannot be removed.
    pub left: u64,
    /// The beginning of what the kernel logged, a line for each record.
    pub log: Vec<u8>,
}

/// One side's view of the memory.
#[derive(Debug)]
pub struct Slots(*mut u8);

// SAFETY: the memory is reached by atomic accesses, and by copies that bytes of the other side may change under.
unsafe impl Send for Slots {}

impl Slots {
    /// A view of [`BYTES`] bytes that are mapped at this address, which is a page's.
    ///
    /// # Safety
    /// The mapping is writable and outlives the view.
    pub const unsafe fn new(address: *mut u8) -> Self {
        Self(address)
    }

    /// The guest takes cases from now on.
    pub fn set_ready(&self) {
        self.word(READY).store(1, Ordering::Release);
    }

    /// Whether the guest takes cases.
    pub fn is_ready(&self) -> bool {
        self.word(READY).load(Ordering::Acquire) == 1
    }

    /// The guest gives up with this errno.
    pub fn set_failed(&self, errno: i32) {
        self.word(FAILED).store(errno as u64, Ordering::Release);
    }

    /// The errno with which the guest has given up.
    pub fn failed(&self) -> Option<i32> {
        Some(self.word(FAILED).load(Ordering::Acquire) as i32).filter(|errno| *errno != 0)
    }

    /// How many cases the guest has taken up, and how many of them have their outcome.
    pub fn progress(&self) -> (u64, u64) {
        (self.word(BEGUN).load(Ordering::Acquire), self.word(DONE).load(Ordering::Acquire))
    }

    /// The host puts a case in, the next one in order. The slot must be free: at most [`SLOTS`] are on their way. Of an
    /// image that is too large only the beginning fits.
    pub fn put(&self, number: u64, image: &[u8]) {
        let (slot, len) = (Self::slot(number), image.len().min(IMAGE_BYTES_MAX));
        // SAFETY: the slot's image area has that many bytes.
        unsafe { ptr::copy_nonoverlapping(image.as_ptr(), self.0.add(slot + PAGE), len) };
        self.word(slot + IMAGE_LEN).store(len as u64, Ordering::Relaxed);
        self.word(WRITTEN).store(number + 1, Ordering::Release);
    }

    /// The guest takes the next case up, if there is one: its number, and its image as address and length.
    pub fn take(&self) -> Option<(u64, *const u8, usize)> {
        let number = self.word(DONE).load(Ordering::Relaxed);
        if self.word(WRITTEN).load(Ordering::Acquire) <= number {
            return None;
        }
        let slot = Self::slot(number);
        let len = (self.word(slot + IMAGE_LEN).load(Ordering::Relaxed) as usize).min(IMAGE_BYTES_MAX);
        self.word(BEGUN).store(number + 1, Ordering::Release);
        // SAFETY: it lies within the memory.
        Some((number, unsafe { self.0.add(slot + PAGE) }.cast_const(), len))
    }

    /// The guest leaves the outcome of the case that it took.
    pub fn finish(&self, number: u64, outcome: &Outcome) {
        let (slot, len) = (Self::slot(number), outcome.log.len().min(LOG_BYTES_MAX));
        self.word(slot + RESULT).store(outcome.result as u64, Ordering::Relaxed);
        self.word(slot + NANOSECONDS).store(outcome.nanoseconds, Ordering::Relaxed);
        self.word(slot + LEFT).store(outcome.left, Ordering::Relaxed);
        self.word(slot + LOG_LEN).store(len as u64, Ordering::Relaxed);
        // SAFETY: the slot's log area has that many bytes.
        unsafe { ptr::copy_nonoverlapping(outcome.log.as_ptr(), self.0.add(slot + LOG), len) };
        self.word(DONE).store(number + 1, Ordering::Release);
    }

    /// A copy of the outcome of a case that is done.
    pub fn outcome(&self, number: u64) -> Outcome {
        let word = |offset| self.word(Self::slot(number) + offset).load(Ordering::Relaxed);
        let mut log = vec![0; (word(LOG_LEN) as usize).min(LOG_BYTES_MAX)];
        // SAFETY: the slot's log area has that many bytes.
        unsafe { ptr::copy_nonoverlapping(self.0.add(Self::slot(number) + LOG), log.as_mut_ptr(), log.len()) };
        Outcome { result: word(RESULT) as i64, nanoseconds: word(NANOSECONDS), left: word(LEFT), log }
    }

    const fn slot(number: u64) -> usize {
        PAGE + (number % SLOTS) as usize * SLOT_BYTES
    }

    fn word(&self, offset: usize) -> &AtomicU64 {
        // SAFETY: all offsets are multiples of 8 within the memory, which lives as long as `self`.
        unsafe { AtomicU64::from_ptr(self.0.add(offset).cast()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both sides on one memory.
    fn sides() -> (Box<[u64]>, [Slots; 2]) {
        let mut memory = vec![0_u64; BYTES / 8].into_boxed_slice();
        let address = memory.as_mut_ptr().cast();
        // SAFETY: a box does not move its content, and the caller keeps it.
        (memory, [(); 2].map(|()| unsafe { Slots::new(address) }))
    }

    #[test]
    fn cases_go_in_and_outcomes_come_out_in_order() {
        let (_memory, [host, guest]) = sides();
        assert_eq!(guest.take(), None);
        for number in 0..2 * SLOTS {
            host.put(number, &[number as u8; 100]);
            let (taken, image, len) = guest.take().unwrap();
            // SAFETY: the slot holds that many bytes.
            assert_eq!(unsafe { std::slice::from_raw_parts(image, len) }, [number as u8; 100]);
            assert_eq!((taken, host.progress()), (number, (number + 1, number)));
            let outcome = Outcome { result: -8, nanoseconds: number, left: 0, log: b"why\n".into() };
            guest.finish(number, &outcome);
            assert_eq!((host.progress(), host.outcome(number)), ((number + 1, number + 1), outcome));
        }
    }

    #[test]
    fn no_length_is_trusted() {
        let (_memory, [host, guest]) = sides();
        host.put(0, &vec![1; 2 * IMAGE_BYTES_MAX]);
        assert_eq!(guest.take().unwrap().2, IMAGE_BYTES_MAX);
        guest.word(Slots::slot(0) + LOG_LEN).store(u64::MAX, Ordering::Relaxed);
        assert_eq!(host.outcome(0).log.len(), LOG_BYTES_MAX);
    }
}
