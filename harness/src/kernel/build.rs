//! Kernels that are built here, from the source that Debian builds its own kernel of the series from.
//!
//! ```text
//! linux-source-6.12.deb ─▶ tree/ ─▶ .config ─▶ bzImage ─▶ bzImage, System.map, config, build.log
//!                       makefile    checked               usr/src/linux-headers-RELEASE: what modules need
//! ```
//! All of it happens in the unfinished cache entry, which vanishes when the build fails or is stopped.

use std::{
    fs::{self, File},
    io::{self, BufReader},
    path::{Path, PathBuf},
    thread,
    time::Instant,
};

use serde::Deserialize;

use debfile::control::Index;

use super::{
    Config, Store,
    buildroot::{BuildRoot, Recipe, logged, tail},
    catalog::Locked,
    deb,
    debian::lock,
    fragment::Fragment,
    version_of, vmlinux,
};
use crate::{
    cache::Digest,
    error::{Context as _, Error, Result},
    interrupt, process,
};

/// Counted up when what is done to the source, or kept of the build, changes.
const LAYOUT: &str = "1";

/// A line of `kernels.toml` with `build`: Debian's source, a configuration of ours.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Built {
    pub(super) suite: String,
    build: Variant,
    compiler: String,
}

/// The configurations that kernels are built with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Variant {
    /// KASAN, UBSAN and KCOV.
    Kasan,
}

impl Variant {
    /// What the release ends with.
    fn name(self) -> &'static str {
        match self {
            Self::Kasan => "kasan",
        }
    }

    fn fragment(self) -> &'static str {
        match self {
            Self::Kasan => include_str!("../../kernels/kasan.config"),
        }
    }

    /// What the fragment says for a release.
    fn settings(self, release: &str) -> Result<Fragment<'static>> {
        Fragment::read(self.fragment(), version_of(release)).context(|| format!("{} makes no sense", self.file()))
    }

    fn file(self) -> String {
        format!("harness/kernels/{}.config", self.name())
    }
}

/// Where the source's tarball lies until it is unpacked.
const TARBALL: &str = "source.tar.xz";

/// What makes two builds of one source the same.
const FIXED: &[&str] = &[
    "KBUILD_BUILD_TIMESTAMP=1970-01-01",
    "KBUILD_BUILD_USER=modrig",
    "KBUILD_BUILD_HOST=modrig",
    "KBUILD_BUILD_VERSION=1",
];

/// What kbuild needs to build modules outside the tree.
const FOR_MODULES: &[&str] = &[
    ".config",
    "Kbuild",
    "Makefile",
    "Module.symvers",
    "arch/x86/Makefile",
    "arch/x86/include",
    "include",
    "scripts",
    "tools/objtool/objtool",
];

impl Built {
    /// The build root that it is built in, as are its modules.
    pub(super) fn recipe(&self) -> Recipe {
        let suite = self.suite.split('-').next().unwrap_or_default();
        Recipe::for_kernels(suite, &self.compiler)
    }

    /// Covers the source, the configuration and the compiler.
    pub(super) fn key(&self, locked: &Locked) -> String {
        // What makes no sense has no key that anything could be stored under.
        let settings = self.build.settings(&locked.release).map_or_else(|error| error.chain(), |it| it.text());
        let parts = [LAYOUT, &locked.release, &self.recipe().key(), &settings];
        Digest::of(parts.into_iter().chain(locked.digests())).to_string()
    }

    /// The newest source of a series.
    pub(super) fn newest(&self, name: &str, packages: &Index) -> Result<Locked> {
        let (major, minor) = version_of(name);
        let package = format!("linux-source-{major}.{minor}");
        let found = packages.get(&package).and_then(|stanza| stanza.get("version")).and_then(|version| {
            let release = format!("{}-{}", upstream(&version)?, self.build.name());
            lock(packages, std::slice::from_ref(&package), &release, &version)
        });
        found.ok_or_else(|| Error::new(format!("{} has no source of kernel {name}: no {package}", self.suite)))
    }

    /// Of the package only the tarball is kept, until it is unpacked.
    pub(super) fn place_of(path: &Path) -> Option<PathBuf> {
        let name = path.file_name()?.to_str()?;
        (path.starts_with("usr/src") && name.ends_with(".tar.xz")).then(|| TARBALL.into())
    }

