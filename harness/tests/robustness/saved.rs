//! A saved guest that is damaged or foreign is noticed, made anew, and spoken of once.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use crate::{
    QUICK,
    common::{Twin, names_in},
    desk::{Desk, run, twin},
};

fn spoil(file: &Path, length: Option<u64>) {
    let file = File::options().write(true).open(file).unwrap();
    match length {
        Some(length) => file.set_len(length).unwrap(),
        None => file.write_all_at(&[0x5a; 999], 4567).unwrap(),
    }
}

fn say_that_another_qemu_saved_it(about: &Path) {
    let text = fs::read_to_string(about).unwrap();
    let (before, after) = text.split_once("\"qemu\":\"").unwrap();
    fs::write(about, format!("{before}\"qemu\":\"6.2.0, not {after}")).unwrap();
}

/// What goes wrong, how, and what is said of it.
type Damage = (&'static str, fn(&Path), &'static str);

const DAMAGES: [Damage; 9] = [
    ("memory", |file| spoil(file, Some(9_999_999)), "memory has 9999999 bytes instead of 268435456"),
    ("memory", |file| spoil(file, Some(0)), "memory has 0 bytes instead of 268435456"),
    ("memory", |file| spoil(file, None), "memory has another content"),
    ("memory", |file| fs::remove_file(file).unwrap(), "memory: No such file or directory"),
    ("state", |file| spoil(file, Some(20_000)), "state has 20000 bytes instead of "),
    ("state", |file| spoil(file, Some(0)), "state has 0 bytes instead of "),
    ("state", |file| spoil(file, None), "state has another content"),
    ("about.json", |file| fs::remove_file(file).unwrap(), "about.json: No such file or directory"),
    ("about.json", say_that_another_qemu_saved_it, "it was saved by QEMU 6.2.0, not "),
];

fn only_guest(twin: &Twin) -> PathBuf {
    let guests = twin.path().join("guest");
    let names = names_in(&guests);
    assert_eq!(names.len(), 1, "{names:?}");
    guests.join(&names[0])
}

#[test]
fn a_damaged_saved_guest_is_made_anew_and_that_is_said_once() {
    const SAID: &str = "6.1: the saved guest is made anew: ";
    let (twin, desk) = (twin(), Desk::new());
    let pass = || {
        let ran = run(desk.run_in(&twin, &[QUICK]));
        ran.ends(0, &["1 case: 1 passed"]);
        ran.err.lines().filter_map(|line| line.strip_prefix(SAID)).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(pass(), Vec::<String>::new());
    for (file, damage, expected) in DAMAGES {
        damage(&only_guest(&twin).join(file));
        let said = pass();
        assert!(said.len() == 1 && said[0].starts_with(expected), "{file}: {said:?}, not {expected}");
        assert_eq!(pass(), Vec::<String>::new(), "{file}");
    }
    twin.assert_whole();
}

#[test]
fn verify_names_what_is_damaged_and_prune_makes_room() {
    let (twin, desk) = (twin(), Desk::new());
    let cache = |args: &[&str]| {
        let mut command = desk.modrig(&["cache"]);
        command.args(args).env("MODRIG_CACHE", twin.path());
        run(command)
    };
    run(desk.run_in(&twin, &[QUICK])).ends(0, &["1 passed"]);
    cache(&["list"]).ends(0, &["guest          1 ", "6.1.0-", " on microvm"]);
    cache(&["verify"]).ends(0, &["1 saved guests: 1 are whole, 0 were not"]);
    let memory = only_guest(&twin).join("memory");
    spoil(&memory, None);
    cache(&["verify"]).ends(3, &[": memory has another content: removed", "0 are whole, 1 were not"]);
    run(desk.run_in(&twin, &[QUICK])).ends(0, &["1 passed"]);
    cache(&["prune", "--limit", "0"]).ends(0, &["removed: "]);
    for kind in ["guest", "image"] {
        assert_eq!(names_in(&twin.path().join(kind)), Vec::<String>::new());
    }
    run(desk.run_in(&twin, &[QUICK])).ends(0, &["1 passed"]);
    cache(&["prune", "--limit", "1 GB"]).ends(2, &["`1 GB` should be like 500M or 4G"]);
    twin.assert_whole();
}
