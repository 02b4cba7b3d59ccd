//! Runs the benchmark of seeded bugs: see `ci/fuzz bugs`, and docs/seeded-bugs.md for what it gives.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use modrig_seeded::{bugs, campaign::Campaign, page, results, tree};

const USAGE: &str = "\
usage: modrig-seeded tree DIRECTORY
       modrig-seeded run PROGRAM [--repeats N] [--limit CPU-SECONDS] [BUG...]
       modrig-seeded page";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["tree", directory] => tree::write(Path::new("."), Path::new(directory)),
        ["run", program, options @ ..] => run(program, options),
        ["page"] => write_page(),
        _ => Err(io::Error::other(USAGE)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

const RESULTS: &str = "fuzz/seeded/results.tsv";

/// All campaigns that have no result yet: first one of each bug, then a second of each.
fn run(program: &str, mut options: &[&str]) -> io::Result<()> {
    let (mut repeats, mut limit) = (10, 600);
    while let [option @ ("--repeats" | "--limit"), value, rest @ ..] = options {
        let value = value.parse().map_err(|_| io::Error::other(USAGE))?;
        *(if *option == "--repeats" { &mut repeats } else { &mut limit }) = value;
        options = rest;
    }
    if let Some(unknown) = options.iter().find(|name| bugs::all().all(|bug| bug.name != **name)) {
        return Err(io::Error::other(format!("there is no bug `{unknown}`; fuzz/seeded/src/bugs has them all")));
    }
    let campaign = Campaign {
        program: PathBuf::from(program),
        fuzz: PathBuf::from("fuzz"),
        scratch: PathBuf::from("target/seeded/campaigns"),
        limit: Duration::from_secs(limit),
    };
    let path = Path::new(RESULTS);
    let (known, mut failed) = (results::read(path)?, None);
    for seed in 0..repeats as u32 {
        for (at, bug) in bugs::all().enumerate().filter(|(_, bug)| options.is_empty() || options.contains(&bug.name)) {
            if known.iter().any(|row| row.bug == bug.name && row.seed == seed) {
                continue;
            }
            match campaign.run(at + 1, bug, seed) {
                Ok(row) => {
                    println!("{}", row.text());
                    results::add(path, &row)?;
                }
                // The others have nothing to do with it.
                Err(error) => {
                    eprintln!("{error}");
                    failed = Some(error);
                }
            }
        }
    }
    write_page()?;
    failed.map_or(Ok(()), Err)
}

fn write_page() -> io::Result<()> {
    fs::write("docs/seeded-bugs.md", page::page(&results::read(Path::new(RESULTS))?))
}
