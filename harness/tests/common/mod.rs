//! What the tests of bad input share: the kernel, and caches of their own.

use std::{fs, os::unix::fs::symlink, path::Path};

use modrig::{run::Rig, scenario::Scenario, scenarios};
use tempfile::TempDir;

/// The kernel of these tests.
pub(crate) const KERNEL: &str = "6.1";

/// A cache that has the kernels, build roots and modules of the machine's cache and makes images and guests itself.
/// It lies in the other one's `tmp`: same file system, and swept if this process is killed.
pub(crate) fn twin_of(rig: &Rig) -> TempDir {
    let all: Vec<&Scenario> = scenarios::all().collect();
    rig.prepare(KERNEL, &all).expect("the machine's cache can be filled");
    let real = &rig.store.cache;
    let twin = real.staging().expect("the machine's cache can be written");
    for kind in ["buildroot", "kernel", "module"] {
        symlink(real.root().join(kind), twin.path().join(kind)).expect("a link in a new directory");
    }
    twin
}

/// Names in a directory, sorted; none when it is not there.
pub(crate) fn names_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
