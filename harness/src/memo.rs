//! Facts that take milliseconds to find out and hold as long as some file does not change: which version a program has,
//! which image a kernel's modules make. They are remembered in the cache, under all that they depend on.

use std::{fs, io, os::unix::fs::MetadataExt as _, path::Path};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    cache::{Cache, Digest},
    error::Context as _,
};

/// What changes whenever a file's contents do, without reading them: its place on the disk, its size and its times. The
/// time of the last change of the inode cannot be set back by a program.
///
/// # Errors
/// There is no such file.
pub fn stamp(file: &Path) -> io::Result<String> {
    let about = fs::metadata(file)?;
    let (seconds, nanoseconds) = (about.ctime(), about.ctime_nsec());
    let (modified, fraction) = (about.mtime(), about.mtime_nsec());
    let (device, inode, size) = (about.dev(), about.ino(), about.size());
    Ok(format!("{device}-{inode}-{size}-{modified}.{fraction:09}-{seconds}.{nanoseconds:09}"))
}

/// Names the time from one start of the machine to the next.
///
/// # Errors
/// The kernel does not say.
pub fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim_end().to_owned())
}

/// A fact of a kind, if it is remembered under these parts.
pub fn recall<T: DeserializeOwned>(cache: &Cache, kind: &str, parts: &[&str]) -> Option<T> {
    let place = cache.find("memo", key(kind, parts).as_str())?;
    serde_json::from_slice(&fs::read(place.join(FACT)).ok()?).ok()
}

/// Remembers a fact under all that it depends on. One that cannot be written is found out anew the next time, so that is
/// no error.
pub fn remember<T: Serialize>(cache: &Cache, kind: &str, parts: &[&str], fact: &T) {
    let write = |place: &Path| {
        let failed = || "cannot remember a fact".to_owned();
        fs::write(place.join(FACT), serde_json::to_vec(fact).context(failed)?).context(failed)
    };
    let _ = cache.replace("memo", key(kind, parts).as_str(), write);
}

const FACT: &str = "fact.json";

fn key(kind: &str, parts: &[&str]) -> Digest {
    Digest::of([kind].iter().chain(parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_is_recalled_as_long_as_what_it_depends_on_is_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(dir.path())).unwrap();
        let program = dir.path().join("program");
        fs::write(&program, "one").unwrap();
        let before = stamp(&program).unwrap();
        remember(&cache, "version", &[&before], &"1.0".to_owned());
        assert_eq!(recall::<String>(&cache, "version", &[&before]).as_deref(), Some("1.0"));
        // As installers replace a program, and of the same size and age.
        let (newer, modified) = (dir.path().join("newer"), fs::metadata(&program).unwrap().modified().unwrap());
        fs::write(&newer, "two").unwrap();
        fs::File::open(&newer).unwrap().set_modified(modified).unwrap();
        fs::rename(&newer, &program).unwrap();
        assert_ne!(stamp(&program).unwrap(), before);
        assert_eq!(recall::<String>(&cache, "version", &[&stamp(&program).unwrap()]), None);
    }
}
