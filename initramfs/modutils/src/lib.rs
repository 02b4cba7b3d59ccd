//! The module tools as a library.
//!
//! One file for each tool; below them, from the arguments to the kernel: [`getopt`] and [`log`] are what a user
//! meets, [`tree`] and [`config`] what is known about modules, [`lookup`] and [`plan`] what follows from it,
//! [`kernel`], [`state`], [`load`] and [`sys`] the kernel. Behaviour, messages and exit codes are kmod 34's.

pub mod compress;
pub mod config;
pub mod depmod;
pub mod explain;
#[cfg(test)]
mod fake;
pub mod getopt;
pub mod index;
pub mod insmod;
pub mod json;
pub mod kernel;
pub mod kmsg;
pub mod load;
pub mod log;
pub mod lookup;
pub mod lsmod;
pub mod mapped;
pub mod modinfo;
pub mod modprobe;
pub mod params;
pub mod plan;
pub mod rmmod;
pub mod state;
pub mod sys;
pub mod tree;

use std::io::Write as _;

use crate::{
    getopt::Spec,
    log::{Log, Priority},
};

/// A tool's name, and its function from arguments to exit code.
type Entry = (&'static str, fn(&Tool, Vec<String>) -> u8);

const TOOLS: &[Entry] = &[
    ("insmod", insmod::run),
    ("rmmod", rmmod::run),
    ("lsmod", lsmod::run),
    ("modinfo", modinfo::run),
    ("modprobe", modprobe::run),
    ("depmod", depmod::run),
];

/// The name a tool goes by.
pub struct Tool {
    name: &'static str,
    /// As the program was started: getopt's messages begin with it, all others with the name.
    program: String,
}

/// Runs the tool that the first argument's last component names, or the second argument where that is no
/// tool's name. Gives the exit code: 0 or 1, nothing else.
pub fn run(arguments: Vec<String>) -> u8 {
    let mut arguments = arguments.into_iter();
    let mut program = arguments.next().unwrap_or_default();
    let mut found = find(&program);
    if found.is_none() {
        program = arguments.next().unwrap_or_default();
        found = find(&program);
    }
    match found {
        Some(&(name, tool)) => tool(&Tool { name, program }, arguments.collect()),
        None => {
            let names: Vec<_> = TOOLS.iter().map(|(name, _)| *name).collect();
            let _ = writeln!(std::io::stderr(), "modutils: call me as, or give me, one of: {}", names.join(", "));
            1
        }
    }
}

fn find(program: &str) -> Option<&'static Entry> {
    let name = program.rsplit('/').next()?;
    TOOLS.iter().find(|tool| tool.0 == name)
}

impl Tool {
    /// Messages under the tool's name.
    fn log(&self, level: Priority) -> Log {
        Log::new(self.name, level)
    }

    /// Reads the arguments; `take` gets each option's letter and value, empty where it has none. Gives the
    /// operands, or the exit code if there is nothing left to do.
    fn read(
        &self,
        spec: &Spec,
        help: &str,
        arguments: Vec<String>,
        mut take: impl FnMut(char, &str),
    ) -> Result<Vec<String>, u8> {
        let parsed = getopt::parse(spec, arguments);
        for (letter, value) in parsed.options {
            match letter {
                'V' => output(concat!("modutils version ", env!("CARGO_PKG_VERSION"), ", as kmod 34\n")),
                'h' => output(help),
                _ => {
                    take(letter, value.as_deref().unwrap_or_default());
                    continue;
                }
            }
            return Err(0);
        }
        if let Some(error) = parsed.error {
            let _ = writeln!(std::io::stderr(), "{}: {error}", self.program);
            return Err(1);
        }
        Ok(parsed.operands)
    }
}

/// Writes to standard output, and does not leave a rest for an exit handler that our `main` does not have. A
/// reader that has gone away is not an error of ours.
fn output(text: impl AsRef<[u8]>) {
    let mut stdout = std::io::stdout();
    let _ = stdout.write_all(text.as_ref()).and_then(|()| stdout.flush());
}
