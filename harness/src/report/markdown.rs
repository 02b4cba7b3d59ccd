//! Records as Markdown, for the summary of a CI job.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{Record, Totals, Verdict, cases, collection::Collection, table::Table};
use crate::text;

/// Longest text, bytes: GitHub shows no summary beyond 1 MiB.
pub const BYTES_MAX: usize = 1_000_000;

/// Room for what failed, bytes; the rest is for the matrix.
const STORIES_BYTES_MAX: usize = 600_000;

/// Longest log of one case, bytes.
const LOG_BYTES_MAX: usize = 4096;

/// The whole report.
pub fn report(collection: &Collection) -> String {
    let records = &collection.records;
    let table = Table::of(&[], records);
    let mut text = format!("# modrig: {}\n\n", counts(&Totals::of(records)));
    text.push_str(&kernels(&table, records));
    text.push_str(&stories(records));
    text.push_str(&differences(&table));
    text.push_str(&matrix(&table));
    text.push_str(&reasons(records));
    text.push_str(&unread(collection));
    bounded(text)
}

fn counts(totals: &Totals) -> String {
    let text = totals.text();
    if text.is_empty() { "no cases".into() } else { text }
}

fn kernels(table: &Table<'_>, records: &[Record]) -> String {
    let mut text = "| kernel | release | passed | failed | broken | skipped |\n|---|---|--:|--:|--:|--:|\n".to_owned();
    for column in &table.columns {
        let records = table.records_of(column);
        let release = records.iter().find_map(|record| record.release.as_deref()).unwrap_or("-");
        let counts = Totals::of(records.iter().copied()).each().map(|(_, count)| count.to_string()).join(" | ");
        let _ = writeln!(text, "| {} | {} | {counts} |", escaped(&column.label()), escaped(release));
    }
    if let Some(first) = records.first() {
        let _ = writeln!(text, "\nQEMU {}, {}, {}.", escaped(&first.qemu), first.accel, escaped(&first.modutils));
    }
    text
}

/// What failed or broke, as long as there is room.
fn stories(records: &[Record]) -> String {
    let bad = |record: &&Record| matches!(record.verdict, Verdict::Failed { .. } | Verdict::Broken { .. });
    let (mut text, mut left_out) = (String::new(), 0);
    for record in records.iter().filter(bad) {
        let story = story(record);
        if text.len() + story.len() > STORIES_BYTES_MAX {
            left_out += 1;
        } else {
            text.push_str(&story);
        }
    }
    if left_out > 0 {
        let _ = writeln!(text, "\n**{} more are not shown here**; the matrix below has them.", cases(left_out));
    }
    text
}

fn story(record: &Record) -> String {
    let mut text = format!("\n## {} {}\n\n", record.verdict.word(), code(&record.path()));
    let _ = writeln!(text, "Claim: {} ({})\n", escaped(&record.claim), escaped(&record.source));
    text.push_str(&fence(&text::cut(record.verdict.why().unwrap_or_default(), LOG_BYTES_MAX)));
    if let Verdict::Failed { log, .. } = &record.verdict {
        let log = fence(&text::cut(log, LOG_BYTES_MAX));
        let _ = writeln!(text, "\n<details><summary>log</summary>\n\n{log}\n</details>");
    }
    for (label, command) in record.commands() {
        let _ = writeln!(text, "\n{label}: {}", code(command));
    }
    text
}

fn differences(table: &Table<'_>) -> String {
    let differences = table.differences();
    if differences.is_empty() {
        return String::new();
    }
    let mut text = "\n## Other module tools\n\n| case | modrig | other |\n|---|---|---|\n".to_owned();
    for (ours, theirs) in differences {
        let _ = writeln!(
            text,
            "| {} | {} | {}: {} |",
            code(&ours.path()),
            ours.verdict.word(),
            escaped(&theirs.modutils),
            theirs.verdict.word()
        );
    }
    text
}

fn matrix(table: &Table<'_>) -> String {
    let labels: Vec<String> = table.columns.iter().map(|column| escaped(&column.label())).collect();
    let mut text = format!("\n<details><summary>The matrix</summary>\n\n| | {} |\n|---|", labels.join(" | "));
    text.push_str(&":-:|".repeat(labels.len()));
    for row in &table.rows {
        let _ = write!(text, "\n| {} |", escaped(&row.path()));
        for column in &table.columns {
            let mark = table.cell(*row, column).map_or("-", |record| mark(&record.verdict));
            let _ = write!(text, " {mark} |");
        }
    }
    text.push_str("\n\n</details>\n");
    text
}

