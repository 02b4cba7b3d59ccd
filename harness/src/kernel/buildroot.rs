//! Build roots: for each Debian suite, a directory with its compiler and the tools kbuild calls; another one for whole
//! kernels, which need more tools.
//!
//! Kernel headers are not part of it: they appear at `/headers` when a command runs, and the root's `/usr/src` is a
//! link to `/headers/usr/src`, because Debian's header packages name `/usr/src` absolutely and each other relatively.

use std::{
    fmt, fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use duct::{Expression, cmd};

use super::Store;
use crate::{
    cache::Digest,
    error::{Context as _, Error, Result},
    process,
};

/// What kbuild calls besides the compiler. `--variant=extract` adds nothing by itself, not even essential packages;
/// objtool, which comes with the headers, needs the libraries.
const PACKAGES: &[&str] =
    &["binutils", "coreutils", "dash", "findutils", "grep", "libelf-dev", "libxxhash0", "make", "mawk", "sed"];

/// What a kernel's build calls besides. bison needs m4; perl writes a table for the keys' formats.
const KERNEL_PACKAGES: &[&str] =
    &["bc", "bison", "diffutils", "flex", "gzip", "libssl-dev", "m4", "perl-base", "xz-utils"];

/// Covers what [`furnish`] does; to be counted up when that changes.
const LAYOUT: &str = "1";

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The environment of every command in a root.
const ENVIRONMENT: &[&str] = &["PATH=/usr/bin:/usr/sbin:/bin:/sbin", "LC_ALL=C"];

/// What a root is made of; known before it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    suite: String,
    compiler: String,
    /// It can build kernels, not only modules.
    kernels: bool,
}

impl Recipe {
    /// A root for modules, with the compiler's package of a suite, such as `gcc-12` of `bookworm`.
    pub fn for_modules(suite: &str, compiler: &str) -> Self {
        Self { suite: suite.to_owned(), compiler: compiler.to_owned(), kernels: false }
    }

    /// The same for kernels, and for modules of such kernels.
    pub fn for_kernels(suite: &str, compiler: &str) -> Self {
        Self { kernels: true, ..Self::for_modules(suite, compiler) }
    }

    /// Name of the root in the cache.
    pub fn key(&self) -> String {
        format!("{}-{}", self.suite, Digest::of([LAYOUT, &self.packages()]).short())
    }

    fn packages(&self) -> String {
        let more = if self.kernels { KERNEL_PACKAGES } else { &[] };
        [&[self.compiler.as_str()], PACKAGES, more].concat().join(",")
    }

    /// The root, made by mmdebstrap if the cache does not have it.
    ///
    /// # Errors
    /// mmdebstrap is missing or fails, or no way to enter the root works on this machine.
    pub fn prepare(&self, store: &Store) -> Result<BuildRoot> {
        let door = entry()?;
        let dir = store.cache.entry("buildroot", &self.key(), |place| {
            let mirrors = store.mirrors(&format!("the build root of {}", self.suite))?;
            let _spinner = store.progress.spinner(format!("compiler of {}", self.suite));
            self.bootstrap(door, mirrors.of_suite(&self.suite), store.options.allow_expired, place)?;
            let root = place.join("root");
            let made = furnish(&root).and_then(|()| match self.kernels {
                // A kernel's own makefiles know no other name.
                true => link(&root, &self.compiler, "usr/bin/gcc"),
                false => Ok(()),
            });
            made.context(|| format!("cannot furnish the build root `{}`", root.display()))
        })?;
        Ok(BuildRoot { root: dir.join("root"), door })
    }

    /// Fills `place/root`. The mode `chrootless` unpacks without being root and without subordinate user numbers, and
    /// leaves files that belong to the caller.
    fn bootstrap(&self, door: Door, mirror: &str, allow_expired: bool, place: &Path) -> Result<()> {
        let (root, log) = (place.join("root").to_string_lossy().into_owned(), place.join("mmdebstrap.log"));
        let source = format!("deb [signed-by={KEYRING}] {mirror} {} main", self.suite);
        let include = format!("--include={}", self.packages());
        let expiry = format!("--aptopt=Acquire::Check-Valid-Until \"{}\"", !allow_expired);
        let options = ["--variant=extract", "--mode=chrootless", &include, &expiry];
        let command = [&["mmdebstrap"], &options[..], &[&self.suite, &root, &source]].concat();
        let mmdebstrap = door.alone(&command).env("TMPDIR", place).env("LC_ALL", "C");
        let output = process::run("mmdebstrap", logged(mmdebstrap, &log))?;
        if output.status.success() {
            return Ok(());
        }
        let log = fs::read_to_string(&log).unwrap_or_default();
        Err(Error::new(format!("mmdebstrap cannot make the build root of {}:\n{}", self.suite, tail(&log, 12)))
            .help("it needs the packages mmdebstrap and debian-archive-keyring; `ci/setup` installs them"))
    }
}

