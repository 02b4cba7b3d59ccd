//! How many helpers run at once, who waits for a slot, and a wait that never ends.

use modrig_agent::call::LET_GO;

use super::request_module::gives;
use crate::{
    behaviour::Source,
    check::{Check, Stop},
    guest::{Guest, helper, same},
    scenario,
    scenario::{
        Commit,
        Literature::{Kernel, RequestModule},
        Scenario,
    },
};

/// What made requests beyond the fiftieth wait.
const THROTTLE: Source = Commit("6d7964a722af", "kmod: throttle kmod thread limit");

pub(super) const ALL: &[Scenario] = &[
    scenario!(sixty_requests_at_once_are_served)
        .modules(&["request_storm"])
        .claim(RequestModule, "of more than 50 requests at once, those beyond the fiftieth fail at once with -ENOMEM")
        .until("4.13", THROTTLE, "they wait for a slot, and are served when one is free within 5 s"),
    scenario!(requests_wait_five_seconds_for_a_slot)
        .modules(&["request_storm"])
        .claim(RequestModule, "a request that finds 50 others at work fails, and its name is logged")
        .until("4.13", THROTTLE, "it fails after 5 s with -ETIME, and its name is logged then"),
    scenario!(asynchronous_request_never_ends)
        .modules(&["async_request", "target"])
        .claim(Kernel, "request_module from an asynchronous function warns, and waits for itself for ever")
        .note("the module that it asks for is live, but its load waits for all asynchronous functions to end"),
    scenario!(trying_looks_again_after_the_request)
        .modules(&["requester"])
        .claim(RequestModule, "try_then_request_module looks, requests if it finds nothing, and looks again")
        .note("it does not look at the result of the request"),
];

fn sixty_requests_at_once_are_served(guest: &mut Guest) -> Check {
    guest.set_helper("sleep-1")?;
    guest.load_with("request_storm", "requests=60")?.succeeds()?;
    guest.logged("request_storm: 60 served, 0 too late")?;
    guest.not_logged("kmod busy")
}

fn requests_wait_five_seconds_for_a_slot(guest: &mut Guest) -> Check {
    guest.set_helper("hold")?;
    let load = guest.start_load("request_storm", "requests=60")?;
    let late = "/sys/module/request_storm/parameters/late";
    guest.eventually("ten requests were too late", |guest| Ok(guest.exists(late)? && guest.read(late)? == "10\n"))?;
    guest.write(LET_GO, "")?;
    guest.finish(load)?.succeeds()?;
    guest.logged("request_storm: 50 served, 10 too late")?;
    guest.logged("modprobe storm cannot be processed, kmod busy with 50 threads for more than 5 seconds now")
}

fn asynchronous_request_never_ends(guest: &mut Guest) -> Check {
    guest.expect_splat("WARNING in __request_module");
    let mut load = guest.start_load("async_request", "")?;
    guest.eventually("the requested module is live", |guest| guest.state_is("target", "live"))?;
    if !guest.stays_running(&mut load)? {
        return Err(Stop::failed("loading async_request should never end, but did"));
    }
    guest.not_logged("async_request: request_module(target) =")?;
    guest.logged("WARNING: ")?;
    same("taint", &guest.taint()?, "WOE")
}

fn trying_looks_again_after_the_request(guest: &mut Guest) -> Check {
    guest.load("requester")?.succeeds()?;
    guest.set_helper("exit-1")?;
    gives(guest, "try some-name", 2)?;
    let call = guest.only_call()?;
    same("arguments", &call.argv.join(" "), &format!("{} -q -- some-name", helper("exit-1")))
}
