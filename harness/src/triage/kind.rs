//! What there is to be found in a kernel's log, and how bad it is.

use serde::{Deserialize, Serialize};

/// How bad an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing, and no trouble: a taint, a limit that was met.
    Info,
    /// The kernel goes on, and something is wrong.
    Warning,
    /// A task died, memory is corrupt, or the kernel is stuck: the guest cannot be trusted any more.
    Fault,
    /// The kernel stopped.
    Panic,
}

/// What an event is. docs/triage.md has a table of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Access to an address near 0.
    NullDereference,
    /// Access to, or execution of, what is not mapped or not permitted.
    PageFault,
    /// General protection fault, mostly an address that cannot be one.
    GeneralProtection,
    /// Any other exception that kills: divide error, stack segment, invalid opcode, control protection.
    Exception,
    /// An exception in the handler of an exception.
    DoubleFault,
    /// The stack ran into its guard page.
    StackOverflow,
    /// `BUG()` or `BUG_ON()`.
    KernelBug,
    /// A line that begins with `BUG: ` and is none of the others.
    Bug,
    /// Sleeping, or about to, where that is forbidden.
    AtomicSleep,
    /// A page or a page table in a state that cannot be.
    BadPage,
    /// The slab allocator finds an object or its own data damaged.
    SlabCorruption,
    /// A linked list whose neighbours disagree.
    ListCorruption,
    /// A spinlock in a state that cannot be.
    Spinlock,
    /// A processor that ran kernel code for too long without scheduling.
    SoftLockup,
    /// A processor that did not even take interrupts.
    HardLockup,
    /// A workqueue that does not get on.
    WorkqueueLockup,
    /// `WARN()` and its relatives.
    Warning,
    /// A reference count went wrong.
    Refcount,
    /// Kernel Address Sanitizer.
    Kasan,
    /// Kernel Electric Fence.
    Kfence,
    /// Kernel Concurrency Sanitizer.
    Kcsan,
    /// Kernel Memory Sanitizer.
    Kmsan,
    /// Undefined Behaviour Sanitizer.
    Ubsan,
    /// Locks taken in a way that can deadlock, or not given back.
    Lockdep,
    /// RCU used outside of its rules.
    RcuUsage,
    /// A task that waits for too long.
    HungTask,
    /// A processor or task that keeps RCU from getting on.
    RcuStall,
    /// Memory that nothing points to any more.
    MemoryLeak,
    /// A string or memory function that would write or read beyond its object.
    BufferOverflow,
    /// A copy to or from user space beyond its object.
    Usercopy,
    /// A function whose stack was overwritten.
    StackProtector,
    /// An indirect call to where none may go.
    ControlFlow,
    /// No memory is left, and a process was killed for it.
    OutOfMemory,
    /// A network device that somebody still holds.
    NetDeviceHeld,
    /// The kernel stopped.
    Panic,
    /// Too many requests for modules at once.
    KmodLimit,
    /// The kernel is tainted now, and why.
    Taint,
}

impl Kind {
    /// How bad events of this kind are.
    pub fn severity(self) -> Severity {
        match self {
            Self::KmodLimit | Self::Taint => Severity::Info,
            Self::Warning
            | Self::Refcount
            | Self::Kcsan
            | Self::Kmsan
            | Self::Ubsan
            | Self::Lockdep
            | Self::RcuUsage
            | Self::HungTask
            | Self::MemoryLeak
            | Self::OutOfMemory
            | Self::NetDeviceHeld => Severity::Warning,
            Self::Panic | Self::StackProtector => Severity::Panic,
            _ => Severity::Fault,
        }
    }
}
