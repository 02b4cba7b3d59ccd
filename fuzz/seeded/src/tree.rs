//! A copy of the sources with all bugs in modfile, from which one program is built that serves every target.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::bugs;

/// What stands in for `BUG`: says once when a bug is reached, and once when it does harm.
const CANARY: &str = include_str!("../canary.rs.txt");
/// libFuzzer's way into the target that is named in the environment.
const PROGRAM: &str = include_str!("../program.rs.txt");
const PROGRAM_ENTRY: &str = "\n[[bin]]\nname = \"seeded\"\npath = \"fuzz_targets/seeded.rs\"\n\
    test = false\ndoc = false\nbench = false\nrequired-features = [\"libfuzzer\"]\n";

/// What the targets are built from; the harness is no part of it.
const SOURCES: &[&str] = &["Cargo.lock", "initramfs", "harness/debfile", "fuzz/src", "fuzz/fuzz_targets"];

/// Where modfile's sources are.
pub const MODFILE: &str = "initramfs/modfile/src";

/// Writes the copy. Files that are as they should be are left alone, so that nothing is built without need.
///
/// # Errors
/// A bug's text is not in its file exactly once, or a file cannot be read or written.
pub fn write(root: &Path, tree: &Path) -> io::Result<()> {
    for source in SOURCES {
        copy(root, tree, Path::new(source))?;
    }
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    let manifest = manifest.replace("\"harness\", ", "").replace(", \"fuzz/seeded\"", "");
    put(&tree.join("Cargo.toml"), manifest.replace("default-members = [\"harness\"]\n", "").as_bytes())?;
    let manifest = fs::read_to_string(root.join("fuzz/Cargo.toml"))?;
    put(&tree.join("fuzz/Cargo.toml"), (manifest + PROGRAM_ENTRY).as_bytes())?;
    put(&tree.join("fuzz/fuzz_targets/seeded.rs"), PROGRAM.as_bytes())?;
    put(&tree.join(MODFILE).join("canary.rs"), CANARY.as_bytes())
}

/// The bytes of a file in the copy.
///
/// # Errors
/// A bug's text is not in it exactly once.
pub fn seeded(path: &Path, bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    let (Ok(name), Ok(text)) = (path.strip_prefix(MODFILE), str::from_utf8(&bytes)) else { return Ok(bytes) };
    let name = name.to_string_lossy();
    let text = bugs::apply(&name, text.to_owned()).map_err(|bug| {
        io::Error::other(format!("seeded bug {bug}: its text is not once in {name}: change fuzz/seeded/src/bugs"))
    })?;
    // The canary reads the environment and the time, and nothing but the bugs needs it.
    let text = if name == "lib.rs" { text.replace("mod bytes;", "mod bytes;\nmod canary;") } else { text };
    Ok(text.into_bytes())
}

fn copy(root: &Path, tree: &Path, path: &Path) -> io::Result<()> {
    let from = root.join(path);
    if !from.is_dir() {
        return put(&tree.join(path), &seeded(path, fs::read(&from)?)?);
    }
    for entry in fs::read_dir(from)? {
        copy(root, tree, &path.join(entry?.file_name()))?;
    }
    Ok(())
}

fn put(path: &PathBuf, bytes: &[u8]) -> io::Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    fs::write(path, bytes)
}
