//! Guests that go wrong: what the verdict says, and that the next case is not touched by it.

mod common;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use common::{KERNEL, Twin, beginning_with};
use modrig::{
    cache::Cache,
    check::Check,
    error::Result,
    guest::Guest,
    image,
    machine::Machine,
    programs,
    report::{Record, Verdict, terminal},
    run::{Contents, Prepared, Rig},
    scenario,
    scenario::Scenario,
    suite::{self, Suite},
    vm::{Host, Vm},
};

const MODULES: [&str; 8] = ["floods", "hangs", "hello", "no_c", "oopses", "panics", "requester", "warns"];

const HELLO: Scenario = scenario!(hello).modules(&["hello"]);

fn hello(guest: &mut Guest) -> Check {
    guest.load("hello")?.succeeds()?;
    guest.unload("hello")?.succeeds()
}

/// One saved guest serves all tests of this file.
fn prepare(rig: &Rig) -> Result<Prepared> {
    let no_c = "#include <linux/module.h>\nint broken = ;\nMODULE_LICENSE(\"GPL\");\n";
    let contents = Contents { modules: &MODULES, sources: &[("no_c".to_owned(), no_c.to_owned())], stock: &[] };
    rig.prepare_with(KERNEL, Machine::DEFAULT, &contents)
}

/// Runs a scenario that goes wrong; afterwards nothing runs, and a healthy one on a fresh copy of the guest passes.
fn goes_wrong(scenario: &Scenario) -> Record {
    let rig = Rig::open().unwrap();
    let prepared = prepare(&rig);
    let record = rig.case(KERNEL, &prepared, scenario);
    assert_eq!(children(), Vec::<String>::new(), "something was left running");
    let next = rig.case(KERNEL, &prepared, &HELLO);
    assert_eq!(next.verdict, Verdict::Passed, "the case after it");
    record
}

/// Command lines of this thread's children: the rig starts QEMU in the thread that asks for a guest.
fn children() -> Vec<String> {
    let numbers = fs::read_to_string("/proc/thread-self/children").unwrap();
    let line = |number| fs::read_to_string(format!("/proc/{number}/cmdline")).unwrap_or_default();
    numbers.split_whitespace().map(line).collect()
}

fn failed(record: Record) -> (String, String) {
    match record.verdict {
        Verdict::Failed { why, log } => (why, log),
        other => panic!("the kernel should be blamed: {other:?}"),
    }
}

fn broken(record: Record) -> String {
    match record.verdict {
        Verdict::Broken { why, .. } => why,
        other => panic!("the rig should be blamed: {other:?}"),
    }
}

#[test]
fn what_needs_drivers_is_skipped_where_there_are_none_and_says_why() {
    let scenario = scenario!(hello).machine(Machine::PC);
    let skipped = |rig: &Rig, kernel: &str| {
        let record = rig.case(kernel, &rig.prepare(kernel, scenario.machine), &scenario);
        match record.verdict {
            Verdict::Skipped { why } => why,
            other => panic!("it should be skipped: {other:?}"),
        }
    };
    let mut rig = Rig::open().unwrap();
    assert_eq!(skipped(&rig, "./bzImage"), "needs stock drivers, and the list of kernels has none for ./bzImage");
    rig.without_drivers = true;
    assert_eq!(skipped(&rig, KERNEL), "left out by --no-drivers");
}

fn load_panics(guest: &mut Guest) -> Check {
    guest.load("panics")?.succeeds()
}

#[test]
fn a_panic_fails_its_case_with_the_log_from_the_panic_on() {
    let (why, log) = failed(goes_wrong(&scenario!(load_panics).modules(&["panics"])));
    assert_eq!(why, "the kernel reports: kernel panic: panics: as asked");
    let first = log.lines().next().unwrap();
    assert!(first.ends_with("Kernel panic - not syncing: panics: as asked"), "{log}");
    assert!(log.contains("panics_init+0x"), "the log should have the call trace: {log}");
}

fn load_oopses(guest: &mut Guest) -> Check {
    guest.load("oopses")?.succeeds()
}

