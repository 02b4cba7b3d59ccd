//! One module loaded several times, at once and one after the other.

use crate::{
    behaviour::{LOADER_OF_A_FAILING_FILE_GETS, SECOND_LOADER_GETS},
    check::Check,
    errno::Errno,
    guest::Guest,
    scenario,
    scenario::{
        Code,
        Literature::{Framework, Kernel},
        Scenario,
    },
};

pub(super) const ALL: &[Scenario] = &[
    scenario!(loaded_is_eexist)
        .modules(&["hello"])
        .claim(Framework, "a module's name is unique: loading it twice fails"),
    scenario!(same_file_shares_the_result)
        .modules(&["slow_init"])
        .claim(Framework, "a second load of a module that is coming fails at once with EEXIST")
        .until("3.7", Code("kernel/module.c of 3.7, load_module()"), "it waits for the first, then fails with EEXIST")
        .until_fact(SECOND_LOADER_GETS.turn(), "it waits for the first and gets its result, if it is of the same file"),
    scenario!(shared_result_ignores_parameters)
        .modules(&["slow_init"])
        .since(6, 5)
        .claim(Kernel, "a load that shares another's result does not read its own parameters"),
    scenario!(other_file_waits_and_fails)
        .modules(&["slow_init"])
        .claim(Kernel, "a second load from another file waits for the first and fails with EEXIST"),
    scenario!(failure_is_shared_too)
        .modules(&["slow_exporter"])
        .claim(Kernel, "when the first load fails, a second of the same file that waited fails with EBUSY")
        .until_fact(LOADER_OF_A_FAILING_FILE_GETS.turn(), "it fails as the first did"),
    scenario!(other_file_of_a_failing_load_is_ebusy)
        .modules(&["slow_exporter"])
        .claim(Kernel, "when the first load fails, a load from another file that waited for it fails with EBUSY"),
    scenario!(leaving_is_ebusy)
        .modules(&["slow_exit"])
        .claim(Framework, "a module that is going cannot be loaded until it is gone")
        .note("since 0254127ab977 (\"module: Don't wait for GOING modules\", 6.2 and stable series) EBUSY, at once"),
    scenario!(waiter_can_be_killed)
        .modules(&["slow_init"])
        .claim(Kernel, "a load that waits for another can be interrupted"),
    scenario!(loader_killed_in_init_still_loads).modules(&["slow_init"]).claim(
        Kernel,
        "a kill of insmod does not end an init that sleeps: it comes to its end, and the module is live",
    ),
];

fn loaded_is_eexist(guest: &mut Guest) -> Check {
    guest.load("hello")?.succeeds()?;
    guest.load("hello")?.fails_with(Errno::EEXIST)?;
    let bytes = guest.module_file("hello")?;
    guest.load_bytes("a copy of hello", &bytes)?.fails_with(Errno::EEXIST)?;
    guest.refcount_is("hello", 0)
}

fn same_file_shares_the_result(guest: &mut Guest) -> Check {
    let first = guest.load_until_coming("slow_init", "ms=1000")?;
    let second = guest.start_load("slow_init", "ms=0")?;
    guest.finish(first)?.succeeds()?;
    guest.finish(second)?.returns(SECOND_LOADER_GETS.on(guest.version()))
}

fn shared_result_ignores_parameters(guest: &mut Guest) -> Check {
    let first = guest.load_until_coming("slow_init", "ms=800")?;
    guest.load_with("slow_init", "ms=banana")?.succeeds()?;
    guest.finish(first)?.succeeds()
}

fn other_file_waits_and_fails(guest: &mut Guest) -> Check {
    let copy = guest.edited("slow_init", |bytes| Ok(bytes.to_vec()))?;
    let first = guest.load_until_coming("slow_init", "ms=800")?;
    guest.load_file(&copy, "", 0)?.fails_with(Errno::EEXIST)?;
    guest.is_live("slow_init")?;
    guest.finish(first)?.succeeds()
}

fn failure_is_shared_too(guest: &mut Guest) -> Check {
    let first = guest.load_until_coming("slow_exporter", "init_ms=800 result=-19")?;
    let second = guest.start_load("slow_exporter", "")?;
    guest.finish(first)?.fails_with(Errno::ENODEV)?;
    guest.finish(second)?.returns(LOADER_OF_A_FAILING_FILE_GETS.on(guest.version()))?;
    guest.is_absent("slow_exporter")
}

fn other_file_of_a_failing_load_is_ebusy(guest: &mut Guest) -> Check {
    let copy = guest.edited("slow_exporter", |bytes| Ok(bytes.to_vec()))?;
    let first = guest.load_until_coming("slow_exporter", "init_ms=800 result=-19")?;
    guest.load_file(&copy, "", 0)?.fails_with(Errno::EBUSY)?;
    guest.finish(first)?.fails_with(Errno::ENODEV)
}

fn leaving_is_ebusy(guest: &mut Guest) -> Check {
    guest.load_with("slow_exit", "ms=800")?.succeeds()?;
    let unload = guest.unload_until_going("slow_exit")?;
    guest.load("slow_exit")?.fails_with(Errno::EBUSY)?;
    guest.finish(unload)?.succeeds()?;
    guest.load("slow_exit")?.succeeds()
}

fn waiter_can_be_killed(guest: &mut Guest) -> Check {
    let first = guest.load_until_coming("slow_init", "ms=1000")?;
    let waiter = guest.start_load("slow_init", "")?;
    guest.kill(&waiter)?;
    guest.finish(waiter)?.was_killed()?;
    guest.finish(first)?.succeeds()
}

fn loader_killed_in_init_still_loads(guest: &mut Guest) -> Check {
    let load = guest.load_until_coming("slow_init", "ms=800")?;
    guest.kill(&load)?;
    guest.finish(load)?.was_killed()?;
    guest.logged("slow_init: init")?;
    guest.is_live("slow_init")
}
