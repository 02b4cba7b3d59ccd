//! The first lines of the kernel's reports, and the titles made of them.
//!
//! Formats: arch/x86/mm/fault.c, arch/x86/kernel/dumpstack.c and traps.c, lib/bug.c, kernel/panic.c, mm/kasan/report.c,
//! mm/kfence/report.c, kernel/kcsan/report.c, mm/kmsan/report.c, lib/ubsan.c, kernel/locking/lockdep.c,
//! kernel/watchdog.c, kernel/hung_task.c, kernel/rcu/tree_stall.h, lib/refcount.c, mm/kmemleak.c, lib/string_helpers.c,
//! mm/oom_kill.c, net/core/dev.c, kernel/module/ of 5.10 to 7.3.

mod titles;

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use super::{Kind, frame::Frame, report::End};
pub(super) use titles::tainted;
use titles::*;

/// What stands before many reports.
pub(super) const CUT_HERE: &str = "------------[ cut here ]";

/// Longest title, bytes.
const TITLE_BYTES_MAX: usize = 160;

/// What a first line says.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) kind: Kind,
    pub(super) end: End,
    /// The title as far as it is known.
    pub(super) title: String,
    /// Whether the title goes on with ` in FUNCTION`.
    pub(super) wants_function: bool,
    /// The function, if the line has it.
    pub(super) frame: Option<Frame>,
    /// The taint letter that the line tells of, and the module that brought it.
    pub(super) taint: Option<char>,
    pub(super) module: Option<String>,
}

/// One form of first line.
#[derive(Clone, Copy)]
struct Rule {
    /// Text that it has.
    marker: &'static str,
    kind: Kind,
    end: End,
    title: Title,
}

