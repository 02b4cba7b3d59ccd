//! Files that are not read.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use super::Finding;

/// The files of the directories that are passed over.
pub(super) fn check(paths: &[PathBuf]) -> Vec<Finding> {
    let (mut read, mut findings) = (BTreeMap::new(), Vec::new());
    for path in paths {
        if !path.is_dir() {
            read.insert(path.file_name().unwrap_or_default().to_owned(), path.clone());
            continue;
        }
        let mut entries: Vec<_> =
            fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        entries.sort();
        findings.extend(entries.iter().filter_map(|file| check_file(file, &mut read)));
    }
    findings
}

fn check_file(file: &Path, read: &mut BTreeMap<OsString, PathBuf>) -> Option<Finding> {
    let name = file.file_name()?;
    let is_conf = name.as_encoded_bytes().ends_with(b".conf");
    if file.is_dir() {
        return is_conf.then(|| Finding::about(file, "not read: it is a directory", "put the files beside it"));
    }
    if !is_conf {
        return Some(Finding::about(file, "not read: its name does not end in .conf", "rename it, or move it away"));
    }
    if name.as_encoded_bytes().starts_with(b".") {
        return Some(Finding::about(file, "not read: its name begins with a dot", "rename it, or move it away"));
    }
    if !file.exists() {
        return Some(Finding::about(file, "not read: it is a link to what does not exist", "mend or remove it"));
    }
    let first = read.entry(name.to_owned()).or_insert_with(|| file.into());
    let is_same = fs::canonicalize(&first).ok() == fs::canonicalize(file).ok();
    (!is_same).then(|| {
        let why = format!("not read: {} has the same name and comes first", first.display());
        Finding::about(file, why, "if both are meant, rename one")
    })
}
