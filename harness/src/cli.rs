//! The command line: arguments become one job, its result an exit code.

mod behaviours;
mod bench;
mod cache;
mod doctor;
mod fuzz;
mod report;
mod shell;
mod triage;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
};

use anstream::{print, println};
use clap::{Args, Parser, Subcommand};

use crate::{
    cache::Cache,
    compare::{self, Extent},
    error::{Blame, Error, Result},
    fuzz::libkmod,
    interrupt,
    kept::Keep,
    kernel::{Catalog, FetchOptions, Kernels, Line, Store},
    peers::Peers,
    progress::Progress,
    report::{Record, Totals, Verdict, collection::Collection, terminal},
    run::Rig,
    scenario::Scenario,
    scenarios,
    suite::{self, Event, Part, Suite},
    toolset::{self, Toolset},
    vm::accel::Choice,
    whole,
};

/// A test rig for the Linux kernel-module mechanism on real kernels.
///
/// Exit codes: 0 every case passed or was skipped with a reason; 1 a case failed; 2 wrong usage; 3 the rig failed,
/// so that a case says nothing about its kernel; 4 nothing was selected; 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "modrig", version, verbatim_doc_comment, max_term_width = 110)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Options of all commands")]
struct Global {
    /// Where fetched kernels, build roots, modules and saved guests are kept [default: MODRIG_CACHE, or ~/.cache/modrig]
    #[arg(long, global = true, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// A list of kernels in the place of the built-in one; its lock file lies beside it and ends in `.lock`
    #[arg(long = "kernels", global = true, value_name = "FILE")]
    catalog: Option<PathBuf>,
    #[command(flatten)]
    fetch: FetchOptions,
    /// What runs the guests' instructions
    #[arg(long, global = true, value_enum, default_value_t)]
    accel: Choice,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run scenarios on kernels and show the matrix
    Run(RunArgs),
    /// List scenarios, and what each of them tests
    List {
        /// Only these, with all that is known of them: parts of `group::name`
        filters: Vec<String>,
    },
    /// Show what holds on which kernel, statement by statement, as Markdown: docs/behaviours.md
    Behaviours(behaviours::BehavioursArgs),
    /// List, fetch, build and update kernels
    Kernels {
        #[command(subcommand)]
        command: KernelsCommand,
    },
    /// List, fetch and update what modutils is compared with: kmod, busybox, whole trees of modules
    Peers {
        #[command(subcommand)]
        command: ListCommand,
    },
    /// Make tables, pages and files of records, and show what changed between two runs
    Report(report::ReportArgs),
    /// Boot a kernel, or go back to the guest of a case, and get a prompt there
    Shell(ShellArgs),
    /// Say what this machine has and lacks
    Doctor,
    /// Show and prune what is kept between runs
    Cache {
        #[command(subcommand)]
        command: cache::Command,
    },
    /// Find in a kernel's log what means trouble; exit code 1 when something does
    Triage(triage::TriageArgs),
    /// Compare modutils with the tools it stands in for
    Compare {
        #[command(subcommand)]
        command: CompareCommand,
    },
    /// Fuzz the kernel's own module loader
    Fuzz {
        #[command(subcommand)]
        command: fuzz::Command,
    },
    /// Measure this rig against a bare QEMU, and modutils against kmod
    Bench {
        #[command(subcommand)]
        command: bench::Command,
    },
}

#[derive(Debug, Args)]
struct RunArgs {
    /// Kernels to run on, by name or path; all of the matrix when none is given
    #[arg(short, long = "kernel", value_name = "KERNEL", value_delimiter = ',')]
    kernels: Vec<String>,
    /// Only these scenarios: parts of `group::name`
    filters: Vec<String>,
    /// Whose module tools the guests have
    #[arg(long, value_enum, default_value_t)]
    modutils: toolset::Choice,
    /// Leave out the scenarios that need a kernel with drivers; those kernels are 600 MB to fetch, the others 190 MB
    #[arg(long)]
    no_drivers: bool,
    /// How many guests run at once [default: three for each processor, since guests often sleep]
    #[arg(short, long)]
    jobs: Option<usize>,
    /// Keep the guests of failing cases, so many at most, for `modrig shell --resume CASE`
    #[arg(long, value_name = "COUNT", num_args = 0..=1, require_equals = true, default_missing_value = "16")]
    keep: Option<usize>,
    /// Go on with a run that was cut off: cases that have a record of the same guest among `--records` are not run again
    #[arg(long = "continue")]
    go_on: bool,
    /// The same, but run those again that failed
    #[arg(long)]
    rerun_failed: bool,
    /// Boot a guest for each case, in the place of a copy of a saved one
    #[arg(long)]
    cold: bool,
    /// Only one part of the cases, for machines that share them: `2/4` is the second of four. The parts are runs of
    /// neighbours, so each machine has few kernels to prepare; which case is in which part follows from the selection alone
    #[arg(long, value_name = "M/N")]
    partition: Option<Part>,
    /// Where one JSON record per case is written
    #[arg(long, value_name = "DIR", default_value = "target/modrig/records")]
    records: PathBuf,
    #[command(flatten)]
    outputs: report::Outputs,
}

