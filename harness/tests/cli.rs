//! The `modrig` program where something is wrong: its words, its exit code, and what it leaves behind.

mod common;
#[path = "common/desk.rs"]
mod desk;

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use common::{KERNEL, Twin, beginning_with, names_in};
use desk::{Desk, Ran, eventually, only_record, run, skip, start, twin};
use modrig::{
    report::{Record, Verdict},
    run::Rig,
    scenarios,
    vm::accel::{self, Choice},
};

/// A case of a moment.
const QUICK: &str = "unload::unknown_module_is_enoent";

/// A case of some seconds, which comes after [`QUICK`].
const SLOW: &str = "request_module::self_request_is_stuck_until_killed";

#[test]
fn an_unknown_kernel_is_wrong_usage_and_the_nearest_is_named() {
    let ran = run(Desk::new().modrig(&["run", "-k", "6.11"]));
    ran.ends(2, &["error: no kernel is called `6.11`", "help: did you mean 6.1? known are 5.10, 5.10-generic, 6.1, "]);
}

#[test]
fn an_unknown_scenario_selects_nothing_and_the_nearest_is_named() {
    let ran = run(Desk::new().modrig(&["run", "-k", KERNEL, "unload::unknwon_module"]));
    ran.ends(4, &["error: no scenario is called `unload::unknwon_module`", "help: did you mean `unload::unknown_mod"]);
}

#[test]
fn an_unknown_peer_is_wrong_usage_and_the_nearest_is_named() {
    let ran = run(Desk::new().modrig(&["peers", "fetch", "kmod34"]));
    ran.ends(
        2,
        &["error: no peer is called `kmod34`", "help: did you mean kmod-34? known are busybox, kmod-30, kmod-34,"],
    );
}

#[test]
fn an_unknown_option_is_wrong_usage() {
    run(Desk::new().modrig(&["run", "--colour"])).ends(2, &["error: unexpected argument '--colour' found"]);
}

#[test]
fn a_path_that_is_not_there_is_wrong_usage() {
    let desk = Desk::new();
    run(desk.modrig(&["run", "-k", "./nosuch"])).ends(2, &["error: there is no kernel at `./nosuch`: No such file"]);
    assert!(!desk.records().exists(), "cases were run");
}

#[test]
fn a_text_file_is_no_kernel() {
    let desk = Desk::new();
    desk.file("text", "not a kernel\n");
    run(desk.modrig(&["run", "-k", "./text"]))
        .ends(2, &["/text` does not boot: it is neither a bzImage nor an ELF kernel"]);
    assert!(!desk.records().exists(), "cases were run");
}

