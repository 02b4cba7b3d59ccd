//! modprobe's configuration: the files of `modprobe.d`, the soft dependencies that depmod collected, and the
//! kernel's command line.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt, fs, io,
    io::Read as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

pub use modfile::modprobe_d::Softdep;
use modfile::{
    command_line::{self, Word},
    modprobe_d::{self, Directive, Problem},
};

/// Where files are looked for. A name found in one directory hides those of the same name in later ones.
pub const DIRECTORIES: &[&str] =
    &["/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d"];

/// Directives by kind, each in the order in which they were found. Names are normalised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Pattern and module.
    pub aliases: Vec<(String, String)>,
    /// Modules that are not loaded through an alias.
    pub blacklist: Vec<String>,
    /// Module and parameters.
    pub options: Vec<(String, String)>,
    /// Pattern and the command to run instead of loading.
    pub install: Vec<(String, String)>,
    /// Pattern and the command to run instead of unloading.
    pub remove: Vec<(String, String)>,
    /// What to load before and after a module if it is there.
    pub softdeps: Vec<Softdep>,
    /// Module and what it may load by itself; for builders of images, so only shown.
    pub weakdeps: Vec<(String, String)>,
}

/// What is wrong with the configuration; none of it ends a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The function of kmod's library that notices it, since its message begins with that name.
    noticed_by: &'static str,
    text: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.noticed_by, self.text)
    }
}

impl Config {
    /// Reads the files at `paths`, each a file or a directory of `*.conf`, and those of the module directory, then the
    /// kernel's command line. What does not exist is empty. The second value is what was found wrong.
    pub fn read(paths: &[PathBuf], module_directory: &Path, command_line: &str) -> (Self, Vec<Complaint>) {
        let mut config = Self::default();
        let (files, mut complaints) = files(paths, module_directory);
        for path in files.values() {
            if let Ok(bytes) = read(path) {
                config.add_file(&bytes, path, &mut complaints);
            }
        }
        config.add_command_line(command_line, &mut complaints);
        (config, complaints)
    }

    fn add_file(&mut self, bytes: &[u8], path: &Path, complaints: &mut Vec<Complaint>) {
        let path = path.display();
        for (number, line) in modprobe_d::logical_lines(bytes) {
            let line = String::from_utf8_lossy(&line);
            let text = match modprobe_d::directive(&line) {
                Ok(Some(directive)) => {
                    self.add(directive.into_owned());
                    continue;
                }
                Ok(None) => continue,
                Err(Problem::Obsolete) => {
                    let word = modprobe_d::first(&line).unwrap_or_default();
                    format!("{path}: command {word} is deprecated and not parsed anymore")
                }
                Err(_) => {
                    let word = modprobe_d::first(&line).unwrap_or_default();
                    format!("{path} line {number}: ignoring bad line starting with '{word}'")
                }
            };
            complaints.push(Complaint { noticed_by: "kmod_config_parse", text });
        }
    }

    fn add(&mut self, directive: Directive) {
        match directive {
            Directive::Alias { pattern, module } => self.aliases.push((pattern, module)),
            Directive::Blacklist(module) => self.blacklist.push(module),
            Directive::Options { module, text } => self.options.push((module, text)),
            Directive::Install { pattern, command } => self.install.push((pattern, command)),
            Directive::Remove { pattern, command } => self.remove.push((pattern, command)),
            Directive::Softdep(softdep) => self.softdeps.push(softdep),
            Directive::Weakdep { pattern, names } => self.weakdeps.push((pattern, names)),
        }
    }

    fn add_command_line(&mut self, line: &str, complaints: &mut Vec<Complaint>) {
        for word in command_line::words(line) {
            match word {
                Word::Blacklist(module) => self.blacklist.push(module.into_owned()),
                Word::Options { module, text } => self.options.push((module.into_owned(), text.into_owned())),
                Word::OddBracket(module) => complaints.push(Complaint {
                    noticed_by: "kcmdline_parse_result",
                    text: format!("Ignoring bad option on kernel command line while parsing module name: '{module}'"),
                }),
            }
        }
    }

