//! The module framework of 2.6.32.

use super::Statement;
use crate::{
    behaviour::Source::Commit,
    claim::{Claim, Literature::Framework},
};

const fn says(statement: &'static str) -> Claim {
    Claim::new(Framework, statement)
}

pub(super) const ALL: &[Statement] = &[
    says("a module is in one of three states: coming, live, going")
        .shown_by(&["states::sysfs_shows_the_state", "states::notifiers_hear_of_each_state"]),
    says("sections of the file are copied into memory of the kernel, those of init apart")
        .shown_by(&["insert::loads_and_unloads", "states::init_sections_are_freed", "inspect::sections_are_files"]),
    says("init runs in the context of the process that called init_module")
        .shown_by(&["duplicates::loader_killed_in_init_still_loads"]),
    says("an init that fails makes init_module return its error")
        .shown_by(&["insert::init_returning_enodev"]),
    says("exit runs in the context of who unloads, before the memory is freed")
        .shown_by(&["insert::loads_and_unloads", "unload::leaving_module_is_ebusy"]),
    says("using another module's symbol takes a reference to that module, once")
        .shown_by(&["unload::holders_are_shown_by_lsmod", "symbols::dependency_must_be_loaded"]),
    says("the holders directory of a module links to the modules that use it")
        .shown_by(&["unload::holders_are_shown_by_lsmod", "symbols::dependency_must_be_loaded"]),
    says("unloading the user gives the reference back")
        .shown_by(&["symbols::dependency_must_be_loaded", "unload::used_module_is_eagain"]),
    says("the owner field of file_operations takes a reference for each open file")
        .shown_by(&["unload::open_device_is_eagain", "traces::tracepoints_count_references"]),
    says("a module can take a reference to itself, and then stays")
        .shown_by(&["unload::held_module_goes_by_force"]),
    says("the count of references is kept per processor, and unloading stops all processors to sum it up")
        .until("3.19", Commit("e513cc1c07e2", "module: Remove stop_machine from module unloading"), "it is one atomic counter, and nothing is stopped")
        .untestable("neither can be told from outside"),
    says("delete_module refuses a module that has users, is not live, has no exit, or is referred to")
        .shown_by(&["unload::used_module_is_eagain", "unload::loading_module_is_ebusy", "unload::missing_exit_is_ebusy_until_forced", "unload::held_module_goes_by_force"]),
    says("a forced unload needs CONFIG_MODULE_FORCE_UNLOAD, and taints the kernel")
        .shown_by(&["unload::held_module_goes_by_force", "unload::missing_exit_is_ebusy_until_forced"]),
    says("built-in modules cannot be unloaded")
        .shown_by(&["unload::unknown_module_is_enoent"]),
    says("a module is a relocatable ELF object, which the kernel links itself")
        .shown_by(&["damage::header_fields_are_checked", "files::a_text_is_enoexec"]),
    says("the section .gnu.linkonce.this_module holds the struct module, with the name and the addresses of init and exit")
        .shown_by(&["damage::struct_module_must_be_there", "damage::names_are_not_checked", "damage::relocations_need_zeros"]),
    says("the loader needs the symbol table; without it there is nothing to link by")
        .shown_by(&["damage::a_symbol_table_is_needed"]),
    says("relocations are applied for the machine's architecture")
        .shown_by(&["damage::unknown_relocations_are_enoexec", "damage::relocations_need_zeros"]),
    says("the section .modinfo is strings of the form key=value")
        .shown_by(&["inspect::modinfo_prints_what_the_file_says", "licences::missing_licence_is_proprietary", "versions::without_vermagic_it_is_forced"]),
    says("the section __param describes the parameters, which parse_args fills in before init")
        .shown_by(&["insert::numbers_are_parameters", "states::notifiers_hear_of_bad_parameters"]),
    says("an exported symbol is found by name, in the kernel first and then in each module")
        .shown_by(&["symbols::dependency_must_be_loaded", "symbols::second_exporter_is_enoexec"]),
    says("EXPORT_UNUSED_SYMBOL exports a symbol and warns who uses it")
        .until("5.12", Commit("367948220fce", "module: remove EXPORT_UNUSED_SYMBOL*"), "there is no such export")
        .untestable("a module that uses it does not build for most of the matrix"),
    says("EXPORT_SYMBOL_GPL_FUTURE warns other modules that the symbol will be for GPL modules alone")
        .until("5.12", Commit("f1c3d73e973c", "module: remove EXPORT_SYMBOL_GPL_FUTURE"), "there is no such export")
        .untestable("a module that uses it does not build for most of the matrix"),
    says("the loader says nothing of the licence when a symbol is for GPL modules alone: it is unknown")
        .shown_by(&["symbols::gpl_symbol_is_hidden_from_others"]),
    says("a wait for another module's init ends after 30 s: gave up waiting")
        .untestable("the limit is a constant of 30 s: a case of half a minute in a suite that takes a minute and a half"),
    says("modversions: the checksum of a symbol is made of its type, by genksyms")
        .shown_by(&["versions::changed_checksum_is_einval", "inspect::undefined_symbols_have_checksums"]),
    says("modversions: the kernel compares the module's checksum with its own for each symbol")
        .shown_by(&["versions::changed_checksum_is_einval", "versions::missing_checksum_is_einval"]),
    says("modversions: module_layout has a checksum, so that a changed struct module is noticed")
        .shown_by(&["versions::changed_layout_is_enoexec"]),
    says("the kernel logs which version magic a module has, and which it should have")
        .shown_by(&["versions::changed_flag_word_is_enoexec"]),
    says("version magic without modversions must be the same to the last word")
        .shown_by(&["versions::release_counts_without_checksums"]),
    says("a module under a mounted file system has users, down to the driver of the device")
        .shown_by(&["media::mounted_file_system_must_not_go", "media::open_drive_must_not_go"]),
    says("a taint has a letter, which is shown in traces and in /proc/modules")
        .shown_by(&["licences::out_of_tree_and_unsigned_taint", "faults::warning_in_init_only_taints"]),
    says("/proc/sys/kernel/tainted is the sum of the bits of all taints")
        .shown_by(&["licences::taint_outlives_the_module"]),
    says("a forced load taints the kernel with F")
        .shown_by(&["versions::flags_ignore_what_they_name", "tools::force_ignores_vermagic"]),
    says("a proprietary module taints the kernel with P")
        .shown_by(&["licences::missing_licence_is_proprietary", "licences::other_licence_is_proprietary"]),
    says("lock debugging is switched off by a taint")
        .shown_by(&["licences::other_licence_is_proprietary"]),
    says("depmod reads the symbols of all modules to know which needs which")
        .shown_by(&["insert::modprobe_loads_dependencies_first", "inspect::depends_names_the_modules_used"]),
    says("depmod writes the aliases of all modules to modules.alias")
        .shown_by(&["request_module::loads_by_alias", "tools::configuration_is_obeyed"]),
    says("an alias may have wildcards, which are matched as a shell does")
        .shown_by(&["request_module::loads_by_alias", ]),
    says("the kernel can run a program for each event itself: /sys/kernel/uevent_helper")
        .untestable("no kernel of the matrix is built with UEVENT_HELPER"),
    says("register_module_notifier is told of each change of a module's state")
        .shown_by(&["states::notifiers_hear_of_each_state"]),
    says("kallsyms knows the functions of modules, so that a trace can name them")
        .shown_by(&["traces::symbols_are_in_kallsyms", "faults::warning_in_init_only_taints"]),
    says("init_module and delete_module need CAP_SYS_MODULE, and fail with EPERM without")
        .shown_by(&["policy::capability_is_looked_at_first", "policy::capability_is_enough"]),
    says("kernel.modules_disabled ends loading and unloading until the next boot")
        .shown_by(&["policy::disabling_is_for_ever", "tools::policies_are_explained"]),
    says("a module's asynchronous work is waited for when its init has run")
        .untestable("what work is asynchronous, the module decides; the wait can be seen only by the time it takes"),
    says("MODULE_DEVICE_TABLE is turned into aliases when a module is built")
        .shown_by(&["hotplug::listener_loads_the_driver"]),
    says("the bus makes MODALIAS of what a device says of itself: vendor, product, class")
        .shown_by(&["hotplug::card_is_announced_and_no_more", "hotplug::usb_stick_becomes_a_disk"]),
    says("a driver that is registered gets the devices that are there already")
        .shown_by(&["hotplug::stub_loads_e1000", "hotplug::listener_loads_the_driver"]),
    says("udev, or any other process, hears of devices by netlink and runs modprobe")
        .shown_by(&["hotplug::usb_stick_becomes_a_disk", "hotplug::listener_loads_the_driver"]),
    says("a stick is found by three drivers, one on top of the other: the controller's, usb-storage, sd_mod")
        .shown_by(&["hotplug::usb_stick_becomes_a_disk"]),
];
