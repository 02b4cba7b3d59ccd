//! modprobe's configuration: the files of `modprobe.d`, the soft dependencies that depmod collected, and the
//! kernel's command line.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use modfile::alias::normalise;

/// Where files are looked for. A name found in one directory hides those of the same name in later ones.
pub const DIRECTORIES: &[&str] =
    &["/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d"];

/// The kernel's command line is read up to here, bytes: the limit of kmod.
const COMMAND_LINE_BYTES_MAX: u64 = 4096;

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

/// Modules that belong together although no symbol says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Softdep {
    /// Pattern of the module's name.
    pub pattern: String,
    /// Loaded before it.
    pub pre: Vec<String>,
    /// Loaded after it.
    pub post: Vec<String>,
}

impl Config {
    /// Reads the files at `paths`, each a file or a directory of `*.conf`, those of the module directory, and
    /// the command line. What does not exist is empty. The second value is what was found wrong.
    pub fn read<P: AsRef<Path>>(paths: &[P], module_directory: &Path) -> (Self, Vec<String>) {
        let mut config = Self::default();
        let mut complaints = Vec::new();
        let mut files = BTreeMap::new();
        for path in paths {
            collect(path.as_ref(), &mut files, &mut complaints);
        }
        for name in ["modules.softdep", "modules.weakdep"] {
            collect(&module_directory.join(name), &mut files, &mut complaints);
        }
        for path in files.values() {
            if let Ok(bytes) = fs::read(path) {
                config.add_file(&String::from_utf8_lossy(&bytes), path, &mut complaints);
            }
        }
        config.add_command_line(&command_line());
        (config, complaints)
    }

    fn add_file(&mut self, text: &str, path: &Path, complaints: &mut Vec<String>) {
        for (number, line) in logical_lines(text) {
            let Some((word, rest)) = first_word(&line).filter(|_| !line.starts_with('#')) else { continue };
            if matches!(word, "include" | "config") {
                complaints.push(format!("{}: command {word} is deprecated and not parsed anymore", path.display()));
            } else if self.add_directive(word, rest).is_none() {
                let path = path.display();
                complaints.push(format!("{path} line {number}: ignoring bad line starting with '{word}'"));
            }
        }
    }

    /// None if the directive is unknown or lacks a part.
    fn add_directive(&mut self, word: &str, rest: &str) -> Option<()> {
        let (name, rest) = first_word(rest)?;
        let name = normal(name);
        let some = || (!rest.is_empty()).then(|| rest.to_owned());
        match word {
            "alias" => self.aliases.push((name, normal(first_word(rest)?.0))),
            "blacklist" => self.blacklist.push(name),
            "options" => self.options.push((name, some()?.replace('\t', " "))),
            "install" => self.install.push((name, some()?)),
            "remove" => self.remove.push((name, some()?)),
            "softdep" => self.softdeps.push(Softdep::new(name, &some()?)),
            "weakdep" => self.weakdeps.push((name, words(&some()?).collect::<Vec<_>>().join(" "))),
            _ => return None,
        }
        Some(())
    }

