//! Loads one module file.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _},
    os::fd::AsFd as _,
    path::Path,
};

use crate::{
    compress::{MAGIC_BYTES, compression},
    state::State,
    sys::{self, Refusal},
};

/// Why a file was not loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The kernel, or the file system, said no.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The file is compressed and the kernel cannot undo it. Neither can we: the guests carry plain files, and
    /// the decompressors would be most of the program.
    #[error("The file is compressed with {0}, which this kernel does not unpack; unpack it first")]
    Compressed(&'static str),
    /// Checks cannot be switched off on a kernel without `finit_module`.
    #[error("This kernel has no finit_module, which --force needs")]
    CannotForce,
}

impl From<io::Error> for LoadError {
    fn from(error: io::Error) -> Self {
        Self::Refused(error.into())
    }
}

impl LoadError {
    /// The kernel's number, if it is this error's.
    pub fn is(self, errno: i32) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.is(errno))
    }
}

/// Loads a file with its parameters. `flags` are `sys::IGNORE_*`.
pub fn load(state: &State, path: &Path, params: &str, flags: u32) -> Result<(), LoadError> {
    let mut file = File::open(path)?;
    let flags = match peek(&mut file)? {
        Some(kind) if state.compression().as_deref() == Some(kind) => flags | sys::COMPRESSED_FILE,
        Some(kind) => return Err(LoadError::Compressed(kind)),
        None => flags,
    };
    match sys::finit_module(file.as_fd(), params, flags) {
        Err(refusal) if refusal.is(libc::ENOSYS) && flags & sys::COMPRESSED_FILE == 0 => {
            if flags != 0 {
                return Err(LoadError::CannotForce);
            }
            let mut image = Vec::new();
            file.read_to_end(&mut image)?;
            Ok(sys::init_module(&image, params)?)
        }
        result => Ok(result?),
    }
}

/// The compression of a file, which is left at its start.
fn peek(file: &mut File) -> io::Result<Option<&'static str>> {
    let mut start = Vec::new();
    file.by_ref().take(MAGIC_BYTES as u64).read_to_end(&mut start)?;
    file.rewind()?;
    Ok(compression(&start))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_cannot_be_unpacked_is_not_offered_to_the_kernel() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("a.ko");
        fs::write(&file, b"\xfd7zXZ\0rest").unwrap();
        let error = load(&State::new(root.path()), &file, "", 0).unwrap_err();
        assert_eq!(error, LoadError::Compressed("xz"));
    }

    #[test]
    fn a_missing_file_is_an_errno() {
        let root = tempfile::tempdir().unwrap();
        let error = load(&State::new(root.path()), &root.path().join("a.ko"), "", 0).unwrap_err();
        assert!(error.is(libc::ENOENT), "{error:?}");
    }
}
