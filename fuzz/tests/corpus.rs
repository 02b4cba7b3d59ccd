//! Every input in `corpus/` through its oracle, on stable and without libFuzzer.

use std::{fs, path::PathBuf};

use modrig_fuzz::{modinfo, wire};

type Seeds = Vec<(String, Vec<u8>)>;

fn corpus(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target)
}

fn holds_for_corpus(target: &str, check: fn(&[u8]), seeds: &Seeds) {
    let mut inputs = 0;
    for entry in fs::read_dir(corpus(target)).expect("the corpus is part of the repository") {
        let path = entry.expect("the directory can be listed").path();
        let data = fs::read(&path).expect("the corpus holds files only");
        // Shown only if the oracle panics.
        println!("{}", path.display());
        check(&data);
        inputs += 1;
    }
    assert!(inputs >= seeds.len(), "{inputs} inputs");
}

fn holds_for_damaged(check: fn(&[u8]), seeds: Seeds) {
    for (_, seed) in seeds {
        for len in 0..seed.len() {
            check(&seed[..len]);
        }
        let mut seed = seed;
        for at in 0..seed.len() {
            let old = seed[at];
            for new in [old ^ 1, 0xff] {
                seed[at] = new;
                check(&seed);
            }
            seed[at] = old;
        }
    }
}

#[test]
fn modinfo_holds_for_its_corpus() {
    holds_for_corpus("modinfo", modinfo::check, &modinfo::seeds());
}

#[test]
fn wire_holds_for_its_corpus() {
    holds_for_corpus("wire", wire::check, &wire::seeds());
}

/// With `MODRIG_WRITE_SEEDS=1` in the environment the seeds are written first.
#[test]
fn the_corpus_holds_every_seed_as_the_writer_makes_it() {
    let write = std::env::var_os("MODRIG_WRITE_SEEDS").is_some();
    for (target, seeds) in [("modinfo", modinfo::seeds()), ("wire", wire::seeds())] {
        for (name, bytes) in seeds {
            let path = corpus(target).join(format!("seed-{name}"));
            if write {
                fs::write(&path, &bytes).expect("the corpus can be written");
            }
            let is_same = fs::read(&path).is_ok_and(|found| found == bytes);
            assert!(is_same, "{target}/{name}: run this with MODRIG_WRITE_SEEDS=1");
        }
    }
}

#[test]
fn modinfo_holds_for_damaged_seeds() {
    holds_for_damaged(modinfo::check, modinfo::seeds());
}

#[test]
fn wire_holds_for_damaged_seeds() {
    holds_for_damaged(wire::check, wire::seeds());
}

/// Bytes of a fixed generator, in which what begins a frame is frequent and lengths are short.
#[test]
fn wire_holds_for_random_bytes() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..20_000 {
        let mut data = Vec::new();
        for _ in 0..next() % 4 {
            let length = next() % 24;
            data.extend([modrig_agent::wire::SYNC, length as u8, 0, 0, 0]);
            data.extend((0..length).map(|_| if next() % 3 == 0 { next() as u8 } else { next() as u8 % 16 }));
        }
        wire::check(&data);
    }
}
