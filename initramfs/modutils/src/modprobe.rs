//! `modprobe`: loads and unloads modules by name or alias, with what they depend on.

mod arguments;
mod insert;
mod remove;
mod show;

use std::{
    io::{BufWriter, Write},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

use crate::{
    Tool,
    config::{Config, DIRECTORIES},
    explain::Explainer,
    kernel::{Kernel, Running},
    log::{Failure, Log, Priority},
    lookup::{Module, lookup},
    params,
    state::InitState,
    tree::Tree,
};
use arguments::{Job, Options};

/// Output is collected up to here, bytes, unless something is done between two lines.
const OUT_BYTES: usize = 1 << 16;

/// Runs the tool; the exit code.
pub fn run(tool: &Tool, arguments: Vec<String>) -> u8 {
    let mut log = tool.log(Priority::Warning);
    let environment = std::env::var("MODPROBE_OPTIONS").unwrap_or_default();
    let (options, operands) = match arguments::read(tool, &environment, arguments, &mut log) {
        Ok(read) => read,
        Err(code) => return code,
    };
    if operands.is_empty() && options.job != Job::ShowConfig {
        log.error("missing parameters. See -h.");
        return 1;
    }
    let tree = Tree::of(options.root.as_deref(), options.release.as_deref());
    let (config, complaints) = match &options.config_paths[..] {
        [] => Config::read(DIRECTORIES, tree.directory()),
        paths => Config::read(paths, tree.directory()),
    };
    if library_heeds_errors(std::env::var("KMOD_LOG").ok().as_deref()) {
        for complaint in complaints {
            let _ = writeln!(std::io::stderr(), "libkmod: ERROR: {complaint}");
        }
    }
    let kernel = &mut Running::new(options.inherited.clone());
    let out = &mut BufWriter::with_capacity(OUT_BYTES, std::io::stdout());
    let explainer = &mut Explainer::new(options.explain, &log);
    let mut session = Session { tree: &tree, config: &config, options: &options, log: &log, explainer, kernel, out };
    let failed = session.run(&operands).is_err();
    // A reader that has gone away is no reason to call work failed that is done.
    let _ = session.out.flush();
    for damage in tree.damages() {
        log.write(Priority::Warning, damage);
    }
    failed.into()
}

/// Whether kmod's library prints errors before the tool has set its own level, which is when it reads the
/// configuration: `-q` comes too late for them. `KMOD_LOG` is a number of syslog's or the beginning of a name.
fn library_heeds_errors(level: Option<&str>) -> bool {
    let Some(level) = level else { return true };
    let text = level.trim_start();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let after = digits.trim_start_matches(|character: char| character.is_ascii_digit());
    if after.len() < digits.len() && !after.starts_with(|character: char| !character.is_ascii_whitespace()) {
        return text[..text.len() - after.len()].parse::<i32>().is_ok_and(|level| level >= Priority::Error as i32);
    }
    ["err", "info", "debug"].iter().any(|name| level.starts_with(name))
}

/// Everything a run works with.
struct Session<'a> {
    tree: &'a Tree,
    config: &'a Config,
    options: &'a Options,
    log: &'a Log,
    explainer: &'a mut Explainer,
    kernel: &'a mut dyn Kernel,
    out: &'a mut dyn Write,
}

impl Session<'_> {
    fn run(&mut self, operands: &[String]) -> Result<(), Failure> {
        match self.options.job {
            Job::ShowConfig => self.show_config(),
            Job::ShowModversions => operands.first().map_or(Ok(()), |file| self.show_versions(file, "modversions")),
            Job::ShowExports => operands.first().map_or(Ok(()), |file| self.show_versions(file, "symbols")),
            Job::Remove => each(operands, |operand| self.remove(operand)),
            Job::InsertAll => each(operands, |operand| self.insert(operand, None)),
            Job::Insert => match operands {
                [] => Ok(()),
                [operand] => self.insert(operand, None),
                [operand, parameters @ ..] => self.insert(operand, Some(params::join(parameters))),
            },
        }
    }

    /// The modules of a name; None if the name cannot be one.
    fn lookup(&self, name: &str) -> Option<Vec<Module>> {
        lookup(self.tree, self.config, name).ok()
    }

    /// Whether nothing has to be done to have a module. One that is only on its way does not count: the kernel
    /// is asked to load it again, waits for the first load, and then says that it exists or what went wrong.
    fn in_kernel(&self, module: &str) -> bool {
        self.tree.is_builtin(module) || self.kernel.state(module) == Some(InitState::Live)
    }

    /// Gives up with a message; fatal, unless every operand is to be tried.
    fn fail(&self, text: impl std::fmt::Display) -> Failure {
        self.log.fail(self.options.gravity, text)
    }

    /// Prints what is done, if the user wants to see it.
    fn show(&mut self, line: std::fmt::Arguments<'_>) {
        if self.options.show || self.log.level > Priority::Warning as i32 {
            self.print(line);
        }
    }

    /// Prints a load, if the user wants to see it. Paths are not always text.
    fn show_load(&mut self, path: &Path, options: &str) {
        if self.options.show || self.log.level > Priority::Warning as i32 {
            let parts = [b"insmod ", path.as_os_str().as_bytes(), b" ", options.as_bytes(), b"\n"];
            let _ = parts.iter().try_for_each(|part| self.out.write_all(part));
        }
    }

    fn print(&mut self, line: std::fmt::Arguments<'_>) {
        // A reader that has gone away is no reason to leave the work half done.
        let _ = writeln!(self.out, "{line}");
    }

    /// Before something is done: what was printed so far has to be seen first.
    fn is_dry_run(&mut self) -> bool {
        if !self.options.dry_run {
            let _ = self.out.flush();
        }
        self.options.dry_run
    }
}

/// Goes through all operands unless told to stop; fails if one of them did.
fn each(operands: &[String], mut work: impl FnMut(&str) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut result = Ok(());
    for operand in operands {
        match work(operand) {
            Ok(()) => {}
            Err(Failure::Stop) => return Err(Failure::Stop),
            failed => result = failed,
        }
    }
    result
}

#[cfg(test)]
mod tests;
