//! request_module and DEFINE_MUTEX in 4.1.

use super::Statement;
use crate::{
    behaviour::Source::Commit,
    claim::{Claim, Literature::RequestModule},
};

const fn says(statement: &'static str) -> Claim {
    Claim::new(RequestModule, statement)
}

pub(super) const ALL: &[Statement] = &[
    says("request_module formats the name as printf does")
        .shown_by(&["request_module::loads_by_name", "request_module::name_too_long_is_refused"]),
    says("request_module waits for the end of modprobe, request_module_nowait for its start")
        .shown_by(&["request_module::exit_status_is_returned", "request_module::nowait_does_not_see_the_exit_status"]),
    says("the helper is called as MODPROBE -q -- NAME").shown_by(&["request_module::helper_gets_its_arguments"]),
    says("a dash at the beginning of a name does not make it an option")
        .shown_by(&["helper::name_with_a_dash_is_no_option"]),
    says("the environment of the helper is a constant of the kernel")
        .shown_by(&["request_module::helper_gets_its_arguments"]),
    says("modprobe_path has room for 256 characters").shown_by(&["helper::path_longer_than_255_is_cut"]),
    says("a security module may refuse a request before anything is run")
        .shown_by(&["policy::security_module_is_asked_first"]),
    says("each request is a tracepoint: its name, whether it waits, and who asked")
        .shown_by(&["traces::requests_are_traced"]),
    says("a SIGKILL ends the wait for modprobe").shown_by(&["request_module::self_request_is_stuck_until_killed"]),
    says("the caller must look whether it has now what it asked for: modprobe may succeed without")
        .shown_by(&["request_module::modprobe_path_is_a_sysctl"]),
    says("a request for a module that is loaded runs modprobe again, which succeeds")
        .shown_by(&["request_module::loads_by_name"]),
    says("the number of modprobes at once is counted over all callers")
        .shown_by(&["limits::sixty_requests_at_once_are_served", "request_module::chain_of_60_meets_the_limit"]),
    says("at most half of max_threads modprobes run at once, where that is less than 50")
        .until(
            "4.13",
            Commit("6d7964a722af", "kmod: throttle kmod thread limit"),
            "the limit is 50, however little memory there is",
        )
        .untestable("no kernel of the matrix is older than the change"),
    says("a runaway loop is reported as request_module: runaway loop modprobe NAME, five times at most")
        .until(
            "4.13",
            Commit("6d7964a722af", "kmod: throttle kmod thread limit"),
            "the message says that kmod is busy with 50 threads",
        )
        .shown_by(&["request_module::chain_of_60_meets_the_limit"]),
    says("with CONFIG_MODULES=n request_module fails with -ENOSYS")
        .untestable("a kernel without modules loads no module that could call it"),
    says("usermodehelper_disable makes requests fail while the system goes to sleep")
        .untestable("a guest without firmware cannot suspend"),
    says("DEFINE_MUTEX defines a mutex that nobody holds, ready at load time")
        .shown_by(&["mutex::makes_the_other_wait"]),
    says("mutex_lock sleeps, without using the processor").shown_by(&["mutex::waiter_sleeps_uninterruptibly"]),
    says("mutex_trylock returns 0 when the mutex is held, and 1 when it got it")
        .shown_by(&["mutex::makes_the_other_wait"]),
    says("a mutex is not recursive").shown_by(&["mutex::taken_twice_waits_for_ever"]),
    says("mutex_unlock wakes who waits").shown_by(&["mutex::makes_the_other_wait"]),
    says("no update is lost between threads that hold the mutex while they write")
        .shown_by(&["mutex::makes_the_other_wait"]),
    says("only the holder may release a mutex; DEBUG_MUTEXES reports others")
        .untestable("no kernel of the matrix is built with DEBUG_MUTEXES, and without it misuse has no defined result"),
    says("a mutex may not be taken in interrupt context")
        .untestable("without lock debugging there is no defined result"),
];
