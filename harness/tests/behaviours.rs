//! docs/behaviours.md is what the tables and the last run give.

use std::{fs, path::Path};

use modrig::{
    behaviour,
    behaviours::{
        page,
        results::{Outcome, Results},
    },
    kernel::Kernels,
    scenarios,
};

fn read(path: &str) -> String {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    fs::read_to_string(workspace.join(path)).unwrap()
}

#[test]
fn the_page_is_what_the_tables_give() {
    let page = page::markdown(&Results::embedded().unwrap());
    let committed = read("docs/behaviours.md");
    let differing = page.lines().zip(committed.lines()).find(|(made, found)| made != found);
    assert!(
        page == committed,
        "docs/behaviours.md is old: `cargo modrig behaviours --write`; first difference: {differing:?}"
    );
}

#[test]
fn every_case_has_a_result_and_none_contradicts_the_page() {
    let results = Results::embedded().unwrap();
    for kernel in Kernels::embedded().unwrap().columns() {
        for scenario in scenarios::all() {
            let outcome = results.of(&scenario.path(), kernel);
            let case = format!("{kernel}::{}", scenario.path());
            assert!(
                outcome.is_some(),
                "harness/results.tsv lacks {case}: run the matrix, then `modrig behaviours --records DIR --write`"
            );
            assert!(!matches!(outcome, Some(Outcome::Failed(_))), "{case}: {outcome:?}");
        }
    }
}

#[test]
fn every_fact_is_in_the_list_of_them() {
    let facts = read("harness/src/behaviour.rs").matches(": Fact<").count();
    assert_eq!(behaviour::ALL.len(), facts);
}
