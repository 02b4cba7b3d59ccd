//! Ctrl-C and SIGTERM at random moments, once and twice: the end comes soon, with 130, and nothing stays.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use crate::{
    common::names_in,
    desk::{Desk, Ran, run, start, twin},
    random::{Random, rounds},
};

#[test]
fn interrupted_at_random_moments() {
    let (twin, desk, mut random) = (twin(), Desk::new(), Random::new());
    let arguments = ["unload::", "insert::", "--jobs", "2"];
    let begun = Instant::now();
    run(desk.run_in(&twin, &arguments)).ends(0, &[" passed"]);
    let length = begun.elapsed();
    for round in 0..rounds(6) {
        if random.below(4) == 0 {
            fs::remove_dir_all(twin.path().join("guest")).unwrap();
        }
        fs::remove_dir_all(desk.records()).unwrap_or_default();
        let child = start(desk.run_in(&twin, &arguments));
        thread::sleep(random.within(length));
        let signal = [libc::SIGINT, libc::SIGTERM][random.below(2)];
        let times = 1 + random.below(2);
        for _ in 0..times {
            // SAFETY: kill takes two numbers. The child has not been waited for, so its number is still its own.
            unsafe { libc::kill(child.id() as libc::pid_t, signal) };
            thread::sleep(random.within(Duration::from_millis(100)));
        }
        let ran: Ran = child.wait_with_output().unwrap().into();
        // It may have been done already, or not yet have set up its handlers.
        let killed_early = ran.code.is_none() && !ran.err.contains("QEMU");
        assert!(matches!(ran.code, Some(0 | 130)) || killed_early, "round {round}, {times} times: {ran:?}");
        crate::desk::eventually("every QEMU is gone", || twin.qemus().is_empty());
        for name in names_in(&desk.records()).iter().filter(|name| name.ends_with(".json")) {
            let record = crate::desk::record(&desk.records().join(name));
            assert!(matches!(record.verdict.word(), "passed" | "skipped"), "round {round}: {:?}", record.verdict);
        }
        if ran.code == Some(130) && times == 1 {
            assert!(ran.out.contains("cases: "), "round {round}: the records so far should be shown: {ran:?}");
        }
        run(desk.run_in(&twin, &[&arguments[..], &["--continue"]].concat())).ends(0, &[" passed"]);
        twin.assert_whole();
    }
}
