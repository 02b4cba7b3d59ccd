//! A stub module whose init runs modprobe and fails, in 2.6.17.

use super::Statement;
use crate::{
    behaviour::Source::Code,
    claim::{Claim, Literature::StubModule},
};

const fn says(statement: &'static str) -> Claim {
    Claim::new(StubModule, statement)
}

pub(super) const ALL: &[Statement] = &[
    says("an init may sleep: it runs in the process that loads the module")
        .shown_by(&["stub::removes_itself", "duplicates::loader_killed_in_init_still_loads"]),
    says("while an init runs no lock is held that another load would need, so an init can load a module")
        .shown_by(&["stub::removes_itself"]),
    says("the module is in the list of modules while its init runs, marked as loading")
        .shown_by(&["unload::loading_module_is_ebusy", "states::sysfs_shows_the_state"]),
    says("when an init fails, the kernel frees the module and all it had")
        .shown_by(&["insert::init_returning_minus_one", "insert::init_returning_enodev"]),
    says("insmod prints the error that stands for -1: Operation not permitted")
        .shown_by(&["insert::init_returning_minus_one"]),
    says("the module that the stub has loaded does not depend on the stub, and the stub not on it")
        .shown_by(&["stub::stays_beside_its_target"]),
    says("a stub that is loaded again runs its helper again")
        .shown_by(&["stub::stays_beside_its_target"]),
    says("call_usermodehelper takes the path, the arguments and the environment of the program")
        .shown_by(&["stub::removes_itself", "stub::missing_helper_is_enoent"]),
    says("call_usermodehelper with 0 as its last argument does not wait for the end, but reports a program that is missing")
        .until("3.4", Code("include/linux/kmod.h of 3.4, UMH_NO_WAIT"), "0 waits for nothing, not even for exec: a missing program gives 0")
        .shown_by(&["stub::missing_helper_is_enoent"]),
    says("the helper is a child of a thread of the kernel, not of insmod")
        .shown_by(&["request_module::helper_is_root_with_nothing_open"]),
    says("call_usermodehelper must not be called where sleeping is forbidden")
        .untestable("doing so anyway hangs or corrupts a kernel without lock debugging: there is no defined behaviour to test"),
    says("a helper that is started without waiting must not find its arguments on the stack of the init that has returned")
        .untestable("the fault is a race: the arguments are read after the stack was given back, or not"),
    says("while the system suspends, call_usermodehelper fails with -EBUSY")
        .untestable("a guest without firmware cannot suspend"),
];
