//! The files below the module directory: which of them are modules, and which of several with one name is taken.

use std::{
    collections::HashMap,
    ffi::OsStr,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

use rustix::{
    fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, openat, stat, statat},
    io::Errno,
};

use super::{config::Config, order, place::Place};
use crate::{
    log::{Log, Priority},
    sys::strerror,
};

/// Longer paths are not followed, bytes.
const PATH_BYTES_MAX: usize = libc::PATH_MAX as usize;

/// The modules below the module directory and the external ones, one for each name, in the order of kmod's table of
/// names. None where an error has been told.
pub(super) fn scan(log: &Log, directory: &Path, config: &Config) -> Option<Vec<Place>> {
    let mut chosen = HashMap::new();
    let found = |path: &[u8], walk: &Walk<'_>| choose(log, &mut chosen, Place::new(directory, path), walk);
    let mut walk = Walk { log, config, path: vec![], is_linked: false };
    if let Err(error) = walk.run(directory, found) {
        let why = strerror(error.raw_os_error());
        log.fail(Priority::Fatal, format_args!("could not search modules: {why}"));
        return None;
    }
    for external in &config.externals {
        let external = Path::new(OsStr::from_bytes(external));
        let found = |path: &[u8], walk: &Walk<'_>| choose(log, &mut chosen, Place::new(directory, path), walk);
        // The rest can be indexed without it.
        let _ = walk.run(external, found);
    }
    Some(order::by_table(chosen.into_values()))
}

/// One of each module name of files that are given, as [`scan`] does it.
pub(super) fn choose_from(config: &Config, places: impl IntoIterator<Item = Place>) -> Vec<Place> {
    let mut chosen = HashMap::new();
    for place in places {
        if is_wanted(config, &chosen, &place) {
            chosen.insert(place.name.clone(), place);
        }
    }
    order::by_table(chosen.into_values())
}

fn is_wanted(config: &Config, chosen: &HashMap<String, Place>, place: &Place) -> bool {
    chosen.get(&place.name).is_none_or(|before| config.prefers(place, before))
}

fn choose(log: &Log, chosen: &mut HashMap<String, Place>, place: Place, walk: &Walk<'_>) {
    if !is_wanted(walk.config, chosen, &place) {
        return;
    }
    chosen.remove(&place.name);
    // Each link was followed from the directory where it lies; the whole path may hold more than the kernel follows.
    if walk.is_linked
        && let Err(error) = stat(place.path())
    {
        let (path, why) = (place.path().display(), strerror(error.raw_os_error()));
        log.error(format_args!("could not create module {path}: {why}"));
        return log.error(format_args!("failed {path}: {why}"));
    }
    chosen.insert(place.name.clone(), place);
}

/// The files that the command line names. None where an error has been told.
pub(super) fn given(log: &Log, directory: &Path, files: &[String]) -> Option<Vec<Place>> {
    let mut chosen: HashMap<String, Place> = HashMap::new();
    for file in files {
        let place = Place::new(directory, file.as_bytes());
        let problem = if file.starts_with('/') {
            refusal(log, &place, chosen.get(&place.name))
        } else {
            Some(format!("{file}: not absolute path."))
        };
        if let Some(problem) = problem {
            log.fail(Priority::Fatal, problem);
            return None;
        }
        chosen.insert(place.name.clone(), place);
    }
    Some(order::by_table(chosen.into_values()))
}

/// Why a file cannot be indexed, perhaps since another of its name is.
fn refusal(log: &Log, place: &Place, before: Option<&Place>) -> Option<String> {
    let (name, path, exists) = (&place.name, place.path().display(), strerror(libc::EEXIST));
    match (stat(place.path()), before) {
        (Err(error), _) => Some(format!("could not create module {path}: {}", strerror(error.raw_os_error()))),
        (Ok(_), None) => None,
        (Ok(_), Some(before)) if before.path() == place.path() => {
            log.error(format_args!("hash_add_unique {name}: {exists}"));
            Some(format!("could not add module {path}: {exists}"))
        }
        (Ok(_), Some(before)) => {
            let old = before.path().display();
            log.error(format_args!(
                "kmod_module '{name}' already exists with different path: new-path='{path}' old-path='{old}'"
            ));
            Some(format!("could not create module {path}: {exists}"))
        }
    }
}

