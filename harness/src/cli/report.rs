//! `modrig report`: records become tables, pages and files.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anstream::{eprintln, print, println};
use clap::Args;

use crate::{
    error::Result,
    report::{Totals, collection::Collection, compare::Comparison, html, junit, markdown, terminal},
    whole,
};

/// Files to make of records.
#[derive(Debug, Args)]
pub(super) struct Outputs {
    /// Write one self-contained page: the matrix, with the evidence of each case
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write a summary, as CI systems show it beside a job
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write a JUnit file: a suite for each kernel, a test for each scenario
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write all records as one file, which `modrig report` reads, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Outputs {
    /// Writes those files that were asked for, and says so.
    pub(super) fn write(&self, collection: &Collection) -> Result<()> {
        let make = |file: &Option<PathBuf>, text: &dyn Fn() -> Result<String>| -> Result<()> {
            let Some(file) = file else { return Ok(()) };
            write_and_say(file, text()?.as_bytes())
        };
        make(&self.html, &|| html::report(collection))?;
        make(&self.markdown, &|| Ok(markdown::report(collection)))?;
        make(&self.junit, &|| junit::report(&collection.records))?;
        make(&self.json, &|| collection.to_json())
    }

    fn is_none(&self) -> bool {
        self.files().next().is_none()
    }

    fn has_stdout(&self) -> bool {
        self.files().any(|file| whole::is_stdout(file))
    }

    fn files(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.html, &self.markdown, &self.junit, &self.json].into_iter().flatten()
    }
}

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// Directories of records, which are merged: of two records of one case the newer one counts
    #[arg(value_name = "DIR", default_value = "target/modrig/records")]
    places: Vec<PathBuf>,
    #[command(flatten)]
    outputs: Outputs,
    /// Show what changed between two runs; only `--markdown` goes with it
    #[arg(long, num_args = 2, value_names = ["BEFORE", "AFTER"], conflicts_with_all = ["places", "html", "junit", "json"])]
    compare: Vec<PathBuf>,
}

/// Shows or writes what was asked for. The exit code is that of a run with these cases, and 3 where files could not
/// be read.
pub(super) fn run(args: &ReportArgs) -> Result<ExitCode> {
    if let [before, after] = &*args.compare {
        return compare(before, after, args.outputs.markdown.as_ref());
    }
    let collection = read(&args.places)?;
    let totals = Totals::of(&collection.records);
    if args.outputs.is_none() {
        print!("{}", terminal::matrix(&[], &collection.records));
    } else if !args.outputs.has_stdout() {
        print!("{}", terminal::totals(&collection.records));
    }
    if !args.outputs.has_stdout() && collection.replaced > 0 {
        println!("older records that gave way to newer ones of the same case: {}", collection.replaced);
    }
    args.outputs.write(&collection)?;
    Ok(worst(totals.exit_code(), &[&collection]))
}

fn compare(before: &PathBuf, after: &PathBuf, markdown: Option<&PathBuf>) -> Result<ExitCode> {
    let (before, after) = (read(std::slice::from_ref(before))?, read(std::slice::from_ref(after))?);
    let comparison = Comparison::of(&before, &after);
    if !markdown.is_some_and(|file| whole::is_stdout(file)) {
        print!("{}", comparison.text());
    }
    if let Some(file) = markdown {
        write_and_say(file, comparison.markdown().as_bytes())?;
    }
    Ok(worst(comparison.exit_code(), &[&before, &after]))
}

/// Writes a file that the user asked for, and says so, but not behind what has gone to standard output.
pub(super) fn write_and_say(file: &Path, bytes: &[u8]) -> Result<()> {
    whole::write(file, bytes)?;
    if !whole::is_stdout(file) {
        println!("written: {}", file.display());
    }
    Ok(())
}

/// Reads records, and names what is not one.
fn read(places: &[PathBuf]) -> Result<Collection> {
    let collection = Collection::read(places)?;
    for refused in &collection.refused {
        eprintln!("modrig: not read: `{}`: {}", refused.file.display(), refused.why);
    }
    Ok(collection)
}

fn worst(code: u8, read: &[&Collection]) -> ExitCode {
    let unread = read.iter().any(|collection| !collection.refused.is_empty());
    ExitCode::from(if code == 0 && unread { 3 } else { code })
}
