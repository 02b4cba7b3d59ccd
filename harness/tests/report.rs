//! `modrig report`: records of a real case, merged, compared and spoilt.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use modrig::report::{Record, Verdict, collection::Collection};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A directory to work in, and the record of a real case.
struct Desk {
    directory: TempDir,
    record: Record,
}

impl Desk {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let made =
            modrig(directory.path(), &["run", "-k", "6.1", "unload::unknown_module_is_enoent", "--records", "made"]);
        assert!(made.starts_with("0\n"), "{made}");
        let record = Collection::read(&[directory.path().join("made")]).unwrap().records.remove(0);
        Self { directory, record }
    }

    /// Exit code, a line break, and all that was said.
    fn report(&self, args: &[&str]) -> String {
        modrig(self.directory.path(), &[&["report"], args].concat())
    }

    /// Puts the record into a directory, changed.
    fn put(&self, directory: &str, change: impl FnOnce(&mut Record)) -> PathBuf {
        let mut record = self.record.clone();
        change(&mut record);
        record.store(&self.directory.path().join(directory)).unwrap()
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.directory.path().join(file)).unwrap()
    }
}

fn modrig(directory: &Path, args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_modrig")).args(args).current_dir(directory).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n{}{}", output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn fail(record: &mut Record) {
    record.verdict = Verdict::Failed { why: "expected this".into(), log: "the log".into() };
}

#[track_caller]
fn assert_says(said: &str, code: &str, parts: &[&str]) {
    assert!(said.starts_with(&format!("{code}\n")), "{said}");
    for part in parts {
        assert!(said.contains(part), "no `{part}` in\n{said}");
    }
}

#[test]
fn shards_are_merged_and_the_newer_record_of_a_case_counts() {
    let desk = Desk::new();
    desk.put("shards/1", |record| {
        fail(record);
        record.ended -= chrono::TimeDelta::seconds(1);
    });
    desk.put("shards/2", |_| {});
    desk.put("other", |record| record.kernel = "7.3".into());
    let said = desk.report(&["shards", "other"]);
    assert_says(&said, "0", &["   6.1     7.3\n", "      ok      ok\n", "2 cases: 2 passed", "older records"]);
    desk.put("other", |record| {
        record.modutils = "kmod 34.2-2".into();
        fail(record);
    });
    assert_says(&desk.report(&["shards", "other"]), "1", &["6.1 modrig  6.1 kmod  7.3 modrig", "      ok      FAIL "]);
}

#[test]
fn all_forms_are_written_and_the_merged_one_is_read_again() {
    let desk = Desk::new();
    desk.put("made", |record| {
        record.scenario = "other".into();
        fail(record);
    });
    let forms = ["--html", "out/a.html", "--markdown", "a.md", "--junit", "a.xml", "--json", "a.json"];
    assert_says(&desk.report(&[&["made"], &forms[..]].concat()), "1", &["2 cases: 1 passed, 1 failed", "out/a.html"]);
    assert!(desk.read("out/a.html").starts_with("<!DOCTYPE html>"));
    assert!(desk.read("a.md").contains("# modrig: 1 passed, 1 failed"));
    assert!(desk.read("a.xml").contains(r#"tests="2" skipped="0" failures="1""#));
    assert_eq!(desk.report(&["a.json"]), desk.report(&["made"]));
    assert_says(&desk.report(&["made", "--html", "/dev/null/a"]), "3", &["error: cannot write `/dev/null/a`: "]);
}

#[test]
fn what_is_no_record_is_named_and_the_rest_reported() {
    let desk = Desk::new();
    let spoil = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut value = serde_json::to_value(&desk.record).unwrap();
        change(&mut value);
        fs::write(desk.directory.path().join(name), value.to_string()).unwrap();
    };
    spoil("made/newer.json", &|value| value["version"] = json!(Record::VERSION + 1));
    spoil("made/older.json", &|value| value["version"] = json!(Record::VERSION - 1));
    spoil("made/lacking.json", &|value| _ = value.as_object_mut().unwrap().remove("verdict"));
    fs::write(desk.directory.path().join("made/half.json"), "{\"version\": 2, \"kern").unwrap();
    fs::write(desk.directory.path().join("made/foreign.json"), "[1]").unwrap();
    let said = desk.report(&["made", "--html", "a.html"]);
    let named = [
        "1 case: 1 passed",
        "modrig: not read: `made/newer.json`: a newer modrig wrote it: record version 3, this one reads 2; use that one",
        "`made/older.json`: an older modrig wrote it: record version 1, this one reads 2; run again",
        "`made/lacking.json`: it is damaged: missing field `verdict`",
        "`made/half.json`: it is damaged: EOF while parsing",
        "`made/foreign.json`: it is no record",
    ];
    assert_says(&said, "3", &named);
    assert!(desk.read("a.html").contains("<h2>Files that were not read</h2>"));
}

#[test]
fn a_place_without_records_is_an_error() {
    let desk = Desk::new();
    assert_says(&desk.report(&["nosuch"]), "2", &["error: cannot read records from `nosuch`: No such file", "help: "]);
    fs::create_dir(desk.directory.path().join("empty")).unwrap();
    let help = "help: `modrig run` writes records; its --records DIR says where";
    assert_says(&desk.report(&["made", "empty"]), "4", &["error: there are no records in `empty`\n", help]);
    fs::write(desk.directory.path().join("empty/a.json"), "{}").unwrap();
    assert_says(&desk.report(&["empty"]), "4", &["no records in `empty`: `empty/a.json` is none: it is no record"]);
}

#[test]
fn a_comparison_shows_what_changed_and_fails_for_what_fails_now() {
    let desk = Desk::new();
    desk.put("after", fail);
    let said = desk.report(&["--compare", "made", "after", "--markdown", "a.md"]);
    let change = "newly failing (1)\n  6.1::unload::unknown_module_is_enoent  passed -> failed\n     expected this\n";
    assert_says(&said, "1", &["before: 1 case: 1 passed (until ", "after:  1 case: 1 failed (", change]);
    assert!(desk.read("a.md").contains("- `6.1::unload::unknown_module_is_enoent` passed \u{2192} failed\n"));
    assert_says(&desk.report(&["--compare", "after", "made"]), "0", &["fixed (1)\n"]);
    assert_says(&desk.report(&["--compare", "made", "made"]), "0", &["nothing changed"]);
}
