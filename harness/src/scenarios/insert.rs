//! Loading: parameters, versions, symbols, dependencies, and what an init may return.

use crate::{
    behaviour::SUSPICIOUS_RETURN,
    check::Check,
    errno::Errno,
    guest::Guest,
    scenario,
    scenario::{
        Code,
        Literature::{Busybox, Framework, Kernel, StubModule},
        Scenario,
    },
};

pub(super) const ALL: &[Scenario] = &[
    scenario!(loads_and_unloads)
        .modules(&["hello"])
        .claim(Framework, "a loaded module is live with refcount 0; unloading runs its exit and leaves nothing"),
    scenario!(tools_reach_the_system_calls)
        .modules(&["hello"])
        .claim(Busybox, "insmod, lsmod and rmmod come down to init_module, /proc/modules and delete_module"),
    scenario!(numbers_are_parameters)
        .modules(&["params"])
        .claim(Framework, "module_param takes numbers and truth values from the command line and shows them in sysfs"),
    scenario!(arrays_and_strings_are_parameters)
        .modules(&["params"])
        .claim(Framework, "an array takes comma-separated values, a string is copied, a pointer refers to it"),
    scenario!(value_out_of_range_is_erange)
        .modules(&["params"])
        .claim(Framework, "a number that does not fit its type makes the load fail"),
    scenario!(bad_value_is_einval)
        .modules(&["params"])
        .claim(Framework, "a value of the wrong kind makes the load fail before init runs"),
    scenario!(unknown_parameter_is_ignored)
        .modules(&["params"])
        .claim(Framework, "an unknown parameter makes the load fail")
        .until("3.11", Code("kernel/module.c of 3.11, unknown_module_param_cb()"), "it is logged and ignored"),
    scenario!(missing_symbol_is_enoent)
        .modules(&["missing_symbol"])
        .claim(Framework, "a module that needs a symbol nobody exports is refused"),
    scenario!(modprobe_loads_dependencies_first)
        .modules(&["dep_base", "dep_mid", "dep_top"])
        .claim(Busybox, "modprobe reads modules.dep and loads what a module needs before it"),
    scenario!(init_returning_enodev)
        .modules(&["init_fails"])
        .claim(Framework, "an init that returns an error number takes the module away with that error"),
    scenario!(init_returning_minus_one)
        .modules(&["init_fails"])
        .claim(StubModule, "returning -1 from init is enough to leave no module behind; insmod reports EPERM"),
    scenario!(init_returning_one)
        .modules(&["init_fails"])
        .claim(Framework, "a positive return of init is reported as suspicious and the module stays"),
    scenario!(errors_of_init_are_passed_on)
        .modules(&["init_fails"])
        .claim(Framework, "whatever error number init returns, insmod gets it, and the module is gone"),
    scenario!(numbers_without_a_name_are_passed_on)
        .modules(&["init_fails"])
        .claim(Kernel, "init may return any negative number, also one that is the kernel's own")
        .note("insmod says `Unknown error 512`"),
    scenario!(numbers_beyond_the_errors_are_passed_on)
        .modules(&["init_fails"])
        .claim(Kernel, "an init that returns less than -4095 fails, too, but the C library takes that for success")
        .note("our insmod looks at the raw value"),
    scenario!(modules_own_softdeps_come_first)
        .modules(&["described", "target"])
        .claim(Framework, "MODULE_SOFTDEP names what modprobe is to load before a module, if it is there"),
];

fn loads_and_unloads(guest: &mut Guest) -> Check {
    guest.load("hello")?.succeeds()?;
    guest.is_live("hello")?;
    guest.logged("hello: init")?;
    guest.refcount_is("hello", 0)?;
    guest.file_is("/sys/module/hello/initstate", "live")?;
    guest.unload("hello")?.succeeds()?;
    guest.logged("hello: exit")?;
    guest.is_absent("hello")
}

fn tools_reach_the_system_calls(guest: &mut Guest) -> Check {
    let file = guest.path_of("hello");
    guest.run("insmod", &[&file])?.succeeds()?;
    guest.run("lsmod", &[])?.prints_line_of(&["hello", "0"])?;
    guest
        .run("insmod", &[&file])?
        .fails_saying(&format!("insmod: ERROR: could not insert module {file}: File exists"))?;
    guest.run("rmmod", &["hello"])?.succeeds()?;
    guest.run("rmmod", &["hello"])?.fails_saying("rmmod: ERROR: Module hello is not currently loaded")
}

fn numbers_are_parameters(guest: &mut Guest) -> Check {
    let values =
        [("i", "-7"), ("u", "42"), ("by", "255"), ("sh", "-32768"), ("ul", "4294967296"), ("b", "Y"), ("ib", "N")];
    guest.load_with("params", "i=-7 u=0x2a by=255 sh=-32768 ul=4294967296 b=on ib=0")?.succeeds()?;
    for (name, shown) in values {
        guest.file_is(&format!("/sys/module/params/parameters/{name}"), shown)?;
    }
    Ok(())
}

