//! The matrix: `kernels.toml`, which people write, and `kernels.lock`, which `modrig kernels update` writes.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use serde::{Deserialize, Serialize};

use super::version_of;
use crate::{
    cache::{Cache, Digest},
    error::{Context as _, Error, Result},
};

/// Counted up when what is kept of a kernel changes.
const LAYOUT: &str = "1";

/// A line of `kernels.toml`: what a kernel's name stands for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    pub(super) suite: String,
    pub(super) flavour: String,
    pub(super) compiler: String,
}

impl Line {
    /// Code name of the suite whose compiler is used: `bookworm` of `bookworm-security`.
    pub(super) fn build_suite(&self) -> &str {
        self.suite.split('-').next().unwrap_or_default()
    }
}

/// A release of a kernel and the packages it is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    /// What `uname -r` will print.
    pub release: String,
    /// Version of the source package.
    pub version: String,
    /// Packages with the image, its configuration and the headers.
    pub packages: Vec<Package>,
}

impl Locked {
    /// Name of the unpacked release in the cache.
    pub(super) fn key(&self, line: &Line) -> String {
        let digests = self.packages.iter().map(|package| package.sha256.as_str());
        Digest::of([LAYOUT, &self.release, &line.compiler].into_iter().chain(digests)).to_string()
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

/// The kernels that have a name.
#[derive(Debug, Clone)]
pub struct Catalog {
    lines: BTreeMap<Series, Line>,
    locked: BTreeMap<String, Locked>,
}

/// A name, ordered as a version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Series((u32, u32), String);

impl Catalog {
    /// The matrix that this program was built with. Needs neither network nor disk.
    ///
    /// # Errors
    /// The embedded files are wrong, which a test excludes.
    pub fn embedded() -> Result<Self> {
        Self::parse(include_str!("../../kernels.toml"), include_str!("../../kernels.lock"))
    }

    /// A matrix of the user's: a `kernels.toml`, and the `.lock` beside it if there is one.
    ///
    /// # Errors
    /// The files cannot be read or make no sense.
    pub fn load(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|cause| {
            Error::usage(format!("cannot read the list of kernels `{}`", path.display())).because(cause)
        })?;
        let lock = fs::read_to_string(path.with_extension("lock")).unwrap_or_default();
        Self::parse(&text, &lock).map_err(|cause| {
            Error::usage(format!("the list of kernels `{}` makes no sense", path.display())).because(cause)
        })
    }

    fn parse(text: &str, lock: &str) -> Result<Self> {
        let lines: BTreeMap<String, Line> = toml::from_str(text).context(|| "kernels.toml")?;
        let locked = toml::from_str(lock).context(|| "kernels.lock")?;
        Ok(Self {
            lines: lines.into_iter().map(|(name, line)| (Series(version_of(&name), name), line)).collect(),
            locked,
        })
    }

    /// Names, oldest series first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.lines.keys().map(|Series(_, name)| name.as_str())
    }

    /// That a name is known; what looks like a path is left for later.
    ///
    /// # Errors
    /// It is not; the message has the nearest name.
    pub fn check(&self, name: &str) -> Result<()> {
        if name.contains('/') {
            return Ok(());
        }
        self.line(name).map(drop)
    }

    pub(super) fn line(&self, name: &str) -> Result<&Line> {
        self.lines.get(&Series(version_of(name), name.to_owned())).ok_or_else(|| {
            let known: Vec<&str> = self.names().collect();
            let nearest = known.iter().max_by_key(|known| (strsim::jaro_winkler(known, name) * 1000.0) as u32);
            let guess = nearest.map(|name| format!("did you mean {name}? ")).unwrap_or_default();
            Error::usage(format!("no kernel is called `{name}`"))
                .help(format!("{guess}known are {}; a path must contain a slash", known.join(", ")))
        })
    }

    pub(super) fn locked(&self, name: &str) -> Option<&Locked> {
        self.locked.get(name)
    }

    /// The lock file's text with these kernels replaced.
    ///
    /// # Errors
    /// None that a lock file can provoke.
    pub(super) fn lock_with(&self, changed: BTreeMap<String, Locked>) -> Result<String> {
        let mut all = self.locked.clone();
        all.extend(changed);
        all.retain(|name, _| self.line(name).is_ok());
        let text = toml::to_string(&all).context(|| "cannot write kernels.lock")?;
        Ok(format!("# Written by `modrig kernels update`. Digests are SHA-256.\n\n{text}"))
    }

    /// One row per kernel for a table.
    pub fn rows(&self, cache: &Cache) -> Vec<Row> {
        let row = |(Series(_, name), line): (&Series, &Line)| {
            let locked = self.locked.get(name);
            let here = locked.is_some_and(|locked| cache.has("kernel", &locked.key(line)));
            Row {
                name: name.clone(),
                release: locked.map_or("not locked".into(), |locked| locked.release.clone()),
                suite: line.suite.clone(),
                megabytes: locked.map_or(0, |locked| locked.size().div_ceil(1_000_000)),
                here,
            }
        };
        self.lines.iter().map(row).collect()
    }
}

/// What a person wants to know of a kernel in the matrix.
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
    /// It is in the cache.
    pub here: bool,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, release, suite, megabytes, here } = self;
        let here = if *here { "here" } else { "to be fetched" };
        write!(f, "{name:6} {release:32} {suite:20} {megabytes:>4} MB  {here}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_matrix_is_sound_and_fully_locked() {
        let catalog = Catalog::embedded().unwrap();
        assert!(catalog.names().count() >= 5);
        for name in catalog.names() {
            let locked = catalog.locked(name).unwrap_or_else(|| panic!("{name} is not locked"));
            assert!(locked.release.starts_with(name), "{name}: {}", locked.release);
            assert!(locked.packages.len() >= 4, "{name}: {:?}", locked.packages);
        }
    }

    #[test]
    fn names_are_in_the_order_of_versions_and_a_wrong_one_gets_the_nearest() {
        let line = "{ suite = \"a-b\", flavour = \"c\", compiler = \"d\" }";
        let catalog = Catalog::parse(&format!("\"6.12\" = {line}\n\"6.1\" = {line}\n\"5.10\" = {line}\n"), "").unwrap();
        assert_eq!(catalog.names().collect::<Vec<_>>(), ["5.10", "6.1", "6.12"]);
        let error = catalog.check("6.13").unwrap_err();
        assert!(error.advice().unwrap().starts_with("did you mean 6.1"), "{error:?}");
        catalog.check("./bzImage").unwrap();
    }
}
