//! Target `param`: the bytes as a module's file: its parameters as the kernel gets them.

use modfile::{Error, elf::Elf, param};

use crate::{
    Seed,
    promises::{borrows, check_refusal},
};

/// Reads the bytes and checks what the reader promises.
pub fn check(data: &[u8]) {
    check_refusal(check_module(data));
}

/// Names are the file's, and there are as many parameters as the section has entries.
fn check_module(data: &[u8]) -> Result<(), Error> {
    let elf = Elf::parse(data)?;
    let mut count = 0;
    for parameter in param::parameters(&elf)? {
        count += 1;
        let Ok(parameter) = parameter else { continue };
        assert!(borrows(data, parameter.name) && !parameter.name.contains(&0));
        assert!(parameter.ops.is_none_or(|ops| borrows(data, ops)));
        assert!(parameter.kind().is_none_or(|kind| !kind.starts_with(b"param_ops_")) || parameter.ops.is_some());
    }
    let section = elf.section("__param")?.map_or(0, |section| section.data.len());
    assert_eq!(count, section / (5 * elf.layout().word_size()));
    Ok(())
}

/// Modules whose parameters are of the kernel's types and of their own.
pub fn seeds() -> Vec<Seed> {
    let mut seeds = crate::plan::examples();
    seeds.retain(|(name, _)| !name.starts_with("e") || name.starts_with("extended"));
    seeds
}
