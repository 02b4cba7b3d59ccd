//! The strict checker, on modules that kernels load: those that the harness keeps, and any tree of modules.
//!
//! `MODRIG_MODULES=DIR cargo test -p modutils --test check -- --nocapture` checks all modules below a folder, such as
//! `/lib/modules`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use modfile::{
    check::{Series, Verdict, check},
    elf::Elf,
    modinfo::Modinfo,
};
use modutils::compress;

/// Folders of the harness's cache that hold modules: a kernel's own, whole trees, and what was built for guests.
const KEPT: [&str; 4] = ["kernel", "peer", "plain", "module"];

fn folders() -> Vec<PathBuf> {
    if let Some(folder) = env::var_os("MODRIG_MODULES") {
        return vec![folder.into()];
    }
    let home = env::var_os("HOME").map(|home| Path::new(&home).join(".cache/modrig"));
    let cache = env::var_os("MODRIG_CACHE").map(PathBuf::from).or(home);
    cache.into_iter().flat_map(|cache| KEPT.map(|name| cache.join(name))).collect()
}

/// All modules below a folder.
fn modules(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        let path = entry.path();
        if kind.is_dir() {
            modules(&path, found);
        } else if kind.is_file() && [".ko", ".ko.xz", ".ko.zst", ".ko.gz"].iter().any(|end| ends(&path, end)) {
            found.push(path);
        }
    }
}

fn ends(path: &Path, end: &str) -> bool {
    path.to_string_lossy().ends_with(end)
}

/// The series that a module was built for, as its version magic begins with the release.
fn series(module: &[u8]) -> Option<Series> {
    let elf = Elf::parse(module).ok()?;
    let modinfo = Modinfo::of(&elf).ok()?;
    Series::of_release(std::str::from_utf8(modinfo.get("vermagic")?).ok()?)
}

#[test]
fn modules_that_kernels_load_are_accepted() {
    let mut paths = Vec::new();
    folders().iter().for_each(|folder| modules(folder, &mut paths));
    if paths.is_empty() {
        eprintln!("skipped: no modules in the cache; MODRIG_MODULES=DIR names a folder that has some");
        return;
    }
    let (mut checked, mut bytes, mut time, mut wrong) = (0, 0, Duration::ZERO, Vec::new());
    for path in paths {
        let module = fs::read(&path).and_then(compress::unpack).unwrap();
        let Some(series) = series(&module) else { continue };
        let start = Instant::now();
        let verdict = check(&module, series);
        time += start.elapsed();
        if let Verdict::Reject(first) | Verdict::Danger(first) = verdict {
            wrong.push(format!("{} for {series}: {} {}", path.display(), first.place, first.rule.what));
        }
        (checked, bytes) = (checked + 1, bytes + module.len());
    }
    assert!(wrong.is_empty(), "{} of {checked} modules are not accepted:\n{}", wrong.len(), wrong.join("\n"));
    println!("{checked} modules, {bytes} bytes: accepted in {:.3} s", time.as_secs_f64());
    assert!(checked > 0, "no module says for which kernel it was built");
}
