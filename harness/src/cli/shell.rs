//! `modrig shell`: a prompt over the agent of a running guest, be it new or one that a case has left.

use std::{
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    path,
};

use anstream::println;

use super::select_one;
use crate::{
    cache::Cache,
    check::{Check, Stop},
    error::{Context as _, Error, Result},
    guest::Guest,
    kept,
    machine::Machine,
    module,
    report::{Record, Verdict, terminal},
    run::{Contents, Rig},
    scenario::Scenario,
    vm::Trouble,
};

const HELP: &str = "\
Tools of the guest: insmod, rmmod, lsmod, modinfo, modprobe, depmod (as /sbin has them), and
  modules            names of the modules in the image; modprobe NAME loads one
  log                what the kernel has logged since the last time
  ls PATH, cat PATH  look around
  write PATH TEXT    one write, as for files in /proc and /sys
  dump FILE          the guest's memory and registers as an ELF core, for gdb or crash
  exit               ends the guest";

const HELP_DEAD: &str = "\
This guest does not answer any more. What is left of it:
  log                the kernel's log on the console
  dump FILE          its memory and registers as an ELF core, for gdb or crash
  exit               gives it up";

/// How many of a case's last steps are shown.
const STEPS: usize = 8;

/// Boots (or restores) a kernel and obeys lines from standard input until it ends.
pub(super) fn run(rig: &Rig, kernel: &str) -> Result<()> {
    // All sources, not only those that scenarios use: a person may want any of them.
    let modules: Vec<&str> = module::SOURCES.iter().map(|(name, _)| *name).collect();
    let prepared =
        rig.prepare_with(kernel, Machine::DEFAULT, &Contents { modules: &modules, ..Contents::default() })?;
    let vm = prepared.guest.restore_to_keep(&rig.host).map_err(Trouble::into_error)?;
    println!("{} is yours; `help` says what it understands", vm.release());
    Session { guest: Guest::new(vm), alive: true, shown: 0 }.talk(kernel)
}

/// Goes back to the guest of a case: the kept one, else one in which the case is run again.
pub(super) fn resume(rig: &Rig, case: &str, again: bool) -> Result<()> {
    let (kernel, path) = kept::parts(case)?;
    let scenario = select_one(path)?;
    let (record, mut guest) = match if again { None } else { reopen(rig, case, scenario)? } {
        Some(found) => found,
        None => run_again(rig, kernel, scenario)?,
    };
    println!("{}", terminal::story(&record).trim_start());
    let steps = &record.steps[record.steps.len().saturating_sub(STEPS)..];
    if !steps.is_empty() {
        println!("last steps:");
    }
    for step in steps {
        println!("     {} {}", step.action, step.result);
    }
    guest.vm().forgive();
    let alive = !guest.vm().has_ended() && guest.vm().catch_up().is_ok();
    match alive {
        true => println!("{} is yours as the case left it; `help` says what it understands", guest.release()),
        false => println!("{HELP_DEAD}"),
    }
    guest.vm().forgive();
    Session { guest, alive, shown: 0 }.talk(kernel)
}

/// Shows what is kept.
pub(super) fn list(cache: &Cache) {
    let all = kept::all(cache);
    for kept::Kept { record, .. } in &all {
        let resume = record.resume.as_deref().unwrap_or_default();
        println!("{}  {}  {resume}", record.ended.format("%Y-%m-%d %H:%M"), record.verdict.word());
    }
    if all.is_empty() {
        println!("no guest is kept; `modrig run --keep` keeps those of failing cases");
    }
}

fn reopen(rig: &Rig, case: &str, scenario: &Scenario) -> Result<Option<(Record, Guest)>> {
    let Some(kept) = kept::find(&rig.store.cache, case, &rig.tools.name()) else { return Ok(None) };
    let say = |text: String| rig.store.progress.say(text);
    match kept.reopen(&rig.host, scenario.machine) {
        Ok(guest) => {
            say(format!("{case}: the guest that was kept at {}", kept.record.ended.format("%Y-%m-%d %H:%M:%S UTC")));
            Ok(Some((kept.record, guest)))
        }
        Err(error) => {
            crate::interrupt::check()?;
            say(format!("{case}: {}", error.chain()));
            Ok(None)
        }
    }
}

