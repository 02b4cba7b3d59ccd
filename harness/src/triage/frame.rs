//! Functions in registers and call traces, and which of them is to blame.

use super::Kind;

/// A place in the kernel's code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// Its name, without what the compiler appended when it split or cloned it.
    pub(super) function: String,
    /// Its module.
    pub(super) module: Option<String>,
}

/// Longest name taken, bytes: the kernel's own limit, `KSYM_NAME_LEN`.
const NAME_BYTES_MAX: usize = 512;

/// The place at the beginning of `text`: `f+0x1/0x2 [module]`, or `f (file.c:12) module` of a decoded trace.
pub(super) fn at(text: &str) -> Option<Frame> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$');
    let end = text.find(|c| !is_name(c)).filter(|end| (1..=NAME_BYTES_MAX).contains(end))?;
    let (name, rest) = text.split_at(end);
    if name.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let rest = offset(rest).or_else(|| source(rest))?;
    let module = rest.strip_prefix(" [").and_then(|rest| rest.split([']', ' ', '(']).next());
    let function = name.split('.').next().unwrap_or(name);
    Some(Frame { function: function.to_owned(), module: module.map(str::to_owned) })
}

/// What follows `+0x1a/0x2b`.
fn offset(text: &str) -> Option<&str> {
    let hex = |text: &'_ str| text.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(text.len());
    let offset = text.strip_prefix("+0x")?;
    let (digits, rest) = offset.split_at(hex(offset));
    let size = rest.strip_prefix("/0x")?;
    let end = hex(size);
    (!digits.is_empty() && end > 0).then(|| &size[end..])
}

/// What follows ` (path/file.c:12 (discriminator 3))`, as scripts/decode_stacktrace.sh writes places.
fn source(text: &str) -> Option<&str> {
    let inside = text.strip_prefix(" (")?;
    let (place, _) = inside.split_once(')')?;
    let line = place.rsplit_once(':')?.1;
    line.starts_with(|c: char| c.is_ascii_digit() || c == '?').then(|| inside.split_once(')').map_or("", |(_, r)| r))
}

/// A line of a call trace that the unwinder vouches for.
pub(super) fn in_trace(line: &str) -> Option<Frame> {
    let line = line.trim_start();
    // Before 4.10 the address stood before the name.
    let line = line.strip_prefix("[<").and_then(|rest| rest.split_once(">] ")).map_or(line, |(_, rest)| rest);
    at(line)
}

/// Whether a line can stand in a call trace, also one that names no certain place.
pub(super) fn is_of_trace(line: &str) -> bool {
    let text = line.trim_start();
    if in_trace(text).is_some() {
        return true;
    }
    let marker = text.starts_with('<') && text.ends_with('>') && text.len() < 16;
    let uncertain = text.strip_prefix("? ").is_some_and(|rest| rest.starts_with("0x") || in_trace(rest).is_some());
    marker || uncertain || text.starts_with("0x") || is_register(text)
}

/// Whether a line shows registers or code bytes.
pub(super) fn is_register(line: &str) -> bool {
    const NAMES: [&str; 24] = [
        "RIP:",
        "RSP:",
        "RAX:",
        "RDX:",
        "RBP:",
        "R10:",
        "R13:",
        "FS:",
        "CS:",
        "CR2:",
        "DR0:",
        "DR3:",
        "PKRU:",
        "Code:",
        "EIP:",
        "EAX:",
        "ESI:",
        "DS:",
        "CR0:",
        "ORIG_RAX:",
        "pc :",
        "lr :",
        "sp :",
        "pstate:",
    ];
    NAMES.iter().any(|name| line.starts_with(name))
}

