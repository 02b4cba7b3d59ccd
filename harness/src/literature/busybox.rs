//! How busybox's module tools reach the system calls.

use super::Statement;
use crate::{
    behaviour::Source::{Code, Commit},
    claim::{Claim, Literature::Busybox},
};

const fn says(statement: &'static str) -> Claim {
    Claim::new(Busybox, statement)
}

pub(super) const ALL: &[Statement] = &[
    says("insmod reads the whole file and hands it over by one system call")
        .shown_by(&["insert::tools_reach_the_system_calls", "files::unlinked_files_load"]),
    says("insmod takes a path, and looks up no name").shown_by(&["insert::tools_reach_the_system_calls"]),
    says("insmod loads no dependencies")
        .shown_by(&["symbols::dependency_must_be_loaded", "tools::missing_symbols_are_explained"]),
    says("arguments after the file's name are parameters of the module, joined by blanks")
        .shown_by(&["tools::insmod_passes_parameters"]),
    says("a module that is loaded is not loaded again: File exists")
        .shown_by(&["insert::tools_reach_the_system_calls"]),
    says("an error number of the system call becomes a message").shown_by(&[
        "insert::tools_reach_the_system_calls",
        "tools::force_ignores_vermagic",
        "insert::init_returning_enodev",
    ]),
    says("rmmod gives delete_module a name and flags: O_NONBLOCK, and O_TRUNC for -f")
        .shown_by(&["tools::rmmod_goes_on_after_an_error", "unload::missing_exit_is_ebusy_until_forced"]),
    says("rmmod takes a file's name as well as a module's").shown_by(&["tools::compressed_files_load"]),
    says("rmmod -w waits for the last user")
        .until(
            "3.13",
            Commit("3f2b9c9cdf38", "module: remove rmmod --wait option."),
            "the kernel never waits; modprobe -r --wait tries again",
        )
        .shown_by(&["tools::modprobe_waits_for_the_last_user", "unload::unloading_does_not_wait"]),
    says("rmmod -a unloads all modules that nobody uses")
        .until(
            "2.6",
            Code("kernel/module.c of 2.6, sys_delete_module()"),
            "the kernel does that no more; busybox tries each module in turn",
        )
        .untestable("our rmmod takes kmod's options, and kmod has no -a"),
    says("lsmod prints /proc/modules under a heading")
        .shown_by(&["tools::lsmod_shows_what_sysfs_says", "unload::holders_are_shown_by_lsmod"]),
    says("modinfo reads the file, and needs no module loaded")
        .shown_by(&["inspect::modinfo_prints_what_the_file_says"]),
    says("modinfo -F prints one field")
        .shown_by(&["inspect::depends_names_the_modules_used", "inspect::vermagic_names_release_and_flags"]),
    says("depmod writes modules.dep, and modprobe reads it").shown_by(&["insert::modprobe_loads_dependencies_first"]),
    says("modprobe -r unloads in the reverse order, and leaves what is in use")
        .shown_by(&["insert::modprobe_loads_dependencies_first"]),
    says("modprobe reads modules.alias for names that are no modules").shown_by(&["request_module::loads_by_alias"]),
    says("modprobe takes parameters from its configuration and from the command line")
        .shown_by(&["tools::configuration_is_obeyed"]),
    says("a blacklisted module is not loaded by an alias").shown_by(&["tools::configuration_is_obeyed"]),
    says("modprobe -q says nothing of a module that is not there, which the kernel's requests rely on")
        .shown_by(&["inspect::quiet_modprobe_says_nothing"]),
    says("a missing module is an error of modprobe").shown_by(&["tools::all_operands_are_tried"]),
    says("compressed modules are unpacked before they are handed over").shown_by(&["tools::compressed_files_load"]),
    says("the tools need CAP_SYS_MODULE, which the system calls check")
        .shown_by(&["policy::capability_is_looked_at_first"]),
    says("insmod of 2.4 links the module in user space and gives the kernel the result")
        .until("2.6", Code("kernel/module.c of 2.6, load_module()"), "the kernel links it")
        .shown_by(&["files::system_calls_of_2_4_are_gone"]),
];
