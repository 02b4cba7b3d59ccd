//! One module loaded several times, at once and one after the other.

use crate::{
    behaviour::{LOADER_OF_A_FAILING_FILE_GETS, SECOND_LOADER_GETS},
    check::Check,
    errno::Errno,
    guest::{Act, Guest, Running, same},
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
    scenario!(four_loaders_of_a_file)
        .modules(&["slow_init"])
        .claim(Kernel, "of several loads of one file at once, one succeeds and the others fail with EEXIST")
        .until_fact(SECOND_LOADER_GETS.turn(), "they all succeed, and init has run once"),
    scenario!(four_loaders_of_a_failing_file)
        .modules(&["slow_exporter"])
        .claim(Kernel, "of several loads of one file whose init fails, one gets that error and the others EBUSY")
        .until_fact(LOADER_OF_A_FAILING_FILE_GETS.turn(), "they all get that error"),
    scenario!(four_loaders_from_memory)
        .modules(&["slow_init"])
        .claim(Kernel, "of several loads from memory at once, one succeeds and the others fail with EEXIST"),
];

fn loaded_is_eexist(guest: &mut Guest) -> Check {
    guest.load("hello")?.succeeds()?;
    guest.load("hello")?.fails_with(Errno::EEXIST)?;
    let bytes = guest.module_file("hello")?;
    guest.load_bytes("a copy of hello", &bytes)?.fails_with(Errno::EEXIST)?;
    guest.refcount_is("hello", 0)
}

fn same_file_shares_the_result(guest: &mut Guest) -> Check {
    let first = guest.load_until_coming("slow_init", "hold=1")?;
    let second = guest.start_load("slow_init", "")?;
    guest.waits_in_its_call(&second)?;
    guest.let_go("slow_init", "hold")?;
    guest.finish(first)?.succeeds()?;
    guest.finish(second)?.returns(SECOND_LOADER_GETS.on(guest.version()))
}

fn shared_result_ignores_parameters(guest: &mut Guest) -> Check {
    let first = guest.load_until_coming("slow_init", "hold=1")?;
    let second = guest.start_load("slow_init", "hold=banana")?;
    guest.waits_in_its_call(&second)?;
    guest.let_go("slow_init", "hold")?;
    guest.finish(second)?.succeeds()?;
    guest.finish(first)?.succeeds()
}

fn other_file_waits_and_fails(guest: &mut Guest) -> Check {
    let copy = guest.edited("slow_init", |bytes| Ok(bytes.to_vec()))?;
    let first = guest.load_until_coming("slow_init", "hold=1")?;
    let second = guest.start_act(Act::load(&copy))?;
    guest.waits_in_its_call(&second)?;
    guest.let_go("slow_init", "hold")?;
    guest.finish(second)?.fails_with(Errno::EEXIST)?;
    guest.is_live("slow_init")?;
    guest.finish(first)?.succeeds()
}

fn failure_is_shared_too(guest: &mut Guest) -> Check {
    let first = guest.load_until_coming("slow_exporter", "hold_init=1 result=-19")?;
    let second = guest.start_load("slow_exporter", "")?;
    guest.waits_in_its_call(&second)?;
    guest.let_go("slow_exporter", "hold_init")?;
    guest.finish(first)?.fails_with(Errno::ENODEV)?;
    guest.finish(second)?.returns(LOADER_OF_A_FAILING_FILE_GETS.on(guest.version()))?;
    guest.is_absent("slow_exporter")
}

fn other_file_of_a_failing_load_is_ebusy(guest: &mut Guest) -> Check {
    let copy = guest.edited("slow_exporter", |bytes| Ok(bytes.to_vec()))?;
    let first = guest.load_until_coming("slow_exporter", "hold_init=1 result=-19")?;
    let second = guest.start_act(Act::load(&copy))?;
    guest.waits_in_its_call(&second)?;
    guest.let_go("slow_exporter", "hold_init")?;
    guest.finish(second)?.fails_with(Errno::EBUSY)?;
    guest.finish(first)?.fails_with(Errno::ENODEV)
}

