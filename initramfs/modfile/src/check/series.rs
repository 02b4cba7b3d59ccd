//! Which kernel a file is checked for.

use core::fmt;

use crate::{Error, elf::Elf};

/// A series of kernel releases, such as 6.12; of one that is maintained for long, as its latest releases are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Series {
    major: u16,
    minor: u16,
}

impl Series {
    /// Those whose loaders were read, oldest first.
    pub const KNOWN: [Self; 5] =
        [Self::new(5, 10), Self::new(6, 1), Self::new(6, 12), Self::new(7, 2), Self::new(7, 3)];

    /// The series of these numbers.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }

    /// That of a release as `uname -r` prints it, such as `6.1.0-56-cloud-amd64`.
    pub fn of_release(release: &str) -> Option<Self> {
        let (major, rest) = release.split_once('.')?;
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        Some(Self::new(major.parse().ok()?, rest.get(..end)?.parse().ok()?))
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// What is known of the kernel that a file is checked for.
#[derive(Debug, Clone, Copy)]
pub struct Kernel {
    /// Its series.
    pub series: Series,
    /// Its `struct module`, which depends on the build.
    pub module: Option<StructModule>,
}

/// The `struct module` of one build of the kernel, as far as modules show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StructModule {
    /// Bytes.
    pub size: u64,
    /// Where the pointer to the module's init function is; None where that is not known.
    pub init: Option<u64>,
    /// The same for its exit function.
    pub exit: Option<u64>,
}

impl Kernel {
    /// A kernel for which this file was built.
    pub fn that_loads(series: Series, module: &[u8]) -> Self {
        Self { series, module: StructModule::of(module).ok().flatten() }
    }
}

impl StructModule {
    /// That for which a module was built.
    fn of(module: &[u8]) -> Result<Option<Self>, Error> {
        let elf = Elf::parse(module)?;
        let Some(section) = elf.section(THIS_MODULE)? else { return Ok(None) };
        let (mut init, mut exit) = (None, None);
        let symbols = elf.symbol_table()?;
        for relocation in elf.relocations(section.index)? {
            match symbols.get(relocation.symbol)?.name {
                b"init_module" => init = Some(relocation.offset),
                b"cleanup_module" => exit = Some(relocation.offset),
                _ => {}
            }
        }
        Ok(Some(Self { size: section.size, init, exit }))
    }
}

impl From<Series> for Kernel {
    fn from(series: Series) -> Self {
        Self { series, module: None }
    }
}

/// The section with a module's `struct module`.
pub(super) const THIS_MODULE: &str = ".gnu.linkonce.this_module";
