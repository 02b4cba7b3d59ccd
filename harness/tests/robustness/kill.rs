//! The harness, its QEMU and the guest die at random moments: nothing is left running or half-written, no record is
//! lost or wrong, and the next run goes on where that one ended.

use std::{
    fs::{self, File},
    process::Child,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use modrig::{
    cache::Cache,
    check::Check,
    guest::Guest,
    report::{Record, Verdict},
    run::{Contents, Rig},
    scenario,
    scenario::{Machine, Scenario},
};

use crate::{
    common::{KERNEL, Twin, names_in},
    desk::{Desk, Ran, eventually, start, twin},
    random::{Random, rounds},
};

/// A dozen cases of a moment each.
const GROUPS: [&str; 2] = ["unload::", "insert::"];

/// All records, each of which must be whole.
fn records(desk: &Desk) -> Vec<Record> {
    let names = names_in(&desk.records());
    let files = names.iter().filter(|name| name.ends_with(".json"));
    let read = |name: &String| {
        let bytes = fs::read(desk.records().join(name)).unwrap();
        serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{name} is not whole: {error}"))
    };
    files.map(read).collect()
}

/// A run of this file's cases, with these options.
fn suite(desk: &Desk, twin: &Twin, options: &[&str]) -> Child {
    start(desk.run_in(twin, &[&GROUPS[..], &["--jobs", "2"], options].concat()))
}

/// Kills a process, if it is there.
fn kill(number: u32) {
    // SAFETY: kill takes two numbers.
    unsafe { libc::kill(number as libc::pid_t, libc::SIGKILL) };
}

fn is_over(child: &mut Child) -> bool {
    child.try_wait().unwrap().is_some()
}

/// No lock of the cache is held, and nothing of it half-written once the next run has looked.
fn assert_free(twin: &Twin) {
    Cache::open(Some(twin.path())).unwrap();
    twin.assert_whole();
    for name in names_in(&twin.path().join("locks")) {
        let lock = File::open(twin.path().join("locks").join(&name)).unwrap();
        assert!(lock.try_lock().is_ok(), "{name} is still held");
    }
}

/// Kills the program itself.
fn kill_harness(child: &mut Child, twin: &Twin) {
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("every QEMU is gone", || twin.qemus().is_empty());
}

/// Kills one of its QEMUs, and waits for the end. Whether there was one.
fn kill_qemu(child: &mut Child, twin: &Twin, random: &mut Random) -> bool {
    while !is_over(child) {
        let qemus = twin.qemus();
        if !qemus.is_empty() {
            kill(qemus[random.below(qemus.len())]);
            return true;
        }
    }
    false
}

#[test]
fn killed_at_random_moments() {
    let (twin, desk, mut random) = (twin(), Desk::new(), Random::new());
    let begun = Instant::now();
    let whole: Ran = suite(&desk, &twin, &[]).wait_with_output().unwrap().into();
    whole.ends(0, &[" passed"]);
    let (length, count) = (begun.elapsed(), records(&desk).len());
    for round in 0..rounds(8) {
        let _ = fs::remove_dir_all(desk.records());
        // Now and then the guest is to be booted and saved first.
        if random.below(4) == 0 {
            fs::remove_dir_all(twin.path().join("guest")).unwrap();
        }
        let mut child = suite(&desk, &twin, &[]);
        thread::sleep(random.within(length));
        let of_harness = random.below(2) == 0;
        eprintln!("round {round}: {} is killed", if of_harness { "modrig" } else { "QEMU" });
        if of_harness {
            kill_harness(&mut child, &twin);
        } else {
            let killed = kill_qemu(&mut child, &twin, &mut random);
            let ran: Ran = child.wait_with_output().unwrap().into();
            assert!(ran.code == Some(0) || killed && ran.code == Some(3), "round {round}: {ran:?}");
            assert_eq!(records(&desk).len(), count, "round {round}: a record is missing:\n{}", ran.out);
            assert_eq!(twin.qemus(), Vec::<u32>::new(), "round {round}");
        }
        for record in records(&desk) {
            let fine = match &record.verdict {
                Verdict::Passed | Verdict::Skipped { .. } => true,
                Verdict::Broken { why, .. } => !of_harness && why.contains("QEMU ended"),
                Verdict::Failed { .. } => false,
            };
            assert!(fine, "round {round}, harness killed: {of_harness}: {}: {:?}", record.path(), record.verdict);
        }
        let left = records(&desk).iter().filter(|record| !matches!(record.verdict, Verdict::Broken { .. })).count();
        let next: Ran = suite(&desk, &twin, &["--continue"]).wait_with_output().unwrap().into();
        next.ends(0, &[&format!("{count} cases: ")]);
        assert_eq!(records(&desk).len(), count, "round {round}: {left} were left");
        assert_free(&twin);
    }
}

/// Loads and unloads so often before it panics.
static BEFORE_THE_PANIC: AtomicUsize = AtomicUsize::new(0);

fn hello(guest: &mut Guest) -> Check {
    guest.load("hello")?.succeeds()?;
    guest.unload("hello")?.succeeds()
}

fn dies(guest: &mut Guest) -> Check {
    for _ in 0..BEFORE_THE_PANIC.load(Ordering::SeqCst) {
        hello(guest)?;
    }
    guest.load("panics")?.succeeds()
}

const HELLO: Scenario = scenario!(hello).modules(&["hello"]);
const DIES: Scenario = scenario!(dies).modules(&["panics"]);

#[test]
fn guests_that_die_at_random_moments_fail_their_own_cases_only() {
    let (rig, mut random) = (Rig::open().unwrap(), Random::new());
    let contents = Contents { modules: &["hello", "panics"], ..Contents::default() };
    let prepared = rig.prepare_with(KERNEL, Machine::DEFAULT, &contents);
    for round in 0..rounds(6) {
        BEFORE_THE_PANIC.store(random.below(20), Ordering::SeqCst);
        // Two at a time, so that one lives while the other dies.
        let cases: [&'static Scenario; 5] = [&DIES, &HELLO, &HELLO, &DIES, &HELLO];
        let verdicts = thread::scope(|scope| {
            let (rig, prepared) = (&rig, &prepared);
            let run = |scenario: &'static Scenario| scope.spawn(move || rig.case(KERNEL, prepared, scenario).verdict);
            cases.map(run).map(|case| case.join().unwrap())
        });
        for (scenario, verdict) in cases.iter().zip(verdicts) {
            match verdict {
                Verdict::Passed => assert_eq!(scenario.name, "hello", "round {round}"),
                Verdict::Failed { why, .. } => {
                    assert_eq!(why, "the kernel reports: kernel panic: panics: as asked", "round {round}");
                    assert_eq!(scenario.name, "dies", "round {round}");
                }
                other => panic!("round {round}: {}: {other:?}", scenario.name),
            }
        }
    }
}
