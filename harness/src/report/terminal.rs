//! The matrix as a person sees it: scenarios down, kernels across, then what went wrong.

use std::{collections::BTreeMap, fmt::Write as _};

use anstyle::{AnsiColor, Style};

use super::{Record, Totals, Verdict, cases, table::Table};
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

/// The table, the stories of all cells that are not green, and the totals. `kernels` are columns even without records.
pub fn matrix(kernels: &[String], records: &[Record]) -> String {
    let mut text = table(&Table::of(kernels, records));
    text.push_str(&stories(records));
    text.push_str(&totals(records));
    text
}

fn table(table: &Table<'_>) -> String {
    let first = table.rows.iter().map(|row| row.path().len()).max().unwrap_or(0);
    let widths: Vec<usize> = table.columns.iter().map(|column| column.label().chars().count().max(6)).collect();
    let mut text = format!("{TITLE}{:first$}", "");
    for (column, width) in table.columns.iter().zip(&widths) {
        let _ = write!(text, "  {:>width$}", column.label());
    }
    let _ = writeln!(text, "{TITLE:#}");
    for row in &table.rows {
        let _ = write!(text, "{:first$}", row.path());
        for (column, width) in table.columns.iter().zip(&widths) {
            let (mark, style) = table.cell(*row, column).map_or(("-", Style::new()), |record| mark(&record.verdict));
            let _ = write!(text, "  {style}{mark:>width$}{style:#}");
        }
        text.push('\n');
    }
    text
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
    if let Some(resume) = &record.resume {
        let kept = record.kept.as_ref().map(|kept| format!(" ({kept})")).unwrap_or_default();
        let _ = writeln!(text, "     guest: {resume}{kept}");
    }
    text
}

fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n     ")
}

/// How many cases ended how.
pub fn totals(records: &[Record]) -> String {
    let styles = [GOOD, BAD, BAD, PALE];
    let counts = Totals::of(records).each().into_iter().zip(styles).filter(|((_, count), _)| *count > 0);
    let parts: Vec<String> = counts.map(|((word, count), style)| format!("{style}{count} {word}{style:#}")).collect();
    format!("\n{}: {}\n", cases(records.len()), parts.join(", "))
}
