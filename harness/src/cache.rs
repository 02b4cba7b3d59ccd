//! What is expensive to make and is made once: fetched files, unpacked kernels, build roots, modules, images.
//!
//! An entry is a directory named by the digest of everything that went into it. It appears complete, by one
//! rename, or not at all; two processes that want the same entry wait for each other on a file lock. An entry's
//! modification time is when it was last used; a process holds a lock on those it uses, so that none is pruned under
//! it (that is for the kinds that are pruned at all).

mod digest;
mod prune;

use std::{
    collections::BTreeMap,
    env,
    ffi::CString,
    fs::{self, File},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

pub use digest::Digest;
pub use prune::{Entry, Limits, Pruned, parse_size};

use crate::error::{Context as _, Error, Result};

/// The directory that holds all entries. Clones share what they hold.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
    limits: Limits,
    /// Entries that this process uses, locked until it ends.
    used: Arc<Mutex<BTreeMap<PathBuf, File>>>,
}

impl Cache {
    /// Opens the cache at `root`, or where `MODRIG_CACHE`, `XDG_CACHE_HOME` or `HOME` say, making it if needed.
    /// `MODRIG_CACHE_LIMIT` bounds what modrig keeps there of its own making.
    ///
    /// # Errors
    /// No place is named, it cannot be made or written, or the limit is no size.
    pub fn open(root: Option<&Path>) -> Result<Self> {
        let root = match root {
            Some(root) => root.to_owned(),
            None => default_root()?,
        };
        for part in ["tmp", "locks"] {
            fs::create_dir_all(root.join(part)).map_err(|cause| {
                Error::new(format!("cannot use `{}` as the cache", root.display()))
                    .because(cause)
                    .help("name a writable directory with --cache or MODRIG_CACHE")
            })?;
        }
        let root = fs::canonicalize(&root).context(|| format!("cannot open the cache `{}`", root.display()))?;
        let cache = Self { root, limits: Limits::from_environment()?, used: Arc::default() };
        cache.sweep();
        Ok(cache)
    }

    /// The same with other limits for what modrig keeps of its own making.
    pub fn limited(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Where the cache is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// How much may still be written, if that can be told.
    pub fn free_bytes(&self) -> Option<u64> {
        let path = CString::new(self.root.as_os_str().as_encoded_bytes()).ok()?;
        // SAFETY: an all-zero statvfs is a valid value of that plain structure.
        let mut about: libc::statvfs = unsafe { std::mem::zeroed() };
        // SAFETY: the path ends with NUL and the structure is writable for the call's duration.
        (unsafe { libc::statvfs(path.as_ptr(), &mut about) } == 0).then(|| about.f_bavail * about.f_frsize)
    }

    /// The entry `kind/key`, made by `build` in an empty directory if it is not there yet.
    ///
    /// `key` is a digest, or another name fit for a file. Waits while another process makes the same entry.
    ///
    /// # Errors
    /// What `build` gives (nothing of it stays), or the cache's own file system errors.
    pub fn entry(&self, kind: &str, key: &str, build: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        self.sound_entry(kind, key, |_| Ok(()), |place, _| build(place)).map(|(place, ())| place)
    }

    /// The entry `kind/key` if it is there and `check` finds nothing wrong with it; else it is made anew, and `build`
    /// is told what was wrong. Comes with what `check` has found.
    ///
    /// # Errors
    /// As [`Cache::entry`], or what was made is not sound either.
    pub fn sound_entry<T>(
        &self,
        kind: &str,
        key: &str,
        check: impl Fn(&Path) -> Result<T, String>,
        build: impl FnOnce(&Path, Option<&str>) -> Result<()>,
    ) -> Result<(PathBuf, T)> {
        let place = self.root.join(kind).join(key);
        if self.hold(&place)
            && let Ok(found) = check(&place)
        {
            return Ok((place, found));
        }
        let _lock = self.lock(&format!("{kind}-{key}"))?;
        let mut wrong = None;
        if self.hold(&place) {
            match check(&place) {
                Ok(found) => return Ok((place, found)),
                Err(why) => wrong = Some(why),
            }
        }
        self.make(&place, |place| build(place, wrong.as_deref()))?;
        let found = check(&place).map_err(|why| Error::new(format!("`{}` is damaged: {why}", place.display())))?;
        Ok((place, found))
    }

    /// Makes an entry whose lock is held.
    fn make(&self, place: &Path, build: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let staging = self.staging()?;
        build(staging.path())?;
        self.put(staging, place)?;
        if prune::may_go(place) {
            self.prune(&self.limits);
        }
        Ok(())
    }

    /// Makes `kind/key` anew, in the place of what may be there.
    ///
    /// # Errors
    /// As [`Cache::entry`].
    pub fn replace(&self, kind: &str, key: &str, build: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let place = self.root.join(kind).join(key);
        let _lock = self.lock(&format!("{kind}-{key}"))?;
        self.make(&place, build)?;
        Ok(place)
    }

    /// The entry `kind/key`, if it is there.
    pub fn find(&self, kind: &str, key: &str) -> Option<PathBuf> {
        Some(self.root.join(kind).join(key)).filter(|place| self.hold(place))
    }

    /// Whether the entry `kind/key` is there, without making it.
    pub fn has(&self, kind: &str, key: &str) -> bool {
        self.root.join(kind).join(key).exists()
    }

    /// An empty directory inside the cache's file system, removed with the guard.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn staging(&self) -> Result<Staging> {
        let failed = || format!("cannot write to the cache `{}`", self.root.display());
        // The process number lets a later run see that its maker is gone.
        let directory = tempfile::Builder::new()
            .prefix(&format!("{}-", std::process::id()))
            .tempdir_in(self.root.join("tmp"))
            .context(failed)?;
        let lock = File::open(directory.path()).context(failed)?;
        lock.lock().context(failed)?;
        Ok(Staging { directory, lock })
    }

