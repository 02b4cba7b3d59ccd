//! One bug, one target, one seed: libFuzzer from the target's seeds on, until it notices or its time is up.

use std::{
    fs::{self, File},
    io,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use crate::{bugs::Bug, results::Row};

/// What a process gets that has used up its CPU time.
const SIGXCPU: i32 = 24;

/// What a campaign needs.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// The program made from the [`crate::tree`].
    pub program: PathBuf,
    /// The folder `fuzz` with corpora and dictionaries.
    pub fuzz: PathBuf,
    /// Where inputs and logs go.
    pub scratch: PathBuf,
    /// CPU time after which a campaign ends.
    pub limit: Duration,
}

impl Campaign {
    /// Runs the bug's target with the bug switched on.
    ///
    /// # Errors
    /// The program cannot be run, or it failed for another reason than the bug.
    pub fn run(&self, number: usize, bug: &Bug, seed: u32) -> io::Result<Row> {
        let folder = self.scratch.join(bug.name);
        let (found, seeds) = (folder.join("found"), folder.join("seeds"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&found)?;
        self.copy_seeds(bug.target, &seeds)?;
        let log = folder.join("log");
        let mut command = self.command(bug.target);
        command.args([&found, &seeds]).arg(format!("-seed={}", seed + 1));
        command.arg(format!("-artifact_prefix={}/", folder.display()));
        command.env("MODRIG_BUG", number.to_string()).env("MODRIG_TARGET", bug.target);
        let before = children_time()?;
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?).status()?;
        let used = children_time()? - before;
        let text = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        let has_found = text.contains("SUMMARY: ");
        let row = Row {
            bug: bug.name.to_owned(),
            seed,
            reached: canary(&text, "reached"),
            triggered: canary(&text, "triggered"),
            detected: has_found.then_some(used),
        };
        let is_over = status.signal() == Some(SIGXCPU);
        if !has_found && !is_over || has_found && row.triggered.is_none() {
            let why = format!("{}: ended ({status}), and not by the bug: see {}", bug.name, log.display());
            return Err(io::Error::other(why));
        }
        Ok(row)
    }

    /// The program for a target, within its limits.
    fn command(&self, target: &str) -> Command {
        let mut command = Command::new("prlimit");
        // At the first of the two numbers the kernel sends a signal that ends the program, at the second it kills it.
        let seconds = self.limit.as_secs().max(1);
        command.arg(format!("--cpu={seconds}:{}", seconds + 5)).arg(&self.program);
        command.args(["-rss_limit_mb=1024", "-malloc_limit_mb=256", "-timeout=10"]);
        command.args(options(target));
        let dictionary = self.fuzz.join("dictionaries").join(target).with_extension("dict");
        if dictionary.exists() {
            command.arg(format!("-dict={}", dictionary.display()));
        }
        // As in `ci/fuzz`; and what is symbolised would count as CPU time, too.
        let options = "detect_stack_use_after_return=0:detect_leaks=0:malloc_context_size=0:symbolize=0";
        command.env("ASAN_OPTIONS", options).env("RUST_BACKTRACE", "0");
        command
    }

    /// Only what our writers wrote: what earlier campaigns found would give the answers away.
    fn copy_seeds(&self, target: &str, to: &Path) -> io::Result<()> {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(self.fuzz.join("corpus").join(target))? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with("seed-") {
                fs::copy(entry.path(), to.join(entry.file_name()))?;
            }
        }
        Ok(())
    }
}

/// As in `ci/fuzz`, where it says why.
fn options(target: &str) -> &'static [&'static str] {
    match target {
        "elf" | "modinfo" | "symbols" | "param" | "edit" | "signature" | "module" => &["-max_len=16384"],
        _ => &["-max_len=512", "-use_counters=0"],
    }
}

/// When the canary was first heard, by the CPU time of the thread that heard it.
fn canary(log: &str, what: &str) -> Option<Duration> {
    let rest = &log[log.find(&format!("canary {what} "))?..];
    rest.split_whitespace().nth(2)?.parse().ok().map(Duration::from_nanos)
}

/// CPU time of all children that have ended.
fn children_time() -> io::Result<Duration> {
    // Of /proc/PID/stat (proc(5)): fields 16 and 17, counted behind the name, in ticks of which Linux has 100 a second.
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(13).take(2);
    let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(10 * ticks))
}
