//! What the tests of bad input share: the kernel and its spoilt copies, and caches of their own.

#![allow(dead_code, reason = "no test binary uses all of it")]

use std::{fs, os::unix::fs::symlink, path::Path};

use modrig::{cache::Staging, machine::Machine, run::Rig};

/// The kernel of these tests.
pub(crate) const KERNEL: &str = "6.1";

/// A cache of a test's own. It lies in the machine's cache, in its `tmp`: same file system, and swept if this process
/// is killed. Dropped, it takes with it what still runs there.
pub(crate) struct Twin(Staging);

impl Twin {
    /// It has the kernels, build roots and modules of the machine's cache, and makes images and guests itself.
    pub(crate) fn of(rig: &Rig) -> Self {
        rig.prepare(KERNEL, Machine::DEFAULT).expect("the machine's cache can be filled");
        let real = &rig.store.cache;
        let twin = real.staging().expect("the machine's cache can be written");
        for kind in ["buildroot", "kernel", "module"] {
            let (real, twin) = (real.root().join(kind), twin.path().join(kind));
            fs::create_dir(&twin).expect("a name in a new directory");
            for entry in names_in(&real) {
                symlink(real.join(&entry), twin.join(&entry)).expect("a name in a new directory");
            }
        }
        Self(twin)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Nothing in it is half-written.
    pub(crate) fn assert_whole(&self) {
        assert_eq!(names_in(&self.path().join("tmp")), Vec::<String>::new(), "something was left half-written");
    }

    /// Numbers of the QEMU processes that use it.
    pub(crate) fn qemus(&self) -> Vec<u32> {
        let mark = self.path().display().to_string();
        let numbers = names_in(Path::new("/proc")).into_iter().filter_map(|name| name.parse().ok());
        let is_ours = |number: &u32| {
            let line = fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            line.split('\0').next().is_some_and(|program| program.contains("qemu")) && line.contains(&mark)
        };
        numbers.filter(is_ours).collect()
    }
}

impl Drop for Twin {
    fn drop(&mut self) {
        for number in self.qemus() {
            // SAFETY: kill takes two numbers.
            unsafe { libc::kill(number as libc::pid_t, libc::SIGKILL) };
        }
    }
}

/// Names in a directory, sorted; none when it is not there.
pub(crate) fn names_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// An ELF kernel whose code at its PVH entry point is replaced by this.
pub(crate) fn beginning_with(image: &Path, code: [u8; 2]) -> Vec<u8> {
    let mut elf = fs::read(image).expect("the image of a kernel in the cache");
    let entry = entry_offset(&elf);
    elf[entry..entry + code.len()].copy_from_slice(&code);
    elf
}

/// Where the code at the PVH entry point stands in the file.
fn entry_offset(elf: &[u8]) -> usize {
    let number =
        |at: usize, size: usize| elf[at..at + size].iter().rev().fold(0, |sum, byte| sum << 8 | *byte as usize);
    let note = elf.windows(8).position(|window| window == b"\x12\0\0\0Xen\0").expect("a PVH note");
    let entry = number(note + 8, 4);
    let (table, size, count) = (number(0x20, 8), number(0x36, 2), number(0x38, 2));
    let segments = (0..count).map(|index| table + index * size);
    // Of a program header: offset in the file at 8, physical address at 0x18, size in the file at 0x20.
    let segment = segments
        .map(|header| [8, 0x18, 0x20].map(|field| number(header + field, 8)))
        .find(|[_, address, size]| (*address..address + size).contains(&entry))
        .expect("the entry point is in a segment");
    segment[0] + entry - segment[1]
}
