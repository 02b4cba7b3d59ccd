//! Records as a JUnit file, which CI systems show test by test.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{
    Record, Verdict,
    table::{Column, Table},
};
use crate::error::{Context as _, Result};

/// One suite for each kernel, one test for each scenario.
///
/// # Errors
/// The file cannot be made.
pub fn report(records: &[Record]) -> Result<String> {
    let table = Table::of(&[], records);
    let mut report = Report::new("modrig");
    report.add_test_suites(table.columns.iter().map(|column| suite(&table, column)));
    report.to_string().context(|| "cannot make a JUnit file of the records")
}

fn suite(table: &Table<'_>, column: &Column) -> TestSuite {
    let records = table.records_of(column);
    let mut suite = TestSuite::new(column.label());
    if let Some(first) = records.first() {
        let release = first.release.as_deref().unwrap_or("unknown");
        let properties = [
            ("release", release),
            ("modutils", &first.modutils),
            ("qemu", &first.qemu),
            ("accelerator", &first.accel.to_string()),
        ];
        for property in properties {
            suite.add_property(property);
        }
        suite.set_timestamp(records.iter().map(|record| record.ended).min().unwrap_or(first.ended));
    }
    suite.set_time(Duration::from_millis(records.iter().map(|record| record.duration_ms).sum()));
    suite.add_test_cases(records.into_iter().map(|record| test(record, column)));
    suite
}

fn test(record: &Record, column: &Column) -> TestCase {
    let mut test = TestCase::new(format!("{}::{}", record.group, record.scenario), status(record));
    test.set_classname(format!("{}::{}", column.label(), record.group));
    test.set_time(Duration::from_millis(record.duration_ms));
    test.set_timestamp(record.ended);
    test
}

fn status(record: &Record) -> TestCaseStatus {
    let mut status = match &record.verdict {
        Verdict::Passed => return TestCaseStatus::success(),
        Verdict::Skipped { .. } => TestCaseStatus::skipped(),
        Verdict::Failed { .. } => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Broken { .. } => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    let why = record.verdict.why().unwrap_or_default();
    status.set_message(why.lines().next().unwrap_or_default());
    if !matches!(record.verdict, Verdict::Skipped { .. }) {
        status.set_type(record.verdict.word());
        status.set_description(story(record, why));
    }
    status
}

/// All that a person needs who sees nothing but this file.
fn story(record: &Record, why: &str) -> String {
    let mut text = format!("claim: {} ({})\n{why}\n", record.claim, record.source);
    if let Verdict::Failed { log, .. } = &record.verdict {
        text.push_str(&format!("log of {}:\n{log}\n", record.release.as_deref().unwrap_or(&record.kernel)));
    }
    for command in record.commands() {
        text.push_str(&format!("{}: {}\n", command.0, command.1));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{failed, record};

    #[test]
    fn a_suite_is_a_kernel_and_each_verdict_has_its_element() {
        let broken = Verdict::Broken { why: "no QEMU".into(), help: None };
        let text = report(&[
            record("6.1", "passes"),
            failed("6.1", "fails"),
            Record { verdict: broken, ..record("5.10", "breaks") },
            Record { verdict: Verdict::Skipped { why: "too old".into() }, ..record("5.10", "skips") },
        ])
        .unwrap();
        let order = [
            r#"<testsuites name="modrig" tests="4" skipped="1" failures="1" errors="1""#,
            r#"<testsuite name="5.10" tests="2" skipped="1" errors="1" failures="0""#,
            r#"<error message="no QEMU" type="broken">"#,
            r#"<skipped message="too old"/>"#,
            r#"<testsuite name="6.1" tests="2""#,
            r#"<failure message="expected this" type="failed">"#,
            "&lt;script&gt;alert(1)&lt;/script&gt;",
            "again: modrig run -k 6.1 group::fails",
            r#"<testcase name="group::passes" classname="6.1::group""#,
        ];
        let mut rest = &*text;
        for part in order {
            let at = rest.find(part).unwrap_or_else(|| panic!("no `{part}` where it should be in\n{text}"));
            rest = &rest[at..];
        }
    }
}
