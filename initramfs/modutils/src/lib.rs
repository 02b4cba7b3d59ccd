//! The module tools as a library.
//!
//! One file for each tool, and one for the name [`kmod`] that they share; below them, from the arguments to the kernel: [`getopt`] and [`log`] are what a user
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
pub mod kmod;
pub mod kmsg;
pub mod load;
pub mod log;
pub mod lookup;
pub mod lsmod;
pub mod mapped;
pub mod modinfo;
pub mod modprobe;
mod nearest;
pub mod params;
pub mod plan;
pub mod rmmod;
pub mod state;
pub mod sys;
pub mod tree;

use std::{
    ffi::{OsStr, OsString},
    io::Write as _,
    os::unix::ffi::OsStrExt as _,
};

use crate::{
    getopt::{Order, Parsed, Spec},
    log::{Log, Priority},
};

/// A tool's name, and its function from arguments to exit code.
type Entry = (&'static str, fn(&Tool, Vec<OsString>) -> u8);

const TOOLS: &[Entry] = &[
    ("insmod", insmod::run),
    ("rmmod", rmmod::run),
    ("lsmod", lsmod::run),
    ("modinfo", modinfo::run),
    ("modprobe", |tool, arguments| with_texts(tool, arguments, modprobe::run)),
    ("depmod", |tool, arguments| with_texts(tool, arguments, depmod::run)),
    ("kmod", kmod::run),
];

/// The first line is what scripts look into for kmod's version: they take the first number, or the third word.
/// The second says what can be unpacked, and that signatures are read without OpenSSL.
const VERSION: &str =
    concat!("kmod version 34.2 (modrig modutils ", env!("CARGO_PKG_VERSION"), ")\n+ZSTD +XZ +ZLIB -OPENSSL\n");

/// The name a tool goes by.
pub struct Tool {
    name: &'static str,
    /// As the program was started: getopt's messages begin with it, all others with the name.
    program: OsString,
}

/// The program's own name. Under it, the tool is the next argument.
const OWN_NAME: &[u8] = b"modutils";

/// Runs the tool whose name the program was started under. Gives the exit code: 0 or 1, nothing else. Like kmod, it
/// has nothing to say under a name that means nothing.
pub fn run(arguments: Vec<OsString>) -> u8 {
    let mut arguments = arguments.into_iter();
    let mut program = arguments.next().unwrap_or_default();
    let is_own_name = base_name(&program) == OWN_NAME;
    if is_own_name {
        program = arguments.next().unwrap_or_default();
    }
    match TOOLS.iter().find(|tool| tool.0.as_bytes() == base_name(&program)) {
        Some(&(name, tool)) => tool(&Tool { name, program }, arguments.collect()),
        None => {
            if is_own_name {
                let names: Vec<_> = TOOLS.iter().map(|(name, _)| *name).collect();
                complain(&[OWN_NAME, b": call me as, or give me, one of: ", names.join(", ").as_bytes(), b"\n"]);
            }
            1
        }
    }
}

fn base_name(path: &OsStr) -> &[u8] {
    path.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// Runs a tool that reads its arguments as text.
fn with_texts(tool: &Tool, arguments: Vec<OsString>, run: fn(&Tool, Vec<String>) -> u8) -> u8 {
    match arguments.into_iter().map(OsString::into_string).collect() {
        Ok(arguments) => run(tool, arguments),
        Err(argument) => {
            let parts = [b"argument '", argument.as_bytes(), b"' is not UTF-8."];
            tool.log(Priority::Error).error_bytes(&parts.map(|part: &[u8]| part));
            1
        }
    }
}

impl Tool {
    /// Messages under the tool's name.
    fn log(&self, level: Priority) -> Log {
        Log::new(self.name, level)
    }

    /// Reads the arguments; `take` gets each option's letter and value, empty where it has none. Gives the
    /// operands, or the exit code if there is nothing left to do.
    fn read_bytes(
        &self,
        spec: &Spec,
        help: &str,
        arguments: Vec<OsString>,
        mut take: impl FnMut(char, &OsStr),
    ) -> Result<Vec<OsString>, u8> {
        let posix = std::env::var_os("POSIXLY_CORRECT").is_some();
        let parsed = getopt::parse(spec, if posix { Order::OptionsFirst } else { Order::Any }, arguments);
        self.follow(parsed, |letter, value| {
            match letter {
                'V' => output(VERSION),
                'h' => output(help),
                _ => {
                    take(letter, value);
                    return Ok(());
                }
            }
            Err(0)
        })
    }

    /// As [`Tool::read_bytes`], for a tool whose arguments are text.
    fn read(
        &self,
        spec: &Spec,
        help: &str,
        arguments: Vec<String>,
        mut take: impl FnMut(char, &str),
    ) -> Result<Vec<String>, u8> {
        let arguments = arguments.into_iter().map(OsString::from).collect();
        let operands =
            self.read_bytes(spec, help, arguments, |letter, value| take(letter, &value.to_string_lossy()))?;
        Ok(operands.into_iter().map(|operand| operand.to_string_lossy().into_owned()).collect())
    }

    /// Hands on the options one by one until one says with which exit code to stop, or a mistake is reached.
    fn follow(
        &self,
        parsed: Parsed,
        mut take: impl FnMut(char, &OsStr) -> Result<(), u8>,
    ) -> Result<Vec<OsString>, u8> {
        for (letter, value) in parsed.options {
            take(letter, value.as_deref().unwrap_or_default())?;
        }
        let Some(error) = parsed.error else { return Ok(parsed.operands) };
        complain(&[self.program.as_bytes(), b": ", &error, b"\n"]);
        Err(1)
    }
}

/// Writes to standard error in one piece. Nobody is left to be told if that fails.
fn complain(parts: &[&[u8]]) {
    let _ = std::io::stderr().write_all(&parts.concat());
}

/// Writes to standard output, and does not leave a rest for an exit handler that our `main` does not have. A
/// reader that has gone away is not an error of ours.
fn output(text: impl AsRef<[u8]>) {
    let mut stdout = std::io::stdout();
    let _ = stdout.write_all(text.as_ref()).and_then(|()| stdout.flush());
}
