//! What lies on disk of a saved guest, and whether it still is what was saved.
//!
//! A guest from a damaged state would go wrong in ways that look like its kernel's doing. So the device state's checksum
//! is compared before each use. The memory's, which takes 0.1 s, only when the file may have changed since, or the host was
//! started since (then the file may have lost what was not yet on disk).

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use flate2::Crc;
use serde::{Deserialize, Serialize};

use crate::{
    cache::{Cache, Staging},
    error::{Context as _, Result},
    machine::Machine,
    memo,
    vm::pages::{self, for_pages, is_zero, punch},
    whole,
};

/// The state of the devices.
pub(super) const STATE: &str = "state";
/// The guest's memory: what QEMU maps.
pub(super) const MEMORY: &str = "memory";
/// The same, packed: for machines that few cases ask for, since all machines of a kernel shall take no more than 150 MB.
const PACKED: &str = "memory.deflate";
/// What the cache calls them.
pub const KIND: &str = "guest";
const ABOUT: &str = "about.json";

/// What is written down about a saved guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// `uname -r`.
    pub release: String,
    /// From starting QEMU to Ready, milliseconds.
    pub boot_ms: u64,
    /// What it runs on.
    pub machine: String,
    /// Version of the QEMU that saved it.
    pub qemu: String,
    state: Seal,
    memory: Seal,
    memory_bytes: u64,
    packed: bool,
    /// Names the time from one start of the host to the next in which the seals were last compared.
    host: String,
}

/// What its maker knows of a saved guest.
pub(super) struct Facts<'a> {
    pub(super) release: &'a str,
    pub(super) boot_ms: u64,
    pub(super) machine: Machine,
    pub(super) qemu: &'a str,
}

/// By what a file is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seal {
    bytes: u64,
    crc32: u32,
    /// Changes when the file does.
    stamp: String,
}

/// Writes down what has been saved in `place`, and gives back the disk space of pages that are all zero.
///
/// # Errors
/// The files cannot be read, or the description not be written.
pub(super) fn seal(place: &Path, facts: Facts<'_>) -> Result<()> {
    let failed = || format!("cannot store a saved guest in `{}`", place.display());
    let file = place.join(MEMORY);
    let memory = File::options().read(true).write(true).open(&file).context(failed)?;
    for_pages(&memory, |at, page| {
        if is_zero(page) {
            punch(&memory, at);
        }
    })
    .context(failed)?;
    let memory_bytes = memory.metadata().context(failed)?.len();
    let packed = facts.machine != Machine::DEFAULT;
    if packed {
        pages::pack(&file, &place.join(PACKED)).and_then(|()| fs::remove_file(&file)).context(failed)?;
    }
    let about = About {
        release: facts.release.to_owned(),
        boot_ms: facts.boot_ms,
        machine: facts.machine.to_string(),
        qemu: facts.qemu.to_owned(),
        state: Seal::of(&place.join(STATE)).context(failed)?,
        memory: Seal::of(&place.join(memory_name(packed))).context(failed)?,
        memory_bytes,
        packed,
        host: host_start(),
    };
    about.write(place)
}

/// What lies in `place`, if it is what this QEMU has saved there.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check(place: &Path, qemu: &str) -> Result<About, String> {
    let about = about(place)?;
    if about.qemu != qemu {
        return Err(format!("it was saved by QEMU {}", about.qemu));
    }
    about.state.check(&place.join(STATE))?;
    let host = host_start();
    let memory = place.join(memory_name(about.packed));
    if host == about.host && about.memory.is_untouched(&memory) {
        return Ok(about);
    }
    about.memory.check(&memory)?;
    let stamp = memo::stamp(&memory).map_err(|error| format!("{}: {error}", memory.display()))?;
    let about = About { memory: Seal { stamp, ..about.memory }, host, ..about };
    // Where this cannot be written, the checksum is taken again the next time.
    let _ = about.write(place);
    Ok(about)
}

/// What is written down about the guest in `place`.
///
/// # Errors
/// Why that cannot be read.
pub fn about(place: &Path) -> Result<About, String> {
    let about = fs::read(place.join(ABOUT)).map_err(|error| format!("{ABOUT}: {error}"))?;
    serde_json::from_slice(&about).map_err(|error| format!("{ABOUT}: {error}"))
}

/// Compares everything in `place` with its checksums.
///
/// # Errors
/// What is wrong with it.
pub fn verify(place: &Path) -> Result<(), String> {
    let about = about(place)?;
    about.state.check(&place.join(STATE))?;
    about.memory.check(&place.join(memory_name(about.packed)))
}

fn memory_name(packed: bool) -> &'static str {
    if packed { PACKED } else { MEMORY }
}

impl About {
    /// Unpacks the memory of the guest in `place`, if it is packed.
    ///
    /// # Errors
    /// It cannot be read, or there is no space.
    pub(super) fn unpack(&self, cache: &Cache, place: &Path) -> Result<Option<Staging>> {
        if !self.packed {
            return Ok(None);
        }
        let staging = cache.staging()?;
        let failed = || format!("cannot unpack a saved guest into `{}`", staging.path().display());
        pages::unpack(&place.join(PACKED), &staging.path().join(MEMORY), self.memory_bytes).context(failed)?;
        Ok(Some(staging))
    }