/// A root that is there and can be entered.
#[derive(Debug)]
pub struct BuildRoot {
    root: PathBuf,
    door: Door,
}

impl BuildRoot {
    /// A command that runs in `/build`, which is `build` outside, with `headers` at `/headers`; the rest of the root
    /// is read-only or thrown away.
    pub(crate) fn command(&self, headers: &Path, build: &Path, command: &[&str]) -> Expression {
        self.door.enter(&self.root, headers, build, command)
    }
}

/// A way to run a command in a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// bubblewrap; needs user namespaces, or root.
    Bwrap,
    /// A private mount namespace; needs root.
    Chroot,
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bwrap => "bwrap",
            Self::Chroot => "chroot in a private mount namespace",
        })
    }
}

/// The first way into a root that works on this machine.
///
/// # Errors
/// None does.
pub fn entry() -> Result<Door> {
    let bwrap = cmd!("bwrap", "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true");
    let chroot = cmd!("unshare", "--mount", "--pid", "--fork", "sh", "-ec", "mount -t tmpfs none /tmp; chroot / true");
    let mut refusals = Vec::new();
    for (door, probe) in [(Door::Bwrap, bwrap), (Door::Chroot, chroot)] {
        match process::run(&format!("the probe of {door}"), probe.stdout_null().stderr_capture()) {
            Ok(output) if output.status.success() => return Ok(door),
            Ok(output) => refusals.push(format!("{door}: {}", String::from_utf8_lossy(&output.stderr).trim())),
            Err(error) => refusals.push(error.chain()),
        }
    }
    Err(Error::new(format!("no way to run a compiler in a build root works here ({})", refusals.join("; ")))
        .help("install the package bubblewrap and allow user namespaces, or run as root"))
}

impl Door {
    /// A command outside any root, in a process namespace of its own: whatever it starts ends with us.
    fn alone(self, command: &[&str]) -> Expression {
        let prefix: &[&str] = match self {
            Self::Bwrap => &[
                &["bwrap", "--die-with-parent", "--unshare-pid", "--cap-add", "ALL"][..],
                &["--dev-bind", "/", "/", "--proc", "/proc"],
            ]
            .concat(),
            Self::Chroot => &["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"],
        };
        let line = [prefix, command].concat();
        cmd(line[0], &line[1..])
    }

    fn enter(self, root: &Path, headers: &Path, build: &Path, command: &[&str]) -> Expression {
        let [root, headers, build] = [root, headers, build].map(|path| path.to_string_lossy().into_owned());
        let mut line: Vec<&str> = match self {
            Self::Bwrap => [
                &["bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", &root, "/", "--proc", "/proc"][..],
                &["--dev", "/dev", "--tmpfs", "/tmp", "--ro-bind", &headers, "/headers", "--bind", &build, "/build"],
            ]
            .concat(),
            Self::Chroot => [
                &["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", CHROOT, "chroot"][..],
                &[&root, &headers, &build],
            ]
            .concat(),
        };
        line.extend(["/usr/bin/env", "-i", "-C", "/build"]);
        line.extend(ENVIRONMENT.iter().chain(command));
        cmd(line[0], &line[1..])
    }
}

/// Arguments: root, headers, build, command. The mounts are seen, and live, in this process alone.
const CHROOT: &str = r#"
root=$1 headers=$2 build=$3; shift 3
mount --bind "$root" "$root"
mount --bind -o ro "$headers" "$root/headers"
mount --bind "$build" "$root/build"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
mount -o remount,bind,ro "$root"
exec chroot "$root" "$@"
"#;

/// Adds what package scripts would have made, and the places where directories from outside appear.
fn furnish(root: &Path) -> io::Result<()> {
    for mount_point in ["headers", "build", "proc", "dev", "tmp"] {
        fs::create_dir_all(root.join(mount_point))?;
    }
    for top in ["bin", "sbin", "lib", "lib64"] {
        link(root, &format!("usr/{top}"), top)?;
    }
    link(root, "dash", "bin/sh")?;
    link(root, "mawk", "usr/bin/awk")?;
    link(root, "/headers/usr/src", "usr/src")
}

/// Makes a link unless the packages have brought something of that name.
fn link(root: &Path, to: &str, name: &str) -> io::Result<()> {
    match symlink(to, root.join(name)) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

/// Both outputs of a command go to a file.
pub(crate) fn logged(command: Expression, log: &Path) -> Expression {
    command.stderr_to_stdout().stdout_path(log)
}

/// The last lines of a text.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