    /// The directives in the order and the words in which `modprobe -c` prints them.
    pub fn directives(&self) -> impl Iterator<Item = String> {
        fn pairs<'a>(word: &str, list: &'a [(String, String)]) -> impl Iterator<Item = String> + use<'a> {
            let word = word.to_owned();
            list.iter().map(move |(name, value)| format!("{word} {name} {value}"))
        }
        let blacklist = self.blacklist.iter().map(|name| format!("blacklist {name}"));
        blacklist
            .chain(pairs("install", &self.install))
            .chain(pairs("remove", &self.remove))
            .chain(pairs("alias", &self.aliases))
            .chain(pairs("options", &self.options))
            .chain(self.softdeps.iter().map(softdep_directive))
            .chain(pairs("weakdep", &self.weakdeps))
    }
}

/// As kmod 34 prints it: without a blank between the two lists.
fn softdep_directive(softdep: &Softdep) -> String {
    let lists = [("pre", &softdep.pre), ("post", &softdep.post)];
    let lists = lists.iter().filter(|(_, names)| !names.is_empty());
    let lists: String = lists.map(|(word, names)| format!("{word}: {}", names.join(" "))).collect();
    format!("softdep {} {lists}", softdep.pattern)
}

/// The files that make up the configuration, by base name, and what is wrong with their directories.
pub fn files(paths: &[PathBuf], module_directory: &Path) -> (BTreeMap<OsString, PathBuf>, Vec<Complaint>) {
    let (mut files, mut complaints) = (BTreeMap::new(), Vec::new());
    for path in paths {
        collect(path, &mut files, &mut complaints);
    }
    for name in ["modules.softdep", "modules.weakdep"] {
        files.entry(name.into()).or_insert_with(|| module_directory.join(name));
    }
    (files, complaints)
}

/// Adds a file, or a directory's `*.conf`, under its base name unless that is taken.
fn collect(path: &Path, files: &mut BTreeMap<OsString, PathBuf>, complaints: &mut Vec<Complaint>) {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            let name = path.file_name().unwrap_or_default().to_owned();
            files.entry(name).or_insert_with(|| path.into());
            return;
        }
        entries => entries.into_iter().flatten().flatten(),
    };
    for entry in entries {
        let name = entry.file_name();
        if !name.as_encoded_bytes().ends_with(b".conf") || name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // Not joined: a slash at the directory's end is shown as it was given.
        let file = PathBuf::from(format!("{}/{}", path.display(), name.display()));
        let is_directory = match entry.file_type() {
            Ok(kind) if !kind.is_symlink() => Ok(kind.is_dir()),
            _ => fs::metadata(&file).map(|target| target.is_dir()),
        };
        let wrong = match is_directory {
            Ok(false) => {
                files.entry(name).or_insert(file);
                continue;
            }
            Ok(true) => "Directories inside directories are not supported",
            Err(_) => "Cannot stat directory entry",
        };
        let text = format!("{wrong}: {}", file.display());
        complaints.push(Complaint { noticed_by: "conf_files_filter_out", text });
    }
}

