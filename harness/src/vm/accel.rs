//! Which accelerator runs a guest here, and why.
//!
//! `/dev/kvm` may open, create machines and processors, and still be unable to run a guest: a nested KVM that
//! emulates every instruction stops at the first one it does not know, and is slower than TCG at the rest. So
//! the probe runs a few instructions that kernels need and times a loop, in a virtual machine of one page.

use std::{
    fmt,
    path::Path,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use kvm_bindings::{KVM_API_VERSION, KVM_MAX_CPUID_ENTRIES, kvm_userspace_memory_region};
use kvm_ioctls::{Kvm, VcpuExit, VcpuFd};

use crate::{
    cache::Cache,
    error::{Error, Result},
    memo,
};

/// What runs the guest's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accel {
    /// The processor, through KVM.
    Kvm,
    /// QEMU's translator.
    Tcg,
}

impl fmt::Display for Accel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        })
    }
}

/// What the user asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Choice {
    /// KVM where it really works, else TCG.
    #[default]
    Auto,
    /// KVM, or an error that says why not.
    Kvm,
    /// TCG.
    Tcg,
}

/// An accelerator and the reason it was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The accelerator.
    pub accel: Accel,
    /// Why, for people.
    pub reason: String,
}

/// Decides, by trying.
///
/// # Errors
/// `Choice::Kvm` where KVM cannot run a guest.
pub fn decide(choice: Choice) -> Result<Decision> {
    decide_by(choice, probe)
}

/// The same; an instruction that KVM could not execute since this machine was started is not tried again.
///
/// # Errors
/// As [`decide`].
pub fn decide_known(choice: Choice, cache: &Cache) -> Result<Decision> {
    match (choice, machine()) {
        (Choice::Auto, Some([boot, device])) => decide_by(choice, || probe_known(cache, &[&boot, &device])),
        _ => decide(choice),
    }
}

fn decide_by(choice: Choice, probe: impl FnOnce() -> Result<String, No>) -> Result<Decision> {
    if choice == Choice::Tcg || cfg!(not(target_arch = "x86_64")) {
        return Ok(Decision { accel: Accel::Tcg, reason: "as asked".into() });
    }
    let reason = match probe() {
        Ok(reason) => return Ok(Decision { accel: Accel::Kvm, reason }),
        Err(No { why, .. }) => format!("KVM cannot run a guest here: {why}"),
    };
    match choice {
        Choice::Kvm => Err(Error::new(reason).help("use --accel tcg or --accel auto")),
        _ => Ok(Decision { accel: Accel::Tcg, reason }),
    }
}

/// What a lasting answer of the probe depends on: this boot of the machine, and KVM's device as it was made when the
/// module was loaded.
fn machine() -> Option<[String; 2]> {
    Some([memo::boot_id().ok()?, memo::stamp(Path::new("/dev/kvm")).ok()?])
}

fn probe_known(cache: &Cache, parts: &[&str]) -> Result<String, No> {
    if let Some(why) = memo::recall(cache, "kvm", parts) {
        return Err(No { why, lasting: true });
    }
    probe().inspect_err(|no| {
        if no.lasting {
            memo::remember(cache, "kvm", parts, &no.why);
        }
    })
}

/// Why KVM is of no use.
#[derive(Debug)]
struct No {
    why: String,
    /// It will be so until KVM or the machine is started anew, however often it is tried.
    lasting: bool,
}

impl No {
    fn for_now(why: String) -> Self {
        Self { why, lasting: false }
    }
}

/// Longest a probe may take; a processor that hangs in the kernel is left behind in its thread.
const PROBE_MAX: Duration = Duration::from_secs(1);

/// Iterations of the timed loop. Real hardware needs about 10 us; an emulating KVM was measured at 24 ms.
const LOOP_ITERATIONS: u32 = 20_000;

/// Above this the loop is being emulated.
const LOOP_MAX: Duration = Duration::from_millis(5);

fn probe() -> Result<String, No> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(probe_here()));
    receiver
        .recv_timeout(PROBE_MAX)
        .unwrap_or_else(|_| Err(No::for_now(format!("a one-page guest did not end within {PROBE_MAX:?}"))))
}

fn probe_here() -> Result<String, No> {
    let kvm = Kvm::new().map_err(|error| {
        No::for_now(match error.errno() {
            libc::ENOENT => "there is no /dev/kvm".to_owned(),
            libc::EACCES => "no permission to open /dev/kvm (is this user in the group kvm?)".to_owned(),
            _ => format!("cannot open /dev/kvm: {error}"),
        })
    })?;
    if kvm.get_api_version() != KVM_API_VERSION as i32 {
        return Err(No::for_now(format!("KVM speaks version {}", kvm.get_api_version())));
    }
    // cmpxchg16b and popcnt belong to x86-64-v2, which kernels and their decompressors use freely.
    run(&kvm, "cmpxchg16b", &[0xf0, 0x48, 0x0f, 0xc7, 0x0c, 0x25, 0x00, 0x70, 0x00, 0x00])?;
    run(&kvm, "popcnt", &[0xf3, 0x0f, 0xb8, 0xc0])?;
    if has_bmi2(&kvm) {
        run(&kvm, "shlx", &[0xc4, 0xe2, 0x71, 0xf7, 0xc0])?;
    }
    let [a, b, c, d] = LOOP_ITERATIONS.to_le_bytes();
    // mov ecx, LOOP_ITERATIONS; 1: dec ecx; jnz 1b
    let took = run(&kvm, "a loop", &[0xb9, a, b, c, d, 0xff, 0xc9, 0x75, 0xfc])?;
    if took > LOOP_MAX {
        // Under load real hardware may look like that once.
        let why = format!("{LOOP_ITERATIONS} loop iterations took {took:.1?}, so each instruction is emulated");
        return Err(No::for_now(why));
    }
    Ok(format!("KVM ran the probe, {LOOP_ITERATIONS} loop iterations in {took:.1?}"))
}

