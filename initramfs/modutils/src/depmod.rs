//! `depmod`: works out which module needs which, and writes the text indexes that modprobe reads.
//!
//! ```text
//! tree   files below /lib/modules/RELEASE ─▶ Module (what the file says of itself)
//! graph  Modules ─▶ who needs whom, in kmod's order
//! text   both ─▶ modules.dep, .alias, .softdep, .weakdep, .symbols, .devname
//! ```
//! Not done yet: compressed modules, the configuration of `depmod.d`, checks against a kernel's symbols
//! (`-e`, `-E`, `-F`), binary indexes.

mod graph;
mod hash;
mod text;
mod tree;

use std::{collections::HashMap, fmt, io::Write as _};

use modfile::{alias::module_name, elf::Elf, symbols};

use crate::{
    Tool,
    getopt::{Long, Spec},
    log::{Log, Priority},
    tree::Tree,
};

/// A file's name and its contents.
pub type File = (&'static str, Vec<u8>);

/// Why there is no index.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A module's file is damaged.
    #[error("cannot read module `{path}`")]
    Damaged {
        /// As it was given.
        path: String,
        /// What is wrong with it.
        #[source]
        cause: modfile::Error,
    },
    /// Modules need each other.
    #[error("{0}")]
    Cycles(Cycles),
}

/// Rings of modules of which each needs the next and the last the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycles(pub Vec<Vec<String>>);

impl fmt::Display for Cycles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ring in &self.0 {
            writeln!(f, "Cycle detected: {} -> {}", ring.join(" -> "), ring[0])?;
        }
        let mut modules: Vec<&String> = self.0.iter().flatten().collect();
        modules.sort_unstable();
        modules.dedup();
        write!(f, "Found {} modules in dependency cycles!", modules.len())
    }
}

/// The text indexes of these modules, given as paths relative to `/lib/modules/RELEASE` with contents, for a tree
/// without `modules.order`. Of several modules with one name, kmod's rule picks one: the last below `updates/`, or
/// else the first.
///
/// # Errors
/// A damaged module, or modules that need each other.
pub fn index(modules: &[(String, &[u8])]) -> Result<Vec<File>, Error> {
    let paths = tree::choose(modules.iter().map(|(path, _)| path.clone()));
    let contents: HashMap<&str, &[u8]> = modules.iter().map(|(path, bytes)| (path.as_str(), *bytes)).collect();
    let damaged = |path: &str, cause| Error::Damaged { path: path.to_owned(), cause };
    let read = |path: String| Module::read(&path, contents[path.as_str()]).map_err(|cause| damaged(&path, cause));
    let modules = paths.into_iter().map(read).collect::<Result<_, _>>()?;
    Ok(Index::new(modules, |_| ()).map_err(Error::Cycles)?.files())
}

/// What depmod keeps of a module's file.
struct Module {
    path: String,
    name: String,
    modinfo: Vec<u8>,
    /// NUL-terminated names: one allocation instead of one for each of a kernel's 200 000.
    exports: Vec<u8>,
    needs: Vec<u8>,
}

impl Module {
    fn read(path: &str, bytes: &[u8]) -> Result<Self, modfile::Error> {
        let elf = Elf::parse(bytes)?;
        Ok(Self {
            modinfo: elf.section(".modinfo")?.map_or(Vec::new(), |section| section.data.to_vec()),
            exports: join(symbols::exports(&elf)?.iter().map(|export| export.name)),
            needs: join(symbols::needs(&elf)?.iter().map(|need| need.name)),
            ..Self::unread(path)
        })
    }

    /// A module of which only the path is known: kmod lists it without dependencies.
    fn unread(path: &str) -> Self {
        Self { path: path.to_owned(), name: module_name(path), modinfo: vec![], exports: vec![], needs: vec![] }
    }

    fn exports(&self) -> impl Iterator<Item = &[u8]> {
        split(&self.exports)
    }

    fn needs(&self) -> impl Iterator<Item = &[u8]> {
        split(&self.needs)
    }
}

fn join<'a>(names: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut joined = Vec::new();
    for name in names {
        joined.extend_from_slice(name);
        joined.push(0);
    }
    joined
}

fn split(names: &[u8]) -> impl Iterator<Item = &[u8]> {
    names.split(|byte| *byte == 0).filter(|name| !name.is_empty())
}

/// Everything that the files are written from.
struct Index {
    modules: Vec<Module>,
    /// For each module the positions of those that it needs.
    dependencies: Vec<Vec<usize>>,
    /// Exported symbols with the position of their owner.
    symbols: Vec<(Vec<u8>, usize)>,
}

impl Index {
    /// Of modules in the order that the files shall have. `tell` gets each need as it is found.
    fn new(modules: Vec<Module>, mut tell: impl FnMut(Need<'_>)) -> Result<Self, Cycles> {
        let graph = graph::Graph::new(&modules);
        for (module, links) in modules.iter().zip(&graph.links) {
            for link in links {
                tell(Need { user: &module.path, symbol: link.symbol, owner: &modules[link.to].path });
            }
        }
        let dependencies = graph.dependencies(&modules)?;
        let symbols = graph.owners.iter().map(|(name, owner)| (name.to_vec(), *owner)).collect();
        Ok(Self { modules, dependencies, symbols })
    }

    fn files(&self) -> Vec<File> {
        text::files(self)
    }
}

/// That one file needs another, and for which symbol first.
struct Need<'a> {
    user: &'a str,
    symbol: &'a [u8],
    owner: &'a str,
}

