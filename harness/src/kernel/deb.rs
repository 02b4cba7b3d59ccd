//! Debian packages: an `ar` archive with a compressed `tar` in it.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::{Component, Path, PathBuf},
    thread,
};

use crate::error::{Context as _, Error, Result};

/// Unpacks several packages at once, each as [`unpack`] does. They must share no file.
///
/// # Errors
/// Of the first package that fails.
pub(super) fn unpack_all(
    debs: &[PathBuf],
    target: &Path,
    wanted: impl Fn(&Path) -> Option<PathBuf> + Sync,
) -> Result<()> {
    let wanted = &wanted;
    thread::scope(|scope| {
        let all: Vec<_> = debs.iter().map(|deb| scope.spawn(move || unpack(deb, target, wanted))).collect();
        all.into_iter().try_for_each(|one| one.join().expect("unpacking gives its errors back"))
    })
}

/// Unpacks the files that `wanted` names a place for, below `target`. Paths are given without a leading `./`.
///
/// # Errors
/// The package is damaged, or the files cannot be written.
pub(super) fn unpack(deb: &Path, target: &Path, wanted: impl Fn(&Path) -> Option<PathBuf>) -> Result<()> {
    let failed = || format!("cannot unpack `{}`", deb.display());
    let file = File::open(deb).context(failed)?;
    let mut archive = ar::Archive::new(BufReader::new(file));
    while let Some(member) = archive.next_entry() {
        let member = member.context(failed)?;
        let name = String::from_utf8_lossy(member.header().identifier()).into_owned();
        if let Some(packing) = name.strip_prefix("data.tar") {
            let data = decompressor(packing, member).context(failed)?;
            return unpack_tar(data, target, wanted).context(failed);
        }
    }
    Err(Error::new(format!("`{}` is no Debian package: it has no data.tar", deb.display())))
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

fn unpack_tar(data: impl Read, target: &Path, wanted: impl Fn(&Path) -> Option<PathBuf>) -> io::Result<()> {
    let mut archive = tar::Archive::new(BufReader::with_capacity(1 << 16, data));
    archive.set_preserve_mtime(false);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?;
        let clean: PathBuf = path.components().filter(|part| matches!(part, Component::Normal(_))).collect();
        let Some(place) = wanted(&clean) else { continue };
        if entry.header().entry_type().is_hard_link() {
            let Some(original) = entry.link_name()? else { continue };
            let original: PathBuf = original.components().filter(|part| matches!(part, Component::Normal(_))).collect();
            if let Some(original) = wanted(&original) {
                std::fs::hard_link(target.join(original), target.join(place))?;
            }
            continue;
        }
        let place = target.join(place);
        if let Some(parent) = place.parent() {
            std::fs::create_dir_all(parent)?;
        }
        entry.unpack(place)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn package(files: &[(&str, &str)]) -> Vec<u8> {
        let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        for (name, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, text.as_bytes()).unwrap();
        }
        let data = tar.into_inner().unwrap().finish().unwrap();
        let mut deb = ar::Builder::new(Vec::new());
        deb.append(&ar::Header::new(b"debian-binary".to_vec(), 4), &b"2.0\n"[..]).unwrap();
        deb.append(&ar::Header::new(b"data.tar.gz".to_vec(), data.len() as u64), &data[..]).unwrap();
        deb.into_inner().unwrap()
    }

    #[test]
    fn only_wanted_files_are_unpacked_to_the_places_named() {
        let directory = tempfile::tempdir().unwrap();
        let deb = directory.path().join("x.deb");
        fs::write(&deb, package(&[("boot/vmlinuz-1", "image"), ("usr/share/doc/x", "text")])).unwrap();
        let target = directory.path().join("out");
        unpack(&deb, &target, |path| path.starts_with("boot").then(|| "vmlinuz".into())).unwrap();
        assert_eq!(fs::read_to_string(target.join("vmlinuz")).unwrap(), "image");
        assert_eq!(fs::read_dir(&target).unwrap().count(), 1);
    }

    #[test]
    fn a_truncated_package_is_an_error_that_names_it() {
        let directory = tempfile::tempdir().unwrap();
        let deb = directory.path().join("x.deb");
        let whole = package(&[("boot/vmlinuz-1", "image")]);
        fs::write(&deb, &whole[..whole.len() - 20]).unwrap();
        let error = unpack(&deb, directory.path(), |path| Some(path.to_owned())).unwrap_err();
        assert!(error.to_string().contains("x.deb"), "{error}");
    }
}