#[test]
fn an_oops_fails_its_case_with_the_log_from_the_oops_on() {
    let (why, log) = failed(goes_wrong(&scenario!(load_oopses).modules(&["oopses"])));
    assert_eq!(why, "the kernel reports: BUG: unable to handle kernel NULL pointer dereference in oopses_init");
    assert!(log.lines().next().unwrap().contains("BUG: kernel NULL pointer dereference"), "{log}");
    assert!(log.contains("oopses_init+0x"), "the log should have the call trace: {log}");
}

fn load_warns(guest: &mut Guest) -> Check {
    guest.load("warns")?.succeeds()
}

#[test]
fn a_warning_that_nobody_expects_fails_its_case() {
    let (why, log) = failed(goes_wrong(&scenario!(load_warns).modules(&["warns"])));
    assert_eq!(why, "the kernel reports: WARNING in warns_init");
    assert!(log.lines().next().unwrap().contains("cut here"), "{log}");
}

fn expects_in_vain(guest: &mut Guest) -> Check {
    guest.expect_splat("WARNING in hello_init");
    hello(guest)
}

#[test]
fn an_expected_splat_that_does_not_come_fails_its_case() {
    let (why, _) = failed(goes_wrong(&scenario!(expects_in_vain).modules(&["hello"])));
    assert_eq!(why, "the kernel should report `WARNING in hello_init`, and does not");
}

fn load_hangs(guest: &mut Guest) -> Check {
    guest.load("hangs")?.succeeds()
}

#[test]
fn a_hang_fails_its_case_by_its_silence() {
    let (why, log) = failed(goes_wrong(&scenario!(load_hangs).modules(&["hangs"])));
    assert!(why.starts_with("the guest hangs: silent for "), "{why}");
    assert!(log.contains("hangs: loading out-of-tree module"), "the log's end should be shown: {log}");
}

fn load_floods(guest: &mut Guest) -> Check {
    guest.load("floods")?.succeeds()
}

#[test]
fn a_flood_fails_its_case() {
    let (why, log) = failed(goes_wrong(&scenario!(load_floods).modules(&["floods"])));
    assert_eq!(why, "the guest floods its console");
    assert!(log.contains("floods: the same line again"), "{log}");
}

fn restart(guest: &mut Guest) -> Check {
    guest.write("/proc/sysrq-trigger", "b")
}

#[test]
fn a_guest_that_ends_by_itself_fails_its_case() {
    let (why, log) = failed(goes_wrong(&scenario!(restart)));
    assert!(why.starts_with("the guest ended by itself (QEMU: exit status: 0"), "{why}");
    assert!(log.contains("sysrq: Resetting"), "{log}");
}

fn garbage(guest: &mut Guest) -> Check {
    guest.load("requester")?.succeeds()?;
    guest.set_helper("garbage")?;
    guest.write("/dev/requester", "request some-name")
}

#[test]
fn garbage_from_the_guest_breaks_its_case() {
    let why = broken(goes_wrong(&scenario!(garbage).modules(&["requester"])));
    assert!(why.starts_with("the guest sent bytes that are no message of its agent: "), "{why}");
}

fn load_no_c(guest: &mut Guest) -> Check {
    guest.load("no_c")?.succeeds()
}

#[test]
fn a_module_that_does_not_compile_breaks_its_case_with_the_first_error() {
    let why = broken(goes_wrong(&scenario!(load_no_c).modules(&["no_c"])));
    assert!(why.starts_with("the module no_c does not build: no_c.c:2:"), "{why}");
    assert!(why.contains("error: expected expression"), "{why}");
}

#[test]
fn an_init_that_says_nothing_is_a_hang_with_the_end_of_the_log() {
    let rig = Rig::open().unwrap();
    let kernel = rig.store.resolve(&rig.catalog, KERNEL).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let initrd = dir.path().join("initramfs");
    fs::write(&initrd, image::only_init(programs::HELPER).unwrap()).unwrap();
    let trouble = Vm::boot(&rig.host, Machine::DEFAULT, &kernel, &initrd).unwrap_err();
    let text = trouble.into_error().chain();
    assert!(text.starts_with("the guest hangs: silent for "), "{text}");
    assert!(text.contains("\nmodrig-helper: init reached"), "{text}");
}

