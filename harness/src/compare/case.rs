//! A case: files, calls, and what both sides make of them in the same directory, one after the other.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{
    tool::{Said, Side, Tools},
    words::Call,
};
use crate::error::{Context as _, Result};

/// Longest that one call may take. kmod hangs on some damaged files.
const LIMIT: Duration = Duration::from_secs(5);

/// As [`LIMIT`], for work on a whole tree.
const LIMIT_WHOLE: Duration = Duration::from_secs(300);

/// What is put into the directory before each side runs.
#[derive(Debug, Clone)]
pub enum Put {
    /// A file with this content.
    File(Arc<[u8]>),
    /// A symbolic link to something that is only read.
    Link(PathBuf),
    /// A copy of a directory, which may be written.
    Copy(PathBuf),
}

/// Places in the directory, and what is put there.
pub type Input = Vec<(PathBuf, Put)>;

/// The same calls on the same files, for both sides.
#[derive(Debug, Clone)]
pub struct Case {
    /// `tool/input/what`.
    pub name: String,
    /// Files before the calls.
    pub input: Input,
    /// What is called, in turns.
    pub calls: Vec<Call>,
    /// The calls work on a whole tree, and may take their time.
    pub is_long: bool,
}

/// A file that is there after the calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its permissions.
    pub mode: u32,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// What one side has made of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Of each call.
    pub said: Vec<Said>,
    /// Of all calls together, by place in the directory.
    pub files: BTreeMap<PathBuf, Found>,
}

impl Case {
    /// The part of the name that says which cases are counted together.
    pub fn group(&self) -> &str {
        self.name.rsplit_once('/').map_or("", |(group, _)| group)
    }

    /// What a side makes of it, in a directory that is empty before and after.
    ///
    /// # Errors
    /// The directory cannot be used, a program cannot be started, or the user asked to stop.
    pub fn outcome(&self, tools: &Tools, side: Side, directory: &Path) -> Result<Outcome> {
        let failed = || format!("cannot use `{}`", directory.display());
        fs::create_dir(directory).context(failed)?;
        for (place, put) in &self.input {
            put_at(&directory.join(place), put).context(failed)?;
        }
        let limit = if self.is_long { LIMIT_WHOLE } else { LIMIT };
        let said = self.calls.iter().map(|call| tools.call(side, call, directory, limit)).collect::<Result<_>>();
        let mut files = BTreeMap::new();
        collect(directory, Path::new(""), &mut files).context(failed)?;
        fs::remove_dir_all(directory).context(failed)?;
        Ok(Outcome { said: said?, files })
    }
}

impl Outcome {
    /// The same with the directory's own path, where a tool prints it, as `$PWD`: a person need not read it each time.
    pub(super) fn seen_from(mut self, directory: &Path) -> Self {
        let path = directory.as_os_str().as_encoded_bytes();
        for text in self.said.iter_mut().flat_map(|said| [&mut said.out, &mut said.err]) {
            *text = replaced(text, path, b"$PWD");
        }
        self
    }
}

fn replaced(text: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut result = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memmem::find(rest, old) {
        result.extend_from_slice(&rest[..at]);
        result.extend_from_slice(new);
        rest = &rest[at + old.len()..];
    }
    result.extend_from_slice(rest);
    result
}

fn put_at(place: &Path, put: &Put) -> io::Result<()> {
    if let Some(parent) = place.parent() {
        fs::create_dir_all(parent)?;
    }
    match put {
        Put::File(bytes) => fs::write(place, bytes),
        Put::Link(target) => symlink(target, place),
        Put::Copy(source) => copy(source, place),
    }
}

/// Entries are made in the order of their names, so that both sides read the directory in one order.
fn copy(source: &Path, place: &Path) -> io::Result<()> {
    if !source.is_dir() {
        return fs::copy(source, place).map(drop);
    }
    fs::create_dir_all(place)?;
    let mut names: Vec<_> = fs::read_dir(source)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
    names.sort();
    names.iter().try_for_each(|name| copy(&source.join(name), &place.join(name)))
}

fn collect(directory: &Path, below: &Path, files: &mut BTreeMap<PathBuf, Found>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let (path, place) = (entry.path(), below.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(&path, &place, files)?;
        } else if kind.is_file() {
            let mode = entry.metadata()?.permissions().mode() & 0o7777;
            files.insert(place, Found { mode, bytes: fs::read(&path)? });
        }
    }
    Ok(())
}
