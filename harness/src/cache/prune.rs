//! What the cache holds, and what of it goes: what modrig can make again without the network, longest unused first.

use std::{
    cmp::Reverse,
    env,
    fs::{self, File},
    os::unix::fs::MetadataExt as _,
    path::Path,
    time::Duration,
};

use super::{Cache, age};
use crate::error::{Error, Result};

/// Kinds of entries that modrig makes again by itself, within seconds each. Compiled modules are not among them: they
/// are small, and take longer.
const REMADE: [&str; 6] = ["guest", "image", "kept", "log", "memo", "program"];

/// Directories of the cache that hold no entries.
const OTHERS: [&str; 4] = ["dropped", "locks", "tmp", "runs"];

/// Whether an entry is of a kind that is pruned.
pub(super) fn may_go(place: &Path) -> bool {
    place.parent().and_then(Path::file_name).is_some_and(|kind| REMADE.iter().any(|remade| *remade == kind))
}

/// How much stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes on disk of all entries together that modrig makes itself.
    pub bytes: u64,
    /// An entry that nobody used for so long goes.
    pub unused: Duration,
}

impl Default for Limits {
    /// A saved guest takes 60 to 90 MB: five kernels with several machines and three sets of module tools fit.
    fn default() -> Self {
        Self { bytes: 4 << 30, unused: Duration::from_secs(30 * 86400) }
    }
}

impl Limits {
    /// The default ones, with the size that `MODRIG_CACHE_LIMIT` names.
    ///
    /// # Errors
    /// It is no size.
    pub fn from_environment() -> Result<Self> {
        let bytes = match env::var("MODRIG_CACHE_LIMIT").ok().filter(|text| !text.is_empty()) {
            Some(text) => {
                parse_size(&text).map_err(|why| Error::usage(format!("MODRIG_CACHE_LIMIT is no size: {why}")))?
            }
            None => Self::default().bytes,
        };
        Ok(Self { bytes, ..Self::default() })
    }
}

/// A size as people write it: `4G`, `500M`, `0`; K, M and G are powers of 1024.
///
/// # Errors
/// What is wrong with it.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.find(|letter: char| !letter.is_ascii_digit()) {
        Some(end) => text.split_at(end),
        None => (text, ""),
    };
    let shift = match unit.trim_end_matches("iB").trim_end_matches('B') {
        "" => 0,
        "K" | "k" => 10,
        "M" => 20,
        "G" => 30,
        _ => return Err(format!("`{text}` should be like 500M or 4G")),
    };
    let number: u64 = digits.parse().map_err(|_| format!("`{text}` should be like 500M or 4G"))?;
    number.checked_mul(1 << shift).ok_or_else(|| format!("`{text}` is more than there is"))
}

/// One entry as it lies there.
#[derive(Debug, Clone)]
pub struct Entry {
    /// `guest`, `kernel`, ...
    pub kind: String,
    /// Its name: mostly a digest.
    pub key: String,
    /// What it takes on disk.
    pub bytes: u64,
    /// Since when nobody has used it; of what is never pruned, since when it is there.
    pub unused: Duration,
}

/// What has gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Entries.
    pub entries: usize,
    /// What they took on disk.
    pub bytes: u64,
}

impl Cache {
    /// All entries, kind by kind, each kind's last used first.
    pub fn entries(&self) -> Vec<Entry> {
        let kinds = names_in(self.root()).into_iter().filter(|name| !OTHERS.contains(&&**name));
        let mut entries: Vec<Entry> = kinds.flat_map(|kind| self.entries_of(&kind)).collect();
        entries.sort_by(|a, b| (&a.kind, a.unused).cmp(&(&b.kind, b.unused)));
        entries
    }

    /// What an entry takes on disk.
    pub fn bytes_of(&self, place: &Path) -> u64 {
        bytes_on_disk(place)
    }

    /// Removes what was unused for too long, then the longest unused until the rest fits; nothing that somebody uses.
    /// What had to be fetched stays.
    pub fn prune(&self, limits: &Limits) -> Pruned {
        let mut entries: Vec<Entry> = REMADE.iter().flat_map(|kind| self.entries_of(kind)).collect();
        entries.sort_by_key(|entry| Reverse(entry.unused));
        let mut left: u64 = entries.iter().map(|entry| entry.bytes).sum();
        let mut pruned = Pruned::default();
        for entry in &entries {
            if entry.unused <= limits.unused && left <= limits.bytes {
                break;
            }
            if self.remove(&entry.kind, &entry.key) {
                left -= entry.bytes;
                pruned = Pruned { entries: pruned.entries + 1, bytes: pruned.bytes + entry.bytes };
            }
        }
        pruned
    }

