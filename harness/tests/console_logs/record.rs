//! Records what real kernels say: `tests/console/splats.c` goes wrong on each of them, once in every way.

use std::{fs, thread, time::Duration};

use modrig::{
    check::Check,
    guest::Guest,
    machine::Machine,
    run::{Contents, Prepared, Rig},
};

/// Every kernel of the matrix.
const ALL: &[&str] = &["5.10", "6.1", "6.12", "7.2", "7.3"];
/// Those whose words differ most.
const SOME: &[&str] = &["5.10", "6.12", "7.3"];
/// Those with UBSAN.
const UBSAN: &[&str] = &["7.2", "7.3"];
/// Those that check more of memory.
const STRICT: &[&str] = &["6.12", "7.3"];

/// What the module is asked for; on which kernels; what is set before, below /proc/sys.
type Splat = (&'static str, &'static [&'static str], &'static [(&'static str, &'static str)]);

const SPLATS: &[Splat] = &[
    ("bug", ALL, &[]),
    ("warn_plain", ALL, &[]),
    ("gpf", ALL, &[]),
    ("page_fault", ALL, &[]),
    ("null_call", ALL, &[]),
    ("gpf_strlen", SOME, &[]),
    ("read_only", SOME, &[]),
    ("user_access", SOME, &[]),
    ("no_execute", SOME, &[]),
    ("divide", SOME, &[]),
    ("invalid_opcode", SOME, &[]),
    ("stack_overflow", SOME, &[]),
    ("warn_work", SOME, &[]),
    ("oops_in_irq", SOME, &[]),
    ("atomic_sleep", SOME, &[]),
    ("list_twice", SOME, &[]),
    ("list_gone", SOME, &[]),
    ("list_stray", SOME, &[]),
    ("ref_underflow", SOME, &[]),
    ("ref_from_zero", SOME, &[]),
    ("ref_saturated", SOME, &[]),
    ("double_free", &["5.10", "6.12"], &[]),
    ("stray_free", SOME, &[]),
    ("soft_lockup", ALL, &[("kernel/watchdog_thresh", "1")]),
    ("hung_task", ALL, &[("kernel/hung_task_timeout_secs", "2")]),
    ("rcu_stall", SOME, &[]),
    ("fortify_copy", STRICT, &[]),
    ("fortify_field", STRICT, &[]),
    ("fortify_strlen", SOME, &[]),
    ("usercopy", SOME, &[]),
    ("smash", SOME, &[]),
    ("out_of_bounds", UBSAN, &[]),
    ("shift", UBSAN, &[]),
    ("kfence", STRICT, &[]),
    ("oom", SOME, &[]),
    ("bad_page", STRICT, &[]),
    ("net_device", SOME, &[]),
];

/// Makes all logs anew whose name has this part.
pub(super) fn all(part: &str) {
    let rig = Rig::open().unwrap();
    let source = fs::read_to_string(super::directory().join("splats.c")).unwrap();
    for kernel in ALL {
        for (what, kernels, settings) in SPLATS {
            let name = format!("{what}_{}.log", kernel.replace('.', "_"));
            if kernels.contains(kernel) && name.contains(part) {
                let machine = if *what == "rcu_stall" { Machine::SMP } else { Machine::DEFAULT };
                let sources = [("splats".to_owned(), source.clone())];
                let contents = Contents { modules: &["splats"], sources: &sources, stock: &[] };
                let prepared = rig.prepare_with(kernel, machine, &contents).unwrap();
                assert!(prepared.missing.is_empty(), "{:?}", prepared.missing);
                let log = record(&rig, &prepared, what, settings);
                let source = format!("SOURCE: {}, splats.c, {what}", prepared.kernel.release);
                fs::write(super::directory().join(name), format!("{source}\n\n{log}")).unwrap();
            }
        }
    }
}

fn record(rig: &Rig, prepared: &Prepared, what: &str, settings: &[(&str, &str)]) -> String {
    let Ok(vm) = prepared.guest.restore(&rig.host) else { panic!("{} cannot be restored", prepared.kernel.name) };
    let mut guest = Guest::new(vm);
    // It goes wrong, so that nothing can be expected of the calls.
    let _ = provoke(&mut guest, what, settings);
    let _ = guest.settle();
    guest.console_text()
}

fn provoke(guest: &mut Guest, what: &str, settings: &[(&str, &str)]) -> Check {
    for (name, value) in settings {
        guest.write(&format!("/proc/sys/{name}"), value)?;
    }
    match what {
        "rcu_stall" => guest.write("/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout", "3")?,
        "kfence" => guest.write("/sys/module/kfence/parameters/sample_interval", "100")?,
        _ => {}
    }
    let params = format!("what={what}");
    if what == "net_device" {
        guest.start_load("splats", &params)?;
        thread::sleep(Duration::from_secs(14));
        return guest.read("/proc/uptime").map(drop);
    }
    guest.load_with("splats", &params)?;
    // What is found by a periodic check comes a little later.
    thread::sleep(Duration::from_millis(300));
    guest.read("/proc/uptime").map(drop)
}
