//! `modrig cache`: what is kept, how much of it, and what of it may go.

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use anstream::println;
use clap::{Args, Subcommand};

use crate::{
    cache::{Cache, Entry, Limits, parse_size},
    error::Result,
    vm::saved,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show what each kind of entry takes on disk, and each saved guest
    List,
    /// Remove what modrig can make again by itself and nobody uses now: guests, kept guests, images
    Prune(PruneArgs),
    /// Compare every saved guest with the checksums taken when it was saved, and remove those that are damaged
    Verify,
}

#[derive(Debug, Args)]
pub(super) struct PruneArgs {
    /// How much of it may stay, longest unused first, such as 500M; 0 removes all of it
    /// [default: MODRIG_CACHE_LIMIT, or 4G]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    limit: Option<u64>,
    /// What nobody has used for so many days goes in any case
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    unused: u64,
}

pub(super) fn run(cache: &Cache, command: &Command) -> Result<ExitCode> {
    match command {
        Command::List => list(cache),
        Command::Prune(args) => prune(cache, args)?,
        Command::Verify => return Ok(verify(cache)),
    }
    Ok(ExitCode::SUCCESS)
}

fn list(cache: &Cache) {
    let entries = cache.entries();
    let mut kinds: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    for entry in &entries {
        let (count, bytes) = kinds.entry(&entry.kind).or_default();
        (*count, *bytes) = (*count + 1, *bytes + entry.bytes);
    }
    println!("{}", cache.root().display());
    for (kind, (count, bytes)) in kinds {
        println!("{kind:10} {count:5} {:8}", size(bytes));
    }
    for entry in entries.iter().filter(|entry| entry.kind == saved::KIND) {
        println!(
            "{} {} {:8} used {} ago  {}",
            entry.kind,
            &entry.key[..12],
            size(entry.bytes),
            since(entry.unused),
            about(cache, entry)
        );
    }
}

/// Whose guest it is.
fn about(cache: &Cache, entry: &Entry) -> String {
    let about = saved::about(&cache.root().join(&entry.kind).join(&entry.key));
    about.map_or_else(|why| why, |about| format!("{} on {}", about.release, about.machine))
}

fn prune(cache: &Cache, args: &PruneArgs) -> Result<()> {
    let bytes = args.limit.map_or_else(|| Limits::from_environment().map(|limits| limits.bytes), Ok)?;
    let pruned = cache.prune(&Limits { bytes, unused: Duration::from_secs(args.unused * 86400) });
    println!("removed: {} entries, {}", pruned.entries, size(pruned.bytes));
    Ok(())
}

fn verify(cache: &Cache) -> ExitCode {
    let guests: Vec<Entry> = cache.entries().into_iter().filter(|entry| entry.kind == saved::KIND).collect();
    let mut damaged = 0;
    for entry in &guests {
        let Err(why) = saved::verify(&cache.root().join(&entry.kind).join(&entry.key)) else { continue };
        let done = if cache.remove(&entry.kind, &entry.key) { "removed" } else { "in use" };
        println!("{} {}: {why}: {done}", entry.kind, &entry.key[..12]);
        damaged += 1;
    }
    println!("{} saved guests: {} are whole, {damaged} were not", guests.len(), guests.len() - damaged);
    ExitCode::from(if damaged == 0 { 0 } else { 3 })
}

fn size(bytes: u64) -> String {
    match bytes >> 20 {
        0 => format!("{} KiB", bytes >> 10),
        mebibytes => format!("{mebibytes} MiB"),
    }
}

fn since(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds < 120 => format!("{seconds} s"),
        seconds if seconds < 7200 => format!("{} min", seconds / 60),
        seconds if seconds < 2 * 86400 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86400),
    }
}
