//! Rules of docs/architecture.md that a program can check.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the harness lies in the workspace")
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[test]
fn packages_use_only_whom_they_may() {
    let allowed = BTreeMap::from([
        ("harness", vec!["debfile", "modfile", "modrig-agent", "modrig-fuzz", "modutils"]),
        ("harness/debfile", vec![]),
        ("initramfs/modfile", vec![]),
        ("initramfs/modutils", vec!["modfile"]),
        ("initramfs/agent", vec!["modutils"]),
        ("fuzz", vec!["debfile", "modfile", "modrig-agent", "modutils"]),
        ("fuzz/seeded", vec![]),
    ]);
    let ours = ["debfile", "modfile", "modutils", "modrig-agent", "modrig", "modrig-fuzz", "modrig-seeded"];
    for (folder, may) in allowed {
        let text = fs::read_to_string(workspace().join(folder).join("Cargo.toml")).unwrap();
        let manifest: toml::Table = toml::from_str(&text).unwrap();
        let used =
            manifest.get("dependencies").and_then(toml::Value::as_table).into_iter().flat_map(|table| table.keys());
        let used: Vec<&str> = used.map(String::as_str).filter(|name| ours.contains(name)).collect();
        assert!(used.iter().all(|name| may.contains(name)), "{folder} uses {used:?}");
    }
}

/// The parts of the harness that a file imports. rustfmt puts each on a line of its own, or all on one.
fn imports(text: &str) -> impl Iterator<Item = &str> {
    let blocks = text.split("use crate::").skip(1).filter_map(|rest| rest.split(";\n").next());
    let lines = blocks.flat_map(|block| block.trim_start_matches('{').lines());
    let outermost = lines.filter(|line| !line.starts_with("        ") && !line.starts_with("    }") && *line != "}");
    outermost.filter_map(|line| line.trim().split([':', ',']).next()).filter(|name| !name.is_empty())
}

#[test]
fn scenarios_see_no_machine() {
    let allowed = ["behaviour", "check", "errno", "error", "guest", "scenario"];
    for file in rust_files(&workspace().join("harness/src/scenarios")) {
        let text = fs::read_to_string(&file).unwrap();
        let outside: Vec<&str> = imports(&text).filter(|name| !allowed.contains(name)).collect();
        assert!(outside.is_empty(), "{} uses {outside:?}", file.display());
    }
}

#[test]
fn every_file_says_what_it_is() {
    for folder in ["harness", "initramfs", "fuzz"] {
        for file in rust_files(&workspace().join(folder)) {
            let text = fs::read_to_string(&file).unwrap();
            assert!(text.starts_with("//!"), "{} does not begin with what it is", file.display());
        }
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut pages = vec![workspace().join("README.md"), workspace().join("fuzz/README.md")];
    pages.extend(fs::read_dir(workspace().join("docs")).unwrap().flatten().map(|entry| entry.path()));
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.starts_with('#') && !target.contains("://")) {
            let path = target.split('#').next().unwrap_or_default();
            assert!(page.with_file_name("").join(path).exists(), "{}: {target} leads nowhere", page.display());
        }
    }
}