fn mark(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "ok",
        Verdict::Failed { .. } => "**FAIL**",
        Verdict::Skipped { .. } => "skip",
        Verdict::Broken { .. } => "**broken**",
    }
}

/// Why cases were skipped, each reason once.
fn reasons(records: &[Record]) -> String {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for record in records {
        if let Verdict::Skipped { why } = &record.verdict {
            *reasons.entry(why).or_default() += 1;
        }
    }
    let lines = reasons.into_iter().map(|(why, count)| format!("- {}: {}\n", cases(count), escaped(why)));
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { format!("\nSkipped:\n\n{lines}") }
}

fn unread(collection: &Collection) -> String {
    let lines = collection
        .refused
        .iter()
        .map(|refused| format!("- {}: {}\n", code(&refused.file.display().to_string()), escaped(&refused.why)));
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { format!("\nNot read:\n\n{lines}") }
}

/// A text within [`BYTES_MAX`].
pub(super) fn bounded(text: String) -> String {
    if text.len() <= BYTES_MAX {
        return text;
    }
    let mut end = BYTES_MAX - 100;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let whole = text[..end].rfind('\n').map_or(&text[..end], |end| &text[..end]);
    format!("{whole}\n\n</details>\n\n**The rest does not fit here.**\n")
}

/// Text between other text: nothing in it is a mark of Markdown's or HTML's.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\n' => out.push(' '),
            _ if r"\`*_{}[]#|~!".contains(c) => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    out
}

/// Code within a line, whatever backticks are in it. In a table it must not have `|`, and names have none.
pub(super) fn code(text: &str) -> String {
    let ticks = "`".repeat(longest_run(text) + 1);
    let space = if text.contains('`') { " " } else { "" };
    format!("{ticks}{space}{}{space}{ticks}", text.replace('\n', " "))
}

/// Lines as they are.
pub(super) fn fence(text: &str) -> String {
    let ticks = "`".repeat(longest_run(text).max(2) + 1);
    format!("{ticks}text\n{}\n{ticks}\n", text.trim_end())
}

/// The same inside of a list.
pub(super) fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{failed, record};

    #[test]
    fn a_summary_names_what_failed_with_its_log_and_escapes_it() {
        let skipped = Record { verdict: Verdict::Skipped { why: "no | header".into() }, ..record("5.10", "a") };
        let text = report(&Collection::of(vec![record("6.1", "a"), failed("6.1", "b"), skipped]));
        for part in [
            "# modrig: 1 passed, 1 failed, 1 skipped\n",
            "| 6.1 | 6.1.0-56-cloud-amd64 | 1 | 1 | 0 | 0 |\n",
            "## failed `6.1::group::b`\n",
            "```text\nexpected this\n```\n",
            "```text\n<script>alert(1)</script>\n```\n",
            "again: `modrig run -k 6.1 group::b`\n",
            "| group::a | skip | ok |\n| group::b | - | **FAIL** |\n",
            "- 1 case: no \\| header\n",
        ] {
            assert!(text.contains(part), "no `{part}` in\n{text}");
        }
    }

    #[test]
    fn a_summary_stays_within_what_a_job_may_show() {
        let log = "```` \u{e9}".repeat(10_000);
        let verdict = Verdict::Failed { why: log.clone(), log };
        let records = (0..4000).map(|i| Record { verdict: verdict.clone(), ..record("6.1", &format!("s{i}")) });
        let text = report(&Collection::of(records.collect()));
        assert!(text.len() <= BYTES_MAX, "{}", text.len());
        assert!(text.contains("more are not shown here"));
        let text = bounded("\u{e9}".repeat(BYTES_MAX));
        assert!(text.len() <= BYTES_MAX && text.ends_with("**The rest does not fit here.**\n"));
    }

    #[test]
    fn code_may_contain_backticks() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code("a `b"), "`` a `b ``");
        assert_eq!(fence("```"), "````text\n```\n````\n");
    }
}
