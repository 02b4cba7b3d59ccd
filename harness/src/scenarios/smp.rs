//! Two processors: what happens at the same time indeed.

use crate::{
    behaviour::SECOND_LOADER_GETS,
    check::Check,
    guest::{Guest, same},
    scenario,
    scenario::{Literature::Framework, Machine, Scenario},
};

pub(super) const ALL: &[Scenario] = &[scenario!(loads_of_one_file_run_init_once)
    .modules(&["slow_init"])
    .machine(Machine::SMP)
    .claim(Framework, "however many load a module at once, its init runs once")];

fn loads_of_one_file_run_init_once(guest: &mut Guest) -> Check {
    same("processors", &guest.read("/sys/devices/system/cpu/online")?, "0-1\n")?;
    let first = guest.load_until_coming("slow_init", "ms=1000")?;
    let others = (0..6).map(|_| guest.start_load("slow_init", "ms=1")).collect::<Check<Vec<_>>>()?;
    guest.finish(first)?.succeeds()?;
    for other in others {
        guest.finish(other)?.returns(SECOND_LOADER_GETS.on(guest.version()))?;
    }
    let inits = guest.log()?.iter().filter(|record| record.contains("slow_init: init")).count();
    same("number of inits", &inits.to_string(), "1")
}
