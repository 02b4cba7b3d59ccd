//! The states of a module and who hears of them.

use crate::{
    behaviour::EEXIST_OF_INIT_BECOMES,
    check::Check,
    errno::Errno,
    guest::Guest,
    scenario,
    scenario::{Commit, Literature::Framework, Scenario},
};

pub(super) const ALL: &[Scenario] = &[
    scenario!(notifiers_hear_of_each_state)
        .modules(&["watcher", "hello"])
        .claim(Framework, "a module is coming, live, going; whoever registered for it is told"),
    scenario!(notifiers_hear_of_a_failed_init)
        .modules(&["watcher", "init_fails"])
        .claim(Framework, "a module whose init fails is coming and going, and never live"),
    scenario!(notifiers_hear_of_bad_parameters)
        .modules(&["watcher", "params"])
        .claim(Framework, "parameters are parsed while the module is coming, before its init"),
    scenario!(notifiers_hear_nothing_of_missing_symbols)
        .modules(&["watcher", "missing_symbol"])
        .claim(Framework, "symbols are resolved before anybody is told of a module"),
    scenario!(notifier_can_forbid)
        .modules(&["watcher", "hello"])
        .claim(Framework, "who is told that a module comes cannot stop it")
        .until(
            "5.10",
            Commit("59cc8e0a906e", "module: Properly propagate MODULE_STATE_COMING failure"),
            "the error that one of them returns makes the load fail",
        ),
    scenario!(sysfs_shows_the_state)
        .modules(&["slow_exporter"])
        .claim(Framework, "initstate shows coming, live and going; refcnt is 1 while it comes, then 0 without users")
        .note("while it goes, refcnt shows -1"),
    scenario!(init_sections_are_freed)
        .modules(&["hello"])
        .claim(Framework, "what only init needs is given back when it has run"),
    scenario!(init_returning_eexist)
        .modules(&["init_fails"])
        .claim(Framework, "insmod gets whatever error init returns")
        .until_fact(EEXIST_OF_INIT_BECOMES.turn(), "but not EEXIST, which means loaded: it becomes EBUSY"),
];

fn notifiers_hear_of_each_state(guest: &mut Guest) -> Check {
    guest.load("watcher")?.succeeds()?;
    guest.load("hello")?.succeeds()?;
    guest.unload("hello")?.succeeds()?;
    guest.logged_in_order(&[
        "watcher: watcher is live",
        "watcher: hello is coming",
        "hello: init",
        "watcher: hello is live",
        "hello: exit",
        "watcher: hello is going",
    ])
}

fn notifiers_hear_of_a_failed_init(guest: &mut Guest) -> Check {
    guest.load("watcher")?.succeeds()?;
    guest.load_with("init_fails", "result=-19")?.fails_with(Errno::ENODEV)?;
    guest.logged_in_order(&["watcher: init_fails is coming", "watcher: init_fails is going"])?;
    guest.not_logged("watcher: init_fails is live")
}

fn notifiers_hear_of_bad_parameters(guest: &mut Guest) -> Check {
    guest.load("watcher")?.succeeds()?;
    guest.load_with("params", "i=abc")?.fails_with(Errno::EINVAL)?;
    guest.logged_in_order(&["watcher: params is coming", "invalid for parameter `i'", "watcher: params is going"])?;
    guest.not_logged("params: init")
}

fn notifiers_hear_nothing_of_missing_symbols(guest: &mut Guest) -> Check {
    guest.load("watcher")?.succeeds()?;
    guest.load("missing_symbol")?.fails_with(Errno::ENOENT)?;
    guest.not_logged("watcher: missing_symbol")
}

fn notifier_can_forbid(guest: &mut Guest) -> Check {
    guest.load_with("watcher", "veto=hello")?.succeeds()?;
    guest.load("hello")?.fails_with(Errno::EACCES)?;
    guest.not_logged("hello: init")?;
    guest.is_absent("hello")
}

fn sysfs_shows_the_state(guest: &mut Guest) -> Check {
    let load = guest.load_until_coming("slow_exporter", "hold_init=1 hold_exit=1")?;
    guest.refcount_is("slow_exporter", 1)?;
    guest.let_go("slow_exporter", "hold_init")?;
    guest.finish(load)?.succeeds()?;
    guest.file_is("/sys/module/slow_exporter/initstate", "live")?;
    guest.refcount_is("slow_exporter", 0)?;
    let unload = guest.unload_until_going("slow_exporter")?;
    guest.refcount_is("slow_exporter", -1)?;
    guest.let_go("slow_exporter", "hold_exit")?;
    guest.finish(unload)?.succeeds()
}

fn init_sections_are_freed(guest: &mut Guest) -> Check {
    guest.load("hello")?.succeeds()?;
    guest.file_is("/sys/module/hello/initsize", "0")
}

fn init_returning_eexist(guest: &mut Guest) -> Check {
    let params = format!("result=-{}", libc::EEXIST);
    guest.load_with("init_fails", &params)?.returns(EEXIST_OF_INIT_BECOMES.on(guest.version()))?;
    guest.is_absent("init_fails")
}
