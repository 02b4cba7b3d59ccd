//! The mutex of the request_module article: DEFINE_MUTEX, trylock and lock, and who waits.

use crate::{
    check::{Check, Stop},
    guest::{Guest, same},
    scenario,
    scenario::{Literature::RequestModule, Scenario},
};

pub(super) const ALL: &[Scenario] = &[
    scenario!(makes_the_other_wait)
        .modules(&["mutex_pair"])
        .claim(RequestModule, "DEFINE_MUTEX: one thread holds the mutex, the other sleeps until it is released"),
    scenario!(waiter_sleeps_uninterruptibly)
        .modules(&["mutex_wait"])
        .claim(RequestModule, "mutex_lock sleeps in state D until the mutex is released, mutex_trylock never sleeps"),
    scenario!(taken_twice_waits_for_ever)
        .modules(&["mutex_wait"])
        .claim(RequestModule, "a thread that takes a mutex twice waits for itself; the kernel reports a hung task"),
];

fn makes_the_other_wait(guest: &mut Guest) -> Check {
    guest.load("mutex_pair")?.succeeds()?;
    guest.logged("mutex_pair: counted to 4000, one has waited")
}

/// A field of /proc/PID/status of a thread that the module has announced.
fn thread_is(guest: &mut Guest, name: &str, field: &str, value: &str) -> Check {
    let announced = format!("mutex_wait: {name} is process ");
    let pid = guest.log()?.iter().find_map(|record| record.split_once(&announced)).map(|(_, pid)| pid.to_owned());
    let Some(pid) = pid else { return Err(Stop::failed(format!("the log should have `{announced}`"))) };
    let line = guest.lines_with(&format!("/proc/{pid}/status"), &format!("{field}:"))?;
    same(&format!("{name}'s line"), &line.join(" "), &format!("{field}:\t{value}"))
}

fn waiter_sleeps_uninterruptibly(guest: &mut Guest) -> Check {
    guest.load_with("mutex_wait", "hold=1")?.succeeds()?;
    thread_is(guest, "mutex_waiter", "State", "D (disk sleep)")?;
    guest.let_go("mutex_wait", "hold")?;
    guest.not_logged("mutex_wait: did not have to wait")?;
    guest.unload("mutex_wait")?.succeeds()?;
    guest.logged_in_order(&["mutex_wait: holds it", "mutex_wait: releases it", "mutex_wait: has waited"])
}

fn taken_twice_waits_for_ever(guest: &mut Guest) -> Check {
    guest.expect_splat("INFO: task hung in mutex_wait_hold");
    guest.write("/proc/sys/kernel/hung_task_timeout_secs", "1")?;
    guest.load_with("mutex_wait", "holders=1")?.succeeds()?;
    thread_is(guest, "mutex_holder", "State", "D (disk sleep)")?;
    guest.eventually("the hung task is reported", |guest| guest.has_logged("INFO: task mutex_holder:"))?;
    guest.logged("blocked for more than ")
}
