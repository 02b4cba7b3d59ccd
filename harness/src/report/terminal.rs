//! The matrix as a person sees it: scenarios down, kernels across, then what went wrong.

use std::{collections::BTreeMap, fmt::Write as _};

use anstyle::{AnsiColor, Style};

use super::{Record, Verdict};
use crate::triage::{Severity, Standing};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const PALE: Style = AnsiColor::Yellow.on_default();
const TITLE: Style = Style::new().bold();

/// What a cell shows for a verdict.
fn mark(verdict: &Verdict) -> (&'static str, Style) {
    match verdict {
        Verdict::Passed => ("ok", GOOD),
        Verdict::Failed { .. } => ("FAIL", BAD),
        Verdict::Skipped { .. } => ("skip", PALE),
        Verdict::Broken { .. } => ("broken", BAD),
    }
}

/// The table, the stories of all cells that are not green, and the totals. `kernels` gives the columns' order.
pub fn matrix(kernels: &[String], records: &[Record]) -> String {
    let mut text = table(kernels, records);
    text.push_str(&stories(records));
    text.push_str(&totals(records));
    text
}

fn table(kernels: &[String], records: &[Record]) -> String {
    let rows = in_order(records);
    let first = rows.iter().map(|(group, name)| group.len() + name.len() + 2).max().unwrap_or(0);
    let columns: Vec<usize> = kernels.iter().map(|kernel| label(kernel).chars().count().max(6)).collect();
    let cells: BTreeMap<(&str, &str, &str), &Verdict> =
        records.iter().map(|record| ((&*record.group, &*record.scenario, &*record.kernel), &record.verdict)).collect();
    let mut text = format!("{TITLE}{:first$}", "");
    for (kernel, width) in kernels.iter().zip(&columns) {
        let _ = write!(text, "  {:>width$}", label(kernel));
    }
    let _ = writeln!(text, "{TITLE:#}");
    for (group, name) in rows {
        let _ = write!(text, "{:first$}", format!("{group}::{name}"));
        for (kernel, width) in kernels.iter().zip(&columns) {
            let (mark, style) = cells.get(&(group, name, kernel)).map_or(("-", Style::new()), |verdict| mark(verdict));
            let _ = write!(text, "  {style}{mark:>width$}{style:#}");
        }
        text.push('\n');
    }
    text
}

/// What heads a kernel's column: its name, or the last part of its path.
fn label(kernel: &str) -> &str {
    kernel.trim_end_matches('/').rsplit('/').next().unwrap_or(kernel)
}

/// Groups and scenarios in the order of the tables, which is the order in which the first kernel met them.
fn in_order(records: &[Record]) -> Vec<(&str, &str)> {
    let mut rows: Vec<(&str, &str)> = Vec::new();
    let known = crate::scenarios::all().map(|scenario| (scenario.group, scenario.name));
    let present = |row: &(&str, &str)| records.iter().any(|record| (&*record.group, &*record.scenario) == *row);
    rows.extend(known.filter(present));
    let others = records.iter().map(|record| (&*record.group, &*record.scenario));
    for row in others {
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    rows
}

fn stories(records: &[Record]) -> String {
    let mut text = String::new();
    // One broken kernel breaks many cases for one reason: told once.
    let mut told: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for record in records {
        match &record.verdict {
            Verdict::Passed => {}
            Verdict::Failed { .. } => text.push_str(&story(record)),
            Verdict::Skipped { why } => told.entry(("skip", why)).or_default().push(record.path()),
            Verdict::Broken { why, .. } => told.entry(("broken", why)).or_default().push(record.path()),
        }
    }
    for ((word, why), paths) in told {
        let more = if paths.len() > 1 { format!(" and {} more", paths.len() - 1) } else { String::new() };
        let style = if word == "skip" { PALE } else { BAD };
        let _ = writeln!(text, "\n{style}{word}{style:#} {}{more}\n     {}", paths[0], indented(why));
        let help = records.iter().find_map(|record| match &record.verdict {
            Verdict::Broken { why: other, help: Some(help) } if other == why => Some(help),
            _ => None,
        });
        if let Some(help) = help.filter(|_| word == "broken") {
            let _ = writeln!(text, "     help: {help}");
        }
    }
    text
}

/// Why one case failed: for the matrix, and for the moment it happens.
pub fn story(record: &Record) -> String {
    let (mark, style) = mark(&record.verdict);
    let mut text =
        format!("\n{style}{mark}{style:#} {}\n     claim: {} ({})\n", record.path(), record.claim, record.source);
    match &record.verdict {
        Verdict::Failed { why, log } => {
            let _ = writeln!(text, "     {}", indented(why));
            if !log.is_empty() {
                let _ = writeln!(text, "     log of {}:", record.release.as_deref().unwrap_or(&record.kernel));
                let _ = writeln!(text, "       {}", log.trim_end().replace('\n', "\n       "));
            }
        }
        Verdict::Broken { why, .. } | Verdict::Skipped { why } => {
            let _ = writeln!(text, "     {}", indented(why));
        }
        Verdict::Passed => {}
    }
    for event in record.events.iter().filter(|event| event.severity > Severity::Info) {
        let standing = match &event.standing {
            Standing::Unexpected => "",
            Standing::Expected => " (expected)",
            Standing::Allowed(_) => " (allowed)",
        };
        let _ = writeln!(text, "     kernel: {}{standing}", event.title);
    }
    let _ = writeln!(text, "     again: {}", record.rerun);
    text
}

fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n     ")
}

fn totals(records: &[Record]) -> String {
    let count = |word: &str| records.iter().filter(|record| record.verdict.word() == word).count();
    let parts: Vec<String> = [("passed", GOOD), ("failed", BAD), ("broken", BAD), ("skipped", PALE)]
        .into_iter()
        .filter(|(word, _)| count(word) > 0)
        .map(|(word, style)| format!("{style}{} {word}{style:#}", count(word)))
        .collect();
    let noun = if records.len() == 1 { "case" } else { "cases" };
    format!("\n{} {noun}: {}\n", records.len(), parts.join(", "))
}
