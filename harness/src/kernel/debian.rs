//! The kernels that Debian ships: which packages they mean, and what is kept of those.

use std::{
    borrow::Cow,
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use debfile::control::{Index, Stanza, compare_versions};

use super::{
    buildroot::Recipe,
    catalog::{Locked, Package},
    stock, version_of, vmlinux,
};
use crate::{
    cache::Digest,
    error::{Context as _, Error, Result},
};

/// Counted up when what is kept of a kernel changes.
const LAYOUT: &str = "1";

/// A line of `kernels.toml` with `flavour`: a package of Debian's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shipped {
    pub(super) suite: String,
    flavour: String,
    compiler: String,
    /// The kernel whose scenarios it runs when they need drivers which that one lacks.
    #[serde(default)]
    pub(super) drivers_for: Option<String>,
}

impl Shipped {
    /// The build root of its modules, with the compiler of the part before the dash: `bookworm` of
    /// `bookworm-security`.
    pub(super) fn recipe(&self) -> Recipe {
        Recipe::for_modules(self.suite.split('-').next().unwrap_or_default(), &self.compiler)
    }

    /// Covers the packages and what is kept of them.
    pub(super) fn key(&self, locked: &Locked) -> String {
        let kept = self.drivers_for.iter().flat_map(|_| stock::KEPT.iter().copied());
        let parts = [LAYOUT, &locked.release, &self.compiler].into_iter().chain(locked.digests()).chain(kept);
        Digest::of(parts).to_string()
    }

    /// The newest release of a series.
    pub(super) fn newest(&self, name: &str, packages: &Index) -> Result<Locked> {
        newest(packages, name, &self.flavour, self.drivers_for.is_some()).ok_or_else(|| {
            Error::new(format!("{} has no kernel {name} of flavour {} with headers", self.suite, self.flavour))
        })
    }

    /// Where a file of a package goes, if it is kept.
    pub(super) fn place_of(&self, path: &Path) -> Option<PathBuf> {
        place_of(path).or_else(|| self.drivers_for.as_ref().and_then(|_| stock::place_of(path)))
    }

    /// Takes the kernel out of its bzImage.
    pub(super) fn finish(place: &Path) -> Result<()> {
        let packed = place.join("vmlinuz");
        let bytes = fs::read(&packed).context(|| "the packages have no kernel image")?;
        let prepared = vmlinux::prepare(bytes);
        vmlinux::store(place, prepared.map_err(|why| Error::new(format!("the package's kernel is damaged: {why}")))?)?;
        fs::remove_file(&packed).context(|| format!("cannot remove `{}`", packed.display()))
    }
}

/// The newest release of a series and flavour that has headers, with the packages it needs.
fn newest(packages: &Index, series: &str, flavour: &str, with_modules: bool) -> Option<Locked> {
    let headers_of = |release: &str| packages.get(&format!("linux-headers-{release}"));
    let (release, version) = newest_release(packages, series, flavour, |release| headers_of(release).is_some())?;
    let mut names = image_packages(packages, release, "binary");
    names.push(format!("linux-headers-{release}"));
    // Where the image package has everything, it has the modules too.
    let modules = format!("linux-modules-{release}");
    names.extend(Some(modules).filter(|name| with_modules && packages.get(name).is_some()));
    names.extend(
        depends(headers_of(release)?).filter(|name| name.starts_with("linux-kbuild-") || name.ends_with("-common")),
    );
    lock(packages, &names, release, &version)
}

/// Release and version of the newest kernel of a series and flavour that is `whole`.
pub(crate) fn newest_release<'a>(
    packages: &'a Index,
    series: &str,
    flavour: &str,
    whole: impl Fn(&str) -> bool,
) -> Option<(&'a str, Cow<'a, str>)> {
    packages
        .iter()
        .filter_map(|(name, stanza)| {
            let release = name.strip_prefix("linux-image-")?;
            let fits = flavour_of(release) == flavour && version_of(release) == version_of(series);
            (fits && whole(release)).then_some((release, stanza.get("version")?))
        })
        .max_by(|(_, a), (_, b)| compare_versions(a, b))
}

