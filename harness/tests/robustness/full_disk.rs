//! A disk that fills up at any moment: one clear error that says what to do, nothing half-written, and the next run
//! works where there is space again. (What a small file system does is in `cli.rs`.)

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use modrig::fuzz::state::State;

use crate::{
    QUICK,
    common::{KERNEL, Twin, names_in},
    desk::{Desk, Ran, run, twin},
    random::{Random, rounds},
};

/// The library that plays the full disk.
fn full_disk(desk: &Desk) -> PathBuf {
    let library = desk.path("full.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/robustness/full.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-w", "-o"]).arg(&library).arg(source);
    run(compiler).ends(0, &[]);
    library
}

/// A run on an empty cache, whose disk is full from this call on.
fn filled(desk: &Desk, twin: &Twin, from: usize) -> Ran {
    for kind in ["guest", "image", "kept", "locks", "memo", "program"] {
        let _ = fs::remove_dir_all(twin.path().join(kind));
    }
    let _ = fs::remove_dir_all(desk.records());
    let below = format!("{}:{}", fs::canonicalize(twin.path()).unwrap().display(), desk.records().display());
    let mut command = desk.run_in(twin, &[QUICK]);
    fill(desk, &mut command, &below, from);
    run(command)
}

/// The command finds the disk full below these places, from this call on.
fn fill(desk: &Desk, command: &mut Command, below: &str, from: usize) {
    command
        .env("LD_PRELOAD", desk.path("full.so"))
        .env("MODRIG_FULL_BELOW", below)
        .env("MODRIG_FULL_COUNT", desk.file("count", ""))
        .env("MODRIG_FULL_FROM", from.to_string());
}

#[test]
fn a_disk_that_is_full_from_any_write_on() {
    let (twin, desk, mut random) = (twin(), Desk::new(), Random::new());
    full_disk(&desk);
    // The first run makes what stays between runs, the second one is counted.
    for _ in 0..2 {
        filled(&desk, &twin, usize::MAX >> 1).ends(0, &["1 passed"]);
    }
    let calls = fs::metadata(desk.path("count")).unwrap().len() as usize;
    assert!(calls > 20, "{calls}");
    // All of them, or some, one of which is the very last: it writes the record.
    let count = rounds(6).min(calls);
    let chosen =
        (0..count).map(|part| calls - part * calls / count - if part == 0 { 0 } else { random.below(calls / count) });
    for from in chosen {
        let ran = filled(&desk, &twin, from.max(1));
        assert_eq!(ran.code, Some(3), "call {from} of {calls}: {ran:?}");
        ran.ends(3, &["No space left on device", "with --cache or MODRIG_CACHE"]);
        // Of the guest, and of the record that says so.
        let errors = ran.err.matches("error: ").count();
        assert!((1..=2).contains(&errors), "call {from} of {calls}: one error of each is enough: {ran:?}");
        for name in names_in(&desk.records()) {
            assert!(!name.ends_with(".json"), "call {from} of {calls}: {name} cannot be whole");
        }
        twin.assert_whole();
        run(desk.run_in(&twin, &[QUICK])).ends(0, &["1 passed"]);
        twin.assert_whole();
    }
}

#[test]
fn a_campaign_on_a_disk_that_is_full_keeps_what_it_has_and_goes_on_the_same() {
    let (twin, desk) = (twin(), Desk::new());
    full_disk(&desk);
    let campaign = |place: &Path, args: &[&str]| {
        let mut command = desk.modrig(&["fuzz", "kernel", "-k", KERNEL, "--region", "modinfo"]);
        command.arg("--place").arg(place).args(args).env("MODRIG_CACHE", twin.path());
        command
    };
    let (cut, whole) = (desk.path("cut"), desk.path("whole"));
    let cut_off = |from: usize, args: &[&str]| {
        let mut command = campaign(&cut, args);
        fill(&desk, &mut command, &cut.display().to_string(), from);
        let ran = run(command);
        ran.ends(
            3,
            &["error: cannot write `", "campaign.json`", "No space left on device", "help: name another folder"],
        );
        assert_eq!(ran.err.matches("error: ").count(), 1, "{}", ran.err);
        assert_eq!(twin.qemus(), Vec::<u32>::new(), "something was left running");
        ran
    };
    cut_off(1, &["--time", "10m"]);
    assert!(!cut.exists(), "nothing has run");
    // What is known is written at the beginning, which makes the folder, a file and its contents, and then every 5 s, which
    // makes the latter two. The disk is full the third time.
    cut_off(3 + 2 + 1, &["--time", "10m"]).ends(3, &["kept in ", "go on with --continue"]);
    assert_eq!(names_in(&cut), ["campaign.json"]);
    let done = State::read(&cut).unwrap().tally.cases();
    assert!(done > 0, "the second time it was written");

    let end = (done + 64).to_string();
    for (place, args) in [(&cut, &["--continue"][..]), (&whole, &["--workers", "1"])] {
        let ran = run(campaign(place, &[&["--cases", &end], args].concat()));
        assert!(ran.out.contains(&format!("{end} cases")), "{ran:?}");
    }
    assert_eq!(State::read(&cut).unwrap().tally, State::read(&whole).unwrap().tally);
}