/// Prepares a kernel that begins with `code`, in a cache of its own: the error's text, and how often QEMU was started.
fn prepare_spoilt(code: [u8; 2]) -> (String, usize) {
    let rig = Rig::open().unwrap();
    let good = rig.store.resolve(&rig.catalog, KERNEL).unwrap();
    // A cache keeps a copy of a kernel that is given by path, and the machine's cache shall not.
    let twin = Twin::of(&rig);
    let dir = tempfile::tempdir().unwrap();
    let (file, starts) = (dir.path().join("vmlinux"), dir.path().join("starts"));
    fs::write(&file, beginning_with(&good.image, code)).unwrap();

    let mut spoilt = rig.clone();
    spoilt.store.cache = Cache::open(Some(twin.path())).unwrap();
    spoilt.host = counting(&rig.host, dir.path(), &starts);
    let error =
        spoilt.prepare_with(file.to_str().unwrap(), Machine::DEFAULT, &Contents::default()).unwrap_err().chain();
    assert_eq!(children(), Vec::<String>::new(), "something was left running");
    twin.assert_whole();
    let expected = format!("kernel {} ({}) does not come up on microvm: ", file.display(), good.release);
    assert!(error.starts_with(&expected), "{error}");
    (error, fs::read_to_string(starts).unwrap().lines().count())
}

/// The host with a QEMU that writes down each start.
fn counting(host: &Host, dir: &Path, starts: &Path) -> Host {
    let program: PathBuf = dir.join("qemu");
    let text =
        format!("#!/bin/sh\necho start >> '{}'\nexec '{}' \"$@\"\n", starts.display(), host.qemu.program.display());
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut host = host.clone();
    host.qemu.program = program;
    host
}

#[test]
fn a_kernel_that_prints_nothing_is_tried_twice_and_named() {
    let (error, starts) = prepare_spoilt([0xf4, 0xf4]); // hlt, with interrupts off
    assert!(error.contains("the guest hangs: not a byte within "), "{error}");
    assert_eq!(starts, 2);
}

#[test]
fn a_kernel_that_dies_at_once_is_named() {
    let (error, _) = prepare_spoilt([0x0f, 0x0b]); // ud2, without anyone to handle it
    assert!(error.contains("QEMU ended before the kernel printed anything (exit status: 0)"), "{error}");
}

const RIGHT: Scenario = scenario!(right);
const WRONG: Scenario = scenario!(wrong);

fn right(guest: &mut Guest) -> Check {
    guest.file_is("/proc/sys/kernel/modprobe", "/sbin/modprobe")
}

fn wrong(guest: &mut Guest) -> Check {
    guest.file_is("/proc/sys/kernel/modprobe", "/bin/modprobe")
}

#[test]
fn a_wrong_expectation_fails_exactly_its_cells() {
    let rig = Rig::open().unwrap();
    let kernels: Vec<String> = rig.catalog.columns().map(str::to_owned).collect();
    let suite = Suite { cases: suite::cases(&kernels, &[&RIGHT, &WRONG]), jobs: 2, earlier: Vec::new() };
    let records = suite.run(&rig, |_| {});
    assert_eq!(records.len(), 2 * kernels.len());
    for record in &records {
        match (&*record.scenario, &record.verdict) {
            ("right", Verdict::Passed) => {}
            ("wrong", Verdict::Failed { why, .. }) => {
                assert_eq!(why, "/proc/sys/kernel/modprobe: expected `/bin/modprobe`, saw `/sbin/modprobe`");
            }
            other => panic!("{}: {other:?}", record.path()),
        }
    }
    let shown = anstream::adapter::strip_str(&terminal::matrix(&kernels, &records)).to_string();
    let marks = |scenario: &str| {
        let row = shown.lines().find(|line| line.starts_with(scenario)).unwrap();
        row.split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(marks("guests::right"), vec!["ok"; kernels.len()]);
    assert_eq!(marks("guests::wrong"), vec!["FAIL"; kernels.len()]);
}
