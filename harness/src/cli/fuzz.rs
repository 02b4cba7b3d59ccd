//! `modrig fuzz`: campaigns against the kernel's loader, single cases of them, and what they gave.

use std::{
    fmt::Write as _,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anstream::{eprintln, print, println};
use clap::{Args, Subcommand, value_parser};
use modrig_agent::slots::IMAGE_BYTES_MAX;
use modrig_fuzz::crashes::Crash;

use super::{Global, report::write_and_say};
use crate::{
    error::{Error, Result},
    fuzz::{
        Campaign, Now, Options, Setup,
        case::{CaseId, Region, Which},
        judge::{self, Class},
        keep,
        libkmod::Libkmod,
        report::Report,
        state::State,
    },
    progress::{self, Progress},
    report::cases,
    run::Rig,
    whole,
};

/// Where campaigns lie.
const PLACE: &str = "target/modrig/fuzz";

/// Where files that a loader died of are kept.
const KEPT: &str = "fuzz/regressions/kernel";

/// How often a line tells how far it is, where there is no terminal.
const LINE_PAUSE: Duration = Duration::from_secs(30);

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Load broken modules into a kernel, and hold its answers against those of `modinfo --check`. Exit code 1 when they show
    /// a bug of ours
    Kernel(KernelArgs),
    /// Show one case of a campaign, write its file, or run it again
    Case(CaseArgs),
    /// Load a file into a kernel as campaigns do, and show what the kernel makes of it
    Load(LoadArgs),
    /// Keep one file of each way in which a kernel's loader died, for `cargo test -p modrig-fuzz`
    Keep(KeepArgs),
    /// Make a report of campaigns, as Markdown when nothing else is asked for
    Report(ReportArgs),
}

#[derive(Debug, Args)]
pub(super) struct KernelArgs {
    /// The kernel: a name from `modrig kernels list`, a bzImage, a vmlinux or a built tree
    #[arg(short, long, value_name = "KERNEL")]
    kernel: String,
    /// What of the modules is broken
    #[arg(long, value_enum, default_value = "any")]
    region: Region,
    /// For how long, such as `90s`, `10m`, `2h` [default: 1m, if --cases is not given]
    #[arg(long, value_name = "TIME", value_parser = time)]
    time: Option<Duration>,
    /// How many cases, those of earlier runs included
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    cases: Option<u64>,
    /// What cases follow from: another number, other cases
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many guests run at once [default: one for each processor]
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// The campaign's folder [default: KERNEL-REGION-SEED in target/modrig/fuzz, with -guided behind it]
    #[arg(long, value_name = "DIR")]
    place: Option<PathBuf>,
    /// Go on with the campaign in that folder
    #[arg(long = "continue")]
    go_on: bool,
    /// Make cases of those that reached something new in the kernel's loader; takes a kernel with KCOV, such as 6.12-kasan
    #[arg(long)]
    guided: bool,
}

#[derive(Debug, Args)]
pub(super) struct CaseArgs {
    /// As reports name it: KERNEL/REGION/SEED/NUMBER, behind a colon the changes that are made, such as
    /// `6.1/headers/1/491:1`; or KERNEL/REGION/MODULE/CHANGES, such as `6.1/headers/accepted/12=max+7=0x40`
    case: CaseId,
    /// Write the module's file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Load it in a guest, and show what the kernel makes of it
    #[arg(long)]
    run: bool,
}

#[derive(Debug, Args)]
pub(super) struct LoadArgs {
    /// The kernel: a name from `modrig kernels list`, a bzImage, a vmlinux or a built tree
    #[arg(short, long, value_name = "KERNEL")]
    kernel: String,
    /// The module's file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct KeepArgs {
    /// Folders of campaigns, or folders that hold such
    #[arg(value_name = "DIR", default_value = PLACE)]
    places: Vec<PathBuf>,
    /// Where files and their table are kept; what is there stays
    #[arg(short, long, value_name = "DIR", default_value = KEPT)]
    output: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// Folders of campaigns, or folders that hold such
    #[arg(value_name = "DIR", default_value = PLACE)]
    places: Vec<PathBuf>,
    /// Write it as Markdown
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write it as a page of one file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
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
    match number.parse::<u32>() {
        Ok(number) if number > 0 && unit > 0 => Ok(Duration::from_secs(u64::from(number) * unit)),
        _ => Err(Error::usage(format!("`{text}` is no time such as 90s, 10m or 2h"))),
    }
}

