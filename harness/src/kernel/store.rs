//! From a name or a path to a kernel that can be booted.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    thread,
};

use super::{
    Catalog, Config, FetchOptions, Headers, Kernel,
    archive::{self, Archive},
    catalog::{Line, Locked},
    control::Stanza,
    deb, local,
    mirror::{self, Mirrors},
    vmlinux,
};
use crate::{
    cache::{Cache, Digest},
    error::{Context as _, Error, Result},
    progress::Progress,
};

/// Brings kernels to this machine.
#[derive(Debug, Clone)]
pub struct Store {
    /// Where they are kept.
    pub cache: Cache,
    /// What a person sees meanwhile.
    pub progress: Progress,
    /// How to fetch.
    pub options: FetchOptions,
}

impl Store {
    /// The kernel of a name in the catalog, or of a path (with a slash in it): a bzImage, a vmlinux or a built tree.
    ///
    /// # Errors
    /// The name is unknown, the archive does not give the packages, or the file is no kernel.
    pub fn resolve(&self, catalog: &Catalog, name: &str) -> Result<Kernel> {
        if name.contains('/') {
            return local::kernel(&self.cache, name);
        }
        let line = catalog.line(name)?;
        let locked = catalog.locked(name).ok_or_else(|| {
            Error::new(format!("kernel {name} is not locked to a release")).help("run `modrig kernels update`")
        })?;
        let taken = self.taken_before(line, locked);
        let now = taken.as_ref().unwrap_or(locked);
        match self.fetched(line, now)? {
            Some(place) => kernel_at(name, line, &now.release, &place),
            None => self.in_place_of(name, line, locked),
        }
    }

    /// The archive has dropped a locked release: take the newest of its series, and say so.
    fn in_place_of(&self, name: &str, line: &Line, dropped: &Locked) -> Result<Kernel> {
        let update = "run `modrig kernels update` to lock what the archive has now";
        if self.options.locked {
            let text = format!("the archive no longer has {}, which kernel {name} is locked to", dropped.release);
            return Err(Error::new(text).help(update));
        }
        let newest = Self::newest(name, line, &self.archive().index(&line.suite)?)?;
        let gone = format!("{name}: the archive no longer has {}; taking {}", dropped.release, newest.release);
        self.progress.say(format!("{gone} ({update})"));
        let place = self.fetched(line, &newest)?.ok_or_else(|| {
            Error::new(format!("the archive announces {} and does not have it", newest.release)).help("try again later")
        })?;
        self.remember(line, dropped, &newest)?;
        kernel_at(name, line, &newest.release, &place)
    }

    /// What was taken in the place of a dropped release, so that not every process asks the archive anew.
    fn taken_before(&self, line: &Line, locked: &Locked) -> Option<Locked> {
        if self.options.locked || self.cache.has("kernel", &locked.key(line)) {
            return None;
        }
        toml::from_str(&fs::read_to_string(self.memory_of(line, locked)).ok()?).ok()
    }

    fn remember(&self, line: &Line, dropped: &Locked, newest: &Locked) -> Result<()> {
        let text = toml::to_string(newest).context(|| format!("cannot note {}", newest.release))?;
        let place = self.memory_of(line, dropped);
        let failed = || format!("cannot make the directory of `{}`", place.display());
        fs::create_dir_all(place.parent().expect("it is below the cache")).context(failed)?;
        archive::write_whole(&place, &text)
    }

    fn memory_of(&self, line: &Line, dropped: &Locked) -> PathBuf {
        self.cache.root().join("dropped").join(dropped.key(line))
    }

    /// Locks the newest release of each of these kernels; gives what changed, and the new text of the lock file.
    ///
    /// # Errors
    /// An index cannot be fetched or verified, or has no such kernel.
    pub fn update(&self, catalog: &Catalog, names: &[String]) -> Result<(Vec<String>, String)> {
        let mut indexes = BTreeMap::new();
        let mut changes = Vec::new();
        let mut changed = BTreeMap::new();
        for name in names {
            let line = catalog.line(name)?;
            if !indexes.contains_key(&line.suite) {
                indexes.insert(line.suite.clone(), self.archive().index(&line.suite)?);
            }
            let newest = Self::newest(name, line, &indexes[&line.suite])?;
            match catalog.locked(name) {
                Some(known) if *known == newest => {
                    changes.push(format!("{name}: {} is still the newest", newest.release));
                }
                known => {
                    let before = known.map_or("nothing", |known| &known.release);
                    changes.push(format!("{name}: {before} -> {}", newest.release));
                    changed.insert(name.clone(), newest);
                }
            }
        }
        Ok((changes, catalog.lock_with(changed)?))
    }