/// The place of a line with the instruction pointer, in the kernel: `RIP: 0010:f+0x1/0x2`, `pc : f+0x1/0x2`.
pub(super) fn instruction(line: &str) -> Option<Frame> {
    if let Some(place) = line.strip_prefix("pc : ") {
        return at(place);
    }
    let (segment, place) = line.strip_prefix("RIP: ").or_else(|| line.strip_prefix("EIP: "))?.split_once(':')?;
    let user = ["0033", "0023"].contains(&segment);
    // `RIP: 0010:[<ffffffff81000000>]  [<ffffffff81000000>] f+0x1/0x2` before 4.9.
    let place = place.rsplit_once(">] ").map_or(place, |(_, place)| place);
    if user { None } else { at(place.trim_start()) }
}

/// Functions that only report, whatever the report is about.
const REPORTING: &[&str] = &[
    "dump_stack*",
    "__dump_stack",
    "show_stack*",
    "show_regs*",
    "print_*",
    "panic",
    "vpanic",
    "nmi_panic",
    "__warn*",
    "warn_slowpath*",
    "report_bug",
    "handle_bug",
    "die*",
    "__die*",
    "oops_end",
    "exc_*",
    "asm_exc_*",
    "do_error_trap",
    "do_trap*",
    "do_invalid_op",
    "invalid_op",
    "page_fault_oops",
    "no_context",
    "__bad_area*",
    "bad_area*",
    "__show_*",
    "kernelmode_fixup_or_oops",
    "do_user_addr_fault",
    "do_kern_addr_fault",
    "do_page_fault",
    "page_fault",
    "async_page_fault",
    "do_general_protection",
    "general_protection",
    "error_entry",
    "ret_from_fork*",
    "entry_*",
    "do_syscall_*",
    "x64_sys_call",
    "asm_sysvec_*",
    "sysvec_*",
    "common_interrupt*",
    "refcount_warn_saturate",
    "refcount_*_checked",
    "__refcount_*",
    "refcount_*",
    "kref_put*",
    "__list_*",
    "list_*",
    "__fortify_*",
    "fortify_panic",
    "__stack_chk_fail",
    "usercopy_abort",
    "__check_object_size",
    "__check_heap_object",
    "check_heap_object",
    "check_object_size*",
    "nmi_*",
    "*_nmi",
    "end_repeat_nmi",
    "watchdog_*",
    "dump_header",
    "out_of_memory",
    "oom_kill_process",
    "WARN_ON*",
    "arch_trigger_cpumask_backtrace",
    "trigger_*_backtrace",
    "rcu_dump_cpu_stacks",
    "rcu_sched_clock_irq",
    "rcu_check_callbacks",
    "check_cpu_stall",
    "print_cpu_stall",
    "update_process_times",
    "tick_*",
    "__hrtimer_*",
    "hrtimer_*",
    "__sysvec_*",
    "apic_timer_interrupt",
    "smp_apic_timer_interrupt",
    "local_apic_timer_interrupt",
    "kasan_*",
    "__kasan_*",
    "__asan_*",
    "check_memory_region*",
    "kfence_*",
    "__kfence_*",
    "kcsan_*",
    "__kcsan_*",
    "__tsan_*",
    "kmsan_*",
    "__kmsan_*",
    "__msan_*",
    "ubsan_*",
    "__ubsan_*",
    "lockdep_*",
    "__lockdep_*",
    "debug_*",
    "__might_*",
    "___might_*",
    "__schedule_bug",
    "__cant_*",
    "check_preemption_disabled",
    "spin_bug",
    "spin_dump",
    "rwlock_bug",
    "do_raw_*",
    "bad_page",
    "bad_page_reason",
    "free_page_is_bad*",
    "slab_err",
    "slab_bug",
    "object_err",
    "check_slab",
    "check_object",
    "free_debug_processing",
    "alloc_debug_processing",
    "slab_fix",
];

/// Functions that wait: a task that hangs is to be found behind them.
const WAITING: &[&str] = &[
    "__switch_to*",
    "context_switch",
    "__schedule*",
    "schedule*",
    "preempt_*",
    "io_schedule*",
    "wait_for_*",
    "__wait_for_*",
    "do_wait_for_*",
    "usleep_*",
    "mutex_lock*",
    "__mutex_*",
    "rwsem_*",
    "down_*",
    "__down*",
    "down",
    "msleep*",
    "rt_mutex_*",
    "__rt_mutex_*",
    "bit_wait*",
    "__wait_on_*",
    "out_of_line_wait_*",
    "synchronize_*",
    "__synchronize_*",
    "wait_rcu_gp*",
    "__wait_rcu_gp",
];

