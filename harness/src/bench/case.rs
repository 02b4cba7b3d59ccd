//! Measures one isolated case as a user starts it, a whole `modrig run`: on a private copy of the saved guest, and on a
//! guest that is booted for it, in turns.

use std::{env, path::Path, process::Command};

use super::median;
use crate::{
    error::{Context as _, Error, Result},
    interrupt,
    process::{self, Spent},
};

/// The case: it runs one tool and looks at what that prints.
pub const CASE: &str = "tools::lsmod_of_a_fresh_guest_is_a_heading";

/// What stands above the rows.
pub const HEADING: &str =
    "kernel        copy: wall      best       CPU        boot: wall      best       CPU    wall  CPU";

/// What each run took, one per round.
#[derive(Debug, Clone, Default)]
pub struct Runs {
    /// On a private copy.
    pub copy: Vec<Spent>,
    /// On a booted guest.
    pub boot: Vec<Spent>,
}

/// Runs the case on a kernel `rounds` times each way, with these further options of `modrig`.
///
/// # Errors
/// A run fails.
pub fn runs(kernel: &str, options: &[String], rounds: usize) -> Result<Runs> {
    let records = tempfile::tempdir().context(|| "cannot make a directory for records")?;
    let mut runs = Runs::default();
    // What is made once, such as the saved guest, is made now.
    run(kernel, options, records.path(), &[])?;
    for _ in 0..rounds {
        interrupt::check()?;
        runs.copy.push(run(kernel, options, records.path(), &[])?);
        runs.boot.push(run(kernel, options, records.path(), &["--cold"])?);
    }
    Ok(runs)
}

fn run(kernel: &str, options: &[String], records: &Path, how: &[&str]) -> Result<Spent> {
    let program = env::current_exe().context(|| "cannot find modrig's own program")?;
    let mut command = Command::new(program);
    command.args(["run", "--kernel", kernel, CASE, "--records"]).arg(records).args(how).args(options);
    let silent = || std::process::Stdio::null();
    command.stdin(silent()).stdout(silent()).stderr(silent());
    let (status, spent) = process::measured("modrig", command)?;
    if !status.success() {
        let how = how.join(" ");
        return Err(Error::new(format!("the case fails: modrig run --kernel {kernel} {CASE} {how}")));
    }
    Ok(spent)
}

/// One kernel's row: medians and the least of each way, then how many times more a boot takes.
pub fn row(kernel: &str, runs: &Runs) -> String {
    let wall = |spent: &[Spent]| spent.iter().map(|spent| spent.wall).collect::<Vec<_>>();
    let cpu = |spent: &[Spent]| median(&spent.iter().map(|spent| spent.cpu).collect::<Vec<_>>());
    let best = |walls: &[f64]| walls.iter().copied().fold(f64::INFINITY, f64::min);
    let (copy, boot) = (wall(&runs.copy), wall(&runs.boot));
    let columns = |walls: &[f64], cpu: f64| format!("{:8.3} s {:7.3} s {cpu:7.3} s", median(walls), best(walls));
    let (copy_cpu, boot_cpu) = (cpu(&runs.copy), cpu(&runs.boot));
    let (times, cpu_times) = (median(&boot) / median(&copy), boot_cpu / copy_cpu);
    let (copy, boot) = (columns(&copy, copy_cpu), columns(&boot, boot_cpu));
    format!("{kernel:10} {copy}      {boot}   {times:4.1}x {cpu_times:4.1}x")
}
