//! Campaigns against a kernel's loader: guests die and are replaced, runs are cut off and gone on with, and the cases and
//! what they give stay the same.

mod common;
#[path = "common/desk.rs"]
mod desk;

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _, path::PathBuf, time::Duration};

use common::KERNEL;
use desk::{Desk, eventually, run, skip, start};
use modrig::fuzz::{
    case::Region,
    judge::{Answer, Class},
    state::State,
    tally::Alone,
};

/// A campaign that kills guests within its first cases, and what it is to do besides.
fn campaign(desk: &Desk, args: &[&str]) -> std::process::Command {
    let mut command = desk.modrig(&["fuzz", "kernel", "-k", KERNEL, "--region", "symbols"]);
    command.args(args);
    command
}

/// One that kills none, and in which our verdicts are as the kernel's, however long it takes.
fn quiet_campaign(desk: &Desk, args: &[&str]) -> std::process::Command {
    let place = place(desk);
    let mut command = desk.modrig(&["fuzz", "kernel", "-k", KERNEL, "--region", "modinfo", "--place"]);
    command.arg(place).args(args);
    command
}

/// The campaign goes through and says this. Whether it shows a bug of ours, which is exit code 1, is not the question here.
#[track_caller]
fn ends(command: std::process::Command, texts: &[&str]) {
    let ran = run(command);
    ran.ends(if ran.code == Some(1) { 1 } else { 0 }, texts);
}

fn place(desk: &Desk) -> PathBuf {
    desk.path(&format!("target/modrig/fuzz/{KERNEL}-symbols-1"))
}

fn state(desk: &Desk) -> State {
    State::read(&place(desk)).unwrap()
}

/// Cases of each class; of each entry its key, how many it counts and the first of them.
type Results = (BTreeMap<Class, u64>, Vec<(String, u64, u64)>);

/// What the cases gave, apart from what was run once more.
fn results(state: &State) -> Results {
    let entries = state.tally.entries.iter().map(|(key, entry)| (key.clone(), entry.count, entry.index));
    (state.tally.classes.clone(), entries.collect())
}

#[test]
fn guests_die_and_the_campaign_goes_on_the_same_however_it_is_cut() {
    let whole = Desk::new();
    ends(campaign(&whole, &["--cases", "64", "--workers", "1"]), &["64 cases", "ways to die"]);
    let at_once = state(&whole);
    assert_eq!((at_once.tally.cases(), at_once.region), (64, Region::Symbols));
    let crashes: u64 = at_once.tally.crashes().values().sum();
    let restores: u64 = at_once.restores.values().sum();
    assert!(crashes > 0 && restores == crashes + 1, "{crashes} crashes, {restores} restores");

    let cut = Desk::new();
    ends(campaign(&cut, &["--cases", "32"]), &["32 cases"]);
    run(campaign(&cut, &["--cases", "64"])).ends(2, &["there is a campaign", "--continue"]);
    ends(campaign(&cut, &["--cases", "64", "--workers", "2", "--continue"]), &["64 cases"]);
    assert_eq!(results(&state(&cut)), results(&at_once));
    run(campaign(&cut, &["--seed", "2", "--place", place(&cut).to_str().unwrap(), "--continue"]))
        .ends(2, &["is not this one"]);
}

#[test]
fn a_crash_is_made_small_and_comes_again_from_its_name() {
    let desk = Desk::new();
    ends(campaign(&desk, &["--cases", "32"]), &[]);
    let state = state(&desk);
    let crash = state.tally.entries.values().find_map(|entry| match (&entry.kernel, &entry.alone) {
        (Answer::Crashed(title), Some(Alone::Same(case, _))) => Some((title.clone(), case.to_string())),
        _ => None,
    });
    let (title, case) = crash.expect("one of the first cases kills the loader");
    let file = desk.path("case.ko");
    run(desk.modrig(&["fuzz", "case", &case, "--run", "-o", file.to_str().unwrap()]))
        .ends(0, &["we say: danger: ", &format!("the kernel: {title}"), "Call Trace:"]);
    assert!(fs::read(file).unwrap().starts_with(b"\x7fELF"));
    run(desk.modrig(&["fuzz", "report", "--html", "page.html", "--markdown", "page.md"]))
        .ends(0, &["written: page.html"]);
    for page in ["page.html", "page.md"] {
        let text = fs::read_to_string(desk.path(page)).unwrap();
        assert!(text.contains(&title) && text.contains(&format!("modrig fuzz case {case} --run")), "{text}");
    }
}

