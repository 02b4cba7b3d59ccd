//! The configuration of `depmod.d`: which of two files with one module name is taken, and what is searched.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    ffi::OsString,
    fs, io,
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
};

use modfile::depmod_d::{Directive, parse};

use super::{cause, place::Place, regex};
use crate::log::{Log, Priority};

/// Where files are looked for. A name found in one directory hides those of the same name in later ones.
pub(super) const DIRECTORIES: [&str; 5] =
    ["/etc/depmod.d", "/run/depmod.d", "/usr/local/lib/depmod.d", "/usr/lib/depmod.d", "/lib/depmod.d"];

/// What the files say, for one kernel.
#[derive(Default)]
pub(super) struct Config {
    /// Weakest first.
    searches: Vec<Search>,
    /// The path of a module's file up to the first dot of its name; the last one given comes first.
    overrides: Vec<Vec<u8>>,
    /// Absolute; the last one given comes first.
    pub(super) externals: Vec<Vec<u8>>,
    excludes: Vec<Vec<u8>>,
}

enum Search {
    /// All that no other search is for.
    BuiltIn,
    /// All external directories.
    External,
    Directory(Vec<u8>),
}

impl Config {
    /// What holds without any file.
    pub(super) fn preset() -> Self {
        Self { searches: vec![Search::Directory(b"updates".to_vec())], ..Self::default() }
    }

    /// Reads the files at `paths`, each a file or a directory of `*.conf`. What does not exist is empty.
    pub(super) fn read<P: AsRef<Path>>(log: &Log, paths: &[P], release: &str) -> Self {
        let (mut config, mut files) = (Self::default(), BTreeMap::new());
        for path in paths {
            collect(log, path.as_ref(), &mut files);
        }
        for path in files.values() {
            match fs::read(path) {
                Ok(text) => config.add(log, &text, path, release),
                Err(error) => log.error(format_args!("file parse {}: {}", path.display(), cause(&error))),
            }
        }
        if config.searches.is_empty() {
            config.searches = Self::preset().searches;
        }
        config
    }

    fn add(&mut self, log: &Log, text: &[u8], path: &Path, release: &str) {
        let path = path.display();
        let is_for_us = |kernel: &[u8], what: &str, line: usize| {
            let matches = kernel == b"*" || regex::matches(kernel, release);
            if !matches {
                let kernel = String::from_utf8_lossy(kernel);
                log.write(Priority::Info, format_args!("{path}:{line}: {what} did not match {kernel}"));
            }
            matches
        };
        for line in parse(text) {
            match line.directive {
                Ok(Directive::Search(directories)) => {
                    directories.into_iter().for_each(|word| self.searches.insert(0, Search::new(&word)));
                }
                Ok(Directive::Override { module, kernel, directory }) => {
                    if is_for_us(&kernel, "override kernel", line.number) {
                        self.overrides.insert(0, [directory, module].join(&b'/'));
                    }
                }
                Ok(Directive::External { kernel, directory }) => {
                    if is_for_us(&kernel, "external directory", line.number) {
                        self.externals.insert(0, directory.into_owned());
                    }
                }
                Ok(Directive::Exclude(names)) => self.excludes.extend(names.into_iter().map(Cow::into_owned)),
                Ok(Directive::Obsolete(word)) => {
                    let (number, word) = (line.number, String::from_utf8_lossy(&word));
                    log.write(Priority::Info, format_args!("{path}:{number}: command {word} not implemented yet"));
                }
                Err(word) => {
                    let (number, word) = (line.number, String::from_utf8_lossy(&word));
                    log.error(format_args!("{path}:{number}: ignoring bad line starting with '{word}'"));
                }
            }
        }
    }

    /// Whether an entry of a directory is not looked at, whatever it is.
    pub(super) fn excludes(&self, name: &[u8]) -> bool {
        // Links to the kernel's headers and source, not part of the tree.
        matches!(name, b"build" | b"source") || self.excludes.iter().any(|exclude| exclude == name)
    }

    /// Whether the file found later takes the place of the one found before, both with the same module name.
    pub(super) fn prefers(&self, later: &Place, before: &Place) -> bool {
        for stem in &self.overrides {
            if later.stem() == stem || before.stem() == stem {
                return later.stem() == stem;
            }
        }
        let (later, before) = self.ranks(later.listed(), before.listed());
        later > before
    }

    /// The places of two paths in the search. As in kmod, a directory that has both counts for the later one only.
    fn ranks(&self, later: &[u8], before: &[u8]) -> (Option<usize>, Option<usize>) {
        let (mut later_rank, mut before_rank, mut built_in, mut rank) = (None, None, None, 0);
        for search in &self.searches {
            match search {
                Search::BuiltIn => built_in = Some(rank),
                Search::External => {
                    for external in &self.externals {
                        if is_below(later, external) {
                            later_rank = Some(rank);
                        }
                        if is_below(before, external) {
                            before_rank = Some(rank);
                        }
                        rank += 1;
                    }
                }
                // These are of the module directory, whatever externals are called.
                Search::Directory(directory) if directory.starts_with(b"/") => {}
                Search::Directory(directory) if is_below(later, directory) => later_rank = Some(rank),
                Search::Directory(directory) if is_below(before, directory) => before_rank = Some(rank),
                Search::Directory(_) => {}
            }
            rank += 1;
        }
        (later_rank.or(built_in), before_rank.or(built_in))
    }
}