fn leaving_is_ebusy(guest: &mut Guest) -> Check {
    guest.load_with("slow_exit", "hold=1")?.succeeds()?;
    let unload = guest.unload_until_going("slow_exit")?;
    guest.load("slow_exit")?.fails_with(Errno::EBUSY)?;
    guest.let_go("slow_exit", "hold")?;
    guest.finish(unload)?.succeeds()?;
    guest.load("slow_exit")?.succeeds()
}

fn waiter_can_be_killed(guest: &mut Guest) -> Check {
    let first = guest.load_until_coming("slow_init", "hold=1")?;
    let waiter = guest.start_load("slow_init", "")?;
    guest.waits_in_its_call(&waiter)?;
    guest.kill(&waiter)?;
    guest.finish(waiter)?.was_killed()?;
    guest.let_go("slow_init", "hold")?;
    guest.finish(first)?.succeeds()
}

fn loader_killed_in_init_still_loads(guest: &mut Guest) -> Check {
    let load = guest.load_until_coming("slow_init", "hold=1")?;
    guest.kill(&load)?;
    guest.let_go("slow_init", "hold")?;
    guest.finish(load)?.was_killed()?;
    guest.logged("slow_init: init")?;
    guest.is_live("slow_init")
}

/// Waits for four loads, the first of which is still at work, and compares what they return, in no certain order.
fn together(guest: &mut Guest, loads: [Running; 4], first: i64, others: i64) -> Check {
    let mut seen = Vec::new();
    for load in loads {
        seen.push(guest.finish(load)?.raw());
    }
    seen.sort_unstable();
    let mut expected = [first, others, others, others].map(Some);
    expected.sort_unstable();
    same("the four loads returned", &format!("{seen:?}"), &format!("{expected:?}"))
}

/// Begins four loads with the same parameters.
fn load_four_times(guest: &mut Guest, name: &str, params: &str) -> Check<[Running; 4]> {
    let mut load = || guest.start_load(name, params);
    Ok([load()?, load()?, load()?, load()?])
}

/// Lets the first of four loads go on when all others wait for it.
fn all_wait_until(guest: &mut Guest, loads: &[Running; 4], module: &str, parameter: &str) -> Check {
    loads.iter().try_for_each(|load| guest.waits_in_its_call(load))?;
    guest.let_go(module, parameter)
}

fn four_loaders_of_a_file(guest: &mut Guest) -> Check {
    let loads = load_four_times(guest, "slow_init", "hold=1")?;
    all_wait_until(guest, &loads, "slow_init", "hold")?;
    together(guest, loads, 0, SECOND_LOADER_GETS.on(guest.version()))?;
    let inits = guest.log()?.iter().filter(|record| record.contains("slow_init: init")).count();
    same("number of inits", &inits.to_string(), "1")
}

fn four_loaders_of_a_failing_file(guest: &mut Guest) -> Check {
    let loads = load_four_times(guest, "slow_exporter", "hold_init=1 result=-19")?;
    all_wait_until(guest, &loads, "slow_exporter", "hold_init")?;
    let others = LOADER_OF_A_FAILING_FILE_GETS.on(guest.version());
    together(guest, loads, -i64::from(libc::ENODEV), others)?;
    guest.is_absent("slow_exporter")
}

fn four_loaders_from_memory(guest: &mut Guest) -> Check {
    let bytes = guest.module_file("slow_init")?;
    let mut load = || guest.start_act(Act::load_bytes("slow_init from memory", bytes.clone(), "hold=1"));
    let loads = [load()?, load()?, load()?, load()?];
    all_wait_until(guest, &loads, "slow_init", "hold")?;
    together(guest, loads, 0, -i64::from(libc::EEXIST))
}