    /// Makes a kernel of the tarball in a directory.
    ///
    /// # Errors
    /// The source is not as it should be, Kconfig has dropped an option, it does not compile, or the user stopped it.
    pub(super) fn finish(&self, store: &Store, locked: &Locked, place: &Path) -> Result<()> {
        let release = &locked.release;
        let settings = self.build.settings(release)?;
        let tree = place.join("tree");
        store.progress.say(format!("{release}: to build it takes two processors 5 to 10 minutes"));
        unpack(store, release, &place.join(TARBALL), &tree)?;
        cover_loader(release, &tree)?;
        let root = self.recipe().prepare(store)?;
        let make = Make { root, tree: &tree, log: place.join("build.log") };
        make.configure(&settings).context(|| format!("{release} cannot be configured by {}", self.build.file()))?;
        make.compile(store, release)?;
        collect(release, &tree, place)
    }
}

/// `7.2.12` of `7.2.12-1~bpo13+1`. The first release of a series has no third number in its version.
fn upstream(version: &str) -> Option<String> {
    let (upstream, _) = version.rsplit_once('-')?;
    Some(if upstream.matches('.').count() < 2 { format!("{upstream}.0") } else { upstream.to_owned() })
}

/// Unpacks what a build for x86 reads: half of the source.
fn unpack(store: &Store, release: &str, tarball: &Path, tree: &Path) -> Result<()> {
    let _spinner = store.progress.spinner(format!("{release}: unpack"));
    let failed = || format!("cannot unpack the source of {release}");
    let file = File::open(tarball).context(failed)?;
    let place_of = |path: &Path| {
        // The first part is the name of the whole.
        let inner: PathBuf = path.iter().skip(1).collect();
        is_read(&inner).then(|| tree.join(inner))
    };
    let unpacked = debfile::deb::visit_tar(".xz", BufReader::new(file), |path, entry| {
        if interrupt::asked() {
            return Err(io::Error::other("interrupted"));
        }
        place_of(path).map_or(Ok(()), |place| deb::place_file(entry, &place, place_of))
    });
    interrupt::check()?;
    unpacked.context(failed)?;
    fs::remove_file(tarball).context(failed)
}

/// Whether a build for x86 reads a file of the source. Of drivers that are never built it reads the makefiles.
fn is_read(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if ["Kconfig", "Kbuild", "Makefile"].iter().any(|kind| name.starts_with(kind)) {
        return true;
    }
    let other_processor = path.starts_with("arch") && path.iter().count() > 2 && !path.starts_with("arch/x86");
    !other_processor && !["Documentation", "drivers/gpu", "sound"].iter().any(|unread| path.starts_with(unread))
}

/// The loader's makefile keeps the loader's main file out of the coverage, because slub's debugging calls a function of
/// it that is of no interest. For whom the loader is the subject, it is all that is of interest.
fn cover_loader(release: &str, tree: &Path) -> Result<()> {
    // The loader was one file beside the others until 5.18.
    let own = "kernel/module/Makefile";
    let name = if tree.join(own).exists() { own } else { "kernel/Makefile" };
    let text = fs::read_to_string(tree.join(name)).context(|| format!("the source of {release} has no `{name}`"))?;
    let mended = without_exception(&text).ok_or_else(|| {
        Error::new(format!("`{name}` of {release} has no line that leaves the loader out"))
            .help("how is the loader kept out of the coverage now? mend cover_loader in kernel/build.rs")
    })?;
    fs::write(tree.join(name), mended).context(|| format!("cannot write `{name}` of {release}"))
}

/// The makefile without `KCOV_INSTRUMENT_main.o := n`, which is about `module.o` in 5.10; `None` if it has no such line.
fn without_exception(makefile: &str) -> Option<String> {
    let is_exception = |line: &&str| {
        let mut words = line.split_whitespace();
        let object = words.next().and_then(|word| word.strip_prefix("KCOV_INSTRUMENT_"));
        matches!(object, Some("main.o" | "module.o")) && words.eq([":=", "n"])
    };
    let (exceptions, rest): (Vec<&str>, Vec<&str>) = makefile.split_inclusive('\n').partition(is_exception);
    (!exceptions.is_empty()).then(|| rest.concat())
}