impl RunArgs {
    /// Records of cases that are not to be run again. One that the rig has broken says nothing.
    fn earlier(&self) -> Vec<Record> {
        if !self.go_on && !self.rerun_failed {
            return Vec::new();
        }
        let mut records = Collection::read(std::slice::from_ref(&self.records)).unwrap_or_default().records;
        records.retain(|record| match record.verdict {
            Verdict::Passed | Verdict::Skipped { .. } => true,
            Verdict::Failed { .. } => !self.rerun_failed,
            Verdict::Broken { .. } => false,
        });
        records
    }
}

#[derive(Debug, Args)]
#[group(id = "what", required = true, multiple = false)]
struct ShellWhat {
    /// The kernel: a name from `modrig kernels list`, a bzImage, a vmlinux or a built tree
    #[arg(short, long)]
    kernel: Option<String>,
    /// The guest of this case, as the case has left it: the very one if `run --keep` has kept it, else the case is
    /// run again; such as `6.1::stub::removes_itself`
    #[arg(long, value_name = "CASE")]
    resume: Option<String>,
    /// List the guests that are kept
    #[arg(long)]
    kept: bool,
}

#[derive(Debug, Args)]
struct ShellArgs {
    #[command(flatten)]
    what: ShellWhat,
    /// Run the case again even if its guest was kept
    #[arg(long, requires = "resume")]
    again: bool,
    /// Whose module tools the guest has
    #[arg(long, value_enum, default_value_t)]
    modutils: toolset::Choice,
}

