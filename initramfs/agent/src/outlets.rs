//! Where a job's output and results go: files without a name, and memory that a forked child shares with us. Both lie
//! ready before the first job: to find a name, or to make a file, is much for a guest whose every instruction is
//! translated first.

use std::{
    fs::File,
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    ptr,
};

use modrig_agent::wire::CONTENT_BYTES_MAX;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

/// A file system in memory.
const PLACE: &str = "/run";

/// Two for each job that runs at the same time as others; more are made when they are needed.
const FILES: usize = 8;

/// Bytes of memory for one job's results.
const PAGE: usize = 4096;

/// How many values fit beside their number.
const VALUES_MAX: usize = PAGE / size_of::<i64>() - 1;

/// What lies ready.
pub(crate) struct Outlets {
    files: Vec<File>,
    results: Vec<Results>,
}

impl Outlets {
    pub(crate) fn new() -> io::Result<Self> {
        let files = (0..FILES).map(|_| nameless()).collect::<io::Result<_>>()?;
        Ok(Self { files, results: vec![Results::new()?] })
    }

    pub(crate) fn file(&mut self) -> io::Result<File> {
        self.files.pop().map_or_else(nameless, Ok)
    }

    pub(crate) fn results(&mut self) -> io::Result<Results> {
        self.results.pop().map_or_else(Results::new, Ok)
    }

    /// For the next job; the one that had it has ended.
    pub(crate) fn take_back(&mut self, results: Results) {
        self.results.push(results);
    }
}

fn nameless() -> io::Result<File> {
    File::options().read(true).write(true).custom_flags(libc::O_TMPFILE).mode(0o600).open(PLACE)
}

/// The first [`CONTENT_BYTES_MAX`] bytes of a file that a job has written.
pub(crate) fn content(file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; file.metadata()?.len().min(CONTENT_BYTES_MAX as u64) as usize];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// Numbers that a forked child leaves to us: how many there are, and they themselves.
pub(crate) struct Results(*mut i64);

impl Results {
    fn new() -> io::Result<Self> {
        // SAFETY: a mapping at an address of the kernel's choice disturbs nothing.
        let page =
            unsafe { mmap_anonymous(ptr::null_mut(), PAGE, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED)? };
        let results = Self(page.cast());
        results.put(&[]);
        Ok(results)
    }

    pub(crate) fn put(&self, values: &[i64]) {
        let values = &values[..values.len().min(VALUES_MAX)];
        // SAFETY: the page is ours and has space for the number and that many values. It is never unmapped.
        unsafe {
            ptr::copy_nonoverlapping(values.as_ptr(), self.0.add(1), values.len());
            // Last, so that a child that dies before has left nothing.
            self.0.write_volatile(values.len() as i64);
        }
    }

    pub(crate) fn get(&self) -> Vec<i64> {
        // SAFETY: as above. What the child left is not trusted.
        let count = unsafe { self.0.read_volatile() }.clamp(0, VALUES_MAX as i64) as usize;
        // SAFETY: as above.
        (1..=count).map(|index| unsafe { self.0.add(index).read_volatile() }).collect()
    }
}
