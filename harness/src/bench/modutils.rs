//! Measures our module tools beside the real kmod, on the whole module tree of a kernel.

use std::{
    ffi::OsString,
    fmt,
    fs::{self, File},
    os::{fd::AsRawFd as _, unix::process::CommandExt as _},
    path::Path,
    process::{Command, Stdio},
};

use super::median;
use crate::{
    compare::{REFERENCE, Side, Tools, Tree, both_packings},
    error::{Context as _, Error, Result},
    interrupt,
    kernel::Store,
    peers::{Kmod, Peers},
    process::{self, Spent},
};

/// The tree that everything is measured on.
const TREE: &str = "tree-6.12";

/// How often something is done in a round that takes a few milliseconds.
const OFTEN: usize = 20;

/// What a goal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measure {
    Cpu,
    Wall,
}

/// Something to be measured. `OUT` among the arguments is a directory of the side's own.
struct Job {
    name: &'static str,
    kmod: Vec<String>,
    ours: Vec<String>,
    /// How often in a round.
    times: usize,
    /// Index files to be dropped from memory before each time.
    cold: bool,
    goal: (Measure, f64),
}

/// What both sides needed for a job, each a median over the rounds.
#[derive(Debug, Clone)]
pub struct Row {
    name: &'static str,
    kmod: Spent,
    ours: Spent,
    goal: (Measure, f64),
}

/// Measures what has one of the filters in its name, `rounds` times in turns.
///
/// # Errors
/// The packages cannot be had, a tool fails, or the user asked to stop.
pub fn run(store: &Store, rounds: usize, filters: &[String], on_row: impl Fn(Row)) -> Result<()> {
    let peers = Peers::embedded()?;
    let tools = Tools::new(Kmod::obtain(store, &peers, REFERENCE)?, &store.cache)?;
    let place = store.cache.staging()?;
    let trees = both_packings(store, &peers, TREE, place.path(), &tools)?;
    let mut jobs = jobs(&trees);
    if !Path::new("/proc/modules").exists() {
        store.progress.say("lsmod is left out: this machine's kernel has no /proc/modules");
        jobs.retain(|job| job.name != "lsmod");
    }
    jobs.retain(|job| filters.is_empty() || filters.iter().any(|filter| job.name.contains(filter.as_str())));
    if jobs.is_empty() {
        return Err(Error::nothing_selected(format!("nothing to measure is called `{}`", filters.join("`, `"))));
    }
    let bar = store.progress.count("rounds", (rounds * jobs.len()) as u64);
    for job in jobs {
        let mut spent = [Vec::new(), Vec::new()];
        for _ in 0..rounds {
            for (side, spent) in [Side::Kmod, Side::Ours].into_iter().zip(&mut spent) {
                spent.push(once(&tools, side, &job, place.path(), &trees)?);
            }
            bar.inc(1);
        }
        let [kmod, ours] = spent.map(|spent| medians(&spent));
        on_row(Row { name: job.name, kmod, ours, goal: job.goal });
    }
    Ok(())
}

fn jobs(trees: &[Tree; 2]) -> Vec<Job> {
    let [packed, plain] = trees;
    let depmod = |tree: &Tree, options: &[&str]| {
        let root = tree.root.display().to_string();
        let fixed = ["depmod", "-b", &root, "-o", "OUT", &tree.release].map(str::to_owned);
        fixed.into_iter().chain(options.iter().map(|option| (*option).to_owned())).collect::<Vec<_>>()
    };
    let modinfo = |tree: &Tree| {
        let modules = tree.root.join("lib/modules").join(&tree.release);
        let paths = tree.modules.iter().map(|module| modules.join(module).display().to_string());
        ["modinfo".to_owned()].into_iter().chain(paths).collect::<Vec<_>>()
    };
    let root = plain.indexed.display().to_string();
    let modprobe = ["modprobe", "-d", &root, "-S", &plain.release, "-D", "ext4"].map(str::to_owned).to_vec();
    let same = |name, command: Vec<String>, times, cold, goal| Job {
        name,
        kmod: command.clone(),
        ours: command,
        times,
        cold,
        goal,
    };
    vec![
        same("depmod, unpacked", depmod(plain, &[]), 1, false, (Measure::Cpu, 0.6)),
        same("depmod, xz", depmod(packed, &[]), 1, false, (Measure::Wall, 0.55)),
        Job {
            ours: depmod(packed, &["--incremental"]),
            ..same("depmod, xz, again", depmod(packed, &[]), 1, false, (Measure::Cpu, 0.02))
        },
        same("modinfo of all, unpacked", modinfo(plain), 1, false, (Measure::Cpu, 1.0)),
        same("modinfo of all, xz", modinfo(packed), 1, false, (Measure::Wall, 0.55)),
        same("modprobe -D, warm", modprobe.clone(), OFTEN, false, (Measure::Cpu, 1.0)),
        same("modprobe -D, cold", modprobe, OFTEN, true, (Measure::Wall, 1.0)),
        same("lsmod", vec!["lsmod".into()], OFTEN, false, (Measure::Cpu, 1.0)),
    ]
}