const SPEC: Spec = Spec {
    short: "aAb:nvVh",
    long: &[
        Long("all", false, 'a'),
        Long("quick", false, 'A'),
        Long("basedir", true, 'b'),
        Long("show", false, 'n'),
        Long("dry-run", false, 'n'),
        Long("verbose", false, 'v'),
        Long("version", false, 'V'),
        Long("help", false, 'h'),
    ],
};

const HELP: &str = "Usage:
\tdepmod [options] [VERSION] [FILE...]
Without FILEs all modules of the kernel VERSION, or of the running one, are indexed.
Options:
\t-a, --all          index all modules of the tree, whatever FILEs are given
\t-A, --quick        do nothing unless a module is newer than modules.dep
\t-b, --basedir DIR  the tree is DIR/lib/modules/VERSION
\t-n, --dry-run      write the indexes to standard output
\t-v, --verbose      say which module needs which, and for what
\t-V, --version      show the version
\t-h, --help         show this text
";

/// What the arguments ask for.
struct Job {
    log: Log,
    tree: Tree,
    /// Absolute paths to index instead of the whole tree.
    files: Option<Vec<String>>,
    is_dry: bool,
    is_verbose: bool,
}

/// Runs the tool; the exit code.
pub fn run(tool: &Tool, arguments: Vec<String>) -> u8 {
    let (mut log, mut root) = (tool.log(Priority::Warning), None);
    let (mut all, mut quick, mut is_dry, mut is_verbose) = (false, false, false, false);
    let mut operands = match tool.read(&SPEC, HELP, arguments, |letter, value| match letter {
        'a' => all = true,
        'A' => quick = true,
        'b' => root = Some(value.to_owned()),
        'n' => is_dry = true,
        'v' => {
            is_verbose = true;
            log.level += 1;
        }
        _ => {}
    }) {
        Ok(operands) => operands.into_iter(),
        Err(code) => return code,
    };
    let version = operands.next();
    if let Some(bad) = version.as_deref().filter(|version| !is_version(version)) {
        log.error(format_args!("Bad version passed {bad}"));
        return 1;
    }
    let tree = Tree::of(root.as_deref(), version.as_deref());
    // kmod, too, takes a check for news on standard output to be no work at all.
    if quick && (is_dry || tree::is_up_to_date(&log, tree.directory())) {
        return 0;
    }
    let files: Vec<String> = operands.collect();
    let files = (!all && !quick && !files.is_empty()).then_some(files);
    u8::from(Job { log, tree, files, is_dry, is_verbose }.run().is_none())
}

/// Whether it begins like a kernel's release: a number, a dot, a number.
fn is_version(text: &str) -> bool {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.len() < text.len() && rest.strip_prefix('.').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

impl Job {
    /// None where an error has been told.
    fn run(&self) -> Option<()> {
        let directory = self.tree.directory();
        let paths = match &self.files {
            Some(files) => tree::given(&self.log, directory, files)?,
            None => tree::choose(tree::scan(&self.log, directory)?),
        };
        let paths = tree::order(&self.log, directory, paths);
        let modules = paths.iter().map(|path| self.read(path)).collect::<Option<_>>()?;
        let tell = |need: Need<'_>| {
            if self.is_verbose {
                self.tell(&need);
            }
        };
        let index = Index::new(modules, tell).map_err(|cycles| self.refuse(&cycles)).ok()?;
        self.warn_of_devnames(&index);
        if self.is_dry { show(&index.files()) } else { tree::write(&self.log, directory, &index.files()) }
    }

    /// The module at a path of the tree; one that is damaged is told of and counts as empty.
    fn read(&self, path: &str) -> Option<Module> {
        let full = self.tree.directory().join(path);
        let bytes = tree::read(&self.log, &full)?;
        Some(Module::read(path, &bytes).unwrap_or_else(|damage| {
            self.log.error(format_args!("failed to load symbols from {}: {damage}", full.display()));
            Module::unread(path)
        }))
    }

    fn tell(&self, need: &Need<'_>) {
        let full = |path: &str| self.tree.directory().join(path).display().to_string();
        let symbol = String::from_utf8_lossy(need.symbol);
        let _ = writeln!(std::io::stdout(), "{} needs \"{symbol}\": {}", full(need.user), full(need.owner));
    }

    fn refuse(&self, cycles: &Cycles) {
        cycles.to_string().lines().for_each(|line| self.log.error(line));
    }

    fn warn_of_devnames(&self, index: &Index) {
        for module in &index.modules {
            if let Some(devname) = text::Devname::of(module).filter(text::Devname::is_incomplete) {
                let (name, node) = (&module.name, String::from_utf8_lossy(devname.node));
                self.log.error(format_args!(
                    "Module '{name}' has devname ({node}) but lacks major and minor information. Ignoring."
                ));
            }
        }
    }
}

fn show(files: &[File]) -> Option<()> {
    let mut stdout = std::io::stdout();
    files.iter().try_for_each(|(_, text)| stdout.write_all(text)).and_then(|()| stdout.flush()).ok()
}
