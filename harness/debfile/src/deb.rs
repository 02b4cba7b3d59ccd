//! Packages: an `ar` archive with a compressed `tar` in it.

use std::{
    io::{self, BufReader, Read},
    path::{Component, Path, PathBuf},
};

/// A file in a package, ready to be read or unpacked.
pub type Entry<'a, 'package> = tar::Entry<'a, BufReader<Box<dyn Read + 'package>>>;

/// Calls `visit` for each file of a package, with its path without a leading `./` or anything that leads upwards.
/// False if the archive has no `data.tar`, and so is no package.
///
/// # Errors
/// The package is damaged, or `visit` failed.
pub fn visit(package: impl Read, visit: impl FnMut(&Path, &mut Entry<'_, '_>) -> io::Result<()>) -> io::Result<bool> {
    let mut archive = ar::Archive::new(package);
    while let Some(member) = archive.next_entry() {
        let member = member?;
        let name = String::from_utf8_lossy(member.header().identifier()).into_owned();
        let Some(packing) = name.strip_prefix("data.tar") else { continue };
        visit_tar(packing, member, visit)?;
        return Ok(true);
    }
    Ok(false)
}

/// The same for each file of a packed `tar`. How it is packed is told as the end of its name: `.xz`, or nothing.
///
/// # Errors
/// It is damaged, packed in an unknown way, or `visit` failed.
pub fn visit_tar(
    packing: &str,
    packed: impl Read,
    mut visit: impl FnMut(&Path, &mut Entry<'_, '_>) -> io::Result<()>,
) -> io::Result<()> {
    let mut data = tar::Archive::new(BufReader::with_capacity(1 << 16, decompressor(packing, packed)?));
    data.set_preserve_mtime(false);
    for entry in data.entries()? {
        let mut entry = entry?;
        let path = inside(&entry.path()?);
        visit(&path, &mut entry)?;
    }
    Ok(())
}

/// The path without its root and without steps upwards.
pub fn inside(path: &Path) -> PathBuf {
    path.components().filter(|part| matches!(part, Component::Normal(_))).collect()
}

fn decompressor<'a>(packing: &str, data: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match packing {
        "" => Box::new(data),
        ".gz" => Box::new(flate2::read::GzDecoder::new(data)),
        ".xz" => Box::new(liblzma::read::XzDecoder::new_multi_decoder(data)),
        ".zst" => Box::new(ruzstd::decoding::StreamingDecoder::new(data).map_err(io::Error::other)?),
        other => return Err(io::Error::other(format!("its data is packed as `{other}`, which modrig does not know"))),
    })
}