    /// Takes the lock `name`, waiting for it; held until the file is dropped or the process ends.
    ///
    /// # Errors
    /// The lock file cannot be made or locked.
    pub fn lock(&self, name: &str) -> Result<File> {
        let path = self.root.join("locks").join(name);
        let failed = || format!("cannot lock `{}`", path.display());
        loop {
            let file = File::options().create(true).append(true).open(&path).context(failed)?;
            file.lock().context(failed)?;
            // Pruning removes lock files: one that was removed meanwhile keeps nobody out.
            if is_at(&file, &path) {
                return Ok(file);
            }
        }
    }

    /// Whether an entry is there. One that may be pruned is marked as used, now and until this process ends.
    fn hold(&self, place: &Path) -> bool {
        if !prune::may_go(place) {
            return place.exists();
        }
        let mut used = self.held();
        if used.get(place).is_some_and(|held| is_at(held, place)) {
            return true;
        }
        let Ok(directory) = File::open(place) else { return false };
        // Where the cache's file system has no locks, nothing is pruned either.
        let _ = directory.lock_shared();
        if !is_at(&directory, place) {
            return false;
        }
        let _ = directory.set_modified(SystemTime::now());
        used.insert(place.to_owned(), directory);
        true
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<PathBuf, File>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a finished directory its name; what has it now goes.
    fn put(&self, staging: Staging, place: &Path) -> Result<()> {
        let failed = || format!("cannot store `{}` in the cache", place.display());
        fs::create_dir_all(place.parent().expect("an entry has a kind above it")).context(failed)?;
        // Others may be using it: what they have opened stays theirs.
        let _old = if place.exists() { Some(self.discard(place)?) } else { None };
        fs::rename(staging.path(), place).context(failed)?;
        // The directory has moved: nothing is left for the guard to remove. Its lock has moved too.
        let _ = staging.directory.keep();
        if prune::may_go(place) {
            let _ = staging.lock.lock_shared();
            self.held().insert(place.to_owned(), staging.lock);
        }
        Ok(())
    }

    /// Takes an entry away; it is gone with the guard.
    fn discard(&self, place: &Path) -> Result<Staging> {
        let staging = self.staging()?;
        fs::rename(place, staging.path().join("old")).context(|| format!("cannot remove `{}`", place.display()))?;
        Ok(staging)
    }

    /// Removes what runs that were killed have left in `tmp`.
    fn sweep(&self) {
        const LONG: Duration = Duration::from_secs(60);
        let Ok(entries) = fs::read_dir(self.root.join("tmp")) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let maker = name.to_str().and_then(|name| name.split('-').next()).unwrap_or_default();
            // The number of a process says little: it may be given anew, or be one of another container.
            let gone = || !Path::new("/proc").join(maker).exists() || age(&entry.path()) > LONG;
            let unlocked = |directory: File| directory.try_lock().is_ok();
            if gone() && File::open(entry.path()).is_ok_and(unlocked) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// A directory in the making, removed when dropped. Its lock tells others that its maker lives.
#[derive(Debug)]
pub struct Staging {
    directory: tempfile::TempDir,
    lock: File,
}

impl Staging {
    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Whether an open file or directory is the one of that name.
fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(named)) = (file.metadata(), fs::metadata(path)) else { return false };
    (ours.dev(), ours.ino()) == (named.dev(), named.ino())
}

/// Since when a file or directory has not been used; nothing when that cannot be told.
fn age(path: &Path) -> Duration {
    let used = fs::metadata(path).and_then(|about| about.modified());
    used.ok().and_then(|used| used.elapsed().ok()).unwrap_or_default()
}

fn default_root() -> Result<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("MODRIG_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|dir| dir.join("modrig")))
        .or_else(|| set("HOME").map(|dir| dir.join(".cache/modrig")))
        .ok_or_else(|| {
            Error::new("no place for the cache: HOME is not set").help("name a directory with --cache or MODRIG_CACHE")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_made_once_and_a_failed_one_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(dir.path())).unwrap();
        let failed = cache.entry("kind", "key", |place| {
            fs::write(place.join("half"), "x").unwrap();
            Err(Error::new("no"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "no");
        assert!(!cache.has("kind", "key"));
        assert_eq!(fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);

        let made = cache.entry("kind", "key", |place| fs::write(place.join("whole"), "x").context(|| "w")).unwrap();
        assert!(made.join("whole").exists());
        cache.entry("kind", "key", |_| panic!("made twice")).unwrap();
    }

    #[test]
    fn what_a_killed_run_left_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(dir.path())).unwrap();
        let tmp = |name: &str| dir.path().join("tmp").join(name);
        // Above the largest possible process number; and one that somebody else has now.
        for name in ["4194305-dead", "1-old"] {
            fs::create_dir_all(tmp(name)).unwrap();
        }
        File::open(tmp("1-old")).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        // At work for long, in a container whose processes have other numbers here.
        let staging = cache.staging().unwrap();
        fs::rename(staging.path(), tmp("4194306-at-work")).unwrap();
        Cache::open(Some(dir.path())).unwrap();
        assert_eq!(fs::read_dir(dir.path().join("tmp")).unwrap().count(), 1);
        assert!(tmp("4194306-at-work").exists());
    }

    #[test]
    fn an_entry_that_is_not_sound_is_made_anew_and_why_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let cache = || Cache::open(Some(dir.path())).unwrap();
        let check = |place: &Path| match fs::read_to_string(place.join("file")) {
            Ok(text) if text == "whole" => Ok(()),
            other => Err(format!("{other:?}")),
        };
        let told = std::cell::RefCell::new(Vec::new());
        let build = |place: &Path, wrong: Option<&str>| {
            told.borrow_mut().push(wrong.map(str::to_owned));
            fs::write(place.join("file"), "whole").context(|| "w")
        };
        let (place, ()) = cache().sound_entry("guest", "key", check, build).unwrap();
        fs::write(place.join("file"), "spoilt").unwrap();
        let user = cache();
        assert!(user.find("guest", "key").is_some());
        for _ in 0..2 {
            cache().sound_entry("guest", "key", check, build).unwrap();
        }
        assert_eq!(*told.borrow(), [None, Some("Ok(\"spoilt\")".to_owned())]);
        assert_eq!(fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
    }
}
