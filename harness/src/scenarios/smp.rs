//! Two processors: what happens at the same time indeed.

use crate::{
    behaviour::SECOND_LOADER_GETS,
    check::Check,
    guest::{Guest, same},
    scenario,
    scenario::{
        Literature::{Framework, RequestModule},
        Machine, Scenario,
    },
};

pub(super) const ALL: &[Scenario] = &[
    scenario!(loads_of_one_file_run_init_once)
        .modules(&["slow_init"])
        .machine(Machine::SMP)
        .claim(Framework, "however many load a module at once, its init runs once"),
    scenario!(every_init_has_its_exit)
        .modules(&["hello"])
        .machine(Machine::SMP)
        .claim(Framework, "loads and unloads of one module that race leave it loaded or not, and nothing between"),
    scenario!(modules_do_not_disturb_each_other)
        .modules(&["hello", "target"])
        .machine(Machine::SMP)
        .claim(Framework, "loading and unloading one module never makes that of another fail"),
    scenario!(modprobes_of_one_stack_all_succeed)
        .modules(&["dep_base", "dep_mid", "dep_top"])
        .machine(Machine::SMP)
        .claim(Framework, "many modprobes may load the same modules at once: who comes late finds them there"),
    scenario!(chain_of_49_works).modules(&["chain_00"]).machine(Machine::SMP).claim(
        RequestModule,
        "on several processors, too, modules may request modules in their init, up to 50 modprobes at once",
    ),
];

fn loads_of_one_file_run_init_once(guest: &mut Guest) -> Check {
    same("processors", &guest.read("/sys/devices/system/cpu/online")?, "0-1\n")?;
    let first = guest.load_until_coming("slow_init", "hold=1")?;
    let others = (0..6).map(|_| guest.start_load("slow_init", "")).collect::<Check<Vec<_>>>()?;
    for other in &others {
        guest.waits_in_its_call(other)?;
    }
    guest.let_go("slow_init", "hold")?;
    guest.finish(first)?.succeeds()?;
    for other in others {
        guest.finish(other)?.returns(SECOND_LOADER_GETS.on(guest.version()))?;
    }
    same("number of inits", &count(guest, "slow_init: init")?.to_string(), "1")
}

fn every_init_has_its_exit(guest: &mut Guest) -> Check {
    const ROUNDS: u32 = 8;
    let counts = guest.storm(ROUNDS, &["hello"; 4])?;
    let unloads: u32 = counts.iter().map(|(_, unloads)| unloads).sum();
    if guest.module("hello")?.is_some() {
        guest.unload("hello")?.succeeds()?;
    }
    guest.is_absent("hello")?;
    let (inits, exits) = (count(guest, "hello: init")?, count(guest, "hello: exit")?);
    same("number of exits", &exits.to_string(), &inits.to_string())?;
    let left = exits - unloads as usize;
    same("modules that the storm left", &(left <= 1).to_string(), "true")?;
    guest.load("hello")?.succeeds()
}

fn modules_do_not_disturb_each_other(guest: &mut Guest) -> Check {
    const ROUNDS: u32 = 8;
    let counts = guest.storm(ROUNDS, &["hello", "target"])?;
    same("loads and unloads", &format!("{counts:?}"), &format!("{:?}", [(ROUNDS, ROUNDS); 2]))
}

fn modprobes_of_one_stack_all_succeed(guest: &mut Guest) -> Check {
    for _ in 0..3 {
        let all = (0..6).map(|_| guest.start_run("modprobe", &["dep_top"])).collect::<Check<Vec<_>>>()?;
        for one in all {
            guest.finish_run(one)?.succeeds()?;
        }
        guest.is_live("dep_top")?;
        for name in ["dep_top", "dep_mid", "dep_base"] {
            guest.unload(name)?.succeeds()?;
        }
    }
    Ok(())
}

/// From `chain_11` to `chain_60` there are 49 requests; the last module asks for one that does not exist.
fn chain_of_49_works(guest: &mut Guest) -> Check {
    guest.load("chain_11")?.succeeds()?;
    guest.logged("chain_60: request_module(chain_61) = 256")?;
    guest.not_logged("kmod busy")?;
    guest.is_live("chain_60")
}

/// How many records of the log contain this.
fn count(guest: &mut Guest, text: &str) -> Check<usize> {
    Ok(guest.log()?.iter().filter(|record| record.contains(text)).count())
}
