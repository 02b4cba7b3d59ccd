//! `modprobe`: loads and unloads modules by name or alias, with what they depend on.

mod arguments;
mod check;
mod deed;
mod insert;
mod remove;
mod show;

use std::{
    io::{BufWriter, Write},
    path::PathBuf,
};

use crate::{
    Tool,
    config::Config,
    explain::Explainer,
    json::Value,
    kernel::{Kernel, Running},
    log::{Failure, Log, Priority},
    lookup::{Module, lookup},
    params,
    state::InitState,
    tree::Tree,
};
use arguments::{Job, Options};
use deed::Deed;

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
    if operands.is_empty() && options.job.needs_operands() {
        log.error("missing parameters. See -h.");
        return 1;
    }
    log.level = options.level;
    let tree = Tree::of(options.module_root(), options.release.as_deref());
    let paths = options.config_paths();
    if options.job == Job::CheckConfig {
        return check::run(&paths, &tree, &options.command_line(), options.json);
    }
    let config = read_config(&paths, &tree, &options);
    let kernel = &mut Running::new(options.inherited.clone());
    let out = &mut BufWriter::with_capacity(OUT_BYTES, std::io::stdout());
    let explainer = &mut Explainer::new(options.explain, &log);
    let (tree, config, options, log, records) = (&tree, &config, &options, &log, Vec::new());
    let mut session = Session { tree, config, options, log, explainer, kernel, out, records };
    let failed = session.run(&operands).is_err();
    session.finish();
    for damage in tree.damages() {
        log.write(Priority::Warning, damage);
    }
    failed.into()
}

/// Reads the configuration, and says what is wrong with it as kmod's library does.
fn read_config(paths: &[PathBuf], tree: &Tree, options: &Options) -> Config {
    let (config, complaints) = Config::read(paths, tree.directory(), &options.command_line());
    if library_heeds_errors(std::env::var("KMOD_LOG").ok().as_deref()) {
        for complaint in complaints {
            let _ = writeln!(std::io::stderr(), "libkmod: ERROR: {complaint}");
        }
    }
    config
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
    /// With `--json`, what is printed at the end.
    records: Vec<Value>,
}

impl Session<'_> {
    fn run(&mut self, operands: &[String]) -> Result<(), Failure> {
        match self.options.job {
            Job::CheckConfig => Ok(()),
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

    /// Prints what was kept for the end.
    fn finish(&mut self) {
        // A reader that has gone away is no reason to call work failed that is done.
        if self.options.json && self.options.job != Job::ShowConfig {
            let mut text = Vec::new();
            Value::List(std::mem::take(&mut self.records)).write(&mut text);
            let _ = self.out.write_all(&text);
        }
        let _ = self.out.flush();
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

    /// Shows what is done, if the user wants to see it.
    fn show(&mut self, deed: Deed<'_>) {
        if !self.options.show && self.log.level <= Priority::Warning as i32 {
            return;
        }
        if self.options.json {
            return self.records.push(deed.json());
        }
        // A reader that has gone away is no reason to leave the work half done.
        let _ = deed.write(self.out);
    }

    fn print(&mut self, line: std::fmt::Arguments<'_>) {
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
