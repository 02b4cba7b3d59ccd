//! Kernels: which there are, how they come to this machine, and what a booted one is made of.

mod archive;
mod build;
pub mod buildroot;
mod catalog;
mod deb;
mod debian;
mod fragment;
mod line;
mod local;
pub mod mirror;
mod signature;
mod stock;
mod store;
mod vmlinux;

use std::path::PathBuf;

pub use catalog::{Catalog, Line, Locked, Package, Row};
pub use debfile::control::{Index, Stanza};
pub(crate) use debian::{image_packages, lock, newest_release};
pub use line::{KernelLine, Kernels};
pub use stock::{KEPT, LISTS, Stock, StockFile};
pub use store::Store;

use crate::cache::Digest;

/// A kernel that is on this machine, ready to boot.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// Name in `kernels.toml`, such as `6.1`, or the path the user gave.
    pub name: String,
    /// What `uname -r` prints in the guest, such as `6.1.0-56-cloud-amd64`.
    pub release: String,
    /// The file QEMU boots.
    pub image: PathBuf,
    /// What kind of file that is.
    pub format: ImageFormat,
    /// Its build configuration.
    pub config: Config,
    /// How modules for it are built.
    pub headers: Headers,
    /// The modules that came with it, as far as they were kept.
    pub stock: Option<Stock>,
    /// Digest of everything above that a module, an image or a saved state depends on.
    pub digest: Digest,
}

impl Kernel {
    /// Version and patch level, such as `(6, 1)`, read from the release.
    pub fn version(&self) -> (u32, u32) {
        version_of(&self.release)
    }
}

/// `(6, 1)` of `6.1.0-56-cloud-amd64`; missing or strange parts count as 0.
pub fn version_of(release: &str) -> (u32, u32) {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Ways to boot a kernel file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum ImageFormat {
    /// An ELF `vmlinux` with a PVH entry note: QEMU enters it directly, without firmware or unpacking.
    Pvh,
    /// A `bzImage`, which unpacks itself.
    BzImage,
}

/// A kernel's `.config`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config(String);

impl Config {
    /// Of the text of a `.config`.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Whether an option, named without `CONFIG_`, is built in.
    pub fn is_built_in(&self, option: &str) -> bool {
        self.get(option) == Some("y")
    }

    /// Value of an option, named without `CONFIG_`.
    pub fn get<'a>(&'a self, option: &str) -> Option<&'a str> {
        let value = |line: &'a str| line.strip_prefix("CONFIG_")?.strip_prefix(option)?.strip_prefix('=');
        self.0.lines().find_map(value).map(|value| value.trim_matches('"'))
    }
}

/// How kernels may be fetched.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct FetchOptions {
    /// Fetch nothing: what is not in the cache is an error
    #[arg(long, global = true)]
    pub offline: bool,
    /// Take exactly the locked releases, also when the archive has dropped them
    #[arg(long, global = true)]
    pub locked: bool,
    /// Base address of Debian's main archive [default: MODRIG_MIRROR, or what apt uses]
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub mirror: Option<String>,
    /// Base address of Debian's security archive [default: MODRIG_SECURITY_MIRROR, or what apt uses]
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub security_mirror: Option<String>,
    /// Keys that may sign an archive's index [default: MODRIG_KEYRING, or the installed keys of Debian's archive]
    #[arg(long, global = true, value_name = "FILE")]
    pub keyring: Option<PathBuf>,
    /// Accept an archive's index whose time is over
    #[arg(long, global = true)]
    pub allow_expired: bool,
}

/// What modules for a kernel are built against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Headers {
    /// Debian's header packages, or the same of a kernel that was built here.
    Rooted {
        /// The build root with the compiler that built the kernel.
        recipe: buildroot::Recipe,
        /// A directory that holds `usr/src/linux-headers-RELEASE`, and what that refers to.
        place: PathBuf,
    },
    /// A kernel tree that was built on this machine, with its own compiler.
    Tree(PathBuf),
    /// None, and why.
    Absent(String),
}
