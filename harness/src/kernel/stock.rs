//! Stock modules: those that came with a kernel. Of the thousands a few are kept, byte for byte as shipped.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use modfile::{elf::Elf, modinfo::Modinfo};

use crate::error::{Context as _, Error, Result};

/// The modules that are kept, with what they need on any kernel of the matrix. A change here fetches the kernels with
/// drivers anew.
pub const KEPT: &[&str] = &[
    // A network card, and what gives random numbers to a guest.
    "e1000",
    "rng_core",
    "virtio_rng",
    "virtio",
    "virtio_pci",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_ring",
    // A CD-ROM drive, and the file system of its discs.
    "ata_piix",
    "cdrom",
    "isofs",
    "libata",
    "scsi_common",
    "scsi_mod",
    "sr_mod",
    // A USB stick.
    "crc64",
    "crc64_rocksoft",
    "crc_t10dif",
    "crct10dif_common",
    "crct10dif_generic",
    "sd_mod",
    "t10_pi",
    "usb_common",
    "usb_storage",
    "usbcore",
    "xhci_hcd",
    "xhci_pci",
];

/// What is kept beside the modules: which are built in, and the order in which depmod lists them.
pub const LISTS: [&str; 3] = ["modules.order", "modules.builtin", "modules.builtin.modinfo"];

/// Where a file of a package goes, if it is one that is kept: `usr/lib/modules/R/kernel/x.ko.xz` to
/// `modules/kernel/x.ko.xz`.
pub(super) fn place_of(path: &Path) -> Option<PathBuf> {
    let path = path.strip_prefix("usr").unwrap_or(path);
    let inner: PathBuf = path.strip_prefix("lib/modules").ok()?.components().skip(1).collect();
    let kept = match inner.strip_prefix("kernel") {
        Ok(below) => name_of(below).is_some_and(|name| KEPT.contains(&&*name)),
        Err(_) => LISTS.iter().any(|list| inner == Path::new(list)),
    };
    kept.then(|| Path::new("modules").join(inner))
}

/// `snd_pcm` of `sound/snd-pcm.ko.xz`.
fn name_of(path: &Path) -> Option<String> {
    let (stem, rest) = path.file_name()?.to_str()?.split_once(".ko")?;
    (rest.is_empty() || rest.starts_with('.')).then(|| stem.replace('-', "_"))
}

/// The stock modules of a kernel that are on this machine.
#[derive(Debug, Clone)]
pub struct Stock {
    root: PathBuf,
}

/// A file of a kernel's module directory.
#[derive(Debug, Clone)]
pub struct StockFile {
    /// Path below `/lib/modules/RELEASE`.
    pub path: String,
    /// As shipped.
    pub bytes: Vec<u8>,
}

impl Stock {
    /// Those of an unpacked kernel; `None` if none were kept.
    pub(super) fn at(place: &Path) -> Option<Self> {
        let root = place.join("modules");
        root.is_dir().then_some(Self { root })
    }

    /// What [`LISTS`] names, as far as the kernel has it.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn lists(&self) -> Result<Vec<StockFile>> {
        let there = LISTS.iter().filter(|list| self.root.join(list).exists());
        there.map(|list| self.file(Path::new(list))).collect()
    }

    /// The named modules and what they need. One that is built in is no file.
    ///
    /// # Errors
    /// The kernel has no such module, or it was not kept.
    pub fn closure(&self, names: &[&str]) -> Result<Vec<StockFile>> {
        let there = self.there(&self.root.join("kernel"))?;
        let builtin = fs::read_to_string(self.root.join("modules.builtin")).unwrap_or_default();
        let builtin: BTreeSet<String> = builtin.lines().filter_map(|line| name_of(Path::new(line))).collect();
        let mut wanted: Vec<(String, String)> =
            names.iter().map(|name| (name.replace('-', "_"), String::new())).collect();
        let mut found = BTreeMap::new();
        while let Some((name, user)) = wanted.pop() {
            if found.contains_key(&name) || builtin.contains(&name) {
                continue;
            }
            let Some(path) = there.get(&name) else {
                return Err(Error::new(format!("there is no stock module {name}{user}"))
                    .help("if the kernel has it, add it to what is kept, in kernel/stock.rs"));
            };
            let file = self.file(path)?;
            let needs = needs(&file).context(|| format!("cannot read the stock module `{}`", path.display()))?;
            wanted.extend(needs.into_iter().map(|need| (need, format!(", which {name} needs"))));
            found.insert(name, file);
        }
        Ok(found.into_values().collect())
    }

    fn file(&self, path: &Path) -> Result<StockFile> {
        let file = self.root.join(path);
        let bytes = fs::read(&file).context(|| format!("cannot read `{}`", file.display()))?;
        Ok(StockFile { path: path.display().to_string(), bytes })
    }

    /// The modules below a directory, by name, with their paths below the root.
    fn there(&self, directory: &Path) -> Result<BTreeMap<String, PathBuf>> {
        let failed = || format!("cannot read `{}`", directory.display());
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(directory).context(failed)? {
            let path = entry.context(failed)?.path();
            if path.is_dir() {
                found.extend(self.there(&path)?);
            } else if let (Some(name), Ok(below)) = (name_of(&path), path.strip_prefix(&self.root)) {
                found.insert(name, below.to_owned());
            }
        }
        Ok(found)
    }
}

/// What a module's file says it needs.
fn needs(file: &StockFile) -> Result<Vec<String>> {
    let bytes = modutils::compress::unpack(file.bytes.clone()).context(|| "it cannot be unpacked")?;
    let elf = Elf::parse(&bytes).context(|| "it is damaged")?;
    let info = Modinfo::of(&elf).context(|| "it is damaged")?;
    Ok(info.depends().map(|name| String::from_utf8_lossy(name).replace('-', "_")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_module_goes_where_it_was_below_the_release() {
        let place = |path: &str| place_of(Path::new(path)).map(|place| place.display().to_string());
        let inner = "kernel/drivers/net/ethernet/intel/e1000/e1000.ko";
        assert_eq!(place(&format!("lib/modules/6.1/{inner}")), Some(format!("modules/{inner}")));
        assert_eq!(place(&format!("usr/lib/modules/7.3/{inner}.xz")), Some(format!("modules/{inner}.xz")));
        assert_eq!(place("lib/modules/6.1/kernel/drivers/net/ethernet/intel/e1000e/e1000e.ko"), None);
        assert_eq!(place("lib/modules/6.1/modules.builtin").as_deref(), Some("modules/modules.builtin"));
        assert_eq!(place("lib/modules/6.1/modules.dep"), None);
    }

    #[test]
    fn a_missing_module_is_named_with_who_needs_it() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("modules");
        fs::create_dir_all(root.join("kernel/a")).unwrap();
        fs::write(root.join("modules.builtin"), "kernel/drivers/base/one.ko\n").unwrap();
        let needy = modfile::write::Module::new("needy").modinfo("depends", "one,two-three");
        fs::write(root.join("kernel/a/needy.ko"), needy.build()).unwrap();
        let stock = Stock::at(directory.path()).unwrap();
        let error = stock.closure(&["needy"]).unwrap_err();
        assert_eq!(error.to_string(), "there is no stock module two_three, which needy needs");
        assert!(stock.closure(&["one"]).unwrap().is_empty(), "it is built in");
    }
}
