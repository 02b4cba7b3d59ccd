//! Guests whose agent lies on the wire, in QEMU: every lie costs its own case and bounded time and memory, no more.

use std::{fs, thread, time::Duration};

use modrig::{
    cache::Digest,
    check::{Check, Stop},
    error::Result,
    guest::Guest,
    image::{self, Image},
    machine::Machine,
    report::Verdict,
    run::{Prepared, Rig},
    scenario,
    scenario::Scenario,
    vm::{Vm, snapshot::Snapshot},
};
use tempfile::TempDir;

/// The kernel of these tests.
const KERNEL: &str = "6.1";

/// PID 1 that lies; what it can tell stands in its source.
const LIAR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/modrig-liar"));

/// The liar's initramfs, which lies in this directory.
fn image(directory: &TempDir) -> Image {
    let archive = image::only_init(LIAR).unwrap();
    let path = directory.path().join("initramfs");
    fs::write(&path, &archive).unwrap();
    Image { path, digest: Digest::of([&archive]) }
}

/// A kernel booted with the liar, as any case gets it.
fn prepare(rig: &Rig) -> Result<Prepared> {
    let kernel = rig.store.resolve(&rig.catalog, KERNEL)?;
    let directory = tempfile::tempdir().unwrap();
    let image = image(&directory);
    let guest = Snapshot::take(&rig.store, &rig.host, Machine::DEFAULT, &kernel, &image)?;
    Ok(Prepared { kernel, missing: Default::default(), image, guest })
}

/// Tells the truth as long as nobody asks for a lie.
const TRUTH: Scenario = scenario!(truth);

fn truth(guest: &mut Guest) -> Check {
    guest.file_is("/truth", "the truth")
}

/// The most memory this process ever had, bytes.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// The verdicts of these cases; after each one the next case passes.
fn verdicts(lies: &[&Scenario]) -> Vec<Verdict> {
    let rig = Rig::open().unwrap();
    let prepared = prepare(&rig);
    let before = memory();
    let judge = |lie: &&Scenario| {
        let verdict = rig.case(KERNEL, &prepared, lie).verdict;
        assert_eq!(rig.case(KERNEL, &prepared, &TRUTH).verdict, Verdict::Passed, "the case after {}", lie.name);
        verdict
    };
    let verdicts = lies.iter().map(judge).collect();
    let grown = memory() - before;
    assert!(grown < 256 << 20, "lies of a guest made this process {} MiB larger", grown >> 20);
    verdicts
}

/// A scenario for each lie that is told when the guest is asked to read a file.
macro_rules! lies {
    ($($name:ident: $file:literal),* $(,)?) => { $(
        fn $name(guest: &mut Guest) -> Check {
            guest.read(concat!("/lie/", $file))?;
            // What it sends too much is noticed when it is asked again, most precisely if it has come by then.
            thread::sleep(Duration::from_millis(500));
            guest.file_is("/truth", "the truth")
        }
    )* };
}

lies! {
    random_bytes: "random-bytes", random_bodies: "random-bodies", huge_length: "huge-length",
    too_long: "length-just-too-long", no_body: "no-body", truncated: "truncated", long_body: "long-body", stalls: "stalls",
    other_kind: "other-kind", ready_again: "ready-again", ended: "ended", many_names: "many-names",
    unasked: "answers-nobody-asked-for", flood: "flood-of-answers", console: "flood-of-console",
    false_splat: "false-splat",
}

/// What looks like an answer comes when the next thing has been asked.
fn late(guest: &mut Guest) -> Check {
    guest.read("/lie/late-answer")?;
    guest.file_is("/truth", "the truth")
}

/// The liar says that a job of another number began, and knows none when asked for it.
fn other_job(guest: &mut Guest) -> Check {
    guest.load("anything")?.succeeds()
}

#[test]
fn a_lie_on_the_wire_breaks_its_case_alone() {
    let lies = [
        (scenario!(random_bytes), "no message of its agent: byte 0x"),
        (scenario!(random_bodies), "no message of its agent: frame body is no message"),
        (scenario!(huge_length), "no message of its agent: frame of 4294967295 bytes"),
        (scenario!(too_long), "no message of its agent: frame of "),
        (scenario!(no_body), "no message of its agent: frame body is no message"),
        (scenario!(truncated), "bytes that nobody asked for"),
        (scenario!(long_body), "no message of its agent: 3 bytes behind the message"),
        (scenario!(other_kind), "reading /lie/other-kind: the agent answers Opened"),
        (scenario!(ready_again), "reading /lie/ready-again: the agent answers Ready"),
        (scenario!(ended), "reading /lie/ended: the agent answers Ended"),
        (scenario!(many_names), "reading /lie/many-names: the agent answers Names"),
        (scenario!(unasked), "bytes that nobody asked for"),
        (scenario!(late), "that nobody asked for"),
        (scenario!(flood), "bytes that nobody asked for"),
        (scenario!(other_job), "loading anything: the agent answers Started"),
    ];
    let scenarios: Vec<&Scenario> = lies.iter().map(|(scenario, _)| scenario).collect();
    for ((lie, expected), verdict) in lies.iter().zip(verdicts(&scenarios)) {
        match verdict {
            Verdict::Broken { why, .. } => {
                assert!(why.contains(expected), "{}: {why}", lie.name);
                assert!(why.len() < 500, "{}: {} bytes of story", lie.name, why.len());
            }
            other => panic!("{}: the rig should be blamed: {other:?}", lie.name),
        }
    }
}

/// What looks like a kernel's doing cannot be told from it.
#[test]
fn what_a_kernel_could_have_done_fails_its_case_alone() {
    let lies = [
        (scenario!(stalls), "the guest hangs: silent for "),
        (scenario!(console), "the guest floods its console"),
        (scenario!(false_splat), "the kernel reports: BUG: \u{fffd}[31m\u{fffd}\u{fffd} false\u{fffd} alarm at N"),
    ];
    let scenarios: Vec<&Scenario> = lies.iter().map(|(scenario, _)| scenario).collect();
    for ((lie, expected), verdict) in lies.iter().zip(verdicts(&scenarios)) {
        match verdict {
            Verdict::Failed { why, .. } => assert!(why.starts_with(expected), "{}: {why}", lie.name),
            other => panic!("{}: {other:?}", lie.name),
        }
    }
}

#[test]
fn a_first_message_that_is_none_is_an_error_of_that_guest() {
    let rig = Rig::open().unwrap();
    let kernel = rig.store.resolve(&rig.catalog, KERNEL).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let image = image(&directory);
    for (words, expected) in [
        ("lie=other-version", "the guest's agent speaks version "),
        ("lie=no-ready", "the guest's agent began with Done"),
        ("lie=random-bodies", "frame body is no message"),
        ("lie=huge-length", "frame of 4294967295 bytes"),
    ] {
        let machine = Machine::DEFAULT.words(words);
        let trouble = Vm::boot(&rig.host, machine, &kernel, &image.path).unwrap_err();
        let text = Stop::from(trouble);
        assert!(matches!(&text, Stop::Broken(error) if error.chain().contains(expected)), "{words}: {text:?}");
    }
}