#[test]
fn a_campaign_that_is_stopped_or_killed_keeps_what_it_has() {
    let desk = Desk::new();
    let begun = || place(&desk).join("campaign.json").exists() && state(&desk).tally.cases() > 0;
    let child = start(quiet_campaign(&desk, &["--time", "10m"]));
    eventually("the campaign has written down its first cases", begun);
    // SAFETY: kill takes two numbers; the child has not been waited for.
    unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGINT) };
    desk::Ran::from(child.wait_with_output().unwrap()).ends(130, &["go on with --continue"]);
    let stopped = state(&desk).tally.cases();

    let mut child = start(quiet_campaign(&desk, &["--time", "10m", "--continue"]));
    eventually("the campaign has gone on", || state(&desk).tally.cases() > stopped);
    child.kill().unwrap();
    child.wait().unwrap();
    let killed = state(&desk).tally.cases();
    let end = (killed + 64).to_string();
    run(quiet_campaign(&desk, &["--cases", &end, "--continue"])).ends(0, &[&format!("{end} cases")]);
    assert_eq!(common::names_in(&place(&desk)), ["campaign.json"]);
}

#[test]
fn a_guest_that_dies_again_and_again_is_one_error() {
    let desk = Desk::new();
    ends(campaign(&desk, &["--cases", "1"]), &[]);
    // A QEMU that boots guests, and does not take saved ones.
    let real = modrig::vm::Qemu::find().unwrap().program;
    let script = format!("#!/bin/sh\ncase \"$*\" in *-incoming*) exit 1;; esac\nexec {} \"$@\"\n", real.display());
    let qemu = desk.file("qemu", script);
    fs::set_permissions(&qemu, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = campaign(&desk, &["--cases", "64", "--workers", "1", "--continue"]);
    command.env("MODRIG_QEMU", qemu);
    let ran = run(command);
    ran.ends(3, &["died 20 times in a row"]);
    assert_eq!(ran.err.matches("error: ").count(), 1, "{}", ran.err);
    assert_eq!(state(&desk).tally.cases(), 1, "what was known is kept");
}

#[test]
fn restores_are_fast() {
    let desk = Desk::new();
    ends(campaign(&desk, &["--cases", "64", "--workers", "1"]), &[]);
    let median = state(&desk).restore_ms().unwrap();
    // 60 ms on a quiet machine; others may be at work on this one.
    assert!(Duration::from_millis(median) < Duration::from_secs(1), "{median} ms");
}

/// A kernel that tells what a case reaches.
const COVERED: &str = "6.12-kasan";

#[test]
fn a_kernel_that_does_not_tell_what_is_reached_cannot_guide() {
    let desk = Desk::new();
    run(campaign(&desk, &["--cases", "1", "--guided"])).ends(2, &["6.1 does not tell", "modrig kernels build"]);
}

#[test]
fn a_case_that_is_told_in_full_is_made_and_loaded() {
    let desk = Desk::new();
    let case = format!("{KERNEL}/headers/accepted/0=0x1+4=more");
    let said = ["Header 0/0 EI_MAG: 0x464c457f -> 0x1", "e_type: 0x1 -> 0x2", "the kernel: ENOEXEC"];
    run(desk.modrig(&["fuzz", "case", &case, "--run"])).ends(0, &said);
    let nowhere = format!("{KERNEL}/headers/accepted/999999=max");
    run(desk.modrig(&["fuzz", "case", &nowhere])).ends(2, &["accepted has ", "is of another build"]);
}

#[test]
fn a_guided_campaign_knows_what_it_reached_and_goes_on_with_it() {
    let desk = Desk::new();
    if !run(desk.modrig(&["doctor"])).out.contains(&format!("{COVERED} is here")) {
        return skip(&format!("`modrig kernels build {COVERED}` was not run"));
    }
    let place = desk.path("guided");
    let guided = |args: &[&str]| {
        let mut command = desk.modrig(&["fuzz", "kernel", "-k", COVERED, "--region", "headers", "--place"]);
        command.arg(&place).args(args);
        command
    };
    ends(guided(&["--guided", "--cases", "64"]), &["64 cases", " blocks in "]);
    let first = State::read(&place).unwrap();
    let reached = first.coverage.as_ref().unwrap();
    assert!(reached.functions.contains("load_module") && reached.blocks.len() > 500, "{}", reached.blocks.len());
    assert!(!reached.functions.contains("vprintk"), "only the loader counts");
    run(guided(&["--continue", "--cases", "96"])).ends(2, &["is not this one"]);

    ends(guided(&["--guided", "--continue", "--cases", "256", "--workers", "1"]), &["256 cases"]);
    let second = State::read(&place).unwrap();
    assert!(second.coverage.as_ref().unwrap().blocks.is_superset(&reached.blocks));
    assert_ne!(second.corpus, first.corpus);
    // Whatever a case was made of, its name says it.
    let names: Vec<String> = second.tally.entries.values().map(|entry| second.case(entry).to_string()).collect();
    let longest = names.iter().max_by_key(|name| name.matches('+').count()).unwrap();
    run(desk.modrig(&["fuzz", "case", longest])).ends(0, &["we say: "]);
}