fn arrays_and_strings_are_parameters(guest: &mut Guest) -> Check {
    guest.load_with("params", r#"arr=1,2,3 str=1234567 s="a b""#)?.succeeds()?;
    for (name, shown) in [("arr", "1,2,3"), ("str", "1234567"), ("s", "a b")] {
        guest.file_is(&format!("/sys/module/params/parameters/{name}"), shown)?;
    }
    guest.unload("params")?.succeeds()?;
    guest.load_with("params", "arr=1,2,3,4,5")?.fails_with(Errno::EINVAL)?;
    guest.logged("arr: can only take 4 arguments")?;
    guest.load_with("params", "str=12345678")?.fails_with(Errno::ENOSPC)?;
    guest.logged("str: string doesn't fit in 7 chars.")
}

fn value_out_of_range_is_erange(guest: &mut Guest) -> Check {
    for (params, value, name) in
        [("i=2147483648", "2147483648", "i"), ("by=256", "256", "by"), ("sh=40000", "40000", "sh")]
    {
        guest.load_with("params", params)?.fails_with(Errno::ERANGE)?;
        guest.logged(&format!("params: `{value}' invalid for parameter `{name}'"))?;
    }
    guest.is_absent("params")
}

fn bad_value_is_einval(guest: &mut Guest) -> Check {
    for (params, value, name) in [("i=abc", "abc", "i"), ("b=maybe", "maybe", "b"), ("u=-1", "-1", "u")] {
        guest.load_with("params", params)?.fails_with(Errno::EINVAL)?;
        guest.logged(&format!("params: `{value}' invalid for parameter `{name}'"))?;
    }
    guest.not_logged("params: init")?;
    guest.is_absent("params")
}

fn unknown_parameter_is_ignored(guest: &mut Guest) -> Check {
    guest.load_with("params", "nosuch=1 i=3")?.succeeds()?;
    guest.logged("params: unknown parameter 'nosuch' ignored")?;
    guest.file_is("/sys/module/params/parameters/i", "3")
}

fn missing_symbol_is_enoent(guest: &mut Guest) -> Check {
    guest.load("missing_symbol")?.fails_with(Errno::ENOENT)?;
    guest.logged("missing_symbol: Unknown symbol ")?;
    guest.logged("(err -2)")?;
    guest.is_absent("missing_symbol")
}

/// kmod walks the dependencies once, the lowest first: dep_base is still used when its turn comes, and stays.
fn modprobe_loads_dependencies_first(guest: &mut Guest) -> Check {
    guest.load("dep_top")?.fails_with(Errno::ENOENT)?;
    guest.run("modprobe", &["dep_top"])?.succeeds()?;
    guest.logged_in_order(&["dep_base: init", "dep_mid: init", "dep_top: init"])?;
    guest.run("modprobe", &["-r", "dep_top"])?.succeeds()?;
    guest.logged_in_order(&["dep_top: exit", "dep_mid: exit"])?;
    guest.is_live("dep_base")?;
    guest.run("modprobe", &["-r", "dep_base"])?.succeeds()
}

fn init_returning_enodev(guest: &mut Guest) -> Check {
    guest.load_with("init_fails", "result=-19")?.fails_with(Errno::ENODEV)?;
    guest.is_absent("init_fails")?;
    let tool = guest.run("modprobe", &["init_fails", "result=-19"])?;
    tool.fails_saying("modprobe: ERROR: could not insert 'init_fails': No such device")
}

fn init_returning_minus_one(guest: &mut Guest) -> Check {
    guest.load_with("init_fails", "result=-1")?.fails_with(Errno::EPERM)?;
    guest.is_absent("init_fails")
}

fn init_returning_one(guest: &mut Guest) -> Check {
    guest.load_with("init_fails", "result=1")?.succeeds()?;
    guest.logged(SUSPICIOUS_RETURN.on(guest.version()))?;
    guest.is_live("init_fails")?;
    guest.unload("init_fails")?.succeeds()
}

/// Loads a module whose init returns this number, which makes the load return it, too.
fn init_returns(guest: &mut Guest, number: i64) -> Check {
    guest.load_with("init_fails", &format!("result={number}"))?.returns(number)?;
    guest.is_absent("init_fails")
}

fn errors_of_init_are_passed_on(guest: &mut Guest) -> Check {
    for errno in [libc::EPERM, libc::ENOENT, libc::ENOMEM, libc::EBUSY, libc::EINVAL, libc::ENOEXEC] {
        init_returns(guest, -i64::from(errno))?;
    }
    guest.not_logged("suspiciously")
}

/// ERESTARTSYS, EPROBE_DEFER and MAX_ERRNO among them.
fn numbers_without_a_name_are_passed_on(guest: &mut Guest) -> Check {
    for number in [-256, -512, -517, -4095] {
        init_returns(guest, number)?;
    }
    let file = guest.path_of("init_fails");
    guest
        .run("insmod", &[&file, "result=-512"])?
        .fails_saying(&format!("insmod: ERROR: could not insert module {file}: Unknown error 512"))
}

fn numbers_beyond_the_errors_are_passed_on(guest: &mut Guest) -> Check {
    for number in [-4096, -65280, i64::from(i32::MIN)] {
        init_returns(guest, number)?;
    }
    guest.run("insmod", &[&guest.path_of("init_fails"), "result=-4096"])?.exits_with(1)
}

fn modules_own_softdeps_come_first(guest: &mut Guest) -> Check {
    guest.run("modprobe", &["described"])?.succeeds()?;
    guest.logged_in_order(&["target: init", "described: init"])?;
    guest.holders_are("target", &[])
}
