//! From a name in a list to its packages, fetched, verified and unpacked.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fs::{self, File},
    path::{Path, PathBuf},
};

use super::{
    Catalog, FetchOptions,
    archive::Archive,
    catalog::{Line, Locked},
    deb,
    mirror::{self, Mirrors},
};
use crate::{
    cache::Cache,
    error::{Context as _, Error, Result},
    progress::Progress,
    whole,
};

/// Brings packages to this machine.
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
    /// The unpacked packages of a name, and their release: the locked one, or the newest if the archive has dropped it.
    ///
    /// # Errors
    /// The name is unknown, or the archive does not give the packages.
    pub fn obtain<L: Line>(&self, catalog: &Catalog<L>, name: &str) -> Result<(String, PathBuf)> {
        let line = catalog.line(name)?;
        let locked = catalog.locked(name).ok_or_else(|| {
            Error::new(format!("{} {name} is not locked to a release", L::KIND))
                .help(format!("run `modrig {}s update`", L::KIND))
        })?;
        let now = self.taken_before(line, locked).unwrap_or_else(|| locked.clone());
        match self.fetched(line, &now)? {
            Some(place) => Ok((now.release, place)),
            None => self.in_place_of(name, line, locked),
        }
    }

    /// The archive has dropped a locked release: take the newest of its series, and say so.
    fn in_place_of<L: Line>(&self, name: &str, line: &L, dropped: &Locked) -> Result<(String, PathBuf)> {
        let update = format!("run `modrig {}s update` to lock what the archive has now", L::KIND);
        let gone = format!("the archive no longer has {}", dropped.release);
        if self.options.locked {
            return Err(Error::new(format!("{gone}, which {} {name} is locked to", L::KIND)).help(update));
        }
        let newest = line.newest(name, &self.archive().index(line.suite())?)?;
        self.progress.say(format!("{name}: {gone}; taking {} ({update})", newest.release));
        let place = self.fetched(line, &newest)?.ok_or_else(|| {
            Error::new(format!("the archive announces {} and does not have it", newest.release)).help("try again later")
        })?;
        self.remember(line, dropped, &newest)?;
        Ok((newest.release, place))
    }

    /// What was taken in the place of a dropped release, so that not every process asks the archive anew.
    fn taken_before<L: Line>(&self, line: &L, locked: &Locked) -> Option<Locked> {
        if self.options.locked || self.cache.has(L::KIND, &line.key(locked)) {
            return None;
        }
        toml::from_str(&fs::read_to_string(self.memory_of(line, locked)).ok()?).ok()
    }

    fn remember<L: Line>(&self, line: &L, dropped: &Locked, newest: &Locked) -> Result<()> {
        let text = toml::to_string(newest).context(|| format!("cannot note {}", newest.release))?;
        let place = self.memory_of(line, dropped);
        let failed = || format!("cannot make the directory of `{}`", place.display());
        fs::create_dir_all(place.parent().expect("it is below the cache")).context(failed)?;
        whole::write(&place, text.as_bytes())
    }

    fn memory_of<L: Line>(&self, line: &L, dropped: &Locked) -> PathBuf {
        self.cache.root().join("dropped").join(line.key(dropped))
    }

    /// Locks the newest release of each of these names; gives what changed, and the new text of the lock file.
    ///
    /// # Errors
    /// An index cannot be fetched or verified, or has no such kernel.
    pub fn update<L: Line>(&self, catalog: &Catalog<L>, names: &[String]) -> Result<(Vec<String>, String)> {
        let mut indexes = BTreeMap::new();
        let mut changes = Vec::new();
        let mut changed = BTreeMap::new();
        for name in names {
            let line = catalog.line(name)?;
            let index = match indexes.entry(line.suite()) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => place.insert(self.archive().index(line.suite())?),
            };
            let newest = line.newest(name, index)?;
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
        whole::write(path, text.as_bytes())
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

    /// Locks the packages of a release: others may share some, and whoever has unpacked them removes them.
    fn hold(&self, locked: &Locked) -> Result<Vec<File>> {
        let mut digests: Vec<&str> = locked.digests().collect();
        // In one order, and once each: otherwise two processes, or one, would wait for ever.
        digests.sort_unstable();
        digests.dedup();
        digests.iter().map(|digest| self.cache.lock(&format!("use-{digest}"))).collect()
    }

    /// The unpacked packages of a release; `None` when the archive has dropped one of them.
    fn fetched<L: Line>(&self, line: &L, locked: &Locked) -> Result<Option<PathBuf>> {
        let key = line.key(locked);
        let place = self.cache.root().join(L::KIND).join(&key);
        if place.exists() {
            return Ok(Some(place));
        }
        let _in_use = self.hold(locked)?;
        if place.exists() {
            return Ok(Some(place));
        }
        let mut debs = Vec::new();
        for package in &locked.packages {
            match self.archive().package(line.suite(), package)? {
                Some(deb) => debs.push(deb),
                None => return Ok(None),
            }
        }
        let place = self.cache.entry(L::KIND, &key, |place| {
            let spinner = self.progress.spinner(format!("{}: unpack", locked.release));
            deb::unpack_all(&debs, place, |path| line.place_of(path))?;
            drop(spinner);
            line.finish(self, locked, place)
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