#[derive(Debug, Subcommand)]
enum KernelsCommand {
    #[command(flatten)]
    List(ListCommand),
    /// Build what is named from Debian's source, all that the list has to build when nothing is: two processors need 5 to
    /// 10 minutes for each, and 2 GB of disk meanwhile
    Build {
        /// Names from the list
        names: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
enum ListCommand {
    /// Show the list: name, release, suite, whether it is here
    List,
    /// Fetch what is named, when nothing is all but what must be built
    Fetch {
        /// Names from the list
        names: Vec<String>,
    },
    /// Look for newer releases and write the lock file
    Update {
        /// Names from the list; all of them when none is given
        names: Vec<String>,
        /// The file to write [default: the list's own lock file, below `harness`]
        #[arg(long, value_name = "FILE")]
        lock: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum CompareCommand {
    /// With kmod: output, messages, exit codes and files, byte for byte
    Kmod {
        /// On modules made on the spot, in seconds, the default
        #[arg(long, conflicts_with = "full")]
        quick: bool,
        /// On the whole module trees of two kernels as well: 220 MB to fetch, 1.4 GB in the cache, some minutes
        #[arg(long)]
        full: bool,
        /// Only these cases: parts of `tool/input/what`
        filters: Vec<String>,
    },
}

/// Runs the program.
pub fn main() -> ExitCode {
    if let Some(code) = libkmod::run_if_called() {
        return code;
    }
    let cli = Cli::parse();
    if let Err(error) = interrupt::install() {
        anstream::eprintln!("modrig: cannot watch for Ctrl-C: {error}");
    }
    cli.run().unwrap_or_else(|error| {
        anstream::eprintln!("{}", error.report());
        ExitCode::from(match error.blame() {
            Blame::Usage => 2,
            Blame::Rig => 3,
            Blame::Selection => 4,
            Blame::Interrupted => interrupt::EXIT_CODE as u8,
        })
    })
}

impl Cli {
    fn run(self) -> Result<ExitCode> {
        match &self.command {
            Command::Run(args) => return self.global.run(args),
            Command::Report(args) => return report::run(args),
            Command::List { filters } => behaviours::list(filters)?,
            Command::Behaviours(args) => return behaviours::run(args),
            Command::Kernels { command } => self.global.kernels(command)?,
            Command::Peers { command } => {
                self.global.on_list(&Peers::embedded()?, command, Path::new("harness/peers.lock"))?;
            }
            Command::Shell(args) => self.global.shell(args)?,
            Command::Cache { command } => return cache::run(&self.global.cache()?, command),
            Command::Fuzz { command } => return fuzz::run(&self.global, command),
            Command::Triage(args) => return triage::run(args),
            Command::Doctor => return Ok(doctor::run(&self.global)),
            Command::Compare { command: CompareCommand::Kmod { full, filters, .. } } => {
                return self.global.compare_kmod(if *full { Extent::Full } else { Extent::Quick }, filters);
            }
            Command::Bench { command } => return bench::run(&self.global, command),
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Global {
    fn cache(&self) -> Result<Cache> {
        Cache::open(self.cache.as_deref())
    }

    fn rig(&self) -> Result<Rig> {
        let rig = Rig::with(self.cache()?, Progress::new(), self.fetch.clone(), self.accel)?;
        Ok(Rig { catalog: self.catalog()?, ..rig })
    }

    fn catalog(&self) -> Result<Kernels> {
        self.catalog.as_deref().map_or_else(Kernels::embedded, Kernels::load)
    }

    fn run(&self, args: &RunArgs) -> Result<ExitCode> {
        let catalog = self.catalog()?;
        let kernels = columns(&catalog, &args.kernels)?;
        let cases = suite::cases(&kernels, &select(&args.filters)?);
        let cases = match args.partition {
            Some(part) => part.of(cases),
            None => cases,
        };
        if cases.is_empty() {
            println!("no case is in this part");
            return Ok(ExitCode::SUCCESS);
        }
        let mut rig = Rig { cold: args.cold, without_drivers: args.no_drivers, ..self.rig()? };
        rig.tools = Toolset::obtain(&rig.store, args.modutils)?;
        rig.keep = args.keep.map(Keep::at_most).unwrap_or_default();
        if args.modutils != toolset::Choice::Modrig {
            rig.store.progress.say(format!("module tools: {}", rig.tools.name()));
        }
        // A path that is no kernel is a wrong command line, noticed before anything runs.
        for path in kernels.iter().filter(|name| name.contains('/')) {
            rig.store.resolve(&catalog, path)?;
        }
        let jobs = args.jobs.unwrap_or_else(|| 3 * thread::available_parallelism().map_or(1, usize::from));
        let bar = rig.store.progress.count("cases", cases.len() as u64);
        let suite = Suite { cases, jobs, earlier: args.earlier() };
        whole::sweep(&args.records);
        let unwritten = std::sync::Mutex::new(None);
        let records = suite.run(&rig, |event| match event {
            Event::Prepared(name, machine, Ok(prepared)) => {
                rig.store.progress.say(format!("{name}: {} is ready ({machine})", prepared.kernel.release));
            }
            Event::Prepared(name, machine, Err(error)) => {
                rig.store.progress.say(format!("{name} ({machine}): {}", error.report()));
            }
            Event::Known(_) => bar.inc(1),
            Event::Ended(record) => {
                bar.inc(1);
                if let Err(error) = record.store(&args.records) {
                    unwritten.lock().map(|mut first| first.get_or_insert(error).clone()).ok();
                }
            }
        });
        bar.finish_and_clear();
        print!("{}", terminal::matrix(&kernels, &records));
        println!("records: {}", args.records.display());
        let collection = Collection::of(records);
        if !collection.records.is_empty() {
            args.outputs.write(&collection)?;
        }
        interrupt::check()?;
        if let Ok(Some(error)) = unwritten.into_inner() {
            return Err(error);
        }
        Ok(ExitCode::from(Totals::of(&collection.records).exit_code()))
    }

    fn shell(&self, args: &ShellArgs) -> Result<()> {
        let ShellWhat { kernel, resume, kept: _ } = &args.what;
        if kernel.is_none() && resume.is_none() {
            shell::list(&self.cache()?);
            return Ok(());
        }
        let mut rig = self.rig()?;
        rig.tools = Toolset::obtain(&rig.store, args.modutils)?;
        match (kernel, resume) {
            (_, Some(case)) => shell::resume(&rig, case, args.again),
            (kernel, _) => shell::run(&rig, kernel.as_deref().unwrap_or_default()),
        }
    }

    fn store(&self) -> Result<Store> {
        Ok(Store { cache: self.cache()?, progress: Progress::new(), options: self.fetch.clone() })
    }

    fn kernels(&self, command: &KernelsCommand) -> Result<()> {
        let catalog = self.catalog()?;
        match command {
            KernelsCommand::List(command) => {
                let beside = self.catalog.as_ref().map(|list| list.with_extension("lock"));
                self.on_list(&catalog, command, &beside.unwrap_or_else(|| "harness/kernels.lock".into()))
            }
            KernelsCommand::Build { names } => self.build(&catalog, names),
        }
    }

    fn build(&self, catalog: &Kernels, names: &[String]) -> Result<()> {
        let store = self.store()?;
        for name in to_build(catalog, names)? {
            let (release, place) = store.obtain(catalog, &name)?;
            println!("{name}: {release} is here, with its symbols in {}", place.join("System.map").display());
        }
        Ok(())
    }

    /// Does something with a list of sets of packages, whose lock file is at `lock` unless the user names another.
    fn on_list<L: Line>(&self, catalog: &Catalog<L>, command: &ListCommand, lock: &Path) -> Result<()> {
        let store = self.store()?;
        match command {
            ListCommand::List => {
                for row in catalog.rows(&store.cache) {
                    println!("{row}");
                }
                Ok(())
            }
            ListCommand::Fetch { names } => {
                let ready_made = || catalog.ready_made().map(str::to_owned).collect();
                for name in if names.is_empty() { ready_made() } else { known(catalog, names)? } {
                    let (release, _) = store.obtain(catalog, &name)?;
                    println!("{name}: {release} is here");
                }
                Ok(())
            }
            ListCommand::Update { names, lock: named } => {
                let (changes, text) = store.update(catalog, &known(catalog, names)?)?;
                changes.iter().for_each(|change| println!("{change}"));
                let lock = named.as_deref().unwrap_or(lock);
                Store::write_lock(lock, &text)?;
                println!("written: {}", lock.display());
                Ok(())
            }
        }
    }

    fn compare_kmod(&self, extent: Extent, filters: &[String]) -> Result<ExitCode> {
        let report = compare::kmod(&self.store()?, extent, filters)?;
        print!("{}", report.text());
        Ok(ExitCode::from(u8::from(!report.is_clean())))
    }
}

/// The kernels that were given, or all columns of the matrix.
fn columns(catalog: &Kernels, names: &[String]) -> Result<Vec<String>> {
    match names {
        [] => Ok(catalog.columns().map(str::to_owned).collect()),
        names => known(catalog, names),
    }
}

/// The kernels that were given, or all that are built here.
fn to_build(catalog: &Kernels, names: &[String]) -> Result<Vec<String>> {
    let built: Vec<String> = catalog.built().map(str::to_owned).collect();
    let help = |error: Error| error.help(format!("those that are built here are {}", built.join(", ")));
    if built.is_empty() {
        return Err(Error::usage("the list has no kernel that is built here"));
    }
    if let Some(name) = names.iter().find(|name| !built.contains(name)) {
        catalog.check(name)?;
        return Err(help(Error::usage(format!("kernel {name} is not built here: `modrig run -k {name}` fetches it"))));
    }
    Ok(if names.is_empty() { built } else { names.to_owned() })
}

/// The names that were given, or all of the list.
fn known<L: Line>(catalog: &Catalog<L>, names: &[String]) -> Result<Vec<String>> {
    if names.is_empty() {
        return Ok(catalog.names().map(str::to_owned).collect());
    }
    for name in names {
        catalog.check(name)?;
    }
    Ok(names.to_owned())
}

/// The scenario of exactly this path.
fn select_one(path: &str) -> Result<&'static Scenario> {
    scenarios::all().find(|scenario| scenario.path() == path).ok_or_else(|| unknown(path))
}

/// The scenarios whose path contains one of the filters.
fn select(filters: &[String]) -> Result<Vec<&'static Scenario>> {
    for filter in filters {
        if !scenarios::all().any(|scenario| scenario.path().contains(filter.as_str())) {
            return Err(unknown(filter));
        }
    }
    let wanted = |scenario: &&Scenario| {
        filters.is_empty() || filters.iter().any(|filter| scenario.path().contains(filter.as_str()))
    };
    Ok(scenarios::all().filter(wanted).collect())
}

fn unknown(name: &str) -> Error {
    let error = Error::nothing_selected(format!("no scenario is called `{name}`"));
    match nearest(name) {
        Some(nearest) => error.help(format!("did you mean `{nearest}`? `modrig list` shows all")),
        None => error.help("`modrig list` shows all"),
    }
}

/// The group or scenario whose name is most like this, if any is.
fn nearest(filter: &str) -> Option<String> {
    let likeness = |name: &String| (strsim::jaro_winkler(name, filter) * 1000.0) as u32;
    let names = scenarios::all().flat_map(|scenario| [scenario.group.into(), scenario.name.into(), scenario.path()]);
    names.max_by_key(likeness).filter(|name| likeness(name) > 700)
}
