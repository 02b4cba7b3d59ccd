//! The tool: options, messages and exit code.

use std::{
    io::{self, Write as _},
    os::unix::ffi::OsStrExt as _,
    path::PathBuf,
    time::SystemTime,
};

use super::{
    Cycles, FILES, Index, Lists, Module, Sources,
    cache::{self, Cache, Stamp, State},
    cause,
    config::{self, Config},
    document,
    facts::Facts,
    graph::{Finding, Lookup, Prefix},
    kernel::Kernel,
    order, output,
    place::Place,
    read, scan,
};
use crate::{
    Tool,
    getopt::{Long, Spec},
    log::{Log, Priority},
};

const SPEC: Spec = Spec {
    short: "aAb:m:o:C:E:F:ewnP:vVh",
    long: &[
        Long("all", false, 'a'),
        Long("quick", false, 'A'),
        Long("basedir", true, 'b'),
        Long("moduledir", true, 'm'),
        Long("outdir", true, 'o'),
        Long("config", true, 'C'),
        Long("symvers", true, 'E'),
        Long("filesyms", true, 'F'),
        Long("errsyms", false, 'e'),
        Long("warn", false, 'w'),
        Long("show", false, 'n'),
        Long("dry-run", false, 'n'),
        Long("symbol-prefix", true, 'P'),
        Long("verbose", false, 'v'),
        Long("version", false, 'V'),
        Long("help", false, 'h'),
        Long("incremental", false, INCREMENTAL),
        Long("json", false, JSON),
    ],
};

/// Letters for options that have no short form.
const INCREMENTAL: char = 'i';
const JSON: char = 'j';

const HELP: &str = "Usage:
\tdepmod [options] [VERSION] [FILE...]
Without FILEs all modules of the kernel VERSION, or of the running one, are indexed.
Options:
\t-a, --all              index all modules of the tree, whatever FILEs are given
\t-A, --quick            do nothing unless a module is newer than modules.dep
\t-n, --dry-run, --show  write the text indexes to standard output
\t    --json             as -n, but as one JSON document: for each module its path, dependencies, aliases,
\t                       soft and weak dependencies, symbols and device node
\t    --incremental      read only modules that are new or changed since the last time, and write nothing if
\t                       there are none; what was read is kept in modules.depmod.cache beside the indexes
\t-v, --verbose          say which module needs which, and for what
\t-w, --warn             tell of aliases that a module has twice
\t-C, --config PATH      read PATH, a file or a directory, instead of the directories depmod.d
\t-V, --version          show the version
\t-h, --help             show this text
For other systems and other kernels:
\t-b, --basedir DIR      the root directory (default: /)
\t-m, --moduledir DIR    where kernels have their modules, below the root (default: /lib/modules)
\t-o, --outdir DIR       the root directory that the indexes are written below (default: that of -b)
\t-P, --symbol-prefix C  the character that begins each symbol
Checks against the kernel:
\t-e, --errsyms          tell of symbols that neither the kernel nor a module exports; needs -E or -F
\t-E, --symvers FILE     the kernel's symbols are in this Module.symvers; checksums are compared as well
\t-F, --filesyms FILE    the kernel's symbols are in this System.map
";

/// What the options ask for.
#[derive(Default)]
struct Options {
    all: bool,
    quick: bool,
    root: Option<String>,
    module_directory: Option<String>,
    out_root: Option<String>,
    configs: Vec<String>,
    symvers: Option<String>,
    system_map: Option<String>,
    tells_unknown: bool,
    warns: bool,
    is_dry: bool,
    as_json: bool,
    is_incremental: bool,
    prefix: Option<String>,
    is_verbose: bool,
}

impl Options {
    fn take(&mut self, letter: char, value: &str) {
        let value = || Some(value.to_owned());
        match letter {
            'a' => self.all = true,
            'A' => self.quick = true,
            'b' => self.root = value(),
            'm' => self.module_directory = value(),
            'o' => self.out_root = value(),
            'C' => self.configs.extend(value()),
            'E' => self.symvers = value(),
            'F' => self.system_map = value(),
            'e' => self.tells_unknown = true,
            'w' => self.warns = true,
            'n' => self.is_dry = true,
            JSON => (self.is_dry, self.as_json) = (true, true),
            INCREMENTAL => self.is_incremental = true,
            'P' => self.prefix = value(),
            'v' => self.is_verbose = true,
            _ => {}
        }
    }

    /// A kernel's modules below a root directory.
    fn directory(&self, root: Option<&str>, release: &str) -> PathBuf {
        let root = match root {
            Some(root) if !root.starts_with('/') => {
                let current = std::env::current_dir().unwrap_or_default();
                format!("{}/{root}", current.display())
            }
            root => root.unwrap_or_default().to_owned(),
        };
        let modules = self.module_directory.as_deref().unwrap_or("lib/modules");
        format!("{root}/{}/{release}", modules.trim_start_matches('/')).into()
    }
}

