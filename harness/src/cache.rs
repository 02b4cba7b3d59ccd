//! What is expensive to make and is made once: fetched files, unpacked kernels, build roots, modules, images.
//!
//! An entry is a directory named by the digest of everything that went into it. It appears complete, by one
//! rename, or not at all; two processes that want the same entry wait for each other on a file lock.

use std::{
    env,
    ffi::CString,
    fmt,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use crate::error::{Context as _, Error, Result};

/// SHA-256 of something, printed as 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Digest(String);

impl Digest {
    /// Digest of parts; each part's length is part of it, so that ("ab", "c") and ("a", "bc") differ.
    pub fn of<T: AsRef<[u8]>>(parts: impl IntoIterator<Item = T>) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            let part = part.as_ref();
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self::of_hash(hash)
    }

    /// Plain SHA-256 of a stream, as `sha256sum` prints it.
    ///
    /// # Errors
    /// What reading gives.
    pub fn of_stream(mut source: impl io::Read) -> io::Result<Self> {
        let mut hash = Sha256::new();
        let mut chunk = vec![0; 1 << 16];
        loop {
            match source.read(&mut chunk)? {
                0 => return Ok(Self::of_hash(hash)),
                n => hash.update(&chunk[..n]),
            }
        }
    }

    /// A digest written as 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        hex.then(|| Self(text.to_ascii_lowercase()))
    }

    /// What a hash that was fed in pieces amounts to.
    pub fn of_hash(hash: Sha256) -> Self {
        Self(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The first 12 digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }

    /// All 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

/// The directory that holds all entries.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// Opens the cache at `root`, or where `MODRIG_CACHE`, `XDG_CACHE_HOME` or `HOME` say, making it if needed.
    ///
    /// # Errors
    /// No place is named, or it cannot be made or written.
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
        let cache =
            Self { root: fs::canonicalize(&root).context(|| format!("cannot open the cache `{}`", root.display()))? };
        cache.sweep();
        Ok(cache)
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
        let place = self.root.join(kind).join(key);
        if place.exists() {
            return Ok(place);
        }
        let _lock = self.lock(&format!("{kind}-{key}"))?;
        if place.exists() {
            return Ok(place);
        }
        let staging = self.staging()?;
        build(staging.path())?;
        let failed = || format!("cannot store `{}` in the cache", place.display());
        fs::create_dir_all(place.parent().expect("an entry has a kind above it")).context(failed)?;
        fs::rename(staging.path(), &place).context(failed)?;
        // The directory has moved: nothing is left for the guard to remove.
        let _ = staging.keep();
        Ok(place)
    }

    /// Whether the entry `kind/key` is there, without making it.
    pub fn has(&self, kind: &str, key: &str) -> bool {
        self.root.join(kind).join(key).exists()
    }

    /// An empty directory inside the cache's file system, removed with the guard.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn staging(&self) -> Result<tempfile::TempDir> {
        // The process number lets a later run see that its maker is gone.
        tempfile::Builder::new()
            .prefix(&format!("{}-", std::process::id()))
            .tempdir_in(self.root.join("tmp"))
            .context(|| format!("cannot write to the cache `{}`", self.root.display()))
    }

    /// Takes the lock `name`, waiting for it; held until the file is dropped or the process ends.
    ///
    /// # Errors
    /// The lock file cannot be made or locked.
    pub fn lock(&self, name: &str) -> Result<File> {
        let path = self.root.join("locks").join(name);
        let failed = || format!("cannot lock `{}`", path.display());
        let file = File::options().create(true).append(true).open(&path).context(failed)?;
        file.lock().context(failed)?;
        Ok(file)
    }

    /// Removes what runs that were killed have left in `tmp`.
    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(self.root.join("tmp")) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let maker = name.to_str().and_then(|name| name.split('-').next()).unwrap_or_default();
            if !Path::new("/proc").join(maker).exists() {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
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
        fs::create_dir_all(dir.path().join("tmp/4194305-dead")).unwrap(); // above the largest possible process number
        let own = dir.path().join(format!("tmp/{}-own", std::process::id()));
        fs::create_dir_all(&own).unwrap();
        Cache::open(Some(dir.path())).unwrap();
        assert!(!dir.path().join("tmp/4194305-dead").exists());
        assert!(own.exists());
    }

    #[test]
    fn digests_keep_their_parts_apart() {
        assert_ne!(Digest::of(["ab", "c"]), Digest::of(["a", "bc"]));
        assert_eq!(Digest::of_stream(&b""[..]).unwrap().short(), "e3b0c44298fc");
    }
}
