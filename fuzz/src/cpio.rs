//! Target `cpio`: the bytes as an initramfs. The `cpio` crate reads and writes it; modrig only writes, and its tests
//! read what it wrote.

use std::io::{Cursor, Read as _};

use cpio::{NewcBuilder, NewcReader, write_cpio};

use crate::Seed;

/// A file's name, its mode and its contents.
type File = (String, u32, Vec<u8>);

/// Reads the archive, writes what was read and reads that.
pub fn check(data: &[u8]) {
    let files = read(data);
    let inputs = files.iter().map(|(name, mode, bytes)| (NewcBuilder::new(name).mode(*mode), Cursor::new(bytes)));
    let written = write_cpio(inputs, Vec::new()).expect("memory can be written to");
    assert_eq!(read(&written), files);
}

/// The files up to the trailer or to the first that is damaged.
fn read(mut rest: &[u8]) -> Vec<File> {
    let mut files = Vec::new();
    while let Ok(mut reader) = NewcReader::new(rest) {
        let (name, mode, size) =
            (reader.entry().name().to_owned(), reader.entry().mode(), reader.entry().file_size() as usize);
        let mut bytes = Vec::new();
        if reader.entry().is_trailer() || reader.read_to_end(&mut bytes).is_err() || bytes.len() != size {
            break;
        }
        let Ok(after) = reader.finish() else { break };
        files.push((name, mode, bytes));
        rest = after;
    }
    files
}

/// An archive of one file of each kind, and an empty one.
pub fn seeds() -> Vec<Seed> {
    let kinds: [(&str, u32, &[u8]); 3] =
        [("usr", 0o040_755, b""), ("init", 0o100_755, b"program"), ("usr/link", 0o120_777, b"/init")];
    let inputs = kinds.into_iter().map(|(name, mode, bytes)| (NewcBuilder::new(name).mode(mode), Cursor::new(bytes)));
    let made = "memory can be written to";
    let empty = write_cpio(std::iter::empty::<(NewcBuilder, Cursor<&[u8]>)>(), Vec::new());
    vec![("kinds".to_owned(), write_cpio(inputs, Vec::new()).expect(made)), ("empty".to_owned(), empty.expect(made))]
}