/// Runs the tool; the exit code.
pub fn run(tool: &Tool, arguments: Vec<String>) -> u8 {
    let (mut log, mut options) = (tool.log(Priority::Warning), Options::default());
    let operands = match tool.read(&SPEC, HELP, arguments, |letter, value| {
        log.level += i32::from(letter == 'v');
        options.take(letter, value);
    }) {
        Ok(operands) => operands,
        Err(code) => return code,
    };
    let Some(job) = Job::new(log, options, operands) else { return 1 };
    // kmod, too, takes a check for news on standard output to be no work at all.
    if job.options.quick && (job.options.is_dry || scan::is_up_to_date(&job.log, &job.directory)) {
        return 0;
    }
    u8::from(job.run().is_none())
}

/// What is to be done, options and operands found sound.
struct Job {
    log: Log,
    options: Options,
    prefix: Prefix,
    release: String,
    /// The kernel's modules.
    directory: PathBuf,
    /// Where the indexes go.
    out: PathBuf,
    /// Absolute paths to index instead of the whole tree; none for that.
    files: Vec<String>,
}

impl Job {
    /// None where an error has been told.
    fn new(log: Log, options: Options, operands: Vec<String>) -> Option<Self> {
        let prefix = match options.prefix.as_deref().map(str::as_bytes) {
            None => Prefix(None),
            Some([prefix]) => Prefix(Some(*prefix)),
            Some(_) => {
                log.fail(Priority::Fatal, "-P only takes a single char");
                return None;
            }
        };
        let mut operands = operands.into_iter();
        let release =
            operands.next().unwrap_or_else(|| rustix::system::uname().release().to_string_lossy().into_owned());
        if !is_version(&release) {
            log.error(format_args!("Bad version passed {release}"));
            return None;
        }
        let files = if options.all || options.quick { vec![] } else { operands.collect() };
        let directory = options.directory(options.root.as_deref(), &release);
        let out = options.out_root.as_deref().map(|root| options.directory(Some(root), &release));
        Some(Self { out: out.unwrap_or_else(|| directory.clone()), log, options, prefix, release, directory, files })
    }

    /// None where an error has been told.
    fn run(&self) -> Option<()> {
        let begun = SystemTime::now();
        let kernel = self.kernel()?;
        let kernel_symbols = kernel.as_ref().map(|(kernel, path)| kernel.symbols(&self.log, path, self.prefix));
        let lookup = Lookup {
            kernel: kernel_symbols.as_deref().unwrap_or_default(),
            has_crcs: kernel.as_ref().is_some_and(|(kernel, _)| kernel.has_crcs() && self.tells_unknown()),
            prefix: self.prefix,
        };
        let mut places = self.places()?;
        order::by_list(&self.log, &self.directory, &mut places);
        let stamps = self.stamps(&places);
        let cache = self.is_incremental().then(|| Cache::load(&self.out)).flatten().unwrap_or_default();
        if self.may_skip() && cache.is_current(&self.state(false), places.iter().map(Place::listed).zip(&stamps)) {
            return Some(());
        }
        let (modules, are_sound) = self.modules(places, &stamps, &cache, lookup.has_crcs);
        drop(cache);
        self.write(&modules, &lookup)?;
        if self.is_incremental() && !self.options.is_dry {
            let sound = modules.iter().zip(&stamps).zip(are_sound).filter(|(_, is_sound)| *is_sound);
            let sound = sound.map(|((module, stamp), _)| (module.place.listed(), *stamp, &module.facts));
            self.keep(&self.state(lookup.has_crcs), begun, sound);
        }
        Some(())
    }

    fn tells_unknown(&self) -> bool {
        self.options.tells_unknown && (self.options.symvers.is_some() || self.options.system_map.is_some())
    }

    /// A cache of only some modules would replace that of all.
    fn is_incremental(&self) -> bool {
        self.options.is_incremental && self.files.is_empty()
    }

    /// Whether a run without any change has nothing to do: no text to print, nothing to tell of.
    fn may_skip(&self) -> bool {
        let options = &self.options;
        self.is_incremental() && !(options.is_dry || options.is_verbose || options.warns || self.tells_unknown())
    }

    /// The file of the kernel's symbols with its name, if one is given.
    fn kernel(&self) -> Option<Option<(Kernel, &str)>> {
        let (path, kernel) = match (&self.options.symvers, &self.options.system_map) {
            (Some(path), _) => (path, Kernel::symvers(path)),
            (None, Some(path)) => (path, Kernel::system_map(path)),
            (None, None) => {
                if self.options.tells_unknown {
                    self.log.write(Priority::Warning, "-e needs -E or -F");
                }
                return Some(None);
            }
        };
        match kernel {
            Ok(kernel) => Some(Some((kernel, path))),
            Err(error) => {
                self.log.fail(Priority::Fatal, format_args!("could not load {path}: {}", cause(&error)));
                None
            }
        }
    }

