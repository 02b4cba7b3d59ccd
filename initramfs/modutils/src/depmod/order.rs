//! The order of modules: that of kmod's table of names, and then that of `modules.order`.

use std::{collections::HashMap, ffi::OsStr, fs, os::unix::ffi::OsStrExt as _, path::Path};

use super::{cause, hash, place::Place};
use crate::log::{Log, Priority};

/// Sorts as kmod's table of names does.
pub(super) fn by_table(places: impl Iterator<Item = Place>) -> Vec<Place> {
    hash::sorted(places, hash::MODULE_BUCKETS, |place| place.name.as_bytes())
}

/// Sorts as `modules.order` lists them; those it does not name come last, as they were.
pub(super) fn by_list(log: &Log, directory: &Path, places: &mut [Place]) {
    let text = match fs::read(directory.join("modules.order")) {
        Ok(text) => text,
        Err(error) => {
            let why = cause(&error);
            let message = format_args!("could not open modules.order at {}: {why}", directory.display());
            return log.write(Priority::Warning, message);
        }
    };
    if !text.is_empty() && !text.ends_with(b"\n") {
        let (file, line) = (directory.join("modules.order"), text.split(|byte| *byte == b'\n').count());
        return log.error(format_args!("{}:{line} corrupted line misses '\\n'", file.display()));
    }
    by_text(&text, places);
}

/// The same, as the text of `modules.order` lists them.
pub(super) fn by_text(text: &[u8], places: &mut [Place]) {
    let lines = text.split(|byte| *byte == b'\n').enumerate();
    let ranks: HashMap<&[u8], usize> = lines.map(|(rank, path)| (path, rank)).collect();
    places.sort_by_key(|place| ranks.get(uncompressed(place.listed())).copied().unwrap_or(usize::MAX));
}

/// The path without a compression's extension.
fn uncompressed(path: &[u8]) -> &[u8] {
    [&b".gz"[..], b".xz", b".zst"].iter().find_map(|extension| path.strip_suffix(*extension)).unwrap_or(path)
}

/// Extensions of a module's file. Whether it is compressed its first bytes tell.
const EXTENSIONS: [&[u8]; 4] = [b".ko", b".ko.gz", b".ko.xz", b".ko.zst"];

/// Whether a file's name is that of a module.
pub(super) fn is_module(name: &OsStr) -> bool {
    let name = name.as_bytes();
    EXTENSIONS.iter().any(|extension| name.strip_suffix(*extension).is_some_and(|stem| !stem.is_empty()))
}