pub(super) fn run(global: &Global, command: &Command) -> Result<ExitCode> {
    match command {
        Command::Kernel(args) => kernel(global, args),
        Command::Case(args) => case(global, args),
        Command::Load(args) => load(global, args),
        Command::Keep(args) => keep(global, args),
        Command::Report(args) => report(args),
    }
}

fn kernel(global: &Global, args: &KernelArgs) -> Result<ExitCode> {
    let (guided, words) = if args.guided { ("-guided", ", guided") } else { ("", "") };
    let name = format!("{}/{}/{}{words}", args.kernel, args.region, args.seed);
    let kernel = args.kernel.trim_start_matches(['.', '/']).replace('/', "_");
    let folder = format!("{kernel}-{}-{}{guided}", args.region, args.seed);
    let place = args.place.clone().unwrap_or_else(|| PathBuf::from(PLACE).join(folder));
    let mut options = Options::new(&args.kernel, args.region);
    (options.seed, options.guided, options.go_on, options.place) = (args.seed, args.guided, args.go_on, place.clone());
    options.cases = args.cases.unwrap_or(options.cases);
    options.workers = args.workers.unwrap_or(options.workers).max(1);
    if args.time.is_some() || args.cases.is_none() {
        options.time = args.time.unwrap_or(Duration::from_secs(60));
    }
    let rig = global.rig()?;
    let mut campaign = Campaign::prepare(&rig, options)?;
    let kept = |_: &Error| println!("kept in {}: go on with --continue", place.display());
    let state = campaign.run(display(&rig.store.progress, name)).inspect_err(kept)?;
    println!("{}\ncampaign: {}", summary(&state).join("\n"), place.display());
    let bugs = state.tally.entries.values().filter(|entry| entry.class.is_bug());
    for entry in bugs.clone() {
        println!(
            "{}: {}: we say {}, the kernel {}",
            entry.class.name(),
            state.case(&entry.first),
            entry.ours,
            entry.kernel
        );
    }
    for same in state.tally.readings.iter().filter(|same| same.reading.outcome().is_fault()) {
        println!("libkmod {}: {} cases, such as {}", same.reading, same.count(), state.case(&same.first));
    }
    Ok(ExitCode::from(u8::from(bugs.count() > 0)))
}

/// Shows a campaign's progress: on a terminal in a few lines that change, elsewhere in one now and then.
fn display(progress: &Progress, name: String) -> impl FnMut(Now<'_>) {
    let bar = progress.status(name.clone());
    let progress = progress.clone();
    let mut said = Instant::now();
    move |now| {
        let texts = match now {
            Now::Cases(state) => summary(state),
            Now::Alone(left) => vec![format!("{left} cases once more, each alone")],
        };
        if !bar.is_hidden() {
            bar.set_message(format!("{name}\n{}", folded(&texts, progress::columns())));
        } else if said.elapsed() >= LINE_PAUSE {
            progress.say(texts.join(": "));
            said = Instant::now();
        }
    }
}

/// `61234 cases, 1233/s; 4 ways to die; 12 restores of 45 ms`, `agree-accept 61000, ...`, `libkmod: took 61000, ...`, and
/// where the kernel tells `reached: 928 blocks in 96 functions`.
fn summary(state: &State) -> Vec<String> {
    let (ways, restores) = (state.tally.crashes().len(), state.restores.values().sum::<u64>());
    let ways = format!("{ways} way{} to die", if ways == 1 { "" } else { "s" });
    let total = format!(
        "{}, {:.0}/s; {ways}; {restores} restores of {} ms",
        cases(state.tally.cases() as usize),
        state.rate(),
        state.restore_ms().unwrap_or_default(),
    );
    let classes = Class::ALL.iter().map(|class| (class.name(), state.tally.of(*class)));
    let classes = classes.filter(|(_, count)| *count > 0).map(|(name, count)| format!("{name} {count}"));
    let libkmod = format!("libkmod: {}", state.tally.readings.counts(|_| true));
    let reached = state.coverage.iter().map(|coverage| format!("reached: {coverage}"));
    [total, classes.collect::<Vec<_>>().join(", "), libkmod].into_iter().chain(reached).collect()
}

/// Lines of at most so many columns that end behind a comma or a semicolon, each a little to the right.
fn folded(texts: &[String], columns: usize) -> String {
    let form = textwrap::Options::new(columns).initial_indent("  ").subsequent_indent("  ");
    let form = form.word_splitter(textwrap::WordSplitter::NoHyphenation);
    let fold = |text: &String| {
        let bound = text.replace(' ', "\u{a0}").replace(",\u{a0}", ", ").replace(";\u{a0}", "; ");
        textwrap::fill(&bound, &form).replace('\u{a0}', " ")
    };
    texts.iter().map(fold).collect::<Vec<_>>().join("\n")
}