/// How a title is made.
#[derive(Clone, Copy)]
enum Title {
    /// This, then ` in FUNCTION`.
    In(&'static str),
    /// This alone.
    Only(&'static str),
    /// From the line before and after the marker; `None` when it is no such line after all.
    Of(fn(&Rule, &str, &str) -> Option<Found>),
}

use Title::{In, Of, Only};

const fn rule(marker: &'static str, kind: Kind, end: End, title: Title) -> Rule {
    Rule { marker, kind, end, title }
}

impl Rule {
    /// A title that needs no function.
    fn only(&self, title: impl Into<String>) -> Found {
        let title = shortened(title.into());
        Found { kind: self.kind, end: self.end, title, wants_function: false, frame: None, taint: None, module: None }
    }

    /// A title that goes on with the function, which this line may name.
    fn inside(&self, title: impl Into<String>, frame: Option<Frame>) -> Found {
        Found { wants_function: true, frame, ..self.only(title) }
    }
}

/// Cut to what a title may have, and printable.
fn shortened(mut title: String) -> String {
    title.retain(|c| !c.is_control());
    while title.len() > TITLE_BYTES_MAX {
        title.pop();
    }
    title
}

/// Of two that begin at the same place the first one counts.
const RULES: &[Rule] = &[
    rule("BUG: kernel NULL pointer dereference", Kind::NullDereference, End::TRACE, In(NULL)),
    rule("nable to handle kernel NULL pointer dereference", Kind::NullDereference, End::TRACE, In(NULL)),
    rule("BUG: unable to handle page fault", Kind::PageFault, End::TRACE, In(PAGING)),
    rule("nable to handle kernel paging request", Kind::PageFault, End::TRACE, In(PAGING)),
    rule("nable to handle kernel access to user memory", Kind::PageFault, End::TRACE, In(PAGING)),
    rule(
        "kernel tried to execute NX-protected page",
        Kind::PageFault,
        End::TRACE,
        In("kernel tried to execute NX-protected page"),
    ),
    rule("unable to execute userspace code", Kind::PageFault, End::TRACE, In("kernel tried to execute user code")),
    rule("stack guard page was hit", Kind::StackOverflow, End::TRACE, In("BUG: stack guard page was hit")),
    rule("kernel stack overflow", Kind::StackOverflow, End::TRACE, In("kernel stack overflow")),
    rule("general protection fault", Kind::GeneralProtection, End::TRACE, Of(exception)),
    rule("stack segment", Kind::Exception, End::TRACE, Of(exception)),
    rule("invalid opcode", Kind::Exception, End::TRACE, Of(exception)),
    rule("divide error", Kind::Exception, End::TRACE, Of(exception)),
    rule("control protection", Kind::ControlFlow, End::TRACE, Of(exception)),
    rule("alignment check", Kind::Exception, End::TRACE, Of(exception)),
    rule("PANIC: double fault", Kind::DoubleFault, End::TRACE, In("double fault")),
    rule("double fault", Kind::DoubleFault, End::TRACE, Of(exception)),
    rule("Oops: ", Kind::Exception, End::TRACE, Of(oops)),
    rule("Oops - ", Kind::Exception, End::TRACE, Of(oops)),
    rule("CFI failure", Kind::ControlFlow, End::TRACE, In("CFI failure")),
    rule("Missing ENDBR: ", Kind::ControlFlow, End::TRACE, Of(missing_endbr)),
    rule("kernel BUG at ", Kind::KernelBug, End::TRACE, In("kernel BUG")),
    rule("BUG: KASAN: ", Kind::Kasan, End::RULE, Of(kasan)),
    rule("BUG: KFENCE: ", Kind::Kfence, End::RULE, Of(kfence)),
    rule("BUG: KCSAN: ", Kind::Kcsan, End::RULE, Of(kcsan)),
    rule("BUG: KMSAN: ", Kind::Kmsan, End::RULE, Of(kmsan)),
    rule("BUG: scheduling while atomic", Kind::AtomicSleep, End::Frames, In("BUG: scheduling while atomic")),
    rule(
        "BUG: sleeping function called from invalid context",
        Kind::AtomicSleep,
        End::Frames,
        In("BUG: sleeping function called from invalid context"),
    ),
    rule("BUG: using ", Kind::AtomicSleep, End::Frames, Of(preemptible)),
    rule("BUG: Bad page state", Kind::BadPage, End::Frames, In("BUG: Bad page state")),
    rule("BUG: Bad page map", Kind::BadPage, End::Frames, In("BUG: Bad page map")),
    rule("BUG: Bad rss-counter state", Kind::BadPage, End::Line, Only("BUG: Bad rss-counter state")),
    rule("BUG: non-zero pgtables_bytes", Kind::BadPage, End::Line, Only("BUG: non-zero pgtables_bytes on freeing mm")),
    rule("BUG: soft lockup", Kind::SoftLockup, End::Frames, In("BUG: soft lockup")),
    rule("etected hard LOCKUP", Kind::HardLockup, End::Frames, In("hard LOCKUP")),
    rule("BUG: workqueue lockup", Kind::WorkqueueLockup, End::Pools, Only("BUG: workqueue lockup")),
    rule("BUG: spinlock ", Kind::Spinlock, End::Frames, Of(spinlock)),
    rule("BUG: rwlock ", Kind::Spinlock, End::Frames, Of(spinlock)),
    rule("BUG: MAX_", Kind::Lockdep, End::Frames, Of(lockdep_limit)),
    rule("BUG: ", Kind::Bug, End::Frames, Of(any_bug)),
    rule("[ BUG: ", Kind::Lockdep, End::Frames, Of(lockdep_old)),
    rule("BUG ", Kind::SlabCorruption, End::Frames, Of(slab)),
    rule("[ INFO: ", Kind::Lockdep, End::Frames, Of(lockdep_old)),
    rule(
        "INFO: trying to register non-static key",
        Kind::Lockdep,
        End::Frames,
        In("INFO: trying to register non-static key"),
    ),
    rule("INFO: task ", Kind::HungTask, End::Frames, Of(hung_task)),
    rule("INFO: rcu", Kind::RcuStall, End::Frames, Of(rcu_stall)),
    rule("rcu: INFO: rcu", Kind::RcuStall, End::Frames, Of(rcu_stall)),
    rule("WARNING: ", Kind::Warning, End::TRACE, Of(warning)),
    rule("UBSAN: ", Kind::Ubsan, End::UBSAN, Of(ubsan)),
    rule("refcount_t: ", Kind::Refcount, End::TRACE, Of(refcount)),
    rule("list_add corruption", Kind::ListCorruption, End::TRACE, In("list_add corruption")),
    rule("list_del corruption", Kind::ListCorruption, End::TRACE, In("list_del corruption")),
    rule("list_add double add", Kind::ListCorruption, End::TRACE, In("list_add double add")),
    rule("detected buffer overflow", Kind::BufferOverflow, End::TRACE, Of(fortify)),
    rule("detected field-spanning write", Kind::BufferOverflow, End::TRACE, Of(field_spanning)),
    rule("usercopy: Kernel memory ", Kind::Usercopy, End::TRACE, Of(usercopy)),
    rule("kmemleak: ", Kind::MemoryLeak, End::Line, Of(kmemleak)),
    rule("unreferenced object 0x", Kind::MemoryLeak, End::Frames, In("memory leak")),
    rule(" invoked oom-killer", Kind::OutOfMemory, End::OOM, Of(oom)),
    rule("Out of memory: Kill", Kind::OutOfMemory, End::Line, Only("out of memory: a process was killed")),
    rule("unregister_netdevice: waiting for ", Kind::NetDeviceHeld, End::Line, Of(netdevice)),
    rule("Kernel panic - not syncing", Kind::Panic, End::PANIC, Of(panic)),
    rule("request_module: ", Kind::KmodLimit, End::Line, Of(kmod_limit)),
    rule("runaway loop modprobe", Kind::KmodLimit, End::Line, Only("request_module: runaway loop")),
    rule("taint", Kind::Taint, End::Line, Of(taint)),
    rule("module is from the staging directory", Kind::Taint, End::Line, Of(taint)),
];

const NULL: &str = "BUG: unable to handle kernel NULL pointer dereference";
const PAGING: &str = "BUG: unable to handle kernel paging request";

/// One pass over a line finds every marker in it.
static MARKERS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let markers = RULES.iter().map(|rule| rule.marker);
    AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(markers).expect("a table of short texts")
});

/// What a line begins, if it is the first of a report.
pub(super) fn find(text: &str) -> Option<Found> {
    MARKERS.find_iter(text).find_map(|hit| {
        let rule = &RULES[hit.pattern().as_usize()];
        match rule.title {
            In(title) => Some(rule.inside(title, None)),
            Only(title) => Some(rule.only(title)),
            Of(make) => make(rule, &text[..hit.start()], &text[hit.end()..]),
        }
    })
}
