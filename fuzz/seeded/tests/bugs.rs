//! The table of bugs fits the sources. That they compile, and are found, is for `ci/fuzz bugs`.

use std::{collections::BTreeSet, fs, path::Path};

use modrig_seeded::{bugs, page, results, tree::MODFILE};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[test]
fn every_bug_still_has_its_place_in_modfile() {
    let files: BTreeSet<_> = bugs::all().map(|bug| bug.file).collect();
    for file in files {
        let text = fs::read_to_string(root().join(MODFILE).join(file)).expect("the file is there");
        let seeded =
            bugs::apply(file, text.clone()).unwrap_or_else(|bug| panic!("{bug}: its text is not once in {file}"));
        let count = bugs::all().filter(|bug| bug.file == file).count();
        assert_eq!(seeded.matches("crate::canary::holds(").count(), count, "{file}: each bug has one condition");
    }
}

#[test]
fn bugs_have_names_of_their_own_and_targets_with_seeds() {
    let names: BTreeSet<_> = bugs::all().map(|bug| bug.name).collect();
    assert_eq!(names.len(), bugs::all().count());
    for bug in bugs::all() {
        assert!(root().join("fuzz/corpus").join(bug.target).is_dir(), "{}: no target {}", bug.name, bug.target);
    }
}

#[test]
fn the_page_is_what_the_results_give() {
    let rows = results::read(&root().join("fuzz/seeded/results.tsv")).expect("results are there");
    let written = fs::read_to_string(root().join("docs/seeded-bugs.md")).expect("the page is there");
    assert_eq!(written, page::page(&rows), "run: cargo run -p modrig-seeded page");
    assert!(rows.iter().all(|row| bugs::all().any(|bug| bug.name == row.bug)), "a result is of no bug");
}