    /// Removes an entry unless somebody uses it. Whether it is gone.
    pub fn remove(&self, kind: &str, key: &str) -> bool {
        let place = self.root().join(kind).join(key);
        let Ok(directory) = File::open(&place) else { return false };
        if directory.try_lock().is_err() || self.discard(&place).is_err() {
            return false;
        }
        self.unlist(&format!("{kind}-{key}"));
        true
    }

    /// Removes a lock file that nobody holds.
    fn unlist(&self, name: &str) {
        let path = self.root().join("locks").join(name);
        if File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(path);
        }
    }

    /// All entries of a kind.
    pub fn entries_of(&self, kind: &str) -> Vec<Entry> {
        let directory = self.root().join(kind);
        let entry = |key: String| {
            let place = directory.join(&key);
            Entry { kind: kind.to_owned(), bytes: bytes_on_disk(&place), unused: age(&place), key }
        };
        names_in(&directory).into_iter().map(entry).collect()
    }
}

fn names_in(directory: &Path) -> Vec<String> {
    let directories = fs::read_dir(directory).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir());
    directories.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// What `du` counts. Of what is removed meanwhile, nothing.
fn bytes_on_disk(path: &Path) -> u64 {
    let Ok(about) = fs::symlink_metadata(path) else { return 0 };
    let below = match about.is_dir() {
        true => fs::read_dir(path).into_iter().flatten().flatten().map(|entry| bytes_on_disk(&entry.path())).sum(),
        false => 0,
    };
    about.blocks() * 512 + below
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::error::Context as _;

    const HOUR: Duration = Duration::from_secs(3600);

    fn fill(cache: &Cache, key: &str) {
        let write = |place: &Path| fs::write(place.join("file"), vec![1; 1 << 20]).context(|| "no space");
        cache.entry("guest", key, write).unwrap();
    }

    /// As if last used so long ago.
    fn let_rest(cache: &Cache, key: &str, unused: Duration) {
        let place = File::open(cache.root().join("guest").join(key)).unwrap();
        place.set_modified(SystemTime::now() - unused).unwrap();
    }

    #[test]
    fn the_longest_unused_goes_first_and_what_is_used_stays() {
        let dir = tempfile::tempdir().unwrap();
        let filler = Cache::open(Some(dir.path())).unwrap();
        ["a", "b", "c"].iter().for_each(|key| fill(&filler, key));
        drop(filler);
        let cache = Cache::open(Some(dir.path())).unwrap();
        [("a", 3), ("b", 2), ("c", 1)].iter().for_each(|(key, hours)| let_rest(&cache, key, *hours * HOUR));
        // Used by another process, whatever its age.
        let other = Cache::open(Some(dir.path())).unwrap();
        assert!(other.find("guest", "a").is_some());
        let_rest(&cache, "a", 3 * HOUR);
        assert_eq!(cache.prune(&Limits { bytes: 5 << 19, unused: 4 * HOUR }).entries, 1);
        assert!(cache.has("guest", "a") && !cache.has("guest", "b") && cache.has("guest", "c"));
        assert!(!dir.path().join("locks/guest-b").exists());
        assert_eq!(cache.prune(&Limits { bytes: u64::MAX, unused: HOUR / 2 }).entries, 1);
        assert!(cache.has("guest", "a") && !cache.has("guest", "c"));
        drop(other);
        assert_eq!(cache.prune(&Limits { bytes: 0, unused: HOUR }).entries, 1);
        assert_eq!(names_in(&dir.path().join("tmp")), Vec::<String>::new());
    }

    #[test]
    fn a_new_entry_makes_room_for_itself() {
        let dir = tempfile::tempdir().unwrap();
        let limits = Limits { bytes: 3 << 19, ..Limits::default() };
        let cache = || Cache::open(Some(dir.path())).unwrap().limited(limits);
        fill(&cache(), "a");
        fill(&cache(), "b");
        assert!(!cache().has("guest", "a") && cache().has("guest", "b"));
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let read = ["0", "12", "500M", "4G", "2GiB", "3KB"].map(|text| parse_size(text).unwrap());
        assert_eq!(read, [0, 12, 500 << 20, 4 << 30, 2 << 30, 3 << 10]);
        for text in ["", "G", "4T", "-1", "99999999999G", "1.5G"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
