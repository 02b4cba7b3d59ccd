//! The tool: options, messages and exit code.

use std::io::Write as _;

use super::{Cycles, File, Index, Module, Need, text, tree};
use crate::{
    Tool,
    getopt::{Long, Spec},
    log::{Log, Priority},
    tree::Tree,
};

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
