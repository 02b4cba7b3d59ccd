//! `--check-config`: the rules of the configuration that have no effect, why, and what to write instead.
//!
//! kmod takes such rules without a word. modprobe obeys them, or does not, as kmod does; here it says so.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use modfile::modprobe_d::{self, Directive};

use crate::{
    config::{self, Config},
    json::Value,
    tree::Tree,
};

mod bad_line;
mod files;
mod rules;

/// Something that has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    place: Place,
    /// The rule, as far as it tells which; empty if it is about a whole file.
    rule: String,
    why: String,
    /// What to do; empty if there is nothing to add.
    instead: String,
}

/// A file, and the line in it unless it is about the whole file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    path: PathBuf,
    line: Option<usize>,
}

/// A line of the configuration.
struct Rule {
    place: Place,
    directive: Directive,
    /// Whether it comes from the modules themselves, so that nobody can be asked to write it otherwise.
    is_depmods: bool,
}

/// Checks the files and prints what was found; the exit code.
pub(super) fn run(paths: &[PathBuf], tree: &Tree, command_line: &str, json: bool) -> u8 {
    let findings = findings(paths, tree, command_line);
    let mut text = Vec::new();
    if json {
        Value::List(findings.iter().map(Finding::json).collect()).write(&mut text);
    } else {
        findings.iter().for_each(|finding| text.extend(finding.to_string().bytes()));
    }
    let mut out = std::io::stdout();
    let _ = out.write_all(&text).and_then(|()| out.flush());
    u8::from(!findings.is_empty())
}

fn findings(paths: &[PathBuf], tree: &Tree, command_line: &str) -> Vec<Finding> {
    let mut findings = files::check(paths);
    let mut list = Vec::new();
    let (files, _) = config::files(paths, tree.directory());
    for path in files.values() {
        let is_depmods = path.starts_with(tree.directory());
        match config::read(path) {
            Ok(bytes) => read(path, &bytes, is_depmods, &mut list, &mut findings),
            Err(_) if is_depmods => {}
            Err(error) => findings.push(Finding::about(path, format!("not read: {error}"), "")),
        }
    }
    let (config, _) = Config::read(paths, tree.directory(), command_line);
    findings.extend(rules::check(&list, tree, &config, command_line));
    findings
}

fn read(path: &Path, bytes: &[u8], is_depmods: bool, list: &mut Vec<Rule>, findings: &mut Vec<Finding>) {
    for (number, line) in modprobe_d::logical_lines(bytes) {
        let line = String::from_utf8_lossy(&line);
        let place = Place { path: path.into(), line: Some(number) };
        match modprobe_d::directive(&line) {
            Ok(Some(directive)) => {
                let odd = bad_line::odd(&line, &directive, &place);
                // An empty softdep still hides later ones; the others need no second finding.
                if odd.is_none() || matches!(directive, Directive::Softdep(_)) {
                    list.push(Rule { place, directive: directive.into_owned(), is_depmods });
                }
                findings.extend(odd.filter(|_| !is_depmods));
            }
            Ok(None) => {}
            Err(_) if is_depmods => {}
            Err(problem) => findings.push(bad_line::explain(&line, problem, place)),
        }
    }
}

impl Finding {
    fn about(path: &Path, why: impl Into<String>, instead: impl Into<String>) -> Self {
        let place = Place { path: path.into(), line: None };
        Self { place, rule: String::new(), why: why.into(), instead: instead.into() }
    }

    fn json(&self) -> Value {
        let optional = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Value::object([
            ("file", Value::from(self.place.path.display().to_string())),
            ("line", self.place.line.map(|line| line as i64).into()),
            ("rule", optional(&self.rule).into()),
            ("why", self.why.as_str().into()),
            ("instead", optional(&self.instead).into()),
        ])
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.rule.is_empty() {
            write!(f, "{}: ", self.rule)?;
        }
        writeln!(f, "{}", self.why)?;
        if self.instead.is_empty() { Ok(()) } else { writeln!(f, "    instead: {}", self.instead) }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.path.display()),
            None => self.path.display().fmt(f),
        }
    }
}

/// Names less alike than this, of 1, are not offered in place of an unknown one.
const LIKENESS_MIN: f64 = 0.85;

#[cfg(test)]
mod tests;