fn case(global: &Global, args: &CaseArgs) -> Result<ExitCode> {
    let rig = global.rig()?;
    let setup = Setup::prepare(&rig, &args.case.kernel, args.case.region)?;
    let broken = setup.case(&args.case)?;
    let is_part = matches!(&args.case.which, Which::Number { only, .. } if !only.is_empty());
    if broken.labels.is_empty() && is_part {
        return Err(Error::usage(format!("{} changes nothing", args.case)).help("changes are counted from 0"));
    }
    // The words and the file go different ways.
    let to_stdout = args.output.as_deref().is_some_and(whole::is_stdout);
    let say = |text: String| if to_stdout { eprintln!("{text}") } else { println!("{text}") };
    say(format!("{}, {} bytes of {}", args.case, broken.image.len(), broken.base));
    broken.labels.iter().for_each(|label| say(format!("  {label}")));
    say(format!("we say: {}", judge::words(&setup.verdict(&broken.image))));
    if let Some(file) = &args.output {
        write_and_say(file, &broken.image)?;
    }
    if args.run {
        say(loaded(&rig, &setup, broken.image)?);
    }
    Ok(ExitCode::SUCCESS)
}

/// What libkmod and the kernel make of a file, and what the guest said if it died.
fn loaded(rig: &Rig, setup: &Setup<'_>, image: Vec<u8>) -> Result<String> {
    let mut text = String::new();
    if let Some(libkmod) = Libkmod::obtain_or_say(&rig.store)? {
        for reading in libkmod.reader().ask(&[&image])? {
            let _ = writeln!(text, "libkmod {}: {reading}", libkmod.version());
        }
    }
    let (answer, log) = setup.load(image)?;
    let _ = write!(text, "the kernel: {answer}\n{log}");
    Ok(text.trim_end().to_owned())
}

fn load(global: &Global, args: &LoadArgs) -> Result<ExitCode> {
    let image = read(&args.file)?;
    let rig = global.rig()?;
    let setup = Setup::prepare(&rig, &args.kernel, Region::Any)?;
    println!("we say: {}", judge::words(&setup.verdict(&image)));
    println!("{}", loaded(&rig, &setup, image)?);
    Ok(ExitCode::SUCCESS)
}

/// A file that fits into a slot.
fn read(file: &Path) -> Result<Vec<u8>> {
    let mut image = Vec::new();
    let opened = File::open(file);
    let read = opened.and_then(|file| file.take(IMAGE_BYTES_MAX as u64 + 1).read_to_end(&mut image));
    read.map_err(|cause| Error::usage(format!("cannot read `{}`", file.display())).because(cause))?;
    if image.len() > IMAGE_BYTES_MAX {
        let what = format!(
            "`{}` is larger than {} KB, and campaigns have no room for that",
            file.display(),
            IMAGE_BYTES_MAX >> 10
        );
        return Err(Error::usage(what).help("`strip --strip-debug` makes a module smaller that has debug information"));
    }
    Ok(image)
}

fn keep(global: &Global, args: &KeepArgs) -> Result<ExitCode> {
    let rig = global.rig()?;
    let kept = keep::keep(&rig, &State::read_all(&args.places)?, &args.output)?;
    for Crash { file, title, case, .. } in &kept.new {
        println!("{file}: {title}: {case}");
    }
    for campaign in &kept.outdated {
        println!("{campaign} is of guest modules as they were before: run it again");
    }
    println!("new files in {}: {}", args.output.display(), kept.new.len());
    Ok(ExitCode::SUCCESS)
}

fn report(args: &ReportArgs) -> Result<ExitCode> {
    let report = Report::of(&State::read_all(&args.places)?);
    if let Some(file) = &args.markdown {
        write_and_say(file, report.markdown().as_bytes())?;
    }
    if let Some(file) = &args.html {
        write_and_say(file, report.html()?.as_bytes())?;
    }
    if args.markdown.is_none() && args.html.is_none() {
        print!("{}", report.markdown());
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_the_terminal_and_end_behind_commas() {
        let texts =
            ["12 cases, 3/s; 4 ways to die; 5 restores of 6 ms".into(), "agree-accept 7, agree-reject 8".into()];
        let expected = "  12 cases, 3/s;\n  4 ways to die;\n  5 restores of 6 ms\n  agree-accept 7,\n  agree-reject 8";
        assert_eq!(folded(&texts, 23), expected);
    }
}