/// A file's bytes. A pipe that nobody writes to does not make us wait.
///
/// # Errors
/// As for reading it.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The command line of the kernel we run on, as far as it is read.
pub fn kernel_command_line() -> String {
    let mut bytes = Vec::with_capacity(command_line::BYTES_MAX);
    if let Ok(file) = fs::File::open("/proc/cmdline") {
        // Without it nothing was asked for there.
        let _ = file.take(command_line::BYTES_MAX as u64).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Root;

    fn parse(text: &str) -> (Config, Vec<Complaint>) {
        let (mut config, mut complaints) = (Config::default(), Vec::new());
        config.add_file(text.as_bytes(), Path::new("x.conf"), &mut complaints);
        (config, complaints)
    }

    #[test]
    fn directives_are_shown_by_kind() {
        let (config, complaints) = parse(
            "# comment\nsoftdep a-b x pre: one two post: three\nsoftdep c pre:\nalias net-* a-b\noptions a-b x=1\ty=2\n\
             blacklist bad-one\nremove a-b /bin/false\ninstall a-b /bin/true  $CMDLINE_OPTS\nweakdep a-b one  two\n",
        );
        let shown: Vec<_> = config.directives().collect();
        let expected = [
            "blacklist bad_one",
            "install a_b /bin/true  $CMDLINE_OPTS",
            "remove a_b /bin/false",
            "alias net_* a_b",
            "options a_b x=1 y=2",
            "softdep a_b pre: one twopost: three",
            "softdep c ",
            "weakdep a_b one two",
        ];
        assert_eq!((shown.as_slice(), complaints), (&expected.map(String::from)[..], vec![]));
    }

    #[test]
    fn bad_lines_are_named_and_passed_over() {
        let (config, complaints) = parse("alias a\ninclude /etc\nbogus \\\nx\nblacklist a]\n\nblacklist b");
        assert_eq!(config.blacklist, ["b"]);
        let complaints: Vec<_> = complaints.iter().map(Complaint::to_string).collect();
        assert_eq!(
            complaints,
            [
                "kmod_config_parse: x.conf line 1: ignoring bad line starting with 'alias'",
                "kmod_config_parse: x.conf: command include is deprecated and not parsed anymore",
                "kmod_config_parse: x.conf line 4: ignoring bad line starting with 'bogus'",
                "kmod_config_parse: x.conf line 5: ignoring bad line starting with 'blacklist'",
            ]
        );
    }

    #[test]
    fn the_command_line_gives_options_and_a_blacklist() {
        let (mut config, mut complaints) = (Config::default(), Vec::new());
        config.add_command_line("quiet modprobe.blacklist=a,b my-mod.p=1 a].p\n", &mut complaints);
        assert_eq!(
            (config.blacklist, config.options),
            (vec!["a".into(), "b".into()], vec![("my_mod".into(), "p=1".into())])
        );
        let expected = "kcmdline_parse_result: \
                        Ignoring bad option on kernel command line while parsing module name: 'a]'";
        assert_eq!(complaints.iter().map(Complaint::to_string).collect::<Vec<_>>(), [expected]);
    }

    #[test]
    fn files_come_by_name_and_the_first_directory_wins() {
        let root = Root::new();
        root.write("etc/b.conf", "blacklist etc_b\n");
        root.write("lib/b.conf", "blacklist lib_b\n");
        root.write("lib/a.conf", "blacklist lib_a\n");
        root.write("lib/z.conf", "blacklist lib_z\n");
        root.write("lib/.hidden.conf", "blacklist hidden\n");
        root.write("lib/other.txt", "blacklist other\n");
        root.write("lib/sub.conf/x", "");
        std::os::unix::fs::symlink("none", root.path("lib/gone.conf")).unwrap();
        root.write("single", "blacklist single\n");
        root.tree("modules.softdep", "softdep a pre: b\nblacklist softdep\n");
        let paths = [root.path("etc"), root.path("lib"), root.path("single"), root.path("absent")];
        let (config, complaints) = Config::read(&paths, root.indexes().directory(), "");
        assert_eq!(config.blacklist, ["lib_a", "etc_b", "softdep", "single", "lib_z"]);
        let shown: Vec<_> = complaints.iter().map(Complaint::to_string).collect();
        let expected = [
            ("Directories inside directories are not supported", "lib/sub.conf"),
            ("Cannot stat directory entry", "lib/gone.conf"),
        ];
        assert_eq!(shown.len(), expected.len());
        for (wrong, file) in expected {
            let expected = format!("conf_files_filter_out: {wrong}: {}", root.path(file).display());
            assert!(shown.contains(&expected), "{shown:?}");
        }
    }

    #[test]
    fn a_pipe_is_no_reason_to_wait() {
        let root = Root::new();
        root.write("conf/b.conf", "blacklist b\n");
        rustix::fs::mkfifoat(rustix::fs::CWD, root.path("conf/a.conf"), 0o600.into()).unwrap();
        let (config, complaints) = Config::read(&[root.path("conf")], root.indexes().directory(), "");
        assert_eq!((config.blacklist, complaints), (vec!["b".into()], vec![]));
    }
}
