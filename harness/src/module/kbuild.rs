//! One run of a kernel's kbuild over many modules, and whom to blame when it fails.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    thread,
};

use duct::{Expression, cmd};

use crate::{
    error::{Context as _, Error, Result},
    kernel::buildroot::{BuildRoot, logged, tail},
    process,
};

/// What `make` is told besides where.
pub(super) const OPTIONS: &[&str] = &[
    "-k",
    "-s",
    // What is said about one file stays together, and is followed by the name of the object that cannot be made.
    "-Otarget",
    // A symbol that nothing exports is a situation like any other, hence only a warning.
    "KBUILD_MODPOST_WARN=1",
    // Type information needs pahole, is most of the file's size, and nobody looks at it.
    "CONFIG_DEBUG_INFO_BTF_MODULES=",
    "modules",
];

/// Where kbuild and its compiler are.
#[derive(Debug)]
pub(super) enum Kbuild {
    /// What [`Headers::Rooted`] has, with the compiler of a build root.
    ///
    /// [`Headers::Rooted`]: crate::kernel::Headers::Rooted
    Root {
        /// The compiler.
        root: BuildRoot,
        /// Holds `usr/src/...`.
        headers: PathBuf,
        /// `uname -r` of the kernel.
        release: String,
    },
    /// A kernel tree, with this machine's compiler.
    Tree(PathBuf),
}

impl Kbuild {
    /// Compiles every `NAME.c` of `dir` to a `NAME.ko` without debug information. Gives the names of those that do
    /// not compile, each with its first error.
    ///
    /// # Errors
    /// kbuild or strip fails and no module can be blamed.
    pub(super) fn compile(&self, dir: &Path, names: &BTreeSet<&str>) -> Result<BTreeMap<String, String>> {
        let mut good = names.clone();
        let mut failures = BTreeMap::new();
        while !good.is_empty() {
            let log = dir.join("kbuild.log");
            if self.run(dir, &good, &log)? {
                self.strip(dir, &good)?;
                break;
            }
            let log = String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()).into_owned();
            let blamed = blamed(&log, &good);
            if blamed.is_empty() {
                return Err(Error::new(format!("kbuild failed:\n{}", tail(&log, 12))));
            }
            // modpost does not start before everything has compiled, so the good ones need another run.
            good.retain(|name| !blamed.contains_key(*name));
            failures.extend(blamed);
        }
        Ok(failures)
    }

    fn run(&self, dir: &Path, names: &BTreeSet<&str>, log: &Path) -> Result<bool> {
        let list: String = names.iter().map(|name| format!("obj-m += {name}.o\n")).collect();
        fs::write(dir.join("Kbuild"), list).context(|| format!("cannot write to `{}`", dir.display()))?;
        let (source, target) = match self {
            Self::Root { release, .. } => (format!("/usr/src/linux-headers-{release}"), "/build".to_owned()),
            Self::Tree(tree) => (tree.display().to_string(), dir.display().to_string()),
        };
        let jobs = format!("-j{}", thread::available_parallelism().map_or(1, Into::into));
        let target = format!("M={target}");
        let mut command = vec!["make", "-C", &source, &target, &jobs];
        command.extend_from_slice(OPTIONS);
        Ok(process::run("make", logged(self.command(dir, &command), log))?.status.success())
    }

    fn strip(&self, dir: &Path, names: &BTreeSet<&str>) -> Result<()> {
        let files: Vec<String> = names.iter().map(|name| format!("{name}.ko")).collect();
        let command: Vec<&str> = ["strip", "-g"].into_iter().chain(files.iter().map(String::as_str)).collect();
        let output = process::run("strip", self.command(dir, &command).stderr_capture())?;
        if output.status.success() {
            return Ok(());
        }
        Err(Error::new(format!("strip failed: {}", String::from_utf8_lossy(&output.stderr).trim())))
    }

    fn command(&self, dir: &Path, command: &[&str]) -> Expression {
        match self {
            Self::Root { root, headers, .. } => root.command(headers, dir, command),
            Self::Tree(_) => cmd(command[0], &command[1..]).dir(dir).env("LC_ALL", "C"),
        }
    }
}

/// The modules that a log of `make` says cannot be made, each with its first error.
fn blamed(log: &str, names: &BTreeSet<&str>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut first: Option<&str> = None;
    for line in log.lines() {
        if line.contains("*** [") {
            // The end of one target: what was said since the last one is about it. Where no tool has called it an
            // error, a tool may be missing, which is no property of the module.
            if let (Some(name), Some(first)) = (subject(line, names), first.take()) {
                found.entry(name.to_owned()).or_insert_with(|| message(first));
            }
        } else if line.starts_with("ERROR: modpost: ") {
            if let Some(name) = subject(line, names) {
                found.entry(name.to_owned()).or_insert_with(|| message(line));
            }
        } else if line.contains("error:") {
            first.get_or_insert(line);
        }
    }
    found
}

/// The module whose object a line names.
fn subject<'a>(line: &str, names: &BTreeSet<&'a str>) -> Option<&'a str> {
    let files = line.split(|c: char| c.is_whitespace() || "[]:".contains(c)).filter_map(|word| word.rsplit('/').next());
    let mut stems = files.filter_map(|file| file.strip_suffix(".o").or_else(|| file.strip_suffix(".ko")));
    stems.find_map(|stem| names.get(stem.strip_suffix(".mod").unwrap_or(stem)).copied())
}

/// The directory is an accident of the build.
fn message(line: &str) -> String {
    line.strip_prefix("/build/").unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_put_down_to_the_object_that_follows_it() {
        let log = "/usr/src/x.h:3:1: error: expected ';'\n\
                   make[1]: *** [/usr/src/scripts/Makefile.build:255: /build/one.o] Error 1\n\
                   two.c:1:24: error: expected expression\n\
                   two.c:2:1: error: another\n\
                   make[4]: *** [/usr/src/scripts/Makefile.build:287: two.o] Error 1\n\
                   ERROR: modpost: missing MODULE_LICENSE() in /build/three.o\n\
                   make: *** [/usr/src/Makefile:2065: /build] Error 2\n";
        let blamed = blamed(log, &BTreeSet::from(["one", "two", "three", "four"]));
        let expected = [
            ("one", "/usr/src/x.h:3:1: error: expected ';'"),
            ("three", "ERROR: modpost: missing MODULE_LICENSE() in /build/three.o"),
            ("two", "two.c:1:24: error: expected expression"),
        ];
        assert_eq!(blamed, expected.map(|(name, message)| (name.to_owned(), message.to_owned())).into());
    }
}
