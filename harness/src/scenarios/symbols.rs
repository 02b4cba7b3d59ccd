//! Symbols between modules: who may use what, and when it is there.

use modfile::edit;

use crate::{
    behaviour::INHERITED_TAINT,
    check::Check,
    errno::Errno,
    guest::{Guest, same},
    scenario,
    scenario::{Commit, Literature::Framework, Scenario},
};

pub(super) const ALL: &[Scenario] = &[
    scenario!(weak_reference_may_stay_open)
        .modules(&["weak_need"])
        .claim(Framework, "every undefined symbol of a module must be resolved, unless it is weak"),
    scenario!(dependency_must_be_loaded)
        .modules(&["exporter", "uses_plain"])
        .claim(Framework, "insmod does not load what a module needs; the load fails"),
    scenario!(gpl_symbol_is_hidden_from_others)
        .modules(&["exporter", "uses_gpl"])
        .claim(Framework, "EXPORT_SYMBOL_GPL: a module under another licence does not find the symbol"),
    scenario!(plain_symbol_is_for_all)
        .modules(&["exporter", "uses_plain"])
        .claim(Framework, "EXPORT_SYMBOL: a module under any licence may use the symbol"),
    scenario!(users_of_proprietary_modules_inherit_the_taint)
        .modules(&["exporter", "uses_plain"])
        .claim(Framework, "only a module's own licence counts")
        .until(
            "5.9",
            Commit("262e6ae7081d", "modules: inherit TAINT_PROPRIETARY_MODULE"),
            "it counts as proprietary when it uses a symbol of a proprietary module",
        ),
    scenario!(namespace_must_be_imported)
        .modules(&["exporter", "uses_ns"])
        .claim(Framework, "an exported symbol is there for every module")
        .until(
            "5.4",
            Commit("8651ec01daed", "module: add support for symbol namespaces."),
            "one in a namespace only for modules that import the namespace",
        ),
    scenario!(second_exporter_is_enoexec)
        .modules(&["exporter"])
        .claim(Framework, "two modules that export the same symbol exclude each other"),
    scenario!(loader_waits_for_the_owners_init)
        .modules(&["slow_exporter", "uses_slow"])
        .claim(Framework, "the loader waits for the init of the module whose symbols it needs, up to 30 s"),
    scenario!(failed_owner_leaves_the_symbol_unknown)
        .modules(&["slow_exporter", "uses_slow"])
        .claim(Framework, "a module whose init fails takes its symbols away from those who wait for them"),
    scenario!(leaving_owner_gives_no_symbol)
        .modules(&["slow_exporter", "uses_slow"])
        .claim(Framework, "symbols of a module that is going cannot be used"),
];

fn weak_reference_may_stay_open(guest: &mut Guest) -> Check {
    guest.load("weak_need")?.succeeds()?;
    guest.logged("weak_need: init, not found")
}

fn dependency_must_be_loaded(guest: &mut Guest) -> Check {
    guest.load("uses_plain")?.fails_with(Errno::ENOENT)?;
    guest.logged("uses_plain: Unknown symbol exporter_plain (err -2)")?;
    guest.load("exporter")?.succeeds()?;
    guest.load("uses_plain")?.succeeds()?;
    guest.holders_are("exporter", &["uses_plain"])?;
    guest.unload("uses_plain")?.succeeds()?;
    guest.refcount_is("exporter", 0)
}

/// A copy of a module under a licence that is not GPL compatible; modpost would not build one.
fn proprietary(guest: &mut Guest, name: &str) -> Check<String> {
    guest.edited(name, |bytes| edit::replace_in_modinfo(bytes, "license", "GPL", "Own"))
}

/// The kernel does not say that the licence is the reason.
fn gpl_symbol_is_hidden_from_others(guest: &mut Guest) -> Check {
    guest.load("exporter")?.succeeds()?;
    let file = proprietary(guest, "uses_gpl")?;
    guest.load_file(&file, "", 0)?.fails_with(Errno::ENOENT)?;
    guest.logged("uses_gpl: module license 'Own' taints kernel.")?;
    guest.logged("uses_gpl: Unknown symbol exporter_gpl (err -2)")?;
    guest.load("uses_gpl")?.succeeds()?;
    guest.run("insmod", &["--explain", &file])?.exits_with(1)
}

fn plain_symbol_is_for_all(guest: &mut Guest) -> Check {
    guest.load("exporter")?.succeeds()?;
    let file = proprietary(guest, "uses_plain")?;
    guest.load_file(&file, "", 0)?.succeeds()?;
    guest.module_taint_is("uses_plain", "POE")?;
    same("taint", &guest.taint()?, "POE")
}

fn users_of_proprietary_modules_inherit_the_taint(guest: &mut Guest) -> Check {
    let file = proprietary(guest, "exporter")?;
    guest.load_file(&file, "", 0)?.succeeds()?;
    guest.load("uses_plain")?.succeeds()?;
    guest.logged(INHERITED_TAINT.on(guest.version()))?;
    guest.module_taint_is("uses_plain", "POE")
}

fn namespace_must_be_imported(guest: &mut Guest) -> Check {
    guest.load("exporter")?.succeeds()?;
    let file = guest.edited("uses_ns", |bytes| edit::hide_modinfo(bytes, "import_ns"))?;
    guest.load_file(&file, "", 0)?.fails_with(Errno::EINVAL)?;
    guest.logged("uses_ns: module uses symbol (exporter_ns) from namespace MODRIG, but does not import it.")?;
    guest.logged("uses_ns: Unknown symbol exporter_ns (err -22)")?;
    guest.load("uses_ns")?.succeeds()
}

fn second_exporter_is_enoexec(guest: &mut Guest) -> Check {
    guest.load("exporter")?.succeeds()?;
    let file = guest.edited("exporter", |bytes| edit::rename(bytes, "exporter", "exporteq"))?;
    guest.load_file(&file, "", 0)?.fails_with(Errno::ENOEXEC)?;
    guest.logged("exporteq: exports duplicate symbol exporter_")?;
    guest.logged("(owned by exporter)")?;
    guest.is_absent("exporteq")
}

fn loader_waits_for_the_owners_init(guest: &mut Guest) -> Check {
    let owner = guest.load_until_coming("slow_exporter", "hold_init=1")?;
    let user = guest.start_load("uses_slow", "")?;
    guest.waits_in_its_call(&user)?;
    guest.let_go("slow_exporter", "hold_init")?;
    guest.finish(user)?.succeeds()?;
    guest.logged_in_order(&["slow_exporter: init", "uses_slow: init"])?;
    guest.finish(owner)?.succeeds()
}

fn failed_owner_leaves_the_symbol_unknown(guest: &mut Guest) -> Check {
    let owner = guest.load_until_coming("slow_exporter", "hold_init=1 result=-19")?;
    let user = guest.start_load("uses_slow", "")?;
    guest.waits_in_its_call(&user)?;
    guest.let_go("slow_exporter", "hold_init")?;
    guest.finish(user)?.fails_with(Errno::ENOENT)?;
    guest.logged("uses_slow: Unknown symbol slow_exporter_value (err -2)")?;
    guest.finish(owner)?.fails_with(Errno::ENODEV)
}

fn leaving_owner_gives_no_symbol(guest: &mut Guest) -> Check {
    guest.load_with("slow_exporter", "hold_exit=1")?.succeeds()?;
    let unload = guest.unload_until_going("slow_exporter")?;
    guest.load("uses_slow")?.fails_with(Errno::ENOENT)?;
    guest.let_go("slow_exporter", "hold_exit")?;
    guest.finish(unload)?.succeeds()
}
