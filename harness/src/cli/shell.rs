//! `modrig shell`: a prompt over the agent of a running guest.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use anstream::println;

use crate::{
    check::{Check, Stop},
    error::{Context as _, Error, Result},
    guest::Guest,
    machine::Machine,
    module,
    run::{Contents, Rig},
};

const HELP: &str = "\
Tools of the guest: insmod, rmmod, lsmod, modinfo, modprobe, depmod (as /sbin has them), and
  modules            names of the modules in the image; modprobe NAME loads one
  log                what the kernel has logged since the last time
  ls PATH, cat PATH  look around
  write PATH TEXT    one write, as for files in /proc and /sys
  exit               ends the guest";

/// Boots (or restores) a kernel and obeys lines from standard input until it ends.
pub(super) fn run(rig: &Rig, kernel: &str) -> Result<()> {
    // All sources, not only those that scenarios use: a person may want any of them.
    let modules: Vec<&str> = module::SOURCES.iter().map(|(name, _)| *name).collect();
    let prepared =
        rig.prepare_with(kernel, Machine::DEFAULT, &Contents { modules: &modules, ..Contents::default() })?;
    let vm = prepared.guest.restore(&rig.host).map_err(crate::vm::Trouble::into_error)?;
    println!("{} is yours; `help` says what it understands", vm.release());
    let mut guest = Guest::new(vm);
    let mut shown = 0;
    while let Some(line) = prompt(kernel)? {
        guest.restart_watch();
        let words: Vec<&str> = line.split_whitespace().collect();
        let result = match &words[..] {
            [] => Ok(()),
            ["exit" | "quit"] => break,
            words => obey(&mut guest, words, &mut shown),
        };
        match result {
            Ok(()) => {}
            Err(Stop::Failed { why, log }) if log.is_empty() => println!("{why}"),
            Err(Stop::Skipped(why)) => println!("{why}"),
            // The guest died: there is nothing left to prompt for.
            Err(Stop::Failed { why, log }) => return Err(Error::new(format!("{why}; the end of its log:\n{log}"))),
            Err(Stop::Broken(error)) => return Err(error),
        }
    }
    guest.power_off().map_err(crate::vm::Trouble::into_error)
}

fn prompt(kernel: &str) -> Result<Option<String>> {
    if io::stdin().is_terminal() {
        print!("{kernel}> ");
        io::stdout().flush().context(|| "cannot write the prompt")?;
    }
    io::stdin().lock().lines().next().transpose().context(|| "cannot read a command")
}

fn obey(guest: &mut Guest, words: &[&str], shown: &mut usize) -> Check {
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
