//! Which functions can be to blame: not those that only report, and not those that a report of its kind leads to always.
//!
//! Names are the kernel's, 5.10 to 7.3; a star stands for any text.

use super::Kind;

/// Functions that only report, whatever the report is about.
const REPORTING: &str = "\
    dump_stack* __dump_stack show_stack* show_regs* __show_* panic vpanic nmi_panic __warn* warn_slowpath* report_bug \
    handle_bug WARN_ON* die die_* __die* oops_end exc_* asm_exc_* do_error_trap do_trap* do_invalid_op invalid_op \
    page_fault_oops no_context __bad_area* bad_area* kernelmode_fixup_or_oops do_user_addr_fault do_kern_addr_fault \
    do_page_fault page_fault async_page_fault do_general_protection general_protection error_entry ret_from_fork* \
    asm_call_* entry_* do_syscall_* x64_sys_call asm_sysvec_* sysvec_* __sysvec_* common_interrupt* \
    print_report print_address* print_circular* print_usage* print_deadlock* print_bad* print_lock* print_irq* \
    print_unlock* print_freed* print_cpu_stall* print_other_cpu_stall* print_trailer \
    refcount_* __refcount_* kref_put* __list_add_valid* __list_del_entry_valid* \
    __fortify_* fortify_panic __stack_chk_fail \
    usercopy_abort __check_object_size check_object_size* __check_heap_object check_heap_object \
    nmi_* end_repeat_nmi watchdog_* arch_trigger_cpumask_backtrace trigger_* \
    rcu_dump_cpu_stacks rcu_sched_clock_irq rcu_check_callbacks check_cpu_stall update_process_times tick_* \
    hrtimer_* __hrtimer_* apic_timer_interrupt smp_apic_timer_interrupt local_apic_timer_interrupt \
    kasan_* __kasan_* __asan_* check_memory_region* check_slab_allocation check_region_inline kfence_* __kfence_* \
    kcsan_* __kcsan_* __tsan_* kmsan_* __kmsan_* __msan_* ubsan_* __ubsan_* \
    lockdep_* __lockdep_* debug_* __might_* ___might_* __schedule_bug __cant_* check_preemption_disabled \
    spin_bug spin_dump rwlock_bug do_raw_* bad_page bad_page_reason free_page_is_bad* \
    slab_err slab_bug object_err check_slab check_object check_bytes_and_report free_debug_processing \
    alloc_debug_processing slab_fix";

/// Functions that wait: a task that hangs is to be found behind them.
const WAITING: &str = "\
    __switch_to* context_switch __schedule* schedule* preempt_* io_schedule* wait_for_* __wait_for_* do_wait_for_* \
    usleep_* msleep* bit_wait* __wait_on_* out_of_line_wait_* synchronize_* __synchronize_* wait_rcu_gp* __wait_rcu_gp \
    rwsem_* down down_* __down* rt_mutex_* __rt_mutex_*";

/// Functions that take or give back a lock.
const LOCKING: &str = "\
    _raw_* __raw_* lock_* __lock_* native_queued_spin_lock_slowpath queued_* pv_queued_* __pv_* spin_* rcu_read_lock* \
    mutex_* __mutex_* down_* up_* validate_chain check_prev* check_noncircular check_deadlock mark_lock* \
    register_lock_class";

/// Functions of memory and strings: who called them gave them what is wrong.
const COPYING: &str = "\
    mem* __mem* str* __str* sized_str* copy_* _copy_* __copy_* kstrdup* kstrndup* kmemdup* kasprintf kvasprintf \
    kfree* __kfree* kvfree* vfree kmem_cache_* kmalloc* __kmalloc* kvmalloc* slab_* __slab_* ___slab_*";

/// Functions that hand out pages and take them back.
const PAGING: &str = "\
    free_* __free_* get_page_from_freelist rmqueue* __rmqueue* alloc_* __alloc_* prep_new_page check_new_page* \
    release_pages put_page* __put_page*";

/// Whether a function can be to blame in an event of this kind.
pub(super) fn is_guilty(kind: Kind, function: &str) -> bool {
    let innocent: &[&str] = match kind {
        Kind::HungTask | Kind::Lockdep | Kind::RcuUsage => &[WAITING, LOCKING],
        Kind::AtomicSleep => &[WAITING, LOCKING, COPYING],
        Kind::SoftLockup | Kind::HardLockup | Kind::RcuStall | Kind::Spinlock => &[LOCKING],
        Kind::Kasan
        | Kind::Kfence
        | Kind::Kmsan
        | Kind::BufferOverflow
        | Kind::Usercopy
        | Kind::SlabCorruption
        | Kind::MemoryLeak => &[COPYING],
        Kind::BadPage => &[PAGING],
        _ => &[],
    };
    let among = |list: &&str| list.split_ascii_whitespace().any(|pattern| is_like(pattern, function));
    !std::iter::once(&REPORTING).chain(innocent).any(among)
}

/// Patterns with at most one star.
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

    #[test]
    fn who_only_reports_or_waits_is_not_to_blame() {
        for (kind, function, guilty) in [
            (Kind::Warning, "refcount_warn_saturate", false),
            (Kind::Warning, "schedule", true),
            (Kind::HungTask, "schedule", false),
            (Kind::HungTask, "mutex_lock", false),
            (Kind::HungTask, "demo_init", true),
            (Kind::Kasan, "memcpy", false),
            (Kind::KernelBug, "kfree", true),
            (Kind::BadPage, "__free_pages", false),
        ] {
            assert_eq!(is_guilty(kind, function), guilty, "{kind:?} {function}");
        }
    }
}
