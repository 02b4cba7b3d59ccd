//! `modrig bench`: what boots, cases and module tools cost.

use std::process::ExitCode;

use anstream::println;
use clap::{Subcommand, ValueEnum as _};

use super::{Global, columns, select};
use crate::{
    bench::{boot, case, guidance, median, memory, modutils},
    error::Result,
    fuzz::{self, case::Region},
    machine::Machine,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Cold boot to Ready, and restore to the first answer, beside the fastest bare boot
    Boot {
        /// Kernels to measure; all of the matrix when none is given
        #[arg(short, long = "kernel", value_name = "KERNEL", value_delimiter = ',')]
        kernels: Vec<String>,
        /// How often each way
        #[arg(short = 'n', long, default_value_t = 5)]
        rounds: usize,
    },
    /// Memory of each case at its peak, and saved guests on disk; exit code 1 above 400 MB for a case or 150 MB for a
    /// kernel's guests
    Memory {
        /// Kernels to measure; all of the matrix when none is given
        #[arg(short, long = "kernel", value_name = "KERNEL", value_delimiter = ',')]
        kernels: Vec<String>,
        /// Only these scenarios: parts of `group::name`
        filters: Vec<String>,
    },
    /// One isolated case from the start of `modrig` to its verdict, beside the same case on a guest booted for it
    Case {
        /// Kernels to measure; all of the matrix when none is given
        #[arg(short, long = "kernel", value_name = "KERNEL", value_delimiter = ',')]
        kernels: Vec<String>,
        /// How often each way
        #[arg(short = 'n', long, default_value_t = 11)]
        rounds: usize,
    },
    /// Guided campaigns beside unguided ones, as many cases each: how much of the loader they reach
    Guidance {
        /// A kernel with KCOV
        #[arg(short, long, value_name = "KERNEL", default_value = "6.12-kasan")]
        kernel: String,
        /// What of the modules is broken
        #[arg(long, value_enum, default_value = "any")]
        region: Region,
        /// How many cases each
        #[arg(long, value_name = "N", default_value_t = 1024)]
        cases: u64,
        /// How many seeds, from 1 on
        #[arg(short = 'n', long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=guidance::ROUNDS_MAX))]
        rounds: u64,
    },
    /// Our module tools beside the real kmod, on all modules of a kernel
    Modutils {
        /// How often each
        #[arg(short = 'n', long, default_value_t = 5)]
        rounds: usize,
        /// Only these: parts of a row's name
        filters: Vec<String>,
    },
}

pub(super) fn run(global: &Global, command: &Command) -> Result<ExitCode> {
    match command {
        Command::Modutils { rounds, filters } => {
            println!("median of {rounds}\n{}", modutils::HEADING);
            modutils::run(&global.store()?, *rounds, filters, |row| println!("{row}"))?;
        }
        Command::Memory { kernels, filters } => return global.bench_memory(kernels, filters),
        Command::Case { kernels, rounds } => global.bench_case(kernels, *rounds)?,
        Command::Guidance { kernel, region, cases, rounds } => {
            global.bench_guidance(kernel, *region, *cases, *rounds)?;
        }
        Command::Boot { kernels, rounds } => global.bench_boot(kernels, *rounds)?,
    }
    Ok(ExitCode::SUCCESS)
}

impl Global {
    fn bench_memory(&self, kernels: &[String], filters: &[String]) -> Result<ExitCode> {
        let (rig, scenarios) = (self.rig()?, select(filters)?);
        println!("MB at the peak of the most expensive case\n{}", memory::HEADING);
        let mut within = true;
        for name in columns(&rig.catalog, kernels)? {
            let row = memory::kernel(&rig, &name, &scenarios)?;
            println!("{row}");
            within &= row.is_within_limits();
        }
        Ok(ExitCode::from(u8::from(!within)))
    }

    fn bench_case(&self, kernels: &[String], rounds: usize) -> Result<()> {
        let accel = self.accel.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let mut options = vec![format!("--accel={accel}")];
        options.extend(self.cache.iter().map(|cache| format!("--cache={}", cache.display())));
        options.extend(self.catalog.iter().map(|list| format!("--kernels={}", list.display())));
        println!("{}, as a whole process: median of {rounds}, the least, CPU; a boot in copies", case::CASE);
        println!("{}", case::HEADING);
        for name in columns(&self.catalog()?, kernels)? {
            println!("{}", case::row(&name, &case::runs(&name, &options, rounds)?));
        }
        Ok(())
    }

    fn bench_guidance(&self, kernel: &str, region: Region, cases: u64, rounds: u64) -> Result<()> {
        let rig = self.rig()?;
        let mut options = fuzz::Options::new(kernel, region);
        options.cases = cases;
        println!("{kernel}, {region}, {cases} cases each\n{}", guidance::HEADING);
        let mut pairs = Vec::new();
        for seed in 1..=rounds {
            options.seed = seed;
            let pair = guidance::pair(&rig, &options)?;
            println!("{}", guidance::row(&pair));
            pairs.push(pair);
        }
        println!("{}", guidance::summary(&pairs));
        Ok(())
    }

    fn bench_boot(&self, kernels: &[String], rounds: usize) -> Result<()> {
        let rig = self.rig()?;
        println!("seconds, median of {rounds} (ratio to bare)");
        println!("{:8} {:>8} {:>16} {:>16}", "kernel", "bare", "ready", "restore+answer");
        for name in columns(&rig.catalog, kernels)? {
            let prepared = rig.prepare(&name, Machine::DEFAULT)?;
            let boots = boot::boots(&rig.host, &prepared, rounds)?;
            let [bare, ready, restore] = [&boots.bare, &boots.ready, &boots.restore].map(|times| median(times));
            println!("{name:8} {bare:8.3} {ready:8.3} ({:4.2}x) {restore:8.3} ({:4.2}x)", ready / bare, restore / bare);
        }
        Ok(())
    }
}
