//! Files that a kernel's loader died of: `modfile::check` warns of each for the kernel that did.

use std::{collections::BTreeSet, fs, path::PathBuf};

use modfile::check::{self, Kernel, Series, Verdict};
use modrig_fuzz::crashes::{self, Crash, TABLE};

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/regressions/kernel"))
}

fn read(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn kept() -> Vec<Crash> {
    let table = String::from_utf8(read(TABLE)).expect("the table is text");
    crashes::parse(&table).expect("each line has six columns")
}

/// All verdicts are looked at before it fails, so that one run names everything that is missed.
#[test]
fn each_file_that_killed_a_loader_is_flagged_for_that_kernel() {
    let verdict = |crash: &Crash| {
        let series = Series::of_release(&crash.release).expect("it is a release");
        check::check(&read(&crash.file), Kernel::that_loads(series, &read(&crash.base)))
    };
    let missed: Vec<String> = kept()
        .iter()
        .map(|crash| (crash, verdict(crash)))
        .filter(|(_, verdict)| !matches!(verdict, Verdict::Danger(_)))
        .map(|(Crash { file, title, changed, .. }, verdict)| format!("{file}: {title}: {changed}: {verdict:?}"))
        .collect();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// Without that, warning of everything would do.
#[test]
fn what_they_were_before_they_were_broken_is_accepted() {
    for Crash { base, release, .. } in kept() {
        let (series, base) = (Series::of_release(&release).expect("it is a release"), read(&base));
        assert_eq!(check::check(&base, Kernel::that_loads(series, &base)), Verdict::Accept, "{release}");
    }
}

#[test]
fn the_table_names_what_is_there_and_it_is_small() {
    let crashes = kept();
    let named = crashes.iter().flat_map(|crash| [crash.file.clone(), crash.base.clone()]);
    let named: BTreeSet<String> = named.chain([TABLE.to_owned()]).collect();
    let there = fs::read_dir(folder()).expect("the folder is there").flatten();
    let there: BTreeSet<String> = there.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(named, there);
    let sizes: Vec<usize> = there.iter().map(|name| read(name).len()).collect();
    let kernels: BTreeSet<&str> = crashes.iter().map(|crash| crash.release.as_str()).collect();
    assert!(crashes.len() <= 40 * kernels.len() && sizes.iter().all(|size| *size < 16 << 10), "{sizes:?}");
    // As much as a corpus may have.
    assert!(sizes.iter().sum::<usize>() < 2 << 20, "{sizes:?}");
}
