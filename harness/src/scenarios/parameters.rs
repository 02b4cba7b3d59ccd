//! Parameters in detail: how they are written, what each type takes, and their files in sysfs.

use crate::{
    check::Check,
    errno::Errno,
    guest::Guest,
    scenario,
    scenario::{
        Code, Commit,
        Literature::{Framework, Kernel},
        Scenario,
    },
};

pub(super) const ALL: &[Scenario] = &[
    scenario!(last_value_wins)
        .modules(&["params"])
        .claim(Framework, "a parameter given twice has its last value; blanks around it do not matter"),
    scenario!(truth_has_many_words)
        .modules(&["params"])
        .claim(Framework, "a bool takes y, Y, n, N, 0 and 1, or just its name")
        .until("4.6", Commit("a81a5a17d44b", "lib: add \"on\"/\"off\" support to kstrtobool"), "on and off, too"),
    scenario!(empty_values_are_einval)
        .modules(&["params"])
        .claim(Framework, "a parameter that is no bool needs a value"),
    scenario!(arrays_have_bounds)
        .modules(&["params"])
        .claim(Framework, "an array takes as many values as it has places, none of them empty"),
    scenario!(strings_have_bounds)
        .modules(&["params"])
        .claim(Framework, "a string parameter is as long as its buffer, a pointer's text at most 1024 bytes"),
    scenario!(dashes_are_underscores)
        .modules(&["params"])
        .claim(Framework, "in a parameter's name a dash is an underscore"),
    scenario!(two_dashes_end_the_parameters)
        .modules(&["params"])
        .claim(Kernel, "what follows `--` is not the module's"),
    scenario!(reserved_names_are_silent)
        .modules(&["params"])
        .claim(Kernel, "every module takes async_probe and dyndbg"),
    scenario!(bad_value_after_an_unknown_name_still_fails)
        .modules(&["params"])
        .claim(Framework, "an unknown parameter ends the parsing")
        .until("3.11", Code("kernel/module.c of 3.11, unknown_module_param_cb()"), "the rest is parsed and checked"),
    scenario!(sysfs_takes_what_the_loader_takes)
        .modules(&["params"])
        .claim(Framework, "a parameter's file in sysfs reads and sets it, with the same checks"),
    scenario!(permissions_decide_on_the_file)
        .modules(&["params"])
        .claim(Framework, "the third argument of module_param is the mode of its file; 0 means none"),
    scenario!(open_parameter_file_does_not_hold_the_module)
        .modules(&["params"])
        .claim(Kernel, "an open file of a parameter does not hold its module: it can be unloaded"),
];

/// The parameter's file shows this value.
fn shows(guest: &mut Guest, name: &str, value: &str) -> Check {
    guest.file_is(&format!("/sys/module/params/parameters/{name}"), value)
}

/// Loads with parameters, looks at one of them, and unloads.
fn gives(guest: &mut Guest, params: &str, name: &str, value: &str) -> Check {
    guest.load_with("params", params)?.succeeds()?;
    shows(guest, name, value)?;
    guest.unload("params")?.succeeds()
}

fn last_value_wins(guest: &mut Guest) -> Check {
    gives(guest, "i=1 i=2", "i", "2")?;
    gives(guest, "  i=0x10   ", "i", "16")?;
    gives(guest, "i=010", "i", "8")
}

fn truth_has_many_words(guest: &mut Guest) -> Check {
    for word in ["b", "b=y", "b=Y", "b=1", "b=on", "b=yes"] {
        gives(guest, word, "b", "Y")?;
    }
    for word in ["b=n", "b=0", "b=off"] {
        gives(guest, word, "b", "N")?;
    }
    guest.load_with("params", "b=2")?.fails_with(Errno::EINVAL)
}

fn empty_values_are_einval(guest: &mut Guest) -> Check {
    for params in ["i", "i=", "s", "arr", "arr=", "u=-1"] {
        guest.load_with("params", params)?.fails_with(Errno::EINVAL)?;
    }
    gives(guest, "s=", "s", "")
}

fn arrays_have_bounds(guest: &mut Guest) -> Check {
    gives(guest, "arr=1,2,3,4", "arr", "1,2,3,4")?;
    for params in ["arr=1,,2", "arr=1,2,3,4,5", "arr=1,x"] {
        guest.load_with("params", params)?.fails_with(Errno::EINVAL)?;
    }
    guest.logged("arr: can only take 4 arguments")
}

fn strings_have_bounds(guest: &mut Guest) -> Check {
    gives(guest, "str=1234567", "str", "1234567")?;
    guest.load_with("params", "str=12345678")?.fails_with(Errno::ENOSPC)?;
    gives(guest, &format!("s={}", "x".repeat(1020)), "s", &"x".repeat(1020))?;
    guest.load_with("params", &format!("s={}", "x".repeat(1030)))?.fails_with(Errno::ENOSPC)?;
    guest.logged("s: string parameter too long")
}

fn dashes_are_underscores(guest: &mut Guest) -> Check {
    guest.load_with("params", "read-only=1 i=4")?.succeeds()?;
    guest.logged("params: unknown parameter 'read-only' ignored")?;
    guest.unload("params")?.succeeds()?;
    gives(guest, "under-score=5", "under_score", "5")
}

fn two_dashes_end_the_parameters(guest: &mut Guest) -> Check {
    gives(guest, "i=1 -- i=3", "i", "1")?;
    guest.logged("params: parameters 'i=3' after `--' ignored")
}

fn reserved_names_are_silent(guest: &mut Guest) -> Check {
    gives(guest, "async_probe dyndbg i=2", "i", "2")?;
    guest.not_logged("unknown parameter")
}

fn bad_value_after_an_unknown_name_still_fails(guest: &mut Guest) -> Check {
    guest.load_with("params", "nosuch other.name=1 i=abc")?.fails_with(Errno::EINVAL)?;
    guest.logged("params: unknown parameter 'nosuch' ignored")?;
    guest.logged("params: unknown parameter 'other' ignored")?;
    guest.logged("params: `abc' invalid for parameter `i'")
}

fn sysfs_takes_what_the_loader_takes(guest: &mut Guest) -> Check {
    guest.load("params")?.succeeds()?;
    let file = |name: &str| format!("/sys/module/params/parameters/{name}");
    guest.write(&file("i"), "-3\n")?;
    shows(guest, "i", "-3")?;
    for (name, value, errno) in
        [("i", "abc", Errno::EINVAL), ("by", "256", Errno::ERANGE), ("str", "12345678", Errno::ENOSPC)]
    {
        guest.write_fails_with(&file(name), value, errno)?;
    }
    shows(guest, "i", "-3")
}

fn permissions_decide_on_the_file(guest: &mut Guest) -> Check {
    guest.load_with("params", "readonly=2 hidden=3")?.succeeds()?;
    shows(guest, "readonly", "2")?;
    guest.write_fails_with("/sys/module/params/parameters/readonly", "4", Errno::EACCES)?;
    match guest.exists("/sys/module/params/parameters/hidden")? {
        false => Ok(()),
        true => Err(crate::check::Stop::failed("the parameter `hidden` has a file, which it should not")),
    }
}

fn open_parameter_file_does_not_hold_the_module(guest: &mut Guest) -> Check {
    guest.load("params")?.succeeds()?;
    let file = guest.open("/sys/module/params/parameters/i")?;
    guest.refcount_is("params", 0)?;
    guest.unload("params")?.succeeds()?;
    guest.is_absent("params")?;
    guest.close(file)
}