/// `cloud-amd64` of `6.1.0-56-cloud-amd64`: what follows the numbers.
fn flavour_of(release: &str) -> &str {
    let letter =
        release.match_indices('-').find(|(at, _)| !release[at + 1..].starts_with(|c: char| c.is_ascii_digit()));
    letter.map_or("", |(at, _)| &release[at + 1..])
}

/// The packages with a release's files. Up to 6.18 the image package has everything; later ones are split into
/// `binary`, `modules` and `base`, and the image package is empty.
pub(crate) fn image_packages(packages: &Index, release: &str, part: &str) -> Vec<String> {
    let names = [part, "base"].map(|part| format!("linux-{part}-{release}"));
    match names.iter().all(|name| packages.get(name).is_some()) {
        true => names.into(),
        false => vec![format!("linux-image-{release}")],
    }
}

fn depends(stanza: Stanza<'_>) -> impl Iterator<Item = String> {
    let text = stanza.get("depends").unwrap_or_default();
    let names: Vec<String> =
        text.split(',').filter_map(|choice| choice.split_whitespace().next()).map(str::to_owned).collect();
    names.into_iter()
}

/// Locks packages; `None` when the index lacks one.
pub(crate) fn lock(packages: &Index, names: &[String], release: &str, version: &str) -> Option<Locked> {
    let packages = names.iter().map(|name| package_of(packages.get(name)?)).collect::<Option<_>>()?;
    Some(Locked { release: release.to_owned(), version: version.to_owned(), packages })
}

fn package_of(stanza: Stanza<'_>) -> Option<Package> {
    Some(Package {
        path: stanza.get("filename")?.into_owned(),
        size: stanza.get("size")?.parse().ok()?,
        sha256: Digest::from_hex(&stanza.get("sha256")?)?,
    })
}

/// Where a file of a package goes: the kernel and its configuration to the top, headers where the build expects them.
fn place_of(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let in_modules = path.starts_with("usr/lib/modules") && path.components().count() == 5;
    let in_boot = path.parent() == Some(Path::new("boot"));
    match name {
        _ if in_boot && name.starts_with("vmlinuz-") || in_modules && name == "vmlinuz" => Some("vmlinuz".into()),
        _ if in_boot && name.starts_with("config-") || in_modules && name == "config" => Some("config".into()),
        _ if path.starts_with("usr/src") => Some(path.to_owned()),
        _ if path
            .components()
            .nth(2)
            .is_some_and(|part| part.as_os_str().to_string_lossy().starts_with("linux-kbuild-")) =>
        {
            Some(path.to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_go_where_they_are_looked_for() {
        let place = |path: &str| place_of(Path::new(path)).map(|place| place.display().to_string());
        assert_eq!(place("boot/vmlinuz-6.1.0-x").as_deref(), Some("vmlinuz"));
        assert_eq!(place("usr/lib/modules/7.3.4/vmlinuz").as_deref(), Some("vmlinuz"));
        assert_eq!(place("usr/lib/modules/7.3.4/config").as_deref(), Some("config"));
        assert_eq!(place("usr/lib/modules/7.3.4/kernel/fs/config"), None);
        assert_eq!(
            place("usr/lib/linux-kbuild-6.1/scripts/basic/fixdep").as_deref(),
            Some("usr/lib/linux-kbuild-6.1/scripts/basic/fixdep")
        );
        assert_eq!(place("usr/src/linux-headers-6.1/Makefile").as_deref(), Some("usr/src/linux-headers-6.1/Makefile"));
        assert_eq!(place("usr/share/doc/x"), None);
    }

    #[test]
    fn a_flavour_is_what_follows_the_numbers() {
        for (release, flavour) in [
            ("6.1.0-56-cloud-amd64", "cloud-amd64"),
            ("6.12.118+deb13-amd64", "amd64"),
            ("6.12.118+deb13-rt-amd64", "rt-amd64"),
            ("9.1", ""),
        ] {
            assert_eq!(flavour_of(release), flavour, "{release}");
        }
    }
}
