//! `modrig doctor`: what this machine has, what it lacks, and how to mend that.

use std::{env, process::ExitCode};

use anstream::println;
use anstyle::{AnsiColor, Style};

use super::Global;
use crate::{
    cache::Cache,
    error::FULL,
    kernel::{
        buildroot::{self, Door},
        mirror,
    },
    vm::{Qemu, accel},
};

/// What the whole matrix needs in the cache, bytes: five kernels, their headers, three build roots, five guests.
const CACHE_BYTES: u64 = 4 << 30;

/// What one look found.
enum Finding {
    Good(String),
    /// Works, but worse than it could.
    Poor(String),
    /// Does not work: what, and what to do.
    Bad(String, String),
}

use Finding::{Bad, Good, Poor};

/// Looks at everything; exit code 3 when something that the matrix needs is missing.
pub(super) fn run(global: &Global) -> ExitCode {
    let findings = [
        ("QEMU", qemu()),
        ("acceleration", acceleration(global)),
        ("cache", cache(global)),
        ("built kernels", built(global)),
        ("archive", archive(global)),
        ("signatures", program("gpgv", "verifies the indexes that `modrig kernels update` reads", "gpgv")),
        ("build roots", program("mmdebstrap", "makes the roots that guest modules are built in", "mmdebstrap")),
        ("entering them", entering()),
    ];
    let mut whole = true;
    for (subject, finding) in findings {
        let (style, word, text, help) = match finding {
            Good(text) => (AnsiColor::Green.on_default(), "ok", text, None),
            Poor(text) => (AnsiColor::Yellow.on_default(), "so-so", text, None),
            Bad(text, help) => (AnsiColor::Red.on_default(), "no", text, Some(help)),
        };
        println!("{style}{word:6}{style:#} {Bold}{subject:14}{Bold:#} {text}", Bold = Style::new().bold());
        if let Some(help) = help {
            println!("{:21} mend: {help}", "");
            whole = false;
        }
    }
    ExitCode::from(if whole { 0 } else { 3 })
}

fn qemu() -> Finding {
    match Qemu::find() {
        Ok(qemu) => Good(format!("{} ({})", qemu.version, qemu.program.display())),
        Err(error) => Bad(error.chain(), error.advice().unwrap_or_default().to_owned()),
    }
}

fn acceleration(global: &Global) -> Finding {
    match accel::decide(global.accel) {
        Ok(decision) if decision.accel == accel::Accel::Kvm => Good(format!("kvm: {}", decision.reason)),
        Ok(decision) => Poor(format!("tcg, which needs 1 to 3 s for a boot: {}", decision.reason)),
        Err(error) => Bad(error.chain(), error.advice().unwrap_or_default().to_owned()),
    }
}

fn cache(global: &Global) -> Finding {
    let cache = match Cache::open(global.cache.as_deref()) {
        Ok(cache) => cache,
        Err(error) => return Bad(error.chain(), error.advice().unwrap_or_default().to_owned()),
    };
    let place = cache.root().display();
    match cache.free_bytes() {
        Some(free) if free < CACHE_BYTES => Bad(
            format!("{place} has {:.1} GB free; the matrix needs about {:.1}", gb(free), gb(CACHE_BYTES)),
            FULL.into(),
        ),
        Some(free) => Good(format!("{place}, {:.1} GB free", gb(free))),
        None => Poor(format!("{place}; how much is free there cannot be told")),
    }
}

/// Which of the kernels that are built here are built.
fn built(global: &Global) -> Finding {
    let found = global.catalog().and_then(|catalog| Ok((global.cache()?, catalog)));
    let (cache, catalog) = match found {
        Ok(found) => found,
        Err(error) => return Bad(error.chain(), error.advice().unwrap_or_default().to_owned()),
    };
    let rows: Vec<_> =
        catalog.rows(&cache).into_iter().filter(|row| catalog.built().any(|name| name == row.name)).collect();
    let states: Vec<String> = rows.iter().map(|row| format!("{} is {}", row.name, row.state)).collect();
    Good(match states.is_empty() {
        true => "the list has none".into(),
        false => format!("{} (`modrig kernels build NAME`, or its first use)", states.join(", ")),
    })
}

fn gb(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}

fn archive(global: &Global) -> Finding {
    match mirror::find(&global.fetch) {
        Ok(found) => Good(found.to_string()),
        Err(error) => Bad(error.chain(), error.advice().unwrap_or_default().to_owned()),
    }
}

fn program(name: &str, what_for: &str, package: &str) -> Finding {
    let found = env::split_paths(&env::var_os("PATH").unwrap_or_default())
        .map(|dir| dir.join(name))
        .find(|file| file.is_file());
    match found {
        Some(file) => Good(format!("{} ({what_for})", file.display())),
        None => Bad(format!("{name} is missing; it {what_for}"), format!("install {package}")),
    }
}

fn entering() -> Finding {
    match buildroot::entry() {
        Ok(Door::Bwrap) => Good("bwrap works".into()),
        Ok(Door::Chroot) => Poor("bwrap does not work here; being root, chroot does".into()),
        Err(error) => Bad(error.chain(), error.advice().unwrap_or_default().to_owned()),
    }
}
