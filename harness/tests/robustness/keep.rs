//! Guests of failing cases are kept, and reopened as they were; those that were not kept are made again.

use std::{fs, io::Write as _, path::Path, process::Stdio};

use modrig::{
    cache::Cache,
    check::Check,
    guest::Guest,
    kept::{self, Keep},
    report::{Record, Verdict},
    run::{Contents, Rig},
    scenario,
    scenario::{Machine, Scenario},
};

use crate::{
    common::{KERNEL, Twin, names_in},
    desk::{Desk, Ran, start, twin},
};

/// A case that the program knows by this name; here with an expectation that no kernel meets.
const CASE: &str = "6.1::stub::removes_itself";
const GROUP: &str = "stub";
const NAME: &str = "removes_itself";

fn wrong(guest: &mut Guest) -> Check {
    guest.put("/tmp/mine", b"as the case left it")?;
    guest.open("/tmp/mine")?;
    guest.load("target")?.succeeds()?;
    let _running = guest.load_until_coming("slow_init", "hold=1")?;
    guest.file_is("/tmp/mine", "something else")
}

fn panics(guest: &mut Guest) -> Check {
    guest.load("panics")?.succeeds()
}

fn rig_in(twin: &Twin, keep: usize) -> Rig {
    let mut rig = Rig::open().unwrap();
    rig.store.cache = Cache::open(Some(twin.path())).unwrap();
    rig.keep = Keep::at_most(keep);
    rig
}

fn run(rig: &Rig, mut scenario: Scenario) -> Record {
    (scenario.group, scenario.name) = (GROUP, NAME);
    let contents = Contents { modules: &["panics", "slow_init", "target"], ..Contents::default() };
    let prepared = rig.prepare_with(KERNEL, Machine::DEFAULT, &contents);
    rig.case(KERNEL, &prepared, &scenario)
}

/// `modrig shell` with these lines typed.
fn shell(desk: &Desk, twin: &Twin, args: &[&str], lines: &str) -> Ran {
    let mut command = desk.modrig(&["shell"]);
    command.args(args).env("MODRIG_CACHE", twin.path()).stdin(Stdio::piped());
    let mut child = start(command);
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}

#[test]
fn the_guest_that_failed_is_reopened_as_it_was() {
    let (twin, desk) = (twin(), Desk::new());
    let rig = rig_in(&twin, 1);
    let record = run(&rig, scenario!(wrong));
    assert!(matches!(record.verdict, Verdict::Failed { .. }), "{:?}", record.verdict);
    assert_eq!(record.resume.as_deref(), Some("modrig shell --resume 6.1::stub::removes_itself"));
    let place = record.kept.as_deref().and_then(|kept| kept.strip_prefix("kept in ")).unwrap();
    let size = fs::metadata(Path::new(place).join("state.lz4")).unwrap().len();
    assert!(size < 60 << 20, "{size} bytes");
    // Kept once; the second one is told so, and the first one stays.
    let second = run(&rig, scenario!(wrong));
    assert!(second.kept.unwrap().starts_with("not kept: as many guests as --keep allows"));

    // As often as one likes; nothing of a session stays.
    for _ in 0..2 {
        let lines = "lsmod\ncat /tmp/mine\nrmmod target\nexit\n";
        let ran = shell(&desk, &twin, &["--resume", CASE], lines);
        ran.ends(
            0,
            &[
                "6.1::stub::removes_itself: the guest that was kept at ",
                "FAIL 6.1::stub::removes_itself",
                "/tmp/mine: expected `something else`, saw `as the case left it`",
                "last steps:\n",
                "is yours as the case left it",
                "as the case left it",
            ],
        );
        ran.ends(0, &["\ntarget ", "\nslow_init "]);
    }
    // Its descriptors are those of the case: one more than in a guest that has opened nothing.
    let mut guest =
        kept::find(&rig.store.cache, CASE, &rig.tools.name()).unwrap().reopen(&rig.host, Machine::DEFAULT).unwrap();
    guest.close(1).unwrap();
    assert!(guest.close(1).is_err(), "it was open once");
    let modules = guest.lines_with("/proc/modules", "slow_init").unwrap();
    assert!(modules.len() == 1 && modules[0].contains("Loading"), "{modules:?}");
    drop(guest);

    shell(&desk, &twin, &["--kept"], "").ends(0, &["failed  modrig shell --resume 6.1::stub::removes_itself"]);
    assert_eq!(names_in(&twin.path().join("kept")).len(), 1);
    twin.assert_whole();
}

#[test]
fn a_guest_that_died_keeps_its_log_and_memory() {
    let (twin, desk) = (twin(), Desk::new());
    let rig = rig_in(&twin, 2);
    let record = run(&rig, scenario!(panics));
    let Verdict::Failed { why, .. } = &record.verdict else { panic!("{:?}", record.verdict) };
    assert_eq!(why, "the kernel reports: kernel panic: panics: as asked");
    let ran = shell(&desk, &twin, &["--resume", CASE], "lsmod\nlog\ndump core\n");
    ran.ends(
        0,
        &[
            "the guest that was kept at ",
            "This guest does not answer any more",
            "] Kernel panic - not syncing: panics",
            "written: ",
        ],
    );
    assert_eq!(fs::read(desk.path("core")).unwrap()[..4], *b"\x7fELF");
    // Once its case passes, the program forgets it: the next one is run again.
    drop(rig);
    let healthy: fn(&mut Guest) -> Check = |_| Ok(());
    let rig = rig_in(&twin, 2);
    assert_eq!(run(&rig, Scenario::new("stub", "healthy", healthy)).verdict, Verdict::Passed);
    shell(&desk, &twin, &["--kept"], "").ends(0, &["no guest is kept"]);
    twin.assert_whole();
}

#[test]
fn a_guest_that_was_not_kept_is_made_again() {
    let (twin, desk) = (twin(), Desk::new());
    let ran = shell(&desk, &twin, &["--resume", CASE], "lsmod\nlog\n");
    let expected = ["6.1::stub::removes_itself: run again", "ok 6.1::stub::removes_itself", "last steps:"];
    ran.ends(0, &expected);
    ran.ends(0, &["finit_module(", "Module                  Size  Used by", "stub: call_usermodehelper = 0"]);
    assert!(!ran.out.contains("\nstub "), "the stub has removed itself:\n{}", ran.out);
    shell(&desk, &twin, &["--resume", "6.1::stub::removes_itslef"], "")
        .ends(4, &["help: did you mean `stub::removes_itself`?"]);
    shell(&desk, &twin, &["--resume", "stub::removes_itself"], "")
        .ends(2, &["help: a case is named KERNEL::GROUP::SCENARIO"]);
    shell(&desk, &twin, &[], "").ends(2, &["--kernel <KERNEL>|--resume <CASE>|--kept"]);
    twin.assert_whole();
}
