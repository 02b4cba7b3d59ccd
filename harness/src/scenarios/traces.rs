//! Where else the kernel shows what happens to modules: uevents, tracepoints, kallsyms.

use crate::{
    check::{Check, Stop},
    errno::Errno,
    guest::{Guest, same},
    scenario,
    scenario::{Commit, Literature::Framework, Scenario},
};

pub(super) const ALL: &[Scenario] = &[
    scenario!(loading_and_unloading_are_uevents)
        .modules(&["hello"])
        .claim(Framework, "user space hears of a module by a uevent, when it is live and when it is gone"),
    scenario!(failed_loads_are_silent)
        .modules(&["init_fails"])
        .claim(Framework, "a module's uevent is sent before its init runs, so also when that fails")
        .until(
            "5.11",
            Commit("38dc717e9715", "module: delay kobject uevent until after module init call"),
            "it is sent after init; of a load that fails there is none",
        )
        .backported(5, 10),
    scenario!(uevents_can_be_asked_for)
        .modules(&["hello"])
        .claim(Framework, "writing `add` to a module's uevent file repeats its event"),
    scenario!(tracepoints_follow_a_module)
        .modules(&["hello"])
        .claim(Framework, "module_load, module_put and module_free trace the life of a module"),
    scenario!(tracepoints_count_references)
        .modules(&["chardev"])
        .claim(Framework, "each try_module_get and module_put is a tracepoint with the caller and the count"),
    scenario!(requests_are_traced)
        .modules(&["requester"])
        .claim(Framework, "each request_module is a tracepoint with the name and the caller"),
    scenario!(symbols_are_in_kallsyms)
        .modules(&["exporter"])
        .claim(Framework, "a loaded module's symbols are in /proc/kallsyms, and those of its init only while it runs"),
    scenario!(tracepoints_show_a_failed_init)
        .modules(&["init_fails"])
        .claim(Framework, "a module whose init fails is traced like one that is loaded and unloaded"),
];

fn loading_and_unloading_are_uevents(guest: &mut Guest) -> Check {
    guest.load("hello")?.succeeds()?;
    event_is(guest, "add@/module/hello", "ACTION=add DEVPATH=/module/hello SUBSYSTEM=module")?;
    guest.unload("hello")?.succeeds()?;
    event_is(guest, "remove@/module/hello", "ACTION=remove DEVPATH=/module/hello SUBSYSTEM=module")
}

/// A uevent with this heading has come, with these words.
fn event_is(guest: &mut Guest, heading: &str, words: &str) -> Check {
    let events = guest.uevents()?;
    let found = events.iter().find(|event| event.split(' ').next() == Some(heading)).cloned();
    match found {
        Some(event) if event.contains(words) => Ok(()),
        Some(event) => Err(Stop::failed(format!("the uevent {heading} should have `{words}`; it is: {event}"))),
        None => Err(Stop::failed(format!("there should be a uevent {heading}; there are: {}", events.join(" | ")))),
    }
}

fn failed_loads_are_silent(guest: &mut Guest) -> Check {
    guest.load_with("init_fails", "result=-19")?.fails_with(Errno::ENODEV)?;
    let events = guest.uevents()?.iter().filter(|event| event.contains("/module/init_fails")).count();
    same("number of uevents", &events.to_string(), "0")
}

fn uevents_can_be_asked_for(guest: &mut Guest) -> Check {
    guest.load("hello")?.succeeds()?;
    guest.write("/sys/module/hello/uevent", "add")?;
    let events: Vec<String> =
        guest.uevents()?.iter().filter(|event| event.contains("/module/hello")).cloned().collect();
    same("number of uevents", &events.len().to_string(), "2")?;
    match events[1].contains("SYNTH_UUID=0") {
        true => Ok(()),
        false => Err(Stop::failed(format!("the second uevent should have SYNTH_UUID=0; it is: {}", events[1]))),
    }
}

const TRACING: &str = "/sys/kernel/tracing";

/// Switches the module tracepoints on.
fn trace(guest: &mut Guest) -> Check {
    guest.write(&format!("{TRACING}/events/module/enable"), "1")
}

/// The trace has these texts, in this order.
fn traced(guest: &mut Guest, texts: &[&str]) -> Check {
    let trace = guest.read(&format!("{TRACING}/trace"))?;
    let mut lines = trace.lines().filter(|line| !line.starts_with('#'));
    match texts.iter().find(|text| !lines.any(|line| line.contains(**text))) {
        None => Ok(()),
        Some(text) => Err(Stop::failed(format!("the trace should have `{text}` in its place; it is:\n{trace}"))),
    }
}

fn tracepoints_follow_a_module(guest: &mut Guest) -> Check {
    trace(guest)?;
    guest.load("hello")?.succeeds()?;
    guest.unload("hello")?.succeeds()?;
    traced(
        guest,
        &["module_load: hello OE", "module_put: hello call_site=do_init_module refcnt=1", "module_free: hello"],
    )
}

/// A tracepoint's count is one more than sysfs shows.
fn tracepoints_count_references(guest: &mut Guest) -> Check {
    guest.load("chardev")?.succeeds()?;
    trace(guest)?;
    let file = guest.open("/dev/chardev")?;
    guest.close(file)?;
    let put = format!("module_put: chardev call_site={} refcnt=1", caller_of_put(guest, "__fput")?);
    traced(guest, &["module_get: chardev call_site=misc_open refcnt=2", &put])
}

/// Whom the trace names as the caller of module_put. Where a sanitizer makes the function long, gcc splits it, and the
/// half that traces is called by the other.
fn caller_of_put(guest: &mut Guest, caller: &'static str) -> Check<&'static str> {
    let halves = guest.lines_with("/proc/kallsyms", " module_put.part.")?;
    Ok(if halves.is_empty() { caller } else { "module_put" })
}

fn requests_are_traced(guest: &mut Guest) -> Check {
    guest.load("requester")?.succeeds()?;
    guest.set_helper("exit-0")?;
    trace(guest)?;
    guest.write("/dev/requester", "request some-name")?;
    traced(guest, &["module_request: some-name wait=1 call_site="])
}

fn symbols_are_in_kallsyms(guest: &mut Guest) -> Check {
    guest.load("exporter")?.succeeds()?;
    let lines = guest.lines_with("/proc/kallsyms", "[exporter]")?;
    for name in ["exporter_plain", "exporter_gpl", "__this_module"] {
        if !lines.iter().any(|line| line.split_ascii_whitespace().nth(2) == Some(name)) {
            return Err(Stop::failed(format!("/proc/kallsyms should have {name}; it has: {}", lines.join(" | "))));
        }
    }
    let of_init = lines.iter().filter(|line| line.contains("exporter_init")).count();
    same("number of symbols of init", &of_init.to_string(), "0")?;
    guest.unload("exporter")?.succeeds()?;
    same("symbols left", &guest.lines_with("/proc/kallsyms", "[exporter]")?.join(" | "), "")
}

fn tracepoints_show_a_failed_init(guest: &mut Guest) -> Check {
    trace(guest)?;
    guest.load_with("init_fails", "result=-19")?.fails_with(Errno::ENODEV)?;
    traced(guest, &["module_load: init_fails OE", "module_put: init_fails call_site=", "module_free: init_fails"])
}