    /// Adds what is meant for modprobe: `modprobe.blacklist=a,b` and `MODULE.PARAMETER[=VALUE]`.
    fn add_command_line(&mut self, line: &str) {
        for word in quoted_words(line) {
            // GRUB moves the quotes of a value with blanks to the front of the whole word.
            let word = match word.strip_prefix('"').and_then(|word| word.split_once('=')) {
                Some((name, value)) => format!("{name}=\"{value}"),
                None => word,
            };
            let (name, value) = word.split_once('=').unwrap_or((&word, ""));
            match name.split_once('.') {
                Some(("modprobe", "blacklist")) => self.blacklist.extend(value.split(',').map(normal)),
                Some((module, parameter)) if !module.is_empty() && !parameter.contains('.') => {
                    self.options.push((normal(module), word[module.len() + 1..].into()));
                }
                _ => {}
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
            .chain(self.softdeps.iter().map(Softdep::directive))
            .chain(pairs("weakdep", &self.weakdeps))
    }
}

impl Softdep {
    fn new(pattern: String, text: &str) -> Self {
        let mut softdep = Self { pattern, pre: Vec::new(), post: Vec::new() };
        let mut list = None;
        for word in words(text) {
            match (word, &mut list) {
                ("pre:", _) => list = Some(true),
                ("post:", _) => list = Some(false),
                (word, Some(true)) => softdep.pre.push(word.into()),
                (word, Some(false)) => softdep.post.push(word.into()),
                (_, None) => {}
            }
        }
        softdep
    }

    fn directive(&self) -> String {
        let lists = [("pre", &self.pre), ("post", &self.post)];
        let lists = lists.iter().filter(|(_, names)| !names.is_empty());
        let lists: Vec<_> = lists.map(|(word, names)| format!("{word}: {}", names.join(" "))).collect();
        // The blank stays where both are empty: kmod prints it.
        format!("softdep {} {}", self.pattern, lists.join(" "))
    }
}

/// Adds a file, or a directory's `*.conf`, under its base name unless that is taken.
fn collect(path: &Path, files: &mut BTreeMap<OsString, PathBuf>, complaints: &mut Vec<String>) {
    if path.is_file() {
        let name = path.file_name().unwrap_or_default().to_owned();
        files.entry(name).or_insert_with(|| path.into());
        return;
    }
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        if path.extension().is_none_or(|extension| extension != "conf") || name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if path.is_dir() {
            complaints.push(format!("Directories inside directories are not supported: {}", path.display()));
            continue;
        }
        files.entry(name).or_insert(path);
    }
}

fn command_line() -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = fs::File::open("/proc/cmdline") {
        // Without it nothing was asked for there.
        let _ = file.take(COMMAND_LINE_BYTES_MAX).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Lines with their numbers; a backslash at the end joins the next one, and the number is then the last one's.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let (mut lines, mut open) = (Vec::new(), String::new());
    for (number, line) in (1..).zip(text.lines()) {
        match line.strip_suffix('\\') {
            Some(start) => open.push_str(start),
            None => lines.push((number, std::mem::take(&mut open) + line)),
        }
    }
    lines
}

fn first_word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start_matches([' ', '\t']);
    let (word, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    (!word.is_empty()).then_some((word, rest))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', '\t']).filter(|word| !word.is_empty())
}

/// Words that blanks separate, but not those between double quotes.
fn quoted_words(line: &str) -> Vec<String> {
    let (mut found, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for character in line.trim_end().chars().chain([' ']) {
        if character == ' ' && !quoted {
            found.push(std::mem::take(&mut word));
            continue;
        }
        quoted ^= character == '"';
        word.push(character);
    }
    found
}

fn normal(name: &str) -> String {
    // As kmod does, a name with an odd bracket is kept: it is only a name that nothing matches.
    normalise(name).unwrap_or_else(|| name.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Root;

    fn parse(text: &str) -> (Config, Vec<String>) {
        let (mut config, mut complaints) = (Config::default(), Vec::new());
        config.add_file(text, Path::new("x.conf"), &mut complaints);
        (config, complaints)
    }

    #[test]
    fn every_directive_is_read_and_shown() {
        let text = "\
# comment
alias net-* a-b
blacklist bad-one
options a-b x=1\ty=2
install a-b /bin/true  $CMDLINE_OPTS
remove a-b /bin/false
softdep a-b ignored pre: one two post: three
softdep lone
weakdep a-b one  two
\toptions c \\
z=3
";
        let (config, complaints) = parse(text);
        let shown: Vec<_> = config.directives().collect();
        assert_eq!(
            shown,
            [
                "blacklist bad_one",
                "install a_b /bin/true  $CMDLINE_OPTS",
                "remove a_b /bin/false",
                "alias net_* a_b",
                "options a_b x=1 y=2",
                "options c z=3",
                "softdep a_b pre: one two post: three",
                "weakdep a_b one two",
            ]
        );
        assert_eq!(complaints, ["x.conf line 8: ignoring bad line starting with 'softdep'"]);
    }

    #[test]
    fn bad_lines_are_named_and_passed_over() {
        let (config, complaints) = parse("alias a\ninclude /etc\nbogus x\nblacklist\n\nblacklist b\n");
        assert_eq!(config.blacklist, ["b"]);
        assert_eq!(
            complaints,
            [
                "x.conf line 1: ignoring bad line starting with 'alias'",
                "x.conf: command include is deprecated and not parsed anymore",
                "x.conf line 3: ignoring bad line starting with 'bogus'",
                "x.conf line 4: ignoring bad line starting with 'blacklist'",
            ]
        );
    }

    #[test]
    fn the_command_line_gives_options_and_a_blacklist() {
        let mut config = Config::default();
        config.add_command_line(
            "quiet root=/dev/sda1 modprobe.blacklist=a-b,c my-mod.p=1.5 my_mod.flag a.b.c=1 .x=1 \
             m.q=\"v w\" \"m.r=v w\"\n",
        );
        assert_eq!(config.blacklist, ["a_b", "c"]);
        let options: Vec<_> = config.options.iter().map(|(module, value)| format!("{module} {value}")).collect();
        assert_eq!(options, ["my_mod p=1.5", "my_mod flag", "m q=\"v w\"", "m r=\"v w\""]);
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
        root.write("single", "blacklist single\n");
        root.tree("modules.softdep", "softdep a pre: b\nblacklist softdep\n");
        let paths = [root.path("etc"), root.path("lib"), root.path("single"), root.path("absent")];
        let (config, complaints) = Config::read(&paths, root.indexes().directory());
        assert_eq!(config.blacklist, ["lib_a", "etc_b", "softdep", "single", "lib_z"]);
        let expected =
            format!("Directories inside directories are not supported: {}", root.path("lib/sub.conf").display());
        assert_eq!(complaints, [expected]);
    }
}
