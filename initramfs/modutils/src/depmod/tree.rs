//! The directory that is indexed: which of its files are modules, in which order, and writing the indexes there.

use std::{
    collections::HashMap,
    fs, io,
    io::Write as _,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use modfile::alias::module_name;

use super::{File, hash};
use crate::{
    log::{Log, Priority},
    sys::strerror,
};

/// Extensions of a module's file. Whether it is compressed its first bytes tell.
const EXTENSIONS: [&str; 4] = [".ko", ".ko.gz", ".ko.xz", ".ko.zst"];

/// Paths of all module files below a directory, relative to it, in the order in which the directories list them.
pub(super) fn scan(log: &Log, directory: &Path) -> Option<Vec<String>> {
    if let Err(error) = fs::read_dir(directory) {
        let why = cause(&error);
        log.error(format_args!("could not open directory {}: {why}", directory.display()));
        log.fail(Priority::Fatal, format_args!("could not search modules: {why}"));
        return None;
    }
    let mut paths = Vec::new();
    walk(log, directory, "", &mut |path, _| paths.push(path));
    Some(paths)
}

/// Calls `found` for each module file with its path below the directory and its metadata.
fn walk(log: &Log, directory: &Path, below: &str, found: &mut impl FnMut(String, &fs::Metadata)) {
    let full = directory.join(below);
    let entries = match fs::read_dir(&full) {
        Ok(entries) => entries,
        Err(error) => return log.error(format_args!("could not open directory {}: {}", full.display(), cause(&error))),
    };
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else {
            log.error(format_args!("name is not UTF-8, left out: {}", entry.path().display()));
            continue;
        };
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        match fs::metadata(entry.path()) {
            Err(error) => log.error(format_args!("could not stat {}: {}", entry.path().display(), cause(&error))),
            Ok(metadata) if metadata.is_dir() => {
                // Links to the kernel's headers and source, not part of the tree.
                if !matches!(name.as_str(), "build" | "source") {
                    walk(log, directory, &path, found);
                }
            }
            Ok(metadata) => {
                if is_module(&name) {
                    found(path, &metadata);
                }
            }
        }
    }
}

fn is_module(name: &str) -> bool {
    EXTENSIONS.iter().any(|extension| name.strip_suffix(extension).is_some_and(|stem| !stem.is_empty()))
}

/// One path for each module name, in the order of kmod's table of names. A file below `updates/` takes the place
/// of those before it; of others the first stays.
pub(super) fn choose(paths: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut chosen: HashMap<String, String> = HashMap::new();
    for path in paths {
        let name = module_name(&path);
        if path.starts_with("updates/") || !chosen.contains_key(&name) {
            chosen.insert(name, path);
        }
    }
    let mut chosen: Vec<(String, String)> = chosen.into_iter().collect();
    hash::sort(&mut chosen, hash::MODULE_BUCKETS, |(name, _)| name.as_bytes());
    chosen.into_iter().map(|(_, path)| path).collect()
}

/// The files that the command line names: below the directory relative to it, others absolute.
pub(super) fn given(log: &Log, directory: &Path, files: &[String]) -> Option<Vec<String>> {
    for file in files {
        let problem = if !file.starts_with('/') {
            format!("{file}: not absolute path.")
        } else if let Err(error) = fs::metadata(file) {
            format!("could not create module {file}: {}", cause(&error))
        } else {
            continue;
        };
        log.fail(Priority::Fatal, problem);
        return None;
    }
    let relative = |file: &String| Path::new(file).strip_prefix(directory).ok()?.to_str().map(String::from);
    Some(choose(files.iter().map(|file| relative(file).unwrap_or_else(|| file.clone()))))
}

/// Sorts as `modules.order` lists them; those it does not name come last, as they were.
pub(super) fn order(log: &Log, directory: &Path, mut paths: Vec<String>) -> Vec<String> {
    let text = match fs::read_to_string(directory.join("modules.order")) {
        Ok(text) => text,
        Err(error) => {
            let why = cause(&error);
            let message = format_args!("could not open modules.order at {}: {why}", directory.display());
            log.write(Priority::Warning, message);
            return paths;
        }
    };
    if !text.is_empty() && !text.ends_with('\n') {
        let (file, line) = (directory.join("modules.order"), text.lines().count());
        log.error(format_args!("{}:{line} corrupted line misses '\\n'", file.display()));
        return paths;
    }
    let ranks: HashMap<&str, usize> = text.lines().enumerate().map(|(rank, path)| (path, rank)).collect();
    paths.sort_by_key(|path| ranks.get(uncompressed(path)).copied().unwrap_or(usize::MAX));
    paths
}

/// The path without a compression's extension.
fn uncompressed(path: &str) -> &str {
    [".gz", ".xz", ".zst"].iter().find_map(|extension| path.strip_suffix(extension)).unwrap_or(path)
}

/// Whether no module is newer than `modules.dep`. Times count in seconds.
pub(super) fn is_up_to_date(log: &Log, directory: &Path) -> bool {
    if let Err(error) = fs::read_dir(directory) {
        log.error(format_args!("could not open directory {}: {}", directory.display(), cause(&error)));
        return false;
    }
    let written = match fs::metadata(directory.join("modules.dep")) {
        Ok(metadata) => metadata.mtime(),
        Err(error) => {
            let why = cause(&error);
            log.error(format_args!("could not fstatat({}, modules.dep): {why}", directory.display()));
            return false;
        }
    };
    let mut is_up_to_date = true;
    walk(log, directory, "", &mut |_, metadata| is_up_to_date &= metadata.mtime() <= written);
    is_up_to_date
}

/// The contents of a module's file. An index without the modules that cannot be read would be worse than the old
/// one, so a compressed file is the end.
pub(super) fn read(log: &Log, file: &Path) -> Option<Vec<u8>> {
    const COMPRESSED: [&[u8]; 3] = [b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"\x1f\x8b"];
    match fs::read(file) {
        Ok(bytes) if COMPRESSED.iter().any(|magic| bytes.starts_with(magic)) => {
            let what = "is compressed, which is not supported yet: decompress the tree first";
            log.fail(Priority::Fatal, format_args!("{} {what}", file.display()));
            None
        }
        Ok(bytes) => Some(bytes),
        Err(error) => {
            log.fail(Priority::Fatal, format_args!("could not read {}: {}", file.display(), cause(&error)));
            None
        }
    }
}

/// Writes each file beside its place and moves it there, so that a reader finds the old or the new one. Goes on
/// after an error; None where there was one.
pub(super) fn write(log: &Log, directory: &Path, files: &[File]) -> Option<()> {
    let mut result = Some(());
    for (name, contents) in files {
        let temporary = directory.join(format!("{name}.{}.tmp", std::process::id()));
        let written = create(&temporary, contents).and_then(|()| fs::rename(&temporary, directory.join(name)));
        if let Err(error) = written {
            let _ = fs::remove_file(&temporary);
            let why = cause(&error);
            log.error(format_args!("Could not write index '{name}' in {}: {why}", directory.display()));
            result = None;
        }
    }
    result
}

fn create(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(path)?;
    file.write_all(contents)
}

/// The system's words for an error.
fn cause(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), strerror)
}