    /// Writes a lock file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_lock(path: &Path, text: &str) -> Result<()> {
        archive::write_whole(path, text)
    }

    /// The archives to fetch `wanted` from.
    ///
    /// # Errors
    /// None is known, or nothing may be fetched.
    pub fn mirrors(&self, wanted: &str) -> Result<Mirrors> {
        if self.options.offline {
            return Err(Error::new(format!("{wanted} is not in the cache, and --offline forbids fetching it"))
                .help("run once without --offline"));
        }
        mirror::find(&self.options)
    }

    fn archive(&self) -> Archive<'_> {
        Archive { store: self }
    }

    fn newest(name: &str, line: &Line, packages: &BTreeMap<String, Stanza>) -> Result<Locked> {
        archive::newest(packages, name, &line.flavour).ok_or_else(|| {
            Error::new(format!("{} has no kernel {name} of flavour {} with headers", line.suite, line.flavour))
        })
    }

    /// Locks the packages of a release: kernels may share some, and whoever has unpacked them removes them.
    fn hold(&self, locked: &Locked) -> Result<Vec<File>> {
        let mut digests: Vec<&str> = locked.packages.iter().map(|package| package.sha256.as_str()).collect();
        // In one order, and once each: otherwise two processes, or one, would wait for ever.
        digests.sort_unstable();
        digests.dedup();
        digests.iter().map(|digest| self.cache.lock(&format!("use-{digest}"))).collect()
    }

    /// The unpacked packages of a release; `None` when the archive has dropped one of them.
    fn fetched(&self, line: &Line, locked: &Locked) -> Result<Option<PathBuf>> {
        let key = locked.key(line);
        let place = self.cache.root().join("kernel").join(&key);
        if place.exists() {
            return Ok(Some(place));
        }
        let _in_use = self.hold(locked)?;
        if place.exists() {
            return Ok(Some(place));
        }
        let mut debs = Vec::new();
        for package in &locked.packages {
            match self.archive().package(&line.suite, package)? {
                Some(deb) => debs.push(deb),
                None => return Ok(None),
            }
        }
        let _spinner = self.progress.spinner(format!("{}: unpack", locked.release));
        let place = self.cache.entry("kernel", &key, |place| {
            unpack(&debs, place)?;
            extract_kernel(place)
        })?;
        // What was unpacked is enough; the packages would only take space.
        let trash = self.cache.staging()?;
        for (number, entry) in debs.iter().filter_map(|deb| deb.parent()).enumerate() {
            // By a rename, lest half of an entry stays when this is killed.
            let _ = fs::rename(entry, trash.path().join(number.to_string()));
        }
        Ok(Some(place))
    }
}

/// Where a file of a package goes: the kernel and its configuration to the top, headers where the build expects them.
fn place_of(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let in_modules = path.starts_with("usr/lib/modules") && path.components().count() == 5;
    let in_boot = path.parent() == Some(Path::new("boot"));
    match name {
        _ if in_boot && name.starts_with("vmlinuz-") || in_modules && name == "vmlinuz" => Some("vmlinuz".into()),
        _ if in_boot && name.starts_with("config-") || in_modules && name == "config" => Some("config".into()),
        _ if path.starts_with("usr/src") => Some(path.to_owned()),
        _ if path
            .components()
            .nth(2)
            .is_some_and(|part| part.as_os_str().to_string_lossy().starts_with("linux-kbuild-")) =>
        {
            Some(path.to_owned())
        }
        _ => None,
    }
}

/// All at once: they share no file, and one of them, with the image, takes as long as the others together.
fn unpack(debs: &[PathBuf], place: &Path) -> Result<()> {
    thread::scope(|scope| {
        let all: Vec<_> = debs.iter().map(|deb| scope.spawn(|| deb::unpack(deb, place, place_of))).collect();
        all.into_iter().try_for_each(|one| one.join().expect("unpacking gives its errors back"))
    })
}

fn extract_kernel(place: &Path) -> Result<()> {
    let packed = place.join("vmlinuz");
    let bytes = fs::read(&packed).context(|| "the packages have no kernel image")?;
    let prepared = vmlinux::prepare(bytes);
    vmlinux::store(place, prepared.map_err(|why| Error::new(format!("the package's kernel is damaged: {why}")))?)?;
    fs::remove_file(&packed).context(|| format!("cannot remove `{}`", packed.display()))
}

fn kernel_at(name: &str, line: &Line, release: &str, place: &Path) -> Result<Kernel> {
    let config = fs::read_to_string(place.join("config"))
        .context(|| format!("the cache entry `{}` is damaged", place.display()))?;
    let (image, format) = vmlinux::find(place);
    let key = place.file_name().map(|key| key.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Kernel {
        name: name.to_owned(),
        release: release.to_owned(),
        image,
        format,
        config: Config::parse(&config),
        headers: Headers::Debian {
            suite: line.build_suite().to_owned(),
            compiler: line.compiler.clone(),
            root: place.to_owned(),
        },
        digest: Digest::of([key]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_go_where_they_are_looked_for() {
        let place = |path: &str| place_of(Path::new(path)).map(|place| place.display().to_string());
        assert_eq!(place("boot/vmlinuz-6.1.0-x").as_deref(), Some("vmlinuz"));
        assert_eq!(place("usr/lib/modules/7.3.4/vmlinuz").as_deref(), Some("vmlinuz"));
        assert_eq!(place("usr/lib/modules/7.3.4/config").as_deref(), Some("config"));
        assert_eq!(place("usr/lib/modules/7.3.4/kernel/fs/config"), None);
        assert_eq!(
            place("usr/lib/linux-kbuild-6.1/scripts/basic/fixdep").as_deref(),
            Some("usr/lib/linux-kbuild-6.1/scripts/basic/fixdep")
        );
        assert_eq!(place("usr/src/linux-headers-6.1/Makefile").as_deref(), Some("usr/src/linux-headers-6.1/Makefile"));
        assert_eq!(place("usr/share/doc/x"), None);
    }
}