#[test]
fn a_truncated_vmlinuz_is_no_kernel() {
    let desk = Desk::new();
    let mut image = vec![0; 1124];
    image[0x1f1] = 1; // sectors of set-up code after the first
    image[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
    image[0x202..0x208].copy_from_slice(b"HdrS\x0f\x02");
    image[0x24c..0x250].copy_from_slice(&5000_u32.to_le_bytes());
    desk.file("vmlinuz", image);
    let ran = run(desk.modrig(&["run", "-k", "./vmlinuz"]));
    ran.ends(2, &["/vmlinuz` does not boot: it is truncated: it has only 1124 bytes, its header promises 6024"]);
}

#[test]
fn a_missing_qemu_is_named() {
    let desk = Desk::new();
    let mut command = desk.modrig(&["run", "-k", KERNEL]);
    command.env("MODRIG_QEMU", "/nonexistent");
    run(command).ends(3, &["error: QEMU does not run: `/nonexistent`: No such file", "help: install qemu-system-x86"]);
}

#[test]
fn a_qemu_that_is_too_old_is_named() {
    let desk = Desk::new();
    let old = desk.file("qemu", "#!/bin/sh\necho QEMU emulator version 4.2.1\n");
    fs::set_permissions(&old, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = desk.modrig(&["run", "-k", KERNEL]);
    command.env("MODRIG_QEMU", old);
    run(command).ends(3, &["error: QEMU 4.2.1 is too old: modrig needs 5.2 or newer", "help: install a newer one"]);
}

#[test]
fn kvm_that_cannot_run_a_guest_is_refused_with_the_reason() {
    let Err(error) = accel::decide(Choice::Kvm) else { return skip("KVM works here") };
    let ran = run(Desk::new().modrig(&["run", "-k", KERNEL, "--accel", "kvm"]));
    ran.ends(3, &[&format!("error: {error}"), "help: use --accel tcg or --accel auto"]);
}

#[test]
fn an_archive_that_does_not_answer_is_named() {
    let desk = Desk::new();
    let mirror = "http://127.0.0.1:1/debian";
    let ran = run(desk.modrig(&["--cache", "cache", "--mirror", mirror, "run", "-k", KERNEL, QUICK]));
    ran.ends(3, &["cannot fetch `http://127.0.0.1:1/debian", "Connection refused", "help: is the archive reachable?"]);
    assert_eq!(names_in(&desk.path("cache/tmp")), Vec::<String>::new());
    assert!(matches!(only_record(&desk).verdict, Verdict::Broken { .. }));
}

#[test]
fn offline_with_an_empty_cache_says_what_is_missing() {
    let ran = run(Desk::new().modrig(&["--cache", "cache", "--offline", "run", "-k", KERNEL, QUICK]));
    ran.ends(3, &["is not in the cache, and --offline forbids fetching it", "help: run once without --offline"]);
}

#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let ran = run(Desk::new().modrig(&["--cache", "/dev/null/cache", "run", "-k", KERNEL, QUICK]));
    ran.ends(3, &["error: cannot use `/dev/null/cache` as the cache: Not a directory", "help: name a writable dir"]);
}

#[test]
fn doctor_names_every_subject() {
    let ran = run(Desk::new().modrig(&["doctor"]));
    let bad = ran.out.lines().any(|line| line.starts_with("no "));
    let subjects = ["QEMU", "acceleration", "cache", "archive", "signatures", "build roots", "entering them"];
    ran.ends(if bad { 3 } else { 0 }, &subjects);
}

#[test]
fn doctor_says_how_to_mend_what_is_missing() {
    let desk = Desk::new();
    let mut command = desk.modrig(&["doctor"]);
    command.env("PATH", "/nonexistent");
    let ran = run(command);
    ran.ends(
        3,
        &["QEMU is missing", "mend: install qemu-system-x86", "mend: install mmdebstrap", "mend: install gpgv"],
    );
}

#[test]
fn list_needs_neither_cache_nor_home() {
    let desk = Desk::new();
    let mut command = desk.modrig(&["list"]);
    command.env_remove("HOME").env_remove("XDG_CACHE_HOME").env_remove("MODRIG_CACHE");
    let ran = run(command);
    ran.ends(0, &[QUICK]);
    assert_eq!(ran.out.lines().count(), scenarios::all().count());
    let known = [
        "request_module article (4.1)",
        "since 4.13: it waits 5 s",
        "6d7964a722af (\"kmod: throttle kmod thread limit\")",
    ];
    run(desk.modrig(&["list", "chain_of_60"])).ends(0, &known);
    assert_eq!(names_in(desk.0.path()), Vec::<String>::new());
}

#[test]
fn a_record_is_complete_and_says_how_to_run_its_case_again() {
    let desk = Desk::new();
    run(desk.modrig(&["run", "-k", KERNEL, QUICK]))
        .ends(0, &["unload::unknown_module_is_enoent      ok", "1 case: 1 passed"]);
    let record = only_record(&desk);
    assert_eq!((record.version, record.path()), (Record::VERSION, format!("{KERNEL}::{QUICK}")));
    assert_eq!(record.verdict, Verdict::Passed);
    assert!(record.release.as_ref().is_some_and(|release| release.starts_with(&format!("{KERNEL}."))));
    assert!(record.guest_digest.is_some());
    assert!(!record.claim.is_empty() && !record.source.is_empty() && !record.qemu.is_empty());
    let rerun: Vec<&str> = record.rerun.split(' ').collect();
    assert_eq!(rerun[0], "modrig");
    run(desk.modrig(&rerun[1..])).ends(0, &["1 passed"]);
    only_record(&desk);
    let records = desk.records().display().to_string();
    run(desk.modrig(&["behaviours", "--records", &records, "--check"])).ends(0, &["0 cases ended otherwise"]);
    Record { verdict: Verdict::Skipped { why: "of no use".into() }, ..record }.store(&desk.records()).unwrap();
    let told = format!("{KERNEL}::{QUICK}: skipped (of no use), was passed");
    run(desk.modrig(&["behaviours", "--records", &records, "--check"])).ends(1, &[&told, "1 case ended otherwise"]);
}

#[test]
fn two_runs_on_one_cache_make_one_saved_guest() {
    let twin = twin();
    let desks = [Desk::new(), Desk::new()];
    let runs = desks.each_ref().map(|desk| start(desk.run_in(&twin, &[QUICK])));
    for child in runs {
        Ran::from(child.wait_with_output().unwrap()).ends(0, &["1 passed"]);
    }
    for kind in ["guest", "image"] {
        assert_eq!(names_in(&twin.path().join(kind)).len(), 1, "{kind}");
    }
    twin.assert_whole();
}

#[test]
fn a_run_killed_in_a_case_keeps_its_records_and_leaves_no_guest() {
    let (twin, desk) = (twin(), Desk::new());
    let mut child = start(desk.run_in(&twin, &["--jobs", "1", QUICK, SLOW]));
    eventually("the second case runs", || names_in(&desk.records()).len() == 1 && !twin.qemus().is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("QEMU is gone", || twin.qemus().is_empty());
    assert_eq!(only_record(&desk).verdict, Verdict::Passed);
    run(desk.run_in(&twin, &[SLOW])).ends(0, &["1 passed"]);
    twin.assert_whole();
}

#[test]
fn a_run_killed_in_a_boot_is_swept_up_by_the_next() {
    let (twin, desk) = (twin(), Desk::new());
    let mut child = start(desk.run_in(&twin, &[QUICK]));
    eventually("the guest boots", || !twin.qemus().is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("QEMU is gone", || twin.qemus().is_empty());
    assert_eq!(names_in(&twin.path().join("tmp")).len(), 1, "the boot was not interrupted");
    run(desk.run_in(&twin, &[QUICK])).ends(0, &["1 passed"]);
    twin.assert_whole();
}

#[test]
fn ctrl_c_ends_a_run_with_130_and_nothing_left() {
    let (twin, desk) = (twin(), Desk::new());
    let child = start(desk.run_in(&twin, &["--jobs", "1", QUICK, SLOW]));
    eventually("the second case runs", || names_in(&desk.records()).len() == 1 && !twin.qemus().is_empty());
    // SAFETY: kill takes two numbers. The child has not been waited for, so its number is still its own.
    assert_eq!(unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGINT) }, 0);
    let ran = Ran::from(child.wait_with_output().unwrap());
    ran.ends(130, &["modrig: stopping after cleaning up (again: at once)", "error: interrupted", "1 passed"]);
    assert_eq!(twin.qemus(), Vec::<u32>::new(), "something was left running");
    only_record(&desk);
    twin.assert_whole();
}

#[test]
fn a_kernel_that_does_not_come_up_breaks_its_own_cases_only() {
    let (rig, desk) = (Rig::open().unwrap(), Desk::new());
    let twin = Twin::of(&rig);
    let image = rig.store.resolve(&rig.catalog, KERNEL).unwrap().image;
    desk.file("vmlinux", beginning_with(&image, [0x0f, 0x0b])); // ud2, without anyone to handle it
    let ran = run(desk.run_in(&twin, &["-k", "./vmlinux", QUICK]));
    ran.ends(3, &["2 cases: 1 passed, 1 broken", "kernel ./vmlinux (6.1.", "QEMU ended before the kernel printed"]);
    assert_eq!(names_in(&desk.records()).len(), 2);
    twin.assert_whole();
}

#[test]
fn a_full_disk_is_named_and_keeps_nothing_half() {
    // SAFETY: geteuid has no preconditions.
    if unsafe { libc::geteuid() } != 0 {
        return skip("mounting a small file system needs root");
    }
    let (twin, desk) = (twin(), Desk::new());
    // Room for nothing, then for the image alone.
    for (size, what) in [("256k", "cannot write the image `"), ("64m", "no space to save a guest in `")] {
        let disk = desk.path(size);
        fs::create_dir(&disk).unwrap();
        let script = format!(
            "mount -t tmpfs -o size={size} none '{disk}' && cp -a '{twin}'/* '{disk}' && '{modrig}' --cache '{disk}' \
             run -k {KERNEL} {QUICK}; code=$?; ls '{disk}/tmp'; exit $code",
            disk = disk.display(),
            twin = twin.path().display(),
            modrig = env!("CARGO_BIN_EXE_modrig"),
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &script]).current_dir(desk.0.path());
        let ran = run(command);
        if ran.err.contains("unshare: ") {
            return skip(&ran.err);
        }
        ran.ends(3, &[what, "help: free some space, or name another place with --cache or MODRIG_CACHE"]);
        assert!(ran.out.ends_with("records: target/modrig/records\n"), "something is left in tmp:\n{}", ran.out);
    }
}
