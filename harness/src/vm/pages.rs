//! A guest's memory as a file: page by page, without the zeros, and packed for machines that are seldom used.

use std::{
    fs::File,
    io::{self, BufReader, ErrorKind, Read as _, Write as _},
    os::{fd::AsRawFd as _, unix::fs::FileExt as _},
    path::Path,
};

use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};

pub(super) const PAGE: usize = 4096;

pub(super) fn is_zero(page: &[u8]) -> bool {
    // One call of memcmp, also in a debug build.
    page == &[0; PAGE][..page.len()]
}

/// Calls `visit` with offset and content of each page that takes space on disk, and some that do not; the last one may
/// be shorter.
pub(super) fn for_pages(file: &File, mut visit: impl FnMut(u64, &[u8])) -> io::Result<()> {
    let mut chunk = vec![0; 256 * PAGE];
    let mut at = 0;
    while let Some(start) = next_data(file, at)? {
        at = start - start % PAGE as u64;
        let count = file.read_at(&mut chunk, at)?;
        if count == 0 {
            break;
        }
        // A short read ends within a page only at the end of the file.
        let whole = if count < chunk.len() { count } else { count - count % PAGE };
        for page in chunk[..whole].chunks(PAGE) {
            visit(at, page);
            at += page.len() as u64;
        }
    }
    Ok(())
}

/// Where the next byte lies that is not in a hole.
fn next_data(file: &File, at: u64) -> io::Result<Option<u64>> {
    // SAFETY: lseek takes numbers.
    match unsafe { libc::lseek(file.as_raw_fd(), at as libc::off_t, libc::SEEK_DATA) } {
        -1 => match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::ENXIO) => Ok(None),
            error => Err(error),
        },
        offset => Ok(Some(offset as u64)),
    }
}

/// Makes a hole of a page; where the file system has none, the page stays.
pub(super) fn punch(file: &File, at: u64) {
    let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    // SAFETY: fallocate takes numbers.
    unsafe { libc::fallocate(file.as_raw_fd(), mode, at as libc::off_t, PAGE as libc::off_t) };
}

/// Packs the pages of a memory that are not all zero: of each its offset, 8 bytes little-endian, and its content; all
/// of it compressed, which leaves about a fourth. lz4 would be unpacked three times faster, but leave half as much again,
/// and that is too much for a kernel with four machines.
pub(super) fn pack(memory: &Path, packed: &Path) -> io::Result<()> {
    let mut to = DeflateEncoder::new(File::create(packed)?, Compression::fast());
    let mut result = Ok(());
    for_pages(&File::open(memory)?, |at, page| {
        if result.is_ok() && !is_zero(page) {
            result = to.write_all(&at.to_le_bytes()).and_then(|()| to.write_all(page));
        }
    })?;
    result?;
    to.finish()?.flush()
}

/// Makes a memory of this size of what was packed.
pub(super) fn unpack(packed: &Path, memory: &Path, bytes: u64) -> io::Result<()> {
    let mut from = DeflateDecoder::new(BufReader::new(File::open(packed)?));
    let to = File::create(memory)?;
    to.set_len(bytes)?;
    let (mut at, mut page) = ([0; 8], [0; PAGE]);
    loop {
        match from.read_exact(&mut at) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            result => result?,
        }
        from.read_exact(&mut page)?;
        to.write_all_at(&page, u64::from_le_bytes(at))?;
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::MetadataExt as _};

    use super::*;

    #[test]
    fn a_packed_memory_comes_back_with_its_holes() {
        let dir = tempfile::tempdir().unwrap();
        let [memory, packed, again] = ["memory", "packed", "again"].map(|name| dir.path().join(name));
        let file = File::create(&memory).unwrap();
        file.set_len(64 * PAGE as u64).unwrap();
        for page in [0, 1, 7, 63] {
            file.write_all_at(&[page as u8 + 1; PAGE], page * PAGE as u64).unwrap();
        }
        pack(&memory, &packed).unwrap();
        assert!(fs::metadata(&packed).unwrap().len() < 1000);
        unpack(&packed, &again, 64 * PAGE as u64).unwrap();
        assert_eq!(fs::read(&memory).unwrap(), fs::read(&again).unwrap());
        assert_eq!(fs::metadata(&again).unwrap().blocks() * 512, 4 * PAGE as u64);
    }
}
