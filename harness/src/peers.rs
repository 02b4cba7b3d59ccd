//! What our module tools are compared with: other people's tools, and the module trees of whole kernels.
//!
//! Like kernels they are packages of Debian, named in `peers.toml`, locked in `peers.lock`, and fetched, verified and
//! unpacked by the same code. Nothing of them is installed: a program runs from the cache, by the loader and the
//! libraries that came with it, whatever the machine's own are.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::{
    cache::Digest,
    error::{Error, Result},
    kernel::{self, Catalog, Index, Line, Locked, Store},
};

/// Counted up when what is kept of a package changes.
const LAYOUT: &str = "1";

/// What is kept of a tree of modules, beside the modules.
const TREE_FILES: [&str; 3] = ["modules.order", "modules.builtin", "modules.builtin.modinfo"];

/// The peers that have a name.
pub type Peers = Catalog<PeerLine>;

/// A line of `peers.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum PeerLine {
    /// A program and the libraries it needs.
    Program {
        /// Debian's suite that has it.
        suite: String,
        /// Its package, then those of the libraries.
        packages: Vec<String>,
    },
    /// All modules of a kernel.
    Tree {
        /// Debian's suite that has it.
        suite: String,
        /// Version and patch level.
        series: String,
        /// Of the package.
        flavour: String,
    },
}

impl Peers {
    /// The peers that this program was built with.
    ///
    /// # Errors
    /// The embedded files are wrong, which a test excludes.
    pub fn embedded() -> Result<Self> {
        Self::parse(include_str!("../peers.toml"), include_str!("../peers.lock"))
    }
}

impl Line for PeerLine {
    const KIND: &'static str = "peer";

    fn suite(&self) -> &str {
        match self {
            Self::Program { suite, .. } | Self::Tree { suite, .. } => suite,
        }
    }

    fn key(&self, locked: &Locked) -> String {
        Digest::of([LAYOUT].into_iter().chain(locked.digests())).to_string()
    }

    fn newest(&self, name: &str, index: &Index) -> Result<Locked> {
        let found = match self {
            Self::Program { packages, .. } => program(index, packages),
            Self::Tree { series, flavour, .. } => tree(index, series, flavour),
        };
        found.ok_or_else(|| Error::new(format!("{} lacks a package of {name}", self.suite())))
    }

    fn place_of(&self, path: &Path) -> Option<PathBuf> {
        match self {
            Self::Program { .. } => place_in_program(path),
            Self::Tree { .. } => place_in_tree(path),
        }
    }

    fn finish(&self, _: &Store, _: &Locked, _: &Path) -> Result<()> {
        Ok(())
    }
}

fn program(index: &Index, packages: &[String]) -> Option<Locked> {
    let version = index.get(packages.first()?)?.get("version")?;
    kernel::lock(index, packages, &version, &version)
}

fn tree(index: &Index, series: &str, flavour: &str) -> Option<Locked> {
    let (release, version) = kernel::newest_release(index, series, flavour, |_| true)?;
    kernel::lock(index, &kernel::image_packages(index, release, "modules"), release, &version)
}

/// Programs to `bin`, the loader and libraries to `lib`: releases differ in where under `/` and `/usr` they put them.
fn place_in_program(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?;
    let parent = path.parent()?.file_name()?;
    match parent.to_str()? {
        "bin" if name == "kmod" || name == "busybox" => Some(Path::new("bin").join(name)),
        "x86_64-linux-gnu" if name.to_str()?.contains(".so") => Some(Path::new("lib").join(name)),
        _ => None,
    }
}

/// As in an installed system without `/usr`, for that is where tools look below a root.
fn place_in_tree(path: &Path) -> Option<PathBuf> {
    let path = path.strip_prefix("usr").unwrap_or(path);
    let below = path.strip_prefix("lib/modules").ok()?;
    let inner: PathBuf = below.components().skip(1).collect();
    let kept = inner.starts_with("kernel") || TREE_FILES.iter().any(|name| inner == Path::new(name));
    kept.then(|| path.to_owned())
}

/// The real kmod, unpacked.
#[derive(Debug, Clone)]
pub struct Kmod {
    /// Version of the package.
    pub version: String,
    root: PathBuf,
}

impl Kmod {
    /// Brings a kmod here: `kmod-34`.
    ///
    /// # Errors
    /// The archive does not give it.
    pub fn obtain(store: &Store, peers: &Peers, name: &str) -> Result<Self> {
        let (version, root) = store.obtain(peers, name)?;
        Ok(Self { version, root })
    }

    /// The command that runs it as `tool`, all but its arguments.
    pub fn command(&self, tool: &str) -> Vec<OsString> {
        self.beside(tool, &self.root.join("bin/kmod"))
    }

    /// The command that runs a program by the loader and the libraries that came with this kmod, libkmod among them, all
    /// but its arguments. Libraries that did not come with it are the machine's.
    pub fn beside(&self, name: &str, program: &Path) -> Vec<OsString> {
        let library = self.root.join("lib");
        let loader = library.join("ld-linux-x86-64.so.2").into_os_string();
        [loader, "--library-path".into(), library.into(), "--argv0".into(), name.into(), program.into()].into()
    }
}
