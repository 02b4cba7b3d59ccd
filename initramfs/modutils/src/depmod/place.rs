//! Where a module's file lies, and the name it stands for.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _, path::Path};

use modfile::alias::module_name;

/// A module's file. Its path need not be UTF-8; messages then show U+FFFD in places.
#[derive(Clone, Debug)]
pub(super) struct Place {
    full: Vec<u8>,
    /// Where the part begins that indexes show.
    listed: usize,
    pub(super) name: String,
}

impl Place {
    /// A file at an absolute path. Indexes list it relative to the module directory where it lies below that.
    pub(super) fn new(directory: &Path, full: &[u8]) -> Self {
        let rest = full.strip_prefix(directory.as_os_str().as_bytes()).and_then(|rest| rest.strip_prefix(b"/"));
        let listed = full.len() - rest.unwrap_or(full).len();
        Self { full: full.to_owned(), listed, name: module_name(&String::from_utf8_lossy(full)) }
    }

    /// Where to open it.
    pub(super) fn path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.full))
    }

    /// As indexes list it: relative to the module directory, or absolute.
    pub(super) fn listed(&self) -> &[u8] {
        &self.full[self.listed..]
    }

    /// The listed path up to the first dot of the file's name.
    pub(super) fn stem(&self) -> &[u8] {
        let listed = self.listed();
        let name = listed.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        let len = listed[name..].iter().position(|byte| *byte == b'.').unwrap_or(listed.len() - name);
        &listed[..name + len]
    }
}