/// One round of a job. What a side writes stays for its next round.
fn once(tools: &Tools, side: Side, job: &Job, place: &Path, trees: &[Tree; 2]) -> Result<Spent> {
    let out = place.join(format!("out-{side:?}"));
    fs::create_dir_all(&out).context(|| format!("cannot make `{}`", out.display()))?;
    let words = if side == Side::Kmod { &job.kmod } else { &job.ours };
    let (mut command, name) = tools.command(side, &words[0]);
    let out = out.into_os_string();
    command.extend(words[1..].iter().map(|word| if word == "OUT" { out.clone() } else { OsString::from(word) }));
    let mut sum = Spent::default();
    for _ in 0..job.times {
        interrupt::check()?;
        if job.cold {
            trees.iter().try_for_each(drop_index)?;
        }
        sum.add(&measured(&command, name.as_ref(), job.name)?);
    }
    Ok(sum)
}

fn measured(words: &[OsString], name: Option<&OsString>, what: &str) -> Result<Spent> {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    name.map(|name| command.arg0(name));
    let (status, spent) = process::measured(what, command)?;
    match status.success() {
        true => Ok(spent),
        false => Err(Error::new(format!("{what}: `{}` fails with {status}", words[0].display()))),
    }
}

/// Takes the index files out of the page cache, as far as the file system obeys.
fn drop_index(tree: &Tree) -> Result<()> {
    let directory = tree.indexed.join("lib/modules").join(&tree.release);
    let failed = || format!("cannot read `{}`", directory.display());
    for entry in fs::read_dir(&directory).context(failed)? {
        let path = entry.context(failed)?.path();
        if path.is_file() {
            let file = File::open(&path).context(failed)?;
            // What is not on the disk yet stays in memory.
            file.sync_all().context(failed)?;
            // SAFETY: posix_fadvise takes an open descriptor and numbers.
            unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
        }
    }
    Ok(())
}

fn medians(spent: &[Spent]) -> Spent {
    let of = |field: fn(&Spent) -> f64| median(&spent.iter().map(field).collect::<Vec<_>>());
    Spent { cpu: of(|one| one.cpu), wall: of(|one| one.wall), memory: of(|one| one.memory) }
}

/// What could not be measured is a dash.
fn shown((number, digits): (f64, usize)) -> String {
    if number.is_normal() { format!("{number:.digits$}") } else { "-".into() }
}

/// The heading of the rows.
pub const HEADING: &str = "                            CPU, ms: kmod  ours            wall, ms: kmod  ours            peak, MiB: \
                           kmod  ours            goal";

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, kmod, ours, goal: (measure, goal) } = self;
        let part = |kmod: f64, ours: f64, unit: f64| {
            let [kmod, ours, ratio] = [(kmod * unit, 1), (ours * unit, 1), (ours / kmod, 3)].map(shown);
            let ratio = if ratio == "-" { ratio } else { ratio + "x" };
            format!("{kmod:>9} {ours:>9} {ratio:>7}")
        };
        let parts = [
            part(kmod.cpu, ours.cpu, 1e3),
            part(kmod.wall, ours.wall, 1e3),
            part(kmod.memory, ours.memory, 1.0 / (1 << 20) as f64),
        ];
        let (word, reached) = match measure {
            Measure::Cpu => ("CPU", ours.cpu / kmod.cpu),
            Measure::Wall => ("wall", ours.wall / kmod.wall),
        };
        let verdict = if reached <= *goal { "met" } else { "MISSED" };
        write!(f, "{name:26} {}   {word} {goal}x: {verdict}", parts.join("   "))
    }
}
