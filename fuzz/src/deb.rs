//! Target `deb`: the bytes as a Debian package.

use std::{
    io::{self, Read as _},
    path::{Component, Path},
};

use debfile::deb::{Entry, inside, visit};

use crate::Seed;

/// More than this is not read of one package.
const BYTES_MAX: u64 = 1 << 20;

/// Reads all files of the package; none of them has a path that leads out of where it is unpacked.
pub fn check(data: &[u8]) {
    let mut left = BYTES_MAX;
    let read = visit(data, |path, entry| {
        check_path(path);
        if let Some(original) = entry.link_name()? {
            check_path(&inside(&original));
        }
        read_some(entry, &mut left)
    });
    if let Err(error) = read {
        assert!(!error.to_string().is_empty());
    }
}

fn check_path(path: &Path) {
    assert!(path.components().all(|part| matches!(part, Component::Normal(_))), "{}", path.display());
}

fn read_some(entry: &mut Entry<'_, '_>, left: &mut u64) -> io::Result<()> {
    *left -= io::copy(&mut entry.take(*left), &mut io::sink())?;
    if *left == 0 { Err(io::Error::other("enough")) } else { Ok(()) }
}

/// A package in each packing.
pub fn seeds() -> Vec<Seed> {
    use std::io::Write as _;
    let tar = tar();
    let made = "memory can be written to";
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 0);
    gzip.write_all(&tar).and_then(|()| xz.write_all(&tar)).expect(made);
    let zstd = ruzstd::encoding::compress_to_vec(tar.as_slice(), ruzstd::encoding::CompressionLevel::Fastest);
    let packed = [
        ("data.tar", tar.clone()),
        ("data.tar.gz", gzip.finish().expect(made)),
        ("data.tar.xz", xz.finish().expect(made)),
        ("data.tar.zst", zstd),
        ("data.tar.lz", tar),
    ];
    let mut seeds: Vec<Seed> = packed.iter().map(|(name, data)| ((*name).to_owned(), package(name, data))).collect();
    seeds.push(("none".to_owned(), package("control.tar", b"")));
    seeds
}

fn package(name: &str, data: &[u8]) -> Vec<u8> {
    let mut package = ar::Builder::new(Vec::new());
    for (name, bytes) in [("debian-binary", &b"2.0\n"[..]), (name, data)] {
        let header = ar::Header::new(name.as_bytes().to_vec(), bytes.len() as u64);
        package.append(&header, bytes).expect("memory can be written to");
    }
    package.into_inner().expect("memory can be written to")
}

/// A directory, a file, a hard link and a symbolic one.
fn tar() -> Vec<u8> {
    use tar::EntryType;
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |kind, path: &str, link: Option<&str>, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        link.iter().try_for_each(|link| header.set_link_name(link)).expect("the name is short");
        tar.append_data(&mut header, path, bytes).expect("memory can be written to");
    };
    add(EntryType::Directory, "./boot/", None, b"");
    add(EntryType::Regular, "./boot/vmlinuz", None, b"image");
    add(EntryType::Link, "./boot/again", Some("./boot/vmlinuz"), b"");
    add(EntryType::Symlink, "./vmlinuz", Some("../boot/vmlinuz"), b"");
    tar.into_inner().expect("memory can be written to")
}
