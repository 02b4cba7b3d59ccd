//! `modrig fuzz`: campaigns against the kernel's loader.

use std::{path::PathBuf, process::ExitCode, thread, time::Duration};

use anstream::println;
use clap::{Args, Subcommand};

use crate::{
    error::{Error, Result},
    fuzz::{Campaign, Now, Options, case::Region, judge::Class, state::State},
    run::Rig,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Load broken modules into a kernel, and hold its answers against ours
    Kernel(KernelArgs),
}

#[derive(Debug, Args)]
pub(super) struct KernelArgs {
    /// The kernel: a name from `modrig kernels list`, a bzImage, a vmlinux or a built tree
    #[arg(short, long, value_name = "KERNEL")]
    kernel: String,
    /// What of the modules is broken
    #[arg(long, value_enum, default_value = "any")]
    region: Region,
    /// For how long, such as `90s`, `10m`, `2h`
    #[arg(long, value_name = "TIME", value_parser = time)]
    time: Option<Duration>,
    /// How many cases; without this and --time, a minute's
    #[arg(long, value_name = "N")]
    cases: Option<u64>,
    /// From which, with its number, each case follows
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many guests run at once [default: one for each processor]
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// The campaign's folder [default: target/modrig/fuzz/KERNEL-REGION-SEED]
    #[arg(long, value_name = "DIR")]
    place: Option<PathBuf>,
    /// Go on with the campaign in that folder
    #[arg(long = "continue")]
    go_on: bool,
}

/// `90`, `90s`, `10m` or `2h`.
fn time(text: &str) -> Result<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => 0,
    };
    match number.parse::<u64>() {
        Ok(number) if number > 0 && unit > 0 => Ok(Duration::from_secs(number.saturating_mul(unit))),
        _ => Err(Error::usage(format!("`{text}` is no time such as 90s, 10m or 2h"))),
    }
}

pub(super) fn run(rig: &Rig, command: &Command) -> Result<ExitCode> {
    match command {
        Command::Kernel(args) => kernel(rig, args),
    }
}

fn kernel(rig: &Rig, args: &KernelArgs) -> Result<ExitCode> {
    let no_end = Duration::from_secs(u64::from(u32::MAX));
    let time = args.time.unwrap_or(if args.cases.is_some() { no_end } else { Duration::from_secs(60) });
    let folder = format!("{}-{}-{}", args.kernel.replace('/', "_"), args.region, args.seed);
    let options = Options {
        kernel: args.kernel.clone(),
        region: args.region,
        seed: args.seed,
        time,
        cases: args.cases.unwrap_or(u64::MAX / 2),
        workers: args.workers.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)),
        place: args.place.clone().unwrap_or_else(|| PathBuf::from("target/modrig/fuzz").join(folder)),
        go_on: args.go_on,
    };
    let mut campaign = Campaign::prepare(rig, options)?;
    let bar = rig.store.progress.spinner("");
    let state = campaign.run(|now| {
        bar.set_message(match now {
            Now::Cases(state) => line(state),
            Now::Alone(left) => format!("{left} cases once more, each alone"),
        });
    });
    bar.finish_and_clear();
    let state = state?;
    println!("{}", line(&state));
    for (key, entry) in &state.tally.entries {
        println!("{:8} {:8} {key}", entry.count, entry.index);
    }
    Ok(ExitCode::SUCCESS)
}

/// `61234 cases, 1233/s; agree-accept 3 ...; 4 crashes; restores 12, 45 ms`.
fn line(state: &State) -> String {
    let classes: Vec<String> = Class::ALL
        .iter()
        .map(|class| (class.name(), state.tally.of(*class)))
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    let restores: u64 = state.restores.values().sum();
    format!(
        "{} cases, {:.0}/s; {}; {} crash titles; {restores} restores, {} ms",
        state.tally.cases(),
        state.rate(),
        classes.join(", "),
        state.tally.crashes().len(),
        state.restore_ms().unwrap_or_default(),
    )
}
