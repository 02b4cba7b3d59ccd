//! Debian packages, unpacked.

use std::{
    fs::{self, File},
    io::{self, BufReader},
    path::{Path, PathBuf},
    thread,
};

use debfile::deb::{Entry, inside, visit};

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
    let is_package = visit(BufReader::new(file), |path, entry| match wanted(path) {
        Some(place) => place_file(entry, &target.join(place), |original| Some(target.join(wanted(original)?))),
        None => Ok(()),
    });
    if is_package.context(failed)? {
        return Ok(());
    }
    Err(Error::new(format!("`{}` is no Debian package: it has no data.tar", deb.display())))
}

/// Writes a file; a hard link only if `place_of` says where its original is.
pub(super) fn place_file(
    entry: &mut Entry<'_, '_>,
    place: &Path,
    place_of: impl Fn(&Path) -> Option<PathBuf>,
) -> io::Result<()> {
    if entry.header().entry_type().is_hard_link() {
        let original = entry.link_name()?.and_then(|original| place_of(&inside(&original)));
        return original.map_or(Ok(()), |original| fs::hard_link(original, place));
    }
    if let Some(parent) = place.parent() {
        fs::create_dir_all(parent)?;
    }
    entry.unpack(place)?;
    Ok(())
}

#[cfg(test)]
mod tests {
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
