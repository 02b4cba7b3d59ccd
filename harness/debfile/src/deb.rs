//! Packages: an `ar` archive with a compressed `tar` in it.

use std::{
    io::{self, BufReader, ErrorKind, Read},
    path::{Component, Path, PathBuf},
};

/// A file in a package, ready to be read or unpacked.
pub type Entry<'a, 'package> = tar::Entry<'a, BufReader<Box<dyn Read + 'package>>>;

/// Calls `visit` for each file of a package, with its path without a leading `./` or anything that leads upwards.
/// False if the archive has no `data.tar`, and so is no package.
///
/// # Errors
/// The package is damaged, or `visit` failed.
pub fn visit(
    mut package: impl Read,
    visit: impl FnMut(&Path, &mut Entry<'_, '_>) -> io::Result<()>,
) -> io::Result<bool> {
    if part(&mut package, 8)? != b"!<arch>\n" {
        return Err(io::Error::new(ErrorKind::InvalidData, "not an ar archive, as a package is"));
    }
    while let Some((name, size)) = member(&mut package)? {
        if let Some(packing) = name.strip_prefix("data.tar") {
            visit_tar(packing, package.take(size), visit)?;
            return Ok(true);
        }
        // The next one begins at an even place.
        io::copy(&mut package.by_ref().take(size.saturating_add(size % 2)), &mut io::sink())?;
    }
    Ok(false)
}

/// Name and size of an `ar` archive's next member, as deb(5) has them: none has a name of more than 15 bytes. What others write
/// for longer ones is a name like any other here. (The crate `ar` 0.9 panics at the name `/1` where there is no table of long
/// names, and takes as much memory as such a table claims to need.)
fn member(package: &mut impl Read) -> io::Result<Option<(String, u64)>> {
    let damaged = |what| io::Error::new(ErrorKind::InvalidData, what);
    let header = part(package, 60)?;
    let (Some(name), Some(size), Some(b"`\n")) = (header.get(..16), header.get(48..58), header.get(58..)) else {
        let is_over = header.is_empty();
        return if is_over { Ok(None) } else { Err(damaged("the header of a member of the ar archive is damaged")) };
    };
    let name = String::from_utf8_lossy(name);
    let name = name.trim_end_matches(' ');
    let size = str::from_utf8(size).ok().and_then(|size| size.trim_end_matches(' ').parse().ok());
    let size = size.ok_or_else(|| damaged("the size of a member of the ar archive is no number"))?;
    Ok(Some((name.strip_suffix('/').unwrap_or(name).to_owned(), size)))
}

/// The next bytes, so many if there are.
fn part(package: &mut impl Read, len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    package.take(len).read_to_end(&mut bytes)?;
    Ok(bytes)
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
