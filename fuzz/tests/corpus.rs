//! Every input in `corpus/` through its oracle, on stable and without libFuzzer.

use std::{fs, path::PathBuf};

fn corpus(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target)
}

#[test]
fn modinfo_holds_for_its_corpus() {
    let mut inputs = 0;
    for entry in fs::read_dir(corpus("modinfo")).expect("the corpus is part of the repository") {
        let path = entry.expect("the directory can be listed").path();
        let data = fs::read(&path).expect("the corpus holds files only");
        // Shown only if the oracle panics.
        println!("{}", path.display());
        modrig_fuzz::modinfo::check(&data);
        inputs += 1;
    }
    assert!(inputs >= modrig_fuzz::modinfo::seeds().len(), "{inputs} inputs");
}

/// With `MODRIG_WRITE_SEEDS=1` in the environment the seeds are written first.
#[test]
fn the_corpus_holds_every_seed_as_the_writer_makes_it() {
    let write = std::env::var_os("MODRIG_WRITE_SEEDS").is_some();
    for (name, bytes) in modrig_fuzz::modinfo::seeds() {
        let path = corpus("modinfo").join(format!("seed-{name}"));
        if write {
            fs::write(&path, &bytes).expect("the corpus can be written");
        }
        assert!(fs::read(&path).is_ok_and(|found| found == bytes), "{name}: run this with MODRIG_WRITE_SEEDS=1");
    }
}

#[test]
fn modinfo_holds_for_damaged_seeds() {
    for (_, seed) in modrig_fuzz::modinfo::seeds() {
        for len in 0..seed.len() {
            modrig_fuzz::modinfo::check(&seed[..len]);
        }
        let mut seed = seed;
        for at in 0..seed.len() {
            let old = seed[at];
            for new in [old ^ 1, 0xff] {
                seed[at] = new;
                modrig_fuzz::modinfo::check(&seed);
            }
            seed[at] = old;
        }
    }
}