/// `make` in the tree, in its build root.
struct Make<'a> {
    root: BuildRoot,
    tree: &'a Path,
    log: PathBuf,
}

impl Make<'_> {
    fn run(&self, words: &[&str], meanwhile: impl FnMut()) -> Result<bool> {
        let command = [&["make"], FIXED, words].concat();
        let make = logged(self.root.command(self.tree, self.tree, &command), &self.log);
        Ok(process::run_beside("make", make, meanwhile)?.status.success())
    }

    /// Everything off but what the fragment says and what that selects.
    fn configure(&self, settings: &Fragment<'_>) -> Result<()> {
        let place = self.tree.join("fragment.config");
        fs::write(&place, settings.text()).context(|| format!("cannot write `{}`", place.display()))?;
        if !self.run(&["KCONFIG_ALLCONFIG=fragment.config", "allnoconfig"], || ())? {
            return Err(Error::new(complaints(&self.said())));
        }
        let config = self.tree.join(".config");
        let text = fs::read_to_string(&config).context(|| format!("cannot read `{}`", config.display()))?;
        settings.check(&Config::new(text)).map_err(|error| {
            error.help("what it depends on is not set, or it has another name in this series: `# since`, `# until`")
        })
    }

    fn compile(&self, store: &Store, release: &str) -> Result<()> {
        let spinner = store.progress.spinner(format!("{release}: compile"));
        let jobs = format!("-j{}", thread::available_parallelism().map_or(1, Into::into));
        let show = || spinner.set_message(format!("{release}: {} files", compiled(&self.said())));
        let begun = Instant::now();
        if self.run(&[&jobs, "bzImage", "modules"], show)? {
            let seconds = begun.elapsed().as_secs();
            store.progress.say(format!("{release}: compiled in {} min {} s", seconds / 60, seconds % 60));
            return Ok(());
        }
        let error = Error::new(format!("{release} does not compile:\n{}", complaints(&self.said())));
        // The entry vanishes, and the log with it.
        let keep =
            |place: &Path| fs::copy(&self.log, place.join("build.log")).map(drop).context(|| "cannot keep the log");
        match store.cache.replace("log", release, keep) {
            Ok(kept) => Err(error.help(format!("the whole log is `{}`", kept.join("build.log").display()))),
            Err(_) => Err(error),
        }
    }

    fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

/// How many files a log of `make` names.
fn compiled(log: &str) -> usize {
    log.lines().filter(|line| ["  CC ", "  AS "].iter().any(|step| line.starts_with(step))).count()
}

/// The lines of a log that say what is wrong; the last ones where none does.
fn complaints(log: &str) -> String {
    const SIGNS: [&str; 4] = ["error:", "Error ", "undefined reference", "*** "];
    const LINES_MAX: usize = 12;
    let lines: Vec<&str> =
        log.lines().filter(|line| SIGNS.iter().any(|sign| line.contains(sign))).take(LINES_MAX).collect();
    if lines.is_empty() { tail(log, LINES_MAX) } else { lines.join("\n") }
}