/// Functions that take or give back a lock.
const LOCKING: &[&str] = &[
    "_raw_*",
    "__raw_*",
    "lock_*",
    "__lock_*",
    "native_queued_spin_lock_slowpath",
    "queued_*",
    "mutex_*",
    "__mutex_*",
    "down_*",
    "up_*",
    "validate_chain",
    "check_*",
    "mark_lock*",
    "spin_*",
    "rcu_read_lock*",
    "pv_queued_*",
    "__pv_*",
    "register_lock_class",
];

/// Functions of strings and memory: who called them gave them what is wrong.
const COPYING: &[&str] = &[
    "mem*",
    "__mem*",
    "str*",
    "__str*",
    "sized_str*",
    "copy_*",
    "_copy_*",
    "__copy_*",
    "kfree*",
    "__kfree*",
    "kvfree*",
    "kmem_cache_*",
    "kmalloc*",
    "__kmalloc*",
    "slab_*",
    "__slab_*",
    "vfree",
];

/// Whether a function can be to blame in an event of this kind.
pub(super) fn is_guilty(kind: Kind, function: &str) -> bool {
    let among = |lists: &[&[&str]]| lists.iter().any(|list| list.iter().any(|pattern| is_like(pattern, function)));
    if among(&[REPORTING]) {
        return false;
    }
    match kind {
        Kind::HungTask => !among(&[WAITING, LOCKING]),
        Kind::AtomicSleep => !among(&[WAITING, LOCKING, COPYING]),
        Kind::SoftLockup | Kind::HardLockup | Kind::RcuStall | Kind::Spinlock => !among(&[LOCKING]),
        Kind::Lockdep | Kind::RcuUsage => !among(&[WAITING, LOCKING]),
        Kind::Kasan | Kind::Kfence | Kind::Kmsan | Kind::BufferOverflow | Kind::Usercopy => !among(&[COPYING]),
        Kind::SlabCorruption | Kind::MemoryLeak => !among(&[COPYING]),
        _ => true,
    }
}

/// Patterns with one star, at either end or in the middle.
fn is_like(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => {
            name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, module: Option<&str>) -> Option<Frame> {
        Some(Frame { function: function.into(), module: module.map(str::to_owned) })
    }

    #[test]
    fn places_are_read_in_every_form() {
        assert_eq!(in_trace(" oopses_init+0x5/0x1000 [oopses]"), frame("oopses_init", Some("oopses")));
        assert_eq!(in_trace(" f.part.0+0x5/0x10 [m 0123456789abcdef]"), frame("f", Some("m")));
        assert_eq!(in_trace("[<ffffffff81000000>] f+0x1/0x2"), frame("f", None));
        assert_eq!(in_trace(" f (fs/a.c:12 (discriminator 2)) "), frame("f", None));
        for none in ["? f+0x1/0x2", " ? f (fs/a.c:12)", "f+0x1", "+0x1/0x2", "f (no place)", "0xffffffffc0000000", ""] {
            assert_eq!(in_trace(none), None, "{none}");
        }
        assert_eq!(instruction("RIP: 0010:f+0x1/0x2 [m]"), frame("f", Some("m")));
        assert_eq!(instruction("RIP: 0010:[<ffffffff81000000>]  [<ffffffff81000000>] f+0x1/0x2"), frame("f", None));
        assert_eq!(instruction("pc : f+0x1/0x2 [m]"), frame("f", Some("m")));
        assert_eq!(instruction("RIP: 0033:0x7f52e345dece"), None);
        assert_eq!(instruction("RIP: 0010:0x0"), None);
    }
}
