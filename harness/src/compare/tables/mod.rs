//! The cases. A row is a name, calls as one types them, and files; `R` in a call stands for the release.

mod corpora;
mod damaged;
mod depmod;
mod list;
mod modinfo;
mod modprobe;

use super::{
    case::{Case, Input, Put},
    made::{Made, RELEASE},
    trees::Tree,
    words::Call,
};
use crate::error::Result;

/// Name, calls, files.
type Row = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// The cases on modules made on the spot.
pub(super) fn on_made(made: &Made) -> Result<Vec<Case>> {
    let mut cases = depmod::on_made(made);
    cases.extend(modinfo::on_made(made));
    cases.extend(modprobe::on_made(made));
    cases.extend(list::on_made(made));
    cases.extend(damaged::cases(made)?);
    Ok(cases)
}

/// The cases on what fuzzing has made.
pub(super) fn on_corpora() -> Result<Vec<Case>> {
    corpora::cases()
}

/// The cases on all modules of a kernel.
pub(super) fn on_tree(tree: &Tree) -> Result<Vec<Case>> {
    let mut cases = depmod::on_tree(tree);
    cases.extend(modinfo::on_tree(tree)?);
    cases.extend(modprobe::on_tree(tree)?);
    Ok(cases)
}

/// Rows as cases of a group on the made modules.
fn rows(group: &str, input: &Input, rows: &[Row]) -> Vec<Case> {
    rows.iter().map(|(name, line, files)| case(format!("{group}/{name}"), RELEASE, line, input, files)).collect()
}

/// Rows as cases of a group on a whole tree.
fn long_rows(group: &str, release: &str, input: &Input, rows: &[Row]) -> Vec<Case> {
    let case = |(name, line, files): &Row| Case {
        is_long: true,
        ..case(format!("{group}/{name}"), release, line, input, files)
    };
    rows.iter().map(case).collect()
}

fn case(name: String, release: &str, line: &str, input: &Input, files: &[(&str, &str)]) -> Case {
    let mut input = input.clone();
    input.push(("none/none.conf".into(), Put::File(b"# no rule\n"[..].into())));
    input.extend(files.iter().map(|(place, text)| ((*place).into(), Put::File(text.as_bytes().into()))));
    let mut calls = Call::parse(line);
    let words = calls.iter_mut().flat_map(|call| &mut call.arguments);
    words.for_each(|word| *word = with_release(word, release));
    Case { name, input, calls, is_long: false }
}

/// `R` alone, or as a part of a path, is the release.
fn with_release(word: &str, release: &str) -> String {
    let parts: Vec<&str> = word.split('/').map(|part| if part == "R" { release } else { part }).collect();
    parts.join("/")
}