/// Keeps of a built tree what is booted, what tells its addresses, and what its modules need.
fn collect(release: &str, tree: &Path, place: &Path) -> Result<()> {
    let failed = |name: &str| format!("cannot keep `{name}` of {release}");
    let built = fs::read_to_string(tree.join("include/config/kernel.release")).context(|| failed("kernel.release"))?;
    if built.trim() != release {
        return Err(Error::new(format!("the source makes {}, not {release}", built.trim())));
    }
    let image = fs::read(tree.join("arch/x86/boot/bzImage")).context(|| failed("bzImage"))?;
    let prepared = vmlinux::prepare(image).map_err(|why| Error::new(format!("{release} does not boot: {why}")))?;
    vmlinux::store(place, prepared)?;
    fs::copy(tree.join(".config"), place.join("config")).context(|| failed(".config"))?;
    fs::rename(tree.join("System.map"), place.join("System.map")).context(|| failed("System.map"))?;
    let headers = place.join(format!("usr/src/linux-headers-{release}"));
    for name in FOR_MODULES {
        let target = headers.join(name);
        let parent = target.parent().expect("it is below the place");
        fs::create_dir_all(parent).and_then(|()| fs::rename(tree.join(name), &target)).context(|| failed(name))?;
    }
    fs::remove_dir_all(tree).context(|| format!("cannot remove `{}`", tree.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "suite = \"trixie-security\"\nbuild = \"kasan\"\ncompiler = \"gcc-14\"\n";

    #[test]
    fn a_suite_without_the_source_is_named() {
        let line: Built = toml::from_str(LINE).unwrap();
        let error = line.newest("9.1-kasan", &Index::default()).unwrap_err();
        assert_eq!(error.to_string(), "trixie-security has no source of kernel 9.1-kasan: no linux-source-9.1");
    }

    #[test]
    fn the_release_follows_from_the_version_of_the_source() {
        assert_eq!(upstream("6.12.118-1").as_deref(), Some("6.12.118"));
        assert_eq!(upstream("7.2.12-1~bpo13+1").as_deref(), Some("7.2.12"));
        assert_eq!(upstream("7.3-1").as_deref(), Some("7.3.0"));
        assert_eq!(upstream("7.3"), None);
    }

    #[test]
    fn the_fragment_makes_sense_for_every_series() {
        for series in ["5.10", "6.1", "6.12", "7.2", "7.3"] {
            let settings = Variant::Kasan.settings(series).unwrap().text();
            assert!(settings.contains("CONFIG_KASAN=y\n") && settings.contains("CONFIG_LOCALVERSION=\"-kasan\"\n"));
        }
    }

    #[test]
    fn another_fragment_source_or_compiler_is_another_kernel() {
        let line = |text: &str| -> Built { toml::from_str(text).unwrap() };
        let (built, other) = (line(LINE), line(&LINE.replace("gcc-14", "gcc-13")));
        let locked = |release: &str| Locked { release: release.into(), version: String::new(), packages: Vec::new() };
        let key = built.key(&locked("6.12.1-kasan"));
        assert_eq!(key, built.key(&locked("6.12.1-kasan")));
        assert_ne!(key, built.key(&locked("6.12.2-kasan")));
        assert_ne!(key, other.key(&locked("6.12.1-kasan")));
    }

    #[test]
    fn only_the_loaders_exception_is_taken_away() {
        let makefile = "# produce insane amounts\nKCOV_INSTRUMENT_main.o := n\n\nobj-y += main.o\n";
        let mended = without_exception(makefile).unwrap();
        assert_eq!(mended, "# produce insane amounts\n\nobj-y += main.o\n");
        let old = "KCOV_INSTRUMENT_extable.o := n\nKCOV_INSTRUMENT_module.o := n\n";
        assert_eq!(without_exception(old).as_deref(), Some("KCOV_INSTRUMENT_extable.o := n\n"));
        assert_eq!(without_exception(&mended), None);
        assert_eq!(without_exception("KCOV_INSTRUMENT_main.o := y\n"), None);
    }

    #[test]
    fn what_a_build_for_x86_does_not_read_is_not_unpacked() {
        let is_read = |path: &str| is_read(Path::new(path));
        for path in ["Makefile", "arch/Kconfig", "arch/x86/kernel/module.c", "drivers/gpu/drm/Kconfig", "lib/string.c"]
        {
            assert!(is_read(path), "{path}");
        }
        for path in ["arch/arm64/kernel/module.c", "drivers/gpu/drm/drm_file.c", "Documentation/index.rst"] {
            assert!(!is_read(path), "{path}");
        }
    }

    #[test]
    fn of_a_log_the_lines_that_complain_are_shown() {
        let log = "  CC      init/main.o\ninit/main.c:1:1: error: no\n  CC      a.o\n  AS      b.o\n\
                   make[2]: *** [scripts/Makefile.build:1: init/main.o] Error 1\n";
        assert_eq!(compiled(log), 3);
        let shown = complaints(log);
        assert_eq!(shown.lines().count(), 2);
        assert!(shown.starts_with("init/main.c:1:1: error: no\nmake[2]: *** "), "{shown}");
        assert_eq!(complaints("one\ntwo\n"), "one\ntwo");
    }
}
