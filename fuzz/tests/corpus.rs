//! Every input in `corpus/` and `regressions/` through its oracle, on stable and without libFuzzer.

use std::{
    fs,
    path::{Path, PathBuf},
};

use modrig_fuzz::{TARGETS, Target};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A directory's files by name; none where there is no such directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort();
    files
}

/// What an oracle says of files; the last one named is the one that it panics at.
fn replay(target: &Target, files: &[PathBuf]) {
    for path in files {
        println!("{}", path.display());
        (target.check)(&fs::read(path).expect("the directory holds files only"));
    }
}

#[test]
fn every_target_holds_for_its_corpus() {
    for target in TARGETS {
        let inputs = files(&folder("corpus").join(target.name));
        replay(target, &inputs);
        assert!(inputs.len() >= (target.seeds)().len(), "{}: {} inputs", target.name, inputs.len());
    }
}

/// A regression is an input that once failed, beside a text that says how: `TARGET/NAME` and `TARGET/NAME.md`.
#[test]
fn nothing_fails_again() {
    for target in TARGETS {
        let all = files(&folder("regressions").join(target.name));
        let (texts, inputs): (Vec<_>, Vec<_>) = all.into_iter().partition(|path| path.extension().is_some());
        replay(target, &inputs);
        assert!(inputs.iter().map(|input| input.with_extension("md")).eq(texts), "{}: each has a text", target.name);
    }
}

/// With `MODRIG_WRITE_SEEDS=1` in the environment the seeds are written first.
#[test]
fn the_corpus_holds_every_seed_as_the_writer_makes_it() {
    let write = std::env::var_os("MODRIG_WRITE_SEEDS").is_some();
    for target in TARGETS {
        let corpus = folder("corpus").join(target.name);
        for (name, bytes) in (target.seeds)() {
            let path = corpus.join(format!("seed-{name}"));
            if write {
                fs::create_dir_all(&corpus).and_then(|()| fs::write(&path, &bytes)).expect("the corpus can be written");
            }
            let is_there = fs::read(&path).is_ok_and(|found| found == bytes);
            assert!(is_there, "{}/{name}: run this with MODRIG_WRITE_SEEDS=1", target.name);
            assert!(bytes.len() < 8192, "{}/{name} is large", target.name);
        }
    }
}

#[test]
fn every_target_has_a_program_and_a_small_corpus() {
    let manifest = fs::read_to_string(folder("Cargo.toml")).expect("the manifest is there");
    for Target { name, .. } in TARGETS {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} is missing in Cargo.toml");
        assert!(folder("fuzz_targets").join(name).with_extension("rs").exists(), "{name} has no program");
        let inputs = files(&folder("corpus").join(name));
        let bytes: u64 = inputs.iter().map(|path| path.metadata().map_or(0, |about| about.len())).sum();
        assert!(bytes < 2 << 20, "{name}'s corpus is large");
    }
}

/// A file that belongs to no target would never be used; `crashes.rs` uses the regressions of kernels.
#[test]
fn corpora_dictionaries_and_regressions_belong_to_targets() {
    for path in ["corpus", "dictionaries", "regressions"].iter().flat_map(|name| files(&folder(name))) {
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        assert!(name == "kernel" || modrig_fuzz::target(name).is_some(), "{} belongs to no target", path.display());
    }
}

/// The beginning of each seed, and each seed with one byte changed.
#[test]
fn every_target_holds_for_damaged_seeds() {
    for target in TARGETS {
        for (name, seed) in (target.seeds)() {
            println!("{} {name}", target.name);
            let step = seed.len() / 60 + 1;
            (0..seed.len()).step_by(step).for_each(|len| (target.check)(&seed[..len]));
            let mut seed = seed;
            for at in (0..seed.len()).step_by(step) {
                let old = seed[at];
                for new in [old ^ 1, 0xff] {
                    seed[at] = new;
                    (target.check)(&seed);
                }
                seed[at] = old;
            }
        }
    }
}