impl Search {
    fn new(word: &[u8]) -> Self {
        match word {
            b"built-in" => Self::BuiltIn,
            b"external" => Self::External,
            _ => Self::Directory(word.to_vec()),
        }
    }
}

fn is_below(path: &[u8], directory: &[u8]) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.first() == Some(&b'/'))
}

/// Adds a file, or a directory's `*.conf`, under its base name unless that is taken.
fn collect(log: &Log, path: &Path, files: &mut BTreeMap<OsString, PathBuf>) {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => {
            files.entry(path.file_name().unwrap_or_default().to_owned()).or_insert_with(|| path.into());
            return;
        }
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                log.error(format_args!("could not stat '{}': {}", path.display(), cause(&error)));
            }
            return;
        }
    }
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) => return log.error(format_args!("files list {}: {}", path.display(), cause(&error))),
    };
    for entry in entries.flatten() {
        if is_configuration(log, path, &entry) {
            files.entry(entry.file_name()).or_insert_with(|| entry.path());
        }
    }
}

fn is_configuration(log: &Log, directory: &Path, entry: &fs::DirEntry) -> bool {
    let (name, path) = (entry.file_name().into_vec(), entry.path());
    if name.starts_with(b".") {
        return false;
    }
    if name.strip_suffix(b".conf").is_none_or(<[u8]>::is_empty) {
        log.write(Priority::Info, format_args!("All cfg files need .conf: {}", path.display()));
        return false;
    }
    match fs::metadata(&path) {
        Ok(metadata) if !metadata.is_dir() => return true,
        Ok(_) => log.error(format_args!("Directories inside directories are not supported: {}", path.display())),
        // Without a slash between the two: kmod's words.
        Err(_) => {
            let name = entry.file_name();
            log.error(format_args!("Cannot stat directory entry: {}{}", directory.display(), name.display()));
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    fn config(text: &str) -> Config {
        let mut config = Config::default();
        let log = Log::new("depmod", Priority::Error);
        config.add(&log, text.as_bytes(), Path::new("test.conf"), "6.1.0-test");
        config
    }

    #[track_caller]
    fn check(text: &str, before: &str, later: &str, expected: bool) {
        let config = if text.is_empty() { Config::preset() } else { config(text) };
        let place = |path: &str| Place::new(Path::new("/tree"), Path::new("/tree").join(path).as_os_str().as_bytes());
        assert_eq!(config.prefers(&place(later), &place(before)), expected, "{text}: {before}, then {later}");
    }

    #[test]
    fn the_stronger_directory_wins_in_either_order() {
        for (text, strong, weak) in [
            ("", "updates/a.ko", "kernel/a.ko"),
            ("", "updates/a.ko", "updates2/a.ko"),
            ("search updates built-in", "updates/a.ko", "extra/a.ko"),
            ("search built-in updates", "kernel/a.ko", "updates/a.ko"),
            ("search extra\nsearch updates", "extra/a.ko", "updates/a.ko"),
            ("search extra/one", "extra/one/x/a.ko", "extra/two/a.ko"),
            ("search external built-in\nexternal * /opt/x", "/opt/x/a.ko", "kernel/a.ko"),
            ("search built-in external\nexternal * /opt/x", "kernel/a.ko", "/opt/x/a.ko"),
            ("search external\nexternal 6.1 /opt/x\nexternal * /opt/y", "/opt/x/a.ko", "/opt/y/a.ko"),
            ("override a * kernel", "kernel/a.ko", "updates/a.ko"),
            ("override a ^6\\.1\\. kernel\nsearch updates", "kernel/a.ko", "updates/a.ko"),
            ("override a ^5 kernel\nsearch updates", "updates/a.ko", "kernel/a.ko"),
            ("override a-b * kernel", "kernel/a-b.c.ko", "updates/a-b.c.ko"),
        ] {
            check(text, strong, weak, false);
            check(text, weak, strong, true);
        }
    }

    #[test]
    fn of_equals_the_first_stays_except_below_one_named_directory() {
        for (text, before, later, expected) in [
            ("", "kernel/x/a.ko", "kernel/y/a.ko", false),
            ("", "updates/x/a.ko", "updates/y/a.ko", true),
            ("search built-in updates", "updates/x/a.ko", "updates/y/a.ko", false),
            ("search external\nexternal * /opt/x", "/opt/x/1/a.ko", "/opt/x/2/a.ko", false),
            ("override a * kernel", "kernel/a.ko", "kernel/a.ko.xz", true),
            ("search /opt/x\nexternal * /opt/x", "kernel/a.ko", "/opt/x/a.ko", false),
        ] {
            check(text, before, later, expected);
        }
    }

    #[test]
    fn headers_and_excluded_names_are_passed_over() {
        let config = config("exclude extra a.ko");
        for (name, expected) in [("build", true), ("source", true), ("extra", true), ("a.ko", true), ("b.ko", false)] {
            assert_eq!(config.excludes(name.as_bytes()), expected, "{name}");
        }
    }
}
