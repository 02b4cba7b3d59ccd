//! Files in memory without reading them: of an index of a megabyte a lookup touches a few pages.

use std::{fs::File, io, path::Path, ptr};

use rustix::mm::{MapFlags, ProtFlags, mmap};

/// A file's bytes, for as long as the program runs: the tools look at a handful of files and end.
///
/// # Errors
/// As for reading it.
pub fn map(path: &Path) -> io::Result<&'static [u8]> {
    let file = File::open(path)?;
    let len = usize::try_from(file.metadata()?.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
    if len == 0 {
        return Ok(&[]);
    }
    // SAFETY: a new mapping at a place of the kernel's choice takes nothing from anyone.
    let start = unsafe { mmap(ptr::null_mut(), len, ProtFlags::READ, MapFlags::PRIVATE, &file, 0)? };
    // SAFETY: `len` bytes are mapped there, readable, and stay. They do not change: whoever writes an index writes
    // another file and renames it over the old one, which lives on here.
    Ok(unsafe { std::slice::from_raw_parts(start.cast(), len) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_mapped_whole() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        for bytes in [&b""[..], b"some bytes"] {
            std::fs::write(&file, bytes).unwrap();
            assert_eq!(map(&file).unwrap(), bytes);
        }
        assert_eq!(map(&root.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
