//! Memory that a guest shares with us, for campaigns: it lies behind the guest's own, and its kernel is told not to use it.

use std::{
    fs::File,
    io,
    os::fd::{AsFd as _, AsRawFd as _, RawFd},
    ptr,
};

use modrig_agent::slots::{BYTES, Slots};
use rustix::{
    fs::{MemfdFlags, memfd_create},
    mm::{MapFlags, ProtFlags, mmap, munmap},
};

/// A file in memory that QEMU maps, too.
#[derive(Debug)]
pub(super) struct Shared {
    file: File,
    address: *mut std::ffi::c_void,
    pub(super) slots: Slots,
    seen: (u64, u64),
}

// SAFETY: nothing but this value refers to the mapping, and whose thread it is does not matter.
unsafe impl Send for Shared {}

impl Shared {
    pub(super) fn new() -> io::Result<Self> {
        let file = File::from(memfd_create("slots", MemfdFlags::CLOEXEC)?);
        file.set_len(BYTES as u64)?;
        let both = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a mapping at an address of the kernel's choice disturbs nothing.
        let address = unsafe { mmap(ptr::null_mut(), BYTES, both, MapFlags::SHARED, file.as_fd(), 0)? };
        // SAFETY: the mapping is writable, and goes with this value.
        let slots = unsafe { Slots::new(address.cast()) };
        Ok(Self { file, address, slots, seen: (0, 0) })
    }

    /// Whether the guest has got on since this was last asked.
    pub(super) fn has_moved(&mut self) -> bool {
        let seen = std::mem::replace(&mut self.seen, self.slots.progress());
        seen != self.seen
    }

    /// For QEMU.
    pub(super) fn descriptor(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this size, and nothing refers to it any more.
        let _ = unsafe { munmap(self.address, BYTES) };
    }
}
