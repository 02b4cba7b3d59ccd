//! Fuzz oracles for the module formats, as ordinary functions.
//!
//! An oracle takes arbitrary bytes, reads them with the code under test and panics where a promise is broken. The
//! libFuzzer targets in `fuzz_targets/` only call these; `tests/corpus.rs` replays the corpora without libFuzzer.
//!
//! ```text
//! plan, signing ──▶ a valid module ──▶ damage ──▶ the same, broken in places that have a name
//! one file per target ──▶ promises    what all of them hold their readers to
//! ```

pub mod crashes;
pub mod damage;
pub mod plan;
mod promises;
pub mod signing;

/// A format: its oracle, and inputs to start from.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// What its program, its corpus and its dictionary are called.
    pub name: &'static str,
    /// Reads the bytes and panics where a promise is broken.
    pub check: fn(&[u8]),
    /// Inputs that hold each thing the readers know, made by our own writers: name and contents.
    pub seeds: fn() -> Vec<Seed>,
}

/// An input's name and its bytes.
pub type Seed = (String, Vec<u8>);

macro_rules! targets {
    ($($name:ident)*) => {
        $(pub mod $name;)*

        /// All targets; each is a file here and in `fuzz_targets`, with a corpus and a dictionary.
        pub const TARGETS: &[Target] =
            &[$(Target { name: stringify!($name), check: $name::check, seeds: $name::seeds }),*];
    };
}

targets! {
    elf modinfo symbols versions param edit check signature module compressed depmod
    trie pattern dep alias builtin builtin_modinfo modprobe_d depmod_d command_line proc_modules
    wire cpio deb822 deb
}

/// The target with that name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Named texts as seeds.
fn texts<const N: usize>(texts: [(&str, &str); N]) -> Vec<Seed> {
    texts.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
}
