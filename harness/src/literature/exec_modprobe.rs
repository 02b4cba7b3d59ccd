//! request_module, exec_modprobe and kmod in 2.2.

use super::Statement;
use crate::{
    behaviour::Source::{Code, Commit},
    claim::{Claim, Literature::ExecModprobe},
};

const fn says(statement: &'static str) -> Claim {
    Claim::new(ExecModprobe, statement)
}

pub(super) const ALL: &[Statement] = &[
    says("the kernel starts modprobe by itself, where kerneld, a daemon, was asked before")
        .shown_by(&["request_module::loads_by_name"]),
    says("who asks for a module sleeps until modprobe has ended")
        .shown_by(&["request_module::loads_by_name", "request_module::exit_status_is_returned"]),
    says("request_module returns 0 once modprobe has run, whatever its exit code was")
        .until("2.6", Code("kernel/kmod.c of 2.6, wait_for_helper()"), "it returns the exit status of modprobe, as wait gives it")
        .shown_by(&["request_module::exit_status_is_returned"]),
    says("that request_module returns 0 does not mean that the module is there: who asks has to look again")
        .shown_by(&["request_module::modprobe_path_is_a_sysctl"]),
    says("a failure to execute modprobe is logged by the kernel: kmod: failed to exec")
        .until("2.6", Code("kernel/kmod.c of 2.6, request_module()"), "nothing is logged; the caller gets the error")
        .shown_by(&["request_module::missing_helper_is_enoent"]),
    says("the helper's environment is HOME=/, TERM=linux and a PATH of four directories")
        .shown_by(&["request_module::helper_gets_its_arguments"]),
    says("no signal handler of who asked can run with root's rights")
        .shown_by(&["helper::has_default_signals"]),
    says("a process in a chroot gets a helper from outside it")
        .shown_by(&["helper::has_inits_root_and_directory"]),
    says("names of file systems, formats, devices and protocol families are made into names of modules by a fixed pattern")
        .shown_by(&["triggers::mount_asks_for_the_file_system", "triggers::character_nodes_ask_by_both_numbers", "triggers::block_nodes_ask_by_both_numbers", "triggers::sockets_ask_for_their_family"]),
    says("aliases in the configuration of modprobe say which module such a name stands for")
        .shown_by(&["tools::configuration_is_obeyed", "request_module::loads_by_alias"]),
    says("a module that a mount has loaded stays loaded after unmount, until somebody unloads it")
        .shown_by(&["on_demand::mount_loads_its_file_system", "media::mounted_file_system_must_not_go"]),
    says("a module whose use count is not 0 cannot be unloaded: EBUSY")
        .until("2.6", Code("kernel/module.c of 2.6, sys_delete_module()"), "EAGAIN")
        .shown_by(&["unload::open_device_is_eagain"]),
    says("more than 50 modprobes at once, or half of what max_threads allows, are a loop: -ENOMEM and a message")
        .until("4.13", Commit("6d7964a722af", "kmod: throttle kmod thread limit"), "50 at once, and 5 s of patience for the 51st")
        .shown_by(&["request_module::chain_of_49_works", "request_module::chain_of_60_meets_the_limit"]),
    says("the message of a runaway loop is logged at most five times")
        .until("4.13", Commit("6d7964a722af", "kmod: throttle kmod thread limit"), "it is another message, rate limited")
        .untestable("no kernel of the matrix is older than the change, and a test of the rate would be one of time"),
    says("before the root file system is mounted, request_module fails with -EPERM and a message")
        .untestable("no module can run before there is a file system to load it from"),
    says("request_module fails with the error of fork when the helper's thread cannot be started")
        .untestable("a guest whose kernel cannot start a thread cannot run its agent either"),
    says("who waits for modprobe gets no signal but SIGKILL and SIGSTOP")
        .shown_by(&["request_module::self_request_is_stuck_until_killed"]),
    says("modules that kmod has loaded are taken away by `rmmod -a` when they are not used for a while")
        .until("2.6", Code("kernel/module.c of 2.6, sys_delete_module()"), "there is no autoclean: a module stays until it is unloaded by name")
        .untestable("the kernels of the matrix have no such flag of a module"),
];
