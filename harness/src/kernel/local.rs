//! A kernel that the user names by its path: a `bzImage`, a `vmlinux`, or a tree that was built on this machine.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Config, Headers, Kernel, vmlinux};
use crate::{
    cache::{Cache, Digest},
    error::{Context as _, Error, Result},
};

const FORM: &str = "local kernel 2";

/// Copies the kernel into the cache, so that a rebuild does not change it under a running test.
///
/// # Errors
/// There is no kernel at `name`, or the file is damaged.
pub(super) fn kernel(cache: &Cache, name: &str) -> Result<Kernel> {
    let found = Found::at(Path::new(name))?;
    let file = read(&found.image)?;
    let config = found.config.as_deref().map(read).transpose()?.unwrap_or_default();
    let damaged = |why: String| Error::usage(format!("`{}` does not boot", found.image.display())).because(why);
    let release = match found.release.or_else(|| vmlinux::release(&file)) {
        Some(release) => release,
        // What else is wrong with it says more.
        None => return Err(damaged(vmlinux::prepare(file).err().unwrap_or("it does not tell its release".into()))),
    };
    let symbols = found.tree.as_ref().and_then(|tree| fs::read(tree.join("Module.symvers")).ok()).unwrap_or_default();
    let digest = Digest::of([FORM.as_bytes(), release.as_bytes(), &file, &config, &symbols]);
    let entry = cache.entry("kernel", digest.as_str(), |dir| {
        vmlinux::store(dir, vmlinux::prepare(file).map_err(damaged)?)?;
        // Only a built tree tells its addresses.
        if let Some(map) = found.tree.as_ref().map(|tree| tree.join("System.map")).filter(|map| map.exists()) {
            fs::copy(&map, dir.join("System.map")).context(|| format!("cannot copy `{}`", map.display()))?;
        }
        let place = dir.join("config");
        fs::write(&place, config_of(config, &vmlinux::find(dir).0))
            .context(|| format!("cannot write `{}`", place.display()))
    })?;
    let headers = match found.tree {
        Some(tree) => Headers::Tree(tree),
        None => Headers::Absent("a kernel file has no headers; name the tree it was built in".into()),
    };
    let (image, format) = vmlinux::find(&entry);
    let config = Config::new(String::from_utf8_lossy(&read(&entry.join("config"))?).into_owned());
    Ok(Kernel { name: name.to_owned(), release, image, format, config, headers, stock: None, digest })
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|cause| Error::usage(format!("cannot read `{}`", path.display())).because(cause))
}

/// The configuration beside the kernel, else the one inside it, else none.
fn config_of(beside: Vec<u8>, image: &Path) -> Vec<u8> {
    if !beside.is_empty() {
        return beside;
    }
    fs::read(image).ok().and_then(|image| vmlinux::embedded_config(&image)).unwrap_or_default().into_bytes()
}

/// The parts of a user's kernel.
struct Found {
    image: PathBuf,
    config: Option<PathBuf>,
    release: Option<String>,
    tree: Option<PathBuf>,
}

impl Found {
    fn at(path: &Path) -> Result<Self> {
        let place = fs::canonicalize(path)
            .map_err(|cause| Error::usage(format!("there is no kernel at `{}`", path.display())).because(cause))?;
        if place.is_dir() { Self::tree(place) } else { Ok(Self::file(place)) }
    }

    fn tree(tree: PathBuf) -> Result<Self> {
        let first = |names: &[&str]| names.iter().map(|name| tree.join(name)).find(|path| path.exists());
        let lacks = |what: &str| {
            Error::usage(format!("`{}` is not a built kernel tree: it has no {what}", tree.display()))
                .help("build it first, with `make` in the tree")
        };
        let image = first(&["arch/x86/boot/bzImage", "vmlinux"]).ok_or_else(|| lacks("arch/x86/boot/bzImage"))?;
        let config = first(&[".config"]).ok_or_else(|| lacks(".config"))?;
        let release = tree.join("include/config/kernel.release");
        let release = fs::read_to_string(release).map_err(|_| lacks("include/config/kernel.release"))?;
        Ok(Self { image, config: Some(config), release: Some(release.trim().to_owned()), tree: Some(tree) })
    }

    /// Distributions put `config-R` beside `vmlinuz-R`, or `config` beside `vmlinuz`.
    fn file(image: PathBuf) -> Self {
        let name = image.file_name().unwrap_or_default().to_string_lossy();
        let suffix = ["vmlinuz", "vmlinux", "bzImage"].iter().find_map(|kind| name.strip_prefix(kind));
        let config = suffix.map(|suffix| image.with_file_name(format!("config{suffix}"))).filter(|path| path.is_file());
        Self { image, config, release: None, tree: None }
    }
}
