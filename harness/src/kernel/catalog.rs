//! A list of named sets of packages: a `.toml` file, which people write, and a `.lock` file, which an update writes.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use debfile::control::Index;

use super::{Store, version_of};
use crate::{
    cache::{Cache, Digest},
    error::{Context as _, Error, Result},
};

/// A line of a list: which packages a name stands for, and what is kept of them.
pub trait Line: DeserializeOwned + Sync {
    /// What the lines are, in one word: for messages, for commands (`modrig kernels`), and as the kind of cache entry.
    const KIND: &'static str;

    /// Whether a path, with a slash in it, may stand where a name does.
    const PATHS: bool = false;

    /// Debian's suite that has the packages.
    fn suite(&self) -> &str;

    /// Name of the unpacked packages in the cache.
    fn key(&self, locked: &Locked) -> String;

    /// What the name means today, by the suite's index.
    ///
    /// # Errors
    /// The suite does not have it.
    fn newest(&self, name: &str, packages: &Index) -> Result<Locked>;

    /// Where a file of a package goes in the cache entry; `None` when it is not kept.
    fn place_of(&self, path: &Path) -> Option<PathBuf>;

    /// What is to be done to the unpacked files.
    ///
    /// # Errors
    /// The packages are not what they should be.
    fn finish(&self, store: &Store, locked: &Locked, place: &Path) -> Result<()>;

    /// Whether that is a compilation, which nobody gets who did not ask for it by name.
    fn is_built(&self) -> bool {
        false
    }
}

/// A release and the packages it is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    /// Of a kernel what `uname -r` prints, else the version of the first package.
    pub release: String,
    /// Version of the source package.
    pub version: String,
    /// The packages.
    pub packages: Vec<Package>,
}

impl Locked {
    /// The digests of all packages, in order.
    pub fn digests(&self) -> impl Iterator<Item = &str> {
        self.packages.iter().map(|package| package.sha256.as_str())
    }

    /// Bytes to fetch.
    pub fn size(&self) -> u64 {
        self.packages.iter().map(|package| package.size).sum()
    }
}

/// A package file in an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Path below the archive's base address.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the file.
    pub sha256: Digest,
}

impl Package {
    /// The file's name.
    pub fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// The sets that have a name.
#[derive(Debug, Clone)]
pub struct Catalog<L> {
    lines: BTreeMap<Series, L>,
    locked: BTreeMap<String, Locked>,
}

/// A name, ordered as a version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Series((u32, u32), String);

impl<L: Line> Catalog<L> {
    /// A list of the user's: a `.toml` file, and the `.lock` beside it if there is one.
    ///
    /// # Errors
    /// The files cannot be read or make no sense.
    pub fn load(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|cause| {
            Error::usage(format!("cannot read the list of {}s `{}`", L::KIND, path.display())).because(cause)
        })?;
        let lock = fs::read_to_string(path.with_extension("lock")).unwrap_or_default();
        Self::parse(&text, &lock).map_err(|cause| {
            Error::usage(format!("the list of {}s `{}` makes no sense", L::KIND, path.display())).because(cause)
        })
    }

    /// A list from the text of its two files.
    ///
    /// # Errors
    /// They make no sense.
    pub fn parse(text: &str, lock: &str) -> Result<Self> {
        let lines: BTreeMap<String, L> = toml::from_str(text).context(|| format!("{}s.toml", L::KIND))?;
        let locked = toml::from_str(lock).context(|| format!("{}s.lock", L::KIND))?;
        Ok(Self {
            lines: lines.into_iter().map(|(name, line)| (Series(version_of(&name), name), line)).collect(),
            locked,
        })
    }

    /// Names, of kernels the oldest series first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.lines.keys().map(|Series(_, name)| name.as_str())
    }

    /// Names of what needs no compilation.
    pub fn ready_made(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter(|(_, line)| !line.is_built()).map(|(Series(_, name), _)| name.as_str())
    }

    /// That a name is known; what looks like a path is left for later.
    ///
    /// # Errors
    /// It is not; the message has the nearest name.
    pub fn check(&self, name: &str) -> Result<()> {
        if L::PATHS && name.contains('/') {
            return Ok(());
        }
        self.line(name).map(drop)
    }

    pub(super) fn line(&self, name: &str) -> Result<&L> {
        self.lines.get(&Series(version_of(name), name.to_owned())).ok_or_else(|| {
            let known: Vec<&str> = self.names().collect();
            let nearest = known.iter().max_by_key(|known| (strsim::jaro_winkler(known, name) * 1000.0) as u32);
            let path = if L::PATHS { "; a path must contain a slash" } else { "" };
            let guess = nearest.map(|name| format!("did you mean {name}? ")).unwrap_or_default();
            Error::usage(format!("no {} is called `{name}`", L::KIND))
                .help(format!("{guess}known are {}{path}", known.join(", ")))
        })
    }

    pub(super) fn locked(&self, name: &str) -> Option<&Locked> {
        self.locked.get(name)
    }

    /// The lock file's text with these lines replaced.
    ///
    /// # Errors
    /// None that a lock file can provoke.
    pub(super) fn lock_with(&self, changed: BTreeMap<String, Locked>) -> Result<String> {
        let mut all = self.locked.clone();
        all.extend(changed);
        all.retain(|name, _| self.line(name).is_ok());
        let text = toml::to_string(&all).context(|| format!("cannot write {}s.lock", L::KIND))?;
        Ok(format!("# Written by `modrig {}s update`. Digests are SHA-256.\n\n{text}", L::KIND))
    }

    /// One row per line for a table.
    pub fn rows(&self, cache: &Cache) -> Vec<Row> {
        let row = |(Series(_, name), line): (&Series, &L)| {
            let locked = self.locked.get(name);
            let here = locked.is_some_and(|locked| cache.has(L::KIND, &line.key(locked)));
            Row {
                name: name.clone(),
                release: locked.map_or("not locked".into(), |locked| locked.release.clone()),
                suite: line.suite().to_owned(),
                megabytes: locked.map_or(0, |locked| locked.size().div_ceil(1_000_000)),
                state: match here {
                    true => "here",
                    false if line.is_built() => "to be built",
                    false => "to be fetched",
                },
            }
        };
        self.lines.iter().map(row).collect()
    }
}

/// What a person wants to know of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Its locked release.
    pub release: String,
    /// The suite it comes from.
    pub suite: String,
    /// Download size, MB.
    pub megabytes: u64,
    /// Whether it is in the cache, or what must be done first.
    pub state: &'static str,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, release, suite, megabytes, state } = self;
        write!(f, "{name:12} {release:32} {suite:20} {megabytes:>4} MB  {state}")
    }
}