fn run_again(rig: &Rig, kernel: &str, scenario: &Scenario) -> Result<(Record, Guest)> {
    let prepared = Ok(rig.prepare(kernel, scenario.machine)?);
    rig.store.progress.say(format!("{kernel}::{}: run again", scenario.path()));
    let (record, guest) = rig.case_with_guest(kernel, &prepared, scenario);
    match (guest, &record.verdict) {
        (Some(guest), _) => Ok((record, guest)),
        (None, Verdict::Skipped { why }) => {
            Err(Error::nothing_selected(format!("{} does not run here: {why}", record.path())))
        }
        (None, Verdict::Broken { why, .. }) => Err(Error::new(why)),
        (None, _) => Err(Error::new(format!("{} has left no guest", record.path()))),
    }
}

/// A guest, and what its user has seen of it.
struct Session {
    guest: Guest,
    alive: bool,
    /// Records of the kernel's log.
    shown: usize,
}

impl Session {
    /// Obeys until the input ends. A guest that dies meanwhile is an error, but can be looked at first.
    fn talk(mut self, kernel: &str) -> Result<()> {
        let mut died = None;
        while let Some(line) = prompt(kernel)? {
            self.guest.restart_watch();
            let words: Vec<&str> = line.split_whitespace().collect();
            let result = match &words[..] {
                [] => Ok(()),
                ["exit" | "quit"] => break,
                ["dump", file] => self.dump(file),
                words if self.alive => self.obey(words),
                words => self.show(words),
            };
            match result {
                Ok(()) => {}
                Err(Stop::Failed { why, log }) if log.is_empty() => println!("{why}"),
                Err(Stop::Skipped(why)) => println!("{why}"),
                Err(Stop::Failed { why, log }) => {
                    println!("{why}\n{HELP_DEAD}");
                    self.alive = false;
                    died = Some(Error::new(format!("{why}; the end of its log:\n{log}")));
                }
                Err(Stop::Broken(error)) => return Err(error),
            }
        }
        match died {
            Some(error) => Err(error),
            None if self.alive => self.guest.power_off().map_err(Trouble::into_error),
            None => Ok(()),
        }
    }

    fn dump(&mut self, file: &str) -> Check {
        let file = path::absolute(file).context(|| format!("cannot write to `{file}`"))?;
        self.guest.vm().dump(&file)?;
        println!("written: {}", file.display());
        Ok(())
    }

    /// What can be done with a guest that does not answer.
    fn show(&self, words: &[&str]) -> Check {
        match words {
            ["log"] => print_lines(&self.guest.console_text()),
            _ => println!("{HELP_DEAD}"),
        }
        Ok(())
    }

    fn obey(&mut self, words: &[&str]) -> Check {
        let Self { guest, shown, .. } = self;
        match words {
            ["help"] => println!("{HELP}"),
            ["modules"] => {
                for (name, _) in module::SOURCES {
                    println!("{name}");
                }
            }
            ["log"] => {
                let log = guest.log()?;
                log[*shown..].iter().for_each(|record| println!("{record}"));
                *shown = log.len();
            }
            ["ls", path] => guest.list(path)?.iter().for_each(|name| println!("{name}")),
            ["cat", path] => print!("{}", guest.read(path)?),
            ["write", path, text @ ..] => guest.write(path, &text.join(" "))?,
            [tool, args @ ..] => {
                let ran = guest.run(tool, args)?;
                print!("{}", ran.stdout());
                eprint!("{}", ran.stderr());
            }
            [] => {}
        }
        Ok(())
    }
}

fn print_lines(text: &str) {
    text.lines().for_each(|line| println!("{line}"));
}

fn prompt(kernel: &str) -> Result<Option<String>> {
    if io::stdin().is_terminal() {
        print!("{kernel}> ");
        io::stdout().flush().context(|| "cannot write the prompt")?;
    }
    io::stdin().lock().lines().next().transpose().context(|| "cannot read a command")
}
