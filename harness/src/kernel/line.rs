//! A line of `kernels.toml`: a kernel that Debian ships, or one that is built here.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use debfile::control::Index;

use super::{
    Catalog, Config, Headers, Kernel, Store,
    build::Built,
    catalog::{Line, Locked},
    debian::Shipped,
    local, stock, vmlinux,
};
use crate::{
    cache::Digest,
    error::{Context as _, Result},
};

/// What a kernel's name stands for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "expected suite, compiler, flavour (and drivers_for), or suite, compiler, build")]
pub enum KernelLine {
    /// A package of Debian's.
    Shipped(Shipped),
    /// Debian's source, built with a configuration of ours.
    Built(Built),
}

/// The kernels that have a name.
pub type Kernels = Catalog<KernelLine>;

impl Kernels {
    /// The matrix that this program was built with. Needs neither network nor disk.
    ///
    /// # Errors
    /// The embedded files are wrong, which a test excludes.
    pub fn embedded() -> Result<Self> {
        Self::parse(include_str!("../../kernels.toml"), include_str!("../../kernels.lock"))
    }

    fn shipped(&self, name: &str) -> Option<&Shipped> {
        match self.line(name) {
            Ok(KernelLine::Shipped(line)) => Some(line),
            _ => None,
        }
    }

    /// The columns of the matrix: the kernels that Debian ships and that stand for themselves.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.names().filter(|name| self.shipped(name).is_some_and(|line| line.drivers_for.is_none()))
    }

    /// The kernels that are built here.
    pub fn built(&self) -> impl Iterator<Item = &str> {
        self.names().filter(|name| matches!(self.line(name), Ok(KernelLine::Built(_))))
    }

    /// The kernel with all drivers for a column of the matrix; it may be that kernel itself.
    pub fn with_drivers<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        let served = |other: &str| self.shipped(other).and_then(|line| line.drivers_for.as_deref());
        if served(name).is_some() { Some(name) } else { self.names().find(|other| served(other) == Some(name)) }
    }
}

impl Line for KernelLine {
    const KIND: &'static str = "kernel";
    const PATHS: bool = true;

    fn suite(&self) -> &str {
        match self {
            Self::Shipped(line) => &line.suite,
            Self::Built(line) => &line.suite,
        }
    }

    fn key(&self, locked: &Locked) -> String {
        match self {
            Self::Shipped(line) => line.key(locked),
            Self::Built(line) => line.key(locked),
        }
    }

    fn newest(&self, name: &str, packages: &Index) -> Result<Locked> {
        match self {
            Self::Shipped(line) => line.newest(name, packages),
            Self::Built(line) => line.newest(name, packages),
        }
    }

    fn place_of(&self, path: &Path) -> Option<PathBuf> {
        match self {
            Self::Shipped(line) => line.place_of(path),
            Self::Built(_) => Built::place_of(path),
        }
    }

    fn finish(&self, store: &Store, locked: &Locked, place: &Path) -> Result<()> {
        match self {
            Self::Shipped(_) => Shipped::finish(place),
            Self::Built(line) => line.finish(store, locked, place),
        }
    }

    fn is_built(&self) -> bool {
        matches!(self, Self::Built(_))
    }
}

impl Store {
    /// The kernel of a name in the catalog, or of a path (with a slash in it): a bzImage, a vmlinux or a built tree.
    ///
    /// # Errors
    /// The name is unknown, the archive does not give the packages, the source does not build, or the file is no
    /// kernel.
    pub fn resolve(&self, kernels: &Kernels, name: &str) -> Result<Kernel> {
        if name.contains('/') {
            return local::kernel(&self.cache, name);
        }
        let (release, place) = self.obtain(kernels, name)?;
        kernels.line(name)?.kernel_at(name, &release, &place)
    }
}

impl KernelLine {
    /// The kernel in a cache entry.
    fn kernel_at(&self, name: &str, release: &str, place: &Path) -> Result<Kernel> {
        let config = fs::read_to_string(place.join("config"))
            .context(|| format!("the cache entry `{}` is damaged", place.display()))?;
        let (image, format) = vmlinux::find(place);
        let recipe = match self {
            Self::Shipped(line) => line.recipe(),
            Self::Built(line) => line.recipe(),
        };
        let key = place.file_name().map(|key| key.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Kernel {
            name: name.to_owned(),
            release: release.to_owned(),
            image,
            format,
            config: Config::new(config),
            headers: Headers::Rooted { recipe, place: place.to_owned() },
            stock: stock::Stock::at(place),
            digest: Digest::of([key]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::version_of;

    #[test]
    fn the_embedded_matrix_is_sound_and_fully_locked() {
        let catalog = Kernels::embedded().unwrap();
        assert!(catalog.columns().count() >= 5);
        assert_eq!(catalog.with_drivers("6.1"), Some("6.1-generic"));
        assert_eq!(catalog.with_drivers("6.1-generic"), Some("6.1-generic"));
        for name in catalog.names() {
            let locked = catalog.locked(name).unwrap_or_else(|| panic!("{name} is not locked"));
            assert_eq!(version_of(&locked.release), version_of(name), "{name}: {}", locked.release);
            if catalog.shipped(name).is_some() {
                assert!(locked.packages.len() >= 4, "{name}: {:?}", locked.packages);
            }
        }
    }

    #[test]
    fn a_built_kernel_is_no_column_and_lends_no_drivers() {
        let catalog = Kernels::embedded().unwrap();
        assert!(catalog.built().any(|name| name == "6.12-kasan"));
        assert!(!catalog.columns().any(|name| name == "6.12-kasan"));
        assert_eq!(catalog.with_drivers("6.12-kasan"), None);
        let locked = catalog.locked("6.12-kasan").unwrap();
        assert!(locked.release.ends_with("-kasan"), "{}", locked.release);
        assert!(locked.packages[0].file_name().starts_with("linux-source-6.12_"), "{:?}", locked.packages);
    }

    #[test]
    fn a_built_kernel_is_of_the_source_of_its_column() {
        let catalog = Kernels::embedded().unwrap();
        for name in catalog.built() {
            let column = name.strip_suffix("-kasan").unwrap();
            let version = |name| &catalog.locked(name).unwrap().version;
            assert_eq!(version(name), version(column), "{name}");
        }
    }

    #[test]
    fn names_are_in_the_order_of_versions_and_a_wrong_one_gets_the_nearest() {
        let line = "{ suite = \"a-b\", flavour = \"c\", compiler = \"d\" }";
        let catalog = Kernels::parse(&format!("\"6.12\" = {line}\n\"6.1\" = {line}\n\"5.10\" = {line}\n"), "").unwrap();
        assert_eq!(catalog.names().collect::<Vec<_>>(), ["5.10", "6.1", "6.12"]);
        let error = catalog.check("6.13").unwrap_err();
        assert!(error.advice().unwrap().starts_with("did you mean 6.1"), "{error:?}");
        catalog.check("./bzImage").unwrap();
    }

    #[test]
    fn a_line_that_makes_no_sense_is_told_what_it_needs() {
        for line in ["{ suite = \"a\", compiler = \"b\" }", "{ suite = \"a\", compiler = \"b\", build = \"fast\" }"] {
            let error = Kernels::parse(&format!("\"6.1\" = {line}\n"), "").unwrap_err();
            assert!(error.chain().contains("or suite, compiler, build"), "{}", error.chain());
        }
    }
}