    fn places(&self) -> Option<Vec<Place>> {
        if !self.files.is_empty() {
            return scan::given(&self.log, &self.directory, &self.files);
        }
        let config = if self.options.configs.is_empty() {
            Config::read(&self.log, &config::DIRECTORIES, &self.release)
        } else {
            Config::read(&self.log, &self.options.configs, &self.release)
        };
        scan::scan(&self.log, &self.directory, &config)
    }

    /// Of every module, if they are of use.
    fn stamps(&self, places: &[Place]) -> Vec<Stamp> {
        let stamp = |place: &Place| if self.is_incremental() { Stamp::of(place.path()) } else { Stamp::default() };
        places.iter().map(stamp).collect()
    }

    /// The modules, and for each whether its file is sound. Of one that is not, only the place is known: as with kmod
    /// it is listed without dependencies.
    fn modules(
        &self,
        places: Vec<Place>,
        stamps: &[Stamp],
        cache: &Cache,
        with_crcs: bool,
    ) -> (Vec<Module>, Vec<bool>) {
        let known = |(place, stamp): (&Place, &Stamp)| cache.get(place.listed(), *stamp, with_crcs);
        let mut facts: Vec<Option<Facts>> = places.iter().zip(stamps).map(known).collect();
        let wanted: Vec<usize> = (0..places.len()).filter(|at| facts[*at].is_none()).collect();
        for (at, reading) in wanted.iter().zip(read::all(&places, &wanted, with_crcs)) {
            match reading {
                Ok(read) => facts[*at] = Some(read),
                Err(messages) => messages.iter().for_each(|message| self.log.error(message)),
            }
        }
        let are_sound = facts.iter().map(Option::is_some).collect();
        let modules = places.into_iter().zip(facts);
        (modules.map(|(place, facts)| Module { place, facts: facts.unwrap_or_default() }).collect(), are_sound)
    }

    fn write(&self, modules: &[Module], lookup: &Lookup<'_>) -> Option<()> {
        let mut needs = io::BufWriter::new(io::stdout());
        let index = Index::new(modules, lookup, |finding| self.tell(&finding, &mut needs));
        // Nobody is left to be told if this fails.
        let _ = needs.flush();
        let index = index.map_err(|cycles| self.refuse(&cycles)).ok()?;
        if self.options.as_json {
            return output::print(&self.log, &document::write(&index, &self.release, &self.directory));
        }
        let sources =
            Sources { index: &index, log: &self.log, warns: self.options.warns, lists: Lists::In(&self.directory) };
        if self.options.is_dry { output::show(&sources) } else { output::write(&self.out, &sources) }
    }

    fn tell(&self, finding: &Finding<'_>, needs: &mut impl io::Write) {
        let warn = |user: &Module, what: &str, symbol: &[u8]| {
            if self.tells_unknown() {
                let (path, symbol) = (user.place.path().display(), String::from_utf8_lossy(symbol));
                self.log.write(Priority::Warning, format_args!("{path} {what} symbol {symbol}"));
            }
        };
        match finding {
            Finding::Unknown { user, symbol } => warn(user, "needs unknown", symbol),
            Finding::Disagreement { user, symbol } => warn(user, "disagrees about version of", symbol),
            Finding::Need { user, symbol, owner } if self.options.is_verbose => {
                let (user, symbol) = (user.place.path().display(), String::from_utf8_lossy(symbol));
                let _ = writeln!(needs, "{user} needs \"{symbol}\": {}", owner.place.path().display());
            }
            Finding::Need { .. } => {}
        }
    }

    fn refuse(&self, cycles: &Cycles) {
        cycles.to_string().lines().for_each(|line| self.log.error(line));
    }

    /// What the indexes depend on besides the modules, and the indexes themselves, as they are now.
    fn state(&self, with_crcs: bool) -> State {
        let inputs = ["modules.order", "modules.builtin", "modules.builtin.modinfo"];
        let stamps = inputs.map(|name| Stamp::of(&self.directory.join(name)).to_bytes());
        let paths = [&self.directory, &self.out].map(|path| path.as_os_str().as_bytes());
        let prefix = [self.prefix.0.unwrap_or(0)];
        let inputs = stamps.iter().map(|stamp| &stamp[..]).chain(paths).chain([&prefix[..]]);
        State {
            inputs: cache::fingerprint(inputs),
            with_crcs,
            is_silent: !self.log.has_spoken(),
            outputs: FILES.iter().map(|(name, _)| Stamp::of(&self.out.join(name))).collect(),
        }
    }

    /// The next run does without it if it cannot be kept.
    fn keep<'a>(&self, state: &State, begun: SystemTime, modules: impl Iterator<Item = (&'a [u8], Stamp, &'a Facts)>) {
        if let Err(error) = Cache::store(&self.out, state, begun, modules) {
            let (path, why) = (self.out.join(cache::NAME), cause(&error));
            self.log.write(Priority::Warning, format_args!("could not write {}: {why}", path.display()));
        }
    }
}

/// Whether it begins like a kernel's release: a number, a dot, a number.
fn is_version(text: &str) -> bool {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.len() < text.len() && rest.strip_prefix('.').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}