/// Whether no module is newer than `modules.dep`. Times count in seconds.
pub(super) fn is_up_to_date(log: &Log, directory: &Path) -> bool {
    let complain = |what: &str, error: Errno| {
        log.error(format_args!("could not {what}: {}", strerror(error.raw_os_error())));
        false
    };
    if let Err(error) = open(CWD, directory) {
        return complain(&format!("open directory {}", directory.display()), error);
    }
    let written = match stat(directory.join("modules.dep")) {
        Ok(stat) => stat.st_mtime,
        Err(error) => return complain(&format!("fstatat({}, modules.dep)", directory.display()), error),
    };
    let config = Config::preset();
    let mut is_up_to_date = true;
    let mut walk = Walk { log, config: &config, path: vec![], is_linked: false };
    let found = |path: &[u8], _: &Walk<'_>| {
        is_up_to_date &= stat(path).is_ok_and(|stat: Stat| stat.st_mtime <= written);
    };
    let _ = walk.run(directory, found);
    is_up_to_date
}

fn open(at: impl std::os::fd::AsFd, path: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    openat(at, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// A walk through directories, depth first, entries as the directories list them.
struct Walk<'a> {
    log: &'a Log,
    config: &'a Config,
    /// Of the directory, without a slash at its end.
    path: Vec<u8>,
    /// Whether a symbolic link is part of the path.
    is_linked: bool,
}

impl Walk<'_> {
    /// Calls `found` with the path of each file that has a module's name.
    fn run(&mut self, directory: &Path, mut found: impl FnMut(&[u8], &Walk<'_>)) -> Result<(), Errno> {
        let opened = open(CWD, directory).and_then(Dir::new);
        let opened = opened.inspect_err(|error| {
            let why = strerror(error.raw_os_error());
            self.log.error(format_args!("could not open directory {}: {why}", directory.display()));
        })?;
        self.path = directory.as_os_str().as_bytes().to_vec();
        self.enter(opened, &mut found);
        Ok(())
    }

    fn enter(&mut self, mut directory: Dir, found: &mut impl FnMut(&[u8], &Walk<'_>)) {
        while let Some(Ok(entry)) = directory.read() {
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") || self.config.excludes(name) {
                continue;
            }
            if self.path.len() + name.len() + 3 >= PATH_BYTES_MAX {
                let (path, name) = (String::from_utf8_lossy(&self.path), String::from_utf8_lossy(name));
                self.log.error(format_args!("path is too long {path}/{name}"));
                continue;
            }
            let (len, was_linked) = (self.path.len(), self.is_linked);
            self.path.push(b'/');
            self.path.extend_from_slice(name);
            self.visit(&directory, name, entry.file_type(), found);
            self.path.truncate(len);
            self.is_linked = was_linked;
        }
    }

    fn visit(&mut self, parent: &Dir, name: &[u8], listed: FileType, found: &mut impl FnMut(&[u8], &Walk<'_>)) {
        let Ok(at) = parent.fd() else { return };
        let complain = |what: std::fmt::Arguments<'_>, error: Errno| {
            self.log.error(format_args!("{what}: {}", strerror(error.raw_os_error())));
        };
        let (number, shown) = (at.as_raw_fd(), String::from_utf8_lossy(name));
        let kind = match listed {
            FileType::RegularFile | FileType::Directory => listed,
            _ => match statat(at, name, AtFlags::empty()) {
                Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                Err(error) => return complain(format_args!("fstatat({number}, {shown})"), error),
            },
        };
        self.is_linked |= kind != listed;
        match kind {
            FileType::Directory => match open(at, name).and_then(Dir::new) {
                Ok(directory) => self.enter(directory, found),
                Err(error) => complain(format_args!("openat({number}, {shown}, O_RDONLY)"), error),
            },
            FileType::RegularFile => {
                if order::is_module(OsStr::from_bytes(name)) {
                    found(&self.path, self);
                }
            }
            other => {
                let path = String::from_utf8_lossy(&self.path);
                self.log.error(format_args!("unsupported file type {path}: {:o}", other.as_raw_mode()));
            }
        }
    }
}
