//! Logs of kernels in trouble, one to a file: `tests/console/*.log`, a header with what triage should find, an empty
//! line, and the log.
//!
//! `MODRIG_UPDATE=1 cargo test --test console_logs` writes the headers anew, for a person to read the difference.
//! `MODRIG_RECORD=NAME` makes those logs of `tests/console/splats.c` anew first whose name has this part, `.` for all.

#[path = "console_logs/record.rs"]
mod record;

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use modrig::triage::{Event, Triage};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console")
}

/// The logs, by name.
fn logs() -> Vec<PathBuf> {
    let entries = fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "log")).collect();
    files.sort();
    files
}

fn triage(log: &str) -> Vec<Event> {
    let mut triage = Triage::default();
    log.lines().for_each(|line| triage.line(line));
    triage.finish();
    triage.events().to_vec()
}

/// What the header should say: `SOURCE` stays as it is, the rest comes from the events.
fn header(source: &str, events: &[Event]) -> String {
    let mut text = format!("SOURCE: {source}\n");
    for event in events {
        let kind = serde_json::to_string(&event.kind).unwrap();
        let _ = writeln!(text, "TITLE: {}\nTYPE: {}", event.title, kind.trim_matches('"'));
        for (name, value) in [("FUNCTION", &event.function), ("MODULE", &event.module)] {
            if let Some(value) = value {
                let _ = writeln!(text, "{name}: {value}");
            }
        }
        if let Some(damage) = event.damage {
            let _ = writeln!(text, "DAMAGE: {}", format!("{damage:?}").to_lowercase());
        }
        if event.times > 1 {
            let _ = writeln!(text, "TIMES: {}", event.times);
        }
        let _ = writeln!(text, "LINES: {} from {}", event.lines.len(), event.line);
    }
    text
}

#[test]
fn every_log_has_the_events_that_its_header_tells() {
    if let Ok(part) = env::var("MODRIG_RECORD") {
        record::all(&part);
    }
    let mut different = String::new();
    let files = logs();
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        let (expected, log) = text.split_once("\n\n").expect("a header, an empty line, and a log");
        let expected = format!("{expected}\n");
        let source = expected.lines().find_map(|line| line.strip_prefix("SOURCE: ")).expect("where the log comes from");
        let seen = header(source, &triage(log));
        if seen == expected {
            continue;
        }
        if env::var_os("MODRIG_UPDATE").is_some() {
            fs::write(file, format!("{seen}\n{log}")).unwrap();
        }
        let _ = writeln!(different, "{}\n{}", file.file_name().unwrap().display(), difference(&expected, &seen));
    }
    assert!(different.is_empty(), "headers differ (- expected, + seen):\n{different}");
    assert!(files.len() >= 60, "{} logs", files.len());
}

/// Lines that only one of the texts has.
fn difference(expected: &str, seen: &str) -> String {
    let only = |a: &str, b: &str, mark: &str| {
        a.lines().filter(|line| !b.lines().any(|other| other == *line)).fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "  {mark} {line}");
            text
        })
    };
    only(expected, seen, "-") + &only(seen, expected, "+")
}