fn has_bmi2(kvm: &Kvm) -> bool {
    kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES).is_ok_and(|cpuid| {
        cpuid.as_slice().iter().any(|leaf| leaf.function == 7 && leaf.index == 0 && leaf.ebx & (1 << 8) != 0)
    })
}

/// Guest memory, bytes: code at 0x1000, page tables at 0x2000 to 0x4fff, data at 0x7000.
const MEMORY: usize = 0x8000;
const CODE: usize = 0x1000;
const TABLES: [u64; 3] = [0x2000, 0x3000, 0x4000];
/// The program's last instruction, `out 0x80, al`, says that it came through.
const DONE_PORT: u16 = 0x80;

/// Runs `code` in long mode and gives the time until it came through.
fn run(kvm: &Kvm, name: &str, code: &[u8]) -> Result<Duration, No> {
    let failed = |what: &'static str| move |error: kvm_ioctls::Error| No::for_now(format!("{what}: {error}"));
    let machine = kvm.create_vm().map_err(failed("cannot create a machine"))?;
    let mut memory = Page::new();
    memory.0[CODE..CODE + code.len()].copy_from_slice(code);
    memory.0[CODE + code.len()..CODE + code.len() + 2].copy_from_slice(&[0xe6, DONE_PORT as u8]);
    for (level, table) in TABLES.iter().enumerate() {
        // Present, writable; the last level maps one 2 MiB page at 0.
        let entry = if level == 2 { 0x83 } else { TABLES[level + 1] | 3 };
        memory.0[*table as usize..][..8].copy_from_slice(&entry.to_le_bytes());
    }
    let region = kvm_userspace_memory_region {
        memory_size: MEMORY as u64,
        userspace_addr: memory.0.as_ptr() as u64,
        ..Default::default()
    };
    // SAFETY: `memory` is page aligned, of that size, and outlives `machine` and `processor` (declared before them
    // in this scope only by `machine`, which is dropped without touching guest memory).
    unsafe { machine.set_user_memory_region(region) }.map_err(failed("cannot give a machine memory"))?;
    let mut processor = machine.create_vcpu(0).map_err(failed("cannot create a processor"))?;
    enter_long_mode(kvm, &processor).map_err(failed("cannot set a processor up"))?;
    let start = Instant::now();
    match processor.run() {
        Ok(VcpuExit::IoOut(DONE_PORT, _)) => Ok(start.elapsed()),
        Ok(exit) => Err(No { why: format!("it cannot execute {name}: {exit:?}"), lasting: true }),
        Err(error) => Err(No::for_now(format!("it cannot execute {name}: {error}"))),
    }
}

fn enter_long_mode(kvm: &Kvm, processor: &VcpuFd) -> Result<(), kvm_ioctls::Error> {
    processor.set_cpuid2(&kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)?)?;
    let mut special = processor.get_sregs()?;
    special.cr3 = TABLES[0];
    special.cr4 = 0x20 | 0x200; // PAE, OSFXSR
    special.cr0 = 0x8000_0011; // paging, extension type, protected mode
    special.efer = 0x500; // long mode enabled and active
    special.cs.base = 0;
    special.cs.limit = u32::MAX;
    special.cs.g = 1;
    special.cs.l = 1;
    special.cs.db = 0;
    special.cs.type_ = 11;
    special.cs.s = 1;
    special.cs.present = 1;
    processor.set_sregs(&special)?;
    let mut general = processor.get_regs()?;
    general.rip = CODE as u64;
    general.rflags = 2;
    processor.set_regs(&general)
}

/// Page-aligned guest memory.
#[repr(align(4096))]
struct Aligned([u8; MEMORY]);
struct Page(Box<Aligned>);

impl Page {
    fn new() -> Self {
        Self(Box::new(Aligned([0; MEMORY])))
    }
}

impl std::ops::Deref for Aligned {
    type Target = [u8; MEMORY];
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl std::ops::DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_always_has_a_reason_and_kvm_is_taken_only_when_it_ran() {
        let decision = decide(Choice::Auto).unwrap();
        assert_eq!(decision.accel == Accel::Kvm, probe().is_ok());
        assert!(!decision.reason.is_empty());
    }

    #[test]
    fn asking_for_kvm_where_it_does_not_work_is_an_error_that_says_why() {
        match decide(Choice::Kvm) {
            Ok(decision) => assert_eq!(decision.accel, Accel::Kvm),
            Err(error) => assert!(error.to_string().starts_with("KVM cannot run a guest here: "), "{error}"),
        }
    }
}
