//! Campaigns against a kernel's loader: guests die and are replaced, runs are cut off and gone on with, and the cases and
//! what they give stay the same.

mod common;
#[path = "common/desk.rs"]
mod desk;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    time::Duration,
};

use common::{KERNEL, names_in};
use desk::{Desk, eventually, run, start, twin};
use modrig::{
    compare::REFERENCE,
    fuzz::{
        case::Region,
        judge::{Answer, Class},
        libkmod::{Call, Libkmod, Outcome, Reading},
        readings::Same,
        state::State,
        tally::Alone,
    },
    peers::{Kmod, Peers},
    run::Rig,
};
use modrig_fuzz::crashes::{self, Crash};
use serde_json::{Value, json};

/// A campaign that kills guests within its first cases, and what it is to do besides.
fn campaign(desk: &Desk, args: &[&str]) -> std::process::Command {
    let mut command = desk.modrig(&["fuzz", "kernel", "-k", KERNEL, "--region", "symbols"]);
    command.args(args);
    command
}

/// One that kills none, and in which our verdicts are as the kernel's, however long it takes.
fn quiet_campaign(desk: &Desk, args: &[&str]) -> std::process::Command {
    let place = place(desk);
    let mut command =
        desk.modrig(&["fuzz", "kernel", "-k", KERNEL, "--region", "modinfo", "--workers", "2", "--place"]);
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

/// Cases of each class; of each entry its key, how many it counts and the first of them;
/// the same of each answer of libkmod's.
type Results = (BTreeMap<Class, u64>, Vec<(String, u64, u64)>, Vec<(String, u64, u64)>);

/// What the cases gave, apart from what was run once more.
fn results(state: &State) -> Results {
    let entries = state.tally.entries.iter().map(|(key, entry)| (key.clone(), entry.count, entry.index));
    let readings = state.tally.readings.iter().map(|same| (same.reading.to_string(), same.count(), same.index));
    (state.tally.classes.clone(), entries.collect(), readings.collect())
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
    assert_eq!(at_once.tally.readings.iter().map(Same::count).sum::<u64>(), 64, "libkmod is asked of each");

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
fn a_file_of_each_way_to_die_is_kept_once_and_can_be_loaded() {
    let desk = Desk::new();
    ends(campaign(&desk, &["--cases", "32"]), &[]);
    let keep = |folder: &str| run(desk.modrig(&["fuzz", "keep", "-o", folder]));
    let first = keep("kept");
    let kept = desk.path("kept");
    let crashes = crashes::parse(&fs::read_to_string(kept.join(crashes::TABLE)).unwrap()).unwrap();
    let Crash { file, base, title, case, changed, .. } = crashes.first().expect("one of the cases kills the loader");
    first.ends(0, &[&format!("{file}: {title}: {case}\n"), &format!("new files in kept: {}\n", crashes.len())]);
    assert!(!changed.is_empty());
    let named = crashes.iter().flat_map(|crash| [crash.file.clone(), crash.base.clone()]);
    let named: BTreeSet<String> = named.chain([crashes::TABLE.to_owned()]).collect();
    assert_eq!(names_in(&kept), Vec::from_iter(named));

    let load = |file: &str| run(desk.modrig(&["fuzz", "load", "-k", KERNEL, &format!("kept/{file}")]));
    load(base).ends(0, &["we say: accept\n", "the kernel: accepted and ran\n"]);
    load(file).ends(0, &["we say: danger: ", &format!("the kernel: {title}\n"), "Call Trace:"]);
    run(desk.modrig(&["fuzz", "case", case, "-o", "again.ko"])).ends(0, &["written: again.ko"]);
    assert_eq!(fs::read(desk.path("again.ko")).unwrap(), fs::read(kept.join(file)).unwrap());

    let read = || names_in(&kept).iter().map(|name| fs::read(kept.join(name)).unwrap()).collect::<Vec<_>>();
    let before = read();
    keep("kept").ends(0, &["new files in kept: 0\n"]);
    assert_eq!(read(), before);
    keep("/dev/null/kept").ends(3, &["error: cannot write `/dev/null/kept/", "Not a directory"]);
    fs::create_dir(desk.path("spoilt")).unwrap();
    desk.file("spoilt/crashes.tsv", "6.1-strcmp\n");
    keep("spoilt").ends(2, &["error: `spoilt/crashes.tsv`: `6.1-strcmp` has not six columns"]);

    change(&desk, |state| state["bases"] = json!("0".repeat(64)));
    let campaign = format!("{KERNEL}/symbols/1 is of guest modules as they were before: run it again\n");
    keep("other").ends(0, &[&campaign, "new files in other: 0\n"]);
    assert!(!desk.path("other").exists());
}

/// Changes the file of the campaign.
fn change(desk: &Desk, change: impl FnOnce(&mut Value)) {
    let file = place(desk).join("campaign.json");
    let mut state = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    change(&mut state);
    fs::write(file, state.to_string()).unwrap();
}

#[test]
fn what_is_no_module_is_loaded_and_what_is_no_file_is_refused() {
    let desk = Desk::new();
    let load = |file: &str| run(desk.modrig(&["fuzz", "load", "-k", KERNEL, file]));
    desk.file("text", "no module\n");
    desk.file("empty", "");
    for file in ["text", "empty"] {
        load(file).ends(0, &["we say: reject: ", "the kernel: ENOEXEC"]);
    }
    desk.file("large", vec![0; 93 << 10]);
    for file in ["large", "/dev/zero"] {
        let help = "help: `strip --strip-debug` makes a module smaller";
        load(file).ends(2, &[&format!("error: `{file}` is larger than 92 KB"), help]);
    }
    load("nosuch").ends(2, &["error: cannot read `nosuch`: No such file"]);
    load(".").ends(2, &["error: cannot read `.`: Is a directory"]);
}

#[test]
fn what_is_no_case_and_no_campaign_is_refused_and_stays() {
    let desk = Desk::new();
    let case = |name: &str| run(desk.modrig(&["fuzz", "case", name]));
    case("nonsense").ends(2, &["error: invalid value 'nonsense'", "`nonsense` is no case such as 6.1/headers/1/4711"]);
    case("6.1/headers/1/4711:9").ends(2, &["error: 6.1/headers/1/4711:9 changes nothing", "help: changes are counted"]);
    let report = || run(desk.modrig(&["fuzz", "report"]));
    let begin = "help: `modrig fuzz kernel -k 6.1` runs a campaign";
    report().ends(2, &["error: no campaigns can be read from `target/modrig/fuzz`: No such file", begin]);
    fs::create_dir_all(desk.path("target/modrig/fuzz")).unwrap();
    report().ends(4, &["error: no campaign is there", begin]);
    run(campaign(&desk, &["--continue"])).ends(2, &["error: there is no campaign in `", "or leave out --continue"]);

    ends(campaign(&desk, &["--cases", "1"]), &[]);
    change(&desk, |state| state["version"] = json!(99));
    let file = place(&desk).join("campaign.json");
    let newer = fs::read_to_string(&file).unwrap();
    let checks = [
        (newer.as_str(), "campaign.json`: a modrig of another version wrote it: 99, not "),
        (&newer[..newer.len() / 2], "campaign.json`: it is damaged: EOF while parsing"),
    ];
    for (text, why) in checks {
        fs::write(&file, text).unwrap();
        report().ends(2, &["error: no campaign can be read from `", why, "help: remove that folder"]);
        for args in [&["--cases", "1"][..], &["--cases", "1", "--continue"]] {
            run(campaign(&desk, args)).ends(2, &["error: no campaign can be read from `", why, "or remove that one"]);
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
}

#[test]
fn what_goes_to_standard_output_stands_there_alone() {
    let desk = Desk::new();
    ends(campaign(&desk, &["--cases", "1"]), &[]);
    // As /dev/stdout is one; that could not be mended if it were replaced.
    symlink("/proc/self/fd/1", desk.path("stdout")).unwrap();
    let page = run(desk.modrig(&["fuzz", "report", "--html", "stdout"])).out;
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"), "{page}");
    assert!(desk.path("stdout").is_symlink());
    let case = format!("{KERNEL}/symbols/1/0");
    // Into a file that has something in it already, as a shell's `>>` does.
    let name = desk.file("file", "before\n");
    let mut command = desk.modrig(&["fuzz", "case", &case, "-o", "stdout"]);
    command.stdout(fs::OpenOptions::new().append(true).open(&name).unwrap());
    run(command).ends(0, &[&case, "we say: "]);
    assert!(fs::read(name).unwrap().starts_with(b"before\n\x7fELF"));
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
    let asked = children_that_ask(child.id());
    assert!(!asked.is_empty(), "none asks libkmod");
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("those that ask libkmod are gone", || children_that_ask(child.id()).is_empty());
    let killed = state(&desk).tally.cases();
    // Two workers had ten pieces of 32 cases each at work, at most, and may have done those behind them.
    let end = (killed + 512).to_string();
    run(quiet_campaign(&desk, &["--cases", &end, "--continue"])).ends(0, &[&format!("{end} cases")]);
    assert_eq!(names_in(&place(&desk)), ["campaign.json"]);
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

/// libkmod, asked by the `modrig` under test.
fn libkmod(program: &str) -> modrig::error::Result<Libkmod> {
    let kmod = Kmod::obtain(&Rig::open().unwrap().store, &Peers::embedded().unwrap(), REFERENCE).unwrap();
    Libkmod::by(kmod, program.into())
}

/// Numbers of the processes that ask libkmod for a `modrig`, or by one.
fn children_that_ask(of: impl ToString) -> Vec<u32> {
    let of = of.to_string();
    let numbers = names_in(Path::new("/proc")).into_iter().filter_map(|name| name.parse().ok());
    let is_one = |number: &u32| {
        let line = fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        line.contains("modrig-libkmod") && line.contains(&of)
    };
    numbers.filter(is_one).collect()
}

/// A file of the fuzz targets' that once made somebody fail, or one of the kernels'.
fn regression(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/regressions").join(name)).unwrap()
}

#[test]
fn libkmod_takes_refuses_and_dies_and_the_next_is_asked() {
    let libkmod = libkmod(env!("CARGO_BIN_EXE_modrig")).unwrap();
    let valid = modfile::write::Module::new("valid").modinfo("license", "GPL").needs("printk").build();
    let unnamed = regression("elf/names-in-section-0");
    let files: [&[u8]; 7] =
        [&valid, b"", b"no module", &unnamed, &regression("kernel/6.1-strcmp"), &unnamed[..100], &valid];
    let died = "elf_get_section_header_offset: Assertion `idx != SHN_UNDEF' failed".to_owned();
    let expected = [
        Reading::Took,
        Reading::Refused(Call::Info, libc::EINVAL),
        Reading::Refused(Call::Info, libc::ENOEXEC),
        Reading::Died(Call::Info, died),
        Reading::Took,
        Reading::Refused(Call::Info, libc::EINVAL),
        Reading::Took,
    ];
    let mut reader = libkmod.reader();
    // More than are asked at once.
    assert_eq!(reader.ask(&files.repeat(10)).unwrap(), vec![expected; 10].concat());
}

#[test]
fn a_libkmod_that_does_not_come_back_is_stopped() {
    // A program of its own, so that it is known which child is this one's.
    let desk = Desk::new();
    let program = desk.path("modrig");
    fs::copy(env!("CARGO_BIN_EXE_modrig"), &program).unwrap();
    let libkmod = libkmod(program.to_str().unwrap()).unwrap();
    let children = || children_that_ask(program.display());
    assert!(children().is_empty(), "the one that was tried is gone");
    let mut reader = libkmod.reader();
    assert_eq!(reader.ask(&[b"no module"]).unwrap().len(), 1);
    let [child] = children()[..] else { panic!("{:?}", children()) };
    // SAFETY: kill takes two numbers; the child is not waited for before it is asked again.
    unsafe { libc::kill(child as libc::pid_t, libc::SIGSTOP) };
    let answers = reader.ask(&[&b"no module"[..]; 2]).unwrap();
    assert_eq!(answers, [Reading::Late(Call::Info), Reading::Refused(Call::Info, libc::ENOEXEC)]);
    drop(reader);
    assert!(children().is_empty(), "{:?}", children());
}

#[test]
fn a_machine_on_which_libkmod_does_not_run_is_one_error() {
    let error = libkmod("/bin/false").unwrap_err();
    assert!(error.chain().starts_with("cannot ask libkmod 34."), "{}", error.chain());
}

#[test]
fn libkmod_dies_in_a_campaign_and_the_report_says_of_what() {
    let desk = Desk::new();
    let mut command = desk.modrig(&["fuzz", "kernel", "-k", KERNEL, "--region", "headers", "--cases", "96", "--place"]);
    command.arg(place(&desk));
    ends(command, &["96 cases", "libkmod: took ", "libkmod dies in kmod_module_get_info: "]);
    let state = state(&desk);
    let deaths: Vec<&Same> =
        state.tally.readings.iter().filter(|same| same.reading.outcome() == Outcome::Died).collect();
    let Some(Alone::Same(case, _)) = &deaths[0].alone else { panic!("{deaths:?}") };
    let (shown, died) = (format!("modrig fuzz case {case} --run"), deaths[0].reading.to_string());
    let version = state.libkmod.unwrap();
    run(desk.modrig(&["fuzz", "case", &case.to_string(), "--run"])).ends(0, &[&format!("libkmod {version}: {died}")]);
    run(desk.modrig(&["fuzz", "report"])).ends(0, &[&format!("Of all modules, libkmod {version}: took "), &shown]);
}

#[test]
fn without_libkmod_a_campaign_says_so_once() {
    let (desk, cache) = (Desk::new(), twin());
    let mut command = quiet_campaign(&desk, &["--cases", "32", "--offline"]);
    command.env("MODRIG_CACHE", cache.path());
    let ran = run(command);
    ran.ends(0, &["32 cases", "libkmod: -", "(run once without --offline)"]);
    assert_eq!(ran.err.matches("libkmod is not asked: ").count(), 1, "{}", ran.err);
    run(desk.modrig(&["fuzz", "report"])).ends(0, &["It was not asked."]);
}
