//! `modrig behaviours`: the page of what holds on which kernel. `modrig list`: the same for a person at a terminal.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anstream::{print, println};
use clap::Args;

use super::select;
use crate::{
    behaviours::{page, results::Results, terminal},
    error::{Error, Result},
    kernel::Kernels,
    report::cases,
    scenarios, whole,
};

#[derive(Debug, Args)]
pub(super) struct BehavioursArgs {
    /// Take how cases ended from the records of a run; of those that it did not run, from harness/results.tsv
    #[arg(long, value_name = "DIR")]
    records: Option<PathBuf>,
    /// Write docs/behaviours.md, and with --records harness/results.tsv, of the source tree in this directory
    #[arg(long)]
    write: bool,
    /// Say which cases ended otherwise than harness/results.tsv has it; exit code 1 when any did
    #[arg(long, requires = "records", conflicts_with = "write")]
    check: bool,
}

/// Prints or writes the page, or compares a run with it.
pub(super) fn run(args: &BehavioursArgs) -> Result<ExitCode> {
    let committed = Results::embedded()?;
    let results = match &args.records {
        None => committed,
        Some(directory) if args.check => return check(&committed, &of(directory)?),
        Some(directory) => of(directory)?.completed_by(committed),
    };
    if !args.write {
        print!("{}", page::markdown(&results));
        return Ok(ExitCode::SUCCESS);
    }
    if args.records.is_some() {
        write("harness/results.tsv", &results.text(scenarios::all().map(crate::scenario::Scenario::path)))?;
    }
    write("docs/behaviours.md", &page::markdown(&results))?;
    Ok(ExitCode::SUCCESS)
}

fn of(directory: &Path) -> Result<Results> {
    let kernels = Kernels::embedded()?;
    Results::of_records(directory, kernels.columns().map(str::to_owned))
}

fn check(committed: &Results, of_run: &Results) -> Result<ExitCode> {
    let otherwise: Vec<String> = of_run.otherwise_than(committed).collect();
    otherwise.iter().for_each(|line| println!("{line}"));
    println!("{} ended otherwise than harness/results.tsv has it", cases(otherwise.len()));
    Ok(ExitCode::from(u8::from(!otherwise.is_empty())))
}

fn write(path: &str, text: &str) -> Result<()> {
    let directory = Path::new(path).parent().unwrap_or_else(|| Path::new("."));
    if !directory.is_dir() {
        let error = Error::usage(format!("there is no directory `{}` to write `{path}` in", directory.display()));
        return Err(error.help("run it in the top directory of the source tree"));
    }
    whole::write(Path::new(path), text.as_bytes())?;
    println!("written: {path}");
    Ok(())
}

/// One line for each scenario; all that is known of those that are asked for.
pub(super) fn list(filters: &[String]) -> Result<()> {
    let results = Results::embedded()?;
    for scenario in select(filters)? {
        match filters {
            [] => println!("{:52} {}", scenario.path(), scenario.claim.statement),
            _ => println!("{}", terminal::details(scenario, &results)),
        }
    }
    Ok(())
}