    fn write(&self, place: &Path) -> Result<()> {
        let text = serde_json::to_vec(self).context(|| "cannot write JSON")?;
        whole::write(&place.join(ABOUT), &text)
    }
}

impl Seal {
    fn of(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let mut sum = Crc::new();
        for_pages(&file, |at, page| {
            // Whether zeros lie on disk or in a hole is no difference.
            if !is_zero(page) {
                sum.update(&at.to_le_bytes());
                sum.update(page);
            }
        })?;
        Ok(Self { bytes: file.metadata()?.len(), crc32: sum.sum(), stamp: memo::stamp(path)? })
    }

    /// Whether nothing was done to the file since.
    fn is_untouched(&self, path: &Path) -> bool {
        memo::stamp(path).is_ok_and(|stamp| stamp == self.stamp)
    }

    /// Compares the content.
    fn check(&self, path: &Path) -> Result<(), String> {
        let name = path.file_name().unwrap_or_default().display();
        match Self::of(path) {
            Ok(seen) if (seen.bytes, seen.crc32) == (self.bytes, self.crc32) => Ok(()),
            Ok(seen) if seen.bytes != self.bytes => {
                Err(format!("{name} has {} bytes instead of {}", seen.bytes, self.bytes))
            }
            Ok(_) => Err(format!("{name} has another content")),
            Err(error) => Err(format!("{name}: {error}")),
        }
    }
}

/// Another text after each start of the host.
fn host_start() -> String {
    memo::boot_id().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::fs::{FileExt as _, MetadataExt as _},
        time::{Duration, SystemTime},
    };

    use super::*;
    use crate::vm::pages::PAGE;

    const QEMU: &str = "7.2.22";

    /// 64 pages: 32 of content, 16 of zeros, a hole.
    fn saved() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let memory = File::create(dir.path().join(MEMORY)).unwrap();
        memory.set_len(64 * PAGE as u64).unwrap();
        memory.write_all_at(&[7; 32 * PAGE], 0).unwrap();
        memory.write_all_at(&[0; 16 * PAGE], 32 * PAGE as u64).unwrap();
        fs::write(dir.path().join(STATE), [3; 5000]).unwrap();
        let facts = Facts { release: "6.1.0-x", boot_ms: 900, machine: Machine::DEFAULT, qemu: QEMU };
        seal(dir.path(), facts).unwrap();
        dir
    }

    fn memory_of(dir: &tempfile::TempDir) -> File {
        File::options().write(true).open(dir.path().join(MEMORY)).unwrap()
    }

    fn wrong(dir: &tempfile::TempDir) -> String {
        check(dir.path(), QEMU).unwrap_err()
    }

    #[test]
    fn zeros_take_no_space_and_count_as_holes() {
        let dir = saved();
        let about = memory_of(&dir).metadata().unwrap();
        assert_eq!((about.len(), about.blocks() * 512), (64 * PAGE as u64, 32 * PAGE as u64));
        // As a copy that knows no holes has it.
        let bytes = fs::read(dir.path().join(MEMORY)).unwrap();
        fs::write(dir.path().join(MEMORY), bytes).unwrap();
        assert_eq!(check(dir.path(), QEMU).unwrap().release, "6.1.0-x");
    }

    #[test]
    fn what_was_touched_is_compared_once() {
        let dir = saved();
        memory_of(&dir).set_modified(SystemTime::now() + Duration::from_secs(5)).unwrap();
        let first = fs::read(dir.path().join(ABOUT)).unwrap();
        check(dir.path(), QEMU).unwrap();
        let second = fs::read(dir.path().join(ABOUT)).unwrap();
        assert_ne!(first, second, "the new time should be written down");
        check(dir.path(), QEMU).unwrap();
        assert_eq!(second, fs::read(dir.path().join(ABOUT)).unwrap());
    }

    #[test]
    fn whatever_is_damaged_is_named() {
        let dir = saved();
        memory_of(&dir).write_all_at(b"x", 5 * PAGE as u64).unwrap();
        assert_eq!(wrong(&dir), "memory has another content");
        memory_of(&dir).set_len(9 * PAGE as u64).unwrap();
        assert_eq!(wrong(&dir), "memory has 36864 bytes instead of 262144");
        fs::remove_file(dir.path().join(MEMORY)).unwrap();
        assert!(wrong(&dir).starts_with("memory: No such file"));
        let dir = saved();
        fs::write(dir.path().join(STATE), [4; 5000]).unwrap();
        assert_eq!(wrong(&dir), "state has another content");
        File::create(dir.path().join(STATE)).unwrap();
        assert_eq!(wrong(&dir), "state has 0 bytes instead of 5000");
        assert_eq!(check(dir.path(), "8.0.0").unwrap_err(), "it was saved by QEMU 7.2.22");
        fs::write(dir.path().join(ABOUT), "{\"release\":\"6.1.0-x\",\"boot_ms\":1}").unwrap();
        assert!(wrong(&dir).starts_with("about.json: missing field `machine`"));
        fs::remove_file(dir.path().join(ABOUT)).unwrap();
        assert!(wrong(&dir).starts_with("about.json: No such file"));
    }
}
